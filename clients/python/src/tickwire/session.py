"""One connection of a client: what the server's messages mean, and what the client asks for on it."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timezone
from typing import Any, Protocol

from .errors import Changed, Refused, Restart, TickwireError, refusal_of_message
from .messages import Gap, Granted, Message, Reset, State, TransportName
from .retry import Backoff
from .rule import ClientRule, split_topic, topic_of
from .selectors import Options, Selector
from .subscriptions import SubscriptionTable
from .transports.transport import Plan, Transport, WireMessage

#: Subscriptions that change at about the same time go together: on a WebSocket in few messages, elsewhere in
#: one new request.
GATHER_SECONDS = {"websocket": 0.01, "event-stream": 0.05, "polling": 0.05}


class Place:
    """Where a client stands in the log, over all its connections."""

    def __init__(self) -> None:
        self.rule = ClientRule()
        self.cursor: str | None = None
        #: What the cursor covers.
        self.covered: set[Selector] = set()
        #: The last gap without a reset: topic, last sequence before it, sequence behind it.
        self.gap: tuple[str, int | None, int] | None = None

    def plan(self, wanted: Mapping[Selector, Options], token: str | None) -> Plan:
        resumed = tuple((s, o) for s, o in wanted.items() if self.cursor is not None and s in self.covered)
        fresh = tuple((s, o) for s, o in wanted.items() if self.cursor is None or s not in self.covered)
        return Plan(self.cursor if resumed else None, resumed, fresh, token, self.rule.mark())


class Client(Protocol):
    """What a session asks of its client."""

    place: Place
    table: SubscriptionTable
    #: Of all its connections, so that one refusal after another makes no storm of them.
    backoff: Backoff

    def emit(self, event: Message | Reset | Gap | Granted) -> None: ...
    def has_state(self, channel: str) -> bool: ...
    def enter_state(self, state: State, reason: str = "", transport: TransportName | None = None) -> None: ...
    def reject(self, selector: Selector, refusal: Refused) -> None: ...
    def let_in(self) -> None: ...
    async def new_token(self) -> str | None: ...


class Session:
    def __init__(self, client: Client, make: Callable[[Session], Transport]) -> None:
        self._client, self._place = client, client.place
        self.transport = make(self)
        self.plan = Plan()
        #: What the connection was asked for, with its options.
        self._active: dict[Selector, Options] = {}
        #: What the server has confirmed on this connection.
        self._confirmed: set[Selector] = set()
        #: The topics that this connection has sent something of.
        self._seen: set[str] = set()
        self._to_refresh: set[Selector] = set()
        #: What the kept cursor covers, but the server refused on this connection for now.
        self._owed: set[Selector] = set()
        self._end: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._changing = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_lagging = self._is_silent = self._is_caught_up = False
        self._clock_ahead = 0.0

    async def run(self, plan: Callable[[], Plan]) -> None:
        """Follows the connection until it ends, and raises why."""
        self.plan = await self.transport.start(plan)
        self._place.rule.connected(self.plan.mark)
        self._place.cursor = self.plan.cursor or self._place.cursor
        self._active = dict(self.plan.all)
        self._client.enter_state(State.CATCHING_UP, transport=self.transport.name)
        if self.transport.name != "websocket":
            self._confirm(self._active)
        self.changed()  # what has changed while it opened
        reading = asyncio.ensure_future(self._read())
        try:
            await asyncio.wait({reading, self._end}, return_when=asyncio.FIRST_COMPLETED)
            for done in (self._end, reading):
                if done.done():
                    done.result()
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        if self._end.done() and not self._end.cancelled():
            self._end.exception()
        await self.transport.close()

    # What transports tell and ask (Monitor).

    def fail(self, error: Exception) -> None:
        if not self._end.done():
            self._end.set_exception(error)

    def silent(self, is_silent: bool) -> None:
        self._is_silent = is_silent
        self._show_state("the connection is silent" if is_silent else "")

    def is_news(self, message: WireMessage) -> bool:
        channel, symbol, sequence = message.get("channel"), message.get("symbol"), message.get("sequence")
        if not isinstance(channel, str) or not isinstance(sequence, int):
            return False
        last = self._place.rule.last(topic_of(channel, symbol))
        return last is None or sequence > last

    def beyond(self) -> list[str]:
        return self._place.rule.beyond()

    # What the application changes.

    def changed(self, refresh: Iterable[Selector] = ()) -> None:
        """Brings the connection in line with what is wanted now."""
        self._to_refresh.update(refresh)
        self._spawn(self._change())

    def _spawn(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _change(self) -> None:
        await asyncio.sleep(GATHER_SECONDS[self.transport.name])
        async with self._changing:
            wanted, active = self._client.table.wanted(), self._active
            again = {each for each in self._to_refresh if each in wanted and each in active}
            self._to_refresh.clear()
            gone = [each for each in active if each not in wanted] + list(again)
            news = [(each, o) for each, o in wanted.items() if active.get(each) != o or each in again]
            # A subscription that shares what the server sends already has nothing to wait for.
            self._confirm(self._confirmed.intersection(wanted).difference(gone))
            if not gone and not news:
                return
            self._active = wanted
            self._confirmed.difference_update(gone)
            self._place.covered.difference_update(gone)
            if wanted and await self.transport.change(gone, news):
                return
            self._forget(gone)
            self.fail(Changed("the subscriptions have changed"))

    # What the server sends.

    async def _read(self) -> None:
        async for frame in self.transport.frames():
            for message in frame:
                self._handle(message)

    def _handle(self, message: WireMessage) -> None:
        kind = message.get("type")
        if kind == "reset" or ("sequence" in message and kind != "acknowledged"):
            return self._take(message)
        if kind in ("cursor", "heartbeat") and isinstance(message.get("cursor"), str):
            self._keep_cursor(message["cursor"], message.get("more") is not True)
        elif kind == "subscribed":
            self._subscribed(message)
        elif kind == "unsubscribed":
            symbols = message.get("symbols")
            self._forget([Selector(message["channel"], symbol) for symbol in symbols or [None]])
        elif kind == "epoch":
            self._enter_epoch(message.get("epoch"))
        elif kind == "lagging":
            self._is_lagging = message.get("behind") != 0
            self._show_state("this client reads too slowly" if self._is_lagging else "")
        elif kind == "closing":
            raise refusal_of_message(message)
        elif kind == "error":
            self._refused(message)
        elif kind == "auth_expiring":
            self._spawn(self._renew(message.get("expires_at")))
        elif kind == "welcome":
            self._clock_ahead = time.time() - (_instant(message.get("server_time")) or time.time())

    def _take(self, message: WireMessage) -> None:
        channel, symbol = message["channel"], message.get("symbol")
        topic, rule = topic_of(channel, symbol), self._place.rule
        verdict = rule.take(message)
        is_first = topic not in self._seen
        self._seen.add(topic)
        if verdict == "reset":
            self._client.emit(Reset(channel, symbol, str(message.get("reason"))))
        elif verdict == "new":
            self._client.emit(_message_of(message))
        elif verdict == "gap":
            self._mind_gap(topic, message, is_first)

    def _mind_gap(self, topic: str, message: WireMessage, is_first: bool) -> None:
        channel, symbol, sequence = message["channel"], message.get("symbol"), message["sequence"]
        gap = (topic, self._place.rule.last(topic), sequence)
        # What begins without a position may begin anywhere: nobody has promised what lies between.
        begins = is_first and not any(each.may_cover(channel, symbol) for each, _ in self.plan.resumed)
        if not begins:
            self._client.emit(Gap(channel, symbol, sequence))
        if not begins and self._place.gap != gap:
            self._place.gap = gap
            raise Restart(f"messages of {topic} before {sequence} are missing")
        self._client.emit(Reset(channel, symbol, "history_lost"))
        self._place.rule.accept(topic, sequence)
        self._client.emit(_message_of(message))

    def _keep_cursor(self, cursor: str, is_all: bool) -> None:
        place = self._place
        if self._owed:
            return  # this cursor would skip what they have missed
        place.cursor = cursor
        place.rule.cursor()
        place.covered = {each for each in self._confirmed if each in self._active}
        self._is_caught_up = is_all and all(each in self._confirmed for each in self._active)
        if self._is_caught_up:
            self._client.let_in()
            self._show_state()

    def _show_state(self, reason: str = "") -> None:
        if self._is_silent:
            self._client.enter_state(State.STALE, reason, self.transport.name)
        else:
            is_live = self._is_caught_up and not self._is_lagging
            self._client.enter_state(
                State.LIVE if is_live else State.CATCHING_UP, reason, self.transport.name
            )

    def _subscribed(self, message: WireMessage) -> None:
        channel, action = message["channel"], self.transport.asked(message.get("id"))
        refused = {each.get("symbol"): each for each in message.get("rejected") or []}
        if action is not None:
            named = [Selector(channel, symbol) for symbol in action.get("symbols") or [None]]
            self._confirm(each for each in named if each.symbol not in refused and each in self._active)
        for symbol, each in refused.items():
            self._reject([Selector(channel, symbol)], refusal_of_message(each))
        self._enter_epoch(message.get("epoch"))

    def _confirm(self, selectors: Iterable[Selector]) -> None:
        by_channel: dict[str, list[str | None]] = {}
        for selector in list(selectors):
            self._confirmed.add(selector)
            if self._client.table.grant(selector):
                by_channel.setdefault(selector.channel, []).append(selector.symbol)
        for channel, symbols in by_channel.items():
            named = tuple(symbol for symbol in symbols if symbol is not None)
            self._client.emit(Granted(channel, named or None))

    def _reject(self, selectors: Iterable[Selector], refusal: Refused) -> None:
        for selector in selectors:
            self._active.pop(selector, None)
            self._confirmed.discard(selector)
            if refusal.is_final:
                self._client.reject(selector, refusal)
            elif selector in self._place.covered:
                self._owed.add(selector)
        if not refusal.is_final:
            self._spawn(self._ask_again(self._client.backoff.after(refusal)))

    async def _ask_again(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        if self._owed:
            # A connection resumes only what it begins with.
            self.fail(Restart("what the server refused for now is resumed"))
        else:
            self.changed()

    def _refused(self, message: WireMessage) -> None:
        """What an `error` means: of an action, or of the connection."""
        action, refusal = self.transport.asked(message.get("id")), refusal_of_message(message)
        if action is None and "id" in message:
            return
        if action is None or action["action"] == "auth" or refusal.code == "bad_cursor":
            raise refusal
        named = [Selector(action["channel"], symbol) for symbol in action.get("symbols") or [None]]
        if action["action"] == "subscribe":
            self._reject(named, refusal)
        elif not refusal.is_final:
            # An unsubscribe that the server did not perform: these are active still.
            self._active.update((each, Options()) for each in named if each not in self._active)
            self._spawn(self._ask_again(self._client.backoff.after(refusal)))

    def _enter_epoch(self, epoch: object) -> None:
        """Goes back to what is sure in another epoch (rule 5), and begins topics with a state anew."""
        place, uncovered = self._place, set[Selector]()
        for topic, sure in place.rule.enter(epoch if isinstance(epoch, str) else None):
            channel, symbol = split_topic(topic)
            if not self._client.has_state(channel):
                self._client.emit(Reset(channel, symbol, "epoch_changed", sure))
                continue
            # The state that the client holds may be that of messages that are lost.
            place.rule.unsubscribed(topic)
            uncovered.update(each for each in self._active if each.may_cover(channel, symbol))
            self._client.emit(Reset(channel, symbol, "epoch_changed"))
        place.covered -= uncovered
        if any(each in uncovered for each, _ in self.plan.resumed):
            raise Restart("the log began a new epoch")

    def _forget(self, selectors: Iterable[Selector]) -> None:
        """Forgets the topics of selectors that are not subscribed any more."""
        gone = set(selectors)
        sets = {each.channel for each in gone if each.is_set}
        channels = {each.channel for each in gone}
        for topic in self._place.rule.topics():
            channel, symbol = split_topic(topic)
            if channel not in channels:
                continue
            if any(not each.is_set and each.may_cover(channel, symbol) for each in gone):
                self._place.rule.unsubscribed(topic)
            elif channel in sets and Selector(channel, symbol) not in self._active:
                self._place.rule.unsubscribed(topic)

    async def _renew(self, expires_at: object) -> None:
        """Renews the token before it expires; at any time, so that not all clients do it at once."""
        left = (_instant(expires_at) or 0.0) - time.time() + self._clock_ahead
        await asyncio.sleep(max(0.0, left) * (0.1 + 0.4 * random.random()))
        if self.transport.name != "websocket":
            return  # the server ends the stream, and the client renews then
        try:
            token = await self._client.new_token()
        except TickwireError:
            return  # the server says when the old one ends
        if token is not None:
            await self.transport.authenticate(token)


def _message_of(message: WireMessage) -> Message:
    return Message(
        message["channel"],
        message.get("symbol"),
        message["sequence"],
        message.get("data") or {},
        str(message.get("type", "")),
        str(message.get("timestamp", "")),
        message.get("snapshot") is True,
        message.get("prev"),
    )


def _instant(text: object) -> float | None:
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()
