"""Checkpointable jobs through all daemons: what one attempt saves the next one finds."""

from __future__ import annotations

import pytest

from tests.suite.world import ALICE, BOB, World
from wms.errors import NotAllowedNow, NotAuthorized, NotFound, Overloaded, Refused, SandboxTooLarge

JDL = 'Executable = "/bin/true"; JobType = "Checkpointable"; JobSteps = {"a", "b"}; RetryCount = 2;'


def running(world: World, jdl: str = JDL) -> tuple[str, str]:
    """A job whose payload runs, and its token."""
    job = world.submit(jdl)
    world.advance(2)
    token = world.token(job)
    world.start_payload(token)
    return job, token


def save(world: World, job: str, attempt: int, lines: str, tag: str = "t") -> None:
    world.call("ns.attempt_save_state", job=job, attempt=attempt, content=lines.encode(), tag=tag)


def save_often(world: World, job: str) -> None:
    for step in range(200):
        save(world, job, 1, f"current 0\ni n {step}\n")


def load(world: World, job: str, attempt: int) -> str:
    return world.call("ns.attempt_state", job=job, attempt=attempt).body.decode()


def test_the_next_attempt_goes_on_where_the_last_one_saved(world: World) -> None:
    job, token = running(world)
    assert load(world, job, 1) == "step a\nstep b\ncurrent 0\n"
    save(world, job, 1, "step a\nstep b\ncurrent 1\ni n 5\n")
    world.finish_payload(token, failure="Cannot upload out")
    world.advance(120)
    token = world.token(job)
    assert token.endswith("-2")
    world.start_payload(token)
    assert load(world, job, 2) == "step a\nstep b\ncurrent 1\ni n 5\n"
    world.finish_payload(token)
    world.advance(5)
    assert (world.state(job), world.history(job).count("Chkpt")) == ("Done", 1)


def test_the_user_sees_each_state_that_was_saved(world: World) -> None:
    job, _ = running(world)
    first = world.call("ns.checkpoint", job=job)
    assert (first.number, first.attempt, "CurrentStep = 0" in first.state) == (0, 0, True)
    for step in (1, 2):
        save(world, job, 1, f"step a\nstep b\ncurrent {step}\n", tag=f"after{step}")
    save(world, job, 1, "step a\nstep b\ncurrent 2\n", tag="after2")
    last, before = (world.call("ns.checkpoint", job=job, query={"cs": cs}) for cs in ("0", "1"))
    assert [(one.number, one.attempt, one.tag) for one in (last, before)] == [(2, 1, "after2"), (1, 1, "after1")]
    assert f'StateId = "{job}"' in last.state
    assert "CurrentStep = 2" in last.state
    with pytest.raises(NotFound, match="bigger"):
        world.call("ns.checkpoint", job=job, query={"cs": "2"})
    with pytest.raises(NotAuthorized):
        world.call("ns.checkpoint", job=job, user=BOB)


def test_only_the_newest_states_are_kept(world: World) -> None:
    job, _ = running(world)
    most = world.kit.settings.ns.max_checkpoints
    for step in range(most + 2):
        world.advance(1)
        save(world, job, 1, f"current 0\ni n {step}\n")
    assert world.call("ns.checkpoint", job=job, query={"cs": str(most - 1)}).number == 3
    with pytest.raises(NotFound):
        world.call("ns.checkpoint", job=job, query={"cs": str(most)})


def test_states_that_are_not_taken(world: World) -> None:
    job, token = running(world)
    with pytest.raises(Refused):
        save(world, job, 1, "nonsense\n")
    with pytest.raises(Refused, match="UTF-8"):
        world.call("ns.attempt_save_state", job=job, attempt=1, content=b"s a \xff\n", tag="t")
    with pytest.raises(SandboxTooLarge):
        save(world, job, 1, "s a " + "x" * 70_000)
    with pytest.raises(Overloaded):
        save_often(world, job)
    world.advance(60)
    world.finish_payload(token)
    with pytest.raises(NotAllowedNow):
        save(world, job, 1, "current 0\n")


def test_other_jobs_have_no_state(world: World) -> None:
    job, _ = running(world, 'Executable = "/bin/true";')
    for call in (lambda: save(world, job, 1, "current 0\n"), lambda: load(world, job, 1),
                 lambda: world.call("ns.checkpoint", job=job, user=ALICE)):
        with pytest.raises(Refused, match="not a chkpt job"):
            call()
