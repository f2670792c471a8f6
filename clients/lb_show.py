"""Records of the bookkeeping as text for people, in the layouts of the `glite-lb-*` commands. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from clients.show import Date
from wms.jobstatus import JobState

Record = Mapping[str, Any]

_COMPOSITE = ("seed", "children_num", "children", "children_states", "children_hist")
_FIELDS = (
    "jobtype", "parent_job", *_COMPOSITE, "condorId", "globusId", "localId", "jdl", "matched_jdl", "destination",
    "network_server", "condor_jdl", "rsl", "reason", "location", "ce_node", "subjob_failed", "done_code", "exit_code",
    "wrapper_exit_code", "resubmitted", "cancelling", "cancelReason", "cpuTime", "user_tags", "stateEnterTime",
    "stateEnterTimes", "lastUpdateTime", "expectUpdate", "expectFrom", "acl", "payload_running", "payload_owner",
    "possible_destinations", "possible_ce_nodes", "suspended", "suspend_reason", "failure_reasons",
    "remove_from_proxy", "ui_host", "user_fqans", "sandbox_retrieved", "jw_status", "isb_transfer", "osb_transfer",
    "access_rights", "related", "all_cancelled")
_FLAGS = frozenset({"subjob_failed", "resubmitted", "cancelling", "expectUpdate", "payload_running", "suspended",
                    "remove_from_proxy", "all_cancelled"})
_DONE = {-1: "", 0: "OK", 1: "FAILED", 2: "CANCELLED"}
_NUMBERS = {"children_num": 0, "exit_code": 0, "wrapper_exit_code": -1, "cpuTime": -1}


def status(record: Record, date: Date, level: int = 0) -> str:
    """Every field as `name : value`, lists and tables below their names; children indented."""
    return "\n".join("\t" * level + line for line in _lines(record, date)) + "\n"


def _lines(record: Record, date: Date) -> Iterator[str]:
    yield f"state : {record.get('state', 'Undefined')}"
    yield f"jobId : {record.get('jobId', '')}"
    yield f"owner : {record.get('owner', '')}"
    simple = not record.get("children_num") and not record.get("children_hist")
    for name in _FIELDS:
        if not (simple and name in _COMPOSITE):
            yield from _field(name, record, date)
    yield from (f"{name} : {value}" for name, value in record.get("extra", {}).items())


def _field(name: str, record: Record, date: Date) -> Iterator[str]:
    value = record.get(name)
    if name in ("stateEnterTime", "lastUpdateTime"):
        yield f"{name} : {value or 0.0:.6f}"
    elif name == "stateEnterTimes":
        yield from _times(value or {}, date)
    elif name == "children_hist":
        yield from ["children_hist :", *(f"{state:>14}  {count}" for state, count in (value or {}).items())]
    elif name == "children_states":
        yield "children_states :"
        yield from (line for child in value or () for line in status(child, date, 1).splitlines())
    elif name == "user_tags":
        yield from ["user_tags :", *(f'{tag:>14} = "{text}"' for tag, text in (value or {}).items())]
    elif isinstance(value, list):
        yield from [f"{name} :", *(f"\t{item}" for item in value)]
    else:
        yield f"{name} : {_plain(name, value)}"


def _plain(name: str, value: Any) -> object:
    if name == "done_code":
        return _DONE.get(-1 if value is None else value, value)
    if name in _FLAGS:
        return int(bool(value))
    return _NUMBERS.get(name, "") if value is None else value


def _times(entered: Record, date: Date) -> Iterator[str]:
    yield "stateEnterTimes :"
    for state in JobState:
        if state not in (JobState.UNDEFINED, JobState.PURGED):
            yield f"{state.value:>14}  {date(entered[state]) if state in entered else '    - not available -'}"


def user_jobs(found: Sequence[Record]) -> str:
    """A line a job, children below their parents, and how many there are."""
    known = {record["jobId"] for record in found}
    below: dict[str, list[Record]] = {}
    for record in found:
        below.setdefault(record.get("parent_job", ""), []).append(record)
    tops = (record for record in found if record.get("parent_job", "") not in known)
    return "\n".join([*_tree(tops, below), "", f"Found {len(found)} jobs"])


def _tree(tops: Iterable[Record], below: Mapping[str, Sequence[Record]]) -> Iterator[str]:
    for record in tops:
        yield f"{_KINDS.get(record.get('jobtype', ''), '    ')}  {job_line(record)}"
        yield from (f" `-       {job_line(child)}" for child in below.get(record["jobId"], ()))


_KINDS = {"DAG": "DAG ", "COLLECTION": "COLL", "FILE_TRANSFER_COLLECTION": "FTC "}


def job_line(record: Record) -> str:
    """A job, its state and, once it is done, how."""
    state = record.get("state", "Undefined")
    done = _DONE.get(record.get("done_code", -1), "") if state == "Done" else ""
    return f"{record['jobId']} .... {state} {done}".rstrip()
