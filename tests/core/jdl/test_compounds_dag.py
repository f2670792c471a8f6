"""DAGs and partitionable jobs: edges, order, output of other nodes, and what is refused in which words."""

from __future__ import annotations

from importlib import import_module
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wms.errors import JdlInvalid
from wms.jdl.compounds import Compound, NodeInput, compound, graph
from wms.jdl.compounds.graph import Graph
from wms.jdl.compounds.partition import one_part, settled, split, wished
from wms.jdl.described import described
from wms.jdl.parser import parse

SEED = '''[ Type = "dag"; VirtualOrganisation = "dteam"; max_running_nodes = 5;
  Nodes = [ nodeA = [ description = [ Executable = "/a"; OutputSandbox = {"o/1", "2"} ]; node_type = "edg-jdl" ];
            nodeB = [ description = [ Executable = "/b" ] ]; nodeC = [ description = [ Executable = "/c" ] ];
            nodeD = [ description = [ Executable = "/d" ] ]; nodeE = [ description = [ Executable = "/e" ] ];
            dependencies = { {nodeA,nodeB}, {{nodeA,nodeB},nodeC}, {nodeC,{nodeD,nodeE}} } ]; ]'''


def dag(dependencies: str = "{}", root: str = "", **nodes: str) -> Compound:
    written = "; ".join(f'{name} = [ description = [ Executable = "/x"; {text} ] ]' for name, text in nodes.items())
    return compound(f'[ Type = "DAG"; {root} Nodes = [ {written} ]; Dependencies = {dependencies} ]')


def refusal(text: str) -> str:
    with pytest.raises(JdlInvalid) as refused:
        compound(text)
    return refused.value.message


# -- structure -------------------------------------------------------------------------------------------


def test_the_seeds_dag() -> None:
    found = compound(SEED)
    assert (found.kind, found.number, found.max_running_nodes) == ("dag", 5, 5)
    assert found.edges == ((0, 1), (0, 2), (1, 2), (2, 3), (2, 4))
    assert [found.name(index) for index in range(5)] == ["nodeA", "nodeB", "nodeC", "nodeD", "nodeE"]
    assert found.index("nodeD") == 3
    assert described(found.jdl(1)).virtual_organisation == "dteam"


@pytest.mark.parametrize(("dependencies", "edges"), [
    ("{}", ()), ("{ {a,b} }", ((0, 1),)), ("{ {{a,b},c} }", ((0, 2), (1, 2))), ("{ {a,{b,c}} }", ((0, 1), (0, 2))),
    ("{ {{a},{b,c}} }", ((0, 1), (0, 2))), ("{ {{a,b},{c,d}} }", ((0, 2), (0, 3), (1, 2), (1, 3))),
    ('{ {"a","b"}, {a,b}, {A,b} }', ((0, 1),))])
def test_the_forms_of_dependencies(dependencies: str, edges: tuple[tuple[int, int], ...]) -> None:
    assert dag(dependencies, a="", b="", c="", d="").edges == edges


def test_nodes_may_be_a_list_that_name_themselves() -> None:
    found = compound('[ Type = "DAG"; Nodes = { [ NodeName = "x-1"; Executable = "/a" ], [ Executable = "/b" ] }; '
                     'Dependencies = { {"x-1", Node_1} } ]')
    assert ([found.name(0), found.name(1)], found.edges) == (["x-1", "Node_1"], ((0, 1),))


def test_retries_and_priority_are_of_nodes() -> None:
    text = ('[ Type = "DAG"; node_retry_count = 4; Nodes = [ max_running_nodes = 2; '
            'a = [ node_retry_count = 1; description = [ Executable = "/a"; Priority = 7 ] ]; '
            'b = [ node_retry_count = 1; description = [ Executable = "/b"; RetryCount = 2 ] ]; '
            'c = [ description = [ Executable = "/c" ] ] ] ]')
    found = compound(text)
    assert [described(found.jdl(index)).retry_count for index in range(3)] == [1, 2, 4]
    assert described(found.jdl(0)).priority == 7
    assert (found.max_running_nodes, found.alike) == (2, False)


# -- output of other nodes -------------------------------------------------------------------------------


