"""Parametric jobs: which values there are, where they go, and where they cannot go."""

from __future__ import annotations

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wms.errors import JdlError, JdlInvalid
from wms.jdl.compounds import Compound, NodeInput, compound
from wms.jdl.compounds.parametric import MAX_OWN_FILES, node_name
from wms.jdl.compounds.substitution import MARK, Template
from wms.jdl.described import described
from wms.jdl.parser import parse
from wms.jdl.unparse import unparse

HOSTILE = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20) | st.sampled_from(
    ['"; X509UserProxy = "/tmp/p', "]; Type = [", '\\', '\\"', "'", "_PARAM_", "{", "}", "//", "/*", ";",
     "a b", "$HOME"])
HARMLESS = st.text(string.ascii_letters + string.digits + " .-+_:,", max_size=12)


def job(attributes: str = "", parameters: str = "3", **more: str) -> Compound:
    extra = "".join(f"Parameter{name.capitalize()} = {value};" for name, value in more.items())
    executable = "" if "Executable" in attributes else 'Executable = "/bin/x";'
    return compound(f'[ JobType = "Parametric"; Parameters = {parameters}; {extra} {executable} {attributes} ]')


def names(found: Compound) -> list[str]:
    return [found.name(index) for index in range(found.number)]


def refusal(attributes: str = "", parameters: str = "3", **more: str) -> str:
    with pytest.raises(JdlInvalid) as refused:
        job(attributes, parameters, **more)
    return refused.value.message


# -- values ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("parameters", "more", "expected"), [
    ("10", {"start": "1", "step": "2"}, [1, 3, 5, 7, 9]),
    ("3", {}, [0, 1, 2]),
    ("-3", {"step": "-1"}, [0, -1, -2]),
    ("0", {"start": "5", "step": "-2"}, [5, 3, 1]),
    ("2 + 1", {}, [0, 1, 2]),
    ("{a, b, c}", {"step": "2"}, ["a", "c"]),
    ('{"a", "b", "c"}', {"start": "1"}, ["b", "c"]),
    ("{7, 8}", {}, [7, 8]),
    ('split("p q")', {}, ["p", "q"])])
def test_which_values_there_are(parameters: str, more: dict[str, str], expected: list[object]) -> None:
    found = job('Arguments = "_PARAM_";', parameters, **more)
    assert [described(found.jdl(index)).arguments for index in range(found.number)] == [str(v) for v in expected]
    assert names(found) == [f"Node_{value}" for value in expected]
    assert [found.index(name) for name in names(found)] == list(range(found.number))


@pytest.mark.parametrize(("parameters", "more", "says"), [
    ("3", {"step": "0"}, "ParameterStep: JDL Attribute ParameterStep must be different from zero, "
                         "division by zero not allowed"),
    ("3", {"start": '"1"'}, "ParameterStart: wrong type caught for attribute"),
    ("3", {"step": "1.5"}, "ParameterStep: wrong type caught for attribute"),
    ("3", {"step": "true"}, "ParameterStep: wrong type caught for attribute"),
    ("{1}", {"start": "-1"}, "ParameterStart: wrong value caught for attribute"),
    ("{1}", {"step": "-1"}, "ParameterStep: wrong value caught for attribute"),
    ("{1.5}", {}, "Parameters: wrong type caught for attribute (strings or integers expected)"),
    ('"3"', {}, "Parameters: wrong type caught for attribute (integer or list expected)"),
    ("0", {}, "Parameters: wrong value caught for attribute (there is no value from ParameterStart on)"),
    ("{}", {}, "there is no value"),
    ("3", {"start": "3"}, "there is no value"),
    ("9223372036854775807", {}, "too many values"),
    ('{"a", "a"}', {}, "Duplicated NodeName(Node_a)"),
    ('{"a.b", "a_b"}', {}, "Duplicated NodeName(Node_a_b)")])
def test_which_values_are_refused(parameters: str, more: dict[str, str], says: str) -> None:
    assert says in refusal("", parameters, **more)


