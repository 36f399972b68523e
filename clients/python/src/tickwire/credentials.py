"""The token of a client, and how it is renewed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from .errors import Lost

GetToken = Callable[[], Awaitable[str]]


class Credentials:
    def __init__(self, token: str | None, get_token: GetToken | None) -> None:
        if token is not None and get_token is not None:
            raise ValueError("give token or get_token, and not both")
        self.token = token
        self._get_token = get_token
        self._is_renewed = False

    @property
    def can_renew(self) -> bool:
        return self._get_token is not None

    async def current(self) -> str | None:
        """Returns the token; asks for one if there is none yet.

        :raises Lost: if the application's function fails, so that the client tries again later
        """
        if self.token is None and self._get_token is not None:
            await self.fetch()
        return self.token

    async def fetch(self) -> str:
        """Asks for a new token."""
        assert self._get_token is not None
        try:
            self.token = await self._get_token()
        except Exception as error:
            raise Lost(f"get_token failed: {error}") from error
        return self.token

    async def renew(self) -> bool:
        """Gets a new token after the server has refused one, once. False: the client stops."""
        if self._get_token is None or self._is_renewed:
            return False
        self._is_renewed = True
        await self.fetch()
        return True

    def worked(self) -> None:
        """Notes that the server lets the client in with its token."""
        self._is_renewed = False
