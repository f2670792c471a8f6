"""Crashes between any two commits of a compound's life: nothing lost, nothing twice, nothing stuck."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.suite.compounds import at_ce, dag, finish, node, run, shape, states, submit, sweep
from tests.suite.world import Crash, World

DIAMOND = [(0, 1), (0, 2), (1, 3), (2, 3), (3, 4)]


def survive(world: World, commits: int, act: Callable[[], object]) -> None:
    """The process dies some commits after this begins, and is born again."""
    world.crash_after(commits)
    try:
        act()
        world.advance(3)
    except (Crash, AssertionError):
        pass
    world.reborn()
    world.advance(130, step=10)


@pytest.mark.parametrize("commits", range(22))
def test_a_dag_survives_a_crash_before_any_commit_of_its_beginning(world: World, commits: int) -> None:
    def begin() -> None:
        jobs.append(submit(world, dag(5, DIAMOND), key="the-users-own-key"))

    jobs = list[str]()
    survive(world, commits, begin)
    begin()
    job = jobs[-1]
    assert set(jobs) == {job}
    finish(world, job, 5)
    assert shape(world, job, 5, DIAMOND) == []
    assert states(world, job, 5) == ["Done"] * 5
    assert all(count == 1 for count in world.payloads.values())


@pytest.mark.parametrize("commits", range(16))
def test_a_dag_survives_a_crash_at_the_end_of_a_node(world: World, commits: int) -> None:
    job = submit(world, dag(5, DIAMOND))
    run(world, node(job, 0))
    world.advance(1)
    survive(world, commits, lambda: run(world, node(job, 1), failure="of no account"))
    finish(world, job, 5)
    assert shape(world, job, 5, DIAMOND) == []
    assert all(count == 1 for count in world.payloads.values())


@pytest.mark.parametrize("description", [sweep(4), dag(5, DIAMOND)], ids=["flat", "dag"])
@pytest.mark.parametrize("commits", range(9))
def test_a_cancellation_survives_a_crash(world: World, description: str, commits: int) -> None:
    job = submit(world, description)
    number = 4 if "Parametric" in description else 5
    survive(world, commits, lambda: world.call("ns.cancel", job=job))
    world.advance(30)
    if at_ce(world, job, number):  # it never was on disk
        world.call("ns.cancel", job=job)
        world.advance(30)
    assert states(world, job, number) == ["Cancelled"] * number
    assert world.state(job) == "Cancelled"
    assert world.messages() == []
