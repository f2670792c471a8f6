"""Layouts of compound jobs: nodes in job-status, their output, their rescue; and the map of what was received."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from clients import documents, show, show_nodes
from clients.api import Output
from clients.collecting import MAP, Collected, Place, read_map
from clients.errors import ArgumentWrong, BadInputFile
from clients.options import read_state
from clients.preparing import prepare
from clients.settings import Settings
from wms.errors import NotFound
from wms.jdl.ast import node
from wms.operations import File

JOB = "https://lb.example.org:9000/rIBubkFFKhnSQ6CjiLUY8Q"
STEPS = 'JobType = "Checkpointable"; JobSteps = 3; Executable = "/x";'


def date(epoch: float) -> str:
    return str(epoch)


def child(name: str, state: str, **fields: Any) -> dict[str, Any]:
    return {"node_name": name, "state": state, "jobId": JOB[:-1] + name, "parent_job": JOB, **fields}


def compound(**fields: Any) -> dict[str, Any]:
    return {"state": "Running", "jobId": JOB, "children_num": 5, "children_hist": {"Done": 2, "Waiting": 3}, **fields}


STATUS = f"""\
*************************************************************
BOOKKEEPING INFORMATION:

Printing status info for the Job: {JOB}
Current Status:     Running
- Nodes information for: 

    Node Name:          A
    Printing status info for the Job: {JOB[:-1]}A
    Current Status:     Done (Success)

    Printing status info for the Job: {JOB[:-1]}
    Current Status:     Waiting

    3 more nodes are not shown.
*************************************************************"""  # noqa: W291


def test_nodes_stand_below_their_compound() -> None:
    record = compound(children_states=[child("A", "Done"), child("", "Waiting")], children_more=3)
    assert show.statuses([record], 0, date) == STATUS


def test_a_node_does_not_repeat_its_parent_and_a_compound_counts_its_nodes() -> None:
    record = compound(children_states=[child("A", "Waiting")], children_more=0)
    told = show.statuses([record], 3, date)
    assert "Nodes:              5 (3 Waiting, 2 Done)\n" in told
    assert not any(word in told for word in ("Parent Job", "more nodes", "Children states", "Node name"))
    assert "Nodes:" not in show.statuses([child("A", "Waiting")], 1, date)


def test_what_moves_is_the_state_and_the_histogram() -> None:
    assert show.moved(compound()) == "Running  (3 Waiting, 2 Done)"
    assert show.moved(child("A", "Ready")) == "Ready"


def test_the_document_of_a_status_has_the_nodes_by_name() -> None:
    told = documents.status(compound(children_states=[child("A", "Done"), child("", "Waiting")], children_more=3), date)
    assert {name: (one["Current Status"], one["jobid"]) for name, one in told["children"].items()} == {
        "A": ("Done (Success)", JOB[:-1] + "A"), JOB[:-1]: ("Waiting", JOB[:-1])}
    assert told["children not shown"] == 3
    assert "children_states" not in told["record"]
    assert "node_name" not in told["children"]["A"]["record"]


# -- output ----------------------------------------------------------------------------------------------


def fetched(name: str, files: int = 1) -> Output:
    return Output(JOB[:-1] + name, f"/d/{name}", "Done", tuple(File(f"f{k}", 1, "0") for k in range(files)), True)


def test_output_of_a_compound() -> None:
    found = Collected(JOB, "/d", 4, "", {"A": fetched("A")}, {"B": Place(JOB, "/d/B")}, open=["C"])
    assert show_nodes.collected(found).splitlines()[2:] == [
        "Output sandbox files for the DAG/Collection :", f"- {JOB}",
        "have been successfully retrieved and stored in the directory:", "/d", "Nodes received: 2 of 4"]
    (missing,) = found.problems()
    assert missing.message == "2 of 4 nodes are not done yet: C and 1 more."
    told = documents.collected(found)
    assert (told["received"], told["not ready"], told["location"]) == (2, 2, "/d")
    assert told["children"]["B"] == {"output_available": 1, "location": "/d/B", "purged": True}


def test_output_of_a_compound_that_failed_is_kept() -> None:
    found = Collected(JOB, "/d", 2, "Aborted", {"A": fetched("A", 0)}, failed={"B": "Aborted"})
    told = show_nodes.collected(found)
    assert f"No output files to be retrieved for the job:\n- {JOB}\nNodes received: 1 of 2\nNode B: Aborted\n" in told
    assert f"job-rescue {JOB} runs again" in told
    assert found.problems() == []


def test_output_that_cannot_be_had_is_a_problem() -> None:
    found = Collected(JOB, "/d", 2, "Done", {"A": fetched("A")}, lost={"B": NotFound("gone")}, warnings=("w",))
    assert [problem.message for problem in found.problems()] == ["gone"]
    told = documents.collected(found)
    assert (told["children"]["B"]["error"]["message"], told["warnings"]) == ("gone", ["w"])


def test_the_map_is_believed_for_its_own_compound_only(tmp_path: Path) -> None:
    assert read_map(str(tmp_path), JOB) == {}
    (tmp_path / MAP).write_text(f"{JOB}\nA {JOB}1 /a b/A\nbroken line\n")
    assert read_map(str(tmp_path), JOB) == {"A": Place(f"{JOB}1", "/a b/A")}
    assert read_map(str(tmp_path), f"{JOB}2") == {}
    (tmp_path / MAP).write_bytes(b"\xff")
    assert read_map(str(tmp_path), JOB) == {}


def test_rescue() -> None:
    told = show_nodes.rescued(JOB, 3, 7, "/ids").splitlines()
    assert told[1] == "Nodes submitted again: 3. Nodes that are done and stay as they are: 7."
    assert told[4:7] == [f"- {JOB}", "The edg_jobId has been saved in the following file:", "/ids"]


# -- submission ------------------------------------------------------------------------------------------


def test_a_saved_state_is_read_behind_its_comments(tmp_path: Path) -> None:
    path = tmp_path / "state"
    path.write_text(f"# Job State Retrieved for today\n#jobId: {JOB}\n[ JobSteps = 3; CurrentStep = 1; UserData = [] ]")
    found = prepare(STEPS, "/", {}, Settings(), attributes={"JobState": read_state(str(path))})
    assert "JobState = [" in found.jdl
    for text in ("[ Executable = 1 ]", "no state"):
        path.write_text(text)
        with pytest.raises(BadInputFile):
            read_state(str(path))


@pytest.mark.parametrize("jdl", ['Executable = "/x";', f'Type = "Collection"; Nodes = {{ [ {STEPS} ] }};'])
def test_a_state_is_for_a_checkpointable_job(jdl: str) -> None:
    with pytest.raises(ArgumentWrong, match="--chkpt is for"):
        prepare(jdl, "/", {}, Settings(), attributes={"JobState": node({"CurrentStep": 1})})


@pytest.mark.parametrize(("wish", "counted"), [("", False), ("PartitionNumber = 2;", True)])
def test_the_service_counts_the_parts_unless_the_user_does(wish: str, counted: bool) -> None:
    jdl = f'JobType = "Partitionable"; JobSteps = 3; Executable = "/x"; {wish}'
    assert prepare(jdl, "/", {}, Settings()).counted is counted
