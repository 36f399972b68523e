"""The stream by polling."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import httpx

from ..errors import Dead, Lost, Refused, Unreachable
from ..messages import TransportName
from ..selectors import Selector
from .http import headers_of, refusal_of_response, stream_url, unreachable
from .transport import OPEN_SECONDS, Monitor, Plan, Wanted, WireMessage

#: How long the server holds an empty answer. It is short, so that a dead peer is found soon.
WAIT_SECONDS = 2
#: A poll of which nothing comes for so long behind its wait is dead. A long answer may take longer.
LATE_SECONDS = 1.5
#: Between two polls: it gathers the messages of busy topics, and keeps below the limit of requests.
PAUSE_SECONDS = 0.05
#: How many topics are asked for the present epoch, where the log does not know the first.
EPOCH_QUESTIONS = 3


class PollingTransport:
    name: TransportName = "polling"

    def __init__(self, origin: str, monitor: Monitor, http: httpx.AsyncClient) -> None:
        self._origin, self._monitor, self._http = origin, monitor, http
        self._id = uuid.uuid4().hex
        self._plan = Plan()
        self._first: list[WireMessage] = []

    async def open(self, plan: Plan) -> None:
        self._plan = plan
        try:
            answer = await asyncio.wait_for(self._get(stream_url(self._origin, plan)), OPEN_SECONDS)
            # Asked behind the answer: if the epoch is still the client's, the answer is of that epoch, too.
            epoch = await asyncio.wait_for(self._epoch(), OPEN_SECONDS)
        except asyncio.TimeoutError:
            raise Unreachable(f"no answer within {OPEN_SECONDS} s") from None
        self._first = [*epoch, *self._take(answer)]

    async def _get(self, url: str, silence: float | None = None) -> dict[str, Any]:
        """Asks the server. `silence`: after so many seconds in which nothing comes, it is taken for dead."""
        headers = headers_of(self._plan.token, Accept="application/json", **{"X-Request-Id": self._id})
        try:
            timeout = httpx.USE_CLIENT_DEFAULT if silence is None else httpx.Timeout(silence)
            response = await self._http.get(url, headers=headers, timeout=timeout)
            if response.status_code != 200:
                raise refusal_of_response(response, response.content)
            answer = json.loads(response.content)
        except httpx.TimeoutException:
            raise Dead(f"nothing came for {silence} s") from None
        except (httpx.HTTPError, ValueError) as error:
            raise unreachable(error) from None
        if not isinstance(answer, dict):
            raise Unreachable("the answer is not the server's")
        return answer

    async def _epoch(self) -> list[WireMessage]:
        """Returns the present epoch as the other transports tell it, if the client needs it (rule 5)."""
        beyond = self._monitor.beyond()
        for topic in beyond[:EPOCH_QUESTIONS]:
            try:
                answer = await self._get(f"{self._origin}/v1/history?topic={quote(topic, safe='')}&limit=1")
                return [{"type": "epoch", "epoch": answer.get("epoch")}]
            except Refused as refusal:
                if refusal.policy != "stop":
                    raise
        # The log knows none of them, so it has lost them: no epoch of the client's is the present one.
        return [{"type": "epoch", "epoch": None}] if beyond else []

    def _take(self, answer: dict[str, Any]) -> list[WireMessage]:
        messages, cursor = answer.get("messages"), answer.get("cursor")
        if not isinstance(messages, list) or not isinstance(cursor, str):
            raise Unreachable("the answer is not the server's")
        self._plan = replace(self._plan, cursor=cursor, resumed=self._plan.all, fresh=())
        return [*messages, {"type": "cursor", "cursor": cursor, "more": answer.get("more") is True}]

    async def start(self, plan: Callable[[], Plan]) -> Plan:
        return self._plan

    async def frames(self) -> AsyncIterator[list[WireMessage]]:
        yield self._first
        while True:
            await asyncio.sleep(PAUSE_SECONDS)
            url = stream_url(self._origin, self._plan, wait=WAIT_SECONDS)
            try:
                messages = self._take(await self._get(url, silence=WAIT_SECONDS + LATE_SECONDS))
            except Unreachable as error:
                raise Lost(str(error)) from None
            yield messages

    async def change(self, gone: list[Selector], wanted: list[Wanted]) -> bool:
        return False

    async def authenticate(self, token: str) -> bool:
        return False

    def asked(self, number: object) -> WireMessage | None:
        return None

    async def close(self) -> None:
        """Nothing stands between two polls, and whoever reads `frames` cancels the one that is held."""
