"""Jobs that were here and were purged: which they are, and how one comes to life again.

Only the table of zombies; what is purged and when is decided in lb.upkeep.purge.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

import sqlalchemy as sa

from lb.store import Change
from lb.tables import zombies
from wms.event import Event


class Zombie(NamedTuple):
    """A purged job: unique part of its identifier, host:port of it, canonical DN of its owner, epoch seconds."""

    unique: str
    server: str
    owner: str
    purged: float


_ROW = (zombies.c.job, zombies.c.server, zombies.c.owner, zombies.c.purged)
_ONE = sa.select(*_ROW).where(zombies.c.job == sa.bindparam("unique"))


def find(conn: sa.Connection, unique: str) -> Zombie | None:
    """What is left of a purged job; None for a job that lives or never was here."""
    row = conn.execute(_ONE, {"unique": unique}).one_or_none()
    return None if row is None else Zombie(*row)


def known(conn: sa.Connection, uniques: Collection[str]) -> set[str]:
    """Those of these jobs that were purged."""
    return set(conn.execute(sa.select(zombies.c.job).where(zombies.c.job.in_(uniques))).scalars())


def add(conn: sa.Connection, dead: Sequence[Zombie]) -> None:
    """Remember jobs whose rows go with this transaction."""
    forget(conn, [zombie.unique for zombie in dead])
    if dead:
        conn.execute(zombies.insert(), [
            {"job": unique, "server": server, "owner": owner, "purged": purged}
            for unique, server, owner, purged in dead])


def forget(conn: sa.Connection, uniques: Collection[str]) -> None:
    """These are jobs again."""
    if uniques:
        conn.execute(zombies.delete().where(zombies.c.job.in_(uniques)))


def revived(conn: sa.Connection, changes: Sequence[Change], now: float) -> Sequence[Event]:
    """A follower of changes: whoever is registered is no zombie any longer."""
    forget(conn, [change.unique for change in changes if _born(change)])
    return ()


def _born(change: Change) -> bool:
    return bool(change.after.jobtype) and (change.before is None or not change.before.jobtype)
