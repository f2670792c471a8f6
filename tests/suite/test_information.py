"""Where the Workload Manager's knowledge of resources comes from, and what happens when a source fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.suite.world import HandCe, World
from tests.testbed.glue import Queue, glue13

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


# -- other forms -----------------------------------------------------------------------------------------


def test_a_ce_of_a_dumped_directory_gets_jobs_when_the_sites_file_binds_it(tmp_path: Path) -> None:
    queue = Queue(tags=("ALICE-3.07.01",), rules=())
    (tmp_path / "bdii.ldif").write_text(glue13(queue))
    (tmp_path / "site.json").write_text(f'{{"ces": [{{"id": "{queue.id}", "backend": "hand", "queue": "long"}}]}}')
    world = World(tmp_path, files=(str(tmp_path / "bdii.ldif"), str(tmp_path / "site.json")))
    job = world.submit(WANTS)
    assert world.status(job)["destination"] == queue.id
    assert world.ce.jobs[world.token(job)].queue == "long"
    world.close()


# -- news at once ----------------------------------------------------------------------------------------


@dataclass
class Speaking(HandCe):
    """A CE that says when something changed."""

    wakes: list[Callable[[], None]] = field(default_factory=list)
    free: int = 0
    asked: int = 0

    def watch(self, wake: Callable[[], None]) -> None:
        self.wakes.append(wake)

    def says(self, free: int) -> None:
        self.free = free
        for wake in self.wakes:
            wake()

    async def describe(self) -> list[dict[str, Any]]:
        self.asked += 1
        return [{**told, "GlueCEStateFreeJobSlots": self.free} for told in await super().describe()]


@pytest.fixture
def speaking(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path, Speaking())
    yield world
    world.close()


WANTS_A_SLOT = 'Executable = "/bin/true"; Requirements = other.GlueCEStateFreeJobSlots > 0;'


def test_a_slot_that_becomes_free_gets_a_job_long_before_the_next_look(speaking: World) -> None:
    ce = speaking.ce
    assert isinstance(ce, Speaking)
    job = speaking.submit(WANTS_A_SLOT)
    assert speaking.state(job) == "Waiting"
    ce.says(free=1)
    speaking.advance(1, step=0.05)
    assert speaking.state(job) == "Scheduled"


def test_news_in_a_swarm_are_asked_for_once(speaking: World) -> None:
    ce = speaking.ce
    assert isinstance(ce, Speaking)
    before = ce.asked
    for free in range(100):
        ce.says(free)
    speaking.advance(0.5, step=0.05)
    assert ce.asked == before + 1
