"""Reads the format of Server-Sent Events."""

from __future__ import annotations

import codecs
from typing import NamedTuple


class Event(NamedTuple):
    name: str
    data: str


class EventParser:
    """Takes bytes in any parts. The server ends lines with a line feed alone."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._rest = ""
        self._name = ""
        self._data: list[str] = []

    def feed(self, chunk: bytes) -> list[Event]:
        """Returns the events that the chunk completes."""
        lines = (self._rest + self._decoder.decode(chunk)).split("\n")
        self._rest = lines.pop()
        events: list[Event] = []
        for line in lines:
            line = line.removesuffix("\r")
            field, _, value = line.partition(":")
            if line == "":
                if self._data:
                    events.append(Event(self._name or "message", "\n".join(self._data)))
                self._name, self._data = "", []
            elif field == "data":
                self._data.append(value.removeprefix(" "))
            elif field == "event":
                self._name = value.removeprefix(" ")
        return events
