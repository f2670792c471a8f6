"""What is watched: one row an attempt, from its submission (or first news of it) to its end."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa

from wms.database import metadata
from wms.operations import OutcomeReport

EXPECTED, WATCHED, OVER = "expected", "watched", "over"
"""Not submitted yet as far as we know; at the CE; ended."""

watches = sa.Table(
    "lm_watches", metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("attempt", sa.Integer, primary_key=True),
    sa.Column("job", sa.String(255), nullable=False),
    sa.Column("phase", sa.String(16), nullable=False),
    sa.Column("backend", sa.String(64), nullable=False),
    sa.Column("ce", sa.String(255), nullable=False),
    sa.Column("token", sa.String(128), nullable=False),
    sa.Column("sequence_code", sa.String(160), nullable=False),
    sa.Column("report", sa.LargeBinary),
    sa.Column("cancelled", sa.Boolean, nullable=False),
    sa.Column("gone", sa.Float),
    sa.Column("changed", sa.Float, nullable=False),
    sa.Column("held", sa.Float(53), comment="epoch s: since when the CE keeps it back"),
    sa.Index("lm_watches_backend", "phase", "backend"),
)


class WatchRow(NamedTuple):
    """A row of lm_watches. Since when (epoch s) the CE says it ended or is unknown: `gone`; is kept back: `held`."""

    id: str
    attempt: int
    job: str
    phase: str = EXPECTED
    backend: str = ""
    ce: str = ""
    token: str = ""
    sequence_code: str = ""
    report: bytes | None = None
    cancelled: bool = False
    gone: float | None = None
    changed: float = 0.0
    held: float | None = None

    def outcome(self) -> OutcomeReport | None:
        """What the wrapper reported, if it did."""
        return None if self.report is None else msgspec.json.decode(self.report, type=OutcomeReport)


class Seen(NamedTuple):
    """What an observer needs of a row: of 10,000 of them at every look."""

    id: str
    attempt: int
    token: str
    cancelled: bool
    gone: float | None
    held: float | None


_SEEN = tuple(watches.c[name] for name in Seen._fields)
_FIND = sa.select(watches).where(
    watches.c.id == sa.bindparam("id"), watches.c.attempt == sa.bindparam("number")).with_for_update()


def find(conn: sa.Connection, job: str, attempt: int) -> WatchRow:
    """The row, locked until the commit, or a new one that was never stored."""
    id = job.rsplit("/", 1)[-1]
    row = conn.execute(_FIND, {"id": id, "number": attempt}).first()
    return WatchRow(id, attempt, job) if row is None else WatchRow(*row)


def put(conn: sa.Connection, row: WatchRow) -> None:
    """Insert or replace."""
    here = (watches.c.id == row.id, watches.c.attempt == row.attempt)
    if not conn.execute(watches.update().where(*here).values(**row._asdict())).rowcount:
        conn.execute(watches.insert(), row._asdict())


def watched(conn: sa.Connection, backend: str) -> list[Seen]:
    """All that a backend has to be asked about."""
    chosen = sa.select(*_SEEN).where(watches.c.phase == WATCHED, watches.c.backend == backend)
    return [Seen(*row) for row in conn.execute(chosen)]


def orphans(conn: sa.Connection, backends: Collection[str]) -> list[WatchRow]:
    """What is watched at other backends than these: nobody asks for it."""
    chosen = sa.select(watches).where(watches.c.phase == WATCHED, watches.c.backend.not_in(backends))
    return [WatchRow(*row) for row in conn.execute(chosen)]


_SET_GONE = watches.update().where(
    watches.c.id == sa.bindparam("of"), watches.c.attempt == sa.bindparam("number")).values(gone=sa.bindparam("since"))


def set_gone(conn: sa.Connection, rows: Sequence[Seen], gone: float | None) -> None:
    conn.execute(_SET_GONE, [{"of": row.id, "number": row.attempt, "since": gone} for row in rows])


def change(conn: sa.Connection, row: WatchRow, **values: Any) -> None:
    conn.execute(watches.update().where(watches.c.id == row.id, watches.c.attempt == row.attempt).values(**values))


def forget(conn: sa.Connection, before: float) -> int:
    """Drop what was over before `before`."""
    return conn.execute(watches.delete().where(
        watches.c.phase == OVER, watches.c.changed < before)).rowcount
