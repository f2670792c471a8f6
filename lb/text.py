"""The status of a job as `key=value` lines, in the order in which the bookkeeping service always gave them.

A form for scripts; a line never spans lines. Not the JSON form, which has every field.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from wms.errors import WmsError
from wms.event import Event
from wms.jobstatus import JobStatus
from wms.ulm import to_ulm

Value = Callable[[JobStatus], Any]


def _yes(flag: bool) -> str:
    return "YES" if flag else "NO"


def _list(items: Iterable[str]) -> str:
    return '"' + ",".join(items) + '"'


def _time(seconds: float) -> str:
    return f"{seconds:.6f}"


def _extra(name: str) -> Value:
    return lambda status: status.extra.get(name, "")


_HEAD: Sequence[tuple[str, Value]] = (
    ("Job", lambda s: s.job_id),
    ("cream_id", _extra("cream_id")),
    ("parent_job", lambda s: s.parent_job),
    ("Status", lambda s: s.state.value),
    ("job_type", lambda s: s.jobtype.value),
)
_SIMPLE: Sequence[tuple[str, Value]] = (("jw_status", lambda s: s.jw_status.value),)
_COMPOSITE: Sequence[tuple[str, Value]] = (
    ("seed", lambda s: s.seed),
    ("children_num", lambda s: s.children_num),
    ("children_hist", lambda s: ",".join(f"{state}={count}" for state, count in s.children_hist.items())),
    ("subjob_failed", lambda s: _yes(s.subjob_failed)),
)
_BODY: Sequence[tuple[str, Value]] = (
    ("owner", lambda s: s.owner),
    ("payload_owner", lambda s: s.payload_owner),
    ("condorId", lambda s: s.condor_id),
    ("globusId", lambda s: s.globus_id),
    ("localId", lambda s: s.local_id),
    ("reason", lambda s: s.reason),
    ("stateEnterTime", lambda s: _time(s.state_enter_time)),
    ("lastUpdateTime", lambda s: _time(s.last_update_time)),
    ("expectUpdate", lambda s: _yes(s.expect_update)),
    ("expectFrom", lambda s: s.expect_from),
    ("location", lambda s: s.location),
    ("destination", lambda s: s.destination),
    ("ce_node", lambda s: s.ce_node),
    ("resubmitted", lambda s: _yes(s.resubmitted)),
    ("cancelling", lambda s: _yes(s.cancelling)),
    ("cancelReason", lambda s: s.cancel_reason),
    ("cpuTime", lambda s: f"{s.cpu_time:g}"),
    ("done_code", lambda s: s.done_code.value),
    ("exit_code", lambda s: s.exit_code),
    ("input_sandbox", lambda s: s.isb_transfer),
    ("output_sandbox", lambda s: s.osb_transfer),
    ("acl", lambda s: s.acl),
    ("user_tags", lambda s: _list(f"{name}={value}" for name, value in s.user_tags.items())),
    ("payload_running", lambda s: _yes(s.payload_running)),
    ("possible_destinations", lambda s: _list(s.possible_destinations)),
    ("possible_ce_nodes", lambda s: _list(s.possible_ce_nodes)),
    ("suspended", lambda s: _yes(s.suspended)),
    ("suspend_reason", lambda s: s.suspend_reason),
    ("failure_reasons", lambda s: s.failure_reasons),
    ("remove_from_proxy", lambda s: _yes(s.remove_from_proxy)),
    ("ui_host", lambda s: s.ui_host),
    ("user_fqans", lambda s: _list(s.user_fqans)),
)
_TAIL: Sequence[tuple[str, Value]] = (
    ("jdl", lambda s: s.jdl),
    ("rsl", lambda s: s.rsl),
)


def status_lines(status: JobStatus, history: Sequence[Event] = ()) -> str:
    """Every key, in order, empty where nothing is known; each event of `history` as a line of its own."""
    middle = _COMPOSITE if status.jobtype.composite else _SIMPLE
    lines = [_line(key, value(status)) for key, value in (*_HEAD, *middle, *_BODY)]
    lines += [_line("history", to_ulm(event).rstrip("\n")) for event in history]
    lines += [_line(key, value(status)) for key, value in _TAIL]
    return "".join(lines)


def error_lines(error: WmsError) -> str:
    """A refusal in the same form."""
    return (_line("Error", error.status) + _line("Code", error.code)
            + _line("Description", f"{error.message} {error.hint}".strip()))


def _line(key: str, value: object) -> str:
    text = str(value).replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    return f"{key}={text}\n"
