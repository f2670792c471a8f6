"""Delegation of a proxy, and what its owner does with what he delegated: list it, look at it, destroy it.

The caller signs a key that was made here, so that no private key travels. A delegation is named by the caller and
private to him. Renewing one is delegating again under its name. Tokens: `ns.delegated_tokens`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import sqlalchemy as sa

from ns import delegated_chain, pending_keys, store
from ns import delegation_rows as rows
from ns.delegated_chain import Accepted
from ns.delegation import credential_id, named, require_full
from ns.delegation_rows import Delegation
from wms.authz.relations import require
from wms.credentials import PROXY, TOKEN
from wms.errors import DelegationMismatch, Draining, NotAllowedNow, NotFound, Refused
from wms.httpd import Call
from wms.messages.credentials import Destroyed, Redelegated
from wms.messages.topics import PROXYRENEWAL
from wms.operations import DelegationChain, DelegationInfo, DelegationRequest
from wms.operations.delegations import DelegationList, Forgotten
from wms.outbox import Outbox
from wms.service import Kit
from wms.x509.proxy import load_key, request, require_life

MOST_LISTED = 1000
MOST_NAMED = 20
"""Jobs that a refusal names."""


class Delegations:
    """The operations on delegations of proxies, and on all of them."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit

    # -- a proxy -----------------------------------------------------------------------------------------

    async def request(self, call: Call) -> DelegationRequest:
        user, credential = call.user, named(call.user.dn, call.params["delegation"])
        require_full(user)
        if not call.chain:
            raise Refused("A proxy is delegated over a connection that was made with it.",
                          hint="Delegate a token with PUT .../token.")
        await self._kit.database.read(require_room, user.dn, credential, self._kit.settings.ns.max_delegations,
                                      self._kit.now(), call.drained)
        key, csr = await self._kit.thread(request)
        mark = delegated_chain.key_mark(load_key(key).public_key())
        await self._kit.thread(pending_keys.put, self._kit.credentials, user.dn, credential, mark, key)
        return DelegationRequest(csr.decode())

    async def put(self, call: Call) -> DelegationInfo:
        """All is checked before the key is spent, and it is spent before the credential is in place.

        A crash in between loses nothing but the signing request: what was delegated before is still there.
        """
        body, kit, now = call.body, self._kit, self._kit.now()
        assert isinstance(body, DelegationChain)
        owner, credential = call.user.dn, named(call.user.dn, call.params["delegation"])
        require_full(call.user)
        chain, mark = await kit.thread(delegated_chain.read, body.chain_pem)
        key = await kit.thread(pending_keys.read, kit.credentials, owner, credential, mark, now)
        found = await kit.thread(delegated_chain.checked, key, chain, call.user, call.chain, now)
        require_life(replace(call.user, not_after=found.not_after), now, kit.settings.ns.min_proxy_s)
        row = _row(credential, call, found)
        await kit.database.read(require_replaceable, row, kit.settings.ns.max_delegations, now)
        await kit.thread(self._keep, row, mark, found.pem)
        return await kit.database.transact(recorded, row, now)

    def _keep(self, row: Delegation, mark: str, pem: bytes) -> None:
        credentials = self._kit.credentials
        pending_keys.spend(credentials, row.owner, row.credential, mark)
        credentials.write(row.credential, pem, PROXY)
        credentials.remove(row.credential, TOKEN)

    # -- all ---------------------------------------------------------------------------------------------

    async def info(self, call: Call) -> DelegationInfo:
        return await self._kit.database.read(_one, credential_id(call.user.dn, call.params["delegation"]))

    async def of_job(self, call: Call) -> DelegationInfo:
        return await self._kit.database.read(_of_job, call)

    async def listing(self, call: Call) -> DelegationList:
        return await self._kit.database.read(_all, call.user.dn)

    async def destroy(self, call: Call) -> Forgotten:
        """Forgotten first, then removed: a file that nothing names is found by housekeeping."""
        credential, kit = credential_id(call.user.dn, call.params["delegation"]), self._kit
        reply = await kit.database.transact(_destroy, credential, call.query.get("force") == "yes", kit.now())
        if not await kit.database.read(rows.known, [credential]):
            await kit.thread(kit.credentials.remove, credential)
        await kit.thread(pending_keys.forget, kit.credentials, call.user.dn, credential)
        return reply


