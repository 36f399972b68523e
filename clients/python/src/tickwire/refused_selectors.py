"""Finds what a server refuses of a query, where it says only that it refuses the query."""

from __future__ import annotations

from collections.abc import Sequence

import httpx

from .errors import Lost, Refused, Unreachable
from .selectors import Selector
from .transports.http import headers_of, query_url, refusal_of_response, unreachable
from .transports.transport import Wanted

#: Of these statuses, a `HEAD` needs no body to say that the client must change its query.
_OF_THE_QUERY = (400, 401, 403, 404)
_SECONDS = 10.0


async def find_refused(
    http: httpx.AsyncClient, origin: str, wanted: Sequence[Wanted], token: str | None
) -> list[tuple[Selector, Refused]]:
    """Returns the selectors that the server refuses by themselves, with the reason of each.

    :raises Refused: if the server refuses to answer this now
    """
    headers = headers_of(token, Accept="application/json")
    found: list[tuple[Selector, Refused]] = []
    parts = [list(wanted)]
    while parts:
        part = parts.pop()
        try:
            answer = await http.head(query_url(origin, part), headers=headers, timeout=_SECONDS)
            if answer.status_code == 200:
                continue
            if len(part) == 1 or answer.status_code not in _OF_THE_QUERY:
                # Only the answer to a GET has a body, and so a code.
                answer = await http.get(query_url(origin, part, limit=1), headers=headers, timeout=_SECONDS)
                if answer.status_code == 200:
                    continue
                refusal = refusal_of_response(answer, answer.content)
                if isinstance(refusal, Unreachable) or not refusal.is_final:
                    raise refusal
                if len(part) == 1:
                    found.append((part[0][0], refusal))
                    continue
        except (httpx.HTTPError, Unreachable) as error:
            raise Lost(str(unreachable(error))) from None
        middle = len(part) // 2
        parts += [part[middle:], part[:middle]]
    return found
