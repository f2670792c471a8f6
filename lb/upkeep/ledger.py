"""The final status of every job of a log of events, whatever their order: what the server makes of it, without one.

Memory for a record and the places of its events for each job, never for all events. A place is a number: who keeps
the ledger can read the event there again.
"""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from heapq import merge
from typing import NamedTuple

from msgspec.structs import replace

from lb.state import parents
from lb.state.edges import mirrors, standing
from lb.state.embryos import MOST_CHILDREN, births, expansions
from lb.state.machine import Record, fold, in_order, step
from wms.event import Event, Source
from wms.jobid import JobId
from wms.jobstatus import JobState
from wms.messages.submission import Expand

Reread = Callable[[int], Event]
_DEEPEST = 20


class _Held:
    """A job: its record while its events come in order, None from then on; the places of its events; registrations
    of children; whether its own registration was made from that of its parent, and if not, what would be.
    """

    __slots__ = ("born", "places", "presumed", "record", "registrations")

    def __init__(self) -> None:
        self.record: Record | None = Record()
        self.places = array("Q")
        self.registrations: list[Event] = []
        self.born = False
        self.presumed: Event | None = None

    def take(self, event: Event, place: int) -> None:
        self.places.append(place)
        if event.type == "RegJob":
            self.born = self.born or event.source == Source.LB_SERVER
            if "nsubjobs" in event.fields:
                self.registrations.append(event)
        if self.record is not None:
            self.record = step(self.record, event)[0] if in_order(self.record, event) else None

    def folded(self, reread: Reread) -> Record:
        if self.record is not None and self.presumed is None:
            return self.record
        first = () if self.presumed is None else (self.presumed,)
        return fold([*first, *map(reread, self.places)])


class _Embryos(NamedTuple):
    """Children that the log does not mention, by the unique part of their identifiers; one as a record."""

    form: Record
    uniques: list[str]

    def records(self) -> Iterator[Record]:
        place = self.form.job_id.rpartition("/")[0]
        return (replace(self.form, job_id=f"{place}/{unique}") for unique in sorted(self.uniques))


class Ledger:
    """`take` the events of a log, then ask for the `records`."""

    def __init__(self) -> None:
        self._held: defaultdict[str, _Held] = defaultdict(_Held)
        self.unnamed = 0
        """After `records`: children that were registered with their parents, and are neither mentioned nor given."""

    def take(self, event: Event, place: int) -> None:
        """A valid event; `place` is where it can be read again."""
        self._held[event.job].take(event, place)

    def records(self, reread: Reread, most: int) -> Iterator[Record]:
        """The final record of each job, sorted by identifier; of the children of registrations, the first `most`."""
        embryos = list(self._born(most))
        found = {job: held.folded(reread) for job, held in self._held.items()}
        self._held.clear()
        _settle(found)
        _connect(found)
        named = (found[job] for job in sorted(found))
        return merge(named, *(some.records() for some in embryos), key=lambda record: record.job_id)

    def _born(self, most: int) -> Iterator[_Embryos]:
        """The embryos of each registration; children that the log mentions learn who their parent is."""
        for held in list(self._held.values()):
            numbers = {one.fields["nsubjobs"] for one in held.registrations}
            self.unnamed += sum(number for number in numbers if number > MOST_CHILDREN)
            for expand in expansions(held.registrations, held.registrations):
                number = min(expand.number, most)
                most -= number
                self.unnamed += expand.number - number
                if number:
                    yield self._children(expand, number)

    def _children(self, expand: Expand, number: int) -> _Embryos:
        parent, uniques = JobId.parse(expand.job), list[str]()
        form = births(expand, 1)[0][0]
        for index in range(number):
            child = parent.subjob(expand.seed, index)
            held = self._held.get(str(child))
            if held is None:
                uniques.append(child.unique)
            elif not held.born:
                held.presumed = replace(form, job=str(child))
        return _Embryos(fold([form]), uniques)


def _settle(found: dict[str, Record]) -> None:
    """Parents, the deepest first, get the histograms of their children, and collections the state of them."""
    children: defaultdict[str, list[str]] = defaultdict(list)
    for job, record in found.items():
        if record.parent_job in found:
            children[record.parent_job].append(job)
    for parent in sorted(children, key=lambda job: -_depth(job, found)):
        if found[parent].jobtype.composite:
            found[parent] = _parent(found[parent], [found[job] for job in children[parent]])


def _depth(job: str, found: Mapping[str, Record]) -> int:
    depth = 0
    while depth < _DEEPEST and (job := found[job].parent_job) in found:
        depth += 1
    return depth


def _parent(parent: Record, known: Sequence[Record]) -> Record:
    """A parent after all that its children have told; states that the log has are never told again."""
    slots = Counter(parents.slot(child.state, child.done_code) for child in known)
    counted = {name: slots[name] for name in parents.CLASSES}
    if parent.collection_seqcode is not None or any(parents.place(child).stirred for child in known):
        newest = max(known, key=lambda child: (child.last_update_time, child.job_id))
        told = _told(parent, counted, newest)
        parent = parent if told is None else step(parent, told)[0]
    cancelled = parent.state is JobState.CLEARED and all(child.state is JobState.CANCELLED for child in known)
    return replace(parent, children_hist=dict(parents.completed(counted, parent.children_num)), all_cancelled=cancelled)


def _told(parent: Record, counted: parents.Histogram, newest: Record) -> Event | None:
    cause = parents.Cause(newest.job_id, "RegJob")
    host = JobId.parse(parent.job_id).host
    return parents.collection_event(parent, counted, cause, newest.last_update_time, host, "")


def _connect(found: dict[str, Record]) -> None:
    """Connections are known at both ends, and end where a job has finished."""
    connected = [job for job, record in found.items() if record.edges]
    for job in connected:
        for told in mirrors(None, found[job]):
            if told.job in found:
                found[told.job] = step(found[told.job], told)[0]
    states = {job: record.state for job, record in found.items()} if connected else {}
    for job in [job for job in states if found[job].related]:
        found[job] = replace(found[job], related=standing(found[job].related, states))
