import unittest

from tickwire.errors import ERROR_TABLE, Refused, refusal_of_answer, refusal_of_close
from tickwire.retry import Backoff


class RetryTest(unittest.TestCase):
    def test_bounds_double_from_the_first_retry_to_30_seconds(self) -> None:
        longest = Backoff(lambda: 1.0)
        self.assertEqual([longest.next() for _ in range(8)], [0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0, 30.0])
        shortest = Backoff(lambda: 0.0)
        self.assertEqual([shortest.next() for _ in range(3)], [0.0, 0.0, 0.0])

    def test_begins_again_after_a_stable_life(self) -> None:
        backoff = Backoff(lambda: 1.0)
        backoff.next()
        backoff.lived(9.9)
        self.assertEqual(backoff.next(), 1.6)
        backoff.lived(10.0)
        self.assertEqual(backoff.next(), 0.8)

    def test_never_overflows(self) -> None:
        backoff = Backoff(lambda: 1.0)
        self.assertEqual([backoff.next() for _ in range(5000)][-1], 30.0)

    def test_waits_as_long_as_the_server_asks_and_a_little_jitter(self) -> None:
        asked = Refused("overloaded", "", 2000)
        self.assertEqual(Backoff(lambda: 1.0).after(asked), 2.25)
        self.assertEqual(Backoff(lambda: 0.0).after(asked), 2.0)
        self.assertEqual(Backoff(lambda: 1.0).after(Refused("overloaded")), 0.8)
        self.assertEqual(Backoff(lambda: 1.0).after(Refused("internal", "", 2000)), 0.8)

    def test_reads_refusals_from_answers_and_close_codes(self) -> None:
        body = b'{"type":"error","code":"rate_limited","message":"slow down","retry_after_ms":1500}'
        refusal = refusal_of_answer(body, {"retry-after": "2"})
        assert refusal is not None
        self.assertEqual(
            (refusal.code, refusal.policy, refusal.retry_after_ms), ("rate_limited", "reconnect", 1500)
        )
        plain = refusal_of_answer(b'{"type":"error","code":"overloaded","message":"x"}', {"retry-after": "2"})
        assert plain is not None
        self.assertEqual(plain.retry_after_ms, 2000)
        for foreign in (b"<html>Bad Gateway</html>", b"[]", b'{"error":"no"}', b"", b"\xff"):
            self.assertIsNone(refusal_of_answer(foreign, {}))
        self.assertIsNone(refusal_of_close(1006))
        self.assertIsNone(refusal_of_close(None))

    def test_a_close_code_alone_says_what_its_codes_say(self) -> None:
        for code, entry in ERROR_TABLE.items():
            refusal = refusal_of_close(entry.close)
            assert refusal is not None
            self.assertEqual(refusal.policy, entry.client, code)

    def test_an_unknown_code_is_final(self) -> None:
        self.assertEqual(Refused("of_tomorrow").policy, "stop")
