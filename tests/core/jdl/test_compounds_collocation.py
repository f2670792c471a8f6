"""All nodes on one computing element: what a compound must say at its top for that."""

from __future__ import annotations

import pytest

from wms.errors import JdlInvalid
from wms.jdl.compounds import compound
from wms.jdl.compounds.expansion import expansion

TOP = "Requirements = true; Rank = 1;"
NODE = f'Executable = "/bin/x"; {TOP}'
KINDS = {
    "collection": f'Type = "Collection"; Nodes = {{ [ {NODE} ], [ {NODE} ] }};',
    "dag": f'Type = "DAG"; Nodes = [ a = [ description = [ {NODE} ]; ]; dependencies = {{}}; ];',
    "parametric": 'JobType = "Parametric"; Executable = "/bin/x"; Arguments = "_PARAM_"; Parameters = 2;'}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("top", "lacks"), [
    ("", "Requirements and Rank"), ("Rank = 1;", "Requirements"), ("requirements = true;", "Rank")])
def test_what_must_stand_at_the_top(kind: str, top: str, lacks: str) -> None:
    with pytest.raises(JdlInvalid) as refused:
        compound(f"[ NodesCollocation = true;\n{top} {KINDS[kind]} ]")
    message = f"NodesCollocation: {lacks} must stand at the top of the compound"
    assert refused.value.message == message
    (problem,) = refused.value.details["problems"]
    assert (problem["attribute"], problem["row"], problem["message"]) == ("NodesCollocation", 1, message)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("written", "collocated"), [
    (f"NodesCollocation = true; {TOP}", True), (f"nodescollocation = 1 == 1; {TOP}", True),
    ("NodesCollocation = false;", False), (TOP, False)])
def test_who_asks_for_it(kind: str, written: str, collocated: bool) -> None:
    text = f"[ {written} {KINDS[kind]} ]"
    found = compound(text)
    assert found.collocated == expansion(text, found.number).collocated == collocated
    assert "NodesCollocation" not in found.jdl(0)


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_a_boolean(kind: str) -> None:
    with pytest.raises(JdlInvalid) as refused:
        compound(f'[ NodesCollocation = "yes"; {TOP} {KINDS[kind]} ]')
    assert refused.value.message == "NodesCollocation: wrong type caught for attribute (boolean expected)"
