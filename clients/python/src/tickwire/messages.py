"""What a client gives an application."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal

TransportName = Literal["websocket", "event-stream", "polling"]
TRANSPORTS: tuple[TransportName, ...] = ("websocket", "event-stream", "polling")


@dataclass(frozen=True)
class Message:
    """A message of a topic, in the order of its topic and once."""

    channel: str
    #: None in a channel without symbols.
    symbol: str | None
    sequence: int
    data: dict[str, Any]
    type: str = ""
    #: When the log accepted the message, ISO 8601.
    timestamp: str = ""
    #: It replaces all state that the application holds of the topic.
    snapshot: bool = False
    #: The sequence of the message before, where the server conflated several into this one.
    prev: int | None = None


@dataclass(frozen=True)
class Reset:
    """Messages of a topic are lost: the application forgets what it holds of the topic.

    The reasons are those of PROTOCOL.md, and `slow_reader`: the reader of a subscription was too slow for its
    queue.
    """

    channel: str
    symbol: str | None
    reason: str
    #: Messages up to this one stay valid, and those above it may be void; None: nothing of the topic stays.
    sequence: int | None = None


@dataclass(frozen=True)
class Gap:
    """The server skipped messages without a reset. The client repairs that by itself."""

    channel: str
    symbol: str | None
    #: Of the message before which others are missing.
    sequence: int


@dataclass(frozen=True)
class Rejected:
    """The server refused a symbol, or a channel."""

    channel: str
    symbol: str | None
    code: str
    message: str


@dataclass(frozen=True)
class Granted:
    """The server confirmed a subscription."""

    channel: str
    #: None in a channel without symbols.
    symbols: tuple[str, ...] | None


@dataclass(frozen=True)
class Result:
    """What became of a subscription, by symbol or set (None in a channel without symbols)."""

    granted: tuple[str | None, ...]
    rejected: tuple[Rejected, ...]


class State(Enum):
    """How a client is connected."""

    #: It opens a connection.
    CONNECTING = "connecting"
    #: It is connected, and the server sends what came meanwhile.
    CATCHING_UP = "catching_up"
    #: It gets messages as they come.
    LIVE = "live"
    #: The connection is silent, and the client is asking whether it still lives.
    STALE = "stale"
    #: It has no connection: it waits before it tries again, or nothing is subscribed.
    OFFLINE = "offline"
    #: It was closed, or has stopped for good.
    CLOSED = "closed"


@dataclass(frozen=True)
class StateChange:
    state: State
    reason: str = ""
    #: Of the table of errors, where the state follows from one. With CLOSED: the client has stopped for good.
    code: str | None = None
    transport: TransportName | None = None


Item = Message | Reset
Event = Message | Reset | Gap | Granted | Rejected | StateChange
