"""The kill test: every second a daemon chosen at random is killed while jobs come in; each job runs exactly once.

WMS_KILL_SEED chooses the victims; it is printed, set it to have the same ones again.
"""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import pytest
from deployment import NAMES, Deployment, until

from wms.errors import TimedOut, Unavailable

SEED = int(os.environ.get("WMS_KILL_SEED") or time.time_ns() % 1_000_000)
EVERY_S = 1.0
SUBMITTERS = 2
PATIENCE_S = 140.0
PATIENT = {"copy_retries": 8, "copy_first_wait_s": 1}
"""A job whose output cannot be delivered within the wrapper's patience is run again, as its RetryCount allows:
so that patience must be greater than the longest time for which the Network Server is dead at each try."""


class Killer:
    """Kills one of the daemons every second, starts it again at once."""

    def __init__(self, deployment: Deployment, seed: int) -> None:
        self._deployment = deployment
        self._random = random.Random(seed)
        self._ended = Event()
        self._processes = deployment.start_apart()
        self.victims: Counter[str] = Counter()

    @contextmanager
    def at_work(self) -> Iterator[None]:
        thread = Thread(target=self._work)
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            thread.join()

    def _work(self) -> None:
        while not self._ended.wait(EVERY_S):
            name = self._random.choice(NAMES)
            self._processes[name].kill()
            self._processes[name] = self._deployment.spawn(name)
            self.victims[name] += 1

    def failures(self) -> Counter[str]:
        """What the daemons logged with a traceback."""
        lines = [line for process in self._processes.values() for line in process.lines()]
        return Counter(f"{line['message']}\n{line['traceback']}" for line in lines if "traceback" in line)


def submit(deployment: Deployment, jdl: str, count: int) -> tuple[list[str], int]:
    """Submit that many jobs, each again until it is answered; their identifiers, and how many calls were left
    without an answer: each of these may have made one job more.
    """
    jobs, unanswered = list[str](), 0
    with deployment.client() as client:
        while len(jobs) < count:
            try:
                jobs.append(client.submit(jdl).job)
            except Unavailable as error:
                unanswered += isinstance(error, TimedOut)
                time.sleep(0.1)
    return jobs, unanswered


def submit_all(deployment: Deployment, jdl: str, count: int) -> tuple[set[str], int]:
    with ThreadPoolExecutor(SUBMITTERS) as threads:
        parts = [threads.submit(submit, deployment, jdl, count // SUBMITTERS) for _ in range(SUBMITTERS)]
        results = [part.result() for part in parts]
    return {job for jobs, _ in results for job in jobs}, sum(unanswered for _, unanswered in results)


def states(deployment: Deployment) -> dict[str, str]:
    """The state of every job on record; nothing while LB is away."""
    try:
        with deployment.client() as client:
            return {str(status["jobId"]): str(status["state"]) for status in client.jobs()}
    except Unavailable:
        return {}


def history(deployment: Deployment, job: str) -> str:
    """What happened to a job, one event a line."""
    with deployment.client() as client:
        events = client.events(job)
    return "\n".join([job, *map(str, events)])


def done(deployment: Deployment) -> int:
    return Counter(states(deployment).values())["Done"]


def endure(deployment: Deployment, count: int, kills: int) -> None:
    """Submit `count` jobs while daemons are killed, until most are done or there were `kills`; then look."""
    print(f"WMS_KILL_SEED={SEED}")
    began = time.monotonic()

    def tell(what: str) -> None:
        print(f"{time.monotonic() - began:6.1f} s: {what}", flush=True)

    ran = deployment.directory / "ran"
    ran.mkdir()
    jdl = Path(deployment.jdl(f"echo $$ >>{ran}/${{GLITE_WMS_JOBID##*/}}")).read_text()
    killer = Killer(deployment, SEED)
    tell("six daemons are ready")
    with killer.at_work():
        submitted, unanswered = submit_all(deployment, jdl, count)
        tell(f"{count} jobs submitted, {unanswered} calls without answer; killed {dict(killer.victims)}")
        until(lambda: done(deployment) >= count * 9 // 10 or killer.victims.total() >= kills, "most to be done")
    tell(f"{done(deployment)} done; killed {dict(killer.victims)}")
    until(lambda: set(states(deployment).values()) == {"Done"}, "all to be done", PATIENCE_S)
    jobs = set(states(deployment))
    tell(f"all {len(jobs)} done")

    assert jobs >= submitted
    assert len(jobs) <= len(submitted) + unanswered
    runs = {path.name: path.read_text().count("\n") for path in ran.iterdir()}
    not_once = [job for job in jobs if runs.pop(job.rpartition("/")[2], 0) != 1]
    assert not not_once, "\n\n".join(history(deployment, job) for job in not_once)
    assert not runs, "payloads of jobs that are not on record"
    until(lambda: not deployment.queue(), "the queue to become empty, with nothing buried")
    assert not killer.failures()


def patient(deployment: Deployment) -> None:
    """A job whose output cannot be delivered is run again, as its RetryCount allows: so the wrapper's patience
    must be greater than the longest time for which it meets a dead Network Server at each try.
    """
    deployment.two_ports()
    deployment.configure(ce={"local": {"backend": "local", "slots": 12}},
                         jobadapter={"copy_retries": 8, "copy_first_wait_s": 1})


@pytest.mark.timeout(2 * PATIENCE_S)
def test_killed_daemons_lose_no_job_and_run_none_twice(deployment: Deployment) -> None:
    patient(deployment)
    endure(deployment, 100, kills=24)


@pytest.mark.timeout(2 * PATIENCE_S)
def test_nor_on_postgresql(postgresql: str, deployment: Deployment) -> None:
    patient(deployment)
    deployment.configure(database=postgresql)
    deployment.migrate()
    endure(deployment, 40, kills=12)


@pytest.mark.soak
@pytest.mark.timeout(4 * PATIENCE_S)
def test_nor_when_they_are_killed_for_minutes(deployment: Deployment) -> None:
    patient(deployment)
    endure(deployment, 400, kills=90)
