"""A storm over a whole service: jobs come in and are cancelled while daemons are killed; then everything is counted.

WMS_STORM_SEED chooses the victims and their moments; it is printed, set it to have the same ones again.
"""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any
from zlib import adler32

import sqlalchemy as sa

from clients.api import Client
from lb.tables import events as lb_events
from lb.tables import jobs as lb_jobs
from tests.e2e.deployment import LOOK_S, NAMES, Deployment, Wmsd, until
from wms import config
from wms.engine import make_engine
from wms.errors import TimedOut, Unavailable, WmsError
from wms.event import EVENT_TYPES
from wms.jobstatus import DoneCode, JobState

SEED = int(os.environ.get("WMS_STORM_SEED") or time.time_ns() % 1_000_000)
SUBMITTERS = 2
INSISTENCE_S = 300.0
NODES = 50
"""Of one collection."""
PAYLOAD = """\
file="$1/${GLITE_WMS_JOBID##*/}"
for before in $(sed -n 's/^start //p' "$file" 2>/dev/null); do
    kill -0 "$before" 2>/dev/null && echo "beside $before" >>"$file"
done
echo "start $$" >>"$file"
sleep "$2" || exit
echo "end $$" >>"$file"
"""
"""Counts its starts, and tells if an earlier one of the same job still runs."""


