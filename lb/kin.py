"""What a status says of other jobs: histogram of the children, connections, whether all children were cancelled.

Functions of a connection that only read, for jobs found already; nothing is asked about a job without kin.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import sqlalchemy as sa
from msgspec.structs import replace

from lb.state.edges import standing
from lb.state.parents import CLASSES, Histogram, completed
from lb.tables import histograms, jobs
from wms.jobid import JobId
from wms.jobstatus import COMPOSITE, JobState, JobStatus

IS_CHILD = jobs.c.parent != sa.literal_column("''")
"""As the index on parents says it, for planners that want the same words."""
_STATES = tuple(JobState)
_COLUMNS = (histograms.c.parent, *(histograms.c[name.lower()] for name in CLASSES))
_UNIQUES: sa.BindParameter[str] = sa.bindparam("uniques", expanding=True)
_COUNTED = sa.select(*_COLUMNS).where(histograms.c.parent.in_(_UNIQUES))
_ENDS = sa.select(jobs.c.job, jobs.c.server, jobs.c.state).where(jobs.c.job.in_(_UNIQUES))
_NOT_CANCELLED = sa.exists().where(jobs.c.parent == histograms.c.parent, IS_CHILD, jobs.c.type != "",
                                   jobs.c.state != JobState.CANCELLED.code)
_ALL_CANCELLED = sa.select(histograms.c.parent).where(histograms.c.parent.in_(_UNIQUES), sa.not_(_NOT_CANCELLED))


def with_kin(conn: sa.Connection, found: Mapping[str, JobStatus]) -> dict[str, JobStatus]:
    """The same statuses, by unique part, with what their tables tell; those of simple jobs are left as they are."""
    return {**found, **_parents(conn, found), **_connected(conn, found)}


def counted(conn: sa.Connection, parents: Collection[str]) -> dict[str, Histogram]:
    """The stored histograms of these jobs (unique parts), without the rest; none for whom no child has moved."""
    if not parents:
        return {}
    rows = conn.execute(_COUNTED, {"uniques": list(parents)}).all()
    return {parent: dict(zip(CLASSES, counts, strict=True)) for parent, *counts in rows}


def _parents(conn: sa.Connection, found: Mapping[str, JobStatus]) -> dict[str, JobStatus]:
    composite = {unique: status for unique, status in found.items() if status.jobtype in COMPOSITE}
    classes = counted(conn, composite)
    over = [unique for unique in classes if composite[unique].state is JobState.CLEARED]
    cancelled = set(conn.execute(_ALL_CANCELLED, {"uniques": over}).scalars()) if over else set()
    return {unique: replace(status, children_hist=dict(completed(classes.get(unique, {}), status.children_num)),
                            all_cancelled=unique in cancelled)
            for unique, status in composite.items()}


def _connected(conn: sa.Connection, found: Mapping[str, JobStatus]) -> dict[str, JobStatus]:
    connected = {unique: status for unique, status in found.items() if status.related}
    if not connected:
        return {}
    others = {id for status in connected.values() for id in _neighbours(status)}
    rows = conn.execute(_ENDS, {"uniques": [id.unique for id in others]}).all()
    states = dict.fromkeys(map(str, others), JobState.PURGED)
    states |= {f"https://{server}/{unique}": _STATES[code] for unique, server, code in rows}
    return {unique: replace(status, related=standing(status.related, states))
            for unique, status in connected.items()}


def _neighbours(status: JobStatus) -> list[JobId]:
    """The other ends that this server must know, unless they were purged: a connection makes their rows."""
    job, others = JobId.parse(status.job_id), [JobId.parse(edge["job"]) for edge in status.related]
    return [other for other in others if (other.host, other.port) == (job.host, job.port)]
