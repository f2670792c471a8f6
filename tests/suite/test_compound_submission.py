"""Submission of compounds: one registration whatever their size, their files, their parts, and what is refused."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from tests.suite.compounds import submit
from tests.suite.world import World
from wms.errors import NotAllowedNow, Refused, SandboxFileMissing
from wms.operations import File, ListMatchRequest, RegisterRequest

PARTS = 'JobType = "Partitionable"; Executable = "/x"; JobSteps = 6;'


def registration(world: World, job: str) -> dict[str, Any]:
    events = world.call("lb.events", job=job).events
    return dict(next(event for event in events if event["type"] == "RegJob")["fields"])


def test_a_compound_is_one_registration(world: World) -> None:
    job = submit(world, 'JobType = "Parametric"; Parameters = 30; Executable = "/x";', settle=False)
    assert world.call("ns.nodes", job=job).number == 30
    said = registration(world, job)
    assert (said["jobtype"], said["nsubjobs"]) == ("COLLECTION", 30)


@pytest.mark.parametrize(("wish", "number"), [("", 1), ("PartitionNumber = 3;", 3), ("PartitionNumber = 1000;", 6)])
def test_the_number_of_parts_is_settled_at_registration(world: World, wish: str, number: int) -> None:
    """The world has one CE; without a wish there is a part for each."""
    job = submit(world, PARTS + wish)
    assert world.call("ns.nodes", job=job).number == number
    assert f"PartitionNumber = {1 if not wish else min(1000, int(wish.split()[2][:-1]), 100)}" in str(
        registration(world, job)["jdl"])


def test_parts_for_which_there_is_no_place_now_are_one(world: World) -> None:
    assert world.call("ns.nodes", job=submit(world, PARTS + "Requirements = false;")).number == 1


def test_files_are_uploaded_once_for_all_nodes(world: World) -> None:
    content = b"#!/bin/sh\n"
    file = File("run.sh", len(content), hashlib.sha256(content).hexdigest())
    jdl = 'JobType = "Parametric"; Parameters = 3; Executable = "run.sh"; InputSandbox = {"run.sh"};'
    with pytest.raises(SandboxFileMissing):
        world.call("ns.register", RegisterRequest(jdl, "p"))
    reply = world.call("ns.register", RegisterRequest(jdl, "p", files=(file,)))
    assert reply.upload == ("run.sh",)
    with pytest.raises(SandboxFileMissing):
        world.call("ns.start", job=reply.job)
    world.call("ns.upload", job=reply.job, name="run.sh", content=content)
    world.call("ns.start", job=reply.job)
    world.advance(1)
    assert len(world.call("ns.nodes", job=reply.job).nodes) == 3
    with pytest.raises(NotAllowedNow):
        world.call("ns.start", job=reply.job)


def test_a_repeated_registration_is_one(world: World) -> None:
    jdl = 'JobType = "Parametric"; Parameters = 3; Executable = "/x";'
    assert submit(world, jdl, key="same-key") == submit(world, jdl, key="same-key")


def test_list_match_is_for_single_jobs(world: World) -> None:
    with pytest.raises(Refused, match="Operation permitted only for normal job"):
        world.call("ns.list_match", ListMatchRequest('JobType = "Parametric"; Parameters = 3; Executable = "/x";'))
