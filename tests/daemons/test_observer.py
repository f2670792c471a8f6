"""The Log Monitor: how an attempt ends, whatever the wrapper and the CE say of it, in whatever order."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from logmonitor import store
from logmonitor.service import FORGET_AFTER_S
from tests.suite.world import HandCe, World
from wms import queue
from wms.ce import CeState, Phase, Usage
from wms.ce.guard import Guarded
from wms.ce.limits import Common
from wms.errors import Unavailable
from wms.faults import VERSION
from wms.messages.attempts import Reported, Watch
from wms.messages.topics import LOGMONITOR
from wms.operations import OutcomeReport

ONCE = 'Executable = "/bin/true"; RetryCount = 0; ShallowRetryCount = -1;'
GRACE_S, LOST_S, POLL_S, HELD_S = 5.0, 60.0, 5.0, 300.0


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


# -- held -------------------------------------------------------------------------------------------------


def told(world: World, job: str) -> str:
    return " ".join(str(event) for event in world.call("lb.events", job=job).events)


def test_a_held_job_is_suspended_and_resumed(world: World, ce: MoodyCe):
    job, token = running(world)
    ce.states[token] = CeState(token, Phase.HELD, reason="the scratch disk is full")
    world.advance(2 * POLL_S)
    status = world.status(job)
    assert (status["state"], status["suspended"], status["suspend_reason"]) == (
        "Running", True, "the scratch disk is full")
    ce.states[token] = CeState(token, Phase.RUNNING)
    world.advance(2 * POLL_S)
    assert (world.status(job).get("suspended", False), row(world, job).held) == (False, None)
    assert world.history(job).count("Suspend") == world.history(job).count("Resume") == 1
    world.advance(HELD_S, step=5)
    world.finish_payload(token)
    assert world.state(job) == "Done"


def test_a_job_that_stays_held_is_killed_and_fails_by_the_word_of_the_ce(world: World, ce: MoodyCe):
    job, token = running(world)
    ce.states[token] = CeState(token, Phase.HELD, reason="the scratch disk is full")
    world.advance(HELD_S - 10, step=5)
    assert world.state(job) == "Running"
    world.advance(30)
    assert (world.state(job), ce.states[token].phase) == ("Aborted", Phase.ENDED)
    assert "Got a job held event, reason: the scratch disk is full" in told(world, job)
    assert world.status(job)["fault"] == "site"


def test_a_job_that_is_held_before_it_began_is_tried_again(world: World, ce: MoodyCe):
    job = world.submit('Executable = "/bin/true"; ShallowRetryCount = 3;')
    token = world.token(job)
    ce.states[token] = CeState(token, Phase.HELD, reason="no such account")
    world.advance(HELD_S + 30, step=5)
    assert world.token(job) not in ("", token)
    assert world.state(job) == "Scheduled"


# -- what was to be killed --------------------------------------------------------------------------------


@dataclass
class StubbornCe(MoodyCe):
    """A CE that obeys only the call number `obeys`."""

    obeys: int = 10**6
    cancels: int = 0

    async def cancel(self, tokens: Collection[str]) -> None:
        self.cancels += 1
        if self.cancels >= self.obeys:
            await HandCe.cancel(self, tokens)


@pytest.mark.parametrize(("obeys", "reason"), [(3, "Aborted by user"), (10**6, "Removal retries exceeded.")])
def test_a_payload_that_does_not_obey_is_killed_again_and_in_the_end_its_job_ends(tmp_path: Path, obeys: int,
                                                                                 reason: str):
    ce = StubbornCe(obeys=obeys)
    world = World(tmp_path, ce=ce)
    job, _token = running(world)
    world.call("ns.cancel", job=job)
    world.advance(250, step=5)
    assert (world.state(job), ce.cancels) == ("Running", 1)
    world.advance(4 * 300 + 60, step=5)
    assert world.state(job) == "Cancelled"
    assert reason in told(world, job)
    assert ce.cancels < 10
    world.close()


# -- how often --------------------------------------------------------------------------------------------


@dataclass
class AskedCe(MoodyCe):
    """Counts how often it is asked, and for how many."""

    asked: list[int] = field(default_factory=list)
    wakes: list[Callable[[], None]] = field(default_factory=list)

    async def status(self, tokens: Collection[str]) -> dict[str, CeState]:
        self.asked.append(len(tokens))
        return await MoodyCe.status(self, tokens)

    def watch(self, wake: Callable[[], None]) -> None:
        self.wakes.append(wake)


@pytest.fixture
def asked(tmp_path: Path) -> Iterator[tuple[World, AskedCe]]:
    ce = AskedCe()
    world = World(tmp_path, ce=ce)
    yield world, ce
    world.close()


def test_while_nothing_changes_the_ce_is_asked_less_and_less(asked: tuple[World, AskedCe]):
    world, ce = asked
    jobs = [world.submit(ONCE) for _ in range(3)]
    world.advance(1800, step=5)
    often = len(ce.asked)
    assert often < 45, "every five seconds would be 360"
    world.advance(600, step=5)
    assert len(ce.asked) - often <= 11, "once a minute"
    assert ce.asked[-1] == 3, "one query for all"
    token = world.token(jobs[0])
    world.start_payload(token)
    before = len(ce.asked)
    world.advance(100, step=1)
    assert len(ce.asked) - before >= 5, "something changed"


def test_a_new_submission_and_a_call_of_the_ce_bring_it_back_at_once(asked: tuple[World, AskedCe]):
    world, ce = asked
    world.submit(ONCE)
    world.advance(1800, step=5)
    before = len(ce.asked)
    world.submit(ONCE)
    world.advance(POLL_S + 1)
    assert 1 <= len(ce.asked[before:]) <= 2
    assert ce.asked[-1] == 2
    world.advance(1800, step=5)
    before = len(ce.asked)
    for wake in ce.wakes:
        wake()
    assert len(ce.asked) == before + 1


def test_a_site_may_set_its_own_period(tmp_path: Path):
    ce = AskedCe()
    world = World(tmp_path, ce=ce)
    world.backends = {"hand": Guarded(ce, Common(observe_s=100, observe_most_s=100), world.clock, lambda: 0.0)}
    world.reborn()
    world.submit(ONCE)
    world.advance(1000, step=5)
    assert 9 <= len(ce.asked) <= 12
    world.close()


def test_a_spent_budget_is_no_silence(tmp_path: Path):
    ce = AskedCe()
    world = World(tmp_path, ce=ce)
    world.backends = {"hand": Guarded(ce, Common(requests_per_minute=4), world.clock, lambda: 0.0)}
    world.reborn()
    job, token = running(world)
    world.finish_payload(token, report=False)
    world.advance(300, step=1)
    assert world.state(job) == "Done"
    assert not any("does not answer" in str(line.get("log_format")) for line in world.logged)


# -- what the CE accounted --------------------------------------------------------------------------------


def test_the_accounts_of_the_ce_stand_in_for_a_report_that_never_came(world: World, ce: MoodyCe):
    job, token = running(world)
    ce.outputs[token] = "job exit status = 0\n"
    ce.states[token] = CeState(token, Phase.ENDED, exit_status=0, usage=Usage(wall_s=60.0, cpu_s=50.0, max_rss_kb=2048))
    world.advance(POLL_S + GRACE_S + 2)
    used = {event["fields"]["resource"]: (event["fields"]["quantity"], event["fields"]["unit"])
            for event in world.call("lb.events", job=job).events if event["type"] == "ResourceUsage"}
    assert used == {"real": (60.0, "s"), "user": (50.0, "s"), "max_rss": (2048.0, "kB")}
    assert (world.state(job), world.status(job)["cpuTime"]) == ("Done", 50.0)


# -- whose fault ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("reason", "owner"), [
    ("wall time limit of 60 s exceeded", "user"), ("NODE_FAIL", "site"), ("connection refused", "network"),
    ("proxy has expired", "credential"), ("502 Bad Gateway", "service")])
def test_a_failure_has_an_owner_in_its_events_and_in_the_status(world: World, ce: MoodyCe, reason: str, owner: str):
    job, token = running(world)
    ends(ce, token, "", status=1, reason=reason)
    world.advance(POLL_S + GRACE_S + 2)
    events = world.call("lb.events", job=job).events
    owners = {event["type"]: (said["fault"], said["taxonomy"])
              for event in events if "fault" in (said := event.get("fields", {}))}
    assert owners == {"Done": (owner, VERSION), "Abort": (owner, VERSION)}
    assert world.status(job)["fault"] == owner
    assert any(f"the CE says: {reason}" in str(event) for event in events), "its own words beside it"
