"""Whose name an ARC CE gets for a job: credentials of owners as they came with their jobs, or the service's own.

Owners' are private files in the spool until the last of their jobs is gone: who only asks about jobs needs them too.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec

from wms.ce import CeJob
from wms.ce.arc.settings import ArcSettings
from wms.ce.ledger import Ledger
from wms.errors import CredentialExpired, CredentialNotFound
from wms.tokens.reading import read
from wms.x509.proxy import identify, load

__all__ = ["SERVICE", "Credential", "Wallet"]

SERVICE = "service"


class Credential(NamedTuple):
    """`key` is its name with us: the same for the next proxy of the same owner in the same roles."""

    key: str
    proxy: bytes = b""
    bearer: str = ""
    not_after: float = 0.0

    def __repr__(self) -> str:
        return f"Credential({self.key!r})"


class _Kept(msgspec.Struct, frozen=True):
    proxy: bytes
    bearer: str
    not_after: float


def of_job(job: CeJob, now: float) -> Credential:
    """The one that came with the job. BadCredential for none, CredentialExpired for an old one."""
    if job.proxy:
        owner = identify(load(job.proxy).chain, now)
        return Credential(_key("p", owner.dn, *job.fqans), job.proxy, "", owner.not_after)
    if job.bearer:
        token = job.bearer.decode("ascii", "replace").strip()
        claims = read(token).claims
        return Credential(_key("t", claims.iss, claims.sub), b"", token, claims.exp)
    raise CredentialNotFound("the job has no credential to show to the CE")


def _key(kind: str, *names: str) -> str:
    return kind + hashlib.sha256("\0".join(names).encode()).hexdigest()[:24]


class Wallet:
    """Credentials by key. `now` tells the time."""

    def __init__(self, settings: ArcSettings, now: Callable[[], float]) -> None:
        self._settings = settings
        self._now = now
        self._kept = Ledger(Path(settings.spool, "credentials"), _Kept)
        self._service: tuple[tuple[int, ...], Credential] | None = None

    def prepare(self) -> None:
        self._kept.prepare()

    def for_job(self, job: CeJob) -> Credential:
        """The one to submit it under; an owner's is kept. Raises BadCredential."""
        if self._settings.credential == SERVICE:
            return self.get(SERVICE)
        found = of_job(job, self._now())
        self.keep(found)
        return self.get(found.key)

    def keep(self, credential: Credential) -> None:
        """Unless there is one that lasts longer."""
        known = self._kept.get(credential.key)
        if known is None or known.not_after < credential.not_after:
            self._kept.put(credential.key, _Kept(credential.proxy, credential.bearer, credential.not_after))

    def renew(self, key: str, proxy: bytes, bearer: bytes) -> None:
        """A fresh one of that owner; of the kind that is in use. Raises BadCredential."""
        known = self._kept.get(key)
        if known is None:
            return
        if known.proxy and proxy:
            self.keep(Credential(key, proxy, "", identify(load(proxy).chain, self._now()).not_after))
        elif known.bearer and bearer:
            token = bearer.decode("ascii", "replace").strip()
            self.keep(Credential(key, b"", token, read(token).claims.exp))

    def get(self, key: str) -> Credential:
        """Raises CredentialNotFound or CredentialExpired."""
        found = self._own() if key == SERVICE else self._owners(key)
        if found.not_after and found.not_after <= self._now():
            raise CredentialExpired("the proxy has expired" if found.proxy else "the token has expired")
        return found

    def known(self) -> list[str]:
        """The keys of all that are kept, or the service's."""
        return [SERVICE] if self._settings.credential == SERVICE else sorted(self._kept.tokens())

    def forget(self, key: str) -> None:
        self._kept.remove([key] if key != SERVICE else [])

    def _owners(self, key: str) -> Credential:
        kept = self._kept.get(key)
        if kept is None:
            raise CredentialNotFound("the credential of the job is not here")
        return Credential(key, kept.proxy, kept.bearer, kept.not_after)

    def _own(self) -> Credential:
        """Read again when a file has changed."""
        settings = self._settings
        paths = [path for path in (settings.certificate, settings.key, settings.token_file) if path]
        try:
            stamp = tuple(os.stat(path).st_mtime_ns for path in paths)
            if self._service is None or self._service[0] != stamp:
                self._service = stamp, _read(settings)
        except OSError as error:
            raise CredentialNotFound(f"the service's credential cannot be read: {error}") from error
        return self._service[1]


def _read(settings: ArcSettings) -> Credential:
    if not settings.certificate:
        return Credential(SERVICE, bearer=Path(settings.token_file).read_text("ascii").strip())
    pem = b"\n".join(Path(path).read_bytes() for path in (settings.certificate, settings.key) if path)
    return Credential(SERVICE, pem, "", min(cert.not_valid_after_utc.timestamp() for cert in load(pem).chain))
