"""One job's ways through all daemons: each test is one story, told by states and events."""

from __future__ import annotations

import pytest

from tests.suite.world import BOB, World
from wms.errors import CancelNotAllowed, IdempotencyConflict, NotAllowedNow, NotAuthorized, OutputNotReady, RemoteError
from wms.operations import ListMatchRequest, OutcomeReport, PurgeRequest, RegisterRequest, StartRequest
from wms.seqcode import START

HAPPY = ["RegJob", "Accepted", "EnQueued", "DeQueued", "Match", "EnQueued", "DeQueued", "Transfer", "Accepted",
         "Transfer", "Running", "ReallyRunning", "ResourceUsage", "ResourceUsage", "ResourceUsage", "Done", "Done",
         "Clear"]


def test_a_job_walks_from_submitted_to_cleared(world: World) -> None:
    job = world.submit()
    assert world.state(job) == "Scheduled"
    assert world.start_payload(world.token(job))
    assert world.state(job) == "Running"
    world.finish_payload(world.token(job))
    assert world.state(job) == "Done"
    world.call("ns.purge", PurgeRequest(), job=job)
    status = world.status(job)
    assert (status["state"], status.get("exit_code", 0), status["ce_node"]) == ("Cleared", 0, "wn1")
    assert sorted(world.history(job)) == sorted(HAPPY)


def test_the_queue_is_empty_when_all_is_done(world: World) -> None:
    job = world.submit()
    world.start_payload(world.token(job))
    world.finish_payload(world.token(job))
    world.advance(5)
    assert world.messages() == []


def test_a_program_that_fails_is_done_with_its_exit_code(world: World) -> None:
    job = world.submit()
    world.start_payload(world.token(job))
    world.finish_payload(world.token(job), exit_code=3)
    status = world.status(job)
    assert (status["state"], status["exit_code"]) == ("Done", 3)


def test_a_registered_job_waits_for_its_start(world: World) -> None:
    job = world.call("ns.register", RegisterRequest('Executable = "/bin/true";', "p")).job
    assert world.state(job) == "Submitted"
    world.call("ns.start", job=job)
    assert world.state(job) == "Scheduled"
    with pytest.raises(NotAllowedNow):
        world.call("ns.start", job=job)


def test_a_job_registered_and_forgotten_is_aborted(world: World) -> None:
    job = world.call("ns.register", RegisterRequest('Executable = "/bin/true";', "p")).job
    world.advance(420, step=20)
    assert world.state(job) == "Aborted"


def test_a_repeated_submission_with_the_same_key_is_one_job(world: World) -> None:
    first = world.submit(key="once-and-only")
    assert world.submit(key="once-and-only") == first
    assert world.ce.submissions == 1
    with pytest.raises(IdempotencyConflict):
        world.submit('Executable = "/bin/false";', key="once-and-only")


def test_a_job_that_matches_nothing_waits_with_a_reason_and_expires(world: World) -> None:
    job = world.submit('Executable = "/bin/true"; Requirements = other.GlueCEInfoTotalCPUs > 1000;')
    status = world.status(job)
    assert status["state"] == "Waiting"
    assert status["reason"].startswith("BrokerHelper: no compatible resources")
    world.advance(660, step=10)
    status = world.status(job)
    assert status["state"] == "Aborted"
    assert status["reason"].startswith("request expired")


def test_a_waiting_job_goes_when_a_resource_appears(world: World) -> None:
    job = world.submit('Executable = "/bin/true"; Requirements = other.GlueCEInfoTotalCPUs > 50;')
    assert world.state(job) == "Waiting"
    world.ce.slots = 64
    world.advance(11)
    assert world.state(job) == "Scheduled"


def test_an_attempt_that_never_started_is_shallowly_resubmitted(world: World) -> None:
    job = world.submit()
    first = world.token(job)
    world.finish_payload(first, failure="Cannot download input from ns")
    assert "Resubmission" in world.history(job)
    second = world.token(job)
    assert second != first
    world.start_payload(second)
    world.finish_payload(second)
    assert world.state(job) == "Done"
    kinds = [e["fields"]["result"] for e in world.call("lb.events", job=job).events if e["type"] == "Resubmission"]
    assert kinds == ["SHALLOW"]


def test_an_attempt_that_started_is_deeply_resubmitted_until_the_limit(world: World) -> None:
    job = world.submit('Executable = "/bin/true"; RetryCount = 2;')
    for _ in range(3):
        token = world.token(job)
        world.start_payload(token)
        world.finish_payload(token, failure="epilogue failed with error 1")
        world.advance(20)
    status = world.status(job)
    assert status["state"] == "Aborted"
    assert "hit job retry count (2)" in status["reason"]
    assert len(world.payloads) == 3


def test_a_failure_of_the_user_is_not_retried(world: World) -> None:
    job = world.submit()
    world.finish_payload(world.token(job), failure="x.sh not found or unreadable")
    assert world.state(job) == "Aborted"


def test_a_vanished_attempt_is_judged_by_what_it_printed(world: World) -> None:
    job = world.submit()
    token = world.token(job)
    world.start_payload(token)
    world.finish_payload(token, exit_code=7, report=False)
    assert world.state(job) == "Running"
    world.advance(20)
    status = world.status(job)
    assert (status["state"], status["exit_code"]) == ("Done", 7)


