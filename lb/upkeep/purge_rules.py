"""Which jobs are old enough to be purged, and how fast they may go. Numbers only, no rows and no clock."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Final, NamedTuple

from wms.errors import Refused
from wms.jobstatus import JobState

DEFAULT: Final = -1.0
NEVER: Final = -2.0
_OTHER: Final = -1
SHARE: Final = 0.5
"""Of the time, at most: the rest belongs to events that arrive."""


class Ages(NamedTuple):
    """Seconds since the last accepted event after which a job may go, by what it is; DEFAULT, NEVER."""

    cleared: float = DEFAULT
    aborted: float = DEFAULT
    cancelled: float = DEFAULT
    done: float = DEFAULT
    other: float = DEFAULT


SPECIAL: Final = tuple(state.code for state in (
    JobState.CLEARED, JobState.ABORTED, JobState.CANCELLED, JobState.DONE))
"""Codes of the states that have an age of their own, in the order of Ages."""


class Limits(NamedTuple):
    """Epoch seconds before which the last event of a job must be, by code of its state, and for all other states;
    what is missing never goes. `latest` of them all; None if nothing goes.
    """

    states: Mapping[int, float]
    other: float | None
    latest: float | None


def resolved(asked: Ages, default: Ages) -> Ages:
    """The ages to go by. Raises Refused for what is no age."""
    return Ages(*(_age(name, *pair) for name, *pair in zip(Ages._fields, asked, default, strict=True)))


def _age(name: str, asked: float, default: float) -> float:
    if not isfinite(asked) or (asked < 0 and asked not in (DEFAULT, NEVER)):
        raise Refused(f"{name}_s is no age.", hint="Seconds; -1 for the server's own, -2 for never.", value=str(asked))
    return default if asked == DEFAULT else asked


def limits(ages: Ages, now: float) -> Limits:
    """What must be over at `now`; `ages` are resolved."""
    ends = {code: now - age for code, age in zip((*SPECIAL, _OTHER), ages, strict=True) if age != NEVER}
    latest = max(ends.values(), default=None)
    other = ends.pop(_OTHER, None)
    return Limits(ends, other, latest)


def pause(took_s: float, portion: int, left: int, left_s: float) -> float:
    """Seconds to rest after a portion of jobs that took `took_s`, with `left` jobs and `left_s` to go."""
    fair = took_s * (1 - SHARE) / SHARE
    spread = left_s * portion / max(portion + left, 1) - took_s
    return max(fair, spread, 0.0)
