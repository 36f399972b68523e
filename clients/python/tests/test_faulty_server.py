"""A client with a server that breaks the protocol or loses its log, as a real one does not on demand."""

import asyncio
import json
import unittest
import unittest.mock
from collections.abc import Awaitable, Callable
from typing import Any

from websockets.asyncio.server import ServerConnection, serve

from tickwire import Gap, Message, Rejected, Reset, State, StateChange, TickwireClient
from tickwire.errors import Refused
from tickwire.messages import Event
from tickwire.retry import Backoff

#: For a machine that is busy with other things.
PATIENCE_SECONDS = 60

Script = Callable[["Line"], Awaitable[None]]


class Line:
    """One connection of the client, as the server sees it."""

    def __init__(self, socket: ServerConnection) -> None:
        self.socket = socket

    async def say(self, *messages: dict[str, Any]) -> None:
        await self.socket.send(json.dumps(messages))

    async def hear(self, action: str) -> dict[str, Any]:
        while True:
            heard: dict[str, Any] = json.loads(await self.socket.recv())
            if heard["action"] == action:
                return heard

    async def grant(self, epoch: str = "e1") -> dict[str, Any]:
        """Grants the next subscribe, whatever it names."""
        asked = await self.hear("subscribe")
        await self.say(
            {
                "type": "subscribed",
                "id": asked["id"],
                "channel": asked["channel"],
                "symbols": asked.get("symbols", []),
                "rejected": [],
                "epoch": epoch,
            }
        )
        return asked


def trade(sequence: int, **more: Any) -> dict[str, Any]:
    return {"type": "trade", "channel": "trades", "symbol": "A", "sequence": sequence, "data": {}, **more}


def cursor(text: str) -> dict[str, Any]:
    return {"type": "cursor", "cursor": text}


