"""What a site lets us ask of its CE, and when a CE that does not answer is asked again: settings, window, breaker.

Pure: no waiting and no calls; those are in `wms.ce.guard`.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

__all__ = ["BREAKER_MOST_S", "LEAST_BUDGET", "WINDOW_S", "Breaker", "Common", "Condition", "Health", "Window"]

WINDOW_S = 60.0
LEAST_BUDGET = 4
"""With fewer requests a minute something would starve."""
BREAKER_MOST_S = 900.0

Seconds = Annotated[float, Meta(ge=0.0)]
Count = Annotated[int, Meta(ge=0)]


class Common(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings that every CE has, of whatever kind. A count of 0 is no limit; a period of 0 that of the Log Monitor."""

    requests_per_minute: Count = 0
    submissions_per_minute: Count = 0
    max_submitted: Count = 0
    breaker_failures: Annotated[int, Meta(ge=1)] = 5
    breaker_s: Annotated[float, Meta(gt=0.0)] = 30.0
    answer_s: Annotated[float, Meta(gt=0.0)] = 100.0
    observe_s: Seconds = 0.0
    observe_most_s: Seconds = 0.0

    def __post_init__(self) -> None:
        if 0 < self.requests_per_minute < LEAST_BUDGET:
            raise ValueError(f"requests_per_minute is 0 or at least {LEAST_BUDGET}")


class Window:
    """Counts what was done in the last minute: in no minute more than `most` (0: no limit).

    `kept` of them are for each of the two classes, urgent and not, so that neither starves the other.
    """

    def __init__(self, most: int, kept: int = 0) -> None:
        self._most = most
        self._shared = most - kept
        self._times: tuple[deque[float], deque[float]] = (deque(), deque())

    def count(self, now: float) -> int:
        """How many in the minute before `now` (epoch s)."""
        for times in self._times:
            while times and times[0] <= now - WINDOW_S:
                times.popleft()
        return sum(map(len, self._times))

    def room(self, urgent: bool, now: float) -> int:
        """How many more may be done now."""
        used = self.count(now)
        return max(0, min(self._most - used, self._shared - len(self._times[urgent]))) if self._most else 1 << 30

    def wait_s(self, urgent: bool, now: float) -> float:
        """Seconds until there is room for one; 0 now."""
        if self.room(urgent, now):
            return 0.0
        own = self._times[urgent]
        ends = [own[0]] if len(own) >= self._shared else []
        if self.count(now) >= self._most:
            ends.append(min(times[0] for times in self._times if times))
        return max(ends) + WINDOW_S - now

    def take(self, urgent: bool, now: float, number: int = 1) -> None:
        """Note that so many are done."""
        self._times[urgent].extend([now] * number)


class Condition(StrEnum):
    """What the breaker of a CE makes of its answers."""

    ANSWERS = "answers"
    SILENT = "silent"
    TRIED = "tried"


@dataclass(frozen=True, slots=True)
class Breaker:
    """After `limit` failures in a row the CE is left alone for `rest_s`, then one call tries it; a trial in vain
    doubles the rest, up to a quarter of an hour. `since` is when it failed first (epoch s, 0: it answers)."""

    limit: int = 5
    rest_s: float = 30.0
    failures: int = 0
    since: float = 0.0
    error: str = ""
    opens: int = 0
    until: float = 0.0
    trying: bool = False

    @property
    def condition(self) -> Condition:
        if not self.opens:
            return Condition.ANSWERS
        return Condition.TRIED if self.trying else Condition.SILENT

    def wait_s(self, now: float) -> float:
        """Seconds until the CE may be called; 0 now. While it is being tried: not before the trial ends."""
        if not self.opens:
            return 0.0
        return self.rest_s if self.trying else max(0.0, self.until - now)

    def called(self) -> Breaker:
        """A call begins, which `wait_s` allowed."""
        return replace(self, trying=True) if self.opens else self

    def answered(self) -> Breaker:
        """Any answer, a refusal too: the CE is there."""
        return Breaker(self.limit, self.rest_s)

    def failed(self, now: float, error: str, chance: float) -> Breaker:
        """No answer. `chance` in [0, 1) spreads the rest over one to one and a half of it."""
        worse = replace(self, failures=self.failures + 1, since=self.since or now, error=error)
        if worse.failures < self.limit or (self.opens and not self.trying):  # begun before it opened
            return worse
        rest = min(BREAKER_MOST_S, self.rest_s * 2.0 ** min(self.opens, 30)) * (1.0 + chance / 2.0)
        return replace(worse, opens=self.opens + 1, until=now + rest, trying=False)


class Health(msgspec.Struct, frozen=True):
    """How a CE answers this process: `since` it does not (epoch s, 0: it does), `requests` in the last minute of
    `budget` (0: no limit), `next_try` (epoch s, 0: at any time)."""

    condition: Condition = Condition.ANSWERS
    since: float = 0.0
    failures: int = 0
    error: str = ""
    requests: int = 0
    budget: int = 0
    next_try: float = 0.0
