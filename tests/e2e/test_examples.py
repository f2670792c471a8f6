"""Every example as a user submits it to a suite of one's own: it runs, and its output is what its comment promises."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from deployment import REPOSITORY, Deployment
from people import Person, owner

from wms.jobid import JobId

EXAMPLES = REPOSITORY / "examples"
ELSEWHERE = {"nowhere.jdl", "sleeps.jdl", "interactive.jdl"}
"""What never ends by itself, or talks: the tour runs these."""
DAGMAN = "diamond.dag"


@pytest.fixture(scope="module")
def service(pattern: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    with pattern.copy(tmp_path_factory.mktemp("examples") / "wms") as made:
        storage = made.directory / "storage.yaml"
        storage.write_text(storage.read_text().replace(str(pattern.directory), str(made.directory)))
        made.start()
        yield made


@pytest.fixture(scope="module")
def user(service: Deployment) -> Person:
    person = owner(service, service.directory / "home")
    shutil.copytree(EXAMPLES, person.home, dirs_exist_ok=True)
    return person


@pytest.fixture(scope="module")
def jobs(user: Person) -> dict[str, str]:
    """All examples, submitted one after the other; they run side by side."""
    names = sorted(path.name for path in EXAMPLES.glob("*.jdl") if path.name not in ELSEWHERE)
    found = {name: user.submits(name) for name in names}
    found[DAGMAN] = user.sees("job-submit", "--nomsg", "--dagman", DAGMAN).out.strip()
    return found


def ended(user: Person, job: str) -> str:
    """The last word of job-status about a job, once it is over."""
    user.sees("job-status", "--watch", "--nonodes", job)
    return str(user.sees("job-status", "--json", "--nonodes", job).document["jobs"][job]["Current Status"])


def output(user: Person, job: str) -> Path:
    """The directory of a job that was done well."""
    assert ended(user, job) == "Done (Success)"
    user.sees("job-output", "--noint", "--dir", "out", job)
    return user.home / "out" / JobId.parse(job).unique


def test_every_example_says_what_it_shows() -> None:
    for path in [*EXAMPLES.glob("*.jdl"), *EXAMPLES.glob("*.dag"), *EXAMPLES.glob("*.sub")]:
        assert path.name == "test.jdl" or path.read_text().startswith("# "), path


@pytest.mark.parametrize(("name", "file", "text"), [
    ("test.jdl", "std.out", "Hello from "),
    ("pi.jdl", "result.txt", "pi = 3.1"),
    ("data.jdl", "data.out", "385\n"),
    ("checkpoint.jdl", "steps.out", "step mon, sum 3\nstep tue, sum 6\nstep wed, sum 9\nstep thu, sum 12\n"),
    ("mpi.jdl", "mpi.out", "one of the processes\none of the processes\n"),
])
def test_a_single_job(user: Person, jobs: dict[str, str], name: str, file: str, text: str) -> None:
    assert text in (output(user, jobs[name]) / file).read_text()


def test_a_program_that_fails_is_done_with_its_exit_code(user: Person, jobs: dict[str, str]) -> None:
    assert ended(user, jobs["fails.jdl"]) == "Done (Exit Code !=0)"


def test_a_parametric_job_gives_a_directory_for_each_value(user: Person, jobs: dict[str, str]) -> None:
    found = output(user, jobs["parametric.jdl"])
    assert {path.name for path in found.iterdir()} == {"ids_nodes.map", *(f"Node_{seed}" for seed in range(1, 21))}
    assert len({(found / f"Node_{seed}" / "result.txt").read_text() for seed in range(1, 21)}) > 10  # chance is chance
    for seed in range(1, 21):
        assert f", seed {seed}\n" in (found / f"Node_{seed}" / "pi.out").read_text()
    assert "circle 7 on" in (found / "Node_7" / "pi.out").read_text()


def test_a_collection_shares_its_file(user: Person, jobs: dict[str, str]) -> None:
    found = output(user, jobs["collection.jdl"])
    assert (found / "points" / "points.out").read_text() == (EXAMPLES / "parameters.txt").read_text()
    assert (found / "lines" / "lines.out").read_text() == "1 parameters.txt\n"
    assert (found / "hello" / "std.out").read_text().startswith("Hello from ")


def test_a_partitionable_job_gathers_what_its_parts_did(user: Person, jobs: dict[str, str]) -> None:
    found = output(user, jobs["partition.jdl"])
    squares = [f"{step} {step * step}\n" for step in range(12)]
    assert [(found / f"Partition_{part}" / "part.out").read_text() for part in range(3)] == [
        "".join(squares[part * 4:part * 4 + 4]) for part in range(3)]
    assert (found / "Postjob" / "all.out").read_text() == "".join(squares)
    assert (found / "Prejob" / "pre.out").read_text() == "twelve steps\n"


def test_a_dag_of_dagman(user: Person, jobs: dict[str, str]) -> None:
    found = output(user, jobs[DAGMAN])
    assert [(found / node / "total.out").read_text() for node in ("left", "right")] == ["column 1\n", "column 2\n"]


def test_a_dag_that_fails_is_rescued(user: Person, jobs: dict[str, str]) -> None:
    job = jobs["dag.jdl"]
    assert ended(user, job) == "Aborted"
    nodes = user.sees("job-status", "--json", job).document["jobs"][job]["children"]
    assert {name: node["Current Status"] for name, node in nodes.items()} == {
        "numbers": "Done (Success)", "square": "Done (Success)", "scale": "Aborted", "sum": "Aborted"}
    assert nodes["sum"]["Status Reason"] == "parents have aborted"
    kept = user.sees("job-output", "--noint", "--dir", "out", job)
    assert "Node scale: Aborted\nNode sum: did not run\nEverything is kept on the service: job-rescue" in kept.out

    (user.service.directory / "storage" / "scale.txt").write_text("2.5\n")
    told = user.sees("job-rescue", "-o", "rescued", job)
    assert "Nodes submitted again: 2. Nodes that are done and stay as they are: 2." in told.out
    again = (user.home / "rescued").read_text().splitlines()[-1]
    assert f"- {again}\n" in told.out
    found = output(user, again)
    assert (found / "sum" / "sums").read_text() == "1\t2.5\n4\t5\n9\t7.5\n16\t10\n"
    assert user.sees("job-status", again).out.count("Current Status:     Cleared") == 3
