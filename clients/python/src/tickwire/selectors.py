"""What a subscription names, with its options, and how it is written to the server."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import quote

#: The most symbols of one message, or of one `subscribe` of a query.
MAX_SYMBOLS = 1000
#: A server reads messages of 64 KiB (MAX_MESSAGE_BYTES), so symbols of many bytes go in more of them.
MAX_SYMBOL_BYTES = 32_768
MAX_SYMBOL_LENGTH = 64
_CHANNEL = re.compile(r"[a-z][a-z0-9_]*(?:\.[a-z0-9_]+)*\Z")
_MAX_CHANNEL_LENGTH = 32
_SETS = ("@market/", "@sector/")
_FIRST_MARKS, _FURTHER_MARKS = frozenset("._^#&"), frozenset("._/=^:+&#!-")


class Selector(NamedTuple):
    channel: str
    #: A symbol or a set; None for a channel without symbols.
    symbol: str | None

    @property
    def is_set(self) -> bool:
        return self.symbol is not None and (self.symbol == "*" or self.symbol.startswith("@"))

    def may_cover(self, channel: str, symbol: str | None) -> bool:
        """Whether a message may be this selector's. Which symbols are in a set only the server knows."""
        if channel != self.channel:
            return False
        if symbol == self.symbol or self.is_set or self.symbol is None:
            return True
        # In heatmaps a client may leave out the hyphen of a pair; messages have the instrument's spelling.
        return channel.startswith("heatmap") and symbol is not None and symbol.replace("-", "") == self.symbol

    @property
    def fault(self) -> str | None:
        """Why the server would not read it, and the whole message with it; None: it would."""
        if len(self.channel) > _MAX_CHANNEL_LENGTH or not _CHANNEL.match(self.channel):
            return f"{self.channel!r} is not a well-formed channel"
        if self.symbol is None or self.symbol == "*":
            return None
        name = next((self.symbol[len(kind) :] for kind in _SETS if self.symbol.startswith(kind)), self.symbol)
        return None if is_symbol(name) else f"{self.symbol!r} is not a well-formed symbol or set"


@dataclass(frozen=True)
class Options:
    throttle_ms: int | None = None
    depth: int | None = None
    last: int | None = None

    def merged(self, other: Options) -> Options:
        """What serves both: the smallest throttle, the greatest depth, and the most messages first.

        Without `throttle_ms` a subscription wants every message, and without `depth` the whole book.
        """
        throttles, depths = (self.throttle_ms, other.throttle_ms), (self.depth, other.depth)
        return Options(
            None if None in throttles else min(t for t in throttles if t is not None),
            None if None in depths else max(d for d in depths if d is not None),
            max((n for n in (self.last, other.last) if n is not None), default=None),
        )

    def fields(self) -> dict[str, int]:
        named = (("throttle_ms", self.throttle_ms), ("depth", self.depth), ("last", self.last))
        return {name: value for name, value in named if value is not None}


def is_symbol(text: str) -> bool:
    """PROTOCOL.md, Terms, Symbols."""
    if not 1 <= len(text) <= MAX_SYMBOL_LENGTH or not unicodedata.is_normalized("NFC", text):
        return False
    kinds = [unicodedata.category(character)[0] for character in text]
    return (kinds[0] in "LN" or text[0] in _FIRST_MARKS) and all(
        kind in "LMN" or character in _FURTHER_MARKS for kind, character in zip(kinds[1:], text[1:])
    )


def groups(wanted: Iterable[tuple[Selector, Options]]) -> Iterator[tuple[str, list[str] | None, Options]]:
    """Joins selectors of one channel with the same options, as many as one message may name."""
    by_kind: dict[tuple[str, Options, bool], list[str]] = {}
    for (channel, symbol), options in wanted:
        symbols = by_kind.setdefault((channel, options, symbol is None), [])
        if symbol is not None:
            symbols.append(symbol)
    for (channel, options, is_bare), symbols in by_kind.items():
        if is_bare:
            yield channel, None, options
        else:
            for part in _parts(symbols):
                yield channel, part, options


def _parts(symbols: Sequence[str]) -> Iterator[list[str]]:
    part: list[str] = []
    size = 0
    for symbol in symbols:
        length = len(symbol.encode()) + 3  # quotes and a comma
        if part and (len(part) == MAX_SYMBOLS or size + length > MAX_SYMBOL_BYTES):
            yield part
            part, size = [], 0
        part.append(symbol)
        size += length
    if part:
        yield part


def subscribe_values(wanted: Iterable[tuple[Selector, Options]], fresh: bool = False) -> Iterator[str]:
    """Returns the values of `subscribe` of a query, encoded."""
    for channel, symbols, options in groups(wanted):
        names = "" if symbols is None else ":" + ",".join(quote(symbol, safe="*@/:^!=") for symbol in symbols)
        settings = "".join(f";{name}={value}" for name, value in options.fields().items())
        yield f"{channel}{names}{settings}{';fresh' if fresh else ''}"


def subscribe_actions(
    wanted: Iterable[tuple[Selector, Options]], after: str | None = None
) -> Iterator[dict[str, Any]]:
    for channel, symbols, options in groups(wanted):
        action: dict[str, Any] = {"action": "subscribe", "channel": channel, **options.fields()}
        if symbols is not None:
            action["symbols"] = symbols
        if after is not None:
            action["after"] = after
        yield action


def unsubscribe_actions(selectors: Iterable[Selector]) -> Iterator[dict[str, Any]]:
    for channel, symbols, _ in groups((selector, Options()) for selector in selectors):
        yield {
            "action": "unsubscribe",
            "channel": channel,
            **({} if symbols is None else {"symbols": symbols}),
        }
