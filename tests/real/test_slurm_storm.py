"""The whole service on a real Slurm in a storm: each job ends once, no payload starts twice, nothing is left behind.

WMS_STORM_JOBS is their number; WMS_STORM_SEED chooses who is killed when. `make soak` takes 1,000.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from batch_system import Slurm, only, slurm
from storm import Storm, becomes_empty, payload

from tests.components import Start
from tests.e2e.deployment import Deployment, belonging_to, until

JOBS = int(os.environ.get("WMS_STORM_JOBS") or 200)
MANY = 1000
LASTING = 8
GHOSTS_S = 15.0
"""A controller that was killed believes in jobs that have ended; from this age on it lets nodes tell it otherwise."""
PATIENCE_S = 900.0


@pytest.fixture(scope="module")
def cluster(start: Start) -> Slurm:
    return slurm(start, "storm", nodes=2, cpus=8)


@pytest.fixture
def storm(cluster: Slurm, workplace: Path) -> Iterator[Storm]:
    ran = workplace / f"ran{time.monotonic_ns()}"
    ran.mkdir()
    with Deployment(workplace / f"wms{time.monotonic_ns()}") as deployment:
        deployment.two_ports()
        only(deployment, cluster=cluster.settings())
        deployment.configure(jobadapter={"copy_retries": 8}, logmonitor={"poll_s": 2.0, "lost_after_s": 10.0})
        deployment.migrate()
        made = Storm(deployment, ran)
        yield made
        made.close()
        cluster.revive()
        cluster.run("scancel", "--quiet", "--user=root")
        until(lambda: not cluster.queue(), "what was left in the queue to be cancelled")


def endure(storm: Storm, cluster: Slurm, jobs: int, end: signal.Signals = signal.SIGTERM) -> None:
    """Half of the jobs come in collections; daemons of both sides are killed from the first to the last.

    `end`: what slurmctld gets the second time.
    """
    short = payload(storm.ran, 0.5)
    storm.start(jobs)
    storm.lasting = storm.submit([payload(storm.ran, 600)] * LASTING)
    with storm.killing(most_s=4.0):
        storm.submit([short] * (jobs // 2 - LASTING))
        storm.cancel(storm.any(jobs // 50))
        storm.submit_collections(short, jobs // 2)
        storm.tell(f"{jobs} submitted, {storm.unanswered} calls without an answer, {storm.over()} over; "
                   f"killed {dict(storm.victims)}")
        storm.cancel(storm.pick("Waiting", jobs // 50) + storm.pick("Ready", jobs // 50))
        until(lambda: storm.over() >= jobs // 10, "a tenth to be over", PATIENCE_S)
        storm.tell(f"{storm.over()} over; slurmctld is stopped")
        cluster.stop("slurmctld")
        storm.cancel(storm.pick("Scheduled", jobs // 50))
        cluster.revive()
        storm.cancel(storm.pick("Running", jobs // 50) + sorted(storm.lasting)[:4])
        until(lambda: storm.over() >= jobs // 3, "a third to be over", PATIENCE_S)
        storm.tell(f"{storm.over()} over; slurmctld gets {end.name}, a slurmd is killed")
        cluster.stop("slurmd-n2", signal.SIGKILL)
        cluster.stop("slurmctld", end)
        storm.cancel(storm.pick("Scheduled", jobs // 50) + storm.pick("Running", jobs // 50))
        cluster.revive()
        if end is signal.SIGKILL:
            time.sleep(GHOSTS_S)
            cluster.run("scontrol", "reconfigure")
        until(lambda: cluster.resume() or storm.over() >= jobs * 9 // 10, "most to be over", PATIENCE_S)
        storm.tell(f"{storm.over()} over; killed {dict(storm.victims)}")
    storm.cancel([job for job in sorted(storm.lasting) if job not in storm.cancelled])
    storm.kill(list(storm.victims))
    until(storm.is_settled, "all to be over", PATIENCE_S)
    storm.tell(f"all {len(storm.states())} over; {storm.summary()}")


def check(storm: Storm, cluster: Slurm, forgetful: bool = False) -> None:
    """A `forgetful` controller believes for long in jobs whose end it had not saved; no process is left of them."""
    storm.check_jobs()
    spool = storm.deployment.site.state / "ce" / "cluster"
    becomes_empty(storm.deployment.queue, "messages")
    becomes_empty(lambda: left_in(spool), "the spool")
    becomes_empty(lambda: list(belonging_to(spool).values()), "processes")
    if forgetful:
        cluster.run("scancel", "--quiet", "--user=root")
    becomes_empty(cluster.queue, "the queue of the batch system")
    assert not storm.failures()


def left_in(spool: Path) -> list[str]:
    """Files of jobs."""
    return sorted(str(path.relative_to(spool)) for path in spool.glob("*/*") if not path.name.startswith(".lock-"))


@pytest.mark.timeout(PATIENCE_S)
def test_each_job_ends_once_and_none_runs_twice(storm: Storm, cluster: Slurm) -> None:
    endure(storm, cluster, JOBS)
    check(storm, cluster)


@pytest.mark.soak
@pytest.mark.timeout(2 * PATIENCE_S)
def test_nor_does_any_of_a_thousand(storm: Storm, cluster: Slurm) -> None:
    endure(storm, cluster, max(JOBS, MANY), signal.SIGKILL)
    check(storm, cluster, forgetful=True)


