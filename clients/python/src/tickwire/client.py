"""The client: one state machine over any number of connections."""

from __future__ import annotations

import asyncio
import logging
import random
import ssl
import time
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Any

from .credentials import Credentials, GetToken
from .errors import Changed, Dead, Refused, Restart, TickwireError
from .ladder import Ladder
from .messages import TRANSPORTS, Event, Message, Rejected, Reset, State, StateChange, TransportName
from .refused_selectors import find_refused
from .requests import Requests
from .retry import Backoff
from .selectors import Options, Selector
from .session import Place, Session
from .signing import OrderKey
from .subscriptions import HISTORIES, OnItem, Subscription, SubscriptionTable
from .transports.event_stream import EventStreamTransport
from .transports.http import open_http
from .transports.polling import PollingTransport
from .transports.transport import Plan, Transport
from .transports.websocket import WebSocketTransport

log = logging.getLogger("tickwire")

#: How many messages a subscription keeps for a reader that is behind.
BUFFER = 10_000
#: A connection that the client ended by itself is followed by the next at once, unless it was shorter.
SHORT_LIFE_SECONDS = 1.0

Listener = Callable[[Event], object]

#: Codes that may be about one subscription of a query, and not about the whole request.
_OF_A_SELECTOR = frozenset(
    (
        "unknown_symbol",
        "unknown_channel",
        "not_throttleable",
        "bad_request",
        "invalid_message",
        "forbidden",
        "unauthorized",
        "disabled",
        "too_many_subscriptions",
    )
)


