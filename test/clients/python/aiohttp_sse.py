import asyncio

import aiohttp
from aiohttp_sse_client.client import EventSource
from report import ask, pause, take_event


async def main() -> None:
    # aiohttp itself ends any request after 5 minutes.
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None)) as session:
        while True:
            try:
                async with EventSource(ask(), session=session) as events:
                    async for event in events:
                        take_event(event.type, event.data)
                wait = pause("the stream ended")
            # It comes back a few times by itself, then gives up.
            except (aiohttp.ClientError, OSError) as error:
                wait = pause(repr(error))
            await asyncio.sleep(wait)


asyncio.run(main())
