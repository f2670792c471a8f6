"""Tags of the description are on record from the registration on, of jobs and of nodes; they are in nobody's way."""

from __future__ import annotations

import pytest

from tests.suite.compounds import node, run, submit
from tests.suite.world import World
from wms.errors import Refused
from wms.operations import RegisterRequest

TRUE = 'Executable = "/bin/true";'


def test_a_job_has_its_tags(world: World) -> None:
    job = world.submit(f'{TRUE} UserTags = [ run = 7; who = "me" ];')
    world.advance(1)
    assert world.status(job)["user_tags"] == {"run": "7", "who": "me"}
    assert world.history(job)[:4] == ["RegJob", "UserTag", "UserTag", "Accepted"]


def test_nodes_have_theirs_and_run(world: World) -> None:
    job = submit(world, f'JobType = "Parametric"; Parameters = 2; {TRUE} UserTags = [ all = 1; point = "p_PARAM_" ];')
    for index in range(2):
        run(world, node(job, index))
    world.advance(5)
    found = [world.status(node(job, index)) for index in range(2)]
    assert [(one["state"], one["user_tags"]) for one in found] == [
        ("Done", {"all": "1", "point": "p0"}), ("Done", {"all": "1", "point": "p1"})]
    assert world.history(node(job, 1))[1:5] == ["RegJob", "UserTag", "UserTag", "DeQueued"]
    assert world.status(job)["user_tags"] == {"all": "1"}


def test_a_state_that_is_none_is_refused(world: World) -> None:
    state = "[ JobSteps = 3; CurrentStep = 4; UserData = [] ]"
    jdl = f'{TRUE} JobType = "Checkpointable"; JobSteps = 3; JobState = {state};'
    with pytest.raises(Refused, match="CurrentStep is from 0 to 3"):
        world.call("ns.register", RegisterRequest(jdl, "p", start=True))