def test_a_node_gets_the_output_of_one_before_it() -> None:
    found = dag("{ {a,b}, {b,c} }", 'InputSandbox = "s";', a='OutputSandbox = {"o/1", "2"};',
                b="InputSandbox = {root.nodes.a.description.OutputSandbox[0], root.InputSandbox[0]};",
                c="InputSandbox = root.nodes.a.description.OutputSandbox;")
    assert found.inputs(1) == (NodeInput("1", node=0, file="1"), NodeInput("s", shared="s"))
    assert found.inputs(2) == (NodeInput("1", node=0, file="1"), NodeInput("2", node=0, file="2"))
    assert found.input_sandbox == ("s",)
    assert described(found.jdl(1)).input_names == ("1", "s")


def test_it_may_be_called_otherwise_and_be_run() -> None:
    found = compound('[ Type = "DAG"; Nodes = [ a = [ description = [ Executable = "/x"; OutputSandbox = "p" ] ]; '
                     'b = [ description = [ Executable = "q"; InputSandboxDestFileName = {"q"}; '
                     'InputSandbox = root.nodes.a.description.OutputSandbox ] ]; dependencies = {{a,b}} ] ]')
    assert found.inputs(1) == (NodeInput("q", node=0, file="p"),)


REFERENCE = "InputSandbox = {root.nodes.a.description.OutputSandbox[%s]};"


@pytest.mark.parametrize(("a", "b", "says"), [
    ('OutputSandbox = "o";', REFERENCE % 1, "unable to find 'root.nodes.a.description.OutputSandbox[1]' in a sandbox"),
    ("", REFERENCE % 0, "unable to find"),
    ('OutputSandbox = "o";', REFERENCE.replace("nodes.a", "nodes.z") % 0, "there is no node z"),
    ('OutputSandbox = "o";', REFERENCE.replace("nodes.a", "nodes.c") % 0, "failed dependency with c"),
    ('OutputSandbox = "o";', REFERENCE.replace("nodes.a", "nodes.b") % 0, "failed dependency with b"),
    ("", "InputSandbox = {root.other.a.description.OutputSandbox[0]};", "is no file of the compound"),
    ("", "InputSandbox = {nodes.a.description.OutputSandbox[0]};", "is no file of the compound")])
def test_what_output_cannot_be_had(a: str, b: str, says: str) -> None:
    with pytest.raises(JdlInvalid) as refused:
        dag("{ {a,b} }", a=a, b=b, c='OutputSandbox = "o";')
    assert says in refused.value.message
    assert "b:\n" in refused.value.message


# -- refusals --------------------------------------------------------------------------------------------


X = "[ description = [ Executable = \"/x\" ] ]"


@pytest.mark.parametrize(("nodes", "says"), [
    ("[ a = [] ]", "Neither 'ad' nor 'file' specified for node a"),
    ('[ a = [ description = []; file = "f" ] ]', "Both 'ad' and 'file' specified for node a"),
    ('[ a = [ file = "f" ] ]', "'file' not valid"),
    ("[ a = [ description = 5 ] ]", "'description' not valid for node a"),
    ("[ a = 5 ]", "Invalid node a"), (f"[ 'a b' = {X} ]", "Invalid node a b"),
    (f"[ {'n' * 201} = {X} ]", "Invalid node nnn"),
    ('[ a = [ description = []; Executable = "/x" ] ]', "Invalid node a: 'Executable' must stand in its description"),
    ('[ a = [ description = []; node_type = "x" ] ]', "node_type not valid"),
    ("[]", "'nodes' not valid (empty)"), ("5", "'nodes' not valid (a record expected)"), ("{5}", "Invalid node Node_0"),
    ('{[ NodeName = "a"; Executable = "/x" ], [ NodeName = "A"; Executable = "/x" ]}', "Duplicated NodeName(a)"),
    (f"[ a = {X}; dependencies = {{ {{a,z}} }} ]", "Invalid reference in 'dependencies' (z)"),
    (f"[ a = {X}; dependencies = {{ {{a,a}} }} ]", "DAG has a cycle"),
    (f"[ a = {X}; b = {X}; dependencies = {{ {{a,b}}, {{b,a}} }} ]", "DAG has a cycle"),
    (f"[ a = {X}; dependencies = {{ {{a}} }} ]", "'dependencies' not valid"),
    (f"[ a = {X}; dependencies = {{ a }} ]", "'dependencies' not valid"),
    (f"[ a = {X}; dependencies = 5 ]", "'dependencies' not valid"),
    (f"[ a = {X}; dependencies = {{ {{a,{{}}}} }} ]", "'dependencies' not valid (an empty side)"),
    (f"[ a = {X}; dependencies = {{ {{a,5}} }} ]", "'dependencies' not valid (5)"),
    ('[ a = [ description = [ Executable = "/x"; JobType = "Checkpointable" ] ] ]', "Checkpointable is not allowed"),
    ("[ a = [ description = [] ] ]", "a:\n  Executable: Jdl mandatory attribute is missing"),
    (f"[ a = [ RetryUnlessExit = 1; {X[1:]} ]", "RetryUnlessExit: this service does not know it")])
