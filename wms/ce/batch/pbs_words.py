"""The words of PBS: its job states, holds and ends, how it refuses; tables with their readers. Pure.

Not here: the formats of its commands (pbs).
"""

from __future__ import annotations

import re

from wms.ce import Phase
from wms.ce.batch.dialect import Refusal

__all__ = ["NOTHING_LEFT", "SILENT", "STATES", "ending", "exit_status", "held", "kilobytes", "refusal"]

STATES: dict[str, Phase] = {
    "B": Phase.RUNNING, "C": Phase.ENDED, "E": Phase.RUNNING, "F": Phase.ENDED, "H": Phase.HELD, "M": Phase.ENDED,
    "Q": Phase.QUEUED, "R": Phase.RUNNING, "S": Phase.HELD, "T": Phase.QUEUED, "U": Phase.HELD, "W": Phase.QUEUED,
    "X": Phase.ENDED,
}
"""`job_state` of qstat(1): C of Torque, F M X B U of OpenPBS; the others are the same in both."""

_KILLED: dict[str, str] = {
    "-24": "ended by the CE: it used more CPUs than it asked for",
    "-25": "ended by the CE: it used more CPUs than it asked for",
    "-26": "out of memory (virtual memory)", "-27": "out of memory", "-28": "CPU time limit reached",
    "-29": "time limit reached (walltime)",
}
"""`Exit_status` of OpenPBS for a job over its limits."""

_OVER = re.compile(r"exceeded (?:resource )?(walltime|cput|p?v?mem)|\b(walltime|cput|p?v?mem) \S+ exceeded limit")
_LIMITS = {"walltime": "time limit reached (walltime)", "cput": "CPU time limit reached"}

SILENT = (
    "cannot connect to server", "connection refused", "connection timed out", "no route to host", "15010", "15031",
    "end of file", "premature end of message", "pbs_iff", "cannot resolve", "server shutting down",
    "communication failure", "invalid credential", "host is down",
)

_REFUSALS: tuple[tuple[str, Refusal], ...] = (
    ("|".join(map(re.escape, SILENT)), Refusal.SILENT),
    (r"maximum number of jobs|would exceed|queue is not enabled|too many jobs|job limit", Refusal.NOW),
    (r"unknown queue|exceeds queue|exceeds? .*(resource )?limits?|access to queue is denied|unauthorized request"
     r"|bad uid|unknown resource|illegal attribute|illegal -|invalid (option|resource)|cannot be satisfied"
     r"|can never run|insufficient|no permission|cannot locate feasible nodes", Refusal.FINAL),
)
"""The first row with a match counts, case ignored; anything else is `NOW`."""

NOTHING_LEFT = re.compile(r"unknown job ?id|job has finished|invalid for state|job has expired", re.IGNORECASE)
"""What qdel says of a job that is over."""

_HOLDS = {"u": "by its user", "o": "by an operator", "s": "by the system", "p": "for a bad password"}
_SIZES = {"b": 1 / 1024, "kb": 1, "mb": 1024, "gb": 1024 ** 2, "tb": 1024 ** 3, "w": 8 / 1024, "kw": 8, "mw": 8192}
_TERMINATED = "91"
"""`substate` of a job that was deleted."""


def held(state: str, holds: str, comment: str) -> str:
    """Why a job waits until somebody acts; "" if it does not. `comment` is the scheduler's."""
    if state == "H":
        who = ", ".join(_HOLDS[letter] for letter in _HOLDS if letter in holds)
        return f"held {who or holds}".strip() + (f": {comment}" if comment else "")
    if state in ("S", "U"):
        return "held: suspended"
    return f"held: {comment}" if state == "Q" and comment.startswith("Can Never Run") else ""


def ending(state: str, code: str, substate: str, comment: str) -> tuple[str, bool]:
    """Why a job did not end by itself, "" if it did, and whether somebody took it back."""
    if state == "M":
        return "moved to another server by the CE", False
    over = _OVER.search(comment)
    if code in _KILLED or over:
        return _KILLED.get(code) or _LIMITS.get(over[1] or over[2] if over else "", "out of memory"), False
    if substate == _TERMINATED:
        return "cancelled at the CE, not by the service", True
    if code.startswith("-"):
        return f"the CE could not run it (Exit_status {code}){': ' + comment if comment else ''}", False
    return "", False


def exit_status(code: str) -> int | None:
    """None when signal n ended the job script itself, 256 + n, for a job that never ran, and for anything else."""
    return int(code) if code.isdecimal() and int(code) < 256 else None


def refusal(said: str) -> Refusal:
    """What a failed qsub means."""
    return next((meaning for pattern, meaning in _REFUSALS if re.search(pattern, said, re.IGNORECASE)), Refusal.NOW)


def kilobytes(text: str) -> int:
    """`1234kb`, `2gb`; a number alone is bytes; 0 for anything else."""
    found = re.fullmatch(r"(\d+)([kmgt]?[bw])?", text.strip().lower(), re.ASCII)
    return int(int(found[1]) * _SIZES[found[2] or "b"]) if found else 0
