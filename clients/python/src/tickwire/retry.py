"""How long a client waits before it tries again."""

from __future__ import annotations

import random
from collections.abc import Callable

from .errors import Refused

FIRST_SECONDS = 0.8
LONGEST_SECONDS = 30.0
#: What the client adds to the `retry_after_ms` of a server, so that not all clients come at once.
JITTER_SECONDS = 0.25
#: A connection that has lived so long makes the next retry the first one again.
STABLE_SECONDS = 10.0
#: 0.8 s doubled so often is far above the longest: a greater exponent adds nothing.
_MOST_DOUBLINGS = 16


class Backoff:
    """Full jitter: any time between nothing and a bound that doubles from retry to retry."""

    def __init__(self, uniform: Callable[[], float] = random.random) -> None:
        self._random = uniform
        self._retries = 0

    def reset(self) -> None:
        self._retries = 0

    def lived(self, seconds: float) -> None:
        """Notes how long a connection has lived."""
        if seconds >= STABLE_SECONDS:
            self.reset()

    def next(self) -> float:
        """Returns the seconds to the next retry."""
        bound = min(LONGEST_SECONDS, FIRST_SECONDS * 2.0 ** min(self._retries, _MOST_DOUBLINGS))
        self._retries += 1
        return self._random() * bound

    def after(self, refusal: Refused) -> float:
        """Returns the seconds to the next retry: what the server asked for, or else as `next`."""
        asked = refusal.retry_after_ms
        if asked is None or refusal.policy == "backoff":
            return self.next()
        self._retries += 1
        return asked / 1000 + self._random() * JITTER_SECONDS