def test_what_is_refused_in_which_words(nodes: str, says: str) -> None:
    assert says in refusal(f'[ Type = "dag"; Nodes = {nodes} ]')


@pytest.mark.parametrize(("root", "says"), [
    ("", "Nodes: Jdl mandatory attribute is missing"),
    (f"Nodes = [ a = {X} ]; AbortDagOn = 1;", "AbortDagOn: this service does not know it: leave it out"),
    (f"Nodes = [ a = {X} ]; max_running_nodes = 0;", "'max_running_nodes' has to be an integer > 0"),
    (f"Nodes = [ a = {X}; dependencies = {{}} ]; Dependencies = {{}};", "'dependencies' not valid")])
def test_what_of_the_root_is_refused(root: str, says: str) -> None:
    assert says in refusal(f'[ Type = "dag"; {root} ]')


def test_edges_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_module("wms.jdl.compounds.dag"), "MOST_EDGES", 3)
    with pytest.raises(JdlInvalid, match="at most 3"):
        dag("{ {{p,q},{r,s}} }", p="", q="", r="", s="")


# -- graphs ----------------------------------------------------------------------------------------------

EDGES = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=16)


def reaches(edges: list[tuple[int, int]], first: int, then: int) -> bool:
    found = {first}
    for _ in range(8):
        found |= {child for parent, child in edges if parent in found}
    return then in {child for parent, child in edges if parent in found}


@given(EDGES)
@settings(max_examples=examples(200), deadline=None)
def test_a_graph_is_refused_if_and_only_if_a_node_comes_before_itself(edges: list[tuple[int, int]]) -> None:
    cyclic = any(reaches(edges, node, node) for node in range(8))
    try:
        made = Graph(8, edges)
    except JdlInvalid:
        assert cyclic
        return
    assert not cyclic
    assert made.edges == tuple(sorted(set(edges)))
    assert all(made.comes_before(one, other) == reaches(edges, one, other)
               for one in range(8) for other in range(8))


def test_a_search_for_a_way_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph, "MOST_STEPS", 10)
    chain = Graph(100, pairwise(range(100)))
    with pytest.raises(JdlInvalid, match="not direct parents"):
        chain.comes_before(0, 99)


# -- partitionable jobs ----------------------------------------------------------------------------------


def parts(attributes: str, partitions: int = 0) -> Compound:
    return compound(f'[ JobType = "Partitionable"; Executable = "/x"; {attributes} ]', partitions)


def test_a_partitionable_job_is_a_dag_of_checkpointable_jobs() -> None:
    found = parts('InputSandbox = {"d"}; OutputSandbox = {"o/r", "log"}; JobSteps = {"a","b","c"}; '
                  'PartitionNumber = 2; '
                  'Prejob = [ Executable = "/pre" ]; VirtualOrganisation = "vo"; '
                  'Postjob = [ Executable = "m.sh"; InputSandbox = {"m.sh", root.InputSandbox[0]} ];')
    assert [found.name(index) for index in range(4)] == ["Prejob", "Partition_0", "Partition_1", "Postjob"]
    assert (found.kind, found.edges, found.index("Postjob")) == ("dag", ((0, 1), (0, 2), (1, 3), (2, 3)), 3)
    part = described(found.jdl(2))
    assert (part.job_types, part.job_steps, part.current_step) == (("Checkpointable",), ("c",), 0)
    assert parse(found.jdl(2)).get("JobState") == parse(
        's = [ StateId = ""; JobSteps = {"c"}; CurrentStep = 0; UserData = [] ]').get("s")
    assert found.inputs(2) == (NodeInput("d", shared="d"),)
    assert found.inputs(3) == (
        NodeInput("m.sh", shared="m.sh"), NodeInput("d", shared="d"),
        *(NodeInput(f"Partition_{k}/{name}", node=k + 1, file=name) for k in range(2) for name in ("r", "log")))
    assert found.input_sandbox == ("d", "m.sh")
    assert found.virtual_organisation == described(found.jdl(0)).virtual_organisation == "vo"


