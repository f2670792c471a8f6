"""Stored compounds and their rescues: which nodes there are, and where their files are."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wms.jdl.compounds import compound
from wms.jdl.compounds.expansion import Source, expansion

CHAIN = """[ Type = "dag"; InputSandbox = {"shared.dat"}; ExpiryTime = 2000000000; max_running_nodes = 2; Nodes = [
  a = [ description = [ Executable = "/bin/a"; OutputSandbox = {"out"}; ]; ];
  b = [ description = [ Executable = "/bin/b"; OutputSandbox = {"out"};
        InputSandbox = {root.InputSandbox[0], root.nodes.a.description.OutputSandbox[0]}; ]; ];
  c = [ description = [ Executable = "/bin/c"; InputSandbox = {root.nodes.b.description.OutputSandbox[0]}; ]; ];
  dependencies = { {a, b}, {b, c} } ]; ]"""
SWEEP = '[ JobType = "Parametric"; Executable = "/bin/echo"; Arguments = "_PARAM_"; Parameters = 12; ]'


def test_a_compound_as_its_text_says() -> None:
    whole = expansion(CHAIN, 3)
    assert (whole.kind, whole.number, whole.edges, whole.most_running) == ("dag", 3, ((0, 1), (1, 2)), 2)
    assert (whole.expires, whole.alike, whole.homes()) == (2e9, compound(CHAIN).alike, [])
    assert [whole.name(k) for k in range(3)] == ["a", "b", "c"]
    assert "/bin/b" in whole.jdl(1)
    assert whole.inputs(1) == [Source("shared.dat", "shared.dat", "", -1, ""), Source("out", "", "", 0, "out")]


def test_a_rescue_has_what_is_left_and_reads_what_is_done_where_it_is() -> None:
    text = expansion(CHAIN, 3).rescued("first", {0})
    whole = expansion(text, 2)
    assert (whole.number, whole.edges, whole.homes()) == (2, ((0, 1),), ["first"])
    assert whole.name(0) == "b"
    assert whole.inputs(0)[1] == Source("out", "", "first", 0, "out")
    assert whole.inputs(1) == [Source("out", "", "", 0, "out")]


def test_a_rescue_of_a_rescue() -> None:
    once = expansion(CHAIN, 3).rescued("first", {0})
    whole = expansion(expansion(once, 2).rescued("second", {0}), 1)
    assert (whole.number, whole.edges, whole.homes(), whole.name(0)) == (1, (), ["second", "first"], "c")
    assert whole.inputs(0) == [Source("out", "", "second", 0, "out")]


def test_lines_that_are_no_rescue_are_comments() -> None:
    for nodes in ("0-3", "1,0", "0-11,12", "9-4,0", "0-9999999999", "0-999999998", "-", "1-12", "0-5,5-10"):
        whole = expansion(f"// rescue of x: {nodes}\n{SWEEP}", 12)
        assert (whole.number, whole.homes(), whole.name(11)) == (12, [], "Node_11")


@given(st.sets(st.integers(0, 11), max_size=11), st.data())
@settings(max_examples=examples(60), deadline=None)
def test_nodes_keep_their_names_through_rescues(done: set[int], data: st.DataObject) -> None:
    left = [f"Node_{k}" for k in range(12) if k not in done]
    once = expansion(expansion(SWEEP, 12).rescued("first", done), len(left))
    assert [once.name(k) for k in range(once.number)] == left
    more = data.draw(st.sets(st.sampled_from(range(len(left))), max_size=len(left) - 1))
    twice = expansion(once.rescued("second", more), len(left) - len(more))
    assert [twice.name(k) for k in range(twice.number)] == [name for k, name in enumerate(left) if k not in more]
