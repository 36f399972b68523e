"""The stream over WebSocket."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.typing import Subprotocol

from ..errors import Dead, Lost, Unreachable, refusal_of_answer, refusal_of_close, refusal_of_message
from ..messages import TransportName
from ..selectors import Selector, subscribe_actions, unsubscribe_actions
from .transport import (
    ANSWER_SECONDS,
    CATCH_BREATH_SECONDS,
    HEARTBEAT_SECONDS,
    LOOK_SECONDS,
    OPEN_SECONDS,
    SILENCE_SECONDS,
    STALE_SECONDS,
    Monitor,
    Plan,
    Wanted,
    WireMessage,
)

#: Frames are of 32 KiB, unless a single message is larger: the snapshot of a deep book.
MAX_FRAME_BYTES = 64 * 2**20
#: How long the server may take to close in good order.
CLOSE_SECONDS = 1.0


class _ObservedConnection(ClientConnection):
    """Knows when the last byte came: a large message is a sign of life long before its end."""

    last_byte = 0.0

    def data_received(self, data: bytes) -> None:
        self.last_byte = time.monotonic()
        super().data_received(data)


class WebSocketTransport:
    name: TransportName = "websocket"

    def __init__(self, origin: str, monitor: Monitor, tls: ssl.SSLContext | None = None) -> None:
        self._url = f"{origin.replace('http', 'ws', 1)}/v1/stream?heartbeat={HEARTBEAT_SECONDS}"
        self._tls: Any = {"ssl": tls} if tls is not None and self._url.startswith("wss") else {}
        self._monitor = monitor
        self._socket: ClientConnection | None = None
        self._first: list[WireMessage] = []
        self._ids = 0
        self._asked: dict[object, WireMessage] = {}
        self._watch: asyncio.Task[None] | None = None

    async def open(self, plan: Plan) -> None:
        try:
            await asyncio.wait_for(self._welcome(), OPEN_SECONDS)
        except asyncio.TimeoutError:
            raise Unreachable(f"no welcome within {OPEN_SECONDS} s") from None
        except InvalidStatus as error:
            refusal = refusal_of_answer(bytes(error.response.body or b""), error.response.headers)
            # The handshake fits the protocol. If the server calls it a bad request, something on the way has
            # changed it, as a proxy does that drops `Upgrade`.
            if refusal is None or refusal.code == "bad_request":
                raise Unreachable(f"the upgrade was answered with {error.response.status_code}") from None
            raise refusal from None
        except ConnectionClosed as error:
            raise _refusal_of(error) or Unreachable(f"closed before the welcome: {error}") from None
        except (OSError, WebSocketException, EOFError) as error:
            raise Unreachable(f"no WebSocket: {error}") from None

    async def _welcome(self) -> None:
        self._socket = await connect(
            self._url,
            subprotocols=[Subprotocol("tickwire.v1.batch")],
            max_size=MAX_FRAME_BYTES,
            ping_interval=None,
            open_timeout=None,
            close_timeout=CLOSE_SECONDS,
            create_connection=_ObservedConnection,
            **self._tls,
        )
        self._first = _read(await self._socket.recv())
        message = self._first[0] if self._first else {}
        if message.get("type") in ("error", "closing"):
            raise refusal_of_message(message)
        if message.get("type") != "welcome":
            raise Unreachable("the first message was no welcome")

    async def start(self, plan: Callable[[], Plan]) -> Plan:
        self._watch = asyncio.ensure_future(self._watch_silence())
        now = plan()
        if now.token is not None:
            await self.authenticate(now.token)
        for action in subscribe_actions(now.resumed, now.cursor):
            await self._send(action)
        for action in subscribe_actions(now.fresh):
            await self._send(action)
        return now

    async def frames(self) -> AsyncIterator[list[WireMessage]]:
        assert self._socket is not None
        yield self._first
        try:
            while True:
                yield _read(await self._socket.recv())
        except ConnectionClosed as error:
            raise _refusal_of(error) or Lost(f"the connection broke: {error}") from None

    async def change(self, gone: list[Selector], wanted: list[Wanted]) -> bool:
        for action in unsubscribe_actions(gone):
            await self._send(action)
        for action in subscribe_actions(wanted):
            await self._send(action)
        return True

    async def authenticate(self, token: str) -> bool:
        await self._send({"action": "auth", "token": token})
        return True

    def asked(self, number: object) -> WireMessage | None:
        return self._asked.pop(number, None)

    async def close(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
        if self._socket is not None:
            await self._socket.close()

    async def _send(self, action: dict[str, Any]) -> None:
        assert self._socket is not None
        self._ids += 1
        if action["action"] != "ping":
            self._asked[self._ids] = action
        try:
            await self._socket.send(json.dumps({**action, "id": self._ids}, ensure_ascii=False))
        except ConnectionClosed:
            pass  # `frames` says why

    async def _watch_silence(self) -> None:
        socket = self._socket
        assert isinstance(socket, _ObservedConnection)
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if time.monotonic() - socket.last_byte < SILENCE_SECONDS:
                continue
            asked = time.monotonic()
            await self._send({"action": "ping"})
            while socket.last_byte < asked and time.monotonic() < asked + ANSWER_SECONDS:
                await asyncio.sleep(CATCH_BREATH_SECONDS)
                if time.monotonic() > asked + STALE_SECONDS:
                    self._monitor.silent(True)
            if socket.last_byte < asked:
                await asyncio.sleep(CATCH_BREATH_SECONDS)
            if socket.last_byte < asked:
                socket.transport.abort()
                self._monitor.fail(Dead(f"no byte within {ANSWER_SECONDS} s of a ping"))
                return
            self._monitor.silent(False)


def _read(frame: str | bytes) -> list[WireMessage]:
    try:
        value = json.loads(frame)
    except ValueError:
        raise Lost("a frame was not JSON") from None
    messages = value if isinstance(value, list) else [value]
    # What is no object says nothing; if it stood for messages, the next one shows that they are missing.
    return [message for message in messages if isinstance(message, dict)]


def _refusal_of(error: ConnectionClosed) -> Exception | None:
    return None if error.rcvd is None else refusal_of_close(error.rcvd.code, error.rcvd.reason)
