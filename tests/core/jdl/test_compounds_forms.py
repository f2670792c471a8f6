"""Written-out nodes understood together by their forms are what they are when each is read alone."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wms.errors import JdlError, JdlInvalid
from wms.jdl.ast import Ad, Folded, ListNode
from wms.jdl.compounds import Compound, NodeInput, compound, expanded, molds
from wms.jdl.compounds.checking import form, outline
from wms.jdl.compounds.rooted import MOST_PARTS
from wms.jdl.described import described
from wms.jdl.evaluate import evaluate
from wms.jdl.limits import MAX_ATTRIBUTES, MAX_COMPOUND_TEXT
from wms.jdl.parser import parse


def told(found: Compound) -> tuple[object, ...]:
    nodes = [(found.name(index), found.jdl(index), found.inputs(index), found.index(found.name(index)))
             for index in range(found.number)]
    return found, found.common, found.input_sandbox, found.edges, found.alike, nodes


def one_by_one(text: str) -> tuple[object, ...] | JdlError:
    try:
        return told(expanded(parse(text, max_chars=MAX_COMPOUND_TEXT)))
    except JdlError as error:
        return error


def together(text: str) -> tuple[object, ...] | JdlError:
    try:
        return told(compound(text))
    except JdlError as error:
        return error


def same(text: str) -> bool:
    """Is a text understood alike both ways? Errors say the same."""
    slow, quick = one_by_one(text), together(text)
    if isinstance(slow, JdlError) or isinstance(quick, JdlError):
        return isinstance(slow, JdlError) and isinstance(quick, JdlError) and (
            (slow.message, slow.details) == (quick.message, quick.details))
    return slow == quick


def folded(text: str) -> list[bool]:
    """Which nodes were left unread."""
    nodes = parse(text, max_chars=MAX_COMPOUND_TEXT, folding=True).get("Nodes")
    if isinstance(nodes, ListNode):
        return [isinstance(node, Folded) for node in nodes.items]
    assert isinstance(nodes, Ad)
    return [isinstance(node, Folded) for name, node in nodes.attributes if name != "dependencies"]


STRINGS = st.sampled_from(["/bin/a", "run", "d/run", "x y", "1", "22", "Normal", "MPICH", "../x", "o", "q", "*", "",
                           "edg-jdl", "lfn:x", "http://h/f", "y" * 210])
QUOTED = '"{}"'.format
VALUES = st.one_of(
    STRINGS.map(QUOTED), st.lists(STRINGS.map(QUOTED), max_size=2).map(lambda some: f"{{{', '.join(some)}}}"),
    st.sampled_from(["5", "true", 'other.X == "s7"', '!(other.Y)', "root.Mine", "parent.InputSandbox",
                     'strcat("a", "b")', '"a" "b"', "self.Executable", "root.InputSandbox[0]",
                     '{"d/run", root.InputSandbox[0]}', "root.nodes.n0.description.OutputSandbox",
                     "{root.nodes.n1.description.OutputSandbox[0]}",
                     "[ a = \"x\" ]", '"tab\\t"', "undefined", "[ b = {[ c = {[ d = {1} ]} ]} ]", "root.nodes.n0.X"]))
NAMES = st.sampled_from(["Executable", "Arguments", "StdOutput", "InputSandbox", "InputSandboxDestFileName",
                         "OutputSandbox", "Requirements", "Rank", "JobType", "NodeName", "RetryCount", "Mine",
                         "StdInput", "File"])
BODIES = (
    st.dictionaries(NAMES, VALUES, max_size=4),
    st.builds(lambda a, b, c: {"Executable": f'"/bin/{a}"', "Arguments": f'"{b}"', "OutputSandbox": f'{{"{c}"}}'},
              STRINGS, STRINGS, st.sampled_from("opq")),
    st.builds(lambda a, b, c: {"Executable": '"run"', "InputSandbox": f'{{"{a}/run", "{b}"}}',
                               "InputSandboxDestFileName": f'{{"run", "{c}"}}', "Rank": f'other.X == "{c}"'},
              *[st.sampled_from(["a", "b", "c/d", "Normal"])] * 3),
    st.builds(lambda k: {"Executable": '"run"', "OutputSandbox": '"o"', "InputSandbox":
                         f'{{"d/run", root.nodes.n{k}.description.OutputSandbox[0]}}'}, st.integers(0, 2)))
BLANKS = st.sampled_from([" ", "\n", "\t", " // said\n", "\r\n"])


@st.composite
def texts(draw: st.DrawFn) -> str:
    kind = draw(st.sampled_from(["record", "list", "collection"]))
    bodies = draw(st.lists(st.one_of(draw(st.lists(st.sampled_from(BODIES), min_size=1, max_size=3))),
                           min_size=1, max_size=6))
    blank = draw(BLANKS)
    said = [f";{blank}".join(f"{name} = {value}" for name, value in ({"Executable": '"/x"'} | body).items())
            for body in bodies]
    pairs = ", ".join(f"{{n{one}, n{one + 1}}}" for one in range(len(bodies) - 1) if draw(st.booleans()))
    root = draw(st.sampled_from(["", 'VirtualOrganisation = "vo";', 'InputSandbox = {"/e/f"}; Mine = 3;',
                                 "Requirements = other.Z > Mine; Mine = 3;", "Mine = Mine;"]))
    beside = draw(st.sampled_from(["", ' node_type = "edg-jdl";', " node_retry_count = 2;", ' node_type = "x";']))
    if kind == "record":
        nodes = "".join(f"n{index} ={blank}[ description = [ {one} ];{beside} ];{blank}"
                        for index, one in enumerate(said))
        return f'[ Type = "DAG"; {root} Nodes = [ {nodes} dependencies = {{ {pairs} }} ] ]'
    listed = ",".join(f"{blank}[ {one} ]" for one in said)
    of_a_dag = f"Dependencies = {{ {pairs.replace('n', 'Node_')} }};" if kind == "list" else ""
    return f'[ Type = "{"DAG" if kind == "list" else "Collection"}"; {root} Nodes = {{{listed}}}; {of_a_dag} ]'


@given(texts())
@settings(max_examples=examples(400), deadline=None)
def test_a_compound_is_the_same_whether_its_nodes_are_read_together_or_alone(text: str) -> None:
    assert same(text)


@given(st.lists(STRINGS, min_size=1, max_size=4), st.lists(STRINGS, min_size=1, max_size=4))
@settings(max_examples=examples(200), deadline=None)
def test_the_outline_of_strings_tells_what_their_form_tells(some: list[str], others: list[str]) -> None:
    one, other = [[f'"{text}"' for text in each] for each in (some, others)]
    if outline(one) == outline(other):
        assert form("".join(one)) == form("".join(other))


# -- what is read together -------------------------------------------------------------------------------


def listed(*nodes: str, root: str = "", kind: str = "Collection") -> str:
    return f'[ Type = "{kind}"; {root} Nodes = {{ {", ".join(f"[ {node} ]" for node in nodes)} }} ]'


@pytest.mark.parametrize("node", ['Executable = "/a"', 'A = {{"x"}}', "A = 1/2", 'A = 1;\n B = [ c = "x" ]'])
def test_records_of_nodes_are_left_unread(node: str) -> None:
    assert folded(listed(node)) == [True]


@pytest.mark.parametrize("node", [
    'A = "x\\n"', "'A' = 1", "A = 1; // said\n", "A = /* said */ 1", 'A =\t1', "A = \u201cx\u201d", "A = {{{{{1}}}}}",
    'A = "' + "x" * 20_000 + '"', 'A = "\ue000"'])
def test_records_that_something_is_to_be_said_of_are_read(node: str) -> None:
    assert folded(listed(node)) == [False]


def test_a_tab_is_told_of_once() -> None:
    text = listed('Executable =\t"/a"', 'Executable =\t"/b"')
    assert folded(text) == [False, True]
    assert same(text)


@pytest.mark.parametrize("text", [
    listed('Executable = "/a"') + " x", "[ UserTags = [ a = [ b = 1 ] ]; X = {[ c = 1 ]} ]",
    "[ A = {true,x}; B = {is,x}; C = {x,y}[0] ]"])
def test_other_texts_are_read_as_ever(text: str) -> None:
    def read(folding: bool) -> object:
        try:
            return parse(text, folding=folding)
        except JdlError as error:
            return error.details
    assert read(True) == read(False)


def test_forms_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(molds, "MOST", 1)
    assert same(listed('Executable = "/a"', 'Executable = "/a"; Arguments = "x"', 'Executable = "/b"'))
    assert same('[ Type = "DAG"; Nodes = [ a = [ description = [ Executable = "/a" ]; node_type = "edg-jdl" ]; '
                'b = [ description = [ Executable = "/a" ]; node_type = "EDG-JDL" ] ] ]')


def test_a_compound_of_more_nodes_than_a_job_has_attributes() -> None:
    nodes = "; ".join(f'n{index} = [ description = [ Executable = "/x"; Arguments = "{index}" ] ]'
                      for index in range(MAX_ATTRIBUTES + 1))
    found = compound(f'[ Type = "DAG"; Nodes = [ {nodes} ] ]')
    assert (found.number, found.alike, found.name(7)) == (MAX_ATTRIBUTES + 1, True, "n7")
    assert described(found.jdl(MAX_ATTRIBUTES)).arguments == str(MAX_ATTRIBUTES)


@pytest.mark.parametrize(("rank", "alike"), [('other.X == "a"', True), ('other.X == "b"', False)])
def test_nodes_are_alike_if_what_matching_sees_is(rank: str, alike: bool) -> None:
    found = compound(listed('Executable = "/a"; Rank = other.X == "a"', f'Executable = "/b"; Rank = {rank}'))
    assert found.alike == alike


# -- references to the root ------------------------------------------------------------------------------


def node_of(node: str, root: str) -> Ad:
    return parse(compound(listed(f'Executable = "/a"; {node}', root=root)).jdl(0))


@pytest.mark.parametrize(("expression", "value"), [
    ("root.Least", 5), ("Root.least + 1", 6), ("parent.Least", 5), ("parent.parent.Least", 5), ("root.Twice", 10),
    ("root.Mine", 10), ("strcat(root.Text, \"!\")", "t!"), ("toplevel.Text", "t"), ("root.Inside.a", 1),
    ("[ a = root.Least ].a", 5), ("self.Executable", "/a"), ("root.Itself", 5)])
def test_what_a_node_says_of_the_root_is_the_roots(expression: str, value: object) -> None:
    ad = node_of(f"Found = {expression}", 'Least = 5; Twice = Least * 2; Mine = self.Twice; Text = "t"; '
                                          "Inside = [ a = 1 ]; Itself = root.Least;")
    found = ad.get("Found")
    assert found is not None
    assert evaluate(found, ad) == value


def test_what_the_root_has_not_is_undefined() -> None:
    assert "Found = undefined" in compound(listed('Executable = "/a"; Found = root.No')).jdl(0)


def test_a_condition_of_the_root_that_nodes_take_over_stands_alone_too() -> None:
    found = compound(listed('Executable = "/a"', root="Requirements = other.X > root.Least; Least = 5;"))
    assert "Requirements = other.X > 5" in found.jdl(0)


@pytest.mark.parametrize(("node", "root", "says"), [
    ("A = root.X", "X = Y; Y = X;", "'root.X' refers to itself"), ("A = root.Nodes", "", "stands for files only"),
    ("A = root.X", "X = {" + ",".join(["1"] * (MOST_PARTS + 1)) + "};", "is too much")])
def test_what_references_are_refused(node: str, root: str, says: str) -> None:
    with pytest.raises(JdlInvalid) as refused:
        node_of(node, root)
    assert says in refused.value.message


def test_nodes_that_are_read_together_get_the_output_of_others() -> None:
    def written(name: str, text: str) -> str:
        return f'{name} = [ description = [ Executable = "/x"; {text} ] ];'

    output = "InputSandbox = {root.nodes.a.description.OutputSandbox[1]}"
    found = compound('[ Type = "DAG"; Nodes = [ ' + written("a", 'OutputSandbox = {"p/q", "r"}') + written("b", output)
                     + written("c", output) + "dependencies = {{a,{b,c}}} ] ]")
    assert found.inputs(1) == found.inputs(2) == (NodeInput("r", node=0, file="r"),)


X = 'Executable = "/x";'


@pytest.mark.parametrize("node", [
    X + "InputSandbox = {root.InputSandbox[0], root.InputSandbox}", X + "InputSandbox = root.InputSandbox",
    X + 'InputSandbox = {root["InputSandbox"]}', X + "InputSandbox = {root.nodes . Node_0.description.OutputSandbox}",
    X + "InputSandbox = root.nodes.Node_0.description.OutputSandbox; InputSandboxDestFileName = {\"a\"}",
    X + "InputSandbox = root.nodes.Node_0.description.OutputSandbox; InputSandboxDestFileName = {\"a\", \"b\"}",
    X + 'InputSandbox = "a/b"; InputSandboxDestFileName = "b"', X + 'InputSandbox = {}', X + 'OutputSandbox = {self.X}',
    X + "Rank = root.Mine ? other.X : -other.Y; Requirements = Member(root.Mine, {other.Z})[0]",
    X + 'Requirements = other.A == "a" "b"'])
def test_unusual_nodes_are_the_same_both_ways(node: str) -> None:
    first = X + 'OutputSandbox = {"o", "p"}'
    root = 'InputSandbox = {"/d/f"}; Mine = 5; Dependencies = {{Node_0, {Node_1, Node_2}}};'
    text = listed(first, node, node, root=root, kind="DAG")
    assert folded(text) == [True] * 3
    assert same(text)


@pytest.mark.parametrize("files", ["root.InputSandbox", '{root.InputSandbox[0], "d/x"}', "root.Shared"])
def test_files_of_the_root_do_not_ask_for_reading_all_nodes(files: str) -> None:
    text = listed(f"{X} InputSandbox = {files}", root='InputSandbox = {"/d/f"}; Shared = "/d/f";')
    assert expanded(parse(text, folding=True)).inputs(0)[0] == NodeInput("f", shared="f")
    assert same(text)


def test_a_record_that_was_not_read_has_no_value() -> None:
    with pytest.raises(JdlInvalid, match="was not read"):
        evaluate(Folded())


def test_a_mold_that_does_not_fit_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    text = listed('Executable = "/a"; StdOutput = "o"', 'Executable = "/b"; StdOutput = "o"', root="Here = 1;")
    monkeypatch.setattr(molds, "_NAME", 0)
    assert same(text)
