"""Collections: the state of a parent from the histogram of its children, and the event that says so.

Pure functions; who counts the children and stores the event is the store. DAGs follow their own events.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from lb.state.record import SETTLED, Record
from wms.event import Event, Source, event
from wms.jobstatus import DoneCode, JobState, JobType
from wms.seqcode import START

Histogram = Mapping[str, int]
INTERNAL = 32
"""Delivery flag (priority) of events that the server gives itself."""

_RUNNING, _DONE, _CLEARED = JobState.RUNNING.value, JobState.DONE.value, JobState.CLEARED.value
_ABORTED, _REST = JobState.ABORTED.value, JobState.UNKNOWN.value
_SLOTS = {JobState.RUNNING: _RUNNING, JobState.CLEARED: _CLEARED, JobState.CANCELLED: _CLEARED,
          JobState.ABORTED: _ABORTED}
CLASSES = (_RUNNING, _DONE, _CLEARED, _ABORTED)
"""The slots that are counted; the rest is what is left of the number of children."""
_STIRRING = frozenset({*CLASSES, JobState.CANCELLED.value})
UNCOUNTED = frozenset({"", "1"})
"""Versions of the machine whose records were never counted for their parents."""


class Cause(NamedTuple):
    """The news of a job that its collection may follow: URL of the job, type of the event."""

    job: str
    type: str


class Place(NamedTuple):
    """Where a job counts: unique part of its parent ("" nowhere), its slot, whether it was ever out of the rest."""

    parent: str
    slot: str
    stirred: bool


_NOWHERE = Place("", _REST, False)


def place(record: Record | None) -> Place:
    """Where a job counts, by its record (None: there is none); older machines counted no children."""
    if record is None or not record.parent_job or record.version in UNCOUNTED:
        return _NOWHERE
    return Place(record.parent_job.rpartition("/")[2], slot(record.state, record.done_code),
                 not _STIRRING.isdisjoint(record.state_enter_times))


def slot(state: JobState, done_code: DoneCode) -> str:
    """The class of a child: its slot in the histogram; Done counts only if OK, else with the rest."""
    if state is JobState.DONE and done_code is DoneCode.OK:
        return _DONE
    return _SLOTS.get(state, _REST)


def histogram(children: Iterable[tuple[JobState, DoneCode]], number: int) -> Histogram:
    """How many of `number` children are in each class; those not given were never heard of."""
    counted = Counter(slot(state, done_code) for state, done_code in children)
    counted[_REST] += number - counted.total()
    return {name: count for name, count in counted.items() if count}


def completed(counted: Histogram, number: int) -> Histogram:
    """The counted classes of `number` children with the rest, without what is nil."""
    full = {**counted, _REST: number - sum(counted.values())}
    return {name: count for name, count in full.items() if count > 0}


def moved(before: Histogram, old: str, new: str) -> Histogram:
    """The histogram after one child changed its class from slot `old` to slot `new`."""
    counted = Counter(before)
    counted[old] -= 1
    counted[new] += 1
    return {name: count for name, count in counted.items() if count}


def collection_state(counted: Histogram, number: int) -> JobState:
    """The first that holds: one runs; all are cleared; all are done; all have ended; otherwise it waits."""
    done, cleared = counted.get(_DONE, 0), counted.get(_CLEARED, 0)
    if counted.get(_RUNNING, 0):
        return JobState.RUNNING
    if cleared == number:
        return JobState.CLEARED
    if done + cleared == number:
        return JobState.DONE
    if done + cleared + counted.get(_ABORTED, 0) == number:
        return JobState.ABORTED
    return JobState.WAITING


def transfers_state(counted: Histogram, number: int) -> JobState:
    """The same for a collection of file transfers."""
    done = counted.get(_DONE, 0)
    if counted.get(_RUNNING, 0):
        return JobState.RUNNING
    if done == number:
        return JobState.DONE
    if done + counted.get(_ABORTED, 0) == number:
        return JobState.ABORTED
    return JobState.WAITING


COLLECTIONS = frozenset({JobType.COLLECTION, JobType.FILE_TRANSFER_COLLECTION})
_RULES = {JobType.COLLECTION: collection_state, JobType.FILE_TRANSFER_COLLECTION: transfers_state}


def collection_event(parent: Record, counted: Histogram, cause: Cause, now: float, host: str,
                     user: str) -> Event | None:
    """The CollectionState that `cause`, of a child or the parent, makes necessary; None when nothing changes.

    `now` is in epoch seconds, `host` and `user` are the server's. What the parent's own events have settled
    is left alone; aborted by itself it is no longer Waiting for anybody.
    """
    rule, own = _RULES.get(parent.jobtype), parent.own_state or parent.state
    if rule is None or own in SETTLED or parent.children_num < 1:
        return None
    state = rule(counted, max(parent.children_num, sum(counted.values()) - counted.get(_REST, 0)))
    if state is JobState.WAITING and own is JobState.ABORTED:
        state = own
    if state is parent.state:
        return None
    code = max(parent.last_seqcode or START, parent.collection_seqcode or START).advanced(Source.LB_SERVER)
    return event("CollectionState", parent.job_id, Source.LB_SERVER, code, now, host, user, priority=INTERNAL,
                 state=state.value, done_code=int(DoneCode.OK), histogram=text(counted), child=cause.job,
                 child_event=cause.type)


def all_cancelled(children: Iterable[JobState]) -> bool:
    """True if there are children and all are Cancelled: their collection counts as Cleared nevertheless."""
    return set(children) == {JobState.CANCELLED}


def text(counted: Histogram) -> str:
    """`Submitted=0, Waiting=0, ...` over all states."""
    return ", ".join(f"{state.value}={counted.get(state.value, 0)}"
                     for state in JobState if state is not JobState.UNDEFINED)
