"""Renews tokens: the issuer gives the next ones for the refresh token that is held."""

from __future__ import annotations

from typing import Protocol

from proxyrenewal.kinds import Failed, Fresh
from proxyrenewal.store import Registration
from wms.errors import BadToken, TokenIssuerUnknown, Unavailable
from wms.tokens.held import Held


class Refreshing(Protocol):
    """`wms.issuers.Issuers`, as far as it is needed here."""

    async def refresh(self, held: Held) -> Held:
        """Raises BadToken when it is useless to repeat it, else Unavailable."""
        ...


class TokenRenewer:
    def __init__(self, issuers: Refreshing) -> None:
        self._issuers = issuers

    async def renew(self, entry: Registration, old: bytes, now: float) -> Fresh | Failed:
        """The issuer's no is final; one who is not trusted any more may be again, after a change of the settings."""
        held = Held.decode(old)
        if not held.refresh_token:
            return Failed("the token came without a refresh token", final=True)
        try:
            new = await self._issuers.refresh(held)
        except TokenIssuerUnknown as error:
            return Failed(f"{held.issuer}: {error.message}")
        except BadToken as error:
            return Failed(error.message, final=True)
        except Unavailable as error:
            return Failed(error.message, silent=True)
        return Fresh(new.encode(), new.expires)