class FaultyServerTest(unittest.IsolatedAsyncioTestCase):
    async def follow(
        self,
        scripts: list[Script],
        until: Callable[[list[Event]], bool],
        channels: dict[str, list[str]],
        **options: Any,
    ) -> list[Event]:
        """Runs a script for each connection of a client, in turn, until its events are as wanted."""
        self.faults: list[BaseException] = []
        left = list(scripts)

        async def handle(socket: ServerConnection) -> None:
            script = left.pop(0) if left else None
            try:
                if script is None:
                    return await socket.wait_closed()
                line = Line(socket)
                await line.say({"type": "welcome", "protocol": "tickwire.v1", "heartbeat_ms": 5000})
                await script(line)
                await socket.wait_closed()
            except AssertionError as fault:
                self.faults.append(fault)

        events: list[Event] = []
        changed = asyncio.Event()

        def note(event: Event) -> None:
            events.append(event)
            changed.set()

        async def wait() -> None:
            while not until(events):
                changed.clear()
                await changed.wait()

        async with serve(handle, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            url = f"http://127.0.0.1:{port}"
            async with TickwireClient(
                url, transports=["websocket"], uniform=lambda: 0.0, **options
            ) as client:
                client.on_event(note)
                for channel, symbols in channels.items():
                    client.subscribe(channel, symbols, on_item=lambda item: None)
                await asyncio.wait_for(wait(), PATIENCE_SECONDS)
        if self.faults:
            raise self.faults[0]
        return events

    @staticmethod
    def items(events: list[Event]) -> list[Event]:
        return [each for each in events if isinstance(each, (Message, Reset, Gap))]

    async def test_repairs_a_gap_from_its_cursor(self) -> None:
        async def first(line: Line) -> None:
            await line.grant()
            await line.say(trade(1), cursor("c1"), trade(2), trade(4))

        async def second(line: Line) -> None:
            asked = await line.grant()
            assert asked["after"] == "c1", asked
            await line.say(trade(2), trade(3), trade(4), cursor("c4"))

        events = await self.follow(
            [first, second], lambda e: len([m for m in e if isinstance(m, Message)]) == 4, {"trades": ["A"]}
        )
        self.assertEqual([getattr(each, "sequence") for each in self.items(events)], [1, 2, 4, 3, 4])
        self.assertEqual([each for each in events if isinstance(each, Gap)], [Gap("trades", "A", 4)])
        self.assertEqual([each for each in events if isinstance(each, Reset)], [])

    async def test_gives_a_message_on_behind_a_reset_where_the_gap_comes_again(self) -> None:
        async def first(line: Line) -> None:
            await line.grant()
            await line.say(trade(1), cursor("c1"), trade(3))

        async def second(line: Line) -> None:
            await line.grant()
            await line.say(trade(3), trade(4))

        events = await self.follow(
            [first, second], lambda e: len([m for m in e if isinstance(m, Message)]) == 3, {"trades": ["A"]}
        )
        gap = Gap("trades", "A", 3)
        found = [each.sequence if isinstance(each, Message) else each for each in self.items(events)]
        self.assertEqual(found, [1, gap, gap, Reset("trades", "A", "history_lost"), 3, 4])

    async def test_goes_back_in_another_epoch_and_begins_states_anew(self) -> None:
        quote = {"type": "quote", "channel": "quotes", "symbol": "Q", "data": {}}

        async def first(line: Line) -> None:
            await line.grant()
            await line.grant()
            await line.say({**quote, "sequence": 5, "snapshot": True}, trade(1), cursor("c1"))
            await line.say({**quote, "sequence": 6}, trade(2), trade(3))
            await line.socket.close()

        async def second(line: Line) -> None:
            asked = [await line.grant("e2"), await line.grant("e2")]
            assert [each.get("after") for each in asked] == ["c1", "c1"], asked

        async def third(line: Line) -> None:
            by_channel = {
                each["channel"]: each.get("after")
                for each in [await line.grant("e2"), await line.grant("e2")]
            }
            assert by_channel == {"trades": "c1", "quotes": None}, by_channel
            await line.say(
                {**quote, "sequence": 6, "snapshot": True, "data": {"new": 1}}, trade(2), cursor("c2")
            )

        events = await self.follow(
            [first, second, third],
            lambda e: len([m for m in e if isinstance(m, Message)]) == 7,
            {"trades": ["A"], "quotes": ["Q"]},
        )
        found = self.items(events)
        self.assertEqual(
            [each for each in found if isinstance(each, Reset)],
            sorted(
                [Reset("trades", "A", "epoch_changed", 1), Reset("quotes", "Q", "epoch_changed")],
                key=lambda each: [found.index(each)],
            ),
        )
        self.assertEqual(
            [(each.channel, each.sequence) for each in found[-2:] if isinstance(each, Message)],
            [("quotes", 6), ("trades", 2)],
        )

    async def test_does_not_go_back_in_the_same_epoch(self) -> None:
        async def first(line: Line) -> None:
            await line.grant()
            await line.say(trade(1), cursor("c1"), trade(2))
            await line.socket.close()

        async def second(line: Line) -> None:
            await line.grant()
            await line.say(trade(2), trade(3))

        events = await self.follow(
            [first, second],
            lambda e: any(isinstance(m, Message) and m.sequence == 3 for m in e),
            {"trades": ["A"]},
        )
        self.assertEqual([getattr(each, "sequence") for each in self.items(events)], [1, 2, 3])

    async def test_tells_what_lies_between_two_connections_without_a_cursor(self) -> None:
        async def first(line: Line) -> None:
            await line.grant()
            await line.say(trade(1))
            await line.socket.close()

        async def second(line: Line) -> None:
            asked = await line.grant()
            assert "after" not in asked, asked
            await line.say(trade(5), cursor("c5"))

        events = await self.follow([first, second], lambda e: len(self.items(e)) == 3, {"trades": ["A"]})
        found = [each.sequence if isinstance(each, Message) else each for each in self.items(events)]
        self.assertEqual(found, [1, Reset("trades", "A", "history_lost"), 5])

    async def test_does_as_the_table_says_of_each_end(self) -> None:
        async def closed(line: Line, code: str, close: int, says: bool) -> None:
            await line.grant()
            if says:
                await line.say({"type": "closing", "code": code, "reason": "because", "retry_after_ms": 1})
            await line.socket.close(close)

        async def refused(line: Line) -> None:
            await line.hear("subscribe")
            await line.say({"type": "error", "code": "forbidden", "message": "no"})

        for last, code in [
            (lambda line: closed(line, "replaced", 4409, True), "replaced"),
            (lambda line: closed(line, "", 4403, False), "forbidden"),
            (lambda line: closed(line, "", 1009, False), "message_too_big"),
            (lambda line: closed(line, "", 4401, False), "unauthorized"),
            (refused, "forbidden"),
        ]:
            passing: list[Script] = [
                lambda line: closed(line, "going_away", 1001, True),
                lambda line: closed(line, "", 4503, False),
                lambda line: closed(line, "internal", 4500, True),
                lambda line: closed(line, "", 1011, False),
            ]
            events = await self.follow([*passing, last], _is_closed, {"trades": ["A"]})
            states = [each for each in events if isinstance(each, StateChange)]
            self.assertEqual(states[-1].code, code)
            self.assertEqual(len([each for each in states if each.state is State.CATCHING_UP]), 5, code)

    async def test_renews_its_token_once(self) -> None:
        tokens = iter(["old", "new", "newest"])
        heard: list[str] = []

        async def get_token() -> str:
            return next(tokens)

        async def refuse(line: Line) -> None:
            asked = await line.hear("auth")
            heard.append(asked["token"])
            await line.say({"type": "error", "id": asked["id"], "code": "unauthorized", "message": "no"})

        events = await self.follow(
            [refuse, refuse, refuse], _is_closed, {"trades": ["A"]}, get_token=get_token
        )
        self.assertEqual(heard, ["old", "new"])
        self.assertEqual([each for each in events if isinstance(each, StateChange)][-1].code, "unauthorized")

    async def test_asks_again_for_what_is_refused_for_now_and_gives_up_what_is_refused_for_good(self) -> None:
        async def script(line: Line) -> None:
            for code in ("rate_limited", "log_unavailable", "too_many_subscriptions"):
                asked = await line.hear("subscribe")
                await line.say(
                    {"type": "error", "id": asked["id"], "code": code, "message": "no", "retry_after_ms": 1}
                )

        events = await self.follow(
            [script], lambda e: any(isinstance(m, Rejected) for m in e), {"trades": ["A"]}
        )
        rejected = [each for each in events if isinstance(each, Rejected)]
        self.assertEqual(rejected, [Rejected("trades", "A", "too_many_subscriptions", "no")])
        # Nothing is subscribed any more, and that is no error.
        self.assertEqual([e for e in events if isinstance(e, StateChange) and e.code is not None], [])

    async def test_resumes_what_is_refused_for_now_whatever_cursor_comes_meanwhile(self) -> None:
        async def first(line: Line) -> None:
            await line.grant()
            await line.grant()
            await line.say(trade(1), cursor("c1"))
            await line.socket.close()

        async def second(line: Line) -> None:
            for _ in range(2):
                asked = await line.hear("subscribe")
                refusal = {"type": "error", "code": "log_unavailable", "message": "no", "retry_after_ms": 50}
                grant = {"type": "subscribed", "channel": "quotes", "symbols": ["A"], "rejected": []}
                answer = refusal if asked["channel"] == "trades" else {**grant, "epoch": "e1"}
                await line.say({**answer, "id": asked["id"]})
            # Of the quotes: it lies behind trades that the client has not got.
            await line.say(cursor("c5"))

        async def third(line: Line) -> None:
            for _ in range(2):
                asked = await line.grant()
                assert asked["after"] == "c1", asked
            await line.say(trade(2), trade(3), cursor("c6"))

        events = await self.follow(
            [first, second, third],
            lambda e: len([m for m in e if isinstance(m, Message)]) == 3,
            {"trades": ["A"], "quotes": ["A"]},
        )
        self.assertEqual([getattr(each, "sequence") for each in self.items(events)], [1, 2, 3])

    async def test_waits_longer_each_time_that_it_is_refused_for_now_over_all_connections(self) -> None:
        async def first(line: Line) -> None:
            await line.grant()
            await line.say(trade(1), cursor("c1"))
            await line.socket.close()

        async def refuse(line: Line) -> None:
            asked = await line.hear("subscribe")
            await line.say({"type": "error", "id": asked["id"], "code": "internal", "message": "no"})

        async def last(line: Line) -> None:
            await line.grant()
            await line.say(trade(2), cursor("c2"))

        retries: list[int] = []
        after = Backoff.after

        def noted(backoff: Backoff, refusal: Refused) -> float:
            retries.append(backoff._retries)
            return after(backoff, refusal)

        with unittest.mock.patch.object(Backoff, "after", noted):
            await self.follow(
                [first, refuse, refuse, refuse, last],
                lambda e: len([m for m in e if isinstance(m, Message)]) == 2,
                {"trades": ["A"]},
            )
        self.assertEqual(len(retries), 3)
        self.assertEqual(retries, sorted(set(retries)))

    async def test_a_listener_that_throws_harms_nobody(self) -> None:
        async def script(line: Line) -> None:
            await line.grant()
            await line.say(trade(1), trade(2), cursor("c"))

        def fail(item: object) -> None:
            raise RuntimeError("a fault of the application")

        original = TickwireClient.subscribe

        def subscribe(client: TickwireClient, *args: Any, **options: Any) -> Any:
            client.on_event(fail)
            return original(client, *args, **{**options, "on_item": fail})

        with unittest.mock.patch.object(TickwireClient, "subscribe", subscribe), self.assertLogs("tickwire"):
            events = await self.follow([script], lambda e: len(self.items(e)) == 2, {"trades": ["A"]})
        self.assertEqual([getattr(each, "sequence") for each in self.items(events)], [1, 2])


def _is_closed(events: list[Event]) -> bool:
    return any(isinstance(each, StateChange) and each.state is State.CLOSED for each in events)
