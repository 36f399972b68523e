import asyncio
from urllib.parse import urlsplit

from autobahn.asyncio.websocket import WebSocketClientFactory, WebSocketClientProtocol
from report import ask_socket, pause, take


class Protocol(WebSocketClientProtocol):
    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        take(payload.decode())

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        if not self.factory.closed.done():
            self.factory.closed.set_result((code or 0, reason))


async def main() -> None:
    loop = asyncio.get_running_loop()
    while True:
        url = ask_socket()
        # Autobahn|Python itself comes back only with its WAMP components.
        factory = WebSocketClientFactory(url, protocols=["tickwire.v1.batch"])
        factory.protocol = Protocol
        factory.closed = loop.create_future()
        try:
            await loop.create_connection(factory, urlsplit(url).hostname, urlsplit(url).port)
            code, reason = await factory.closed
            wait = pause(f"{code} {reason}", code)
        except OSError as error:
            wait = pause(error)
        await asyncio.sleep(wait)


asyncio.run(main())
