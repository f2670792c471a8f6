"""Connected jobs: what the server tells the other end of a connection, and how a connection stands.

Pure functions; connections are kept in the records of both jobs, only of jobs of the same server.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from lb.state.family_parts import ACTIVE
from lb.state.parents import INTERNAL
from lb.state.record import Record
from wms.event import Event, Source, event
from wms.jobid import JobId
from wms.jobstatus import TERMINAL, JobState
from wms.seqcode import START

INACTIVE = "INACTIVE"
_FINISHED = TERMINAL | {JobState.DONE}


def mirrors(before: Record | None, after: Record) -> Iterator[Event]:
    """What the other jobs must hear of the connections that are new in `after`."""
    known = before.edges if before is not None else {}
    for name, edge in after.edges.items():
        told_at, ended, mirrored = edge
        if mirrored or known.get(name) == edge:
            continue
        job, other = JobId.parse(after.job_id), JobId.parse(name)
        if (other.host, other.port) == (job.host, job.port):
            yield event("DisconnectJob" if ended else "ConnectJob", other, Source.LB_SERVER, START,
                        told_at / 1e6, job.host, priority=INTERNAL, dest_jobid=after.job_id)


def standing(related: Sequence[Mapping[str, str]], states: Mapping[str, JobState]) -> list[dict[str, str]]:
    """Related jobs with connections INACTIVE where the other end, by its URL in `states`, has finished or is gone."""
    return [{**edge, "state": INACTIVE if edge["state"] == ACTIVE and states.get(edge["job"]) in _FINISHED
             else edge["state"]} for edge in related]
