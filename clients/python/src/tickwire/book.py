"""An order book, kept from the messages of the channel `book`."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import NamedTuple
from zlib import crc32

from .messages import Message, Reset

#: How many of the best levels of each side Kraken's checksum covers.
_KRAKEN_LEVELS = 10


class Level(NamedTuple):
    #: Both as the venue wrote them; `Decimal` reads them exactly.
    price: str
    size: str


class _Side:
    """Levels best first, by prices that are compared exactly."""

    def __init__(self, sign: int) -> None:
        self._sign = sign
        self._keys: list[Decimal] = []
        self.levels: list[Level] = []

    def clear(self) -> None:
        self._keys.clear()
        self.levels.clear()

    def apply(self, levels: Iterable[Sequence[str]]) -> None:
        for price, size in levels:
            # Unary minus would round to the precision of the context; this rounds nothing.
            key = Decimal(price).copy_negate() if self._sign < 0 else Decimal(price)
            at = bisect_left(self._keys, key)
            is_there = at < len(self._keys) and self._keys[at] == key
            if Decimal(size).is_zero():
                if is_there:
                    del self._keys[at], self.levels[at]
            elif is_there:
                self.levels[at] = Level(price, size)
            else:
                self._keys.insert(at, key)
                self.levels.insert(at, Level(price, size))


class OrderBook:
    """The state of one book. `apply` takes what a subscription to `book` gives, in order."""

    def __init__(self) -> None:
        self._bids, self._asks = _Side(-1), _Side(1)
        #: Nobody knows what the book holds, until its next snapshot.
        self.is_stale = True
        self.sequence: int | None = None
        #: Of the venue, as it was in the last message.
        self.venue_checksum: str | int | None = None

    def apply(self, item: Message | Reset) -> None:
        if isinstance(item, Reset):
            self._bids.clear()
            self._asks.clear()
            self.is_stale, self.sequence, self.venue_checksum = True, None, None
            return
        if item.snapshot:
            self._bids.clear()
            self._asks.clear()
        self._bids.apply(item.data.get("bids", ()))
        self._asks.apply(item.data.get("asks", ()))
        is_marked = item.data.get("stale") is True
        self.is_stale = is_marked or (self.is_stale and not item.snapshot)
        self.sequence = item.sequence
        self.venue_checksum = item.data.get("checksum")

    def bids(self, depth: int | None = None) -> list[Level]:
        """Returns the best levels, best first."""
        return self._bids.levels[:depth]

    def asks(self, depth: int | None = None) -> list[Level]:
        return self._asks.levels[:depth]

    @property
    def spread(self) -> Decimal | None:
        """The best ask less the best bid; None if a side is empty."""
        if not self._bids.levels or not self._asks.levels:
            return None
        return Decimal(self._asks.levels[0].price) - Decimal(self._bids.levels[0].price)

    def kraken_checksum(self) -> int:
        """Returns the checksum that Kraken sends: the CRC32 of the best ten asks, then bids."""
        best = [*self.asks(_KRAKEN_LEVELS), *self.bids(_KRAKEN_LEVELS)]
        return crc32("".join(_figures(level.price) + _figures(level.size) for level in best).encode())


def _figures(decimal: str) -> str:
    return decimal.replace(".", "").lstrip("0")