class _Replaced(Exception):
    """A better transport is open."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session


class TickwireClient(Requests):
    """Follows topics of a Tickwire server through every cut, on one connection for all subscriptions.

    :param url: where the server is, such as `https://stream.example`; with a path if it has a prefix
    :param token: the token; or `get_token`, an async function that returns one, and the next when it expires
    :param transports: those that the client may use, in the order in which it prefers them
    :param order_key: the key that signs requests for orders
    :param histories: channels of the deployment's own whose topics have no state
    :param tls: for certificates that the system does not know
    """

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        get_token: GetToken | None = None,
        transports: Sequence[TransportName] = TRANSPORTS,
        order_key: OrderKey | None = None,
        histories: Iterable[str] = (),
        tls: ssl.SSLContext | None = None,
        uniform: Callable[[], float] = random.random,
    ) -> None:
        if not url.startswith(("http://", "https://")):
            raise ValueError(f"{url!r} is no address of a server: it must begin with http:// or https://")
        if not transports or any(name not in TRANSPORTS for name in transports):
            raise ValueError(f"transports must be some of {', '.join(TRANSPORTS)}")
        self._origin, self._tls, self._random = url.rstrip("/"), tls, uniform
        self._http = open_http(self._origin, tls)
        self._credentials = Credentials(token, get_token)
        super().__init__(self._origin, self._http, self._credentials, order_key, uniform)
        self.place, self.table = Place(), SubscriptionTable()
        self._histories = HISTORIES | frozenset(histories)
        self._ladder = Ladder[Session](transports, uniform)
        self.backoff = Backoff(uniform)
        self._subscriptions: set[Subscription] = set()
        self._listeners: list[Listener] = []
        self._change = StateChange(State.OFFLINE, "not started")
        self._session: Session | None = None
        self._is_wanted = asyncio.Event()
        self._was_at_once = False
        self._running: asyncio.Task[None] | None = None

    # For applications.

    async def __aenter__(self) -> TickwireClient:
        if self._running is None:
            self._running = asyncio.ensure_future(self._run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Ends the connection and all subscriptions."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)
        self._end(None)
        await self._http.aclose()

    @property
    def state(self) -> State:
        return self._change.state

    @property
    def state_change(self) -> StateChange:
        """The state with its reason and transport."""
        return self._change

    def on_state(self, callback: Callable[[StateChange], object]) -> Callable[[], None]:
        """Calls back for each change of the state. Returns a function that ends this."""
        return self.on_event(lambda event: callback(event) if isinstance(event, StateChange) else None)

    def on_event(self, listener: Listener) -> Callable[[], None]:
        """Calls back for everything, in order: each message once, whatever subscriptions it belongs to."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener) if listener in self._listeners else None

    def subscribe(
        self,
        channel: str,
        symbols: Iterable[str] | None = None,
        *,
        throttle_ms: int | None = None,
        depth: int | None = None,
        last: int | None = None,
        buffer: int = BUFFER,
        on_item: OnItem | None = None,
    ) -> Subscription:
        """Subscribes to symbols or sets of a channel; without symbols, to a channel that has none.

        Subscriptions to the same topic share it: the smallest throttle and the greatest depth count for all.
        A subscription to a set gets every message of its channel that the client gets.

        :param buffer: how many messages wait for a reader that is behind; beyond it, the reader loses them
            and gets a Reset `slow_reader` for each topic
        :param on_item: gets messages at once, in place of a reader
        """
        if isinstance(symbols, str):
            raise TypeError("symbols must be a list of symbols, and not a text")
        if self.state is State.CLOSED:
            raise TickwireError("the client is closed")
        names: list[str | None] = [None] if symbols is None else list(dict.fromkeys(symbols))
        if not names:
            raise ValueError("symbols must not be empty; leave it out for a channel without symbols")
        selectors = [Selector(channel, name) for name in names]
        subscription = Subscription(self, selectors, Options(throttle_ms, depth, last), buffer, on_item)
        self._subscriptions.add(subscription)
        shared = self.table.add(subscription)
        # The server would refuse the whole message for one of these.
        for selector in selectors:
            if (fault := selector.fault) is not None:
                self.reject(selector, Refused("invalid_message", fault))
        # What the server sends already begins with its state for the one that has come, too.
        self._changed(selector for selector in shared if self.has_state(channel))
        return subscription

    # For subscriptions (Owner) and sessions (Client).

    def leave(self, subscription: Subscription) -> None:
        self._subscriptions.discard(subscription)
        # Whoever subscribes to one of these again, perhaps in the same moment, begins anew.
        self._changed(self.table.remove(subscription))

    def refresh(self, channel: str, symbols: Iterable[str | None]) -> None:
        named = list(symbols)
        self._changed(
            each for each in self.table.wanted() if any(each.may_cover(channel, symbol) for symbol in named)
        )

    def has_state(self, channel: str) -> bool:
        return channel not in self._histories

    def emit(self, event: Event) -> None:
        for listener in list(self._listeners):
            self._call(listener, event)
        if isinstance(event, (Message, Reset)):
            for subscription in self.table.readers(event.channel, event.symbol):
                self._call(subscription.offer, event)

    def _call(self, listener: Callable[[Any], object], event: Event) -> None:
        try:
            listener(event)
        except Exception:
            log.exception("a listener failed")

    def enter_state(
        self, state: State, reason: str = "", transport: TransportName | None = None, code: str | None = None
    ) -> None:
        """The one place in which the state changes."""
        change = StateChange(state, reason, code, transport)
        if self._change.state is State.CLOSED:
            return
        if (state, transport) != (self._change.state, self._change.transport):
            self._change = change
            self.emit(change)

    def reject(self, selector: Selector, refusal: Refused) -> None:
        """Gives up a selector that the server does not grant."""
        rejected = Rejected(selector.channel, selector.symbol, refusal.code, refusal.message)
        if self.table.reject(selector, rejected):
            self.emit(rejected)
            self._changed()

    def let_in(self) -> None:
        self._credentials.worked()

    async def new_token(self) -> str | None:
        return await self._credentials.fetch() if self._credentials.can_renew else None

    def _changed(self, refresh: Iterable[Selector] = ()) -> None:
        if self.table.wanted():
            self._is_wanted.set()
        else:
            self._is_wanted.clear()
        if self._session is not None:
            self._session.changed(refresh)

    # The state machine.

    async def _run(self) -> None:
        session: Session | None = None
        try:
            while True:
                try:
                    if not self._is_wanted.is_set():
                        self.enter_state(State.OFFLINE, "nothing is subscribed")
                        await self._is_wanted.wait()
                    if session is None:
                        session = await self._connect()
                    await self._follow(session)
                except _Replaced as replaced:
                    session = replaced.session
                except TickwireError as error:
                    session = None
                    await self._wait(await self._pause_after(error), error)
        except TickwireError as error:
            self._end(error)
        except Exception as error:
            log.exception("the client failed")
            self._end(TickwireError(f"the client failed: {error}"))

    async def _connect(self) -> Session:
        if self.state is State.OFFLINE:
            self.enter_state(State.CONNECTING)
        await self._credentials.current()
        return await self._ladder.climb(self._open)

    async def _open(self, name: TransportName) -> Session:
        session = Session(self, lambda monitor: self._transport(name, monitor))
        try:
            await session.transport.open(self._plan())
        except BaseException:
            await session.close()
            raise
        return session

    def _transport(self, name: TransportName, monitor: Session) -> Transport:
        if name == "websocket":
            return WebSocketTransport(self._origin, monitor, self._tls)
        kind = EventStreamTransport if name == "event-stream" else PollingTransport
        return kind(self._origin, monitor, self._http)

    def _plan(self) -> Plan:
        return self.place.plan(self.table.wanted(), self._credentials.token)

    async def _follow(self, session: Session) -> None:
        """Follows a connection to its end, while it looks for a better one."""
        self._session = session
        began = time.monotonic()
        upward = None if self._ladder.is_at_top else asyncio.ensure_future(self._look_upward(session))
        try:
            await session.run(self._plan)
        finally:
            self._session = None
            self.backoff.lived(time.monotonic() - began)
            self._was_at_once = self._was_at_once and time.monotonic() - began < SHORT_LIFE_SECONDS
            if upward is not None:
                upward.cancel()
            await session.close()

    async def _look_upward(self, session: Session) -> None:
        better = await self._ladder.look_upward(self._open)
        session.fail(_Replaced(better))

    async def _pause_after(self, error: TickwireError) -> float:
        """Returns the seconds until the next attempt (PROTOCOL.md, Errors and closing); raises if none is."""
        if isinstance(error, Changed):
            return 0.0
        if isinstance(error, (Restart, Dead)):
            return self._at_once()
        if not isinstance(error, Refused):
            return self.backoff.next()
        match error.policy:
            case "renew" if self._credentials.token is not None:
                if not await self._credentials.renew():
                    raise error
                return self._at_once()
            # Without a token, some of a query may be public, and some not.
            case "stop" | "renew":
                return await self._without_refused(error)
        return self.backoff.after(error)

    def _at_once(self) -> float:
        """The client goes on at once, but not again and again."""
        if self._was_at_once:
            return self.backoff.next()
        self._was_at_once = True
        return 0.0

    async def _without_refused(self, error: Refused) -> float:
        """Gives up what the server refuses of a query, and goes on with the rest."""
        if error.code == "bad_cursor" and self.place.cursor is not None:
            self.place.cursor = None
            return self._at_once()
        if not error.is_of_query or error.code not in _OF_A_SELECTOR:
            raise error
        try:
            refused = await find_refused(self._http, self._origin, self._plan().all, self._credentials.token)
        except TickwireError as failure:
            return await self._pause_after(failure)
        if not refused or (error.policy == "renew" and len(refused) == len(self.table.wanted())):
            raise error
        for selector, refusal in refused:
            self.reject(selector, refusal)
        return 0.0

    async def _wait(self, seconds: float, error: TickwireError) -> None:
        code = error.code if isinstance(error, Refused) else None
        log.info("%s; again in %.1f s", error, seconds)
        self.enter_state(State.OFFLINE if seconds > 0 else State.CONNECTING, str(error), code=code)
        await asyncio.sleep(seconds)

    def _end(self, error: TickwireError | None) -> None:
        code = error.code if isinstance(error, Refused) else None
        self.enter_state(State.CLOSED, "" if error is None else str(error), code=code)
        for subscription in list(self._subscriptions):
            subscription.end(error)
        self._subscriptions.clear()
