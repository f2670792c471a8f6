"""The named parts of the tables of other middlewares: they fill the record's `extra`.

Functions of (record, event, moment) that change the record given to them, as in `lb.state.parts`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from lb.state.branches import Moment
from lb.state.record import Record
from wms.event import Event
from wms.jobstatus import DoneCode, JobState, WrapperStatus

Part = Callable[[Record, Event, Moment], None]

# what a status of a CREAM job means: the state, and where the wrapper or the end of it stands
_CREAM_STATES: Mapping[str, tuple[JobState | None, WrapperStatus | DoneCode | None]] = {
    "REGISTERED": (None, None),
    "PENDING": (JobState.WAITING, None),
    "IDLE": (JobState.SCHEDULED, None),
    "RUNNING": (JobState.RUNNING, WrapperStatus.WRAPPER_RUNNING),
    "REALLY-RUNNING": (JobState.RUNNING, WrapperStatus.PAYLOAD_RUNNING),
    "HELD": (None, None),
    "DONE-OK": (JobState.DONE, DoneCode.OK),
    "DONE-FAILED": (JobState.DONE, DoneCode.FAILED),
    "ABORTED": (JobState.ABORTED, None),
    "CANCELLED": (JobState.CANCELLED, None),
    "PURGED": (JobState.CLEARED, None),
}
_EXIT_CODE = re.compile(r"-?[0-9]{1,9}")
_CONDOR_STARTERS = {"S": (JobState.SCHEDULED, "Idle"), "s": (JobState.RUNNING, "Running")}


def keep(record: Record, **values: Any) -> None:
    """Set fields of `extra`."""
    record.extra = {**record.extra, **values}


def keeping(assignment: str) -> Part:
    """The part written `key=value` in a table."""
    key, _, value = assignment.partition("=")
    return lambda record, event, moment: keep(record, **{key: value})


def _facts(family: str) -> Part:
    """All fields of the event, named after the family."""
    return lambda record, event, moment: keep(
        record, **{f"{family}_{name}": value for name, value in event.fields.items()})


def given_reason(record: Record, event: Event, moment: Moment) -> None:
    if "reason" in event.fields:
        record.reason = event.fields["reason"]
        keep(record, cream_reason=record.reason)


def cream_registration(record: Record, event: Event, moment: Moment) -> None:
    record.destination = event.fields["ns"]
    keep(record, cream_owner=record.owner, cream_jdl=record.jdl, cream_endpoint=event.fields["ns"])


def cream_id(record: Record, event: Event, moment: Moment) -> None:
    record.globus_id = event.fields.get("local_jobid", "")
    keep(record, cream_id=record.globus_id)


def cream_queued(record: Record, event: Event, moment: Moment) -> None:
    if event.fields["callee"] == "LRMS":
        record.state = JobState.SCHEDULED
        keep(record, cream_state="IDLE")
        given_reason(record, event, moment)


def cream_cancelling(record: Record, event: Event, moment: Moment) -> None:
    keep(record, cream_cancelling=True)


def cream_status(record: Record, event: Event, moment: Moment) -> None:
    state, standing = _CREAM_STATES.get(event.fields["new_state"], (None, None))
    record.state = state or record.state
    keep(record, cream_state=event.fields["new_state"])
    if isinstance(standing, DoneCode):
        record.done_code = standing
        keep(record, cream_done_code=int(standing))
    elif standing is not None:
        record.jw_status = standing


def cream_facts(record: Record, event: Event, moment: Moment) -> None:
    said = event.fields
    if _EXIT_CODE.fullmatch(said.get("exit_code", "")):
        record.exit_code = int(said["exit_code"])
        keep(record, cream_exit_code=record.exit_code)
    if "worker_node" in said:
        record.ce_node = said["worker_node"]
        keep(record, cream_node=record.ce_node)
    if "LRMS_jobid" in said:
        record.local_id = said["LRMS_jobid"]
        keep(record, cream_lrms_id=record.local_id)
    if "failure_reason" in said:
        failure_told(record, event, moment)
        keep(record, cream_failure_reason=said["failure_reason"])


def failure_told(record: Record, event: Event, moment: Moment) -> None:
    record.failure_reasons = event.fields.get("failure_reason", event.fields.get("reason", ""))


def ended_ok(record: Record, event: Event, moment: Moment) -> None:
    record.done_code = DoneCode.OK


def ended_failed(record: Record, event: Event, moment: Moment) -> None:
    record.done_code = DoneCode.FAILED


def pbs_substate(record: Record, event: Event, moment: Moment) -> None:
    number = event.fields["newstate"]
    state = "TQHWREC"[number] if 0 <= number < 7 else ""
    keep(record, pbs_state=state, pbs_substate=event.fields["newsubstate"])


def pbs_usage(record: Record, event: Event, moment: Moment) -> None:
    said = event.fields
    kind = "pbs_resource_requested" if said["usage"] == "REQUESTED" else "pbs_resource_usage"
    keep(record, **{kind: said.get("resources") or f"{said.get('name', '')} = {said.get('quantity', '')}"})


def condor_starter(record: Record, event: Event, moment: Moment) -> None:
    """Who logged is the last letter of the foreign sequence code: S the start daemon, s the starter."""
    found = _CONDOR_STARTERS.get(event.seqcode[-1])
    if found is not None:
        record.state, status = found
        keep(record, condor_status=status)


def vm_destination(record: Record, event: Event, moment: Moment) -> None:
    record.destination = event.fields["hostname"]


def vm_phy_hostname(record: Record, event: Event, moment: Moment) -> None:
    keep(record, vm_phy_hostname=event.fields.get("hostname", ""))


def vm_halting(record: Record, event: Event, moment: Moment) -> None:
    keep(record, vm_system_halting=True)


MIDDLEWARE_PARTS: dict[str, Part] = {part.__name__: part for part in (
    given_reason, cream_registration, cream_id, cream_queued, cream_cancelling, cream_status, cream_facts,
    failure_told, ended_ok, ended_failed, pbs_substate, pbs_usage, condor_starter, vm_destination,
    vm_phy_hostname, vm_halting,
)} | {f"{family}_facts": _facts(family) for family in ("pbs", "condor", "ft", "vm")}
