"""What the service asks of a renewer, and what one answers; there is one for each kind of credential.

Not how a renewal is done (`by_myproxy`, `by_token`), and nothing of when.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from proxyrenewal.store import Registration
from wms.credentials import PROXY
from wms.credentials import TOKEN as TOKEN_FILE
from wms.identity import CERTIFICATE, TOKEN

FILES = {CERTIFICATE: PROXY, TOKEN: TOKEN_FILE}
"""The file of each kind of credential (`wms.credentials`)."""


@dataclass(frozen=True, slots=True, repr=False)
class Fresh:
    """The content of a file to be put in the old one's place; it ends at `not_after` (epoch s)."""

    content: bytes
    not_after: float


@dataclass(frozen=True, slots=True)
class Failed:
    """No fresh credential: `error` says why in a sentence. `final`: nothing that time brings can help. `silent`: the
    server did not answer in time."""

    error: str
    final: bool = False
    silent: bool = False


class Renewer(Protocol):
    """Renews credentials of one kind."""

    async def renew(self, entry: Registration, old: bytes, now: float) -> Fresh | Failed:
        """A fresh credential for `old`, the content of its file; bounds its own time, may raise WmsError, OSError."""
        ...
