"""Submissions: the intention is written before the CE is asked, the result after it. One row an attempt."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import sqlalchemy as sa

from wms.database import metadata

INTENDED, SUBMITTED, STOPPED = "intended", "submitted", "stopped"

submissions = sa.Table(
    "ja_submissions", metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("attempt", sa.Integer, primary_key=True),
    sa.Column("backend", sa.String(64), nullable=False),
    sa.Column("token", sa.String(128), nullable=False),
    sa.Column("phase", sa.String(16), nullable=False),
    sa.Column("credential", sa.String(64), nullable=False),
    sa.Column("changed", sa.Float, nullable=False),
    sa.Index("ja_submissions_credential", "credential"),
)
checks = sa.Table(
    "ja_checks", metadata,
    sa.Column("backend", sa.String(64), primary_key=True),
    sa.Column("asked", sa.Float(53), nullable=False, comment="epoch s"),
    sa.Column("finished", sa.Float(53), comment="epoch s"),
    sa.Column("report", sa.LargeBinary, nullable=False, comment="JSON: what works so far"),
)


PORTION = 500
"""Tokens in one statement."""


class Submission(NamedTuple):
    """A row of ja_submissions; `token` is what the CE knows it by."""

    id: str
    attempt: int
    backend: str
    token: str
    phase: str
    credential: str
    changed: float


def token(id: str, attempt: int) -> str:
    """Our name of an attempt at the CE: the same for every repetition of its submission."""
    return f"{id}-{attempt}"


def find(conn: sa.Connection, tokens: Iterable[str]) -> dict[str, Submission]:
    """Submissions by token."""
    wanted = [name.rsplit("-", 1) for name in tokens]
    if not wanted:
        return {}
    rows = conn.execute(sa.select(submissions).where(submissions.c.id.in_([id for id, _ in wanted])))
    return {row.token: Submission(*row) for row in rows}


def find_all(conn: sa.Connection, tokens: Sequence[str]) -> dict[str, Submission]:
    """The same for any number of tokens."""
    found: dict[str, Submission] = {}
    for first in range(0, len(tokens), PORTION):
        found |= find(conn, tokens[first : first + PORTION])
    return found


def intend(conn: sa.Connection, rows: Sequence[Submission]) -> dict[str, Submission]:
    """Write the intentions that are new; token -> its row as it is now. Only INTENDED may be submitted."""
    known = find(conn, [row.token for row in rows])
    new = [row for row in rows if row.token not in known]
    if new:
        conn.execute(submissions.insert(), [row._asdict() for row in new])
    return {row.token: known.get(row.token, row) for row in rows}


def mark(conn: sa.Connection, tokens: Iterable[str], phase: str, now: float) -> None:
    for name in tokens:
        id, attempt = name.rsplit("-", 1)
        conn.execute(submissions.update().where(submissions.c.id == id, submissions.c.attempt == int(attempt))
                     .values(phase=phase, changed=now))


def stop(conn: sa.Connection, rows: Iterable[Submission]) -> None:
    """No submission of these attempts from now on, whether or not they were seen before."""
    for row in rows:
        here = (submissions.c.id == row.id, submissions.c.attempt == row.attempt)
        values = {"phase": STOPPED, "changed": row.changed}
        if not conn.execute(submissions.update().where(*here).values(**values)).rowcount:
            conn.execute(submissions.insert(), row._asdict())


def withdraw(conn: sa.Connection, tokens: Sequence[str], now: float) -> None:
    """Intentions that nobody follows any more."""
    intended = [name for name, row in find_all(conn, tokens).items() if row.phase == INTENDED]
    mark(conn, intended, STOPPED, now)


def at_ce(conn: sa.Connection, backend: str) -> int:
    """How many are at the backend as far as we know."""
    chosen = sa.select(sa.func.count()).where(submissions.c.backend == backend, submissions.c.phase == SUBMITTED)
    return int(conn.execute(chosen).scalar_one())


def live(conn: sa.Connection, credential: str) -> list[Submission]:
    """Submissions that run under a credential."""
    chosen = sa.select(submissions).where(submissions.c.credential == credential, submissions.c.phase == SUBMITTED)
    return [Submission(*row) for row in conn.execute(chosen)]


def forget(conn: sa.Connection, before: float) -> int:
    """Drop rows of attempts that were stopped before `before`."""
    return conn.execute(submissions.delete().where(
        submissions.c.phase == STOPPED, submissions.c.changed < before)).rowcount
