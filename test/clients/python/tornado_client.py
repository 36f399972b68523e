import asyncio

from report import ask_socket, pause, take
from tornado.httpclient import HTTPError
from tornado.websocket import WebSocketError, websocket_connect


async def main() -> None:
    while True:
        try:
            socket = await websocket_connect(ask_socket(), subprotocols=["tickwire.v1.json"])
            while (text := await socket.read_message()) is not None:
                take(text)
            wait = pause(f"{socket.close_code} {socket.close_reason}", socket.close_code or 0)
        except (OSError, HTTPError, WebSocketError) as error:
            wait = pause(error)
        await asyncio.sleep(wait)


asyncio.run(main())
