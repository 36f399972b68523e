"""Drives a client by lines of JSON: `python -m tickwire.driver`. Tests of the protocol use it.

Commands come on stdin, events go to stdout. The end of stdin closes the client.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from typing import Any

from .client import TickwireClient
from .messages import Event, Gap, Granted, Message, Rejected, Reset, StateChange
from .selectors import Selector
from .subscriptions import Subscription


class Driver:
    def __init__(self) -> None:
        self._client: TickwireClient | None = None
        self._subscriptions: dict[Selector, Subscription] = {}

    async def run(self) -> None:
        reader = asyncio.StreamReader(limit=2**24)
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
        )
        say({"event": "ready"})
        while line := await reader.readline():
            if not line.strip():
                continue
            command = json.loads(line)
            if command["do"] == "close":
                break
            await self._perform(command)
        if self._client is not None:
            await self._client.close()
        say({"event": "closed"})

    async def _perform(self, command: dict[str, Any]) -> None:
        match command["do"]:
            case "connect":
                await self._connect(command)
            case "subscribe":
                self._subscribe(command)
            case "unsubscribe":
                for selector in selectors_of(command):
                    if selector in self._subscriptions:
                        self._subscriptions.pop(selector).close()
            case unknown:
                raise ValueError(f"there is no command {unknown}")

    async def _connect(self, command: dict[str, Any]) -> None:
        options: dict[str, Any] = {}
        if "tokens" in command:
            tokens = list(command["tokens"])

            async def get_token() -> str:
                return str(tokens.pop(0) if len(tokens) > 1 else tokens[0])

            options["get_token"] = get_token
        elif "token" in command:
            options["token"] = command["token"]
        if "transports" in command:
            options["transports"] = command["transports"]
        self._client = TickwireClient(command["url"], **options)
        self._client.on_event(lambda event: say(described(event)))
        await self._client.__aenter__()

    def _subscribe(self, command: dict[str, Any]) -> None:
        assert self._client is not None
        options = {name: command[name] for name in ("throttle_ms", "depth", "last") if name in command}
        for selector in selectors_of(command):
            before = self._subscriptions.get(selector)
            # One for each selector, so that each can end by itself. Nobody reads it: events go to stdout.
            self._subscriptions[selector] = self._client.subscribe(
                selector.channel,
                None if selector.symbol is None else [selector.symbol],
                on_item=lambda item: None,
                **options,
            )
            if before is not None:
                before.close()


def selectors_of(command: dict[str, Any]) -> list[Selector]:
    return [Selector(command["channel"], symbol) for symbol in command.get("symbols") or [None]]


def described(event: Event) -> dict[str, Any]:
    """An event as a line; what is absent is left out."""
    match event:
        case Message():
            line: dict[str, Any] = {
                "event": "message",
                "channel": event.channel,
                "symbol": event.symbol,
                "sequence": event.sequence,
                "snapshot": event.snapshot or None,
                "prev": event.prev,
                "data": event.data,
            }
        case Reset():
            line = {
                "event": "reset",
                "channel": event.channel,
                "symbol": event.symbol,
                "reason": event.reason,
                "sequence": event.sequence,
            }
        case Gap():
            line = {
                "event": "gap",
                "channel": event.channel,
                "symbol": event.symbol,
                "sequence": event.sequence,
            }
        case Granted():
            line = {"event": "subscribed", "channel": event.channel, "symbols": event.symbols}
        case Rejected():
            line = {
                "event": "rejected",
                "channel": event.channel,
                "symbol": event.symbol,
                "code": event.code,
                "message": event.message,
            }
        case StateChange():
            line = {
                "event": "state",
                "state": event.state.value,
                "reason": event.reason or None,
                "code": event.code,
                "transport": event.transport,
            }
    return {name: value for name, value in line.items() if value is not None}


def say(line: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.stdin.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
    asyncio.run(Driver().run())
