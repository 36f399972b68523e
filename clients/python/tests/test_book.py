import random
import unittest
from decimal import Decimal

from tickwire import Message, OrderBook, Reset

ASKS = [
    "0.05005",
    "0.05010",
    "0.05015",
    "0.05020",
    "0.05025",
    "0.05030",
    "0.05035",
    "0.05040",
    "0.05045",
    "0.05050",
]
BIDS = [
    "0.05000",
    "0.04995",
    "0.04990",
    "0.04980",
    "0.04975",
    "0.04970",
    "0.04965",
    "0.04960",
    "0.04955",
    "0.04950",
]


def book(bids: object = (), asks: object = (), snapshot: bool = False, **more: object) -> Message:
    return Message(
        "book", "X", 1, {"symbol": "X", "bids": bids, "asks": asks, **more}, "book", snapshot=snapshot
    )


class BookTest(unittest.TestCase):
    def test_compares_prices_exactly_and_keeps_their_text(self) -> None:
        kept = OrderBook()
        long = "0." + "1" * 60
        kept.apply(book([["9", "1"], ["10.0", "2"]], [[long + "2", "1"], [long + "1", "2"]], snapshot=True))
        self.assertEqual(kept.bids(), [("10.0", "2"), ("9", "1")])
        self.assertEqual(kept.asks(), [(long + "1", "2"), (long + "2", "1")])
        kept.apply(book([["10.00", "3"], ["9.0", "0.000"]]))
        self.assertEqual(kept.bids(), [("10.00", "3")])
        self.assertEqual(kept.asks(1), [(long + "1", "2")])

    def test_has_a_spread_where_both_sides_have_levels(self) -> None:
        kept = OrderBook()
        self.assertIsNone(kept.spread)
        kept.apply(book([["185.50", "1"]], [["185.52", "1"]], snapshot=True))
        self.assertEqual(kept.spread, Decimal("0.02"))

    def test_is_stale_until_a_snapshot(self) -> None:
        kept = OrderBook()
        kept.apply(book([["1", "1"]], snapshot=True))
        self.assertFalse(kept.is_stale)
        kept.apply(book(snapshot=True, stale=True))
        self.assertTrue(kept.is_stale)
        kept.apply(book([["1", "1"]]))
        self.assertTrue(kept.is_stale)
        kept.apply(book([["2", "1"]], snapshot=True))
        self.assertFalse(kept.is_stale)
        kept.apply(Reset("book", "X", "lagging"))
        self.assertTrue(kept.is_stale)
        self.assertEqual(kept.bids(), [])

    def test_makes_the_checksum_of_krakens_documentation(self) -> None:
        kept = OrderBook()
        size = "0.00000500"
        kept.apply(book([[price, size] for price in BIDS], [[price, size] for price in ASKS], snapshot=True))
        self.assertEqual(kept.kraken_checksum(), 974947235)
        # Levels below the tenth are not in it.
        kept.apply(book([["0.00001", "1"]], [["9.00000", "1"]]))
        self.assertEqual(kept.kraken_checksum(), 974947235)
        kept.apply(book([["0.05000", "0"]]))
        self.assertNotEqual(kept.kraken_checksum(), 974947235)

    def test_is_what_a_dictionary_of_prices_is(self) -> None:
        choose = random.Random(7)
        kept, naive = OrderBook(), {"bids": dict[Decimal, str](), "asks": dict[Decimal, str]()}
        kept.apply(book(snapshot=True))
        for _ in range(2000):
            side = choose.choice(["bids", "asks"])
            price, size = f"{choose.randint(90, 110)}.{choose.randint(0, 9)}", str(choose.randint(0, 3))
            kept.apply(book(**{side: [[price, size]]}))
            naive[side][Decimal(price)] = size
        for side, found in (("bids", kept.bids()), ("asks", kept.asks())):
            left = {price: size for price, size in naive[side].items() if size != "0"}
            ordered = sorted(left, reverse=side == "bids")
            self.assertEqual([(Decimal(p), s) for p, s in found], [(p, left[p]) for p in ordered])