@pytest.mark.parametrize(("attributes", "partitions", "slices"), [
    ("JobSteps = 4;", 0, [["0"], ["1"], ["2"], ["3"]]), ("JobSteps = 4;", 2, [["0", "1"], ["2", "3"]]),
    ("JobSteps = 2;", 9, [["0"], ["1"]]), ("JobSteps = 4; PartitionNumber = 1;", 3, [["0", "1", "2", "3"]]),
    ("JobSteps = 4; CurrentStep = 2;", 0, [["2"], ["3"]]),
    ("JobSteps = 4; StepWeight = {9,1,1,1};", 2, [["0"], ["1", "2", "3"]])])
def test_how_steps_are_split(attributes: str, partitions: int, slices: list[list[str]]) -> None:
    found = parts(attributes, partitions)
    assert [list(described(found.jdl(index)).job_steps) for index in range(found.number)] == slices
    assert (found.edges, found.alike) == ((), True)


@given(st.lists(st.integers(1, 50), min_size=1, max_size=30), st.data())
@settings(max_examples=examples(150), deadline=None)
def test_parts_cover_the_steps_and_none_is_empty(weights: list[int], data: st.DataObject) -> None:
    number = data.draw(st.integers(1, len(weights)))
    found = split(weights, number)
    assert len(found) == number
    assert [step for first, end in found for step in range(first, end)] == list(range(len(weights)))
    assert all(first < end for first, end in found)


@pytest.mark.parametrize(("attributes", "says"), [
    ("", "JobSteps: Jdl mandatory attribute is missing"), ("JobSteps = 0;", "JobSteps: wrong value"),
    ("JobSteps = 100001;", "JobSteps: wrong value"), ('JobSteps = "3";', "JobSteps: wrong type"),
    ("JobSteps = {1};", "JobSteps: wrong type"), ("JobSteps = 2; CurrentStep = 2;", "CurrentStep: wrong value"),
    ("JobSteps = 2; StepWeight = {1};", "JobSteps and StepWeight cardinalities are different"),
    ("JobSteps = 2; StepWeight = {1, 0};", "StepWeight: wrong value"),
    ("JobSteps = 2; PartitionNumber = 0;", "PartitionNumber: value must be greater than 0"),
    ("JobSteps = 2; Prejob = 5;", "Prejob: wrong type"), ("JobSteps = 2; Prejob = [];", "Prejob:\n  Executable"),
    ('JobSteps = 2; Postjob = [ Executable = "/x"; InputSandbox = {root.No} ];', "Postjob:\n  InputSandbox"),
    ('JobSteps = 2; OutputSandbox = "*"; Postjob = [ Executable = "/x" ];', "wildcards are not allowed together")])
def test_what_partitionable_jobs_are_refused(attributes: str, says: str) -> None:
    with pytest.raises(JdlInvalid) as refused:
        parts(attributes)
    assert says in refused.value.message


@pytest.mark.parametrize(("text", "number"), [
    ('JobType = "Partitionable"; PartitionNumber = 4', 4), ('JobType = {"Partitionable", "Checkpointable"}', 0)])
def test_how_many_parts_are_wished(text: str, number: int) -> None:
    found = wished(text)
    assert found is not None
    assert found[1] == number
    assert wished(settled(found[0], 7)) == (parse(settled(found[0], 7)), 7)


@pytest.mark.parametrize("text", ['Executable = "/x"', 'Arguments = "partitionable"'])
def test_other_jobs_wish_no_parts(text: str) -> None:
    assert wished(text) is None


def test_places_are_looked_for_with_a_job_like_the_parts() -> None:
    ad = parse('JobType = "Partitionable"; Executable = "/x"; JobSteps = 3; Prejob = [ Executable = "/p" ]')
    assert described(one_part(ad)).job_steps == ("0", "1", "2")
