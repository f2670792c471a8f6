"""The words of Slurm: its job states, why jobs wait, how it refuses; tables with their readers. Pure.

Not here: the formats of its commands (slurm).
"""

from __future__ import annotations

import re

from wms.ce import Phase
from wms.ce.batch.dialect import Refusal

__all__ = ["SILENT", "exit_status", "phase_of", "refusal", "seconds"]

_STATES: dict[str, tuple[Phase, str]] = {
    "PENDING": (Phase.QUEUED, ""),
    "CONFIGURING": (Phase.QUEUED, ""),
    "REQUEUED": (Phase.QUEUED, ""),
    "REQUEUE_FED": (Phase.QUEUED, ""),
    "REQUEUE_HOLD": (Phase.HELD, "held: requeued and held"),
    "SPECIAL_EXIT": (Phase.HELD, "held: requeued after a special exit"),
    "RESV_DEL_HOLD": (Phase.HELD, "held: its reservation was deleted"),
    "SUSPENDED": (Phase.HELD, "held: suspended"),
    "STOPPED": (Phase.HELD, "held: stopped"),
    "RUNNING": (Phase.RUNNING, ""),
    "COMPLETING": (Phase.RUNNING, ""),
    "SIGNALING": (Phase.RUNNING, ""),
    "STAGE_OUT": (Phase.RUNNING, ""),
    "RESIZING": (Phase.RUNNING, ""),
    "COMPLETED": (Phase.ENDED, ""),
    "FAILED": (Phase.ENDED, ""),
    "CANCELLED": (Phase.ENDED, "cancelled at the CE, not by the service"),
    "TIMEOUT": (Phase.ENDED, "time limit reached (TIMEOUT)"),
    "DEADLINE": (Phase.ENDED, "ended by the CE: its deadline had come (DEADLINE)"),
    "OUT_OF_MEMORY": (Phase.ENDED, "out of memory (OUT_OF_MEMORY)"),
    "NODE_FAIL": (Phase.ENDED, "worker node lost (NODE_FAIL)"),
    "BOOT_FAIL": (Phase.ENDED, "worker node did not start (BOOT_FAIL)"),
    "PREEMPTED": (Phase.ENDED, "preempted by another job (PREEMPTED)"),
    "REVOKED": (Phase.ENDED, "taken back by another cluster (REVOKED)"),
}
"""JOB STATE CODES of squeue(1): the phase, and why it is that unless it is the usual thing."""

_NEVER = re.compile(
    r"JobHeld(User|Admin)|DependencyNeverSatisfied|requeued held|ReservationDeleted|BadConstraints"
    r"|Partition(Node|Time)Limit|PartitionConfig|Invalid(Account|QOS)|(Account|QOS)NotAllowed"
    r"|(Assoc|QOS)Max\w+PerJob", re.IGNORECASE)
"""JOB REASON CODES of squeue(1) with which a job waits until somebody acts."""

SILENT = (
    "unable to contact slurm controller", "socket timed out", "connection refused", "connection timed out",
    "no route to host", "zero bytes were transmitted", "temporarily unable to accept job", "standby mode",
    "protocol authentication error", "munge", "configuration source", "communication connection failure",
    "unable to resolve",
)

_REFUSALS: tuple[tuple[str, Refusal], ...] = (
    ("|".join(map(re.escape, SILENT)), Refusal.SILENT),
    (r"max\w*submit|MaxJobCount|too many jobs|job limit|accounting/qos policy", Refusal.NOW),
    (r"invalid (partition|account|qos|node name|feature|reservation|generic resource|wckey|constraint|time)"
     r"|node (configuration|count specification).{0,40}(not available|invalid|can not|cannot)"
     r"|(node count|processor|memory|time limit) specification.{0,40}(invalid|not available|can not|cannot)"
     r"|more processors requested than permitted|time limit is invalid|requested partition configuration"
     r"|requests? (more|too many)|unrecognized option|invalid option|user'?s group not permitted"
     r"|memory required by task is not available", Refusal.FINAL),
)
"""The first row with a match counts, case ignored; anything else is `NOW`."""


def phase_of(state: str, reason: str) -> tuple[Phase, str] | None:
    """Phase and words of a state, with the reason that squeue gives; None for a state that nobody knows.

    `CANCELLED by 1000` of sacct and `CANCELLED+` are the same as `CANCELLED`.
    """
    known = _STATES.get(state.partition(" ")[0].rstrip("+"))
    if known is None:
        return None
    if known[0] is Phase.QUEUED and _NEVER.search(reason):
        return Phase.HELD, f"held: {reason}"
    return known


def refusal(said: str) -> Refusal:
    """What a failed sbatch means."""
    return next((meaning for pattern, meaning in _REFUSALS if re.search(pattern, said, re.IGNORECASE)), Refusal.NOW)


def exit_status(code: str) -> int | None:
    """`STATUS:SIGNAL` of sacct; None if a signal ended the job script itself, or for anything else."""
    status, colon, number = code.partition(":")
    return int(status) if colon and status.isdecimal() and number == "0" else None


def seconds(text: str) -> float:
    """`[DAYS-[HOURS:]]MINUTES:SECONDS[.MILLIS]`; 0 for no limit and for what is no time."""
    found = re.fullmatch(r"(?:(\d+)-)?(?:(\d+):)??(?:(\d+):)?(\d+(?:\.\d+)?)", text.strip(), re.ASCII)
    if found is None:
        return 0.0
    days, *parts = found.groups()
    hours, minutes, last = (float(part or 0) for part in parts)
    return float(days or 0) * 86400 + hours * 3600 + minutes * 60 + last
