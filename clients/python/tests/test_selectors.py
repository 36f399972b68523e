import unittest

from tickwire.selectors import (
    MAX_SYMBOL_BYTES,
    MAX_SYMBOLS,
    Options,
    Selector,
    is_symbol,
    subscribe_actions,
    subscribe_values,
)

PLAIN = Options()


class SelectorsTest(unittest.TestCase):
    def test_knows_well_formed_symbols(self) -> None:
        for good in ("AAPL", "005930", "BTC-USD", "^GSPC", "BTC/USDT:USDT", "삼성전자", "A" * 64, "a&b#c!"):
            self.assertTrue(is_symbol(good), good)
        for bad in ("", "A" * 65, "-A", "A B", "A,B", "A;B", "*", "@A", "e\u0301", "A\n", "A%"):
            self.assertFalse(is_symbol(bad), bad)

    def test_says_why_the_server_would_not_read_a_selector(self) -> None:
        for good in (("quotes", "*"), ("quotes", "@market/KOSPI"), ("bars.1m", "AAPL"), ("news", None)):
            self.assertIsNone(Selector(*good).fault, good)
        for bad in (
            ("quotes", "@market/"),
            ("quotes", "@exchange/X"),
            ("Quotes", "A"),
            ("q" * 33, "A"),
            ("a..b", "A"),
        ):
            self.assertIsNotNone(Selector(*bad).fault, bad)

    def test_covers_symbols_and_sets_and_pairs_without_a_hyphen(self) -> None:
        self.assertTrue(Selector("quotes", "A").may_cover("quotes", "A"))
        self.assertFalse(Selector("quotes", "A").may_cover("quotes", "B"))
        self.assertFalse(Selector("quotes", "*").may_cover("trades", "A"))
        self.assertTrue(Selector("quotes", "@market/X").may_cover("quotes", "A"))
        self.assertTrue(Selector("heatmap", "BTCUSDT").may_cover("heatmap", "BTC-USDT"))
        self.assertFalse(Selector("quotes", "BTCUSDT").may_cover("quotes", "BTC-USDT"))

    def test_merges_to_the_smallest_throttle_and_the_greatest_depth(self) -> None:
        both = Options(250, 5, 10).merged(Options(100, 20))
        self.assertEqual(both, Options(100, 20, 10))
        self.assertEqual(Options(250, 5).merged(PLAIN), PLAIN)

    def test_writes_queries(self) -> None:
        wanted = [
            (Selector("quotes", "A&B"), Options(250)),
            (Selector("quotes", "^GSPC"), Options(250)),
            (Selector("quotes", "삼"), PLAIN),
            (Selector("news", None), Options(last=5)),
        ]
        self.assertEqual(
            list(subscribe_values(wanted)),
            ["quotes:A%26B,^GSPC;throttle_ms=250", "quotes:%EC%82%BC", "news;last=5"],
        )
        self.assertEqual(list(subscribe_values(wanted[3:], fresh=True)), ["news;last=5;fresh"])

    def test_writes_no_message_of_too_many_symbols_or_bytes(self) -> None:
        names = [str(number) for number in range(2 * MAX_SYMBOLS + 1)]
        actions = list(subscribe_actions(((Selector("quotes", name), PLAIN) for name in names), "c"))
        self.assertEqual([len(action["symbols"]) for action in actions], [MAX_SYMBOLS, MAX_SYMBOLS, 1])
        self.assertEqual([name for action in actions for name in action["symbols"]], names)
        self.assertEqual({action["after"] for action in actions}, {"c"})
        long = [f"{number:04}" + "삼" * 60 for number in range(MAX_SYMBOLS)]
        actions = list(subscribe_actions((Selector("quotes", name), PLAIN) for name in long))
        self.assertGreater(len(actions), 1)
        for action in actions:
            self.assertLessEqual(sum(len(name.encode()) for name in action["symbols"]), MAX_SYMBOL_BYTES)
