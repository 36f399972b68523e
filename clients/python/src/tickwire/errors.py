"""The table of errors (PROTOCOL.md, Errors and closing), and how a connection ends."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Literal, NamedTuple

Policy = Literal["stop", "reconnect", "backoff", "renew"]


class ErrorEntry(NamedTuple):
    close: int
    status: int
    client: Policy


ERROR_TABLE: Mapping[str, ErrorEntry] = {
    "going_away": ErrorEntry(1001, 503, "reconnect"),
    "message_too_big": ErrorEntry(1009, 413, "stop"),
    "bad_request": ErrorEntry(4400, 400, "stop"),
    "invalid_json": ErrorEntry(4400, 400, "stop"),
    "invalid_message": ErrorEntry(4400, 400, "stop"),
    "unknown_channel": ErrorEntry(4400, 400, "stop"),
    "unknown_symbol": ErrorEntry(4400, 400, "stop"),
    "bad_cursor": ErrorEntry(4400, 400, "stop"),
    "not_throttleable": ErrorEntry(4400, 400, "stop"),
    "unauthorized": ErrorEntry(4401, 401, "renew"),
    "forbidden": ErrorEntry(4403, 403, "stop"),
    "not_found": ErrorEntry(4404, 404, "stop"),
    "disabled": ErrorEntry(4410, 503, "stop"),
    "idle_timeout": ErrorEntry(4408, 408, "reconnect"),
    "replaced": ErrorEntry(4409, 409, "stop"),
    "conflict": ErrorEntry(4409, 409, "stop"),
    "rate_limited": ErrorEntry(4429, 429, "reconnect"),
    "too_many_connections": ErrorEntry(4429, 429, "reconnect"),
    "too_many_subscriptions": ErrorEntry(4413, 429, "stop"),
    "internal": ErrorEntry(4500, 500, "backoff"),
    "overloaded": ErrorEntry(4503, 503, "reconnect"),
    "log_unavailable": ErrorEntry(4503, 503, "reconnect"),
}

# Codes of one close code have one policy, so the first of them stands for all.
_CODE_OF_CLOSE: dict[int, str] = {}
for _code, _entry in ERROR_TABLE.items():
    _CODE_OF_CLOSE.setdefault(_entry.close, _code)


class TickwireError(Exception):
    """What this package raises."""


class Refused(TickwireError):
    """The server refused something, with a code of its table."""

    def __init__(self, code: str, message: str = "", retry_after_ms: float | None = None) -> None:
        super().__init__(f"{code}: {message}" if message else code)
        self.code = code
        self.message = message
        self.retry_after_ms = retry_after_ms
        #: The server refused a whole query, perhaps for one of its selectors.
        self.is_of_query = False

    @property
    def policy(self) -> Policy:
        """What the table says of the code. A code that this version does not know is final."""
        entry = ERROR_TABLE.get(self.code)
        return "stop" if entry is None else entry.client

    @property
    def is_final(self) -> bool:
        """Whether the same request will be refused again: of one of several selectors, a token is renewed for
        none of them."""
        return self.policy in ("stop", "renew")


class Unreachable(TickwireError):
    """There was no answer of the server's own: the next transport may get one."""


class Lost(TickwireError):
    """The connection ended without a word of the table, or the server could not be reached at all."""


class Dead(Lost):
    """The connection stands, and nothing comes any more."""


class Restart(TickwireError):
    """The client itself ends the connection, to begin another at once."""


class Changed(Restart):
    """The application wants something else, which takes another connection."""


def refusal_of_close(close: int | None, reason: str = "") -> Refused | None:
    """What a WebSocket's close code says, where no `closing` came before it."""
    code = _CODE_OF_CLOSE.get(close or 0)
    return None if code is None else Refused(code, reason)


def refusal_of_message(message: Mapping[str, object]) -> Refused:
    """What an `error`, a `closing` or an item of `rejected` says."""
    text, after = message.get("message", message.get("reason", "")), message.get("retry_after_ms")
    return Refused(str(message.get("code")), str(text), after if isinstance(after, (int, float)) else None)


def refusal_of_answer(body: bytes, headers: Mapping[str, str]) -> Refused | None:
    """What an HTTP answer says. None: it is not the server's own, but that of something before it."""
    try:
        message = json.loads(body)
    except ValueError:
        return None
    if not isinstance(message, dict) or message.get("type") != "error" or "code" not in message:
        return None
    refusal = refusal_of_message(message)
    after = headers.get("retry-after", "")
    if refusal.retry_after_ms is None and after.isdecimal():
        refusal.retry_after_ms = int(after) * 1000
    return refusal
