"""What a client asks of the server beside the stream: publishing, orders, acknowledgements."""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timezone
from typing import Any
from urllib.parse import quote

import httpx

from .credentials import Credentials
from .errors import ERROR_TABLE, Lost, Refused, TickwireError, Unreachable
from .retry import Backoff
from .signing import OrderKey, sign_request
from .transports.http import headers_of, refusal_of_response, unreachable

#: How long one attempt may take, and all attempts together.
ATTEMPT_SECONDS = 10.0
PATIENCE_SECONDS = 60.0

Fields = Mapping[str, Any]


class Requests:
    """Each request may be sent again without doing anything twice, and is, as the table of errors says."""

    def __init__(
        self,
        origin: str,
        http: httpx.AsyncClient,
        credentials: Credentials,
        order_key: OrderKey | None,
        uniform: Callable[[], float] = random.random,
    ) -> None:
        self.__origin, self.__http, self.__credentials = origin, http, credentials
        self.__order_key, self.__random = order_key, uniform

    async def get(self, path: str, **parameters: Any) -> Any:
        """Reads, such as `get("/v1/history", topic="trades:AAPL", limit=10)`."""
        query = "&".join(f"{name}={quote(str(value), safe='')}" for name, value in parameters.items())
        return await self.__send("GET", f"{path}?{query}" if query else path)

    async def publish(self, messages: Fields | Iterable[Fields]) -> dict[str, Any]:
        """Publishes one message or several.

        A message that has no `idempotency_key` gets one. What the log could not take is sent again under its
        key; the rest of a batch stands meanwhile.

        :returns: `{"accepted","rejected":[{"index","code","message"}],"sequences":[…]}`
        """
        given = [messages] if isinstance(messages, Mapping) else list(messages)
        batch = [{"idempotency_key": uuid.uuid4().hex, **message} for message in given]
        places = list(range(len(batch)))
        sequences: list[int | None] = [None] * len(batch)
        rejected: dict[int, dict[str, Any]] = {}
        accepted, backoff, until = 0, Backoff(self.__random), time.monotonic() + PATIENCE_SECONDS
        while places:
            answer = await self.__send("POST", "/v1/publish", [batch[place] for place in places])
            accepted += answer["accepted"]
            for place, sequence in zip(places, answer["sequences"]):
                sequences[place] = sequence
            failed = {places[item["index"]]: item for item in answer["rejected"]}
            for place in places:
                rejected.pop(place, None)
            rejected |= {place: {**item, "index": place} for place, item in failed.items()}
            places = [place for place, item in failed.items() if _may_pass(item["code"])]
            pause = backoff.next()
            if places and time.monotonic() + pause > until:
                break
            if places:
                await asyncio.sleep(pause)
        return {
            "accepted": accepted,
            "rejected": [rejected[at] for at in sorted(rejected)],
            "sequences": sequences,
        }

    async def submit_order(self, **order: Any) -> dict[str, Any]:
        """Sends an order: `symbol`, `side`, `order_type`, `quantity` and the rest of PROTOCOL.md, Orders.

        Without a `client_order_id` it gets one, which the answer repeats.
        """
        named = {"client_order_id": uuid.uuid4().hex, **order}
        return await self.__order("submit_order", named, lambda fields: ("POST", "/v1/orders", fields))

    async def cancel_order(self, order_id: str, *, request_id: str | None = None) -> dict[str, Any]:
        def ask(fields: Fields) -> tuple[str, str, None]:
            query = "&".join(
                f"{name}={quote(fields[name], safe='')}" for name in fields if name != "order_id"
            )
            return "DELETE", f"/v1/orders/{quote(order_id, safe='')}?{query}", None

        named = {"order_id": order_id, "request_id": request_id or uuid.uuid4().hex}
        return await self.__order("cancel_order", named, ask)

    async def replace_order(
        self, order_id: str, *, request_id: str | None = None, **terms: Any
    ) -> dict[str, Any]:
        """Gives an order a new `quantity`, `limit_price` or `stop_price`."""
        path = f"/v1/orders/{quote(order_id, safe='')}"
        named = {"order_id": order_id, "request_id": request_id or uuid.uuid4().hex, **terms}
        return await self.__order("replace_order", named, lambda fields: ("PATCH", path, fields))

    async def acknowledge(self, channel: str, sequence: int, epoch: str | None = None) -> dict[str, Any]:
        """Acknowledges the messages of `orders` or `alerts` up to a sequence, on all devices of the user."""
        body = {"channel": channel, "sequence": sequence, **({} if epoch is None else {"epoch": epoch})}
        answer: dict[str, Any] = await self.__send("POST", "/v1/ack", body)
        return answer

    async def __order(self, action: str, fields: dict[str, Any], ask: Any) -> dict[str, Any]:
        """Sends a request for orders. A repeated one goes as it is; one that is too old is signed anew."""
        while True:
            began = time.monotonic()
            method, path, body = ask(self.__signed(action, fields))
            try:
                answer: dict[str, Any] = await self.__send(method, path, body)
                return answer
            except Refused as refusal:
                is_late = refusal.code == "bad_request" and time.monotonic() - began > 1
                if self.__order_key is None or not is_late:
                    raise

    def __signed(self, action: str, fields: dict[str, Any]) -> dict[str, Any]:
        if self.__order_key is None:
            return fields
        now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
        dated = {**fields, "timestamp": now}
        return {**dated, "signature": sign_request(self.__order_key, action, dated)}

    async def __send(self, method: str, path: str, body: Any = None) -> Any:
        backoff, until, renewed = Backoff(self.__random), time.monotonic() + PATIENCE_SECONDS, False
        while True:
            try:
                return await self.__attempt(method, path, body)
            except Refused as refusal:
                if refusal.policy == "renew" and self.__credentials.can_renew and not renewed:
                    renewed = True
                    await self.__credentials.fetch()
                    continue
                if refusal.policy in ("stop", "renew"):
                    raise
                pause, error = backoff.after(refusal), TickwireError(str(refusal))
            except (Unreachable, Lost) as failure:
                pause, error = backoff.next(), TickwireError(f"no answer to {method} {path}: {failure}")
            if time.monotonic() + pause > until:
                raise error
            await asyncio.sleep(pause)

    async def __attempt(self, method: str, path: str, body: Any) -> Any:
        headers = headers_of(await self.__credentials.current(), Accept="application/json")
        try:
            answer = await self.__http.request(
                method, f"{self.__origin}{path}", headers=headers, json=body, timeout=ATTEMPT_SECONDS
            )
            value = answer.json() if answer.is_success else None
        except (httpx.HTTPError, ValueError) as error:
            raise unreachable(error) from None
        if not answer.is_success:
            raise refusal_of_response(answer, answer.content)
        return value


def _may_pass(code: str) -> bool:
    entry = ERROR_TABLE.get(code)
    return entry is not None and entry.client in ("reconnect", "backoff")
