"""Collections: what nodes take over, which files they get, what is refused; and how compounds are told from jobs."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wms.errors import JdlError, JdlInvalid
from wms.jdl import compounds
from wms.jdl.compounds import Compound, NodeInput, compound, expanded, is_compound, understood
from wms.jdl.compounds.checking import form
from wms.jdl.described import described
from wms.jdl.description import JobDescription
from wms.jdl.parser import parse

NODE = 'Executable = "/bin/x";'


def collection(*nodes: str, root: str = "") -> Compound:
    return compound(f"[ Type = \"Collection\"; {root} Nodes = {{ {', '.join(f'[ {node} ]' for node in nodes)} }} ]")


def refusal(*nodes: str, root: str = "") -> str:
    with pytest.raises(JdlInvalid) as refused:
        collection(*nodes, root=root)
    return refused.value.message


def node(found: Compound, index: int = 0) -> JobDescription:
    return described(found.jdl(index))


# -- inheritance -----------------------------------------------------------------------------------------


def test_a_collection_has_its_nodes_in_order() -> None:
    found = collection(NODE, NODE + 'NodeName = "second";', NODE)
    assert (found.kind, found.number, found.edges, found.alike) == ("collection", 3, (), True)
    assert [found.name(index) for index in range(3)] == ["Node_0", "second", "Node_2"]
    assert (found.index("second"), found.index("Node_1")) == (1, None)


@pytest.mark.parametrize(("attribute", "value", "own"), [
    ("Rank", "other.A", "other.B"), ("Requirements", "other.C == 1", "other.D == 2"), ("FuzzyRank", "true", "false"),
    ("SubmitTo", '"h:1/q"', '"h:2/q"'), ("ExpiryTime", "5", "6"), ("ShortDeadlineJob", "true", "false"),
    ("PerusalFileEnable", "true", "false"), ("Priority", "3", "4"), ("LazyMatching", "true", "false")])
def test_a_node_takes_over_what_it_does_not_say(attribute: str, value: str, own: str) -> None:
    found = collection(NODE, f"{NODE} {attribute} = {own};", root=f"{attribute} = {value};")
    assert parse(found.jdl(0)).get(attribute) == parse(f"a = {value}").get("a")
    assert parse(found.jdl(1)).get(attribute) == parse(f"a = {own}").get("a")
    assert not found.warnings


@pytest.mark.parametrize("attribute", ["MyProxyServer", "JobProvenance", "LBAddress"])
def test_a_node_has_the_services_of_its_compound_or_none(attribute: str) -> None:
    with_root = collection(NODE + f'{attribute} = "own";', NODE, root=f'{attribute} = "root";')
    assert [parse(with_root.jdl(index)).get(attribute) for index in range(2)] == [parse('a = "root"').get("a")] * 2
    assert attribute not in parse(collection(NODE + f'{attribute} = "own";').jdl(0))


def test_the_vo_is_that_of_the_compound() -> None:
    found = collection(NODE + 'VirtualOrganisation = "b";', root='VirtualOrganisation = "a"; MyProxyServer = "px";')
    assert (node(found).virtual_organisation, found.virtual_organisation, found.my_proxy_server) == ("a", "a", "px")
    assert node(collection(NODE + 'VirtualOrganisation = "b";')).virtual_organisation == "b"


def test_retries_of_nodes() -> None:
    root = "DefaultNodeRetryCount = 1; DefaultNodeShallowRetryCount = 2;"
    found = collection(NODE, NODE + "RetryCount = 5;", root=root)
    assert [(node(found, k).retry_count, node(found, k).shallow_retry_count) for k in range(2)] == [(1, 2), (5, 2)]


# -- files -----------------------------------------------------------------------------------------------


def test_files_come_from_the_root() -> None:
    found = collection(
        'Executable = "a"; InputSandbox = {root.InputSandbox[0], "zz"};', "InputSandbox = root.InputSandbox;" + NODE,
        'Executable = "c"; InputSandbox = {"zz"}; InputSandboxDestFileName = {"c"};', NODE,
        NODE + "InputSandbox = {root.More};", root='InputSandbox = {"/x/a", "b"}; More = {"b"};')
    assert found.input_sandbox == ("a", "b", "zz")
    assert found.inputs(0) == (NodeInput("a", shared="a"), NodeInput("zz", shared="zz"))
    assert found.inputs(1) == (NodeInput("a", shared="a"), NodeInput("b", shared="b"))
    assert found.inputs(2) == (NodeInput("c", shared="zz"),)
    assert (found.inputs(3), found.inputs(4)) == ((), (NodeInput("b", shared="b"),))
    assert node(found, 2).input_names == ("c",)


# -- refusals --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "says"), [
    ('Type = "Collection";', "Nodes: Jdl mandatory attribute is missing"),
    ('Type = "Collection"; Nodes = {};', "Nodes: 'nodes' not valid (empty)"),
    ('Type = "Collection"; Nodes = [];', "'nodes' not valid (a list of records expected)"),
    ('Type = "Collection"; Nodes = {5};', "'nodes' not valid (a list of records expected)"),
    ('Type = "Kollection"; Nodes = {};', "Type: wrong value"),
    ('Executable = "/bin/x";', "This is the description of a single job.")])
def test_what_is_no_collection(text: str, says: str) -> None:
    with pytest.raises(JdlInvalid) as refused:
        compound(text)
    assert says in refused.value.message


@pytest.mark.parametrize(("attributes", "says"), [
    ("", "Node_0:\n  Executable: Jdl mandatory attribute is missing"),
    (NODE + 'Type = "DAG"; Nodes = [];', "JobType: DAG is not allowed for a node"),
    (NODE + 'Type = "Collection"; Nodes = {[]};', "JobType: Collection is not allowed for a node"),
    (NODE + 'JobType = "Interactive";', "JobType: Interactive is not allowed for a node"),
    (NODE + 'JobType = "Checkpointable";', "JobType: Checkpointable is not allowed for a node"),
    (NODE + 'JobType = "Parametric"; Parameters = 2;', "JobType: Parametric is not allowed for a node"),
    (NODE + 'JobType = "Partitionable"; JobSteps = 2;', "JobType: Partitionable is not allowed for a node"),
    ('File = "a.jdl";', "must be put in its place"),
    ('File = "a.jdl"; Executable = "/b";', "File: no other attributes can be specified for this node"),
    (NODE + 'NodeName = "a/b";', "Invalid node a/b"), (NODE + "NodeName = 5;", "Invalid node 5"),
    (NODE + f'NodeName = "{"n" * 201}";', "Invalid node nnn"),
    (NODE + "InputSandbox = {root.InputSandbox[3]};", "'root.InputSandbox[3]' is no file of the compound"),
    (NODE + "InputSandbox = {root.nodes.a.description.OutputSandbox[0]};", "is the output of another node"),
    (NODE + 'InputSandbox = {"gsiftp://h/f"};', "remote file"),
    (NODE + 'X509UserProxy = "/tmp/x";', "reserved")])
def test_what_nodes_are_refused(attributes: str, says: str) -> None:
    assert says in refusal(attributes)


def test_the_root_is_checked_too() -> None:
    assert "MyProxyServer" in refusal(NODE, root='MyProxyServer = "a b";')
    assert refusal(NODE, root="max_running_nodes = 0;") == "'max_running_nodes' has to be an integer > 0"


def test_names_are_unique() -> None:
    assert "Duplicated NodeName(a)" in refusal(NODE + 'NodeName = "a";', NODE + 'NodeName = "a";')
    assert "Duplicated NodeName(Node_1)" in refusal(NODE + 'NodeName = "Node_1";', NODE)


def test_all_errors_are_said_at_once_with_their_places() -> None:
    with pytest.raises(JdlInvalid) as refused:
        collection("", NODE, NODE + "RetryCount = -1;", *["" for _ in range(30)])
    assert refused.value.message.startswith("The following error(s) have been found while checking nodes:\nNode_0:")
    assert "Node_2:\n  RetryCount: " in refused.value.message
    assert "Node_1:" not in refused.value.message
    assert "... and 12 more node(s)" in refused.value.message
    assert refused.value.details["problems"][1]["node"] == "Node_2"


# -- forms -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("one", "other", "same"), [
    ('E = "run"; I = {"/a/run"}', 'E = "go"; I = {"/b/go"}', True),
    ('E = "run"; I = {"/a/run"}', 'E = "go"; I = {"/b/run"}', False),
    ('J = "Normal"', 'J = "MPICH"', False), ('P = "h:12345"', 'P = "h:123456"', False),
    ('N = "A1=x"', 'N = "1A=x"', False), ("R = 1", "R = 2", False), ('A = "x\\n"', 'A = "y\\n"', False),
    ('A = "' + "x" * 250 + '"', 'A = "' + "x" * 260 + '"', False)])
def test_texts_of_one_form_differ_in_nothing_a_check_sees(one: str, other: str, same: bool) -> None:
    assert (form(one) == form(other)) == same


WORDS = st.sampled_from(["a", "b", "run.sh", "x/run.sh", "../x", "a b", "MPICH", "*", "5"])


@given(st.lists(st.tuples(WORDS, WORDS, WORDS), min_size=1, max_size=8))
@settings(max_examples=examples(100), deadline=None)
def test_a_node_is_refused_in_company_if_and_only_if_it_is_alone(given_nodes: list[tuple[str, str, str]]) -> None:
    nodes = [f'Executable = "{a}"; InputSandbox = {{"{b}"}}; StdOutput = "{c}";' for a, b, c in given_nodes]

    def refused(*some: str) -> set[str]:
        try:
            collection(*some)
        except JdlInvalid as error:
            return {problem["node"] for problem in error.details["problems"]}
        return set()

    assert refused(*nodes) == {f"Node_{index}" for index, one in enumerate(nodes) if refused(one)}


# -- telling and remembering -----------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "whole"), [
    ('Type = "dag"; Nodes = []', True), ('Type = "Collection"; Nodes = {}', True), ('Executable = "/a"', False),
    ('JobType = "Parametric"', True), ('JobType = {"Partitionable", "Checkpointable"}', True),
    ('JobType = "Interactive"', False)])
def test_what_is_a_compound(text: str, whole: bool) -> None:
    assert is_compound(parse(text)) == whole


def test_a_description_of_a_compound_is_told_too() -> None:
    assert is_compound(described('JobType = "Parametric"; Executable = "/a"; Parameters = 2'))
    assert is_compound(described('Type = "Collection"; Nodes = {[]}'))
    assert not is_compound(described('Executable = "/a"'))


@pytest.mark.parametrize("text", ['Executable = "/a"', 'Executable = "/bin/dag"'])
def test_a_job_is_understood_as_one(text: str) -> None:
    assert understood(text) is described(text)


@pytest.mark.parametrize("text", ['JobType = "Parametric"; Executable = "/a"; Parameters = 2; Mine = 1',
                                  'Type = strcat("Coll", "ection"); Nodes = {[ Executable = "/a" ]}'])
def test_a_compound_is_understood_as_one_and_remembered(text: str) -> None:
    found = understood(text)
    assert isinstance(found, Compound)
    assert understood(text) is found
    assert compound(text) is found


def test_memory_is_bounded_by_the_length_of_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compounds, "MOST_CHARS", 200)
    texts = [f'JobType = "Parametric"; Executable = "/{name}"; Parameters = 2; Bound = 1' for name in "abc"]
    first, *_, last = [compound(text) for text in texts]
    assert compound(texts[-1]) is last
    assert compound(texts[0]) is not first


def test_a_broken_text_is_refused_as_text() -> None:
    with pytest.raises(JdlError):
        compound("[ Type = ")


def test_the_nodes_are_not_kept_in_the_record() -> None:
    found = expanded(parse('Type = "Collection"; Mine = 5; Nodes = {[ Executable = "/a" ]}'))
    assert ("Nodes" in found.ad, "Mine" in found.ad) == (False, True)
