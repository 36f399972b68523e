import asyncio

import aiohttp
from aiosseclient import aiosseclient
from report import ask, pause, take_event


async def main() -> None:
    while True:
        try:
            async for event in aiosseclient(ask(), raise_for_status=True):
                take_event(event.event, event.data)
            wait = pause("the stream ended")
        except (aiohttp.ClientError, OSError) as error:
            wait = pause(repr(error))
        await asyncio.sleep(wait)


asyncio.run(main())