def test_an_attempt_the_ce_lost_is_resubmitted_after_a_while(world: World) -> None:
    job = world.submit()
    first = world.token(job)
    del world.ce.states[first]
    world.advance(50)
    assert "Resubmission" not in world.history(job)
    world.advance(30)
    assert world.token(job) not in ("", first)


def test_a_ce_that_refuses_is_left_and_the_job_ends_with_its_reason(world: World) -> None:
    world.ce.refuse = "queue is closed"
    job = world.submit('Executable = "/bin/true"; RetryCount = 0; ShallowRetryCount = -1;')
    status = world.status(job)
    assert status["state"] == "Aborted"
    assert "queue is closed" in status["reason"]


def test_a_waiting_job_is_cancelled_at_once(world: World) -> None:
    job = world.submit('Executable = "/bin/true"; Requirements = false;')
    world.call("ns.cancel", job=job)
    assert world.state(job) == "Cancelled"
    with pytest.raises(CancelNotAllowed):
        world.call("ns.cancel", job=job)


def test_a_placed_job_is_cancelled_when_the_ce_confirms(world: World) -> None:
    job = world.submit()
    token = world.token(job)
    world.start_payload(token)
    world.call("ns.cancel", job=job)
    assert world.ce.states[token].phase.value == "ENDED"
    world.advance(20)
    assert world.state(job) == "Cancelled"
    assert world.messages() == []


def test_a_cancelled_job_never_starts_its_payload(world: World) -> None:
    job = world.submit()
    token = world.token(job)
    world.call("ns.cancel", job=job)
    with pytest.raises(NotAllowedNow):
        world.start_payload(token)
    world.advance(20)
    assert world.state(job) == "Cancelled"
    assert world.payloads == {}


def test_the_start_is_given_once(world: World) -> None:
    job = world.submit()
    token = world.token(job)
    assert world.start_payload(token, "nonce-a")
    assert world.call("ns.attempt_start", StartRequest("nonce-a", "wn1", str(START)), job=job, attempt=1).granted
    with pytest.raises(NotAllowedNow):
        world.call("ns.attempt_start", StartRequest("nonce-b", "wn1", str(START)), job=job, attempt=1)


def test_a_wrapper_of_a_closed_attempt_gets_nothing(world: World) -> None:
    job = world.submit()
    first = world.token(job)
    del world.ce.states[first]
    world.advance(80)
    with pytest.raises(NotAllowedNow):
        world.call("ns.attempt_start", StartRequest("late", "wn1", str(START)), job=job, attempt=1)


def test_output_waits_for_the_end(world: World) -> None:
    job = world.submit()
    with pytest.raises(OutputNotReady):
        world.call("ns.list_output", job=job)


def test_an_output_nobody_fetches_is_cleared_when_its_time_is_over(world: World) -> None:
    job = world.submit()
    world.start_payload(world.token(job))
    world.finish_payload(world.token(job))
    world.advance(1020, step=20)
    assert world.state(job) == "Cleared"


@pytest.mark.parametrize("operation", ["ns.cancel", "ns.list_output", "ns.start", "lb.status", "lb.events"])
def test_a_job_is_its_owners(world: World, operation: str) -> None:
    job = world.submit()
    with pytest.raises(NotAuthorized):
        world.call(operation, job=job, user=BOB)
    assert world.state(job) == "Scheduled"


def test_list_match_is_the_real_match(world: World) -> None:
    found = world.call("ns.list_match", ListMatchRequest('Executable = "/bin/true";'))
    assert [one.ce for one in found.ces] == ["hand.example.org:2119/jobmanager-hand-q"]
    none = world.call("ns.list_match", ListMatchRequest('Executable = "/bin/true"; Requirements = false;'))
    assert none.ces == ()
    assert none.reason.startswith("BrokerHelper: no compatible resources")


def test_a_killed_service_goes_on_where_it_was(world: World) -> None:
    job = world.submit()
    token = world.token(job)
    world.reborn()
    assert world.state(job) == "Scheduled"
    world.start_payload(token)
    world.reborn()
    world.finish_payload(token)
    assert world.state(job) == "Done"
    assert world.ce.submissions == 1


def test_the_last_word_of_another_wrapper_does_not_count(world: World) -> None:
    job = world.submit()
    world.start_payload(world.token(job))
    world.call("ns.attempt_done", OutcomeReport(failure="Cannot download x", nonce="of another"), job=job, attempt=1)
    assert world.state(job) == "Running"


def test_a_job_pinned_to_a_ce_nobody_knows_is_refused_and_leaves_nothing(world: World) -> None:
    world.submit()
    with pytest.raises(RemoteError) as refused:
        world.submit('Executable = "/bin/true"; SubmitTo = "no.such.ce:2119/jobmanager-x-y";')
    assert refused.value.code == "UI_WRONG_RESOURCE_ID"
    assert len(world.call("lb.jobs").jobs) == 1


def test_a_job_pinned_to_a_ce_goes_there(world: World) -> None:
    job = world.submit('Executable = "/bin/true"; SubmitTo = "hand.example.org:2119/jobmanager-hand-q";')
    assert world.state(job) == "Scheduled"


def test_a_job_whose_credential_is_gone_is_aborted_without_further_attempts(world: World) -> None:
    for path in (world.directory / "credentials").iterdir():
        path.unlink()
    job = world.submit()
    status = world.status(job)
    assert status["state"] == "Aborted"
    assert "the delegated credential is gone" in status["reason"]
    assert "Resubmission" not in world.history(job)
