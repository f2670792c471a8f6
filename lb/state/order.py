"""The order in which events of a job are folded: logical time first, arrival never.

Sequence codes compare left to right, with one refinement: what the Log Monitor says at hand-over (Accepted,
Transfer) comes before the wrapper's events of that attempt, although the wrapper carries a lower LM counter.
"""

from __future__ import annotations

from functools import lru_cache

from wms.errors import BadSequenceCode
from wms.event import END_OF_TIME, Event, Source, microseconds
from wms.seqcode import START, SequenceCode

Place = tuple[int, ...]
Order = tuple[Place, str, str, str, str, str, str]
_BEFORE, _HANDOVER, _ON_NODE, _AFTERWARDS = -1, 1, 2, 3
_STAGE = {
    Source.LOG_MONITOR.value: _AFTERWARDS, Source.LRMS.value: _ON_NODE, Source.APPLICATION.value: _ON_NODE,
    Source.LB_SERVER.value: _AFTERWARDS,
}


def sequence(event: Event) -> SequenceCode:
    """The event's code; codes of other families of middleware count as the lowest."""
    return _sequence(event.seqcode)


@lru_cache(maxsize=4096)
def _sequence(text: str) -> SequenceCode:
    try:
        return SequenceCode.parse(text)
    except BadSequenceCode:
        return START


def place(event: Event, code: SequenceCode) -> Place:
    """Where the event belongs: the counters, the stage within the attempt between JSS and LM, the time."""
    return (*code[:5], _stage(event), *code[5:], *_times(event))


def _times(event: Event) -> tuple[int, ...]:
    """When it happened; a state of CREAM first by when it was entered, as CREAM tells later."""
    entered = event.fields.get("orig_timestamp", 0.0) if event.type == "CREAMStatus" else 0.0
    logged = microseconds(event.timestamp)
    return (microseconds(entered), logged) if 0.0 < entered < END_OF_TIME else (logged,)


def order(event: Event) -> Order:
    """Sort key, total over different events of one job: equal keys are repetitions of the same event."""
    return (place(event, sequence(event)), event.type, event.source, event.host, event.level, event.user,
            event.seqcode)


def _stage(event: Event) -> int:
    stage = _STAGE.get(event.source, 0)
    if stage != _AFTERWARDS:
        return stage
    if event.source == Source.LB_SERVER.value:
        return _BEFORE if event.type == "RegJob" else stage
    handed_over = event.type == "Transfer" and event.fields["result"] in ("START", "OK")
    return _HANDOVER if handed_over or event.type == "Accepted" else stage
