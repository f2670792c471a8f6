"""The state table: what every event, by type, source and result, does to a job. Data only.

How lateness is decided is in `lb.state.machine`, what the named parts do to the record in `lb.state.parts`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from itertools import product

from lb.state.middleware import CONDOR, CREAM, CREAM_IN_GLITE, FILE_TRANSFER, FILE_TRANSFER_COLLECTION, PBS, VM
from lb.state.rules import ANY, ASIDE, COMPUTED, IGNORED, STORED, SUSPECT, Key, Rule, Table, Verdict
from wms.event import EVENT_TYPES, EventType, Source
from wms.jobstatus import JobState, JobType

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
    ("Transfer", _JC, "OK"): Rule(_READY, "reason at_destination", "condor_jdl sent_lm", late_in_attempt=True),
    ("Transfer", _JC, "FAIL"): Rule(_READY, "reason fault at_source", "condor_jdl", late_when_running=True),
    ("Transfer", _LM, "OK"): Rule(_SCHEDULED, "reason at_destination", "rsl was_scheduled sent_node",
                                  late_when_running=True, wrapper_may_follow=True),
    ("Transfer", _LM, "FAIL"): Rule(_READY, "reason at_source", "rsl", late_when_running=True),
    ("Transfer", ANY, ANY): SUSPECT,
    ("Accepted", _NS, ANY): Rule(_WAITING, "at_source", "ui_host"),
    ("Accepted", _LM, ANY): Rule(_READY, "at_source", "condor_id came_lm", late_when_running=True,
                                 wrapper_may_follow=True),
    ("Accepted", _LRMS, ANY): Rule(_SCHEDULED, "at_source", "globus_id"),
    ("Accepted", ANY, ANY): SUSPECT,
    ("Refused", _NS, ANY): Rule(_SUBMITTED, "reason at_origin"),
    ("Refused", _LM, ANY): Rule(_READY, "reason at_origin"),
    ("Refused", _LRMS, ANY): Rule(_READY, "reason at_origin"),
    ("Refused", ANY, ANY): SUSPECT,
    ("EnQueued", _NS, "OK"): Rule(_WAITING, "reason at_queue", "queued_jdl sent_wm"),
    ("EnQueued", _NS, "FAIL"): Rule(_WAITING, "reason at_source", "first_queued_jdl"),
    ("EnQueued", _WM, "OK"): Rule(_READY, "reason at_queue", "branch_jdl matched_jdl sent_jc",
                                  late_when_running=True),
    ("EnQueued", _WM, "FAIL"): Rule(_WAITING, "reason at_source", "matched_jdl"),
    ("EnQueued", _LM, "OK"): Rule(_WAITING, "reason at_queue resubmitted", "sent_wm"),
    ("EnQueued", _LM, "FAIL"): Rule(None, "reason at_source"),
    ("EnQueued", ANY, ANY): SUSPECT,
    ("DeQueued", _WM, ANY): Rule(_WAITING, "at_source", "came_wm"),
    ("DeQueued", _JC, ANY): Rule(_READY, "at_source", "came_jc", late_when_running=True),
    ("DeQueued", ANY, ANY): SUSPECT,
    ("HelperCall", ANY, ANY): Rule(_WAITING, "at_helper"),
    ("HelperReturn", ANY, ANY): Rule(_WAITING, "at_wm"),
    ("Match", ANY, ANY): Rule(_WAITING, "at_wm", "destination"),
    ("Pending", ANY, ANY): Rule(_WAITING, "reason at_wm"),
    ("Running", ANY, ANY): Rule(_RUNNING, "wrapper_running at_node", "ce_node came_node"),
    ("ReallyRunning", _LRMS, ANY): Rule(_RUNNING, tells="elect_own"),
    ("ReallyRunning", _LM, ANY): Rule(tells="elect_told", needs="wn_seq"),
    ("ReallyRunning", ANY, ANY): SUSPECT,
    ("Resubmission", _WM, "WILLRESUB"): Rule(tells="deep_resubmission resubmitted"),
    ("Resubmission", ANY, "WILLRESUB"): STORED,
    ("Resubmission", _WM, "SHALLOW"): Rule(tells="shallow_resubmission resubmitted"),
    ("Resubmission", ANY, "SHALLOW"): Rule(tells="shallow_resubmission"),
    ("Resubmission", ANY, "WONTRESUB"): Rule(None, "reason", "no_resubmission"),
    ("Done", _LRMS, ANY): Rule(None, "wrapper_done", "wrapper_exit"),
    ("Done", ANY, "OK"): Rule(_DONE, "reason fault done nowhere", "done_ok wrapper_exit"),
    ("Done", ANY, "FAILED"): Rule(_DONE, "reason fault done at_source", "done_failed wrapper_exit"),
    ("Done", ANY, "KILLED"): Rule(_DONE, "reason fault done at_source", "done_failed done_killed wrapper_exit"),
    ("Done", ANY, "CANCELLED"): Rule(_CANCELLED, "reason fault done nowhere not_cancelling",
                                       "done_cancelled wrapper_exit"),
    ("Cancel", ANY, "REQ"): Rule(None, "cancelling", "cancel_reason", keeps_clock=True),
    ("Cancel", ANY, "REFUSE"): Rule(None, "", "cancel_reason", keeps_clock=True),
    ("Cancel", _WM, "DONE"): Rule(_CANCELLED, "reason nowhere not_cancelling leave_proxy", "cancel_reason",
                                  after_failure=True),
    ("Cancel", ANY, "DONE"): Rule(_CANCELLED, "reason nowhere not_cancelling leave_proxy",
                                    "cancel_reason"),
    ("Cancel", ANY, "ABORT"): Rule(None, "not_cancelling", "cancel_reason", keeps_clock=True),
    ("Abort", _WM, ANY): Rule(_ABORTED, "reason fault nowhere leave_proxy forget_branches", never_late=True),
    ("Abort", ANY, ANY): Rule(_ABORTED, "reason fault nowhere leave_proxy forget_branches"),
    ("Clear", ANY, ANY): Rule(_CLEARED, "clear_reason nowhere leave_proxy", "sandbox_retrieved"),
    ("Suspend", ANY, ANY): Rule(None, "suspend"),
    ("Resume", ANY, ANY): Rule(None, "resume"),
    ("UserTag", ANY, ANY): Rule(tells="user_tag", keeps_clock=True),
    ("CollectionState", ANY, ANY): COMPUTED,
    ("Sandbox", ANY, "INPUT"): Rule(tells="input_sandbox"),
    ("Sandbox", ANY, "OUTPUT"): Rule(tells="output_sandbox"),
    ("GrantPayloadOwnership", ANY, ANY): Rule(tells="grant_payload", keeps_clock=True),
    ("TakePayloadOwnership", ANY, ANY): Rule(tells="take_payload", keeps_clock=True),
    ("ChangeACL", ANY, ANY): Rule(tells="change_acl", keeps_clock=True),
    ("ResourceUsage", ANY, ANY): Rule(tells="resource_usage"),
    ("Purge", ANY, ANY): STORED,
    ("Chkpt", ANY, ANY): ASIDE,
    ("Listener", ANY, ANY): ASIDE,
    ("CurDescr", ANY, ANY): ASIDE,
    ("Notification", ANY, ANY): IGNORED,
    **CREAM_IN_GLITE,
    **{(name, ANY, ANY): SUSPECT for name in EVENT_TYPES
       if name.startswith(("PBS", "Condor", "VM", "FileTransfer"))},
}

# what the server itself says, of a job of any type
_SERVED: Table = {
    ("RegJob", _LBS, ANY): Rule(tells="embryo", verdict=Verdict.IGNORED),
    ("ConnectJob", _LBS, ANY): Rule(tells="edge", verdict=Verdict.IGNORED),
    ("DisconnectJob", _LBS, ANY): Rule(tells="edge", verdict=Verdict.IGNORED),
    ("ConnectJob", ANY, ANY): Rule(tells="edge"),
    ("DisconnectJob", ANY, ANY): Rule(tells="edge"),
}

_TABLES: Mapping[JobType, Table] = {
    JobType.SIMPLE: GLITE,
    JobType.DAG: GLITE,
    JobType.COLLECTION: GLITE,
    JobType.CREAM: CREAM,
    JobType.PBS: PBS,
    JobType.CONDOR: CONDOR,
    JobType.FILE_TRANSFER_COLLECTION: FILE_TRANSFER_COLLECTION,
    JobType.FILE_TRANSFER: FILE_TRANSFER,
    JobType.VIRTUAL_MACHINE: VM,
}
TABLES: Mapping[JobType, Table] = {jobtype: {**table, **_SERVED} for jobtype, table in _TABLES.items()}


def results(row: EventType) -> list[str]:
    """All results an event type can have, in the form of `wms.event.result`."""
    return ["/".join(choice) for choice in product(*[field.choices for field in row.results])]


@cache
def rule_of(jobtype: JobType, name: str, source: str, result: str) -> Rule:
    """What the table of that type of jobs says of such an event; the more exact row wins.

    Every event that may exist has a rule. They are thousands, of which a service meets few: each is found once.
    """
    table = TABLES[jobtype]
    return next(table[key] for key in product((name,), (source, ANY), (result, ANY)) if key in table)


def diagram() -> str:
    """The state table of grid jobs as a Mermaid state diagram, for the documentation."""
    lines = ["stateDiagram-v2", "    [*] --> Submitted : RegJob", '    state "not over" as Live {',
             '        state "not yet on a worker node" as Early {',
             *(f"            {state.value}" for state in (_SUBMITTED, _WAITING, _READY, _SCHEDULED)),
             "        }", f"        {_RUNNING.value}", f"        {_DONE.value}", "    }"]
    arrows: dict[tuple[str, str], list[str]] = {}
    for key, rule in GLITE.items():
        if rule.state is not None and key[0] != "RegJob":
            origin = "Early" if rule.late_when_running or rule.late_in_attempt else "Live"
            arrows.setdefault((origin, rule.state.value), []).append(_label(key))
        if rule.state is not None and rule.never_late:
            for over in (_CLEARED, _CANCELLED):
                arrows[over.value, rule.state.value] = [_label(key)]
        if rule.computed:
            arrows[_ABORTED.value, "Live"] = [_label(key)]
    lines += [f"    {origin} --> {state} : {', '.join(events)}" for (origin, state), events in arrows.items()]
    return "\n".join(lines) + "\n"


def _label(key: Key) -> str:
    name, source, result = key
    said = name if result == ANY else f"{name} {result}"
    return said if source == ANY else f"{said} ({Source(source).value})"
