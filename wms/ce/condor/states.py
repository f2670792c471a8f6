"""What events and job ads of HTCondor say of the state of a job: two tables. Pure.

Not here: reading events (events), nor asking for ads (commands).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from wms.ce import CeState, Phase, Usage
from wms.ce.condor.events import Event, Kind

__all__ = ["ATTRIBUTES", "SPOOLING", "Seen", "is_half_submitted", "is_leaving", "moved", "of_ad", "of_seen"]

ATTRIBUTES = (
    "ClusterId", "ProcId", "WmsToken", "WmsWallSeconds", "WmsCpuSeconds", "JobStatus", "HoldReason", "HoldReasonCode",
    "HoldReasonSubCode", "RemoveReason", "RemoteHost", "LastRemoteHost", "ExitBySignal", "ExitCode", "ExitSignal",
    "NumJobStarts", "RemoteWallClockTime", "RemoteUserCpu", "RemoteSysCpu", "ResidentSetSize",
)
"""What is asked of each job."""

SPOOLING = 16
"""HoldReasonCode of a job whose input files are on their way to the schedd: it waits, nobody has to act."""

_OUR_POLICY = "PeriodicRemove"
"""HTCondor's word for the expression, in the reason of a removal."""

_IDLE, _RUNNING, _REMOVED, _COMPLETED, _HELD, _TRANSFERRING, _SUSPENDED = range(1, 8)
"""Values of JobStatus."""


class Seen(msgspec.Struct, frozen=True):
    """What the events of one job have told so far. Times in seconds by the clock of the log's writer."""

    phase: Phase = Phase.QUEUED
    node: str = ""
    reason: str = ""
    exit_status: int | None = None
    started: float = 0.0
    wall_s: float = 0.0
    cpu_s: float = 0.0
    rss_kb: int = 0
    runs: int = 0


# -- events ------------------------------------------------------------------------------------------------


def _waits(seen: Seen, event: Event) -> Seen:
    return msgspec.structs.replace(seen, phase=Phase.QUEUED, reason=event.reason)


def _runs(seen: Seen, event: Event) -> Seen:
    return msgspec.structs.replace(seen, phase=Phase.RUNNING, reason="", node=_host(event.node), started=event.seconds,
                                   runs=seen.runs + 1)


def _goes_on(seen: Seen, event: Event) -> Seen:
    return msgspec.structs.replace(seen, phase=Phase.RUNNING, reason=event.reason, node=_host(event.node) or seen.node)


def _stands_still(seen: Seen, event: Event) -> Seen:
    return msgspec.structs.replace(seen, phase=Phase.RUNNING, reason="suspended by HTCondor")


def _back(what: str) -> Callable[[Seen, Event], Seen]:
    def back(seen: Seen, event: Event) -> Seen:
        words = f"{what}: {event.reason}" if event.reason else what
        return msgspec.structs.replace(seen, phase=Phase.QUEUED, reason=words)

    return back


def _held(seen: Seen, event: Event) -> Seen:
    if event.code == SPOOLING:
        return _waits(seen, event)
    return msgspec.structs.replace(seen, phase=Phase.HELD, reason=_hold_words(event.reason, event.code, event.subcode))


def _grown(seen: Seen, event: Event) -> Seen:
    return msgspec.structs.replace(seen, rss_kb=max(seen.rss_kb, event.rss_kb))


def _remarked(seen: Seen, event: Event) -> Seen:
    return msgspec.structs.replace(seen, reason=event.reason or seen.reason)


def _ended(seen: Seen, event: Event) -> Seen:
    status = event.exit_code if event.signal is None else 128 + event.signal
    wall_s = max(0.0, event.seconds - seen.started) if seen.started else 0.0
    return msgspec.structs.replace(seen, phase=Phase.ENDED, reason="", exit_status=status, wall_s=wall_s,
                                   cpu_s=event.cpu_s)


def _removed(seen: Seen, event: Event) -> Seen:
    """By somebody, or by the expression we gave it: then it says which of its limits it was."""
    wall_s = max(0.0, event.seconds - seen.started) if seen.phase is Phase.RUNNING else 0.0
    words = event.reason if _OUR_POLICY in event.reason else _at_the_ce(event.reason)
    if _OUR_POLICY in words and seen.phase is Phase.QUEUED and seen.runs:
        words = f"{seen.reason or 'evicted'}, and not started a second time"
    return msgspec.structs.replace(seen, phase=Phase.ENDED, reason=words, exit_status=None, wall_s=wall_s)


_MOVES: dict[Kind, Callable[[Seen, Event], Seen]] = {
    Kind.SUBMIT: _waits,
    Kind.GRID_SUBMIT: _waits,
    Kind.RELEASED: _waits,
    Kind.EXECUTE: _runs,
    Kind.UNSUSPENDED: _goes_on,
    Kind.DISCONNECTED: _goes_on,
    Kind.RECONNECTED: _goes_on,
    Kind.SUSPENDED: _stands_still,
    Kind.EVICTED: _back("evicted"),
    Kind.SHADOW_EXCEPTION: _back("shadow exception"),
    Kind.RECONNECT_FAILED: _back("lost contact with the worker node"),
    Kind.HELD: _held,
    Kind.IMAGE_SIZE: _grown,
    Kind.EXECUTABLE_ERROR: _remarked,
    Kind.REMOTE_ERROR: _remarked,
    Kind.TERMINATED: _ended,
    Kind.ABORTED: _removed,
}


