"""Statements on wm_decisions and wm_snapshots, and their room. What is in them: records, shelves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from wm.replay.shelves import chain_of
from wm.tables import decisions, jobs, snapshots

ENOUGH = 0.95
"""Of the room is left full when it is cleared."""
PORTION = 2_000
_CHAIN = len(chain_of("x" * 64))
_SIZE = sa.func.length(decisions.c.inputs) + sa.func.length(decisions.c.outcome)


class Kept(NamedTuple):
    """A row of wm_decisions, and one of wm_snapshots that changes the one called `base` unless it has no content."""

    id: str
    at: float
    snapshot: str
    record: bytes
    outcome: bytes
    base: str = ""
    content: bytes = b""

    @property
    def size(self) -> int:
        return len(self.record) + len(self.outcome) + len(self.content)


class Row(NamedTuple):
    """A row of wm_decisions; `record` is compressed."""

    id: str
    at: float
    snapshot: str
    record: bytes
    outcome: bytes


# -- keeping ---------------------------------------------------------------------------------------------


def put(conn: sa.Connection, new: Sequence[Kept]) -> bool:
    """False, and nothing is kept, if a snapshot that these stand on is not here any more."""
    brought = {one.snapshot for one in new if one.content}
    needed = {name for one in new for name in (one.base, one.snapshot)} - brought - {""}
    if len(set(conn.scalars(sa.select(snapshots.c.digest).where(snapshots.c.digest.in_(needed))))) < len(needed):
        return False
    _add(conn, snapshots, [{"digest": one.snapshot, "at": one.at, "size": len(one.content), "content": one.content}
                           for one in new if one.content])
    _add(conn, decisions, [{"id": one.id, "at": one.at, "snapshot": one.snapshot, "inputs": one.record,
                            "outcome": one.outcome} for one in new])
    return True


def _add(conn: sa.Connection, table: sa.Table, rows: Sequence[dict[str, Any]]) -> None:
    if rows:
        insert = (postgresql if conn.dialect.name == "postgresql" else sqlite).insert(table)
        conn.execute(insert.on_conflict_do_nothing(), rows)


def used(conn: sa.Connection) -> int:
    """Bytes of all that is kept."""
    return (conn.scalar(sa.select(sa.func.sum(snapshots.c.size))) or 0) + (
        conn.scalar(sa.select(sa.func.sum(_SIZE))) or 0)


def clear(conn: sa.Connection, room: int) -> int:
    """The oldest decisions go until the others have room, and chains of snapshots that none needs; bytes used then."""
    excess, last = used(conn) - int(room * ENOUGH), None
    oldest = sa.select(decisions.c.at, decisions.c.id, _SIZE).order_by(decisions.c.at, decisions.c.id).limit(PORTION)
    for at, id, size in conn.execute(oldest).all():
        if excess > 0:
            last, excess = (at, id), excess - size
    if last is not None:
        conn.execute(decisions.delete().where(
            sa.or_(decisions.c.at < last[0], sa.and_(decisions.c.at == last[0], decisions.c.id <= last[1]))))
    _forget_chains(conn)
    return used(conn)


def _forget_chains(conn: sa.Connection) -> None:
    here, needed = (set(conn.scalars(sa.select(sa.func.substr(name, 1, _CHAIN)).distinct()))
                    for name in (snapshots.c.digest, decisions.c.snapshot))
    if gone := here - needed:
        conn.execute(snapshots.delete().where(sa.func.substr(snapshots.c.digest, 1, _CHAIN).in_(gone)))


# -- looking ---------------------------------------------------------------------------------------------


def find(conn: sa.Connection, id: str) -> Row | None:
    """The decision, or the only one whose id begins so."""
    found = conn.execute(sa.select(decisions).where(decisions.c.id.startswith(id, autoescape=True)).limit(2)).all()
    return Row(*found[0]) if len(found) == 1 else None


def latest(conn: sa.Connection, number: int) -> list[Row]:
    """The last ones, newest first."""
    chosen = sa.select(decisions).order_by(decisions.c.at.desc(), decisions.c.id.desc()).limit(number)
    return [Row(*row) for row in conn.execute(chosen)]


def of_job(conn: sa.Connection, job: str) -> tuple[str, str] | None:
    """(decision, lane) of a job, "" if there was none yet; None for an unknown job."""
    row = conn.execute(sa.select(jobs.c.decision, jobs.c.lane).where(jobs.c.id == job.rsplit("/", 1)[-1])).first()
    return None if row is None else (row.decision, row.lane)


def content(conn: sa.Connection, name: str) -> bytes | None:
    """A piece of a snapshot, compressed."""
    return conn.scalar(sa.select(snapshots.c.content).where(snapshots.c.digest == name))
