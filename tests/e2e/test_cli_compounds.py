"""Compound jobs as a user types them: nodes by name, output that comes in parts, nodes cancelled alone, states."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from deployment import Deployment, until
from people import Person, owner

from wms.jobid import JobId

ECHO = 'Executable = "/bin/echo"; Arguments = "hello"; StdOutput = "out"; OutputSandbox = {"out"};'
SLEEP = 'Executable = "/bin/sleep"; Arguments = "600";'
COLLECTION = f'[ Type = "Collection"; Nodes = {{ [ NodeName = "quick"; {ECHO} ], [ NodeName = "slow"; {SLEEP} ] }} ]'
DAG = (f'[ Type = "dag"; Nodes = [ quick = [ description = [ {ECHO} ] ]; slow = [ description = [ {SLEEP} ] ];'
       f' last = [ description = [ {ECHO} ] ]; dependencies = {{ {{ {{ quick, slow }}, last }} }}; ] ]')
STEPS = """\
JobType = "Checkpointable"; JobSteps = 3; Executable = "/bin/sh"; StdOutput = "out"; OutputSandbox = {"out"};
Arguments = "-c 'while wms-chkpt step; do wms-chkpt next; wms-chkpt save; done'";
"""


@pytest.fixture(scope="module")
def service(pattern: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    with pattern.copy(tmp_path_factory.mktemp("compounds") / "wms") as made:
        made.configure(ce={"local": {"backend": "local", "slots": 6}})
        made.start()
        yield made


@pytest.fixture(scope="module")
def user(service: Deployment) -> Person:
    return owner(service, service.directory / "home")


def status(user: Person, job: str) -> dict[str, Any]:
    return dict(user.sees("job-status", "--json", job).document["jobs"][job])


def states(user: Person, job: str) -> dict[str, str]:
    """The states of the nodes by name."""
    return {name: child["Current Status"] for name, child in status(user, job)["children"].items()}


def half_done(user: Person, jdl: str) -> str:
    """A compound whose node `quick` is done while `slow` runs."""
    job = user.submits(jdl)
    until(lambda: (found := states(user, job))["quick"] == "Done (Success)" and found["slow"] == "Running", "quick")
    return job


def ended(user: Person, job: str) -> str:
    user.sees("job-status", "--watch", "--nonodes", job)
    return job


def test_status_tells_of_the_nodes(user: Person) -> None:
    job = half_done(user, DAG)
    told = user.sees("job-status", job).out
    head, below = told.split("- Nodes information for: \n")
    assert "Current Status:     Running\nNodes:              3 (1 Submitted, 1 Running, 1 Done)\n" in head
    assert [line.split()[-1] for line in below.splitlines() if "Node Name:" in line] == ["quick", "slow", "last"]
    assert below.count("    Current Status:     ") == 3
    assert "Parent Job" not in below
    node = status(user, job)["children"]["slow"]["jobid"]
    assert node == str(JobId.parse(job).subjob(None, 1))
    assert f"Parent Job:         {job}" in user.sees("job-status", node).out
    assert "Nodes information" not in user.sees("job-status", "--nonodes", job).out
    user.sees("job-cancel", "--noint", job)
    watched = user.sees("job-status", "--watch", job).out.splitlines()
    assert any(line.endswith("Cancelled  (1 Done, 2 Cancelled)") for line in watched)
    assert states(user, job) == {"quick": "Done (Success)", "slow": "Cancelled", "last": "Cancelled"}


def test_output_comes_in_parts_and_never_twice(user: Person) -> None:
    job = half_done(user, COLLECTION)
    place = user.home / "parts" / JobId.parse(job).unique
    said = user.is_refused("NS_JOB_OUTPUT_NOT_READY", "job-output", "--noint", "--dir", "parts", job, status=255)
    assert "1 of 2 nodes are not done yet: slow." in said
    assert (place / "quick" / "out").read_text() == "hello\n"
    assert states(user, job)["quick"] == "Cleared"
    again = user.types("job-output", "--json", "--dir", "parts", job)
    assert (again.status, again.document["result"]) == (255, "partial")
    assert again.document["jobs"][job]["not ready"] == 1

    user.sees("job-cancel", "--noint", status(user, job)["children"]["slow"]["jobid"])
    ended(user, job)
    told = user.sees("job-output", "--noint", "--dir", "parts", job).out
    assert f"{job}\nhave been successfully retrieved and stored in the directory:\n{place}\n" in told
    assert "Nodes received: 1 of 2\nNode slow: Cancelled" in told
    lines = (place / "ids_nodes.map").read_text().splitlines()
    assert lines == [job, f"quick {JobId.parse(job).subjob(None, 0)} {place / 'quick'}"]
    user.is_refused("NS_JOB_OUTPUT_RETRIEVED", "job-output", "--noint", "--dir", "parts", job)


def test_what_a_dag_that_goes_on_may_need_is_kept(user: Person) -> None:
    job = half_done(user, DAG)
    said = user.is_refused("NS_JOB_OUTPUT_NOT_READY", "job-output", "--noint", "--dir", "dag", job, status=255)
    assert "2 of 3 nodes are not done yet: slow and 1 more." in said
    assert states(user, job)["quick"] == "Done (Success)"
    file = user.home / "dag" / JobId.parse(job).unique / "quick" / "out"
    before = file.stat().st_ino
    user.types("job-output", "--noint", "--dir", "dag", job)
    assert file.stat().st_ino == before

    last = status(user, job)["children"]["last"]["jobid"]
    assert job in user.is_refused("NS_NO_SUCH_JOB", "job-cancel", "--noint", last)
    user.sees("job-cancel", "--noint", job)
    user.is_refused("NS_JOB_CANCEL_NOT_ALLOWED", "job-cancel", "--noint", ended(user, job))


def test_nothing_of_a_compound_is_ready(user: Person) -> None:
    job = user.submits(f'[ Type = "Collection"; Nodes = {{ [ {SLEEP} ] }} ]')
    user.is_refused("NS_JOB_OUTPUT_NOT_READY", "job-output", "--noint", "--dir", "none", job)
    assert not (user.home / "none" / JobId.parse(job).unique).exists()
    user.sees("job-cancel", "--noint", job)
    user.is_refused("NS_JOB_OUTPUT_NOT_ALLOWED", "job-output", "--noint", "--dir", "none", ended(user, job))


def test_more_nodes_than_are_shown(user: Person) -> None:
    job = user.submits(f'JobType = "Parametric"; Parameters = 1003; {SLEEP} Requirements = false;')
    told = user.sees("job-status", job).out
    assert "Node_999\n" in told
    assert "Node_1000\n" not in told
    assert "    3 more nodes are not shown." in told
    user.sees("job-cancel", "--noint", job)


def test_a_compound_has_no_destination(user: Person) -> None:
    user.writes("dag.jdl", DAG)
    assert "DAG type is not supported for list match" in user.is_refused("UI_ARG_MISMATCH", "job-list-match", "dag.jdl")


def test_another_job_goes_on_from_a_saved_state(user: Person) -> None:
    user.sees("job-get-chkpt", "--cs", "1", "-o", "state", ended(user, user.submits(STEPS)))
    job = ended(user, user.submits(STEPS, "--chkpt", "state"))
    user.sees("job-output", "--noint", "--dir", "steps", job)
    assert (user.home / "steps" / JobId.parse(job).unique / "out").read_text() == "2\n"


def test_states_are_for_checkpointable_jobs(user: Person) -> None:
    user.writes("state", "[ StateId = \"x\"; JobSteps = 3; CurrentStep = 1; UserData = [] ]")
    user.writes("echo.jdl", ECHO)
    said = user.is_refused("UI_ARG_MISMATCH", "job-submit", "--chkpt", "state", "echo.jdl", status=2)
    assert "--chkpt is for checkpointable jobs." in said
    user.is_refused("UI_BAD_INPUT_FILE", "job-submit", "--chkpt", "echo.jdl", user.writes("steps.jdl", STEPS))
    user.writes("state", "[ StateId = \"x\"; JobSteps = 3; CurrentStep = 7; UserData = [] ]")
    user.is_refused("UI_ARG_MISMATCH", "job-submit", "--chkpt", "state", "steps.jdl")


def test_only_an_ended_compound_is_rescued(user: Person) -> None:
    job = half_done(user, COLLECTION)
    assert "has not ended" in user.is_refused("NS_OPERATION_NOT_ALLOWED", "job-rescue", job)
    user.sees("job-cancel", "--noint", job)
    again = user.sees("job-rescue", "--json", ended(user, job)).document
    assert (again["nodes"], again["kept"], again["rescued"]) == (1, 1, job)
    assert list(states(user, again["jobid"])) == ["slow"]
    user.sees("job-cancel", "--noint", again["jobid"])
    user.is_refused("NS_OPERATION_NOT_ALLOWED", "job-rescue", user.submits(ECHO))


def test_all_my_jobs_are_without_nodes_unless_something_is_looked_for(user: Person) -> None:
    job = user.submits(f'JobType = "Parametric"; Parameters = 3; {SLEEP} UserTags = [ point = "p_PARAM_" ];')
    until(lambda: set(states(user, job).values()) == {"Running"}, "three nodes")
    every = user.sees("job-status", "--all", "--json").document["jobs"]
    assert job in every
    assert not [one for one in every.values() if "Parent Job" in one]
    (found,) = user.sees("job-status", "--all", "--user-tag", "point=p1", "--json").document["jobs"]
    assert found == str(JobId.parse(job).subjob(None, 1))
    cancelled = user.sees("job-cancel", "--noint", "--all").out
    assert job in cancelled
    assert found not in cancelled


def test_a_misspelled_attribute_of_a_node_is_told_of_once(user: Person) -> None:
    odd = f'[ {ECHO} Argument = "x" ]'
    user.writes("odd.jdl", f'[ Type = "Collection"; Nodes = {{ {odd}, {odd} }} ]')
    assert user.sees("job-submit", "odd.jdl").err.count("did you mean 'Arguments'?") == 1
