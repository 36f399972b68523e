import asyncio

from report import ask_socket, pause, take
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, WebSocketException


async def main() -> None:
    while True:
        try:
            async with connect(ask_socket(), subprotocols=["tickwire.v1.batch"]) as socket:
                while True:
                    take(await socket.recv())
        except ConnectionClosed as error:
            wait = pause(error, error.rcvd.code if error.rcvd else 0)
        except (OSError, WebSocketException) as error:
            wait = pause(error)
        await asyncio.sleep(wait)


asyncio.run(main())
