"""Keys made here that wait for their certificates: private files, each for one chain, for an hour.

A file is named after its own public key, so two delegations of one name at the same time are two keys. They block.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from wms.credentials import PENDING, Credentials
from wms.errors import DelegationReplayed
from wms.identity import canonical_dn

KEPT_S = 3600.0
MOST = 20
"""Of one user: when he asks for more, the oldest go."""
DIRECTORY = "pending"


def put(credentials: Credentials, owner: str, credential: str, mark: str, key: bytes) -> None:
    """Keep the private `key` (PEM) until its certificate comes; `mark` is that of its public key."""
    place = _place(credentials, owner)
    for directory in (credentials.directory, place.parent, place):
        directory.mkdir(mode=0o700, exist_ok=True)
    here = sorted(place.glob(f"*{PENDING}"), key=last_written)
    for path in here[:max(0, len(here) + 1 - MOST)]:
        path.unlink(missing_ok=True)
    credentials.write(_name(owner, credential, mark), key, PENDING)


def read(credentials: Credentials, owner: str, credential: str, mark: str, now: float) -> bytes:
    """Raises DelegationReplayed when no key waits for this certificate (any more)."""
    name = _name(owner, credential, mark)
    try:
        if credentials.path(name, PENDING).stat().st_mtime + KEPT_S < now:
            raise _replayed()
        return credentials.read(name, PENDING)
    except FileNotFoundError:
        raise _replayed() from None


def spend(credentials: Credentials, owner: str, credential: str, mark: str) -> None:
    """From now on nobody else can use this key; raises DelegationReplayed when somebody has just done so."""
    try:
        credentials.path(_name(owner, credential, mark), PENDING).unlink()
    except FileNotFoundError:
        raise _replayed() from None


def forget(credentials: Credentials, owner: str, credential: str) -> None:
    """Nobody is to complete a delegation of this name."""
    for path in _place(credentials, owner).glob(f"{credential}.*{PENDING}"):
        path.unlink(missing_ok=True)


def remove_old(directory: Path, before: float) -> None:
    """Those last written `before`, whoever's they are."""
    for path in directory.glob(f"**/*{PENDING}"):
        if last_written(path) < before:
            path.unlink(missing_ok=True)


def last_written(path: Path) -> float:
    """Epoch s; 0 of a file that has just gone."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _place(credentials: Credentials, owner: str) -> Path:
    return credentials.directory / DIRECTORY / hashlib.sha256(canonical_dn(owner).encode()).hexdigest()[:40]


def _name(owner: str, credential: str, mark: str) -> str:
    whose = hashlib.sha256(canonical_dn(owner).encode()).hexdigest()[:40]
    return f"{DIRECTORY}/{whose}/{credential}.{mark}"


def _replayed() -> DelegationReplayed:
    return DelegationReplayed(
        "No signing request of this delegation waits for such a certificate: it was answered before, is too old, or "
        "was never made.", hint="Ask for a new signing request.")
