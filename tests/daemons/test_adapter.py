"""The Job Adapter and its CE: what is submitted once, tried again, refused, stopped and renewed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import wm.tables
from jobadapter import store
from jobadapter.service import FORGET_AFTER_S
from jobadapter.submitting import RETRY_CE_S
from tests.suite.world import ALICE, NOW, HandCe, World
from wms import queue
from wms.ce import CeJob, Phase, Rejected, Submitted
from wms.ce.guard import Guarded
from wms.ce.limits import Common
from wms.errors import Unavailable
from wms.messages.attempts import Kill
from wms.messages.credentials import ProxyRenewed
from wms.messages.topics import JOBADAPTER

ONCE = 'Executable = "/bin/true"; RetryCount = 0; ShallowRetryCount = -1;'
AGAIN = 'Executable = "/bin/true"; RetryCount = 1; ShallowRetryCount = 1;'


@dataclass
class MoodyCe(HandCe):
    """A CE that is away for its next `away` submissions; `meanwhile` happens while it takes one."""

    away: int = 0
    asked: int = 0
    lost_answers: int = 0
    meanwhile: Callable[[str], object] = field(default=lambda _token: None)

    async def submit(self, jobs: Sequence[CeJob]) -> list[Submitted | Rejected]:
        self.asked += 1
        if self.away:
            self.away -= 1
            raise Unavailable("the CE is being restarted")
        for job in jobs:
            self.meanwhile(job.token)
        verdicts = await HandCe.submit(self, jobs)
        if self.lost_answers:
            self.lost_answers -= 1
            raise Unavailable("the connection was closed")
        return verdicts


@pytest.fixture
def ce() -> MoodyCe:
    return MoodyCe()


@pytest.fixture
def world(tmp_path: Path, ce: MoodyCe) -> Iterator[World]:
    world = World(tmp_path, ce=ce, manager="expiry_s: 90000")
    yield world
    world.close()


def phases(world: World, job: str) -> list[str]:
    """The phase of each attempt."""
    id = job.rsplit("/", 1)[-1]
    with world.engine.begin() as conn:
        rows = conn.execute(store.submissions.select().where(store.submissions.c.id == id)
                            .order_by(store.submissions.c.attempt))
        return [row.phase for row in rows]


def send(world: World, message: Kill | ProxyRenewed) -> None:
    world.database.transact(queue.put, JOBADAPTER, message, now=world.clock.seconds())


def told(world: World, job: str) -> str:
    """All that the events of the job say."""
    return " ".join(str(event) for event in world.call("lb.events", job=job).events)


# -- submission ------------------------------------------------------------------------------------------


def test_a_ce_that_is_away_is_asked_again_later(world: World, ce: MoodyCe):
    ce.away = 3
    job = world.submit(ONCE)
    assert (world.state(job), ce.submissions) == ("Ready", 0)
    world.advance(3 * RETRY_CE_S + 3)
    assert (world.state(job), ce.submissions, ce.asked) == ("Scheduled", 1, 4)
    assert phases(world, job) == [store.SUBMITTED]


def test_a_ce_that_stays_away_is_no_failure_the_job_is_matched_again(world: World, ce: MoodyCe):
    ce.away = 10**6
    job = world.submit(ONCE)
    world.advance(world.settings.jobadapter.untaken_s + 2 * RETRY_CE_S, step=4)
    assert phases(world, job) == [store.STOPPED, store.INTENDED], "RetryCount = 0 is for failures"
    assert "did not take the job for 600 s: the CE is being restarted" in told(world, job)
    ce.away = 0
    world.advance(2 * RETRY_CE_S)
    assert (world.state(job), ce.submissions, phases(world, job)) == (
        "Scheduled", 1, [store.STOPPED, store.SUBMITTED])
    with world.engine.begin() as conn:
        (row,) = conn.execute(wm.tables.jobs.select()).all()
    assert (row.deep, row.shallow, row.site_faults, row.replans) == (0, 0, 0, 0)


def test_a_job_goes_from_a_ce_that_is_away_to_another(tmp_path: Path, ce: MoodyCe):
    other = HandCe(name="other", slots=1)
    world = World(tmp_path, ce=ce, others={"other": other}, manager="expiry_s: 90000")
    ce.away = 10**6
    job = world.submit(ONCE + 'Rank = other.GlueCEStateFreeCPUs; Requirements = true;')
    assert (ce.asked, other.submissions) == (1, 0), "the larger one first"
    world.advance(world.settings.jobadapter.untaken_s + RETRY_CE_S + 2)
    assert (world.state(job), other.submissions) == ("Scheduled", 1)
    assert world.status(job)["destination"].startswith("other.")
    world.close()


def test_a_payload_that_began_though_its_ce_seemed_away_goes_on(world: World, ce: MoodyCe):
    """Its submission arrived, the answer did not, and the CE is away since."""
    ce.lost_answers = 1
    job = world.submit(ONCE)
    (token,) = ce.jobs
    ce.away = 10**6
    assert world.start_payload(token)
    world.advance(2 * world.settings.jobadapter.untaken_s, step=5)
    assert (world.state(job), phases(world, job)) == ("Running", [store.INTENDED])
    ce.away = 0
    world.finish_payload(token)
    world.advance(2 * RETRY_CE_S)
    assert (world.state(job), world.payloads, ce.submissions) == ("Done", {token: 1}, 1)


def test_a_limit_keeps_jobs_waiting_and_fails_none(tmp_path: Path, ce: MoodyCe):
    world = World(tmp_path, ce=ce, manager="expiry_s: 90000")
    world.backends = {"hand": Guarded(ce, Common(max_submitted=2), world.clock, lambda: 0.0)}
    world.reborn()
    jobs = [world.submit(ONCE) for _ in range(5)]
    world.advance(3600, step=10)
    assert (ce.submissions, sorted(world.state(job) for job in jobs)) == (2, ["Ready"] * 3 + ["Scheduled"] * 2)
    for token in list(ce.jobs):
        world.finish_payload(token)
    world.advance(60)
    assert ce.submissions == 4
    world.close()


def test_a_silent_ce_is_not_asked_once_for_each_job(tmp_path: Path, ce: MoodyCe):
    world = World(tmp_path, ce=ce, manager="expiry_s: 90000")
    world.backends = {"hand": Guarded(ce, Common(breaker_failures=2), world.clock, lambda: 0.0)}
    world.reborn()
    world.advance(20)
    ce.away = 10**6
    jobs = [world.submit(ONCE) for _ in range(20)]
    world.advance(500, step=5)
    assert ce.asked < 40, "instead of some 600"
    ce.away = 0
    world.advance(600, step=5)
    assert {world.state(job) for job in jobs} == {"Scheduled"}
    world.close()


def test_a_refusal_is_told_and_the_job_tried_elsewhere(world: World, ce: MoodyCe):
    ce.refuse = "the queue is closed"
    job = world.submit(AGAIN)
    world.advance(5)
    assert world.state(job) == "Waiting"
    assert phases(world, job) == [store.STOPPED, store.STOPPED], "once, once more at once, the rest later"
    assert "the queue is closed; the next one is in" in told(world, job)
    world.advance(30)
    assert set(phases(world, job)[2:]) == {store.STOPPED}


def test_a_credential_that_is_gone_stops_the_submission(world: World, ce: MoodyCe):
    world.kit.credentials.path(world.credentials[ALICE]).unlink()
    job = world.submit(ONCE)
    world.advance(5)
    assert (world.state(job), ce.asked) == ("Aborted", 0)
    assert "proxy not found" in told(world, job)


# -- stopping --------------------------------------------------------------------------------------------


def test_an_attempt_that_was_killed_before_its_submission_never_starts(world: World, ce: MoodyCe):
    ce.away = 1
    job = world.submit(ONCE)
    send(world, Kill(job, 1))
    world.advance(2 * RETRY_CE_S + 3)
    assert (ce.submissions, phases(world, job)) == (0, [store.STOPPED])


def test_a_cancelled_job_whose_ce_is_away_ends_all_the_same(world: World, ce: MoodyCe):
    ce.away = 2
    job = world.submit(ONCE)
    world.call("ns.cancel", job=job)
    world.advance(4 * RETRY_CE_S + 3)
    assert (world.state(job), ce.submissions, phases(world, job)) == ("Cancelled", 0, [store.STOPPED])
    assert world.messages() == []


def test_a_job_cancelled_at_once_ends_even_if_its_killing_overtakes_it(world: World, ce: MoodyCe):
    ce.away = 1
    job = world.submit(ONCE)
    world.call("ns.cancel", job=job)
    assert world.state(job) != "Cancelled", "the CE may yet have it"
    world.advance(RETRY_CE_S + 1)
    assert (world.state(job), ce.submissions) == ("Cancelled", 0)
    assert "stopped before it was handed to the CE" in told(world, job)


def test_an_attempt_that_another_process_stops_while_it_is_submitted_is_killed(world: World, ce: MoodyCe):
    def stop(token: str) -> None:
        with world.engine.begin() as conn:
            store.mark(conn, [token], store.STOPPED, NOW)

    ce.meanwhile = stop
    job = world.submit(ONCE)
    (token,) = ce.jobs
    assert (ce.states[token].phase, phases(world, job)) == (Phase.ENDED, [store.STOPPED])


def test_what_is_over_is_cleaned_at_the_ce_and_forgotten_after_a_day(world: World):
    job = world.submit(ONCE)
    assert world.start_payload(world.token(job))
    world.finish_payload(world.token(job))
    world.advance(5)
    assert phases(world, job) == [store.STOPPED]
    world.advance(FORGET_AFTER_S + 7200, step=1800)
    assert phases(world, job) == []


# -- renewal ---------------------------------------------------------------------------------------------


def test_a_renewed_proxy_reaches_the_live_jobs_of_its_credential_and_no_others(world: World, ce: MoodyCe):
    queued, running, over = (world.submit(ONCE) for _ in range(3))
    world.start_payload(world.token(running))
    tokens = [world.token(job) for job in (queued, running)]
    gone = world.token(over)
    world.start_payload(gone)
    world.finish_payload(gone)
    world.advance(5)
    world.kit.credentials.path(world.credentials[ALICE]).write_bytes(b"fresh")
    send(world, ProxyRenewed(world.credentials[ALICE], (queued, running)))
    world.advance(1)
    assert {name: text for name, text in ce.outputs.items() if name.endswith(".proxy")} == {
        f"{token}.proxy": "fresh" for token in tokens}
    assert ce.states[tokens[1]].phase == Phase.RUNNING


def test_the_next_attempt_has_the_renewed_proxy(world: World, ce: MoodyCe):
    job = world.submit(AGAIN)
    token = world.token(job)
    world.kit.credentials.path(world.credentials[ALICE]).write_bytes(b"fresh")
    world.finish_payload(token, failure="Cannot download the input", report=False)
    world.advance(15)
    assert world.token(job) != token
    assert ce.jobs[world.token(job)].proxy == b"fresh"


def test_a_renewal_for_jobs_that_are_gone_is_nothing(world: World):
    send(world, ProxyRenewed("unknown", ("https://lb.example.org:9000/x",)))
    world.advance(1)
    assert world.messages() == []
