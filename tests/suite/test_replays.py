"""Decisions of a service that runs: kept with the jobs they placed, made again after a crash and a restart."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import sqlalchemy as sa

from tests.suite.world import Crash, World
from wm.replay import report
from wm.tables import decisions, jobs


def replayed(world: World, **named: Any) -> dict[str, Any]:
    told = report.replay(world.engine, as_json=True, **named)
    found: dict[str, Any] = json.loads(told.text)
    assert told.status == (found["result"] != "same")
    return found


def test_the_decision_about_a_placed_job_is_made_again(world: World) -> None:
    job = world.submit()
    world.advance(5)
    assert world.token(job)
    found = replayed(world, job=job)
    assert found["result"] == "same"
    assert [list(lane["placed"]) for lane in found["lanes"]] == [["hand.example.org:2119/jobmanager-hand-q"]]
    world.reborn()
    world.advance(30)
    assert replayed(world, job=job) == found


def test_a_crash_may_lose_the_record_but_not_the_placement(world: World) -> None:
    for commits in range(16):
        world.crash_after(commits)
        with suppress(Crash):
            world.submit()
        world.advance(3)
        world.reborn()
        world.advance(3)
    here, named = sa.select(decisions.c.id), sa.select(jobs.c.decision).where(jobs.c.phase == "placed")
    kept, placed = (world.result_of(world.database.read(lambda conn, what=what: list(conn.scalars(what))))
                    for what in (here, named))
    assert "" not in placed
    assert 0 < len(set(placed) & set(kept)) < len(set(placed))
    assert {replayed(world, id=id)["result"] for id in kept} == {"same"}


def test_a_job_that_waits_tells_by_which_decision(world: World) -> None:
    job = world.submit('Executable = "/bin/true"; Requirements = other.GlueCEInfoTotalCPUs > 1000;')
    world.advance(5)
    (lane,) = replayed(world, job=job, verbose=True)["lanes"]
    assert (lane["waits"]["why"], lane["ranks"]) == ("no match", [])
