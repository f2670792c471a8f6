"""Children that exist because their parent was registered: which registration makes them, and what is told of each.

Pure functions: a child is a function of one registration and its index, so making it again changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from lb.state.order import order
from lb.state.parents import INTERNAL
from lb.state.parts import job_type
from wms.event import Event, Source, duplicate_key, event
from wms.jobid import JobId
from wms.jobstatus import JobType
from wms.messages.submission import Expand
from wms.seqcode import START

MOST_CHILDREN = 10_000_000
"""A registration of more is believed, but its children exist only when somebody speaks of them."""


def expansions(known: Sequence[Event], fresh: Sequence[Event]) -> list[Expand]:
    """What to make after the `fresh` events, of all `known` ones (which contain them) of a job.

    Of registrations that would make the same children the first in logical order counts.
    """
    new = set(map(duplicate_key, fresh))
    first: dict[tuple[str | None, int], Event] = {}
    for one in sorted(filter(expands, known), key=order):
        first.setdefault((one.fields.get("seed"), one.fields["nsubjobs"]), one)
    return [_expansion(one) for one in first.values() if duplicate_key(one) in new]


def expands(one: Event) -> bool:
    """True for the registration of a job that has children."""
    return (one.type == "RegJob" and job_type(one).composite
            and 0 < one.fields.get("nsubjobs", 0) <= MOST_CHILDREN)


def births(expand: Expand, most: int) -> tuple[list[Event], Expand | None]:
    """The registrations of the next children, at most `most`, and what is to be made after them."""
    parent = JobId.parse(expand.job)
    last = min(expand.next + most, expand.number)
    jobtype = (JobType.FILE_TRANSFER if expand.jobtype == JobType.FILE_TRANSFER_COLLECTION.value
               else JobType.SIMPLE)
    form = event("RegJob", parent, Source.LB_SERVER, START, expand.at, expand.host, expand.user,
                 priority=INTERNAL, ns=expand.ns, parent=expand.job, jobtype=jobtype.value)
    born = [replace(form, job=str(parent.subjob(expand.seed, index))) for index in range(expand.next, last)]
    return born, replace(expand, next=last) if last < expand.number else None


def _expansion(one: Event) -> Expand:
    said = one.fields
    return Expand(one.job, job_type(one).value, said["nsubjobs"], one.timestamp, one.host, said["ns"], one.user,
                  said.get("seed"))
