"""The named parts of the state table that are about other jobs: parents, children, connections.

Functions of (record, event, moment) that change the record given to them, as in `lb.state.parts`.
"""

from __future__ import annotations

from collections.abc import Callable

from lb.state.branches import Moment
from lb.state.record import Record
from wms.event import Event, Source, microseconds
from wms.jobstatus import DoneCode, JobState
from wms.seqcode import SequenceCode

Part = Callable[[Record, Event, Moment], None]

STATES = {state.value.lower(): state for state in JobState if 1 <= state.code <= JobState.CANCELLED.code}
_WITH_DONE_CODE = frozenset({JobState.DONE, JobState.CLEARED})
ACTIVE, CANCELLED = "ACTIVE", "CANCELLED"


def embryo(record: Record, event: Event, moment: Moment) -> None:
    """What the registration of the parent tells of a child, where nobody has told more."""
    said = event.fields
    record.owner = record.owner or event.user
    record.parent_job = record.parent_job or said.get("parent", "")
    record.network_server = record.network_server or said["ns"]
    if record.state is JobState.UNDEFINED:
        record.state = JobState.SUBMITTED
        record.state_enter_time = record.last_update_time = event.timestamp
        record.state_enter_times = {JobState.SUBMITTED.value: event.timestamp}


def named_state(record: Record, event: Event, moment: Moment) -> None:
    """The state that the children give; the done code goes with it, so that no way there matters."""
    record.own_state = record.own_state or record.state
    record.state = STATES[event.fields["state"].lower()]
    told = event.fields["done_code"] if record.state in _WITH_DONE_CODE else DoneCode.NONE
    record.done_code = DoneCode(told)


def collection_clock(record: Record, event: Event, moment: Moment) -> None:
    record.collection_seqcode = max(moment.code, record.collection_seqcode or moment.code)


def names_state(record: Record, event: Event, code: SequenceCode) -> bool:
    """True if the state and the done code of a collection can be understood."""
    return event.fields["state"].lower() in STATES and event.fields["done_code"] in list(DoneCode)


def edge(record: Record, event: Event, moment: Moment) -> None:
    """Connected or not: the newest word counts, by the clock, since either end may say it."""
    other, mirrored = event.fields["dest_jobid"], event.source == Source.LB_SERVER
    told = (microseconds(event.timestamp), event.type == "DisconnectJob", mirrored)
    record.edges = {**record.edges, other: max(told, record.edges.get(other, told))}
    record.related = [{"job": name, "state": CANCELLED if record.edges[name][1] else ACTIVE}
                      for name in sorted(record.edges)]


FAMILY_PARTS: dict[str, Part] = {part.__name__: part for part in (embryo, named_state, collection_clock, edge)}
