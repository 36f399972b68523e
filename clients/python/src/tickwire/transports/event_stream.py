"""The stream as Server-Sent Events."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import httpx

from ..errors import Dead, Lost, Unreachable, refusal_of_message
from ..messages import TransportName
from ..selectors import Selector
from .event_parser import EventParser
from .http import headers_of, refusal_of_response, stream_url, unreachable
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

#: How long a stream may stay silent when a poll has brought what the stream should have brought.
GRACE_SECONDS = 0.5
#: Behind the heartbeat: then the stream is dead, whatever a poll says.
LATE_SECONDS = 1.0


class EventStreamTransport:
    name: TransportName = "event-stream"

    def __init__(self, origin: str, monitor: Monitor, http: httpx.AsyncClient) -> None:
        self._origin, self._monitor, self._http = origin, monitor, http
        self._plan = Plan()
        self._response: httpx.Response | None = None
        self._chunks: AsyncIterator[bytes] = _nothing()
        self._first: list[WireMessage] = []
        self._parser = EventParser()
        self._last_byte = 0.0
        self._cursor: str | None = None
        self._watch: asyncio.Task[None] | None = None

    async def open(self, plan: Plan) -> None:
        self._plan, self._cursor = plan, plan.cursor
        try:
            await asyncio.wait_for(self._welcome(), OPEN_SECONDS)
        except asyncio.TimeoutError:
            raise Unreachable(f"no welcome within {OPEN_SECONDS} s") from None
        except (httpx.HTTPError, httpx.StreamError, ValueError) as error:
            raise unreachable(error) from None

    async def _welcome(self) -> None:
        accept = {"Accept": "text/event-stream", "Accept-Encoding": "gzip", "Cache-Control": "no-store"}
        request = self._http.build_request(
            "GET",
            stream_url(self._origin, self._plan, heartbeat=HEARTBEAT_SECONDS),
            headers=headers_of(self._plan.token, **accept),
        )
        self._response = response = await self._http.send(request, stream=True)
        if response.status_code != 200:
            raise refusal_of_response(response, await response.aread())
        if not response.headers.get("content-type", "").startswith("text/event-stream"):
            raise Unreachable("the answer is no event stream")
        self._chunks = response.aiter_bytes()
        while not self._first:
            chunk = await anext(self._chunks, None)
            if chunk is None:
                raise Unreachable("the stream ended before the welcome")
            self._first = self._read(chunk)
        message = self._first[0]
        if message.get("type") in ("error", "closing"):
            raise refusal_of_message(message)
        if message.get("type") != "welcome":
            raise Unreachable("the first event was no welcome")

    def _read(self, chunk: bytes) -> list[WireMessage]:
        self._last_byte = time.monotonic()
        messages: list[WireMessage] = []
        for event in self._parser.feed(chunk):
            if event.name == "cursor":
                self._cursor = event.data
                messages.append({"type": "cursor", "cursor": event.data})
            else:
                message = json.loads(event.data)
                if isinstance(message, dict):
                    messages.append(message)
        return messages

    async def start(self, plan: Callable[[], Plan]) -> Plan:
        self._watch = asyncio.ensure_future(self._watch_silence())
        return self._plan

    async def frames(self) -> AsyncIterator[list[WireMessage]]:
        yield self._first
        try:
            async for chunk in self._chunks:
                yield self._read(chunk)
        except (httpx.HTTPError, httpx.StreamError, ValueError) as error:
            raise Lost(f"the stream broke: {error}") from None
        raise Lost("the stream ended")

    async def change(self, gone: list[Selector], wanted: list[Wanted]) -> bool:
        return False

    async def authenticate(self, token: str) -> bool:
        return False

    def asked(self, number: object) -> WireMessage | None:
        return None

    async def close(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
        if self._response is not None:
            await self._response.aclose()

    async def _watch_silence(self) -> None:
        asked_at = 0.0
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            silent_since, now = self._last_byte, time.monotonic()
            if now - silent_since >= HEARTBEAT_SECONDS + LATE_SECONDS:
                await asyncio.sleep(CATCH_BREATH_SECONDS)
                if self._last_byte == silent_since:
                    return self._monitor.fail(Dead("no heartbeat"))
            elif now - max(silent_since, asked_at) >= SILENCE_SECONDS:
                asked_at = now
                late = asyncio.get_running_loop().call_later(STALE_SECONDS, self._monitor.silent, True)
                try:
                    reason = await self._probe()
                finally:
                    late.cancel()
                if reason is not None and self._last_byte == silent_since:
                    return self._monitor.fail(Dead(reason))
                self._monitor.silent(False)

    async def _probe(self) -> str | None:
        """Asks by a poll whether the stream should have brought something; returns why it is dead."""
        # Whatever the plan began with is not asked for again, so everything is resumed.
        plan = replace(self._plan, cursor=self._cursor, resumed=self._plan.all, fresh=())
        url = stream_url(self._origin, plan)
        headers = headers_of(plan.token, Accept="application/json")
        try:
            answer = await asyncio.wait_for(self._http.get(url, headers=headers), ANSWER_SECONDS)
            if answer.status_code != 200:
                return None  # a limit, for example: the server is there
            messages = answer.json()["messages"]
        except (asyncio.TimeoutError, httpx.HTTPError):
            return f"no answer to a poll within {ANSWER_SECONDS} s"
        except (ValueError, KeyError, TypeError):
            return None
        if not any(self._monitor.is_news(message) for message in messages):
            return None
        self._monitor.silent(True)
        await asyncio.sleep(GRACE_SECONDS)
        return "a poll brought what the stream did not"


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield b""
