"""Compounds under kill -9: every node runs exactly once, none that may not, and nothing of them is left open.

WMS_KILL_SEED chooses victims and moments; it is printed, set it to have the same ones again.
"""

from __future__ import annotations

import itertools
import os
import random
import time
from collections.abc import Iterable, Mapping, Sequence

import pytest
import sqlalchemy as sa
from deployment import Deployment, Wmsd, until

from wm.tables import compounds
from wms import config
from wms.engine import make_engine
from wms.errors import Unavailable
from wms.jobid import JobId

SEED = int(os.environ.get("WMS_KILL_SEED") or time.time_ns() % 1_000_000)
PATIENCE_S = 120.0
BETWEEN_S = (0.5, 4.0)
"""Between the readiness of a process and its end."""
WIDTH = 5
Edges = Sequence[tuple[int, int]]


def layers(number: int) -> Edges:
    """Each node reads two of the layer before."""
    rows = [range(first, first + WIDTH) for first in range(0, number, WIDTH)]
    return [(before[parent], after[k]) for before, after in itertools.pairwise(rows)
            for k in range(WIDTH) for parent in {k, (k + 1) % WIDTH}]


def doomed(edges: Edges, failing: int) -> set[int]:
    """What comes after a node."""
    found = {failing}
    while after := {child for parent, child in edges if parent in found} - found:
        found |= after
    return found - {failing}


class Workload:
    """Payloads each leave a line in a file of their node."""

    def __init__(self, deployment: Deployment) -> None:
        deployment.two_ports()
        deployment.configure(ce={"local": {"backend": "local", "slots": 12}},
                             jobadapter={"copy_retries": 8, "copy_first_wait_s": 1})
        self.deployment = deployment
        self.ran = deployment.directory / "ran"
        self.ran.mkdir()

    def _payload(self, more: str = "RetryCount = 3;") -> str:
        script = f"echo $$ >>{self.ran}/${{GLITE_WMS_JOBID##*/}}"
        return f'Executable = "/bin/sh"; Arguments = "-c \'{script}\'"; {more}'

    def flat(self, number: int) -> str:
        return self._submit(f'[ JobType = "Parametric"; Parameters = {number}; {self._payload()} ]')

    def dag(self, number: int, edges: Edges, failing: int = -1) -> str:
        bad = self._payload('RetryCount = 0; ShallowRetryCount = 0; Epilogue = "/bin/false";')
        nodes = " ".join(f"n{k} = [ description = [ {bad if k == failing else self._payload()} ]; ];"
                         for k in range(number))
        pairs = ", ".join(f"{{n{parent}, n{child}}}" for parent, child in edges)
        return self._submit(f'[ Type = "dag"; Nodes = [ {nodes} dependencies = {{ {pairs} }}; ]; ]')

    def _submit(self, jdl: str) -> str:
        with self.deployment.client() as client:
            return client.submit(jdl).job

    def states(self) -> Mapping[str, str]:
        """Of every job on record; nothing while a service is away."""
        try:
            with self.deployment.client() as client:
                return {str(one["jobId"]): str(one["state"]) for one in client.jobs()}
        except Unavailable:
            return {}

    def wait(self, jobs: int) -> None:
        """Until so many jobs are over."""
        def over() -> bool:
            found = self.states()
            return len(found) == jobs and set(found.values()) <= {"Done", "Aborted", "Cancelled"}

        until(over, f"{jobs} jobs to be over", PATIENCE_S)

    def check(self, job: str, expected: str, nodes: Iterable[str]) -> None:
        """The compound and its nodes are in these states; those that are Done or failed themselves ran once."""
        found, parent = self.states(), JobId.parse(job)
        ids = [parent.subjob(None, index) for index, _ in enumerate(nodes)]
        assert [found[str(id)] for id in ids] == list(nodes)
        assert found[job] == expected

    def runs(self, job: str, number: int) -> list[int]:
        """How often the payload of each node was started."""
        files = [self.ran / JobId.parse(job).subjob(None, index).unique for index in range(number)]
        return [file.read_text().count("\n") if file.exists() else 0 for file in files]

    def assert_nothing_is_open(self) -> None:
        until(lambda: not self.deployment.queue(), "the queue to become empty, with nothing buried")
        engine = make_engine(config.load(str(self.deployment.site.config), {}).database_url())
        with engine.connect().execution_options(read_only=True) as conn:
            left = conn.execute(sa.select(compounds).where(sa.or_(
                compounds.c.phase != "over", compounds.c.number != compounds.c.released,
                compounds.c.number != compounds.c.done + compounds.c.failed + compounds.c.cancelled))).all()
        engine.dispose()
        assert left == []


def kill(deployment: Deployment, process: Wmsd, chance: random.Random, *names: str) -> Wmsd:
    """At a moment of chance; another one, ready, in its place."""
    time.sleep(chance.uniform(*BETWEEN_S))
    process.kill()
    return deployment.start(*names)


@pytest.mark.timeout(2 * PATIENCE_S)
def test_a_suite_that_is_killed_runs_every_node_once(deployment: Deployment) -> None:
    print(f"WMS_KILL_SEED={SEED}")
    work, chance, edges = Workload(deployment), random.Random(SEED), layers(25)
    suite = deployment.start()
    flat, dag = work.flat(40), work.dag(25, edges)
    for _ in range(3):
        suite = kill(deployment, suite, chance)
    work.wait(67)
    work.check(flat, "Done", ["Done"] * 40)
    work.check(dag, "Done", ["Done"] * 25)
    assert (work.runs(flat, 40), work.runs(dag, 25)) == ([1] * 40, [1] * 25)
    work.assert_nothing_is_open()


@pytest.mark.timeout(2 * PATIENCE_S)
def test_daemons_that_are_killed_on_postgresql_run_every_node_once(postgresql: str, deployment: Deployment) -> None:
    print(f"WMS_KILL_SEED={SEED}")
    work, chance, edges = Workload(deployment), random.Random(SEED), layers(15)
    deployment.configure(database=postgresql)
    deployment.migrate()
    processes = deployment.start_apart()
    flat, dag = work.flat(30), work.dag(15, edges, failing=6)
    for name in chance.sample(("wm", "ns", "jobadapter"), 3):
        processes[name] = kill(deployment, processes[name], chance, name)
    work.wait(47)
    after = doomed(edges, 6)
    work.check(flat, "Done", ["Done"] * 30)
    work.check(dag, "Aborted", ["Aborted" if k in after or k == 6 else "Done" for k in range(15)])
    assert (work.runs(flat, 30), work.runs(dag, 15)) == ([1] * 30, [int(k not in after) for k in range(15)])
    work.assert_nothing_is_open()
