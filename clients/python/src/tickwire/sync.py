"""The client for programs without asyncio: a thread with a loop of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterable, Iterator
from types import TracebackType
from typing import Any, TypeVar

from .client import TickwireClient
from .messages import Item, Message, Result, State, StateChange
from .subscriptions import Subscription

T = TypeVar("T")


class SyncSubscription(Iterator[Item]):
    """Gives the messages of its topics in order; waits for the next one."""

    def __init__(self, client: SyncClient, subscription: Subscription) -> None:
        self._client, self._subscription = client, subscription

    def __next__(self) -> Item:
        try:
            return self._client._call(self._subscription.__anext__())
        except StopAsyncIteration:
            raise StopIteration from None

    def next(self, timeout: float) -> Item:
        """Returns the next message. Raises TimeoutError if none comes within so many seconds."""
        try:
            return self._client._call(asyncio.wait_for(self._subscription.__anext__(), timeout))
        except asyncio.TimeoutError:
            raise TimeoutError(f"no message within {timeout} s") from None

    def result(self) -> Result:
        """Waits for what the server granted and refused."""

        async def wait() -> Result:
            return await self._subscription.result

        return self._client._call(wait())

    def latest(self, symbol: str | None = None) -> Message | None:
        return self._subscription.latest(symbol)

    def close(self) -> None:
        self._client._run(self._subscription.close)


class SyncClient:
    """A TickwireClient behind calls that wait. It takes what that takes; callbacks run in its thread."""

    def __init__(self, url: str, **options: Any) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="tickwire", daemon=True)
        self._thread.start()

        async def make() -> TickwireClient:
            return await TickwireClient(url, **options).__aenter__()

        try:
            self._client = self._call(make())
        except BaseException:
            self._stop()
            raise

    def __enter__(self) -> SyncClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        if self._thread.is_alive():
            self._call(self._client.close())
            self._stop()

    def _stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def state(self) -> State:
        return self._client.state

    def on_state(self, callback: Callable[[StateChange], object]) -> Callable[[], None]:
        end = self._run(lambda: self._client.on_state(callback))
        return lambda: self._run(end)

    def subscribe(
        self, channel: str, symbols: Iterable[str] | None = None, **options: Any
    ) -> SyncSubscription:
        return SyncSubscription(self, self._run(lambda: self._client.subscribe(channel, symbols, **options)))

    def get(self, path: str, **parameters: Any) -> Any:
        return self._call(self._client.get(path, **parameters))

    def publish(self, messages: Any) -> dict[str, Any]:
        return self._call(self._client.publish(messages))

    def submit_order(self, **order: Any) -> dict[str, Any]:
        return self._call(self._client.submit_order(**order))

    def cancel_order(self, order_id: str, **options: Any) -> dict[str, Any]:
        return self._call(self._client.cancel_order(order_id, **options))

    def replace_order(self, order_id: str, **terms: Any) -> dict[str, Any]:
        return self._call(self._client.replace_order(order_id, **terms))

    def acknowledge(self, channel: str, sequence: int, epoch: str | None = None) -> dict[str, Any]:
        return self._call(self._client.acknowledge(channel, sequence, epoch))

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        waiting = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return waiting.result()
        except BaseException:
            # Ctrl-C, for example: the message that nobody waits for any more must stay in its queue.
            waiting.cancel()
            raise

    def _run(self, function: Callable[[], T]) -> T:
        async def run() -> T:
            return function()

        return self._call(run())