def moved(seen: Seen, event: Event) -> Seen:
    """The next state; an end is final, and most events tell nothing."""
    move = _MOVES.get(event.kind)
    return seen if move is None or seen.phase is Phase.ENDED else move(seen, event)


def of_seen(token: str, handle: str, seen: Seen, wall_limit_s: int = 0) -> CeState:
    """`wall_limit_s`: what the job was allowed, 0 for no limit."""
    usage = Usage(seen.wall_s, seen.cpu_s, seen.rss_kb) if seen.phase is Phase.ENDED else None
    reason = seen.reason
    if _OUR_POLICY in reason and 0 < wall_limit_s <= seen.wall_s:
        reason = f"wall time limit of {wall_limit_s} s exceeded"
    return CeState(token, seen.phase, handle, seen.exit_status, seen.node, reason, usage)


def _at_the_ce(reason: str) -> str:
    """By whom does not matter: our users have no hands there."""
    return f"removed at the CE: {reason}" if reason else "removed at the CE"


def _host(name: str) -> str:
    """The host in `slot1_2@node.example.org`, in an address `<192.0.2.7:9618?...>`, or as it is."""
    bare = name.rpartition("@")[2].strip('"')
    return bare[1:].partition(":")[0] if bare.startswith("<") else bare


def _hold_words(reason: str, code: int, subcode: int) -> str:
    return f"{reason or 'no reason given'} (job was held, code {code}, subcode {subcode})"


# -- job ads -----------------------------------------------------------------------------------------------


_PHASES: dict[int, Phase] = {
    _IDLE: Phase.QUEUED, _RUNNING: Phase.RUNNING, _COMPLETED: Phase.ENDED, _HELD: Phase.HELD,
    _TRANSFERRING: Phase.RUNNING, _SUSPENDED: Phase.RUNNING,
}


def of_ad(token: str, handle: str, ad: Mapping[str, Any], *, gone: bool = False) -> CeState:
    """The state by a job ad. `gone`: it is from the history, where a removed job has ended."""
    status = _number(ad, "JobStatus")
    if status == _REMOVED:
        phase = Phase.ENDED if gone else Phase.RUNNING if _number(ad, "NumJobStarts") else Phase.QUEUED
        return CeState(token, phase, handle, None, _node(ad), _removal(ad), _usage(ad) if gone else None)
    if status == _HELD and (gone or _number(ad, "HoldReasonCode") != SPOOLING):
        words = _hold_words(_words(ad, "HoldReason"), _number(ad, "HoldReasonCode"), _number(ad, "HoldReasonSubCode"))
        return CeState(token, Phase.ENDED if gone else Phase.HELD, handle, None, _node(ad), words)
    if status == _COMPLETED:
        return CeState(token, Phase.ENDED, handle, _exit_status(ad), _node(ad), "", _usage(ad))
    phase = Phase.QUEUED if status == _HELD else _PHASES.get(status, Phase.QUEUED)
    reason = "suspended by HTCondor" if status == _SUSPENDED else ""
    return CeState(token, phase, handle, None, _node(ad) if phase is Phase.RUNNING else "", reason)


def is_half_submitted(ad: Mapping[str, Any]) -> bool:
    """Its input files were never spooled whole: whoever submitted it is gone, or still at it."""
    return _number(ad, "JobStatus") == _HELD and _number(ad, "HoldReasonCode") == SPOOLING


def is_leaving(ad: Mapping[str, Any]) -> bool:
    """Removed, but kept in the queue (state X) until its remains are cleaned up."""
    return _number(ad, "JobStatus") == _REMOVED


def _removal(ad: Mapping[str, Any]) -> str:
    """HTCondor's words; of the expression we gave it ourselves, in ours: which of its limits it was."""
    words = _words(ad, "RemoveReason")
    if _OUR_POLICY not in words:
        return _at_the_ce(words)
    wall, cpu = _number(ad, "WmsWallSeconds"), _number(ad, "WmsCpuSeconds")
    if 0 < wall <= _seconds(ad, "RemoteWallClockTime"):
        return f"wall time limit of {wall} s exceeded"
    if 0 < cpu <= _seconds(ad, "RemoteUserCpu") + _seconds(ad, "RemoteSysCpu"):
        return f"CPU time limit of {cpu} s exceeded"
    if _number(ad, "NumJobStarts"):
        return f"evicted from {_node(ad) or 'its worker node'}, and not started a second time"
    return words


def _exit_status(ad: Mapping[str, Any]) -> int | None:
    if ad.get("ExitBySignal") is True:
        return 128 + _number(ad, "ExitSignal")
    code = ad.get("ExitCode")
    return code if isinstance(code, int) else None


def _usage(ad: Mapping[str, Any]) -> Usage:
    cpu_s = _seconds(ad, "RemoteUserCpu") + _seconds(ad, "RemoteSysCpu")
    return Usage(_seconds(ad, "RemoteWallClockTime"), cpu_s, _number(ad, "ResidentSetSize"))


def _node(ad: Mapping[str, Any]) -> str:
    return _host(_words(ad, "RemoteHost") or _words(ad, "LastRemoteHost"))


def _words(ad: Mapping[str, Any], name: str) -> str:
    value = ad.get(name)
    return value if isinstance(value, str) else ""


def _number(ad: Mapping[str, Any], name: str) -> int:
    """0 where it is not there, or is an expression that nobody evaluated."""
    value = ad.get(name)
    return int(value) if isinstance(value, int | float) else 0


def _seconds(ad: Mapping[str, Any], name: str) -> float:
    value = ad.get(name)
    return max(0.0, float(value)) if isinstance(value, int | float) else 0.0
