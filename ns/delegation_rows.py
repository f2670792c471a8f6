"""What is on record of delegated credentials: the rows of ns_delegations and who needs them.

Functions of a connection; the table is in `ns.store`, the credentials themselves are files (`wms.credentials`).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from ns.store import REGISTERED, STARTED, delegations, jobs

LIVING = (REGISTERED, STARTED)
_REGISTRATIONS = sa.table("registrations", sa.column("credential"), sa.column("myproxy"), sa.column("next_try"),
                          sa.column("failures"))
"""Proxy Renewal's, which alone writes it."""


class Delegation(NamedTuple):
    """A row of ns_delegations; `not_after` and `not_before` are epoch seconds, `strength` bits of the key."""

    credential: str
    name: str
    owner: str
    not_after: float
    kind: str = "certificate"
    vo: str = ""
    fqans: tuple[str, ...] = ()
    issuer: str = ""
    limited: bool = False
    strength: int = 0
    not_before: float = 0.0


_ONE = sa.select(delegations).where(delegations.c.credential == sa.bindparam("credential"))
_ONE_KEPT = _ONE.with_for_update(read=True, key_share=True)
_ONE_TO_CHANGE = _ONE.with_for_update()


def _record(row: Sequence[Any]) -> Delegation:
    found = Delegation(*row)
    return found._replace(fqans=tuple(json.loads(str(row[6]))), limited=bool(found.limited))


def find(conn: sa.Connection, credential: str, *, keep: bool = False, change: bool = False) -> Delegation | None:
    """With `keep` nobody can remove it before the commit, with `change` nobody can change it either."""
    wanted = _ONE_TO_CHANGE if change else _ONE_KEPT if keep else _ONE
    row = conn.execute(wanted, {"credential": credential}).first()
    return None if row is None else _record(row)


def of_owner(conn: sa.Connection, owner: str, limit: int) -> list[Delegation]:
    """By name."""
    rows = conn.execute(sa.select(delegations).where(delegations.c.owner == owner)
                        .order_by(delegations.c.name).limit(limit))
    return [_record(row) for row in rows]


def count(conn: sa.Connection, owner: str, now: float) -> int:
    """How many of the owner's have not ended."""
    return conn.scalar(sa.select(sa.func.count()).where(
        delegations.c.owner == owner, delegations.c.not_after > now)) or 0


def put(conn: sa.Connection, row: Delegation) -> None:
    """Insert or replace it."""
    conn.execute(delegations.delete().where(delegations.c.credential == row.credential))
    conn.execute(delegations.insert(), {**row._asdict(), "fqans": json.dumps(list(row.fqans))})


def remove(conn: sa.Connection, credential: str) -> None:
    conn.execute(delegations.delete().where(delegations.c.credential == credential))


def renewed(conn: sa.Connection, credential: str, not_after: float) -> None:
    """A fresh credential is in its place."""
    conn.execute(delegations.update().where(delegations.c.credential == credential).values(not_after=not_after))


def needed_by(conn: sa.Connection, credentials: Collection[str]) -> dict[str, int]:
    """How many jobs that are not over were registered with each of these; none of what nobody needs."""
    rows = conn.execute(sa.select(jobs.c.credential, sa.func.count()).where(
        jobs.c.phase.in_(LIVING), jobs.c.credential.in_(credentials)).group_by(jobs.c.credential))
    return {credential: number for credential, number in rows}  # noqa: C416 - rows are no tuples to mypy


def next_renewals(conn: sa.Connection, credentials: Collection[str]) -> dict[str, float]:
    """When those that Proxy Renewal renews are due (epoch s)."""
    rows = conn.execute(sa.select(_REGISTRATIONS.c.credential, _REGISTRATIONS.c.next_try).where(
        _REGISTRATIONS.c.credential.in_(credentials), _REGISTRATIONS.c.myproxy != "", _REGISTRATIONS.c.failures >= 0))
    return {credential: due for credential, due in rows}  # noqa: C416 - rows are no tuples to mypy


def jobs_of(conn: sa.Connection, credential: str, limit: int) -> list[str]:
    """Some of the jobs that are not over and were registered with it."""
    return list(conn.scalars(sa.select(jobs.c.job).where(
        jobs.c.phase.in_(LIVING), jobs.c.credential == credential).limit(limit)))


def idle(conn: sa.Connection, before: float, limit: int) -> list[str]:
    """Credentials that ended before `before` and that no living job was registered with."""
    needed = sa.select(jobs.c.credential).where(jobs.c.phase.in_(LIVING))
    return list(conn.scalars(sa.select(delegations.c.credential).where(
        delegations.c.not_after < before, delegations.c.credential.not_in(needed)).limit(limit)))


def forget(conn: sa.Connection, credentials: Sequence[str], before: float) -> None:
    """Their files are gone; a delegation that was renewed meanwhile stays."""
    conn.execute(delegations.delete().where(
        delegations.c.credential.in_(credentials), delegations.c.not_after < before))


def known(conn: sa.Connection, credentials: Sequence[str]) -> set[str]:
    """Those of these that are on record."""
    return set(conn.scalars(sa.select(delegations.c.credential).where(delegations.c.credential.in_(credentials))))
