"""The client's rule (PROTOCOL.md, The client's rule): what a message means to a client, across reconnects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

Verdict = Literal["new", "duplicate", "gap", "reset", "control"]


def topic_of(channel: str, symbol: str | None) -> str:
    return channel if symbol is None else f"{channel}:{symbol}"


def split_topic(topic: str) -> tuple[str, str | None]:
    channel, colon, symbol = topic.partition(":")
    return channel, symbol if colon else None


class ClientRule:
    """The client hands it every message in order, and calls it for every cursor and every connection."""

    def __init__(self) -> None:
        self.epoch: str | None = None
        #: By topic, the last sequence that the client accepted.
        self._last: dict[str, int] = {}
        #: By topic, the last sequence when the kept cursor came; 0: none.
        self._at_cursor: dict[str, int] = {}
        #: By topic, the last sequence that this connection was sent after the kept cursor; 0: none.
        self._here: dict[str, int] = {}

    def mark(self) -> dict[str, int]:
        """Returns what the client had when the kept cursor came, for a connection that is to resume there."""
        return dict(self._at_cursor)

    def connected(self, mark: Mapping[str, int] | None = None) -> None:
        """Notes that a connection begins.

        :param mark: what `mark` gave with the cursor at which it resumes; None: that is the kept cursor
        """
        if mark is not None:
            self._at_cursor = dict(mark)
        self._here.clear()

    def cursor(self) -> None:
        """Notes that a cursor came and that the client keeps it."""
        self._at_cursor.update(self._here)
        self._here.clear()

    def last(self, topic: str) -> int | None:
        return self._last.get(topic)

    def take(self, message: Mapping[str, Any]) -> Verdict:
        """Judges a message of a topic, and remembers its sequence unless there is a gap before it."""
        channel, symbol = message.get("channel"), message.get("symbol")
        if not isinstance(channel, str) or message.get("type") == "acknowledged":
            return "control"
        topic = topic_of(channel, symbol if isinstance(symbol, str) else None)
        if message.get("type") == "reset":
            self.forget(topic)
            return "reset"
        sequence = message.get("sequence")
        if not isinstance(sequence, int):
            return "control"
        self._here[topic] = sequence
        last, replaces = self._last.get(topic), message.get("snapshot") is True
        if last is not None and (sequence < last if replaces else sequence <= last):
            return "duplicate"
        if last is not None and not replaces and message.get("prev", sequence - 1) > last:
            return "gap"
        self._last[topic] = sequence
        return "new"

    def accept(self, topic: str, sequence: int) -> None:
        """Accepts a message although there is a gap before it."""
        self._last[topic] = sequence

    def forget(self, topic: str) -> None:
        """Forgets a topic, as after a `reset`."""
        self._last.pop(topic, None)
        self._here[topic] = 0

    def unsubscribed(self, topic: str) -> None:
        """Forgets a topic that no connection will be sent any more."""
        for sequences in (self._last, self._at_cursor, self._here):
            sequences.pop(topic, None)

    def topics(self) -> list[str]:
        return list(self._last)

    def beyond(self) -> list[str]:
        """Returns the topics of which the client has messages that came after its cursor."""
        at_cursor = self._at_cursor
        return [t for t, last in self._last.items() if t in self._here or at_cursor.get(t, 0) < last]

    def enter(self, epoch: str | None) -> list[tuple[str, int | None]]:
        """Enters the epoch that the server named (rule 5).

        In another epoch, messages that came on an earlier connection after the cursor may be lost, and others
        may have their sequences. So the client goes back to its cursor, or to what this connection was sent.

        :returns: the topics in which the client goes back, with the sequence up to which messages stay valid
        """
        before, self.epoch = self.epoch, epoch
        if before is None or before == epoch:
            return []
        back: list[tuple[str, int | None]] = []
        for topic, last in list(self._last.items()):
            sure = self._here.get(topic, self._at_cursor.get(topic, 0))
            if sure >= last:
                continue
            back.append((topic, sure or None))
            if sure == 0:
                del self._last[topic]
            else:
                self._last[topic] = sure
        return back
