import asyncio
import unittest
from collections.abc import Iterable

from tickwire import Message, Refused, Rejected, Reset, Subscription, TickwireError
from tickwire.selectors import Options, Selector
from tickwire.subscriptions import HISTORIES, SubscriptionTable


class FakeOwner:
    def __init__(self) -> None:
        self.left: list[Subscription] = []
        self.refreshed: list[tuple[str, list[str | None]]] = []

    def leave(self, subscription: Subscription) -> None:
        self.left.append(subscription)

    def refresh(self, channel: str, symbols: Iterable[str | None]) -> None:
        self.refreshed.append((channel, sorted(symbols, key=str)))

    def has_state(self, channel: str) -> bool:
        return channel not in HISTORIES


def message(channel: str, symbol: str, sequence: int, snapshot: bool = False) -> Message:
    return Message(channel, symbol, sequence, {}, snapshot=snapshot)


class SubscriptionsTest(unittest.IsolatedAsyncioTestCase):
    def make(
        self, channel: str, *symbols: str, options: Options = Options(), buffer: int = 4
    ) -> Subscription:
        self.owner = FakeOwner()
        return Subscription(self.owner, [Selector(channel, each) for each in symbols], options, buffer, None)

    async def test_tells_a_slow_reader_of_each_topic_and_goes_on(self) -> None:
        reader = self.make("trades", "A", "B")
        for sequence in range(1, 4):
            reader.offer(message("trades", "A", sequence))
        for sequence in range(1, 4):
            reader.offer(message("trades", "B", sequence))
        # The fifth was too many: what was unread is lost, and the sixth comes behind the resets.
        found = [await anext(reader) for _ in range(3)]
        self.assertEqual(
            found,
            [
                Reset("trades", "A", "slow_reader"),
                Reset("trades", "B", "slow_reader"),
                message("trades", "B", 3),
            ],
        )
        self.assertEqual(self.owner.refreshed, [])
        self.assertEqual(reader.latest("A"), message("trades", "A", 3))

    async def test_gives_a_slow_reader_of_a_state_nothing_before_the_state(self) -> None:
        reader = self.make("book", "A", "B", buffer=2)
        for sequence in range(1, 4):
            reader.offer(message("book", "A", sequence))
        reader.offer(message("book", "A", 4))
        self.assertEqual(await anext(reader), Reset("book", "A", "slow_reader"))
        waiting = asyncio.ensure_future(anext(reader))
        await asyncio.sleep(0)
        self.assertEqual(self.owner.refreshed, [("book", ["A"])])
        reader.offer(message("book", "A", 5))
        reader.offer(message("book", "B", 1))
        self.assertEqual(await waiting, message("book", "B", 1))
        reader.offer(message("book", "A", 5, snapshot=True))
        reader.offer(message("book", "A", 6))
        self.assertEqual(
            [await anext(reader) for _ in range(2)],
            [message("book", "A", 5, snapshot=True), message("book", "A", 6)],
        )
        self.assertEqual(self.owner.refreshed, [("book", ["A"])], "it asked once")

    async def test_settles_when_all_is_granted_or_refused(self) -> None:
        reader = self.make("quotes", "A", "B")
        self.assertTrue(reader.granted(Selector("quotes", "A")))
        self.assertFalse(reader.granted(Selector("quotes", "A")))
        rejected = Rejected("quotes", "B", "unknown_symbol", "")
        reader.rejected(Selector("quotes", "B"), rejected)
        result = await reader.result
        self.assertEqual((result.granted, result.rejected), (("A",), (rejected,)))

    async def test_ends_with_the_reason_where_all_is_refused(self) -> None:
        reader = self.make("quotes", "A")
        reader.rejected(Selector("quotes", "A"), Rejected("quotes", "A", "forbidden", "no"))
        self.assertEqual((await reader.result).granted, ())
        with self.assertRaises(Refused) as raised:
            await anext(reader)
        self.assertEqual(raised.exception.code, "forbidden")

    async def test_gives_what_is_unread_before_it_ends(self) -> None:
        reader = self.make("quotes", "A")
        reader.offer(message("quotes", "A", 1))
        reader.close()
        self.assertEqual(self.owner.left, [reader])
        self.assertEqual([item async for item in reader], [message("quotes", "A", 1)])
        with self.assertRaises(TickwireError):
            await reader.result

    async def test_shares_topics(self) -> None:
        table = SubscriptionTable()
        one, two = (
            self.make("quotes", "A", options=Options(250)),
            self.make("quotes", "A", "B", options=Options(100)),
        )
        every = self.make("quotes", "*")
        self.assertEqual(table.add(one), [])
        self.assertEqual(table.add(two), [Selector("quotes", "A")])
        self.assertEqual(table.add(every), [])
        self.assertEqual(table.wanted()[Selector("quotes", "A")], Options(100))
        self.assertEqual(table.readers("quotes", "A"), [one, two, every])
        self.assertEqual(table.readers("quotes", "C"), [every])
        self.assertEqual(table.readers("trades", "A"), [])
        table.remove(two)
        self.assertEqual(
            table.wanted(), {Selector("quotes", "A"): Options(250), Selector("quotes", "*"): Options()}
        )
        table.remove(one)
        table.remove(every)
        self.assertEqual((table.wanted(), table.readers("quotes", "A")), ({}, []))
