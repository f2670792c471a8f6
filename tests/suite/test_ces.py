"""Computing elements through all daemons: what is listed, drain and resume, and figures that the service measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tests.suite.world import HandCe, World
from wm import drains
from wm.placing import Decided, Recorder
from wm.replay import report
from wm.supply.own import Drain
from wms.errors import IdempotencyConflict, Refused, RemoteError
from wms.operations import ListMatchRequest
from wms.operations.ces import DrainRequest, ResumeRequest

CE, OTHER = "hand.example.org:2119/jobmanager-hand-q", "other.example.org:2119/jobmanager-other-q"
ADMIN = "/CN=admin"
ANY = 'Executable = "/bin/true"; Requirements = other.GlueCEStateStatus == "Production";'
Make = Callable[..., World]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[World] = []

    def world(*others: str) -> World:
        made.append(World(tmp_path, manager="expiry_s: 90000", others={name: HandCe(name=name) for name in others}))
        return made[-1]

    yield world
    for one in made:
        one.close()


def listed(world: World, ce: str = "", **query: str) -> Any:
    return world.call("ns.ces", query={"ce": ce, **query} if ce or query else {})


def drain(world: World, ce: str, reason: str = "a new disk", key: str = "") -> Any:
    return world.call("ns.ce_drain", DrainRequest(ce, reason), user=ADMIN, key=key)


def resume(world: World, ce: str, key: str = "") -> Any:
    return world.call("ns.ce_resume", ResumeRequest(ce), user=ADMIN, key=key)


def placed(world: World, job: str) -> str:
    return world.token(job) and world.ce_of(world.token(job)).name


# -- what is listed --------------------------------------------------------------------------------------


def test_ces_are_listed_with_their_figures(make: Make) -> None:
    found = listed(make("other")).ces
    assert [one.id for one in found] == [CE, OTHER]
    one = found[0]
    assert (one.backend, one.queue, one.state, one.published_state, one.slots, one.free, one.response_s) == (
        "hand", "q", "Production", "Production", 10, None, 0)
    assert (one.source, one.drained, one.measured) == ("ce hand", (), None)


def test_one_ce_is_told_in_full_with_where_it_is_from(make: Make) -> None:
    world = make("other")
    for name in (CE, "hand"):
        found = listed(world, name, full="")
        assert [one.ce.id for one in found.details] == [CE]
        said = {one.name: (one.value, one.source, one.kind) for one in found.details[0].attributes}
        assert said["GlueCEStateStatus"] == ("Production", "ce hand", "backend")


def test_a_ce_that_nobody_knows_has_a_code(make: Make) -> None:
    world = make()
    for ask in (lambda: listed(world, "nowhere:1/q"), lambda: drain(world, "nowhere"), lambda: resume(world, "x")):
        with pytest.raises(RemoteError) as refused:
            ask()
        assert (refused.value.code, refused.value.status) == ("UI_WRONG_RESOURCE_ID", 404)
    with pytest.raises(Refused, match="Name a computing element"):
        drain(world, "")
    with pytest.raises(RemoteError, match="Say why"):
        drain(world, CE, " \n ")


# -- draining --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [CE, "hand"])
def test_a_drained_ce_gets_no_new_jobs_and_the_running_go_on(make: Make, name: str) -> None:
    world = make("other")
    running = world.submit(f'Executable = "/bin/true"; Requirements = other.GlueCEUniqueID == "{CE}";')
    world.advance(1)
    assert placed(world, running) == "hand"
    assert [one.ce for one in drain(world, name).still] == [name]
    jobs = [world.submit(ANY) for _ in range(5)]
    pinned = world.submit(f'Executable = "/bin/true"; SubmitTo = "{CE}";')
    world.advance(3)
    assert {placed(world, job) for job in jobs} == {"other"}
    assert placed(world, pinned) == ""
    assert world.start_payload(world.token(running))
    world.finish_payload(world.token(running))
    world.advance(20)
    assert world.state(running) == "Done"
    found = {one.id: one for one in listed(world).ces}
    assert (found[CE].state, found[CE].published_state) == ("Draining", "Production")
    assert [(one.ce, one.reason, one.by) for one in found[CE].drained] == [(name, "a new disk", ADMIN)]
    assert found[OTHER].drained == ()


def test_a_job_that_waits_for_a_drained_ce_says_so_and_goes_when_it_is_resumed(make: Make) -> None:
    world = make()
    drain(world, CE, "moves\x1b to \n another hall")
    job = world.submit(ANY)
    world.advance(2)
    found = world.call("ns.reason", job=job)
    assert (found.code, found.state) == ("drained", "Waiting")
    assert found.sentence == f"1 CE would match, but no new jobs go to {CE} (moves to another hall)."
    assert found.details["drained"] == [CE]
    clause = next(one for one in found.clauses if one.clause == "not drained")
    assert (clause.seen, clause.left, clause.without) == (1, 0, 1)
    assert world.call("ns.list_match", ListMatchRequest(ANY, explain=True)).clauses == found.clauses
    assert "not drained: 1 of 1 CEs refuse" in world.status(job)["reason"]
    assert resume(world, CE).still == ()
    world.advance(1)
    assert placed(world, job) == "hand"


def test_a_drain_outlasts_a_restart_and_ends_where_it_began(make: Make) -> None:
    world = make()
    drain(world, "hand")
    world.reborn()
    job = world.submit(ANY)
    world.advance(2)
    assert placed(world, job) == ""
    assert [one.ce for one in resume(world, CE).still] == ["hand"]
    world.advance(2)
    assert placed(world, job) == ""
    resume(world, "hand")
    world.advance(1)
    assert placed(world, job) == "hand"
    said = [event["log_format"].format(**event) for event in world.logged if "ce" in event]
    assert [line for line in said if "/CN=admin" in line] == [
        "hand is drained by /CN=admin: a new disk", "hand is resumed by /CN=admin: it gets jobs again"]


def test_an_order_given_again_does_not_undo_what_came_after_it(make: Make) -> None:
    world = make()
    first = drain(world, CE, key="the first order")
    resume(world, CE, key="the second order")
    assert drain(world, CE, key="the first order") == first
    assert listed(world, CE).ces[0].drained == ()
    with pytest.raises(IdempotencyConflict):
        drain(world, CE, "for another reason", key="the first order")


def test_draining_twice_is_draining_once_with_the_last_reason(make: Make) -> None:
    world = make()
    drain(world, CE, "one")
    since = listed(world).drained[0].since
    world.advance(5)
    drain(world, CE, "two")
    assert [(one.reason, one.since) for one in listed(world).drained] == [("two", since)]


def test_decisions_under_drains_are_made_again_to_the_last_bit(make: Make) -> None:
    world = make("other")
    drain(world, "hand")
    jobs = [world.submit(ANY) for _ in range(3)]
    world.advance(2)
    resume(world, "hand")
    drain(world, OTHER)
    jobs += [world.submit(ANY) for _ in range(3)]
    world.advance(40)
    assert [placed(world, job) for job in jobs] == ["other"] * 3 + ["hand"] * 3
    for job in jobs:
        told = report.replay(world.engine, job=job)
        assert told.status == 0, told.text


# -- measures --------------------------------------------------------------------------------------------


def run(world: World, jobs: list[str], after_s: float) -> None:
    world.advance(after_s)
    for job in jobs:
        token = world.token(job)
        world.start_payload(token)
        world.finish_payload(token)
    world.advance(20)


def test_times_in_the_queue_are_measured_and_outrank_what_is_published(make: Make) -> None:
    world = make("other")
    to_hand = f'Executable = "/bin/true"; Requirements = other.GlueCEUniqueID == "{CE}";'
    run(world, [world.submit(to_hand) for _ in range(20)], 100)
    one = listed(world, CE, full="")
    measured = one.ces[0].measured
    assert measured is not None
    assert measured.jobs == 20
    assert 95 <= measured.queue_s <= 105
    assert (measured.success, measured.ends) == (1.0, 20)
    assert 60 <= (one.ces[0].response_s or 0) <= 70
    assert one.ces[0].published_response_s == 0
    said = {a.name: (a.source, a.kind) for a in one.details[0].attributes}
    assert said["GlueCEStateEstimatedResponseTime"] == said["WmsMeasuredQueueTime"] == ("wms", "own")
    usual = [world.submit('Executable = "/bin/true";') for _ in range(3)]
    world.advance(2)
    assert {placed(world, job) for job in usual} == {"other"}
    picky = world.call("ns.list_match", ListMatchRequest(
        'Executable = "/bin/true"; Requirements = other.WmsMeasuredQueueTime > 50 && other.WmsSuccessRate > 0.9;'))
    assert [match.ce for match in picky.ces] == [CE]
    assert not picky.warnings


def test_failures_of_the_ce_lower_its_success_and_figures_outlast_a_restart(make: Make) -> None:
    world = make()
    jobs = [world.submit('Executable = "/bin/true"; ShallowRetryCount = 0; RetryCount = 0;') for _ in range(4)]
    world.advance(5)
    for number, job in enumerate(jobs):
        token = world.token(job)
        world.start_payload(token)
        world.finish_payload(token, failure="Job has been terminated (got SIGTERM)" if number else "")
    world.advance(30)
    measured = listed(world, CE).ces[0].measured
    assert measured is not None
    assert measured.success == 0.25
    world.result(world.suite.stop())
    world.reborn()
    world.advance(20)
    assert listed(world, CE).ces[0].measured == measured


def test_what_is_old_is_forgotten(make: Make) -> None:
    world = make()
    run(world, [world.submit(ANY) for _ in range(12)], 50)
    assert (listed(world, CE).ces[0].response_s or 0) > 0
    world.advance(3600 * 2, 60)
    assert (listed(world, CE).ces[0].response_s, listed(world, CE).ces[0].published_response_s) == (0, 0)
    world.advance(3600 * 12, 600)
    assert listed(world, CE).ces[0].measured is None


def test_a_placement_that_was_decided_before_the_drain_is_not_made(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    world, record = make(), Recorder.record

    def late(self: Recorder, conn: sa.Connection, decided: Decided, now: float) -> set[str]:
        if decided.placing and not drains.found(conn):
            drains.put(conn, Drain(CE, "meanwhile", ADMIN, now))
        return record(self, conn, decided, now)

    monkeypatch.setattr(Recorder, "record", late)
    job = world.submit(ANY)
    world.advance(1)
    assert placed(world, job) == ""
    monkeypatch.undo()
    resume(world, CE)
    world.advance(10)
    assert placed(world, job) == "hand"
