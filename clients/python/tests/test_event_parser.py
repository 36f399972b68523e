import random
import unittest

from tickwire.transports.event_parser import Event, EventParser

STREAM = (
    'retry: 1000\ndata: {"type":"welcome"}\n\nevent: cursor\nid: c1\ndata: c1\n\n: comment\n\n'
    "data: 삼성\ndata: two\r\n\r\nevent: lost\n\ndata:bare\n\n"
).encode()
EVENTS = [
    Event("message", '{"type":"welcome"}'),
    Event("cursor", "c1"),
    Event("message", "삼성\ntwo"),
    Event("message", "bare"),
]


class EventParserTest(unittest.TestCase):
    def test_reads_events_in_any_parts(self) -> None:
        choose = random.Random(11)
        for _ in range(300):
            parser, found, rest = EventParser(), list[Event](), STREAM
            while rest:
                size = choose.randint(1, 12)
                found += parser.feed(rest[:size])
                rest = rest[size:]
            self.assertEqual(found, EVENTS)
