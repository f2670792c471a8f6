"""The state table: what every event, by type, source and result, does to a job. Data only.

How lateness is decided is in `lb.machine`, what the named parts do to the record in `lb.parts`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from itertools import product
from typing import NamedTuple

from wms.event import EVENT_TYPES, EventType, Source
from wms.jobstatus import JobState, JobType

ANY = "*"


class Verdict(StrEnum):
    """What became of an event: only OK may move the state."""

    OK = "OK"
    LATE = "LATE"
    IGNORED = "IGNORED"
    SUSPECT = "SUSPECT"
    UNREGISTERED = "UNREGISTERED"


class Rule(NamedTuple):
    """`state` is the new state (None: as it was); `moves` names the parts of the record that only an accepted
    event may change, `tells` those that also a late or ignored one changes.
    """

    state: JobState | None = None
    moves: str = ""
    tells: str = ""
    verdict: Verdict = Verdict.OK  # IGNORED: may only tell; SUSPECT: not this source's business
    needs: str = ""  # a condition without which the event is SUSPECT
    late_when_running: bool = False  # Running and Done win: an earlier stage was merely reported late
    late_in_attempt: bool = False  # the same, but only for the attempt that runs or is done
    never_late: bool = False
    wrapper_may_follow: bool = False  # events of the wrapper with a lower LM counter still count
    keeps_clock: bool = False  # does not move the job's last sequence code
    from_aborted: bool = False  # accepted also when the job is Aborted


SUSPECT = Rule(verdict=Verdict.SUSPECT)
IGNORED = Rule(verdict=Verdict.IGNORED)
STORED = Rule()  # tells only that the job was seen alive

Key = tuple[str, str, str]
Table = Mapping[Key, Rule]

_UI, _NS, _WM = Source.USER_INTERFACE, Source.NETWORK_SERVER, Source.WORKLOAD_MANAGER
_JC, _LM, _LRMS, _LBS = Source.JOB_CONTROLLER, Source.LOG_MONITOR, Source.LRMS, Source.LB_SERVER


def _told(parts: str) -> Rule:
    return Rule(tells=parts, verdict=Verdict.IGNORED)


def _attempts() -> Iterator[tuple[Key, Rule]]:
    """A hand-over that only began, or was refused, says nothing of the state."""
    for result in ("START", "REFUSED"):
        yield ("Transfer", _UI, result), _told("first_jdl")
        yield ("Transfer", _JC, result), _told("condor_jdl")
        yield ("Transfer", _LM, result), _told("rsl")
        yield ("EnQueued", _NS, result), _told("first_queued_jdl")
        yield ("EnQueued", _WM, result), _told("matched_jdl")
        yield ("EnQueued", _LM, result), IGNORED


_SUBMITTED, _WAITING, _READY = JobState.SUBMITTED, JobState.WAITING, JobState.READY
_SCHEDULED, _RUNNING, _DONE = JobState.SCHEDULED, JobState.RUNNING, JobState.DONE
_CANCELLED, _ABORTED, _CLEARED = JobState.CANCELLED, JobState.ABORTED, JobState.CLEARED

GLITE: dict[Key, Rule] = {
    ("RegJob", ANY, ANY): Rule(_SUBMITTED, tells="registration"),
    **dict(_attempts()),
    ("Transfer", _UI, "OK"): Rule(_WAITING, "reason at_destination", "first_jdl"),
    ("Transfer", _UI, "FAIL"): Rule(_SUBMITTED, "reason at_source", "first_jdl"),
    ("Transfer", _JC, "OK"): Rule(_READY, "reason at_destination", "condor_jdl", late_in_attempt=True),
    ("Transfer", _JC, "FAIL"): Rule(_READY, "reason at_source", "condor_jdl", late_when_running=True),
    ("Transfer", _LM, "OK"): Rule(_SCHEDULED, "reason at_destination", "rsl was_scheduled",
                                  late_when_running=True, wrapper_may_follow=True),
    ("Transfer", _LM, "FAIL"): Rule(_READY, "reason at_source", "rsl", late_when_running=True),
    ("Transfer", ANY, ANY): SUSPECT,
    ("Accepted", _NS, ANY): Rule(_WAITING, "at_source", "ui_host"),
    ("Accepted", _LM, ANY): Rule(_READY, "at_source", "condor_id", late_when_running=True,
                                 wrapper_may_follow=True),
    ("Accepted", _LRMS, ANY): Rule(_SCHEDULED, "at_source", "globus_id"),
    ("Accepted", ANY, ANY): SUSPECT,
    ("Refused", _NS, ANY): Rule(_SUBMITTED, "reason at_origin"),
    ("Refused", _LM, ANY): Rule(_READY, "reason at_origin"),
    ("Refused", _LRMS, ANY): Rule(_READY, "reason at_origin"),
    ("Refused", ANY, ANY): SUSPECT,
    ("EnQueued", _NS, "OK"): Rule(_WAITING, "reason at_queue", "queued_jdl"),
    ("EnQueued", _NS, "FAIL"): Rule(_WAITING, "reason at_source", "first_queued_jdl"),
    ("EnQueued", _WM, "OK"): Rule(_READY, "reason at_queue", "branch_jdl matched_jdl",
                                    late_when_running=True),
    ("EnQueued", _WM, "FAIL"): Rule(_WAITING, "reason at_source", "matched_jdl"),
    ("EnQueued", _LM, "OK"): Rule(_WAITING, "reason at_queue resubmitted"),
    ("EnQueued", _LM, "FAIL"): Rule(None, "reason at_source"),
    ("EnQueued", ANY, ANY): SUSPECT,
    ("DeQueued", _WM, ANY): Rule(_WAITING, "at_source"),
    ("DeQueued", _JC, ANY): Rule(_READY, "at_source", late_when_running=True),
    ("DeQueued", ANY, ANY): SUSPECT,
    ("HelperCall", ANY, ANY): Rule(_WAITING, "at_helper"),
    ("HelperReturn", ANY, ANY): Rule(_WAITING, "at_wm"),
    ("Match", ANY, ANY): Rule(_WAITING, "at_wm", "destination"),
    ("Pending", ANY, ANY): Rule(_WAITING, "reason at_wm"),
    ("Running", ANY, ANY): Rule(_RUNNING, "wrapper_running at_node", "ce_node"),
    ("ReallyRunning", _LRMS, ANY): Rule(_RUNNING, tells="elect_own"),
    ("ReallyRunning", _LM, ANY): Rule(tells="elect_told", needs="wn_seq"),
    ("ReallyRunning", ANY, ANY): SUSPECT,
    ("Resubmission", _WM, "WILLRESUB"): Rule(tells="deep_resubmission resubmitted"),
    ("Resubmission", ANY, "WILLRESUB"): STORED,
    ("Resubmission", _WM, "SHALLOW"): Rule(tells="shallow_resubmission resubmitted"),
    ("Resubmission", ANY, "SHALLOW"): Rule(tells="shallow_resubmission"),
    ("Resubmission", ANY, "WONTRESUB"): Rule(None, "reason", "no_resubmission"),
    ("Done", _LRMS, ANY): Rule(None, "wrapper_done", "wrapper_exit"),
    ("Done", ANY, "OK"): Rule(_DONE, "reason done nowhere", "done_ok wrapper_exit"),
    ("Done", ANY, "FAILED"): Rule(_DONE, "reason done at_source", "done_failed wrapper_exit"),
    ("Done", ANY, "KILLED"): Rule(_DONE, "reason done at_source", "done_failed done_killed wrapper_exit"),
    ("Done", ANY, "CANCELLED"): Rule(_CANCELLED, "reason done nowhere", "done_cancelled wrapper_exit"),
    ("Cancel", ANY, "REQ"): Rule(None, "cancelling", "cancel_reason", keeps_clock=True),
    ("Cancel", ANY, "REFUSE"): Rule(None, "", "cancel_reason", keeps_clock=True),
    ("Cancel", ANY, "DONE"): Rule(_CANCELLED, "reason nowhere not_cancelling leave_proxy",
                                    "cancel_reason"),
    ("Cancel", ANY, "ABORT"): Rule(None, "not_cancelling", "cancel_reason", keeps_clock=True),
    ("Abort", _WM, ANY): Rule(_ABORTED, "reason nowhere leave_proxy forget_branches", never_late=True),
    ("Abort", ANY, ANY): Rule(_ABORTED, "reason nowhere leave_proxy forget_branches"),
    ("Clear", ANY, ANY): Rule(_CLEARED, "clear_reason nowhere leave_proxy", "sandbox_retrieved"),
    ("Suspend", ANY, ANY): Rule(None, "suspend"),
    ("Resume", ANY, ANY): Rule(None, "resume"),
    ("UserTag", ANY, ANY): Rule(tells="user_tag"),
    ("CollectionState", ANY, ANY): Rule(None, "named_state", needs="state_name", from_aborted=True),
    ("Sandbox", ANY, "INPUT"): Rule(tells="input_sandbox"),
    ("Sandbox", ANY, "OUTPUT"): Rule(tells="output_sandbox"),
    ("GrantPayloadOwnership", ANY, ANY): Rule(tells="grant_payload", keeps_clock=True),
    ("TakePayloadOwnership", ANY, ANY): Rule(tells="take_payload", keeps_clock=True),
    ("ChangeACL", ANY, ANY): Rule(keeps_clock=True),
    ("ResourceUsage", ANY, ANY): Rule(tells="resource_usage"),
    ("Purge", ANY, ANY): STORED,
    ("Chkpt", ANY, ANY): STORED,
    ("Listener", ANY, ANY): STORED,
    ("CurDescr", ANY, ANY): STORED,
    ("ConnectJob", ANY, ANY): STORED,
    ("DisconnectJob", ANY, ANY): STORED,
    ("Notification", ANY, ANY): IGNORED,
}

TABLES: Mapping[JobType, Table] = {JobType.SIMPLE: GLITE, JobType.DAG: GLITE, JobType.COLLECTION: GLITE}


def results(row: EventType) -> list[str]:
    """All results an event type can have, in the form of `wms.event.result`."""
    return ["/".join(choice) for choice in product(*[field.choices for field in row.results])]


def expanded(table: Table) -> dict[Key, Rule]:
    """One rule for every (type, source, result) that has one; the more exact row wins."""
    found: dict[Key, Rule] = {}
    for row in EVENT_TYPES.values():
        for source, result in product(Source, results(row)):
            for key in product((row.name,), (source.value, ANY), (result, ANY)):
                if key in table:
                    found[row.name, source.value, result] = table[key]
                    break
    return found
