"""The client's rule by examples; that it judges as the project's own rule does, another test tries."""

import unittest

from tickwire.rule import ClientRule


def message(sequence: int, **more: object) -> dict[str, object]:
    return {"type": "trade", "channel": "trades", "symbol": "A", "sequence": sequence, **more}


class RuleTest(unittest.TestCase):
    def test_tells_new_messages_from_duplicates_gaps_resets_and_snapshots(self) -> None:
        rule = ClientRule()
        for given, verdict in [
            ({"type": "acknowledged", "channel": "alerts", "sequence": 9}, "control"),
            (message(5), "new"),
            (message(6), "new"),
            (message(6), "duplicate"),
            (message(9, prev=6), "new"),
            (message(12), "gap"),
            (message(12), "gap"),
            (message(12, snapshot=True), "new"),
            (message(12, snapshot=True), "new"),
            (message(11, snapshot=True), "duplicate"),
            ({"type": "reset", "channel": "trades", "symbol": "A"}, "reset"),
            (message(3), "new"),
            ({"type": "news", "channel": "news", "sequence": 1}, "new"),
        ]:
            self.assertEqual(rule.take(given), verdict, given)

    def resumed(self, epoch: str) -> tuple[ClientRule, list[tuple[str, int | None]]]:
        """A client whose cursor covers 1 to 3 of A, and that got 4 and 5, and 1 of B, before the cut."""
        rule = ClientRule()
        rule.connected()
        rule.enter("e1")
        for sequence in (1, 2, 3):
            rule.take(message(sequence))
        rule.cursor()
        for sequence in (4, 5):
            rule.take(message(sequence))
        rule.take(message(1, symbol="B"))
        self.assertEqual(rule.beyond(), ["trades:A", "trades:B"])
        rule.connected()
        return rule, rule.enter(epoch)

    def test_takes_what_comes_again_in_the_same_epoch_for_duplicates(self) -> None:
        rule, back = self.resumed("e1")
        self.assertEqual(back, [])
        verdicts = [rule.take(message(4)), rule.take(message(5)), rule.take(message(6))]
        self.assertEqual(verdicts, ["duplicate", "duplicate", "new"])

    def test_goes_back_to_the_cursor_in_another_epoch(self) -> None:
        rule, back = self.resumed("e2")
        self.assertEqual(back, [("trades:A", 3), ("trades:B", None)])
        self.assertEqual(rule.take(message(4)), "new")
        self.assertEqual(rule.take(message(1, symbol="B")), "new")
        self.assertEqual(rule.beyond(), ["trades:A", "trades:B"])

    def test_keeps_what_the_connection_itself_was_sent_when_the_epoch_changes(self) -> None:
        rule, _ = self.resumed("e1")
        rule.take(message(4))
        self.assertEqual(rule.enter("e2"), [("trades:A", 4), ("trades:B", None)])

    def test_goes_back_to_the_cursor_at_which_a_connection_resumes_and_not_to_a_later_one(self) -> None:
        rule = ClientRule()
        rule.enter("e1")
        rule.take(message(1))
        rule.cursor()
        mark = rule.mark()
        rule.take(message(2))
        rule.cursor()
        rule.connected(mark)
        self.assertEqual(rule.enter("e2"), [("trades:A", 1)])
