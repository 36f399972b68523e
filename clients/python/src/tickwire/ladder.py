"""Which transport comes next."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from .errors import Lost, TickwireError, Unreachable
from .messages import TransportName

#: After how long a client on a lower transport tries the better ones, the first time and at most. The first
#: time is short: while a server restarts, a client may come by the next transport by chance.
FIRST_LOOK_SECONDS = 5.0
LONGEST_LOOK_SECONDS = 50.0

Opened = TypeVar("Opened")
Open = Callable[[TransportName], Awaitable[Opened]]


class Ladder(Generic[Opened]):
    """The transports in the order in which the client prefers them, and the one that worked last."""

    def __init__(self, names: Sequence[TransportName], uniform: Callable[[], float] = random.random) -> None:
        self._names = tuple(names)
        self._random = uniform
        self._at = 0

    @property
    def is_at_top(self) -> bool:
        return self._at == 0

    async def climb(self, open_one: Open[Opened]) -> Opened:
        """Opens the transport that worked last, or else the next one that works.

        :raises Refused: if the server answers and refuses
        :raises Lost: if none works; the next attempt starts at the first
        """
        reasons: list[str] = []
        for at in range(self._at, len(self._names)):
            try:
                opened = await open_one(self._names[at])
            except Unreachable as error:
                reasons.append(f"{self._names[at]}: {error}")
            else:
                self._at = at
                return opened
        self._at = 0
        raise Lost("; ".join(reasons))

    async def look_upward(self, open_one: Open[Opened]) -> Opened:
        """Tries the better transports again and again, until one of them opens."""
        pause = FIRST_LOOK_SECONDS
        while True:
            await asyncio.sleep(pause * (0.8 + 0.4 * self._random()))
            pause = min(2 * pause, LONGEST_LOOK_SECONDS)
            for at in range(self._at):
                try:
                    opened = await open_one(self._names[at])
                except TickwireError:
                    # A refusal, too: the lower transport goes on, and what it is told counts.
                    continue
                self._at = at
                return opened
