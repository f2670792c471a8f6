"""What stands before a CE: its budget, its rate of submissions, its breaker, with a clock moved by hand."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from tests.suite.world import NOW, HandCe
from wms.ce import CeJob, CeState, Later, Rejected, Submitted
from wms.ce.guard import Guarded, common
from wms.ce.limits import WINDOW_S, Common, Condition
from wms.errors import ConfigError, Overloaded, Refused, Unavailable


@dataclass
class CountingCe(HandCe):
    """Notes when it is asked what; does not answer while `away`; hangs while `stuck`."""

    clock: Clock = field(default_factory=Clock)
    asked: list[tuple[float, str]] = field(default_factory=list)
    away: bool = False
    stuck: bool = False
    open: int = 0
    most_open: int = 0

    async def _ask(self, what: str, number: int = 1) -> None:
        self.asked += [(self.clock.seconds(), what)] * number
        if self.stuck:
            self.open += 1
            self.most_open = max(self.most_open, self.open)
            try:
                await Deferred()
            finally:
                self.open -= 1
        if self.away:
            raise Unavailable("no route to host")

    async def submit(self, jobs: Sequence[CeJob]) -> list[Submitted | Rejected]:
        await self._ask("submit", len(jobs))
        return await HandCe.submit(self, jobs)

    async def status(self, tokens: Collection[str]) -> dict[str, CeState]:
        await self._ask("status")
        return await HandCe.status(self, tokens)

    async def cancel(self, tokens: Collection[str]) -> None:
        await self._ask("cancel")

    async def describe(self) -> list[dict[str, Any]]:
        await self._ask("describe")
        return await HandCe.describe(self)

    async def output(self, token: str) -> str:
        raise Refused("no such token")


class Here:
    """A guarded CE and what becomes of calls."""

    def __init__(self, **settings: Any) -> None:
        self.clock = Clock()
        self.clock.advance(NOW)
        self.ce = CountingCe(clock=self.clock)
        self.guarded = Guarded(self.ce, Common(**settings), self.clock, lambda: 0.0)

    def begin(self, work: Awaitable[Any]) -> list[Any]:
        """The outcome, or the error, in a list; empty as long as there is none."""
        async def run() -> Any:
            return await work

        found: list[Any] = []
        Deferred.fromCoroutine(run()).addBoth(lambda outcome: found.append(getattr(outcome, "value", outcome)))
        return found

    def do(self, work: Awaitable[Any]) -> Any:
        return self.begin(work)[0]

    def submit(self, *tokens: str) -> list[str]:
        verdicts = self.do(self.guarded.submit([CeJob(token, "job", "#!/bin/sh", "q") for token in tokens]))
        return [type(verdict).__name__ for verdict in verdicts] if isinstance(verdicts, list) else [repr(verdicts)]

    def minutes(self) -> int:
        """The most requests in any minute."""
        times = [at for at, _ in self.ce.asked]
        return max((len([at for at in times if first <= at < first + WINDOW_S]) for first in times), default=0)


CALLS: dict[str, Callable[[Guarded], Awaitable[Any]]] = {
    "submit": lambda guarded: guarded.submit([CeJob(f"t{n}", "job", "", "q") for n in range(3)]),
    "status": lambda guarded: guarded.status(["t"]), "cancel": lambda guarded: guarded.cancel(["t"]),
    "describe": lambda guarded: guarded.describe()}


@given(st.lists(st.tuples(st.sampled_from(sorted(CALLS)), st.floats(0.0, 20.0)), max_size=60), st.integers(4, 10))
@settings(max_examples=60, deadline=None)
def test_whatever_is_asked_no_minute_has_more_requests_than_the_site_allows(calls: list[tuple[str, float]], most: int):
    here = Here(requests_per_minute=most)
    for name, pause in calls:
        here.do(CALLS[name](here.guarded))
        here.clock.advance(pause)
    assert here.minutes() <= most
    assert here.guarded.health().budget == most


def test_looking_does_not_keep_a_job_from_its_ce_nor_jobs_the_looking():
    here = Here(requests_per_minute=8)
    while not isinstance(here.do(here.guarded.status(["t"])), Overloaded):
        pass
    assert here.submit("a", "b", "c") == ["Submitted", "Submitted", "Later"]
    here.clock.advance(WINDOW_S)
    assert here.submit(*(f"n{n}" for n in range(9))).count("Submitted") == 6
    assert here.do(here.guarded.status(["t"])) == {"t": CeState("t", "LOST")}


def test_a_spent_budget_says_when_there_is_more_and_a_description_stays_what_it_was():
    here = Here(requests_per_minute=4)
    described = here.do(here.guarded.describe())
    here.clock.advance(10)
    for _ in range(2):
        here.do(here.guarded.status(["t"]))
    refused = here.do(here.guarded.status(["t"]))
    assert isinstance(refused, Overloaded)
    assert refused.details["retry_s"] == pytest.approx(WINDOW_S - 10)
    assert here.do(here.guarded.describe()) == described
    here.guarded._described = None
    assert isinstance(here.do(here.guarded.describe()), Overloaded)


def test_the_rate_of_submissions_is_bounded_and_nobody_is_refused():
    here = Here(submissions_per_minute=2)
    assert here.submit("a", "b", "c") == ["Submitted", "Submitted", "Later"]
    (later,) = here.do(here.guarded.submit([CeJob("c", "job", "", "q")]))
    assert isinstance(later, Later)
    assert later.wait_s == pytest.approx(WINDOW_S)
    here.clock.advance(later.wait_s)
    assert here.submit("c") == ["Submitted"]


def test_a_ce_that_does_not_answer_is_left_alone_and_tried_by_one_job():
    here = Here(breaker_failures=2, breaker_s=30)
    here.ce.away = True
    for _ in range(2):
        here.do(here.guarded.status(["t"]))
    health = here.guarded.health()
    assert (health.condition, health.failures, health.error) == (Condition.SILENT, 2, "no route to host")
    assert (health.since, health.next_try) == (NOW, NOW + 30)
    error = here.do(here.guarded.cancel(["t"]))
    assert (type(error), error.details["retry_s"], len(here.ce.asked)) == (Unavailable, 30.0, 2), "it is not touched"
    here.clock.advance(30)
    here.ce.away = False
    assert here.submit("a", "b") == ["Submitted", "Later"]
    assert here.guarded.health().condition is Condition.ANSWERS
    assert here.submit("b", "c") == ["Submitted", "Submitted"]


def test_a_call_that_hangs_is_a_failure_and_there_is_one_status_at_a_time():
    here = Here(breaker_failures=2, answer_s=20)
    here.ce.stuck = True
    first, second = (here.begin(here.guarded.status(["t"])) for _ in range(2))
    here.clock.advance(20)
    assert (type(first[0]).__name__, second, here.ce.open) == ("TimedOut", [], 1)
    here.clock.advance(20)
    assert (type(second[0]).__name__, here.ce.most_open) == ("TimedOut", 1)
    assert here.guarded.health().condition is Condition.SILENT


def test_a_refusal_is_an_ask():
    here = Here(breaker_failures=1)
    assert isinstance(here.do(here.guarded.output("t")), Refused)
    assert here.guarded.health().condition is Condition.ANSWERS


def test_what_every_ce_may_set_is_taken_out_and_checked():
    settings, own = common({"backend": "local", "slots": 3, "requests_per_minute": 30})
    assert (settings.requests_per_minute, own) == (30, {"backend": "local", "slots": 3})
    with pytest.raises(ConfigError, match="requests_per_minute is 0 or at least 4"):
        common({"requests_per_minute": 2})
    with pytest.raises(ConfigError, match="Expected `int`"):
        common({"max_submitted": "many"})
