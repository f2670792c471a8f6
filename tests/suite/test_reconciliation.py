"""What a CE holds though nobody waits for it does not stay for ever; what somebody waits for is left alone."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import pytest

from jobadapter import store
from jobadapter.reconciling import MOST, SETTLE_S, lost
from tests.suite.world import NOW, Crash, HandCe, World
from wms import queue
from wms.ce import CeJob, CeState, Phase
from wms.errors import Unavailable

ROUND_S = 3600.0
LONG = 'Executable = "/bin/true"; RetryCount = 1; ShallowRetryCount = 1;'


@dataclass
class ForgetfulCe(HandCe):
    """A CE that does not hear the next `deaf` cancellations and cleanings."""

    deaf: int = 0

    async def cancel(self, tokens: Collection[str]) -> None:
        if self.deaf:
            self.deaf -= 1
            raise Unavailable("no route to host")
        await HandCe.cancel(self, tokens)


def put(ce: HandCe, token: str) -> None:
    """As if an earlier life had submitted it."""
    ce.jobs[token] = CeJob(token, "https://lb.example.org:9000/" + token.rsplit("-", 1)[0], "", "q")
    ce.states[token] = CeState(token, Phase.RUNNING)


def alive(ce: HandCe) -> set[str]:
    return {token for token, state in ce.states.items() if state.phase != Phase.ENDED}


def test_what_no_row_knows_is_cancelled_once_two_rounds_saw_it_and_only_what_is_ours(world: World) -> None:
    ours, of_others = "A" * 22 + "-1", "their-job"
    put(world.ce, ours)
    put(world.ce, of_others)
    world.reborn()
    world.advance(SETTLE_S - 10, step=10)
    assert alive(world.ce) == {ours, of_others}, "it may be on its way"
    world.advance(20, step=10)
    assert alive(world.ce) == {of_others}
    assert world.ce.cleaned == {ours}
    assert any("nobody waits for" in str(line.get("log_format")) for line in world.logged)


def test_a_live_job_stays_however_often_the_ce_is_looked_at(world: World) -> None:
    job = world.submit(LONG)
    world.start_payload(world.token(job))
    world.advance(3 * ROUND_S, step=300)
    assert (world.state(job), len(alive(world.ce))) == ("Running", 1)


def test_a_payload_of_which_nobody_heard_the_killing_is_found(tmp_path: Path) -> None:
    ce = ForgetfulCe()
    world = World(tmp_path, ce=ce)
    job = world.submit(LONG)
    token = world.token(job)
    world.start_payload(token)
    world.call("ns.cancel", job=job)
    ce.states[token] = CeState(token, Phase.RUNNING)
    with world.engine.begin() as conn:  # as if all its messages had been dropped
        conn.execute(queue.messages.delete())
    world.advance(2 * ROUND_S, step=300)
    assert alive(ce) == set()
    world.close()


def test_a_ce_that_does_not_say_what_it_holds_is_asked_again(tmp_path: Path) -> None:
    ce = ForgetfulCe(deaf=3)
    world = World(tmp_path, ce=ce)
    put(ce, "A" * 22 + "-1")
    world.advance(ROUND_S + 5 * SETTLE_S, step=300)
    assert alive(ce) == set()
    world.close()


def test_no_round_takes_more_than_its_portion(world: World) -> None:
    for n in range(MOST + 10):
        put(world.ce, f"{n:022d}-1")
    world.reborn()
    world.advance(SETTLE_S + 10, step=10)
    assert len(alive(world.ce)) == 10
    world.advance(SETTLE_S, step=10)
    assert alive(world.ce) == set()


@pytest.mark.parametrize("deed", ["submit", "kill", "clean"])
@pytest.mark.parametrize("commits", range(0, 12, 3))
def test_a_crash_at_any_commit_leaves_nothing_at_the_ce(world: World, deed: str, commits: int) -> None:
    deeds = {"submit": lambda: world.submit(LONG, key="once"), "kill": lambda: world.call("ns.cancel", job=job),
             "clean": lambda: world.finish_payload(world.token(job))}
    job = "" if deed == "submit" else world.submit(LONG, key="once")
    if job:
        world.start_payload(world.token(job))
    world.crash_after(commits)
    try:
        deeds[deed]()
        world.advance(10)
    except (Crash, AssertionError):
        pass
    world.reborn()
    job = world.submit(LONG, key="once")
    world.advance(200, step=10)
    if token := world.token(job):
        if deed == "submit":
            world.start_payload(token)
            world.finish_payload(token)
        else:
            world.ce.states[token] = CeState(token, Phase.ENDED, exit_status=143)
    for _ in range(6):
        world.advance(300, step=60)
        for token in alive(world.ce):
            world.start_payload(token)
            world.finish_payload(token)
    world.advance(2 * ROUND_S, step=600)
    assert alive(world.ce) == set()
    assert world.result(world.ce.known()) == []
    assert world.messages() == []


@pytest.mark.parametrize(("phase", "age_s", "queued", "is_lost"), [
    (None, 0, False, True), (store.STOPPED, SETTLE_S, False, True), (store.STOPPED, SETTLE_S - 1, False, False),
    (store.SUBMITTED, 10**6, False, False), (store.INTENDED, 10**6, True, False),
    (store.INTENDED, SETTLE_S, False, True), (store.INTENDED, SETTLE_S - 1, False, False)])
def test_what_is_lost(phase: str | None, age_s: float, queued: bool, is_lost: bool) -> None:
    id = "A" * 22
    token = store.token(id, 1)
    rows = {} if phase is None else {token: store.Submission(id, 1, "hand", token, phase, "", NOW - age_s)}
    jobs = [f"https://lb.example.org:9000/{id}"] if queued else []
    assert lost([token], rows, jobs, NOW) == ([token] if is_lost else [])
