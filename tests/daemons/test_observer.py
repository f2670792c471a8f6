"""The Log Monitor: how an attempt ends, whatever the wrapper and the CE say of it, in whatever order."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from logmonitor import store
from logmonitor.service import FORGET_AFTER_S
from tests.suite.world import HandCe, World
from wms import queue
from wms.ce import CeState, Phase
from wms.errors import Unavailable
from wms.messages import LOGMONITOR, Reported, Watch
from wms.operations import OutcomeReport

ONCE = 'Executable = "/bin/true"; RetryCount = 0; ShallowRetryCount = -1;'
GRACE_S, LOST_S, POLL_S = 5.0, 60.0, 5.0


@dataclass
class MoodyCe(HandCe):
    """A CE that answers only when it likes."""

    silent: bool = False
    mute: bool = False

    async def status(self, tokens: Collection[str]) -> dict[str, CeState]:
        if self.silent:
            raise Unavailable("the CE is being restarted")
        return await HandCe.status(self, tokens)

    async def output(self, token: str) -> str:
        if self.mute:
            raise Unavailable("the spool is away")
        return await HandCe.output(self, token)


@pytest.fixture
def ce() -> MoodyCe:
    return MoodyCe()


@pytest.fixture
def world(tmp_path: Path, ce: MoodyCe) -> Iterator[World]:
    world = World(tmp_path, ce=ce)
    yield world
    world.close()


def running(world: World) -> tuple[str, str]:
    """(job, token) of a job whose payload has started."""
    job = world.submit(ONCE)
    token = world.token(job)
    assert world.start_payload(token)
    return job, token


def ends(ce: HandCe, token: str, output: str, status: int = 0, reason: str = "") -> None:
    ce.outputs[token] = output
    ce.states[token] = CeState(token, Phase.ENDED, exit_status=status, reason=reason)


def say(world: World, record: Reported | Watch) -> None:
    world.database.transact(queue.put, LOGMONITOR, record, now=world.clock.seconds())
    world.advance(1)


def row(world: World, job: str) -> store.WatchRow:
    with world.engine.begin() as conn:
        return store.find(conn, job, 1)


# -- without a report ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("output", "state", "exit_code"), [
    ("job exit status = 0\njw exit status = 0\n", "Done", 0),
    ("job exit status = 7\njw exit status = 0\n", "Done", 7),
    ("Cannot download x\n", "Aborted", 0),
    ("", "Aborted", 0),
])
def test_what_the_wrapper_printed_counts_when_its_report_never_came(world: World, ce: MoodyCe, output: str, state: str,
                                                                    exit_code: int):
    job, token = running(world)
    ends(ce, token, output)
    world.advance(POLL_S + GRACE_S + 2)
    status = world.status(job)
    assert (status["state"], status.get("exit_code", 0)) == (state, exit_code)


def test_the_report_has_its_grace_after_the_end(world: World, ce: MoodyCe):
    job, token = running(world)
    ends(ce, token, "")
    world.advance(POLL_S + GRACE_S - 2)
    assert world.state(job) == "Running"
    world.finish_payload(token, 3)
    assert (world.state(job), world.status(job)["exit_code"]) == ("Done", 3)


def test_the_words_of_the_ce_are_told_with_a_failure(world: World, ce: MoodyCe):
    job, token = running(world)
    ends(ce, token, "", status=137, reason="wall time limit of 60 s exceeded")
    world.advance(POLL_S + GRACE_S + 2)
    events = " ".join(str(event) for event in world.call("lb.events", job=job).events)
    assert "the CE says: wall time limit of 60 s exceeded; wrapper exit status 137" in events


# -- a CE that does not know, or does not answer -----------------------------------------------------------


def test_a_job_that_stays_lost_has_failed(world: World, ce: MoodyCe):
    job, token = running(world)
    ce.states[token] = CeState(token, Phase.LOST)
    world.advance(LOST_S - 2)
    assert world.state(job) == "Running"
    world.advance(POLL_S + 5)
    assert world.state(job) == "Aborted"
    assert any("does not know the job" in str(event) for event in world.call("lb.events", job=job).events)


def test_a_job_that_was_lost_for_a_while_has_all_patience_when_it_is_lost_again(world: World, ce: MoodyCe):
    job, token = running(world)
    for _ in range(3):
        ce.states[token] = CeState(token, Phase.LOST)
        world.advance(LOST_S - 10)
        ce.states[token] = CeState(token, Phase.RUNNING)
        world.advance(2 * POLL_S)
    assert (world.state(job), row(world, job).gone) == ("Running", None)
    world.finish_payload(token)
    assert world.state(job) == "Done"


def test_a_silent_ce_is_only_late(world: World, ce: MoodyCe):
    job, token = running(world)
    ce.silent = True
    ends(ce, token, "job exit status = 0\n")
    world.advance(2 * LOST_S, step=5)
    assert world.state(job) == "Running"
    ce.silent = False
    world.advance(POLL_S + GRACE_S + 2)
    assert world.state(job) == "Done"


def test_an_output_that_cannot_be_had_now_is_asked_for_again(world: World, ce: MoodyCe):
    job, token = running(world)
    ce.mute = True
    ends(ce, token, "job exit status = 0\n")
    world.advance(LOST_S)
    assert world.state(job) == "Running"
    ce.mute = False
    world.advance(2 * POLL_S)
    assert world.state(job) == "Done"


# -- order and repetition --------------------------------------------------------------------------------


def test_a_report_that_overtakes_the_watch_is_kept_for_it(world: World):
    job = world.submit(ONCE)
    token, known = world.token(job), row(world, job)
    with world.engine.begin() as conn:  # as if the watch had not arrived yet
        conn.execute(store.watches.delete())
    world.start_payload(token)
    world.finish_payload(token, 4)
    assert (row(world, job).phase, world.state(job)) == (store.EXPECTED, "Running")
    say(world, Watch(job, 1, known.backend, known.ce, token, "h", known.sequence_code))
    assert (row(world, job).phase, world.state(job), world.status(job)["exit_code"]) == (store.OVER, "Done", 4)


def test_a_second_watch_and_a_second_report_change_nothing(world: World):
    job, token = running(world)
    world.finish_payload(token)
    before, known = world.history(job), row(world, job)
    say(world, Watch(job, 1, known.backend, known.ce, token, "h", known.sequence_code))
    say(world, Reported(job, 1, OutcomeReport(failure="Cannot upload")))
    assert (world.history(job), world.state(job)) == (before, "Done")


def test_a_failure_of_a_cancelled_job_is_its_cancellation(world: World):
    job, _token = running(world)
    world.call("ns.cancel", job=job)
    assert world.state(job) == "Running"
    world.advance(POLL_S + GRACE_S + 2)
    assert world.state(job) == "Cancelled"


def test_a_payload_that_ended_before_it_was_cancelled_is_done(world: World, ce: MoodyCe):
    job, token = running(world)
    world.finish_payload(token, report=False)
    world.call("ns.cancel", job=job)
    world.advance(POLL_S + GRACE_S + 2)
    assert world.state(job) == "Done"


def test_what_is_over_is_forgotten_after_a_day(world: World):
    job, token = running(world)
    world.finish_payload(token)
    assert row(world, job).phase == store.OVER
    world.advance(FORGET_AFTER_S + 7200, step=1800)
    assert row(world, job).phase == store.EXPECTED
