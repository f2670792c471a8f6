"""All nodes of a compound on one computing element: the first finds it, the others follow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.suite.compounds import dag, node, states, submit
from tests.suite.world import HandCe, World
from wms.errors import WmsError

OTHER = "other.example.org:2119/jobmanager-other-q"
TOP = "NodesCollocation = true; Requirements = true; Rank = 1;"
"""Both are as good: nodes that choose for themselves are spread."""
SWEEP = f'[ JobType = "Parametric"; Executable = "/bin/echo"; Arguments = "_PARAM_"; Parameters = 6; {TOP} ]'
ROOTS = [(0, 5)]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path, manager="expiry_s: 90000", others={"other": HandCe(name="other")})
    yield world
    world.close()


def places(world: World, job: str, number: int = 6) -> list[str]:
    """The name of the CE of each node, "" for one that has none."""
    tokens = [world.token(node(job, index)) for index in range(number)]
    return [world.ce_of(token).name if token else "" for token in tokens]


def fail(world: World, job: str) -> None:
    """The payload ends by a fault of the site."""
    token = world.token(job)
    world.start_payload(token)
    world.finish_payload(token, failure="Job has been terminated (got SIGTERM)")
    world.advance(2)


def test_all_nodes_go_where_the_first_went(world: World) -> None:
    free = [places(world, submit(world, SWEEP.replace("NodesCollocation = true;", ""))) for _ in range(4)]
    assert any(len(set(found)) == 2 for found in free)
    found = [places(world, submit(world, SWEEP)) for _ in range(8)]
    assert all(len(set(here)) == 1 for here in found)
    assert {here[0] for here in found} == {"hand", "other"}
    assert world.messages() == []


def test_a_node_waits_for_its_parents_as_ever(world: World) -> None:
    job = submit(world, dag(6, ROOTS, TOP))
    place = places(world, job)[0]
    assert places(world, job) == [place] * 5 + [""]
    token = world.token(node(job, 0))
    world.start_payload(token)
    world.finish_payload(token)
    world.advance(2)
    assert places(world, job) == [""] + [place] * 5


def test_nodes_with_a_place_of_their_own_keep_it(world: World) -> None:
    own = f'[ Executable = "/bin/x"; SubmitTo = "{OTHER}" ]'
    first = f'[ Executable = "/bin/x"; Requirements = other.GlueCEUniqueID != "{OTHER}" ]'
    job = submit(world, f'[ Type = "Collection"; {TOP} Nodes = {{ {first}, {own}, [ Executable = "/bin/x" ] }} ]')
    assert places(world, job, 3) == ["hand", "other", "hand"]


def test_nodes_wait_until_the_first_has_a_place(world: World) -> None:
    world.ce.silent = world.others["other"].silent = True
    world.advance(90)
    job = submit(world, SWEEP)
    assert states(world, job, 6) == ["Waiting"] + ["Submitted"] * 5
    world.call("ns.cancel", job=node(job, 0))
    world.advance(10)
    assert states(world, job, 6) == ["Cancelled", "Waiting"] + ["Submitted"] * 4
    world.ce.silent = False
    world.advance(330, step=10)
    assert places(world, job) == ["", *["hand"] * 5]


def test_the_place_is_decided_once(world: World) -> None:
    """The first node moves, and a sibling fails: the others stay, and so do those that come later."""
    job = submit(world, dag(6, ROOTS, TOP).replace("RetryCount = 0;", "RetryCount = 2;"))
    place = places(world, job)[0]
    fail(world, node(job, 0))
    fail(world, node(job, 1))
    moved, *others = places(world, job)
    assert moved not in ("", place)
    assert others == [place] * 4 + [""]
    world.reborn()
    token = world.token(node(job, 0))
    world.start_payload(token)
    world.finish_payload(token)
    world.advance(5)
    assert places(world, job)[5] == place


def test_nodes_wait_for_a_place_that_fell_silent(world: World) -> None:
    job = submit(world, dag(6, ROOTS, TOP))
    place = places(world, job)[0]
    ces = {"hand": world.ce, **world.others}
    ces[place].silent = True
    world.advance(90)
    token = world.token(node(job, 0))
    world.start_payload(token)
    world.finish_payload(token)
    world.advance(900, step=10)
    assert (world.state(node(job, 5)), places(world, job)[5]) == ("Waiting", "")
    ces[place].silent = False
    world.advance(330, step=10)
    assert places(world, job)[5] == place


def test_it_is_refused_without_what_chooses_the_place(world: World) -> None:
    with pytest.raises(WmsError, match="NodesCollocation: Requirements must stand at the top of the compound"):
        submit(world, SWEEP.replace("Requirements = true;", ""))
