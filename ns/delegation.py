"""Delegation: the caller signs a key that was made here, so that no private key travels.

A delegation is named by the caller and private to him; the credential file is named by owner and name.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

import sqlalchemy as sa

from ns import store
from wms.credentials import PENDING
from wms.errors import CredentialExpired, DelegationNeeded, NotFound, Refused
from wms.httpd import Call
from wms.identity import canonical_dn
from wms.operations import DelegationChain, DelegationInfo, DelegationRequest
from wms.service import Kit
from wms.x509.proxy import accept, request, require_life

NAME = re.compile(r"[A-Za-z0-9_.-]{1,128}")


def credential_id(owner: str, name: str) -> str:
    """The name of the credential that `owner` delegated under `name`."""
    return hashlib.sha256(f"{canonical_dn(owner)}\n{name}".encode()).hexdigest()[:40]


def usable(conn: sa.Connection, owner: str, name: str, needed_until: float) -> tuple[str, float]:
    """(credential, not_after); raises DelegationNeeded when there is none that lasts."""
    credential = credential_id(owner, name)
    found = store.delegation(conn, credential)
    if found is None or found[1] < needed_until:
        raise DelegationNeeded("There is no delegated credential of this name that lasts long enough.",
                               hint="Delegate your proxy, then repeat the call.", delegation=name)
    return credential, found[1]


def still_usable(conn: sa.Connection, credential: str, now: float) -> float:
    """The end of a credential that a job was registered with; raises CredentialExpired when that is past."""
    found = store.delegation(conn, credential)
    if found is None or found[1] <= now:
        raise CredentialExpired("The delegated proxy of this job has expired.",
                                hint="Submit it again with a new proxy.")
    return found[1]


def remove_files(directory: Path, credentials: Iterable[str], before: float) -> list[str]:
    """Remove the files of these credentials, and keys of delegations nobody completed, last written `before`.

    Returns the credentials whose file is gone; one that was written since is left alone.
    """
    for pending in directory.glob("*.pending"):
        _remove_old(pending, before)
    return [credential for credential in credentials if _remove_old(directory / f"{credential}.pem", before)]


def _remove_old(path: Path, before: float) -> bool:
    try:
        if path.stat().st_mtime >= before:
            return False
        path.unlink()
    except FileNotFoundError:
        return True
    return True


class Delegations:
    """The three operations on delegations."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit

    async def request(self, call: Call) -> DelegationRequest:
        pending = self._pending(call)
        key, csr = await self._kit.thread(request)
        await self._kit.thread(self._kit.credentials.write, pending, key, PENDING)
        return DelegationRequest(csr.decode())

    async def put(self, call: Call) -> DelegationInfo:
        body, pending = call.body, self._pending(call)
        assert isinstance(body, DelegationChain)
        try:
            key = self._kit.credentials.read(pending, PENDING)
        except FileNotFoundError:
            raise NotFound("No delegation of this name was requested.", hint="Request it first.") from None
        now = self._kit.now()
        end_entity = call.chain[call.user.chain_length - 1]
        identity, pem = await self._kit.thread(accept, key, body.chain_pem.encode(), call.user.dn, now, end_entity)
        require_life(identity, now, self._kit.settings.ns.min_proxy_s)
        name = call.params["delegation"]
        credential = credential_id(call.user.dn, name)
        await self._kit.thread(self._kit.credentials.write, credential, pem)
        await self._kit.database.transact(
            store.put_delegation, credential, name, call.user.dn, identity.not_after)
        self._kit.credentials.remove(pending, PENDING)
        return DelegationInfo(name, identity.dn, identity.not_after)

    async def info(self, call: Call) -> DelegationInfo:
        name = call.params["delegation"]
        found = await self._kit.database.read(store.delegation, credential_id(call.user.dn, name))
        if found is None:
            raise NotFound("No delegation of this name is here.")
        return DelegationInfo(name, found[0], found[1])

    @staticmethod
    def _pending(call: Call) -> str:
        """The credential that is asked for."""
        name = call.params["delegation"]
        if NAME.fullmatch(name) is None:
            raise Refused("A delegation is named with 1 to 128 letters, digits, '.', '_' or '-'.", value=name[:128])
        return credential_id(call.user.dn, name)
