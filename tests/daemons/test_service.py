"""Daemons start in order and stop in reverse, whatever one of them does; tickers, naps and time limits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from shell import Shell, fired, result
from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from wms.errors import TimedOut, Unauthenticated
from wms.service import Daemon, Nap, Suite, Ticker, background, within


@pytest.fixture
def shell() -> Iterator[Shell]:
    made = Shell()
    yield made
    made.close()


@dataclass
class Recorded:
    """A part that writes down its life; `start_with`/`stop_with` are raised or, when Deferreds, awaited."""

    name: str
    story: list[str]
    start_with: Any = None
    stop_with: Any = None

    async def start(self) -> None:
        await self._do("start", self.start_with)

    async def stop(self) -> None:
        await self._do("stop", self.stop_with)

    async def _do(self, what: str, how: Any) -> None:
        self.story.append(f"{what} {self.name}")
        if isinstance(how, Exception):
            raise how
        if how is not None:
            await how


@dataclass
class Cast:
    """Daemons a, b, c of two parts each, and their story."""

    shell: Shell
    story: list[str] = field(default_factory=list)
    patience_s: float = 20.0

    def suite(self, **changed: Any) -> Suite:
        parts = {name: changed.get(name, Recorded(name, self.story)) for name in ("a1", "a2", "b1", "b2", "c1", "c2")}
        daemons = [Daemon(d, [parts[f"{d}1"], parts[f"{d}2"]]) for d in "abc"]
        return Suite(daemons, self.shell.clock, self.shell.kit().log, self.patience_s)

    def part(self, name: str, **how: Any) -> Recorded:
        return Recorded(name, self.story, **how)


@pytest.fixture
def cast(shell: Shell) -> Cast:
    return Cast(shell)


UP = ["start a1", "start a2", "start b1", "start b2", "start c1", "start c2"]
DOWN = ["stop c2", "stop c1", "stop b2", "stop b1", "stop a2", "stop a1"]


def test_daemons_start_in_order_and_stop_in_reverse(cast: Cast) -> None:
    suite = cast.suite()
    result(suite.start())
    assert cast.story == UP
    result(suite.stop())
    assert cast.story == UP + DOWN
    result(suite.stop())
    assert cast.story == UP + DOWN, "a second stop has nothing to do"


def test_each_start_is_awaited_before_the_next(cast: Cast) -> None:
    slow: Deferred[None] = Deferred()
    started = fired(cast.suite(b1=cast.part("b1", start_with=slow)).start())
    assert (cast.story, started) == (UP[:3], [])
    slow.callback(None)
    assert (cast.story, started) == (UP, [None])


def test_a_daemon_that_cannot_start_stops_those_before_it(cast: Cast) -> None:
    with pytest.raises(OSError, match="port in use"):
        result(cast.suite(b2=cast.part("b2", start_with=OSError("port in use"))).start())
    assert cast.story == ["start a1", "start a2", "start b1", "start b2", "stop b1", "stop a2", "stop a1"]


@pytest.mark.parametrize("name", ["c2", "b1"])
def test_a_part_that_fails_to_stop_keeps_no_other_running(cast: Cast, name: str) -> None:
    suite = cast.suite(**{name: cast.part(name, stop_with=OSError("disk"))})
    result(suite.start())
    result(suite.stop())
    assert cast.story == UP + DOWN
    assert cast.shell.said("critical") == ["{daemon} failed to stop"]


def test_the_suite_gives_each_daemon_its_patience_and_goes_on(cast: Cast) -> None:
    suite = cast.suite(b2=cast.part("b2", stop_with=Deferred()))
    result(suite.start())
    stopped = fired(suite.stop())
    cast.shell.advance(19.9)
    assert stopped == []
    cast.shell.advance(0.1)
    assert stopped == [None]
    assert cast.story == UP + DOWN
    assert cast.shell.said("error") == ["{daemon} did not stop within {patience} s"]


def test_progress_is_that_of_the_parts_that_count(shell: Shell) -> None:
    async def work() -> None: ...

    ticker = Ticker(shell.kit(), "purge", 10, work)
    daemon = Daemon("ns", [ticker, Recorded("x", [])])
    result(daemon.start())
    assert daemon.progress() == {"Ticker:purge": {"done": 1, "failed": 0, "last": 0.0}}
    result(daemon.stop())


# -- ticker ------------------------------------------------------------------------------------------------


def test_a_ticker_works_at_once_then_each_period_and_when_poked(shell: Shell) -> None:
    times: list[float] = []

    async def work() -> None:
        times.append(shell.clock.seconds())

    ticker = Ticker(shell.kit(), "t", 10, work)
    result(ticker.start())
    shell.advance(25, steps=25)
    ticker.poke()
    shell.advance(10, steps=10)
    assert times == [0, 10, 20, 25, 35]
    result(ticker.stop())
    shell.advance(100)
    assert len(times) == 5


def test_a_ticker_outlives_failures_and_counts_them(shell: Shell) -> None:
    async def work() -> None:
        raise ValueError

    ticker = Ticker(shell.kit(), "t", 10, work)
    result(ticker.start())
    shell.advance(20, steps=2)
    assert ticker.progress() == {"done": 0, "failed": 3, "last": 0.0}
    assert shell.said("critical") == ["{ticker} failed"] * 3
    result(ticker.stop())


def test_a_ticker_never_works_twice_at_a_time_and_stop_awaits_its_work(shell: Shell) -> None:
    works: list[Deferred[None]] = []

    async def work() -> None:
        works.append(Deferred())
        await works[-1]

    ticker = Ticker(shell.kit(), "t", 10, work)
    result(ticker.start())
    shell.advance(100, steps=10)
    assert len(works) == 1
    stopped = fired(ticker.stop())
    assert stopped == []
    works[0].callback(None)
    assert (stopped, len(works)) == ([None], 1)


def test_a_ticker_that_never_started_stops(shell: Shell) -> None:
    async def work() -> None: ...

    result(Ticker(shell.kit(), "t", 10, work).stop())


# -- nap ---------------------------------------------------------------------------------------------------


def test_a_nap_ends_by_time_or_by_a_wake(shell: Shell) -> None:
    nap = Nap(shell.clock)
    by_time = fired(nap.sleep(5))
    shell.advance(5)
    by_wake = fired(nap.sleep(5))
    nap.wake()
    assert (by_time, by_wake) == ([None], [None])


def test_a_wake_during_work_is_kept_for_one_sleep(shell: Shell) -> None:
    nap = Nap(shell.clock)
    nap.wake()
    nap.wake()
    assert fired(nap.sleep(5)) == [None]
    second = fired(nap.sleep(5))
    assert second == []
    nap.end()
    assert second == [None]
    assert fired(nap.sleep(5)) == fired(nap.sleep(5)) == [None], "no sleep lasts after the end"


def test_a_time_before_now_is_no_wait(shell: Shell) -> None:
    slept = fired(Nap(shell.clock).sleep(-3))
    shell.advance(0)
    assert slept == [None]


# -- background and within ---------------------------------------------------------------------------------


def test_background_work_that_fails_is_logged(shell: Shell) -> None:
    async def work() -> None:
        raise ValueError

    assert fired(background(work(), shell.kit().log)) == [None]
    assert shell.said("critical") == ["background work failed"]


async def answer(after: Deferred[str]) -> str:
    return await after


def test_within_gives_the_answer_or_the_failure_that_came_in_time(shell: Shell) -> None:
    for outcome in ("yes", Failure(Unauthenticated("who?"))):
        work: Deferred[str] = Deferred()
        found = fired(within(shell.clock, 5, answer(work)))
        shell.advance(4.9)
        work.callback(outcome)  # type: ignore[arg-type]
        assert [getattr(item, "value", item) for item in found] == [getattr(outcome, "value", outcome)]
        assert shell.clock.getDelayedCalls() == []


def test_within_cancels_what_takes_too_long(shell: Shell) -> None:
    cancelled: list[Any] = []
    found = fired(within(shell.clock, 5, answer(Deferred(cancelled.append))))
    shell.advance(5)
    assert isinstance(found[0].value, TimedOut)
    assert len(cancelled) == 1


def test_within_does_not_wait_for_work_that_ignores_its_cancellation(shell: Shell) -> None:
    other: Deferred[str] = Deferred()

    async def stubborn() -> str:
        try:
            return await Deferred()
        except CancelledError:
            return await other

    found = fired(within(shell.clock, 5, stubborn()))
    shell.advance(5)
    assert isinstance(found[0].value, TimedOut)
    other.callback("too late")
    assert len(found) == 1


def test_cancelling_within_cancels_the_work(shell: Shell) -> None:
    cancelled: list[Any] = []
    waiting = Deferred.fromCoroutine(within(shell.clock, 5, answer(Deferred(cancelled.append))))
    waiting.cancel()
    assert isinstance(fired(waiting)[0].value, CancelledError)
    assert len(cancelled) == 1


# -- kit ---------------------------------------------------------------------------------------------------


def test_a_kit_on_a_hand_moved_clock_does_everything_at_once(shell: Shell) -> None:
    kit, seen = shell.kit(), list[int]()
    kit.later(seen.append, 1)
    assert seen == [1]
    assert result(kit.thread(max, 2, 3)) == 3
    assert isinstance(fired(kit.thread(int, "x"))[0].value, ValueError)
    assert kit.now() == shell.clock.seconds()
    assert kit.credentials.path("c") == Path(kit.settings.state_dir) / "credentials" / "c.pem"
