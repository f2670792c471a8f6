"""What the tables of the Network Server say of jobs that are asked about: statements that read and lock nothing."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import sqlalchemy as sa

from ns.store import INPUT, REGISTERED, STARTED, Job, attempts, delegations, files, jobs


class Standing(NamedTuple):
    """`lacking`: input files that have not arrived; `begun`: jobs whose program runs; `ends`: of credentials."""

    jobs: Mapping[str, Job]
    lacking: Mapping[str, Sequence[str]]
    begun: frozenset[str]
    ends: Mapping[str, float]


def standing(conn: sa.Connection, ids: Collection[str]) -> Standing:
    """Of those of these jobs that are here."""
    found = {row.id: Job(*row) for row in conn.execute(sa.select(jobs).where(jobs.c.id.in_(ids)))}
    waiting = [job for job in found.values() if job.phase == REGISTERED]
    started = [job.id for job in found.values() if job.phase == STARTED]
    begun = conn.scalars(sa.select(attempts.c.id).where(
        attempts.c.id.in_(started), attempts.c.started.is_not(None), attempts.c.closed.is_(None)))
    credentials = {job.credential for job in waiting}
    ends = conn.execute(sa.select(delegations.c.credential, delegations.c.not_after).where(
        delegations.c.credential.in_(credentials)))
    return Standing(found, _lacking(conn, [job.id for job in waiting]), frozenset(begun),
                    {row.credential: row.not_after for row in ends})


def _lacking(conn: sa.Connection, ids: Collection[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    wanted = sa.select(files.c.id, files.c.name).where(
        files.c.id.in_(ids), files.c.kind == INPUT, files.c.received.is_(False))
    for id, name in conn.execute(wanted.order_by(files.c.id, files.c.name)):
        found.setdefault(id, []).append(name)
    return found
