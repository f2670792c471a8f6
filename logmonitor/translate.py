"""What an observed end of an attempt means: pure decisions, no effects.

The wrapper's own report counts first, then what it printed; the CE's view alone never makes a success.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from wms.ce import Usage
from wms.operations import OutcomeReport
from wms.outcome import LAST_WORD, classify
from wms.usage import reported


@dataclass(frozen=True, slots=True)
class Success:
    """The payload ended by itself with `exit_code`. `report`: the wrapper's, if only its standard output brought it."""

    exit_code: int
    reason: str
    report: OutcomeReport | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """The attempt failed; `retry` is False when another one cannot help. `report`: as of a success."""

    reason: str
    retry: bool = True
    report: OutcomeReport | None = None


@dataclass(frozen=True, slots=True)
class Cancelled:
    reason: str = "Aborted by user"


REMOVAL_FAILED = Cancelled("Removal retries exceeded.")

Ending = Success | Failure | Cancelled


def ended_with(exit_code: int) -> str:
    """What is said of a payload that ended by itself."""
    return "Warning: job exit code != 0" if exit_code else "Job terminated successfully"


def from_report(report: OutcomeReport) -> Success | Failure:
    """The wrapper's last word through the Network Server."""
    if report.failure:
        verdict = classify(report.failure)
        return Failure(report.failure, retry=verdict.kind != "abort")
    return Success(report.exit_code, ended_with(report.exit_code))


def from_output(output: str, exit_status: int | None, reason: str) -> Success | Failure:
    """The second channel: the wrapper's standard output as the CE kept it, and the CE's own words."""
    report = last_word(output)
    if report is not None and not report.failure:
        return Success(report.exit_code, ended_with(report.exit_code), report)
    verdict = classify(output if report is None else report.failure)
    if verdict.kind == "done":
        return Success(verdict.exit_code, verdict.reason)
    words = verdict.reason.strip() if report is None else report.failure
    said = "; ".join(filter(None, [words, reason and f"the CE says: {reason}",
                                   "" if exit_status is None else f"wrapper exit status {exit_status}"]))
    return Failure(said, verdict.kind != "abort", report)


def last_word(output: str) -> OutcomeReport | None:
    """The report as the wrapper printed it, the last if there are several; None if there is none to be read."""
    found = None
    for line in output.splitlines():
        if line.startswith(LAST_WORD):
            try:
                found = msgspec.json.decode(line.removeprefix(LAST_WORD), type=OutcomeReport)
            except (msgspec.DecodeError, ValueError):
                continue
    return found


def kept_back(reason: str) -> Failure:
    """The CE held it for too long, and nobody released it."""
    return Failure(f"Got a job held event, reason: {reason or 'none given'}")


def used(usage: Usage | None) -> Iterator[tuple[str, float, str]]:
    """What a CE accounted, as (resource, quantity, unit) of events; processor time is not told apart."""
    for resource, quantity, unit in (() if usage is None else (
            ("real", usage.wall_s, "s"), ("user", usage.cpu_s, "s"), ("max_rss", float(usage.max_rss_kb), "kB"))):
        if quantity:
            yield resource, quantity, unit


def accounted(ending: Ending, usage: Usage | None) -> Iterator[tuple[str, float, str]]:
    """What the attempt used: by the wrapper's word on its standard output, else by the CE's."""
    report = None if isinstance(ending, Cancelled) else ending.report
    return used(usage) if report is None else reported(report)


def as_cancelled(ending: Ending, cancel_asked: bool) -> Ending:
    """A failed attempt of a job the user gave up is a cancellation; a success stays one."""
    return Cancelled() if cancel_asked and isinstance(ending, Failure) else ending