def _row(credential: str, call: Call, found: Accepted) -> Delegation:
    user = call.user
    return Delegation(credential, call.params["delegation"], user.dn, found.not_after, vo=user.vo, fqans=user.fqans,
                      issuer=found.issuer, strength=found.strength, not_before=found.not_before)


def require_room(conn: sa.Connection, owner: str, credential: str, most: int, now: float,
                 drained: bool = False) -> None:
    """Raises NotAllowedNow for one delegation too many, Draining for a new one where nothing new is taken."""
    if rows.find(conn, credential) is not None:
        return
    if drained:
        raise Draining("The service takes no new credentials for now; it is temporarily drained.",
                       hint="What was delegated can be renewed under its name.")
    if rows.count(conn, owner, now) >= most:
        raise NotAllowedNow(f"You have {most} delegated credentials here; more are not kept.", limit=most,
                            hint="Destroy one that you do not need: wms delegations destroy NAME.")


def require_replaceable(conn: sa.Connection, row: Delegation, most: int, now: float, drained: bool = False) -> None:
    """Raises DelegationMismatch when jobs would go on with other rights than those they were registered with."""
    require_room(conn, row.owner, row.credential, most, now, drained)
    old = rows.find(conn, row.credential)
    if old is None or (old.kind, old.vo, old.fqans) == (row.kind, row.vo, row.fqans):
        return
    if needed := rows.jobs_of(conn, row.credential, MOST_NAMED):
        raise DelegationMismatch(
            "Jobs were registered with a credential of this name that carries other rights.", jobs=needed,
            hint="Choose another name for this one, or renew the old one with the same VO, groups and roles.")


def recorded(conn: sa.Connection, row: Delegation, now: float) -> DelegationInfo:
    """The credential is in place: say so; jobs may have one of this name from before, even if it was destroyed."""
    old = rows.find(conn, row.credential, change=True)
    rows.put(conn, row)
    if old is not None or rows.jobs_of(conn, row.credential, 1):
        with Outbox(conn, now) as out:
            out.send(PROXYRENEWAL, Redelegated(row.credential, row.not_before, row.not_after))
    return _infos(conn, [row])[0]


def _one(conn: sa.Connection, credential: str) -> DelegationInfo:
    return _infos(conn, [_here(rows.find(conn, credential))])[0]


def _of_job(conn: sa.Connection, call: Call) -> DelegationInfo:
    job = store.job(conn, call.params["unique"])
    require(call, job)
    return _one(conn, job.credential)


def _all(conn: sa.Connection, owner: str) -> DelegationList:
    return DelegationList(tuple(_infos(conn, rows.of_owner(conn, owner, MOST_LISTED))))


def _destroy(conn: sa.Connection, credential: str, force: bool, now: float) -> Forgotten:
    row = _here(rows.find(conn, credential, change=True))
    needed = rows.jobs_of(conn, credential, MOST_NAMED)
    number = rows.needed_by(conn, [credential]).get(credential, 0) if needed else 0
    if needed and not force:
        raise NotAllowedNow(f"{number} jobs that are not over need this credential.", jobs=needed, number=number,
                            hint="Wait for them, cancel them, or force it: then they end when it is gone.")
    rows.remove(conn, credential)
    with Outbox(conn, now) as out:
        out.send(PROXYRENEWAL, Destroyed(credential))
    return Forgotten(row.name, number, tuple(needed))


def _here(row: Delegation | None) -> Delegation:
    if row is None:
        raise NotFound("No delegation of this name is here.")
    return row


def _infos(conn: sa.Connection, found: Sequence[Delegation]) -> list[DelegationInfo]:
    credentials = [row.credential for row in found]
    needed, due = rows.needed_by(conn, credentials), rows.next_renewals(conn, credentials)
    return [DelegationInfo(row.name, row.owner, row.not_after, row.kind, row.vo, row.fqans, row.limited, row.issuer,
                           row.strength, row.not_before, needed.get(row.credential, 0), due.get(row.credential, 0.0))
            for row in found]
