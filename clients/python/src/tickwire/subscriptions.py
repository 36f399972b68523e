"""What an application subscribes to, and how messages find their subscriptions."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Protocol

from .errors import Refused, TickwireError
from .messages import Item, Message, Rejected, Reset, Result
from .selectors import Options, Selector

#: Channels whose topics have no state (PROTOCOL.md, Data).
HISTORIES = frozenset({"trades", "news", "system", "orders", "alerts"})

OnItem = Callable[[Item], object]


class Owner(Protocol):
    """What a subscription asks of its client."""

    def leave(self, subscription: Subscription) -> None: ...

    def refresh(self, channel: str, symbols: Iterable[str | None]) -> None:
        """Has the server send the state of topics anew."""

    def has_state(self, channel: str) -> bool: ...


class Subscription(AsyncIterator[Item]):
    """Gives the messages of its topics in order. Made by `TickwireClient.subscribe`."""

    def __init__(
        self,
        owner: Owner,
        selectors: Iterable[Selector],
        options: Options,
        buffer: int,
        on_item: OnItem | None,
    ) -> None:
        self.selectors = frozenset(selectors)
        self.options = options
        self._owner = owner
        self._buffer = buffer
        self._on_item = on_item
        self._queue: deque[Item] = deque()
        self._ready = asyncio.Event()
        self._latest: dict[str | None, Message] = {}
        #: By topics of which this reader lost messages, and that need their state before more messages.
        self._stateless: set[tuple[str, str | None]] = set()
        #: Those of them whose state nobody has asked for yet.
        self._unasked: set[tuple[str, str | None]] = set()
        self._pending = set(self.selectors)
        self._granted: list[str | None] = []
        self._rejected: list[Rejected] = []
        self._result: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._is_closed = False
        self._error: TickwireError | None = None

    @property
    def result(self) -> Awaitable[Result]:
        """What the server granted and what it refused. Raises TickwireError if the client ends before."""
        return asyncio.shield(self._result)

    def latest(self, symbol: str | None = None) -> Message | None:
        """Returns the newest message of a symbol, whether it was read from the queue yet or not."""
        return self._latest.get(symbol)

    def close(self) -> None:
        """Ends the subscription. What other subscriptions want goes on."""
        if not self._is_closed:
            self._owner.leave(self)
            self.end(None)

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> Item:
        while not self._queue:
            if self._unasked:
                self._ask_for_state()
            if self._is_closed:
                if self._error is not None:
                    raise self._error
                raise StopAsyncIteration
            self._ready.clear()
            await self._ready.wait()
        return self._queue.popleft()

    def _ask_for_state(self) -> None:
        by_channel: dict[str, list[str | None]] = {}
        for channel, symbol in self._unasked & self._stateless:
            by_channel.setdefault(channel, []).append(symbol)
        self._unasked.clear()
        for channel, symbols in by_channel.items():
            self._owner.refresh(channel, symbols)

    # What the client calls.

    def granted(self, selector: Selector) -> bool:
        """Returns whether this was awaited."""
        if selector not in self._pending:
            return False
        self._pending.remove(selector)
        self._granted.append(selector.symbol)
        self._settle()
        return True

    def rejected(self, selector: Selector, rejected: Rejected) -> None:
        self._pending.discard(selector)
        self._rejected.append(rejected)
        self._settle()
        if not self._pending and not self._granted:
            self.end(Refused(rejected.code, rejected.message))

    def _settle(self) -> None:
        if not self._pending and not self._result.done():
            self._result.set_result(Result(tuple(self._granted), tuple(self._rejected)))

    def offer(self, item: Item) -> None:
        topic = (item.channel, item.symbol)
        if isinstance(item, Message):
            self._latest[item.symbol] = item
            if topic in self._stateless:
                if not item.snapshot:
                    return
                self._stateless.discard(topic)
        else:
            self._latest.pop(item.symbol, None)
            self._stateless.discard(topic)
        if self._on_item is not None:
            self._on_item(item)
            return
        if len(self._queue) >= self._buffer:
            self._lose(item)
        else:
            self._queue.append(item)
        self._ready.set()

    def _lose(self, item: Item) -> None:
        """Has a reader that is too slow lose what it has not read; it is told for each topic."""
        lost = dict.fromkeys(
            [*((each.channel, each.symbol) for each in self._queue), (item.channel, item.symbol)]
        )
        self._queue = deque(Reset(channel, symbol, "slow_reader") for channel, symbol in lost)
        stateless = {topic for topic in lost if self._owner.has_state(topic[0])}
        self._stateless |= stateless
        self._unasked |= stateless

    def end(self, error: TickwireError | None) -> None:
        """Ends it; what is in the queue can still be read."""
        self._is_closed = True
        self._error = error
        if not self._result.done():
            self._result.set_exception(error or TickwireError("the subscription was closed"))
            self._result.exception()  # nobody has to wait for it
        self._ready.set()


class SubscriptionTable:
    """All subscriptions of a client, by what they name."""

    def __init__(self) -> None:
        self._by_selector: dict[Selector, list[Subscription]] = {}
        #: By channel, subscriptions to sets: which symbols are in them only the server knows.
        self._of_sets: dict[str, list[Subscription]] = {}

    def add(self, subscription: Subscription) -> list[Selector]:
        """Returns those of its selectors that others have already."""
        shared: list[Selector] = []
        for selector in subscription.selectors:
            others = self._by_selector.setdefault(selector, [])
            if others:
                shared.append(selector)
            others.append(subscription)
            if selector.is_set:
                self._of_sets.setdefault(selector.channel, []).append(subscription)
        return shared

    def remove(self, subscription: Subscription) -> list[Selector]:
        """Returns those of its selectors that nobody else has."""
        for selector in subscription.selectors:
            self._drop(selector, subscription)
        return [selector for selector in subscription.selectors if selector not in self._by_selector]

    def _drop(self, selector: Selector, subscription: Subscription) -> None:
        sharing = self._by_selector.get(selector, [])
        if subscription not in sharing:
            return
        sharing.remove(subscription)
        if not sharing:
            del self._by_selector[selector]
        if selector.is_set:
            self._of_sets[selector.channel].remove(subscription)

    def wanted(self) -> dict[Selector, Options]:
        wanted: dict[Selector, Options] = {}
        for selector, sharing in self._by_selector.items():
            options = sharing[0].options
            for other in sharing[1:]:
                options = options.merged(other.options)
            wanted[selector] = options
        return wanted

    def grant(self, selector: Selector) -> bool:
        """Returns whether a subscription has waited for this."""
        return any([each.granted(selector) for each in self._by_selector.get(selector, [])])

    def reject(self, selector: Selector, rejected: Rejected) -> bool:
        """Gives a selector up. Returns whether any subscription had it."""
        sharing = list(self._by_selector.get(selector, []))
        for subscription in sharing:
            self._drop(selector, subscription)
            subscription.rejected(selector, rejected)
        return bool(sharing)

    def readers(self, channel: str, symbol: str | None) -> list[Subscription]:
        """Returns the subscriptions that get the messages of a topic, each once."""
        found = list(self._by_selector.get(Selector(channel, symbol), ()))
        if symbol is not None:
            # `strategy` and other channels may have symbols although their subscription names none.
            found += self._by_selector.get(Selector(channel, None), ())
            found += self._of_sets.get(channel, ())
            if channel.startswith("heatmap"):
                found += self._by_selector.get(Selector(channel, symbol.replace("-", "")), ())
        return found if len(found) < 2 else list(dict.fromkeys(found))

    def all(self) -> list[Subscription]:
        found = [each for sharing in self._by_selector.values() for each in sharing]
        return list(dict.fromkeys(found))