class Storm:
    """One service under a storm. `ran`: the directory in which payloads count their starts."""

    def __init__(self, deployment: Deployment, ran: Path) -> None:
        self.deployment, self.ran = deployment, ran
        self.chance = random.Random(SEED)
        self.victims: Counter[str] = Counter()
        self.cancelled: set[str] = set()
        """Jobs whose cancellation was accepted."""
        self.lasting: set[str] = set()
        """Jobs that end only if they are cancelled."""
        self.submitted: set[str] = set()
        self.expected = 0
        self.unanswered = 0
        self._began = time.monotonic()
        self._lock = Lock()
        self._calm = Event()
        self._processes: dict[str, Wmsd] = {}
        self._engine = make_engine(config.load(str(deployment.site.config), {}).database_url())

    def tell(self, what: str) -> None:
        print(f"{time.monotonic() - self._began:6.1f} s: {what}", flush=True)

    def close(self) -> None:
        self._engine.dispose()

    # -- daemons -----------------------------------------------------------------------------------------

    def start(self, jobs: int, names: Sequence[str] = NAMES) -> None:
        """`jobs`: so many are going to be submitted. `names`: those of the daemons that run from the beginning."""
        print(f"WMS_STORM_SEED={SEED}")
        self.expected = jobs
        self._processes = {name: self.deployment.spawn(name) for name in names}
        ready(self.deployment)
        self.tell(f"{len(names)} daemons are ready")

    def join(self, name: str) -> None:
        """Another daemon, ready."""
        self._processes[name] = self.deployment.spawn(name)
        ready(self.deployment)

    @contextmanager
    def killing(self, most_s: float, dead_s: float = 1.0) -> Iterator[None]:
        """At most so many seconds after all are ready one is killed, or two, and stays dead for at most `dead_s`."""
        self._calm.clear()
        chance = random.Random(self.chance.random())

        def work() -> None:
            while not self._calm.wait(LOOK_S):
                if all(process.is_ready for process in self._processes.values()):
                    self._calm.wait(chance.uniform(0.0, most_s))
                    self.kill(chance.sample(NAMES, chance.choice((1, 1, 2))), chance.uniform(0.0, dead_s))

        thread = Thread(target=work)
        thread.start()
        try:
            yield
        finally:
            self._calm.set()
            thread.join()

    def kill(self, names: Sequence[str], dead_s: float = 0.0) -> None:
        """With SIGKILL, and start them again after a while."""
        for name in names:
            self._processes[name].kill()
        time.sleep(dead_s)
        for name in names:
            self._processes[name] = self.deployment.spawn(name)
            self.victims[name] += 1

    def failures(self) -> Counter[str]:
        """What the daemons logged with a traceback."""
        lines = [line for process in self._processes.values() for line in process.lines()]
        return Counter(f"{line['message']}\n{line['traceback']}" for line in lines if "traceback" in line)

    # -- jobs --------------------------------------------------------------------------------------------

    def submit(self, jdls: Sequence[str]) -> set[str]:
        """By several clients, each again until it is answered; their identifiers."""
        with ThreadPoolExecutor(SUBMITTERS) as threads:
            made = threads.map(self._submit, [jdls[first::SUBMITTERS] for first in range(SUBMITTERS)])
            return {job for jobs in made for job in jobs}

    def _submit(self, jdls: Sequence[str]) -> list[str]:
        made: list[str] = []
        with self.deployment.client() as client:
            for jdl in jdls:
                made.append(self._insist(partial(_submitted, client, jdl)))
        with self._lock:
            self.submitted.update(made)
        return made

    def _insist(self, ask: Callable[[], str]) -> str:
        """Ask until there is an answer."""
        return until(partial(self._answer, ask), "an answer", INSISTENCE_S)

    def _answer(self, ask: Callable[[], str]) -> str:
        """Empty if there is none; what was asked for may be done for all that."""
        try:
            return ask()
        except Unavailable as error:
            with self._lock:
                self.unanswered += isinstance(error, TimedOut)
            time.sleep(0.1)
            return ""

    def submit_collections(self, jdl: str, count: int) -> None:
        """So many jobs, as nodes."""
        sizes = [min(NODES, count - first) for first in range(0, count, NODES)]
        self.submit([f"[Type = \"Collection\"; Nodes = {{{', '.join([jdl] * size)}}};]" for size in sizes])

    def cancel(self, jobs: Iterable[str]) -> None:
        """Ask until there is an answer; a job that is over already refuses."""
        with self.deployment.client() as client:
            for job in jobs:
                if self._insist(partial(_cancelled, client, job)) == "cancelled":
                    self.cancelled.add(job)

    # -- looking -----------------------------------------------------------------------------------------

    def states(self, *types: str) -> dict[str, str]:
        """The state of each job on record, by the unique part of its identifier; Done is a good end."""
        columns = (lb_jobs.c.job, lb_jobs.c.state, lb_jobs.c.done_code)
        chosen = sa.select(*columns).where(lb_jobs.c.type.in_(types or ("SIMPLE",)))
        return {job: "Failing" if (state, code) == (JobState.DONE.code, DoneCode.FAILED) else STATES[state]
                for job, state, code in map(tuple, self._rows(chosen))}

    def _rows(self, chosen: sa.Select[Any]) -> list[sa.Row[Any]]:
        with self._engine.connect().execution_options(read_only=True) as connection:
            return list(connection.execute(chosen))

    def over(self) -> int:
        return sum(state in FINAL for state in self.states().values())

    def is_settled(self) -> bool:
        return set(self.states("SIMPLE", "COLLECTION").values()) <= set(FINAL)

    def pick(self, state: str, count: int) -> list[str]:
        """Some jobs that are in this state now, none of them cancelled yet."""
        server = next(iter(self.submitted)).rpartition("/")[0]
        found = [f"{server}/{id}" for id, now in sorted(self.states().items()) if now == state]
        found = [job for job in found if job not in self.cancelled and job not in self.lasting]
        picked = self.chance.sample(found, min(count, len(found)))
        self.tell(f"{len(picked)} that are {state} are to be cancelled")
        return picked

    def any(self, count: int) -> list[str]:
        """Some of those that came in just now, whatever has become of them."""
        fresh = sorted(self.submitted - self.lasting - self.cancelled)
        return self.chance.sample(fresh, min(count, len(fresh)))

    def ends(self) -> dict[str, int]:
        """How many events of LB tell of an end, of jobs with more than one."""
        chosen = sa.select(lb_jobs.c.job, sa.func.count()).join(lb_events, lb_events.c.job == lb_jobs.c.id).where(
            lb_jobs.c.type == "SIMPLE", lb_events.c.type.in_(ENDS)).group_by(lb_jobs.c.job).having(sa.func.count() > 1)
        return {row[0]: row[1] for row in self._rows(chosen)}

    def history(self, job: str) -> str:
        """What happened to a job, one event a line."""
        with self.deployment.client() as client:
            told = [{name: event[name] for name in ("type", "source", "timestamp", "fields")} for event in
                    client.events(job)]
        return "\n".join([job, *map(str, told)])

    def runs(self) -> dict[str, list[str]]:
        """What payloads wrote down, by the unique part of the job's identifier."""
        return {path.name: path.read_text().splitlines() for path in self.ran.iterdir()}

    def summary(self) -> str:
        starts = Counter(said.startswith("start") for lines in self.runs().values() for said in lines)[True]
        killed = f"killed {dict(self.victims)}" if self.victims else "nobody was killed"
        return f"{dict(Counter(self.states().values()))}, {starts} starts, {killed}"

    def check_jobs(self) -> None:
        """Each is on record, is over as it should be, and ran as often as it should."""
        states, runs = self.states(), self.runs()
        assert len(states) <= self.expected + NODES * self.unanswered
        assert len(states) >= self.expected
        cancelled = {job.rpartition("/")[2] for job in self.cancelled}
        lasting = {job.rpartition("/")[2] for job in self.lasting}
        wrong = {job: why for job, state in states.items() if (why := _wrong(
            state, runs.pop(job, []), job in cancelled, job in lasting))}
        server = next(iter(self.submitted)).rpartition("/")[0]
        stories = "\n\n".join(f"{why}\n{self.history(f'{server}/{job}')}" for job, why in list(wrong.items())[:3])
        assert not wrong, f"{len(wrong)} jobs:\n{stories}"
        assert not runs, "payloads of jobs that are not on record"


