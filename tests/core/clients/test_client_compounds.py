"""Compounds at the client: nodes read from their files, each local file uploaded once, names kept apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from clients import documents
from clients.errors import ArgumentMissing, ArgumentsExclusive, ArgumentWrong, JdlFileMissing
from clients.gathering import of_directory
from clients.options import node_attributes
from clients.preparing import Prepared, prepare
from clients.settings import Settings
from clients.sources import settings_with, source
from clients.submission import children
from wms.errors import JdlError, JdlInvalid, Refused, SandboxFileMissing, UnknownResource
from wms.jdl.ast import Ad, node
from wms.jdl.compounds import Compound, NodeInput, compound
from wms.jdl.compounds.parametric import MAX_OWN_FILES
from wms.jdl.parser import parse

PARENT = "https://lb.example:9000/AAAAAAAAAAAAAAAAAAAAAA"


@pytest.fixture
def here(tmp_path: Path) -> Path:
    for name in ("a.sh", "b.dat", "one/x", "two/x", "in1", "in2", "1/y", "2/y"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(name)
    return tmp_path


def ready(text: str | Ad, here: Path, **more: object) -> Prepared:
    return prepare(text, str(here), {"HOME": str(here)}, Settings(), **more)  # type: ignore[arg-type]


def whole(prepared: Prepared) -> Compound:
    """What the service makes of it, which must be what the client made of it."""
    found = compound(prepared.jdl)
    assert prepared.compound is not None
    assert {file.name for file in prepared.files} == set(found.input_sandbox)
    return found


def uploads(prepared: Prepared, here: Path) -> dict[str, str]:
    return {file.name: str(Path(file.path).relative_to(here)) for file in prepared.files}


def collection(*nodes: str, root: str = "") -> str:
    return f'Type = "Collection"; {root} Nodes = {{ {", ".join(f"[ {one} ]" for one in nodes)} }};'


X = 'Executable = "/x";'


# -- nodes and their files -------------------------------------------------------------------------------


def test_a_file_of_several_nodes_is_uploaded_once(here: Path) -> None:
    run = 'Executable = "a.sh"; InputSandbox = {"a.sh"};'
    prepared = ready(collection(run, run, 'Executable = "a.sh"; InputSandbox = "$HOME/a.sh";'), here)
    assert uploads(prepared, here) == {"a.sh": "a.sh"}
    assert [whole(prepared).inputs(index) for index in range(3)] == [(NodeInput("a.sh", shared="a.sh"),)] * 3


def test_different_files_of_one_name_are_kept_apart(here: Path) -> None:
    prepared = ready(collection(X + 'InputSandbox = "one/x";', X + 'InputSandbox = {"two/x", "a.sh"};'), here)
    assert uploads(prepared, here) == {"x": "one/x", "2.x": "two/x", "a.sh": "a.sh"}
    found = whole(prepared)
    assert found.inputs(0) == (NodeInput("x", shared="x"),)
    assert found.inputs(1) == (NodeInput("x", shared="2.x"), NodeInput("a.sh", shared="a.sh"))


def test_own_names_of_files_stay(here: Path) -> None:
    prepared = ready(collection(X + 'InputSandbox = "one/x";',
                                X + 'InputSandbox = {"two/x"}; InputSandboxDestFileName = {"z"};'), here)
    assert whole(prepared).inputs(1) == (NodeInput("z", shared="2.x"),)


def test_wildcards_of_root_and_nodes(here: Path) -> None:
    prepared = ready(collection(X + 'InputSandbox = {root.InputSandbox[0], "b*"};',
                                X + "InputSandbox = {root.InputSandbox[1]};", X + "InputSandbox = root.InputSandbox;",
                                root='InputSandbox = {"in*", "a.sh"};'), here)
    found = whole(prepared)
    assert [[one.shared for one in found.inputs(index)] for index in range(3)] == [
        ["in1", "in2", "b.dat"], ["a.sh"], ["in1", "in2", "a.sh"]]


def test_what_only_the_service_can_name_cannot_stand_beside_a_file_with_another_name(here: Path) -> None:
    with pytest.raises(JdlInvalid, match="different files have the same name"):
        ready(collection(X + 'InputSandbox = {root.InputSandbox, "two/x"};', root='InputSandbox = {"one/x", "a.sh"};'),
              here)


def test_nodes_in_files_of_their_own(here: Path) -> None:
    (here / "one/n.jdl").write_text('Executable = "x"; InputSandbox = {"x"};')
    prepared = ready(collection('File = "one/n.jdl"; NodeName = "first";', 'File = "one/n.jdl";'), here)
    found = whole(prepared)
    assert ([found.name(0), found.name(1)], uploads(prepared, here)) == (["first", "Node_1"], {"x": "one/x"})


def test_nodes_of_a_dag(here: Path) -> None:
    (here / "n.jdl").write_text('[ Executable = "a.sh"; InputSandbox = "a.sh"; OutputSandbox = "o"; ]')
    prepared = ready('[ Type = "dag"; Nodes = [ a = [ file = "n.jdl" ]; b = [ description = [ Executable = "/x"; '
                     'InputSandbox = {root.nodes.a.description.OutputSandbox[0], "b.dat"} ] ]; '
                     "dependencies = {{a,b}} ] ]", here)
    found = whole(prepared)
    assert found.inputs(0) == (NodeInput("a.sh", shared="a.sh"),)
    assert found.inputs(1) == (NodeInput("o", node=0, file="o"), NodeInput("b.dat", shared="b.dat"))


def test_jobs_before_and_after_the_parts(here: Path) -> None:
    prepared = ready('JobType = "Partitionable"; JobSteps = 2; Executable = "a.sh"; InputSandbox = {"a.sh", "one/x"}; '
                     'PartitionNumber = 1; Postjob = [ Executable = "x"; InputSandbox = {"two/x"} ];', here)
    found = whole(prepared)
    assert [one.shared for one in found.inputs(0)] == ["a.sh", "x"]
    assert found.inputs(1) == (NodeInput("x", shared="2.x"),)


@pytest.mark.parametrize(("text", "error", "says"), [
    (collection('File = "no.jdl";'), SandboxFileMissing, "no.jdl cannot be read"),
    (collection('File = "latin";'), SandboxFileMissing, "is not UTF-8 text"),
    (collection('File = "bad";'), JdlError, "bad"),
    (collection('File = "a"; Executable = "/x";'), JdlInvalid, "no other attributes can be specified"),
    (collection(X + 'InputSandbox = "no";'), SandboxFileMissing, "no does not exist"),
    (collection(X + 'InputSandbox = "gsiftp://h/f";'), JdlInvalid, "remote file"),
    ('Type = "Collection"; Nodes = {5};', JdlInvalid, "'nodes' not valid"),
    ('Type = "dag"; Nodes = [ a = 5 ];', JdlInvalid, "Invalid node a"),
    ('Type = "dag"; Nodes = [ a = [] ];', JdlInvalid, "Neither"),
    ('Type = "dag"; Nodes = 5;', JdlInvalid, "not valid")])
def test_what_is_refused(here: Path, text: str, error: type[Exception], says: str) -> None:
    (here / "latin").write_bytes(b"\xff")
    (here / "bad").write_text("Executable = ;")
    with pytest.raises(error, match=says):
        ready(text, here)


# -- parametric jobs -------------------------------------------------------------------------------------


def parametric(files: str, parameters: str = "{1, 2}") -> str:
    return f'JobType = "Parametric"; Parameters = {parameters}; Executable = "/x"; InputSandbox = {files};'


def test_files_of_each_value(here: Path) -> None:
    prepared = ready(parametric('{"a.sh", "in_PARAM_"}'), here)
    assert uploads(prepared, here) == {"a.sh": "a.sh", "in1": "in1", "in2": "in2"}
    assert whole(prepared).inputs(1) == (NodeInput("a.sh", shared="a.sh"), NodeInput("in2", shared="in2"))


def test_files_of_one_name_in_a_directory_of_each_value(here: Path) -> None:
    prepared = ready(parametric('{"a.sh", "./_PARAM_/y"}'), here)
    assert uploads(prepared, here) == {"a.sh": "a.sh", "1_y": "1/y", "2_y": "2/y"}
    assert whole(prepared).inputs(0) == (NodeInput("a.sh", shared="a.sh"), NodeInput("y", shared="1_y"))


def test_files_without_the_mark_are_as_of_any_job(here: Path) -> None:
    assert uploads(ready(parametric('{"*.sh"}'), here), here) == {"a.sh": "a.sh"}


@pytest.mark.parametrize(("files", "parameters", "says"), [
    ('{"in_PARAM_"}', str(MAX_OWN_FILES + 1), "files of their own"),
    ('{"_PARAM_"}', '{"one/x", "two/x"}', "repeated more than once: 'x'"), ('{"in_PARAM_"}', "{3}", "does not exist")])
def test_what_files_of_values_are_refused(here: Path, files: str, parameters: str, says: str) -> None:
    with pytest.raises((JdlInvalid, SandboxFileMissing), match=says):
        ready(parametric(files, parameters), here)


# -- options ---------------------------------------------------------------------------------------------


def test_nodes_may_be_sent_to_one_place(here: Path) -> None:
    prepared = ready(collection(X), here, of_nodes=node_attributes("ce.x:2119/jobmanager-pbs-q"))
    assert parse(whole(prepared).jdl(0)).get("SubmitTo") == node("ce.x:2119/jobmanager-pbs-q")
    with pytest.raises(UnknownResource):
        node_attributes("nothing")
    assert node_attributes("") == {}


def test_places_of_jobs_and_of_nodes_are_not_mixed_up(here: Path) -> None:
    with pytest.raises(ArgumentWrong, match="single jobs"):
        ready(collection(X), here, attributes={"SubmitTo": node("h:1/q")})
    with pytest.raises(ArgumentWrong, match="--nodes-resource is for"):
        ready(X, here, of_nodes={"SubmitTo": node("h:1/q")})


def test_a_compound_has_no_destination_to_ask_for(here: Path) -> None:
    with pytest.raises(Refused, match="Collection type is not supported for list match"):
        ready(collection(X), here, sandbox=False)


def test_a_directory_is_a_collection(here: Path) -> None:
    for name in ("2.jdl", "1.jdl", ".hidden"):
        (here / "one" / name).write_text(f'Executable = "/{name}";')
    (here / "one/x").unlink()
    found = source("", str(here / "one"), "")
    made = whole(ready(found.jdl, Path(found.directory)))
    assert [parse(made.jdl(index)).get("Executable") for index in range(2)] == [node("/1.jdl"), node("/2.jdl")]
    with pytest.raises(JdlInvalid, match="--collection: no valid collection directory"):
        of_directory("--collection", str(here / "absent"))


def test_a_dagman_file_is_a_dag(here: Path) -> None:
    (here / "w.dag").write_text("JOB A a.sub\nDOT x")
    (here / "a.sub").write_text("executable = a.sh\nqueue")
    found = source("", "", str(here / "w.dag"))
    assert found.warnings == (f"{here / 'w.dag'}:2: DOT is ignored",)
    assert uploads(ready(found.jdl, Path(found.directory)), here) == {"a.sh": "a.sh"}


def test_one_thing_is_submitted(here: Path) -> None:
    (here / "j.jdl").write_text(X)
    assert source(str(here / "j.jdl"), "", "").jdl == X
    with pytest.raises(ArgumentMissing, match="The last argument must be a JDL file"):
        source("", "", "")
    with pytest.raises(ArgumentsExclusive):
        source("a", "b", "")
    with pytest.raises(JdlFileMissing, match="cannot be read"):
        source("", "", str(here / "no.dag"))
    (here / "latin").write_bytes(b"\xff")
    with pytest.raises(JdlFileMissing, match="UTF-8"):
        source("", "", str(here / "latin"))


def test_defaults_of_a_file_are_weaker_than_the_description(here: Path) -> None:
    (here / "d.jdl").write_text("RetryCount = 7; Rank = other.R;")
    settings = settings_with(Settings(), str(here / "d.jdl"))
    ad = parse(prepare(X + "Rank = other.Q;", str(here), {}, settings).jdl)
    assert (ad.get("RetryCount"), ad.get("Rank")) == (node(7), parse("a = other.Q").get("a"))
    assert settings_with(settings, "") is settings


# -- what is answered ------------------------------------------------------------------------------------


def test_children_are_told_by_name_unless_they_are_too_many() -> None:
    few, many = (compound(f'JobType = "Parametric"; Parameters = {n}; Executable = "/x";') for n in (2, 10_001))
    told = children(PARENT, few)
    assert list(told) == ["Node_0", "Node_1"]
    assert len({PARENT, *told.values()}) == 3
    assert children(PARENT, many) == {}
    document = documents.submitted(PARENT, "https://ns", (), told)
    assert list(document) == ["result", "jobid", "endpoint", "parent", "children"]
    assert documents.submitted(PARENT, "https://ns", (), {})["parent"] == PARENT
    assert "parent" not in documents.submitted(PARENT, "https://ns", ())