def test_parameters_are_mandatory() -> None:
    with pytest.raises(JdlInvalid, match="Parameters: Jdl mandatory attribute is missing"):
        compound('[ JobType = "Parametric"; Executable = "/bin/x" ]')


def test_a_million_nodes_are_as_quickly_counted_as_one() -> None:
    found = job('Arguments = "_PARAM_";', "1000000000000")
    assert found.number == 10**12
    assert found.name(999_999_999_999) == "Node_999999999999"
    assert found.index("Node_77") == 77
    assert (found.index("Node_077"), found.index("Node_-1"), found.index("x")) == (None, None, None)


@pytest.mark.parametrize(("value", "name"), [
    ("x y", "Node_x_y"), ("z/a.b*c$d", "Node_zIa_b-c_S_d"), ("é", "Node_é"), ('"', "Node__"), ("", "Node_"),
    ("x" * 300, "Node_" + "x" * 123 + "_0")])
def test_a_name_holds_what_names_can_hold(value: str, name: str) -> None:
    assert names(job("", unparse(parse("a = 1").changed({"a": None})) and "{ " + quoted(value) + " }")) == [name]


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


# -- substitution ----------------------------------------------------------------------------------------


TEXTS = ('Arguments = "a _PARAM_ _PARAM_b"; Environment = {"X=_PARAM_"}; UserTags = [ t = "_PARAM_" ]; '
         'Note = "_PARAM_";')


OPEN = 'Environment = {"X=_PARAM_"}; UserTags = [ t = "_PARAM_" ]; Note = "_PARAM_";'


@given(HARMLESS)
@settings(max_examples=examples(100), deadline=None)
def test_a_harmless_value_is_what_textual_substitution_makes_of_it(value: str) -> None:
    template = f'[ Executable = "/bin/x"; {TEXTS} Inner = {{ "_PARAM_", 5 }} ]'
    assert parse(Template(parse(template)).text(value)) == parse(template.replace(MARK, value))


@given(st.integers(0, 10**9) | st.text(string.ascii_letters, min_size=1, max_size=5).map(lambda t: "v" + t))
@settings(max_examples=examples(100), deadline=None)
def test_outside_strings_too(value: int | str) -> None:
    text = ("[ Requirements = other.x_PARAM_y > _PARAM_ && f_PARAM_(_PARAM_) || other.v_PARAM_ =?= 1; "
            "a_PARAM_ = 1 - _PARAM_; L = { _PARAM_ } ]")
    template = Template(parse(text))
    assert template.problem(value) == ""
    assert parse(template.text(value)) == parse(text.replace(MARK, str(value)))


@given(HOSTILE)
@settings(max_examples=examples(150), deadline=None)
def test_a_hostile_value_injects_nothing(value: str) -> None:
    text = f'[ Executable = "/bin/x"; {TEXTS} ]'
    ad = parse(Template(parse(text)).text(value))
    assert ad.names() == parse(text).names()
    note, tags = ad.get("Note"), ad.get("UserTags")
    assert unparse(parse("[ a = 1 ]").changed({"a": note})) == unparse(parse("[ a = 1 ]").changed({"a": note}))
    assert getattr(note, "value", None) == value
    assert len(getattr(tags, "attributes", ())) == 1


@given(HOSTILE)
@settings(max_examples=examples(100), deadline=None)
def test_outside_strings_a_value_is_a_word_or_refused(value: str) -> None:
    text = "[ a = other.X > _PARAM_; b = _PARAM_ ]"
    template = Template(parse(text))
    if not template.problem(value):
        assert parse(template.text(value)).names() == ("a", "b")


@pytest.mark.parametrize("value", ["1", "x"])
def test_each_text_is_a_whole_description(value: str) -> None:
    found = job("Requirements = _PARAM_ == other.X;", "{" + value + "}")
    assert parse(found.jdl(0)).get("Requirements") == parse(f"R = {value} == other.X").get("R")


