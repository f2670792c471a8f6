"""The attempts at running a job, as its events tell them."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from lb_jobs import JC, LM, LRMS, PAYLOAD, STORIES, WM, Story, deep, given_up, happy, shallow, shuffled, waiting

from lb.state.attempts import Attempt, attempts


def told(story: Story) -> list[tuple[int, str, str, str, str]]:
    return [(one.number, one.destination, one.node, one.outcome, one.how) for one in attempts(story.events)]


def test_a_job_that_goes_well_has_one_attempt() -> None:
    assert attempts(happy().events) == [Attempt(
        1, "ce1", 1e9 + 4, node="wn1", local_id="condor.1", submitted=1e9 + 9, started=1e9 + 10, ended=1e9 + 14,
        outcome="OK", exit_code=7)]


def test_a_deep_resubmission_is_another_attempt() -> None:
    assert told(deep()) == [(1, "ce1", "wn1", "Failed", "deep"), (2, "ce2", "wn2", "OK", "")]


def test_a_shallow_resubmission_too() -> None:
    assert told(shallow()) == [(1, "ce1", "wn1", "Failed", "shallow"), (2, "ce2", "wn2", "", "")]


def test_a_job_that_was_given_up_tells_how_each_attempt_ended() -> None:
    assert told(given_up()) == [(1, "ce1", "wn1", "Failed", "deep"), (2, "ce2", "", "Failed", "")]
    assert [one.reason for one in attempts(given_up().events)] == ["lost", "lost"]


def test_before_the_first_match_there_is_none() -> None:
    assert told(waiting()) == []


@pytest.mark.parametrize("story", STORIES)
@pytest.mark.parametrize("seed", range(3))
def test_arrival_does_not_matter(story: Callable[[], Story], seed: int) -> None:
    events = story().events
    assert attempts(random.Random(seed).sample(events, len(events))) == attempts(events)


def test_repetitions_change_nothing() -> None:
    assert attempts(shuffled(deep().events, 1)) == attempts(deep().events)


def test_a_refused_hand_over_ends_the_attempt() -> None:
    story = waiting().matched("ce1").tell("Transfer", JC, destination=LM, dest_host="h", result="FAIL", reason="full")
    story.tell("Resubmission", WM, result="WILLRESUB", reason="try again").matched("ce2")
    first, second = attempts(story.events)
    assert (first.outcome, first.reason, first.how) == ("Refused", "full", "deep")
    assert second.outcome == ""


def test_a_refusal_counts_once_and_keeps_its_first_reason() -> None:
    story = waiting().matched("ce1").tell("Transfer", LM, destination=LRMS, dest_host="h", result="START")
    story.tell("Refused", LM, reason="no", **{"from": JC, "from_host": "h"})
    story.tell("Abort", WM, reason="given up")
    assert [(one.outcome, one.reason) for one in attempts(story.events)] == [("Refused", "no")]


def test_an_attempt_that_another_follows_is_over() -> None:
    story = waiting().matched("ce1").matched("ce2")
    first, _second = attempts(story.events)
    assert (first.outcome, first.ended) == ("Given up", 1e9 + 6)


def test_cancelled_by_the_workload_manager() -> None:
    story = waiting().matched("ce1").tell("Cancel", WM, status_code="REQ").tell("Cancel", WM, status_code="DONE")
    assert told(story) == [(1, "ce1", "", "Cancelled", "")]


def test_aborted_while_under_way() -> None:
    story = waiting().matched("ce1").tell("Abort", WM, reason="proxy expired")
    assert [(one.outcome, one.reason) for one in attempts(story.events)] == [("Aborted", "proxy expired")]


def test_the_payload_started_though_nobody_said_that_the_wrapper_did() -> None:
    story = waiting().matched("ce1")
    story.on_node(story.submitted(), PAYLOAD)
    assert [(one.node, one.started > 0) for one in attempts(story.events)] == [("", True)]
