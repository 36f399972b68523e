import asyncio

import aiohttp
from report import ask_socket, pause, take


async def main() -> None:
    async with aiohttp.ClientSession() as session:
        while True:
            try:
                # A message may have 4 MiB. A heartbeat of its own is not needed: it answers the server's pings.
                async with session.ws_connect(ask_socket(), protocols=["tickwire.v1.batch"]) as socket:
                    async for message in socket:
                        take(message.data)
                wait = pause(f"closed with {socket.close_code}", socket.close_code or 0)
            except (aiohttp.ClientError, OSError) as error:
                wait = pause(error)
            await asyncio.sleep(wait)


asyncio.run(main())