def _wrong(state: str, said: Sequence[str], cancelled: bool, lasting: bool) -> str:
    """What is wrong with a job that is over; empty if nothing is."""
    starts, ends = (sum(line.startswith(word) for line in said) for word in ("start", "end"))
    if any(line.startswith("beside") for line in said):
        return f"two payloads at a time: {said}"
    if state == "Done" and (starts, ends) == (1, 1) and not lasting:
        return ""
    if state == "Cancelled" and cancelled and starts <= 1 and not (ends and lasting):
        return ""
    return f"{state}, {'cancelled' if cancelled else 'not cancelled'}: {said}"


def becomes_empty(look: Callable[[], Sequence[object]], what: str) -> None:
    """Within a while; else it fails with what is left."""
    end = time.monotonic() + INSISTENCE_S
    while (left := look()) and time.monotonic() < end:
        time.sleep(LOOK_S)
    assert not left, f"{what}: {left[:20]}"


def ready(deployment: Deployment) -> None:
    """Wait until all that was spawned is ready, on however busy a machine."""
    until(lambda: all(process.is_ready for process in deployment.running), "all daemons to be ready", INSISTENCE_S)


def _submitted(client: Client, jdl: str) -> str:
    return client.submit(jdl).job


def _cancelled(client: Client, job: str) -> str:
    try:
        client.cancel(job)
    except Unavailable:
        raise
    except WmsError as refused:
        return refused.code
    return "cancelled"


def payload(ran: Path, seconds: float, text: str = PAYLOAD) -> str:
    """The description of a job that counts its start in a file of its own in `ran`, and lasts so long."""
    program = ran.parent / f"payload-{adler32(text.encode()):x}.sh"
    program.write_text(text)
    return (f'[Executable = "/bin/sh"; Arguments = "{program} {ran} {seconds:g}"; StdOutput = "out"; '
            'OutputSandbox = {"out"};]')


STATES = {state.code: state.value for state in JobState}
FINAL = ("Done", "Cancelled", "Aborted", "Cleared")
ENDS = [EVENT_TYPES[name].code for name in ("Done", "Abort")]
