"""Crashes between any two commits, in any order with everything else: nothing lost, nothing twice, nothing stuck."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

import wm.store
from tests.suite.world import Crash, World
from wms.ce import CeState, Phase
from wms.errors import CancelNotAllowed, NotAllowedNow

TERMINAL = {"Done", "Aborted", "Cancelled", "Cleared"}


def drive(world: World, rounds: int = 400) -> None:
    """Run every payload to its end and let time pass until nothing is open."""
    for round in range(rounds):
        for token, state in sorted(world.ce.states.items()):
            if state.phase in (Phase.QUEUED, Phase.RUNNING):
                end(world, token)
            elif state.phase == Phase.HELD and round % 2:
                world.ce.states[token] = CeState(token, Phase.QUEUED)
        world.advance(5)
        if not world.messages() and not waiting(world):
            return


def waiting(world: World) -> bool:
    """Does a job wait, maybe for its next attempt?"""
    with world.engine.connect() as conn:
        return conn.execute(wm.store.jobs.select().where(wm.store.jobs.c.phase != wm.store.OVER)).first() is not None


def end(world: World, token: str, exit_code: int = 0) -> None:
    """The wrapper runs to its end, if it is still let."""
    try:
        if world.ce.states[token].phase == Phase.QUEUED:
            world.start_payload(token)
        world.finish_payload(token, exit_code)
    except NotAllowedNow:
        world.ce.states[token] = world.ce.states[token].__class__(token, Phase.ENDED, exit_status=1)


@pytest.mark.parametrize("commits", range(24))
def test_a_crash_before_any_commit_loses_and_doubles_nothing(world: World, commits: int) -> None:
    world.crash_after(commits)
    key = "the-users-own-key"
    try:
        world.submit(key=key)
    except (Crash, AssertionError):
        pass
    world.reborn()
    job = world.submit(key=key)
    world.advance(130)
    world.crash_after(max(0, commits - 4))
    for token in list(world.ce.states):
        try:
            end(world, token)
        except (Crash, AssertionError):
            world.ce.states[token] = world.ce.states[token].__class__(token, Phase.RUNNING)
    world.reborn()
    drive(world)
    assert world.state(job) in TERMINAL
    assert world.messages() == []
    assert all(count == 1 for count in world.payloads.values())
    assert len(world.call("lb.jobs").jobs) == 1


class Life(RuleBasedStateMachine):
    """Submissions, cancellations, payloads, crashes and time in any order."""

    jobs = Bundle("jobs")

    def __init__(self) -> None:
        super().__init__()
        self._directory = tempfile.TemporaryDirectory()
        self.world = World(Path(self._directory.name))
        self.submitted: list[str] = []
        self.serial = 0

    @rule(target=jobs, retries=st.integers(0, 2))
    def submit(self, retries: int) -> object:
        self.serial += 1
        key = f"user-key-{self.serial}"
        jdl = f'Executable = "/bin/true"; RetryCount = {retries}; ShallowRetryCount = {retries};'
        try:
            job = self.world.submit(jdl, key=key)
        except (Crash, AssertionError):
            self.world.reborn()
            job = self.world.submit(jdl, key=key)
        self.submitted.append(job)
        return job

    @rule(job=jobs)
    def cancel(self, job: str) -> None:
        self._quietly(lambda: self.world.call("ns.cancel", job=job))

    @rule(n=st.integers(0, 50), exit_code=st.integers(0, 2))
    def run_one(self, n: int, exit_code: int) -> None:
        token = self._live(n)
        if token:
            self._quietly(lambda: end(self.world, token, exit_code))

    @rule(n=st.integers(0, 50))
    def start_one(self, n: int) -> None:
        token = self._live(n)
        if token and self.world.ce.states[token].phase == Phase.QUEUED:
            self._quietly(lambda: self.world.start_payload(token))

    @rule(n=st.integers(0, 50))
    def lose_one(self, n: int) -> None:
        token = self._live(n)
        if token:
            self.world.ce.states[token] = self.world.ce.states[token].__class__(token, Phase.ENDED, reason="vanished")

    @rule(n=st.integers(0, 50))
    def hold_one(self, n: int) -> None:
        token = self._live(n)
        if token:
            self.world.ce.states[token] = CeState(token, Phase.HELD, reason="the disk is full")

    @rule(n=st.integers(0, 50))
    def release_one(self, n: int) -> None:
        token = self._live(n)
        if token and self.world.ce.states[token].phase == Phase.HELD:
            phase = Phase.RUNNING if token in self.world.payloads else Phase.QUEUED
            self.world.ce.states[token] = CeState(token, phase)

    @rule(away=st.booleans())
    def come_and_go(self, away: bool) -> None:
        self.world.ce.unreachable = away

    @rule(commits=st.integers(0, 6))
    def crash_soon(self, commits: int) -> None:
        self.world.crash_after(commits)

    @rule()
    def restart(self) -> None:
        self.world.reborn()

    @rule(seconds=st.integers(1, 150))
    def time_passes(self, seconds: int) -> None:
        self.world.advance(seconds, step=5)

    @invariant()
    def no_payload_started_twice(self) -> None:
        assert all(count == 1 for count in self.world.payloads.values())

    def _live(self, n: int) -> str:
        live = sorted(t for t, s in self.world.ce.states.items() if s.phase != Phase.ENDED)
        return live[n % len(live)] if live else ""

    def _quietly(self, act: object) -> None:
        """Refusals are answers, a crash is a crash."""
        assert callable(act)
        try:
            act()
        except (CancelNotAllowed, NotAllowedNow):
            pass
        except (Crash, AssertionError):
            self.world.reborn()

    def teardown(self) -> None:
        self.world.ce.unreachable = False
        self.world.reborn()
        drive(self.world)
        states = {job: self.world.state(job) for job in self.submitted}
        assert set(states.values()) <= TERMINAL, states
        assert self.world.messages() == []
        assert len(self.world.call("lb.jobs").jobs) == len(self.submitted)
        self.world.advance(2 * self.world.settings.jobadapter.reconcile_s, step=600)
        assert self.world.result(self.world.ce.known()) == [], "no orphan stays at the CE"
        self.world.close()
        self._directory.cleanup()


class LongLife(Life):
    """Many more of them."""


def lives(number: int) -> settings:
    return settings(max_examples=number, stateful_step_count=25, deadline=None,
                    suppress_health_check=list(HealthCheck))


Life.TestCase.settings = lives(10)
LongLife.TestCase.settings = lives(250)
TestLife = Life.TestCase
TestLongLife = pytest.mark.soak(LongLife.TestCase)
