"""Credentials that jobs need: kept fresh, taken back, ended."""

from __future__ import annotations

from wms.messages.record import Record


class Register(Record, frozen=True):
    """A job needs this credential, of `kind` certificate or token; its life began at `begins` (epoch s, 0: unknown)."""

    job: str
    credential: str
    owner: str
    myproxy: str
    not_after: float
    kind: str = "certificate"
    begins: float = 0.0


class Redelegated(Record, frozen=True):
    """The owner himself has put a fresh credential in the old one's place."""

    credential: str
    begins: float
    not_after: float


class Destroyed(Record, frozen=True):
    """The owner took his credential back."""

    credential: str


class Unregister(Record, frozen=True):
    job: str


class ProxyRenewed(Record, frozen=True):
    """To the Job Adapter, and to the Network Server: there is a fresh credential in the old one's place.

    `not_after` is epoch s, `kind` certificate or token.
    """

    credential: str
    jobs: tuple[str, ...]
    not_after: float = 0.0
    kind: str = "certificate"
    tries: int = 0


class CredentialEnded(Record, frozen=True):
    """The credential of these jobs has ended and cannot be renewed; `reason` is a sentence.

    `after`: nodes of the compound that is named, up to this index, have ended already (-1: none).
    """

    credential: str
    jobs: tuple[str, ...]
    reason: str
    after: int = -1


Message = Register | Redelegated | Destroyed | Unregister | ProxyRenewed | CredentialEnded
