"""The check of a CE under a hand-moved clock: CEs that lose, refuse, hold or keep things are found out; restarts."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from tests.suite.world import HandCe, World
from wms.ce import CeJob, CeState, Later, Phase, Rejected, Submitted, Usage
from wms.ce.check import EXIT_STATUS
from wms.ce.checking import Check, Plan
from wms.errors import RemoteError, Unavailable
from wms.operations.ces import CheckRequest, Probe

OUTPUT = ("WMS-CHECK begin {begin}\nWMS-CHECK proxy 5\nWMS-CHECK token 5\nWMS-CHECK tool curl\n"
          "WMS-CHECK outbound curl 200\nWMS-CHECK renewed 2\nWMS-CHECK end {begin}\n")
PLAN = Plan("check-1", "https://ns/version", "CA", proxy=b"proxy", fresh=b"fresh", bearer=b"token")


class FairCe(HandCe):
    """Runs a job two seconds after it came, and ends one when it has its fresh credential."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock
        self.kept: set[str] = set()
        self.later = 0
        self.alive = False

    async def submit(self, jobs: Sequence[CeJob]) -> list[Submitted | Rejected]:
        if self.later:
            self.later -= 1
            return [Later(job.token, "slowly", 5.0) for job in jobs]  # type: ignore[misc]
        for job in jobs:
            if job.token not in self.jobs:
                self.clock.callLater(2.0, self.begin, job.token)
        return await super().submit(jobs)

    def begin(self, token: str) -> None:
        self.states[token] = CeState(token, Phase.RUNNING, f"h-{token}")
        self.outputs[token] = "" if token.endswith("a") else "WMS-CHECK tick 0\n"

    async def renew(self, tokens: Collection[str], proxy: bytes, bearer: bytes = b"") -> None:
        for token in tokens:
            self.outputs[token] = OUTPUT.format(begin=int(self.clock.seconds()))
            self.states[token] = CeState(token, Phase.ENDED, exit_status=EXIT_STATUS, usage=Usage(2.0, 0.1, 900))

    async def clean(self, tokens: Collection[str]) -> None:
        for token in set(tokens) - self.kept:
            self.jobs.pop(token, None)
            self.states.pop(token, None)

    async def output(self, token: str) -> str:
        if self.alive and self.states[token].phase == Phase.ENDED:
            self.outputs[token] += "WMS-CHECK tick 1\n"
        return self.outputs[token]


class Bench:
    def __init__(self) -> None:
        self.clock = Clock()
        self.clock.advance(1_700_000_000)
        self.ce = FairCe(self.clock)
        self.said: list[int] = []

    def check(self, plan: Plan = PLAN) -> dict[str, Probe]:
        """To its end; nothing may be left on the clock."""
        async def say(probes: tuple[Probe, ...]) -> None:
            self.said.append(len(probes))

        found: list[Any] = []
        Deferred.fromCoroutine(Check(self.ce, self.clock, plan, say).run()).addBoth(found.append)
        for _ in range(3000):
            if found:
                break
            self.clock.advance(1)
        if hasattr(found[0], "raiseException"):
            found[0].raiseException()
        assert self.said == sorted(self.said)
        return {probe.name: probe for probe in found[0]}

    def failing(self, plan: Plan = PLAN) -> dict[str, str]:
        return {name: probe.sentence for name, probe in self.check(plan).items() if probe.result == "fails"}


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_of_a_fair_ce_nothing_fails_and_nothing_stays(bench: Bench) -> None:
    bench.ce.later = 2
    found = bench.check()
    assert {name for name, probe in found.items() if probe.result != "ok"} == {"containers", "cvmfs"}
    assert found["accounting"].sentence == "2.0 s wall, 0.1 s CPU, 900 kB."
    assert bench.ce.jobs == {}
    assert bench.ce.submissions == 2


def test_a_ce_that_does_not_answer_fails_at_once(bench: Bench) -> None:
    bench.ce.silent = True
    assert bench.failing() == {"answers": "the CE does not answer"}


def test_a_queue_that_is_not_there(bench: Bench) -> None:
    assert bench.failing(Plan("check-1", "u", "c", queue="none")) == {"queue": "There is no queue none."}


def test_a_ce_that_refuses(bench: Bench) -> None:
    bench.ce.refuse = "no account"
    assert bench.failing() == {"submission": "The CE refuses the job: no account."}


