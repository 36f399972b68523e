"""What all transports have in common."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from ..messages import TransportName
from ..selectors import Options, Selector

#: How long an attempt may take until the server's `welcome`, or its answer to the first poll.
OPEN_SECONDS = 3.0
#: The heartbeat that WebSockets and event streams ask for.
HEARTBEAT_SECONDS = 5
#: After such a silence the client asks whether the connection lives.
SILENCE_SECONDS = 2.5
#: How long the answer may take.
ANSWER_SECONDS = 1.5
#: A client that has waited so long for the answer says that the connection may be stale.
STALE_SECONDS = 0.5
#: How often silence is looked for.
LOOK_SECONDS = 0.25
#: An event loop that was blocked has not read yet what came meanwhile.
CATCH_BREATH_SECONDS = 0.05

WireMessage = Mapping[str, Any]
Wanted = tuple[Selector, Options]


@dataclass(frozen=True)
class Plan:
    """What a connection is to begin with."""

    #: Where it resumes what the cursor covers; None: it resumes nothing.
    cursor: str | None = None
    resumed: tuple[Wanted, ...] = ()
    fresh: tuple[Wanted, ...] = ()
    token: str | None = None
    #: What the client had when the cursor came (ClientRule.mark).
    mark: Mapping[str, int] = field(default_factory=dict)

    @property
    def all(self) -> tuple[Wanted, ...]:
        return self.resumed + self.fresh


class Monitor(Protocol):
    """What a transport tells and asks the client while it is connected."""

    def fail(self, error: Exception) -> None:
        """The connection has ended."""

    def silent(self, is_silent: bool) -> None:
        """Nothing comes, and the client is asking whether the connection lives; or something came again."""

    def is_news(self, message: WireMessage) -> bool:
        """Whether the client does not have a message yet."""

    def beyond(self) -> list[str]:
        """The topics of which the client has messages that came after its cursor."""


class Transport(Protocol):
    """One connection. A transport that reads by request sends its plan when it opens."""

    name: TransportName

    async def open(self, plan: Plan) -> None:
        """Returns when the server has let the client in.

        :raises Refused: if the server refuses the client, with a code of its table
        :raises Unreachable: if there is no answer of the server's own
        """

    async def start(self, plan: Callable[[], Plan]) -> Plan:
        """Begins what the client wants now, and returns the plan that counts."""

    def frames(self) -> AsyncIterator[list[WireMessage]]:
        """Gives messages as they come, until the connection ends with Refused or Lost."""

    async def change(self, gone: list[Selector], wanted: list[Wanted]) -> bool:
        """Ends and begins subscriptions. False: that takes a new connection."""

    async def authenticate(self, token: str) -> bool:
        """Renews the token. False: that takes a new connection."""

    def asked(self, number: object) -> WireMessage | None:
        """Returns the action that an answer with this id answers."""

    async def close(self) -> None:
        """Ends the connection, whatever state it is in."""
