"""What an observed end of an attempt means: pure decisions, no effects.

The wrapper's own report counts first, then what it printed; the CE's view alone never makes a success.
"""

from __future__ import annotations

from dataclasses import dataclass

from wms.operations import OutcomeReport
from wms.outcome import classify


@dataclass(frozen=True, slots=True)
class Success:
    """The payload ended by itself with `exit_code`."""

    exit_code: int
    reason: str


@dataclass(frozen=True, slots=True)
class Failure:
    """The attempt failed; `retry` is False when another one cannot help."""

    reason: str
    retry: bool = True


@dataclass(frozen=True, slots=True)
class Cancelled:
    reason: str = "Aborted by user"


Ending = Success | Failure | Cancelled


def from_report(report: OutcomeReport) -> Success | Failure:
    """The wrapper's last word through the Network Server."""
    if report.failure:
        verdict = classify(report.failure)
        return Failure(report.failure, retry=verdict.kind != "abort")
    if report.exit_code:
        return Success(report.exit_code, "Warning: job exit code != 0")
    return Success(0, "Job terminated successfully")


def from_output(output: str, exit_status: int | None, reason: str) -> Success | Failure:
    """The second channel: the wrapper's standard output as the CE kept it, and the CE's own words."""
    verdict = classify(output)
    if verdict.kind == "done":
        return Success(verdict.exit_code, verdict.reason)
    said = "; ".join(filter(None, [verdict.reason.strip(), reason and f"the CE says: {reason}",
                                   "" if exit_status is None else f"wrapper exit status {exit_status}"]))
    return Failure(said, retry=verdict.kind != "abort")


def as_cancelled(ending: Ending, cancel_asked: bool) -> Ending:
    """A failed attempt of a job the user gave up is a cancellation; a success stays one."""
    return Cancelled() if cancel_asked and isinstance(ending, Failure) else ending
