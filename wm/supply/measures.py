"""How long jobs waited at each CE and how many attempts ended well, older ones counting less. Pure.

Not the seeing of jobs (measuring), nor what becomes of the figures in a snapshot (own).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import floor, log10
from typing import Any, NamedTuple

import msgspec

from wms.glue import (
    MEASURED_90,
    MEASURED_ENDS,
    MEASURED_JOBS,
    MEASURED_QUEUE,
    PUBLISHED_RESPONSE,
    RESPONSE,
    SUCCESS,
)
from wms.resource import ComputingElement

RECENT = 50
"""Times in the queue that are kept one by one, for the quantile."""
FORGOTTEN = 0.05
"""Jobs and ends below which nothing is known."""


class Seen(NamedTuple):
    """At CE `ce`, at `at` (epoch s): a job began after `queue_s`, or, with `good`, an attempt ended, well or not."""

    ce: str
    at: float
    queue_s: float = 0.0
    good: bool | None = None


class Measure(msgspec.Struct, frozen=True):
    """Sums as of `at`: `jobs` that began and their time in the queue, `ends` and the good ones; `recent` times."""

    at: float = 0.0
    jobs: float = 0.0
    queued_s: float = 0.0
    ends: float = 0.0
    good: float = 0.0
    recent: tuple[float, ...] = ()

    def aged(self, now: float, half_life_s: float) -> Measure:
        """The same at `now`; time does not run backwards."""
        part: float = 0.5 ** (max(0.0, now - self.at) / half_life_s)
        return Measure(max(now, self.at), self.jobs * part, self.queued_s * part, self.ends * part, self.good * part,
                       self.recent)

    def after(self, seen: Seen, half_life_s: float) -> Measure:
        """With one more."""
        old = self.aged(seen.at, half_life_s)
        if seen.good is not None:
            return msgspec.structs.replace(old, ends=old.ends + 1, good=old.good + seen.good)
        wait = max(0.0, seen.queue_s)
        return msgspec.structs.replace(old, jobs=old.jobs + 1, queued_s=old.queued_s + wait,
                                       recent=(*old.recent, wait)[-RECENT:])


class Figures(NamedTuple):
    """A measure as it is told: rounded, so that it is news only when it says something else."""

    jobs: float = 0.0
    queue_s: float = 0.0
    queue90_s: float = 0.0
    ends: float = 0.0
    success: float = 0.0

    def words(self) -> dict[str, Any]:
        """As attributes of a CE."""
        waits = {MEASURED_JOBS: self.jobs, MEASURED_QUEUE: self.queue_s, MEASURED_90: self.queue90_s}
        ends = {MEASURED_ENDS: self.ends, SUCCESS: self.success}
        return (waits if self.jobs else {}) | (ends if self.ends else {})


def figures(measure: Measure) -> Figures:
    """Of a measure that was aged."""
    jobs, ends = (_rounded(count, 1) if count >= FORGOTTEN else 0.0 for count in (measure.jobs, measure.ends))
    waits = sorted(measure.recent)
    return Figures(jobs, _rounded(measure.queued_s / measure.jobs, 2) if jobs else 0.0,
                   _rounded(waits[(9 * len(waits) - 1) // 10], 2) if jobs and waits else 0.0,
                   ends, round(measure.good / measure.ends, 2) if ends else 0.0)


def _rounded(value: float, digits: int) -> float:
    return round(value, digits - 1 - floor(log10(value))) if value > 0 else 0.0


class Measures:
    """Of all CEs by the id that jobs are told. `least` jobs that began make the own measure count (0: never)."""

    def __init__(self, half_life_s: float, least: int) -> None:
        self.measures: dict[str, Measure] = {}
        self._half_life_s = half_life_s
        self._least = least
        self._figures: Mapping[str, Figures] = {}

    def __bool__(self) -> bool:
        """Is there anything to say?"""
        return bool(self._figures)

    def add(self, seen: Iterable[Seen]) -> None:
        for one in seen:
            self.measures[one.ce] = self.measures.get(one.ce, Measure()).after(one, self._half_life_s)

    def refresh(self, now: float) -> bool:
        """Figures as of `now`, and what is forgotten goes; do they say anything else?"""
        aged = {ce: measure.aged(now, self._half_life_s) for ce, measure in self.measures.items()}
        self.measures = {ce: one for ce, one in aged.items() if one.jobs + one.ends >= FORGOTTEN}
        before, self._figures = self._figures, {ce: figures(one) for ce, one in self.measures.items()}
        return self._figures != before

    def words(self, ce: ComputingElement) -> dict[str, Any]:
        """What is measured of a CE, and the estimate that follows, in the place of the published one."""
        known = self._figures.get(ce.destination)
        return {} if known is None else {**known.words(), **self._estimate(ce, known)}

    def _estimate(self, ce: ComputingElement, known: Figures) -> dict[str, Any]:
        """The more was seen, the more it counts beside what is published."""
        if not self._least or known.jobs < self._least:
            return {}
        published = ce.prepared.get(RESPONSE.lower())
        if not isinstance(published, int | float) or isinstance(published, bool):
            return {RESPONSE: round(known.queue_s)}
        mixed = (known.queue_s * known.jobs + published * self._least) / (known.jobs + self._least)
        return {RESPONSE: round(_rounded(mixed, 2)), PUBLISHED_RESPONSE: published}