def test_a_ce_that_takes_the_same_token_twice(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def take(job: CeJob) -> Submitted:
        bench.ce.submissions += 1
        bench.ce.jobs[job.token] = job
        bench.ce.states.setdefault(job.token, CeState(job.token, Phase.QUEUED))
        return Submitted(job.token, str(bench.ce.submissions))

    monkeypatch.setattr(bench.ce, "_take", take)
    assert set(bench.failing()) == {"once"}


def test_a_job_that_is_held_for_ever(bench: Bench) -> None:
    bench.ce.begin = lambda token: bench.ce.states.update(  # type: ignore[method-assign]
        {token: CeState(token, Phase.HELD, reason="bad account")})
    assert bench.failing() == {"states": "After 900 s it is HELD: bad account (QUEUED after 0 s, HELD after 3 s)."}
    assert bench.ce.jobs == {}


def test_processes_that_outlive_their_cancellation_and_jobs_that_stay(bench: Bench) -> None:
    bench.ce.alive = True
    bench.ce.kept = {"check-1-b"}
    assert bench.failing() == {"cancel": "The CE says that it ended, but its processes go on.",
                               "clean": "It still knows check-1-b."}


def test_a_ce_that_cannot_renew(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    end = bench.ce.renew

    async def renew(tokens: Collection[str], proxy: bytes, bearer: bytes = b"") -> None:
        await end(tokens, proxy)
        raise Unavailable("no such thing")

    monkeypatch.setattr(bench.ce, "renew", renew)
    assert bench.failing() == {"renewal": "The CE does not take a fresh credential: no such thing"}


def test_what_an_earlier_try_left_is_gone_first(bench: Bench) -> None:
    left = CeJob("check-1-a", "j", "x", "q")
    bench.ce.jobs["check-1-a"] = left
    bench.ce.states["check-1-a"] = CeState("check-1-a", Phase.ENDED)
    assert bench.failing() == {}


# -- as the Job Adapter does it --------------------------------------------------------------------------


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    clock = Clock()
    made = World(tmp_path, ce=FairCe(clock), clock=clock)
    yield made
    made.close()


def ask(world: World, **more: Any) -> Any:
    return world.call("ns.ce_check", CheckRequest("hand", **more), user="/CN=admin")


def last(world: World) -> Any:
    return world.call("ns.ce_checked", query={"ce": "hand"}, user="/CN=admin")


def test_its_report_grows_and_stays(world: World) -> None:
    with pytest.raises(RemoteError, match="There was no check of hand"):
        last(world)
    begun = ask(world)
    world.advance(3)
    assert ask(world).asked == begun.asked
    assert [probe.name for probe in last(world).probes][:2] == ["answers", "queue"]
    world.advance(60)
    report = last(world)
    assert (report.good, report.drained) == (True, False)
    world.reborn()
    world.advance(1)
    assert last(world) == report


def test_one_that_fails_drains_if_it_was_asked_to(world: World) -> None:
    world.ce.refuse = "no account"
    ask(world, drain=True)
    world.advance(10)
    assert last(world).drained
    (drained,) = world.call("ns.ces").drained
    assert (drained.ce, drained.by) == ("hand", "/CN=admin")
    assert drained.reason == "its check failed: submission: The CE refuses the job: no account."


def test_a_restart_begins_it_anew_under_the_same_tokens(world: World) -> None:
    asked = ask(world).asked
    world.advance(3)
    tokens = set(world.ce.jobs)
    world.reborn()
    world.advance(60)
    report = last(world)
    assert (report.asked, report.good) == (asked, True)
    assert len(tokens) == 2
    assert world.ce.jobs == {}


def test_it_can_carry_a_delegated_credential(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Exception, match="You have not delegated"):
        ask(world, delegation="nothing")
    found: list[bytes] = []
    take: Callable[[CeJob], Submitted | Rejected] = world.ce._take
    monkeypatch.setattr(world.ce, "_take", lambda job: found.append(job.proxy) or take(job))
    world.call("ns.ce_check", CheckRequest("hand", delegation="p"))
    world.advance(60)
    assert set(found) == {b"proxy of /DC=org/DC=example/CN=alice"}


def test_a_ce_that_is_not_configured(world: World) -> None:
    with pytest.raises(RemoteError) as refused:
        world.call("ns.ce_check", CheckRequest("other"))
    assert refused.value.code == "UI_WRONG_RESOURCE_ID"