def test_numbers_do_not_melt_into_their_neighbours() -> None:
    found = job("A = -_PARAM_; B = _PARAM_.x; C = 3 -_PARAM_;", "-5", step="-4")
    first, second = (parse(found.jdl(index)) for index in range(2))
    assert first.get("A") == parse("A = -(0)").get("A")
    assert second.get("C") == parse("C = 3 - -4").get("C")
    assert second.get("B") == parse("B = (-4).x").get("B")


@pytest.mark.parametrize(("attributes", "parameters", "says"), [
    ("Requirements = other.X > _PARAM_;", '{"a b"}', "the value 'a b' does not make a name or a number"),
    ("Requirements = other.X > _PARAM_;", '{"is"}', "does not make a name"),
    ("Requirements = other._PARAM_ > 1;", "{5}", "the value '5' does not make a name of '_PARAM_'"),
    ("Requirements = f_PARAM_(1);", '{"("}', "does not make a name"),
    ("a_PARAM_ = 1;", '{" = 2; b"}', "does not make a name"),
    ("'a _PARAM_' = 1;", "{1}", "the mark _PARAM_ cannot stand in a quoted name"),
    ("_PARAM_ = 1;", '{"ok", "X509UserProxy"}', "reserved"),
    ("_PARAM_ = 1;", '{"ok", "Executable"}', "The following parsing error(s) have been found:"),
    ("RetryCount = _PARAM_;", '{"abc"}', "RetryCount: wrong type"),
    ("RetryCount = 3 - _PARAM_;", "5", "Node_4:\n  RetryCount"),
    ("CpuNumber = _PARAM_;", "2", "Node_0:\n  CpuNumber: value must be greater than 0"),
    ("CpuNumber = _PARAM_ + 50;", "-100", "Node_-99"),
    ('StdOutput = "_PARAM_/x";', '{"a", ".."}', "Node___"),
    ('Executable = "_PARAM_.sh"; InputSandbox = {"a.sh", "b.sh"};', "{a, b, c}", "Node_c:\n  Executable"),
    ('JobType = {"Parametric", "Interactive"};', "3", "JobType: Interactive is not allowed for a node"),
    ('JobType = {"Parametric", "Partitionable"}; JobSteps = 3;', "3", "exclude each other"),
    ('JobType = {"Parametric", "_PARAM_"};', '{"MPICH"}', "JobType")])
def test_what_is_refused_and_why(attributes: str, parameters: str, says: str) -> None:
    text = attributes if "JobType" in attributes else f'JobType = "Parametric"; {attributes}'
    step = "ParameterStep = -1;" if parameters.startswith("-") else ""
    executable = "" if "Executable" in attributes else 'Executable = "/bin/x";'
    with pytest.raises(JdlError) as refused:
        compound(f"[ {text} Parameters = {parameters}; {step} {executable} ]")
    assert says in refused.value.message


def test_what_is_wrong_with_nodes_is_said_at_once_and_bounded() -> None:
    with pytest.raises(JdlInvalid) as refused:
        job('Executable = "_PARAM_";', "{" + ",".join(f"x{k}" for k in range(30)) + "}")
    lines = refused.value.message.splitlines()
    assert lines[0] == "The following error(s) have been found while checking nodes:"
    assert lines[-1] == "... and 10 more node(s)"
    assert {problem["node"] for problem in refused.value.details["problems"]} >= {"Node_x0", "Node_x19"}


# -- nodes -----------------------------------------------------------------------------------------------


def test_what_a_node_is() -> None:
    found = job('JobType = {"Parametric", "MPICH"}; CpuNumber = 2; DefaultNodeRetryCount = 7; MyProxyServer = "px"; '
                'Environment = "A=1"; VirtualOrganisation = "vo"; NodesCollocation = true; ExpiryTime = 9;'
                'Requirements = true; Rank = 1;'
                .replace('JobType = {"Parametric", "MPICH"};', ""))
    node = described(found.jdl(1))
    assert node.job_types == ("Normal",)
    assert (node.retry_count, node.my_proxy_server, node.virtual_organisation) == (7, "px", "vo")
    assert node.environment == (("A", "1"), ("ParameterValue", "1"))
    assert (found.virtual_organisation, found.my_proxy_server, found.expiry_time) == ("vo", "px", 9)
    assert (found.kind, found.edges, found.max_running_nodes) == ("collection", (), 0)
    assert not {"parameters", "nodescollocation", "defaultnoderetrycount", "type"} & {
        name.lower() for name in node.ad.names()}


