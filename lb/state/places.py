"""The parts of the state table that say where a job is, and why: `Source/host/instance`, a queue, or `none`.

Functions of (record, event, moment) that change the record given to them, as in `lb.state.parts`.
"""

from __future__ import annotations

from lb.state.branches import Moment
from lb.state.record import Record
from wms.event import Event, Source

CLEAR_REASONS = {
    "USER": "user retrieved output sandbox",
    "TIMEOUT": "timed out, resource purge forced",
    "NOOUTPUT": "no output was generated",
}


def reason(record: Record, event: Event, moment: Moment) -> None:
    record.reason = event.fields.get("reason", "")


def fault(record: Record, event: Event, moment: Moment) -> None:
    """Who owns the failure, with its reason; nobody, where the event tells of none."""
    record.fault = event.fields.get("fault", "")


def clear_reason(record: Record, event: Event, moment: Moment) -> None:
    record.reason = CLEAR_REASONS[event.fields["reason"]]


def nowhere(record: Record, event: Event, moment: Moment) -> None:
    record.location = "none"


def at_source(record: Record, event: Event, moment: Moment) -> None:
    record.location = f"{event.source}/{event.host}/{event.instance}"


def at_destination(record: Record, event: Event, moment: Moment) -> None:
    said = event.fields
    record.location = f"{said['destination']}/{said['dest_host']}/{said.get('dest_instance', '')}"


def at_origin(record: Record, event: Event, moment: Moment) -> None:
    said = event.fields
    record.location = f"{said['from']}/{said['from_host']}/{said.get('from_instance', '')}"


def at_queue(record: Record, event: Event, moment: Moment) -> None:
    record.location = f"{event.fields['queue']}/{event.host}/{event.instance}"


def at_helper(record: Record, event: Event, moment: Moment) -> None:
    record.location = f"{event.fields['helper_name']}/{event.host}/{event.instance}"


def at_wm(record: Record, event: Event, moment: Moment) -> None:
    record.location = f"{Source.WORKLOAD_MANAGER.value}/{event.host}/{event.instance}"


def at_node(record: Record, event: Event, moment: Moment) -> None:
    record.location = f"{Source.LRMS.value}/worknode/{event.fields['node']}"
