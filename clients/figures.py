"""What lb-stats asks and tells."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from clients.bookkeeping import Bookkeeping
from clients.errors import ArgumentWrong
from wms.jobstatus import JobState
from wms.operations import OPERATIONS
from wms.operations.figures import Statistics

_STATES = [state.value for state in JobState]
_NUMBERS = frozenset(map(str, range(1, len(_STATES))))
_OUTCOMES = {"0": "OK", "1": "FAILED", "OK": "OK", "FAILED": "FAILED"}
RATES = ("Submitted", "Ready", "Scheduled", "Running", "Done OK", "Done FAILED")


def questions(states: Sequence[str]) -> list[tuple[str, ...]]:
    """One state, a pair of them, or, without any, each state whose rate is worth a line."""
    found = named(states)
    if len(found) > 2:
        raise ArgumentWrong("At most two states.", hint="Done is followed by OK or FAILED.")
    return [tuple(found)] if found else [(state,) for state in RATES]


def named(words: Sequence[str]) -> list[str]:
    """States by name; given by number as well (5 is Running), and Done with its outcome as the next word (6 0)."""
    found: list[str] = []
    for word in words:
        if found and found[-1].lower() == "done" and word.upper() in _OUTCOMES:
            found[-1] = f"Done {_OUTCOMES[word.upper()]}"
        else:
            found.append(_STATES[int(word)] if word in _NUMBERS else word)
    return found


def query(destination: str, states: Sequence[str], *, dwell: bool, seconds: int | None) -> dict[str, str]:
    """The parameters of a question."""
    kind = "dwell" if dwell else "rate" if len(states) == 1 else "duration"
    named = {"state": states[0]} if len(states) == 1 else {"from_state": states[0], "to_state": states[1]}
    since = {} if seconds is None else {"since": f"{time.time() - seconds:.3f}"}
    return {"kind": kind, "destination": destination, **named, **since}


def ask(book: Bookkeeping, parameters: Mapping[str, str]) -> Statistics:
    reply: Statistics = book.server().call(OPERATIONS["lb.statistics"], query=parameters)
    return reply


def destinations(book: Bookkeeping) -> list[str]:
    return list(book.server().call(OPERATIONS["lb.statistics_destinations"]).destinations)


def text(told: Statistics) -> str:
    """A figure in words, with its interval and resolution."""
    where = f'at "{told.destination}"'
    if told.kind == "rate":
        head = f"Average {told.state} rate {where}: {told.value:g} jobs/s ({told.samples} jobs)"
    elif told.kind == "dwell":
        head = f"Average time in {told.state} {where}: {told.value:g} s, deviation {told.deviation:g} s " \
               f"({told.samples} jobs)"
    else:
        head = f"Average duration {told.from_state} -> {told.to_state} {where}: {told.value:g} s, " \
               f"deviation {told.deviation:g} s ({told.samples} jobs)"
    return "\n".join([head, f"  Measured from {time.ctime(told.since)} to {time.ctime(told.until)}",
                      f"  With resolution {told.resolution_s} s"])


def plain(told: Statistics) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(told)
    return found
