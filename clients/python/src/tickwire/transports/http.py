"""What event streams and polls share: one HTTP client, queries, and answers that refuse."""

from __future__ import annotations

import ssl
from collections.abc import Iterable

import httpx

from ..errors import Refused, Unreachable, refusal_of_answer
from ..selectors import subscribe_values
from .transport import OPEN_SECONDS, Plan, Wanted

#: Each request has limits of its own.
NO_TIMEOUT = httpx.Timeout(None, connect=10.0, pool=10.0)


def open_http(origin: str, tls: ssl.SSLContext | None) -> httpx.AsyncClient:
    # Without TLS nothing is verified, and to load the system's certificates takes a tenth of a second.
    verify = tls if tls is not None else origin.startswith("https:")
    # A client has one stream, a probe of it, and its own requests: publishers may have many.
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=4)
    return httpx.AsyncClient(timeout=NO_TIMEOUT, limits=limits, verify=verify)


def headers_of(token: str | None, **further: str) -> dict[str, str]:
    return {**further, **({} if token is None else {"Authorization": f"Bearer {token}"})}


def stream_url(origin: str, plan: Plan, **parameters: int) -> str:
    """Returns the URL that asks for a plan. Without a cursor everything is fresh by itself."""
    if plan.cursor is None:
        return query_url(origin, plan.all, **parameters)
    values = [*subscribe_values(plan.resumed), *subscribe_values(plan.fresh, fresh=True)]
    return _url(origin, [*(f"subscribe={value}" for value in values), f"after={plan.cursor}"], parameters)


def query_url(origin: str, wanted: Iterable[Wanted], **parameters: int) -> str:
    return _url(origin, [f"subscribe={value}" for value in subscribe_values(wanted)], parameters)


def _url(origin: str, parts: list[str], parameters: dict[str, int]) -> str:
    return f"{origin}/v1/stream?{'&'.join([*parts, *(f'{name}={n}' for name, n in parameters.items())])}"


def refusal_of_response(response: httpx.Response, body: bytes) -> Refused | Unreachable:
    refusal = refusal_of_answer(body, response.headers)
    if refusal is None:
        return Unreachable(f"answered with {response.status_code}, and not by the server")
    refusal.is_of_query = True
    return refusal


def unreachable(error: Exception) -> Unreachable:
    return Unreachable(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)


__all__ = [
    "OPEN_SECONDS",
    "headers_of",
    "open_http",
    "query_url",
    "refusal_of_response",
    "stream_url",
    "unreachable",
]
