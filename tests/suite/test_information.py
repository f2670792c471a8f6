"""Where the Workload Manager's knowledge of resources comes from, and what happens when a source fails."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.suite.world import World

FILE = """
ces:
  - id: ce.example.org:8443/jobmanager-hand-long
    backend: hand
    attributes: {GlueCEStateStatus: Production, GlueCEPolicyMaxCPUTime: 2880,
                 GlueHostApplicationSoftwareRunTimeEnvironment: [ALICE-3.07.01],
                 GlueCEStateEstimatedResponseTime: 5}
"""
WANTS = ('Executable = "/bin/true"; '
         'Requirements = Member("ALICE-3.07.01", other.GlueHostApplicationSoftwareRunTimeEnvironment);')


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "resources.yaml"
    path.write_text(FILE)
    return path


@pytest.fixture
def informed(tmp_path: Path, file: Path) -> Iterator[World]:
    world = World(tmp_path, files=(str(file),))
    yield world
    world.close()


def test_a_ce_of_the_sites_file_gets_the_jobs_that_want_it(informed: World) -> None:
    job = informed.submit(WANTS)
    assert informed.status(job)["destination"] == "ce.example.org:8443/jobmanager-hand-long"
    assert informed.ce.jobs[informed.token(job)].queue == "long"


def test_a_ce_that_appears_in_the_file_is_offered_the_waiting_jobs(informed: World, file: Path) -> None:
    file.write_text("ces: []")
    informed.advance(11)
    job = informed.submit(WANTS)
    assert informed.state(job) == "Waiting"
    file.write_text(FILE)
    informed.advance(11)
    assert informed.state(job) == "Scheduled"


@pytest.mark.parametrize("broken", ["ces: [", "ces: [{id: no-port}]", "\udcff"])
def test_a_file_that_breaks_keeps_its_last_word(informed: World, file: Path, broken: str) -> None:
    file.write_bytes(broken.encode(errors="surrogateescape"))
    informed.advance(30)
    assert informed.state(informed.submit(WANTS)) == "Scheduled"


def test_a_file_that_is_gone_keeps_its_last_word(informed: World, file: Path) -> None:
    file.unlink()
    informed.advance(30)
    assert informed.state(informed.submit(WANTS)) == "Scheduled"


def test_a_ce_that_falls_silent_is_forgotten_after_a_while(world: World) -> None:
    world.ce.silent = True
    world.advance(50)
    assert world.state(world.submit()) == "Scheduled"
    world.advance(30)
    job = world.submit()
    assert world.state(job) == "Waiting"
    world.ce.silent = False
    world.advance(12)
    assert world.state(job) == "Scheduled"
