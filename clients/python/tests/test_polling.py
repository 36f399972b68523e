"""What a poll tells a client, with answers on demand."""

import unittest
from typing import Any

import httpx

from tickwire.errors import Lost, Refused, Unreachable
from tickwire.selectors import Options, Selector
from tickwire.transports.polling import PollingTransport
from tickwire.transports.transport import Plan

TRADES = (Selector("trades", "A"), Options())
QUOTES = (Selector("quotes", "A"), Options(250))
TRADE = {"type": "trade", "channel": "trades", "symbol": "A", "sequence": 4, "data": {}}


class FakeMonitor:
    def __init__(self, beyond: list[str]) -> None:
        self._beyond = beyond

    def beyond(self) -> list[str]:
        return self._beyond

    def fail(self, error: Exception) -> None: ...
    def silent(self, is_silent: bool) -> None: ...
    def is_news(self, message: Any) -> bool:
        return True


def answer(cursor: str, *messages: object, more: bool = False) -> httpx.Response:
    return httpx.Response(200, json={"cursor": cursor, "messages": messages, "more": more})


def refusal(status: int, code: str) -> httpx.Response:
    return httpx.Response(status, json={"type": "error", "code": code, "message": ""})


class PollingTest(unittest.IsolatedAsyncioTestCase):
    def make(self, answers: list[httpx.Response], beyond: tuple[str, ...] = ()) -> PollingTransport:
        self.asked: list[httpx.Request] = []

        def handle(request: httpx.Request) -> httpx.Response:
            self.asked.append(request)
            return answers.pop(0)

        http = httpx.AsyncClient(transport=httpx.MockTransport(handle))
        return PollingTransport("http://server", FakeMonitor(list(beyond)), http)

    async def frames(self, polling: PollingTransport, plan: Plan, count: int) -> list[list[Any]]:
        await polling.open(plan)
        await polling.start(lambda: plan)
        frames = polling.frames()
        found = [list(await anext(frames)) for _ in range(count)]
        await frames.aclose()  # type: ignore[attr-defined]
        return found

    async def test_goes_on_from_its_cursor_under_one_id(self) -> None:
        polling = self.make([answer("c1", TRADE, more=True), answer("c2")])
        plan = Plan("c0", (TRADES,), (QUOTES,))
        found = await self.frames(polling, plan, 2)
        cursors = [
            {"type": "cursor", "cursor": "c1", "more": True},
            {"type": "cursor", "cursor": "c2", "more": False},
        ]
        self.assertEqual(found, [[TRADE, cursors[0]], [cursors[1]]])
        first, second = (str(request.url).split("?")[1] for request in self.asked)
        self.assertEqual(first, "subscribe=trades:A&subscribe=quotes:A;throttle_ms=250;fresh&after=c0")
        self.assertEqual(second, "subscribe=trades:A&subscribe=quotes:A;throttle_ms=250&after=c1&wait=2")
        self.assertEqual(len({request.headers["x-request-id"] for request in self.asked}), 1)

    async def test_asks_for_the_epoch_behind_its_first_answer_where_rule_5_needs_it(self) -> None:
        polling = self.make(
            [answer("c1", TRADE), refusal(404, "not_found"), httpx.Response(200, json={"epoch": "e2"})],
            ("trades:A", "orders"),
        )
        [frame] = await self.frames(polling, Plan("c0", (TRADES,)), 1)
        self.assertEqual(frame[:2], [{"type": "epoch", "epoch": "e2"}, TRADE])
        paths = [(request.url.path, request.url.params.get("topic")) for request in self.asked]
        self.assertEqual(paths[1:], [("/v1/history", "trades:A"), ("/v1/history", "orders")])

    async def test_takes_an_epoch_for_another_where_the_log_knows_none_of_its_topics(self) -> None:
        polling = self.make([answer("c1"), refusal(404, "not_found")], ("trades:A",))
        [frame] = await self.frames(polling, Plan("c0", (TRADES,)), 1)
        self.assertEqual(frame[0], {"type": "epoch", "epoch": None})

    async def test_tells_refusals_from_what_a_proxy_says(self) -> None:
        for response in (
            httpx.Response(502, text="<h1>no</h1>"),
            httpx.Response(200, text="<h1>log in</h1>"),
            httpx.Response(200, json=[]),
            httpx.Response(200, json={"messages": []}),
        ):
            with self.assertRaises(Unreachable):
                await self.make([response]).open(Plan(None, (), (TRADES,)))
        with self.assertRaises(Refused):
            await self.make([refusal(503, "overloaded")]).open(Plan(None, (), (TRADES,)))

    async def test_is_lost_where_a_later_answer_is_not_the_servers(self) -> None:
        polling = self.make([answer("c1"), httpx.Response(504, text="")])
        with self.assertRaises(Lost):
            await self.frames(polling, Plan(None, (), (TRADES,)), 2)
