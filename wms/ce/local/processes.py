"""Processes of the local CE: the runner beside each payload, who is alive, and ending all of a payload.

Not here: which payload may run, and when (backend), or what is on record of it (spool).
"""

from __future__ import annotations

import os
import signal
from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import NamedTuple

from wms.ce.local.spool import Claim, Limits

__all__ = ["alive", "family", "kill", "reap", "send", "spawn"]

MARK = "WMS_CE_TOKEN"
"""A variable in the environment of every process of a payload: it finds those that left the session."""

_ROUNDS = 5

RUNNER = r"""
cd "$1/jobs/$2" || exit 1
read -r _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ started _ <"/proc/$$/stat"
set -C
{ printf '%s %s\n' "$$" "$started" >claim; } 2>/dev/null || exit 0
set +C
trap : HUP INT QUIT TERM XCPU
if [ "$3" -gt 0 ]; then ulimit -S -t "$3"; ulimit -H -t $(($3 + 30)); fi
if [ "$4" -gt 0 ]; then ulimit -v "$4"; fi
export HOME="${HOME:-$PWD}"
if [ -f proxy ]; then export X509_USER_PROXY="$PWD/proxy"; fi
if [ -f token ]; then export BEARER_TOKEN_FILE="$PWD/token"; fi
if [ -p "$1/bell" ]; then export WMS_COURIER="$1" WMS_CALL="$2"; fi
/bin/sh ./script </dev/null >>output 2>&1
printf '%s\n' "$?" >"$1/ended/$2"
"""
"""Owns one payload: claims it or goes away, waits for it, records how it ended. Arguments: spool, token,
CPU seconds and kilobytes of memory (0: no limit)."""


_STREAMS = [(os.POSIX_SPAWN_OPEN, fd, "/dev/null", os.O_RDWR, 0) for fd in range(3)]
_DEFAULTS = [signal.SIGPIPE, signal.SIGXFSZ, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM]


_children: set[int] = set()
"""Runners of this process, which must be waited for by it, whichever backend started them."""


def spawn(root: str, token: str, limits: Limits, environment: Mapping[str, str]) -> None:
    """Start a runner in a session of its own; harmless if the job has one already."""
    memory_kb = limits.memory_mb * 1024
    command = ["/bin/sh", "-c", RUNNER, "wms-runner", root, token, str(limits.cpu_s), str(memory_kb)]
    # Our other descriptors are close-on-exec, as Python opens them.
    pid = os.posix_spawn("/bin/sh", command, {**environment, MARK: _mark(root, token)}, file_actions=_STREAMS,
                         setsid=True, setsigmask=[], setsigdef=_DEFAULTS)
    _children.add(pid)


def reap() -> None:
    """Collect the runners of this process that have ended, so that none stays a zombie for long."""
    for pid in list(_children):
        if _ended(pid):
            _children.discard(pid)


def _ended(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return True


class _Process(NamedTuple):
    state: str
    parent: int
    session: int
    started: int


def _process(pid: int | str) -> _Process | None:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return _Process(fields[0].decode(), int(fields[1]), int(fields[3]), int(fields[19])) if fields else None


def alive(claim: Claim) -> bool:
    """Is that very process still there? A number used again by another process does not count."""
    process = _process(claim.pid) if claim.pid else None
    return process is not None and process.started == claim.started and process.state not in "ZX"


def _marked(pid: int, marks: Collection[bytes]) -> bytes | None:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            found = set(file.read().split(b"\0")).intersection(marks)
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None
    return found.pop() if found else None


def _mark(root: str, token: str) -> str:
    """Of all processes of a payload, and of no other spool's."""
    return f"{root} {token}"


def family(root: str, claims: Mapping[str, Claim | None]) -> list[int]:
    """Process ids of all payloads named by token: by mark, by session, by descent; without the runners."""
    table = {int(name): process for name in os.listdir("/proc") if name.isdecimal()
             and (process := _process(name)) is not None and process.state not in "ZX"}
    runners = {claim.pid for claim in claims.values() if claim is not None and alive(claim)}
    marks = {f"{MARK}={_mark(root, token)}".encode() for token in claims}
    found = set(runners)
    for pid, process in table.items():
        if process.session in runners or _marked(pid, marks):
            found.add(pid)
    grown = -1
    while grown != len(found):
        grown = len(found)
        found |= {pid for pid, process in table.items() if process.parent in found}
    return sorted(found - runners - {os.getpid()})


def send(pids: Collection[int], number: signal.Signals) -> None:
    """One signal to many processes; those that are gone do not matter."""
    for pid in pids:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def kill(root: str, claims: Mapping[str, Claim | None]) -> None:
    """End the payloads for good, also children born meanwhile. Their runners stay to record it."""
    for _ in range(_ROUNDS):
        pids = family(root, claims)
        if not pids:
            return
        send(pids, signal.SIGKILL)
