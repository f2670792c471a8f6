"""What follows failures, through all daemons: whose retries pay, pauses, black holes, stuck queues, lost messages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tests.suite.world import HandCe, World
from wm.tables import jobs as wm_jobs
from wm.tables import memories
from wms import queue
from wms.ce import CeState, Phase
from wms.errors import NotAllowedNow
from wms.messages.topics import JOBADAPTER, LOGMONITOR, NS, WM

Make = Callable[..., World]
LOST_NODE = "Job has been terminated (got SIGTERM)"
USERS = "epilogue failed with error 1"


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[World] = []

    def world(*others: str, manager: str = "expiry_s: 90000") -> World:
        made.append(World(tmp_path, manager=manager, others={name: HandCe(name=name) for name in others}))
        return made[-1]

    yield world
    for one in made:
        one.close()


def row(world: World, job: str) -> Any:
    unique = job.rsplit("/", 1)[-1]
    return world.result_of(world.database.read(
        lambda conn: conn.execute(sa.select(wm_jobs).where(wm_jobs.c.id == unique)).one()))


def remembered(world: World) -> list[Any]:
    return list(world.result_of(world.database.read(lambda conn: conn.execute(sa.select(memories)).all())))


def resubmissions(world: World, job: str) -> list[str]:
    return [e["fields"]["result"] for e in world.call("lb.events", job=job).events if e["type"] == "Resubmission"]


def fail(world: World, job: str, failure: str, *, started: bool) -> None:
    token = world.token(job)
    if started:
        world.start_payload(token)
    world.finish_payload(token, failure=failure)


def run(world: World, job: str) -> None:
    world.start_payload(world.token(job))
    world.finish_payload(world.token(job))


# -- whose retries pay --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("started", "kind"), [(True, "WILLRESUB"), (False, "SHALLOW")])
def test_faults_of_the_site_do_not_consume_the_users_retries(make: Make, started: bool, kind: str) -> None:
    world = make()
    job = world.submit('Executable = "/bin/true"; RetryCount = 1; ShallowRetryCount = 1;')
    for _ in range(4):
        fail(world, job, LOST_NODE, started=started)
        world.advance(200, step=20)
    assert resubmissions(world, job) == [kind] * 4
    assert (row(world, job).deep, row(world, job).shallow, row(world, job).site_faults) == (0, 0, 4)
    run(world, job)
    assert world.state(job) == "Done"


def test_the_infrastructure_loses_so_many_attempts_and_the_job_ends_with_both_reasons(make: Make) -> None:
    world = make(manager="site_faults: 2, expiry_s: 6000")
    job = world.submit()
    for _ in range(3):
        fail(world, job, LOST_NODE, started=False)
        world.advance(60, step=20)
    status = world.status(job)
    assert status["state"] == "Aborted"
    assert status["reason"] == ("hit max number of attempts lost to the infrastructure (2); last failure: "
                                + LOST_NODE)


def test_a_program_that_may_run_once_runs_once_whoever_lost_it(make: Make) -> None:
    world = make()
    job = world.submit('Executable = "/bin/true"; RetryCount = 0;')
    fail(world, job, LOST_NODE, started=True)
    assert world.state(job) == "Aborted"
    assert "hit job retry count (0)" in world.status(job)["reason"]
    assert len(world.payloads) == 1


def test_a_program_that_may_run_once_is_tried_elsewhere_while_it_has_not_begun(make: Make) -> None:
    world = make()
    job = world.submit('Executable = "/bin/true"; RetryCount = 0;')
    fail(world, job, LOST_NODE, started=False)
    run(world, job)
    assert world.state(job) == "Done"


def test_what_the_user_broke_before_the_start_costs_three_shallow_retries(make: Make) -> None:
    world = make()
    job = world.submit()
    for _ in range(4):
        fail(world, job, "prologue failed with error 1", started=False)
        world.advance(60, step=10)
    assert world.state(job) == "Aborted"
    assert "hit job shallow retry count (3): ShallowRetryCount 3, MaxShallowRetryCount 10" in \
        world.status(job)["reason"]
    assert resubmissions(world, job) == ["SHALLOW"] * 3


def test_the_second_attempt_is_at_once_and_later_ones_wait_longer_and_longer(make: Make) -> None:
    world = make()
    job = world.submit()
    pauses = []
    for _ in range(5):
        fail(world, job, LOST_NODE, started=False)
        waited = 0
        while not world.token(job):
            world.advance(1)
            waited += 1
        pauses.append(waited)
    assert pauses[0] == 0
    assert all(half <= pause - 5 <= 3 * half or half <= pause <= 3 * half + 5
               for half, pause in zip((5, 10, 20, 40), pauses[1:], strict=True)), pauses


def test_an_attempt_goes_elsewhere_unless_nothing_else_is_left(make: Make) -> None:
    world = make("other")
    job = world.submit()
    places = []
    for _ in range(3):
        places.append(world.ce_of(world.token(job)).name)
        fail(world, job, LOST_NODE, started=False)
        world.advance(60, step=10)
    assert set(places[:2]) == {"hand", "other"}
    assert world.token(job)


# -- black holes --------------------------------------------------------------------------------------------


def test_a_ce_that_fails_job_after_job_is_set_aside_and_whoever_looks_can_see_it(make: Make) -> None:
    world = make(manager="black_hole_failures: 3, expiry_s: 6000")
    found = [world.submit() for _ in range(3)]
    for job in found:
        fail(world, job, LOST_NODE, started=False)
    (memory,) = remembered(world)
    assert (memory.ce, memory.failures) == ("hand.example.org:2119/jobmanager-hand-q", 3)
    assert memory.aside_until == world.clock.seconds() + 900
    tags = world.status(found[-1])["user_tags"]
    assert "hand.example.org:2119/jobmanager-hand-q until " in str(tags)


def test_faults_of_users_set_nothing_aside_and_a_success_forgets(make: Make) -> None:
    world = make(manager="black_hole_failures: 3, expiry_s: 6000")
    for _ in range(4):
        fail(world, world.submit(), USERS, started=True)
    assert remembered(world) == []
    fail(world, world.submit(), LOST_NODE, started=False)
    assert [memory.failures for memory in remembered(world)] == [1]
    run(world, world.submit())
    assert remembered(world) == []


def test_a_black_hole_swallows_few_jobs_and_all_end_well(make: Make) -> None:
    """One CE fails whatever it begins, one job a second; the other runs all it gets."""
    world = make("other")
    found = [world.submit('Executable = "/bin/true"; ShallowRetryCount = 0;') for _ in range(60)]
    lost = 0
    for _ in range(100):
        hole = [token for token, state in world.ce.states.items() if state.phase is Phase.QUEUED]
        if hole:
            world.finish_payload(hole[0], failure=LOST_NODE)
            lost += 1
        for token in [t for t, state in world.others["other"].states.items() if state.phase is Phase.QUEUED][:3]:
            world.start_payload(token)
            world.finish_payload(token)
        world.advance(1)
    assert {world.state(job) for job in found} == {"Done"}
    assert 0 < lost <= 20
    assert all(row(world, job).shallow == row(world, job).deep == 0 for job in found)


HOLE = "hand.example.org:2119/jobmanager-hand-q"
THERE = f'Executable = "/bin/true"; Requirements = other.GlueCEUniqueID == "{HOLE}"; '


def test_one_job_tries_a_ce_after_its_rest_and_its_success_brings_the_others(make: Make) -> None:
    world = make(manager="black_hole_failures: 3, black_hole_rest_s: 100")
    for _ in range(3):
        fail(world, world.submit(THERE + "RetryCount = 0; ShallowRetryCount = 0;"), LOST_NODE, started=False)
    waiting = [world.submit(THERE) for _ in range(5)]
    assert [world.token(job) for job in waiting] == [""] * 5
    world.advance(110)
    (brave,) = [job for job in waiting if world.token(job)]
    assert [memory.trial for memory in remembered(world)] == [brave.rsplit("/", 1)[-1]]
    run(world, brave)
    world.advance(10)
    assert remembered(world) == []
    assert all(world.token(job) for job in waiting if job != brave)


def test_a_trial_in_vain_doubles_the_rest(make: Make) -> None:
    world = make(manager="black_hole_failures: 1, black_hole_rest_s: 100")
    once = THERE + "RetryCount = 0; ShallowRetryCount = 0;"
    fail(world, world.submit(once), LOST_NODE, started=False)
    brave = world.submit(once)
    world.advance(110)
    fail(world, brave, LOST_NODE, started=False)
    world.call("ns.cancel", job=brave)
    job = world.submit(once)
    world.advance(190)
    assert world.token(job) == ""
    world.advance(20)
    assert world.token(job)


def test_a_job_that_may_not_be_resubmitted_is_left_at_a_ce_that_is_set_aside(make: Make) -> None:
    world = make("other", manager="black_hole_failures: 1")
    pin = 'SubmitTo = "hand.example.org:2119/jobmanager-hand-q"; RetryCount = 0;'
    stays = world.submit(f'Executable = "/bin/true"; ShallowRetryCount = -1; {pin}')
    begun, fails, moved = (world.submit(f'Executable = "/bin/true"; {pin}') for _ in range(3))
    world.start_payload(world.token(begun))
    fail(world, fails, LOST_NODE, started=False)
    assert resubmissions(world, moved) == ["SHALLOW"]
    assert "is set aside: it fails such jobs" in str(world.call("lb.events", job=moved).events)
    run(world, stays)
    world.finish_payload(world.token(begun))
    assert [world.state(job) for job in (stays, begun)] == ["Done", "Done"]


# -- stuck queues -------------------------------------------------------------------------------------------


MOVABLE = 'Executable = "/bin/true"; EnableWmsFeedback = true;'


def test_a_job_that_is_stuck_in_a_queue_is_moved_to_another(make: Make) -> None:
    world = make("other")
    job = world.submit(MOVABLE)
    first = world.token(job)
    world.advance(3500, step=250)
    assert world.token(job) == first
    world.advance(200, step=20)
    second = world.token(job)
    assert world.ce_of(second) is not world.ce_of(first)
    assert world.ce_of(first).states[first].phase is Phase.ENDED
    with pytest.raises(NotAllowedNow):
        world.start_payload(first)
    run(world, job)
    assert world.state(job) == "Done"
    assert resubmissions(world, job) == ["SHALLOW"]
    assert (row(world, job).shallow, row(world, job).site_faults, row(world, job).replans) == (0, 0, 1)


def test_a_job_whose_program_has_begun_is_not_moved(make: Make) -> None:
    world = make("other", manager="replan_after_s: 600")
    job = world.submit(MOVABLE)
    token = world.token(job)
    world.start_payload(token)
    world.advance(1400, step=50)
    assert world.token(job) == token
    world.finish_payload(token)
    assert world.state(job) == "Done"
    assert "Resubmission" not in world.history(job)


@pytest.mark.parametrize(("jdl", "manager"), [
    ('Executable = "/bin/true";', "replan: true"), (MOVABLE, "replan: false"),
    (MOVABLE + "ShallowRetryCount = -1;", "replan: true")])
def test_a_job_that_does_not_ask_for_it_stays_in_its_queue(make: Make, jdl: str, manager: str) -> None:
    world = make("other", manager=f"replan_after_s: 600, {manager}")
    token = world.token(job := world.submit(jdl))
    world.advance(1400, step=50)
    assert world.token(job) == token


def test_a_job_is_moved_so_many_times(make: Make) -> None:
    world = make("other", manager="replan_after_s: 600, max_replans: 2, expiry_s: 90000")
    job = world.submit(MOVABLE)
    world.advance(2400, step=50)
    status = world.status(job)
    assert (status["state"], status["reason"]) == ("Aborted", "hit max number of replans (2)")
    assert world.token(job) == ""
    assert resubmissions(world, job) == ["SHALLOW"] * 2


def test_a_cancelled_job_is_not_moved(make: Make) -> None:
    world = make("other", manager="replan_after_s: 600, expiry_s: 90000")
    job = world.submit(MOVABLE)
    world.call("ns.cancel", job=job)
    world.advance(1300, step=20)
    assert world.state(job) == "Cancelled"
    assert "Resubmission" not in world.history(job)


# -- credentials --------------------------------------------------------------------------------------------


def test_a_waiting_job_whose_proxy_ends_is_aborted(make: Make) -> None:
    world = make(manager="expiry_s: 9000000")
    job = world.submit('Executable = "/bin/true"; Requirements = other.GlueCEInfoTotalCPUs > 1000;')
    world.advance(990_000, step=90_000)
    assert world.state(job) == "Waiting"
    world.advance(20_000, step=5_000)
    status = world.status(job)
    assert status["state"] == "Aborted"
    assert status["reason"].startswith("proxy expired")


# -- nothing hangs ------------------------------------------------------------------------------------------



def break_next(world: World, topic: str, do: Callable[[], object]) -> None:
    """Spoil the messages that `do` sends to a topic."""
    def spoil(conn: Any) -> None:
        conn.execute(queue.messages.update().where(queue.messages.c.topic == topic).values(
            body=sa.cast(sa.func.replace(sa.cast(queue.messages.c.body, sa.Text), '"sequence_code":',
                                         '"sequence_code":7,"was":'), sa.LargeBinary)))

    world.database.before_commit = spoil
    do()
    world.database.before_commit = None
    world.advance(1700, step=20)


@pytest.mark.parametrize("topic", [WM, JOBADAPTER, LOGMONITOR])
def test_a_message_that_cannot_be_handled_ends_its_job_with_a_reason(make: Make, topic: str) -> None:
    world = make()
    found: list[str] = []
    break_next(world, topic, lambda: found.append(world.submit()))
    status = world.status(found[0])
    assert status["state"] == "Aborted"
    assert status["reason"].startswith("the service could not handle ")
    assert world.token(found[0]) == ""


@pytest.mark.parametrize("topic", [NS, WM])
def test_so_does_one_on_the_way_to_the_next_attempt(make: Make, topic: str) -> None:
    world = make()
    job = world.submit()
    break_next(world, topic, lambda: fail(world, job, LOST_NODE, started=False))
    assert world.state(job) == "Aborted"
    assert world.status(job)["reason"].startswith("the service could not handle ")


def test_an_attempt_of_which_nothing_is_heard_is_given_up(make: Make) -> None:
    world = make("other", manager="expiry_s: 9000000}, jobadapter: {capability_s: 5000")
    job = world.submit()
    first = world.token(job)
    world.start_payload(first)
    world.advance(5_200, step=100)
    assert world.token(job) not in ("", first)
    assert "nothing was heard of the attempt" in str([
        e["fields"]["reason"] for e in world.call("lb.events", job=job).events if e["type"] == "Resubmission"])


def test_a_job_of_a_ce_that_is_configured_no_more_goes_elsewhere(make: Make) -> None:
    world = make("other")
    job = world.submit()
    first = world.token(job)
    lost = world.ce_of(first)
    if lost is world.ce:
        world.ce = world.others.pop("other")
    else:
        world.others.clear()
    world.reborn()
    world.advance(200, step=10)
    second = world.token(job)
    assert second not in ("", first)
    assert lost.states[first] == CeState(first, Phase.QUEUED, f"h-{first}")