def test_other_types_of_a_parametric_job_stay() -> None:
    found = compound('[ JobType = {"Parametric", "MPICH"}; CpuNumber = 2; Parameters = 2; Executable = "/bin/x"; '
                     'Environment = {"A=1"}; max_running_nodes = 4 ]')
    assert described(found.jdl(0)).job_types == ("MPICH",)
    assert found.max_running_nodes == 4


@given(st.lists(st.text(string.ascii_letters + ' "\\;]', max_size=6), min_size=1, max_size=6, unique_by=str.lower))
@settings(max_examples=examples(30), deadline=None)
def test_every_node_is_a_job_of_its_own(values: list[str]) -> None:
    listed = "{" + ",".join(map(quoted, values)) + "}"
    if len({node_name(value, 0) for value in values}) < len(values):
        assert "Duplicated NodeName" in refusal(OPEN, listed)
        return
    found = job(OPEN, listed)
    assert found.number == len(values)
    assert len(set(names(found))) == len(values)
    for index, value in enumerate(values):
        alone = job(OPEN, "{" + quoted(value) + "}")
        assert found.jdl(index) == alone.jdl(0), "the text of a node depends on its own value alone"
        assert dict(described(found.jdl(index)).environment)["ParameterValue"] == value


@pytest.mark.parametrize(("attributes", "alike"), [
    ('Arguments = "_PARAM_";', True), ("Requirements = other.X > _PARAM_;", False),
    ('Requirements = other.X == Arguments; Arguments = "1";', False), ("a_PARAM_ = 1;", False),
    ('Requirements = eval("true");', False), ("OutputSE = \"_PARAM_\";", False), ("", True)])
def test_nodes_are_alike_when_matching_cannot_tell_them_apart(attributes: str, alike: bool) -> None:
    assert job(attributes, "{a, b}").alike == alike


# -- files -----------------------------------------------------------------------------------------------


def test_files_without_the_mark_are_shared_and_those_with_it_are_not() -> None:
    found = job('Executable = "run.sh"; InputSandbox = {"/home/u/run.sh", "in_PARAM_.dat"};', "2")
    assert found.input_sandbox == ("run.sh", "in0.dat", "in1.dat")
    assert found.inputs(1) == (NodeInput("run.sh", shared="run.sh"), NodeInput("in1.dat", shared="in1.dat"))
    assert described(found.jdl(1)).input_names == ("run.sh", "in1.dat")


def test_files_may_be_called_otherwise_in_the_node() -> None:
    found = job('InputSandbox = {"_PARAM__in", "b"}; InputSandboxDestFileName = {"in", "c"};', "2")
    assert found.inputs(1) == (NodeInput("c", shared="b"), NodeInput("in", shared="1_in"))


@pytest.mark.parametrize(("files", "says"), [
    ('InputSandbox = {"a"}; InputSandboxDestFileName = {"in", "c"};',
     "InputSandboxDestFileName: InputSandbox and InputSandboxDestFileName cardinalities are different"),
    ('InputSandbox = {"a"}; InputSandboxDestFileName = {1};', "a list of strings"),
    ('InputSandbox = {"a", "x/a"};', "The following file is repeated more than once: 'a'"),
    ('InputSandbox = {strcat("a", "b")};', "function calls are not supported"),
    ("InputSandbox = {Absent};", "'Absent' is no file of the compound")])
def test_what_files_are_refused(files: str, says: str) -> None:
    assert says in refusal(files)


def test_not_everybody_can_have_files_of_his_own() -> None:
    assert "files of their own" in refusal('InputSandbox = {"in_PARAM_"};', str(MAX_OWN_FILES + 1))
