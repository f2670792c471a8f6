"""The attempts at running a job: where each went, when, how it ended and why, told by its events.

Pure: events in, attempts out. Not the status of the job (lb.state.machine), and no text or markup (lb.pages.web_job).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import msgspec

from lb.state.order import order
from wms.event import Event

DONE_OUTCOMES = {"OK": "OK", "FAILED": "Failed", "KILLED": "Killed", "CANCELLED": "Cancelled"}
RESUBMISSIONS = {"WILLRESUB": "deep", "SHALLOW": "shallow"}


class Attempt(msgspec.Struct, frozen=True):
    """From one match to the next. Times are epoch seconds, 0 unknown; `outcome` is empty while it lasts.

    `how` says why there is another attempt after it: `deep`, `shallow` or empty. `exit_code` is -1 unknown.
    """

    number: int
    destination: str
    matched: float
    node: str = ""
    local_id: str = ""
    submitted: float = 0.0
    started: float = 0.0
    ended: float = 0.0
    outcome: str = ""
    reason: str = ""
    exit_code: int = -1
    how: str = ""


def attempts(events: Iterable[Event]) -> list[Attempt]:
    """The attempts in logical order; what came before the first match belongs to none."""
    told: list[Attempt] = []
    for event in sorted(events, key=order):
        if event.type == "Match":
            told = [*(_given_up(attempt, event) for attempt in told), Attempt(
                len(told) + 1, event.fields["dest_id"], event.timestamp)]
        elif told and event.type in _TELLS:
            told[-1] = msgspec.structs.replace(told[-1], **_TELLS[event.type](told[-1], event))
    return told


def _given_up(attempt: Attempt, following: Event) -> Attempt:
    """An attempt of which no end is known, though another one follows it."""
    if attempt.outcome:
        return attempt
    return msgspec.structs.replace(attempt, outcome="Given up", ended=max(following.timestamp, attempt.matched))


Told = Mapping[str, object]


def _running(attempt: Attempt, event: Event) -> Told:
    return {"node": event.fields["node"], "started": attempt.started or event.timestamp}


def _started(attempt: Attempt, event: Event) -> Told:
    return {"started": attempt.started or event.timestamp}


def _accepted(attempt: Attempt, event: Event) -> Told:
    return {"local_id": event.fields.get("local_jobid") or attempt.local_id,
            "submitted": attempt.submitted or event.timestamp}


def _transfer(attempt: Attempt, event: Event) -> Told:
    match event.fields["result"]:
        case "OK":
            return {"submitted": event.timestamp}
        case "START":
            return {}
        case _:
            return _refused(attempt, event)


def _refused(attempt: Attempt, event: Event) -> Told:
    return _over(attempt, event, "Refused")


def _done(attempt: Attempt, event: Event) -> Told:
    """What the wrapper says is the exit code; how the attempt ended is said by who watches it."""
    code = event.fields["exit_code"]
    known = {"exit_code": code if code >= 0 else attempt.exit_code}
    if event.source == "LRMS":
        return known
    return known | {"ended": event.timestamp, "outcome": DONE_OUTCOMES[event.fields["status_code"]],
                    "reason": event.fields.get("reason", "")}


def _cancelled(attempt: Attempt, event: Event) -> Told:
    return _over(attempt, event, "Cancelled") if event.fields["status_code"] == "DONE" else {}


def _aborted(attempt: Attempt, event: Event) -> Told:
    return _over(attempt, event, "Aborted")


def _over(attempt: Attempt, event: Event, outcome: str) -> Told:
    """It ended so, unless its end is known already."""
    if attempt.outcome:
        return {}
    return {"ended": event.timestamp, "outcome": outcome, "reason": event.fields.get("reason", "")}


def _resubmission(attempt: Attempt, event: Event) -> Told:
    how = RESUBMISSIONS.get(event.fields["result"], "")
    return {"how": how, "reason": attempt.reason or event.fields.get("reason", "")}


_TELLS: Mapping[str, Callable[[Attempt, Event], Told]] = {
    "Accepted": _accepted, "Transfer": _transfer, "Refused": _refused, "Running": _running,
    "ReallyRunning": _started, "Done": _done, "Cancel": _cancelled, "Abort": _aborted,
    "Resubmission": _resubmission,
}
