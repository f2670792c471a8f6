"""Clients that log events of many jobs over HTTPS and remember exactly what was acknowledged.

What has no answer is sent again until it has one. Not the faults (test_lb_faults) and not the audit (lb_faults_audit).
"""

from __future__ import annotations

import http.client
import random
import ssl
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from threading import Event as Flag
from threading import Lock, Thread
from typing import Any, Self

import msgspec
from deployment import Deployment

from clients import site
from wms.clienttls import client_context
from wms.event import Event, Source, duplicate_key, event
from wms.jobid import JobId
from wms.operations.logging import Logged
from wms.seqcode import START
from wms.ulm import to_ulm
from wms.x509.proxy import certificates, identify

Key = tuple[str, str, str, str, int, str, str, str]
NS, WM, JC = Source.NETWORK_SERVER, Source.WORKLOAD_MANAGER, Source.JOB_CONTROLLER
LM, LRMS, APPLICATION = Source.LOG_MONITOR, Source.LRMS, Source.APPLICATION
ANSWER_S = 4.0
AGAIN_S = 0.1
PATIENCE_S = 90.0
"""A batch that has no answer for so long is a failure."""
PAUSE_S = 0.05
"""After each batch: two cores are shared with the server."""
LARGEST = 80
HANG_UP, REPEAT = 0.02, 0.05
"""How often a client leaves before the answer, and how often it sends again what was acknowledged."""
Step = tuple[Source, str, dict[str, Any]]
REGISTRATION: Step = (NS, "RegJob", {"jobtype": "SIMPLE", "ns": "ns.example", "jdl": "[ Executable = \"a\"; ]"})
ACCEPTED: tuple[Step, ...] = (
    (NS, "Accepted", {"from": "UserInterface", "from_host": "ui.example"}),
    (NS, "EnQueued", {"queue": "wm", "result": "OK"}),
    (WM, "DeQueued", {"queue": "wm"}))
FAILED: Step = (LM, "Done", {"status_code": "FAILED", "reason": "the node was lost", "exit_code": 1})
DONE: Step = (LM, "Done", {"status_code": "OK", "exit_code": 0})
AGAIN: Step = (WM, "Resubmission", {"result": "WILLRESUB", "reason": "the node was lost", "tag": "x"})
CLEARED: Step = (NS, "Clear", {"reason": "USER"})
ABORTED: Step = (WM, "Abort", {"reason": "no resources"})


def attempt(number: int) -> tuple[Step, ...]:
    """From the choice of a CE to the payload."""
    place = f"ce{number}.example:2119/long"
    return ((WM, "Match", {"dest_id": place}),
            (WM, "EnQueued", {"queue": "jobadapter", "result": "OK"}),
            (JC, "DeQueued", {"queue": "jobadapter"}),
            (JC, "Transfer", {"destination": "LRMS", "dest_host": place, "job": "[]", "result": "OK"}),
            (LM, "Accepted", {"from": "JobController", "from_host": "wms.example", "local_jobid": f"1.{number}"}),
            (LRMS, "Running", {"node": f"wn{number}.example"}))


LIVES: tuple[tuple[Step, ...], ...] = (
    (*ACCEPTED, *attempt(1), DONE, CLEARED),
    (*ACCEPTED, *attempt(2), DONE),
    (*ACCEPTED, *attempt(3)),
    (*ACCEPTED, ABORTED))
RESUBMITTED: tuple[tuple[Step, ...], ...] = (
    (*ACCEPTED, *attempt(1), FAILED, AGAIN, *attempt(2), DONE, CLEARED),
    (*ACCEPTED, *attempt(1), FAILED, AGAIN, *attempt(2), FAILED, AGAIN, *attempt(3), DONE))
CHILDHOODS: tuple[tuple[Step, ...], ...] = (
    (*attempt(1)[:1], *attempt(1)[3:], DONE, CLEARED), (*attempt(2)[:1], *attempt(2)[3:], DONE), (ABORTED,))


@dataclass(frozen=True, slots=True)
class Job:
    """A job as it is told; `ordered` if its events arrive in their order."""

    url: str
    events: Sequence[Event]
    ordered: bool = False
    children: int = 0

    @property
    def unique(self) -> str:
        return self.url.rpartition("/")[2]


@dataclass(slots=True)
class Ledger:
    """What was sent, what was acknowledged, what went wrong; shared by all writers."""

    sent: dict[Key, Event] = field(default_factory=dict)
    acknowledged: set[Key] = field(default_factory=set)
    jobs: dict[str, Job] = field(default_factory=dict)
    unanswered: Counter[str] = field(default_factory=Counter)
    turned_away: Counter[str] = field(default_factory=Counter)
    stored: int = 0
    problems: list[str] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)

    def join(self, earlier: Ledger) -> None:
        """What was told before belongs to it."""
        self.sent |= earlier.sent
        self.acknowledged |= earlier.acknowledged
        self.jobs |= earlier.jobs
        self.stored += earlier.stored


class Unanswered(Exception):
    """Nobody knows whether it was stored."""


class Mouth:
    """One kept-alive connection of a host or a user."""

    def __init__(self, deployment: Deployment, credential: str) -> None:
        root = deployment.site.root
        if credential == "host":
            shown = str(root / "host/cert.pem"), str(deployment.site.certificates), str(root / "host/key.pem")
        else:
            shown = str(deployment.site.proxy), str(deployment.site.certificates), None
        self._context: ssl.SSLContext = client_context(*shown)
        self._port = int(deployment.addresses()["WMS_LB"].rpartition(":")[2])
        self._http: http.client.HTTPSConnection | None = None

    def post(self, body: bytes, *, leave: bool = False) -> tuple[int, bytes]:
        """Status and body of the answer; `leave` goes away before it comes. Raises Unanswered."""
        try:
            self._http = self._http or http.client.HTTPSConnection(
                site.site_host(), self._port, timeout=ANSWER_S, context=self._context)
            self._http.request("POST", "/lb/v1/events", body)
            if leave:
                raise ConnectionAbortedError("we left")
            response = self._http.getresponse()
            return response.status, response.read()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Unanswered(type(error).__name__) from None

    def close(self) -> None:
        if self._http is not None:
            self._http.close()
            self._http = None


class Writer:
    """One client: jobs in waves, until it is told to end; what was begun is told whole."""

    def __init__(self, load: Load, number: int) -> None:
        self._load = load
        self._number = number
        self._chance = random.Random(load.chance.random())
        self._mouths = [Mouth(load.deployment, credential) for credential in ("host", "user")]
        self._waves = 0

    def work(self) -> None:
        try:
            while not self._load.ended.is_set() or not self._waves:
                self._wave()
                self._waves += 1
        except Exception as error:  # noqa: BLE001 - the test fails by it
            self._load.ledger.problems.append(f"writer {self._number}: {error!r}")
        finally:
            self._load.born.set()
            for mouth in self._mouths:
                mouth.close()

    def _wave(self) -> None:
        name = f"{self._load.name}w{self._number}.{self._waves}"
        jobs = [self._load.job(f"{name}.{index}", life, ordered=True)
                for index, life in enumerate((*RESUBMITTED, self._chance.choice(LIVES)))]
        jobs += [self._load.job(f"{name}.s{index}", life) for index, life in enumerate(LIVES)]
        if self._waves == 0 and self._number < self._load.collections:
            self._collection(500)
        self._tell([job.events[0] for job in jobs])
        self._tell_all(jobs, 1)

    def _collection(self, number: int) -> None:
        parent = self._load.collection(f"c{self._number}", number)
        self._tell(parent.events)
        self._load.born.set()
        id = JobId.parse(parent.url)
        self._tell_all([self._load.job(id.subjob("seed", index).unique, self._chance.choice(CHILDHOODS), child=True)
                        for index in range(number)], 0)

    def _tell_all(self, jobs: Sequence[Job], first: int) -> None:
        waiting = self._mixed(jobs, first)
        while waiting:
            size = self._chance.randint(1, LARGEST)
            self._tell(waiting[:size])
            time.sleep(self._chance.random() * PAUSE_S)
            del waiting[:size]

    def _mixed(self, jobs: Sequence[Job], first: int) -> list[Event]:
        """The events of ordered jobs in their order, all others anyhow."""
        turns = [job for job in jobs for _event in job.events[first:]]
        self._chance.shuffle(turns)
        queues: dict[str, list[Event]] = {}
        for job in jobs:
            queues[job.url] = list(job.events[first:])
            if not job.ordered:
                self._chance.shuffle(queues[job.url])
        return [queues[job.url].pop(0) for job in turns]

    def _tell(self, events: Sequence[Event]) -> None:
        """Again until every event is acknowledged."""
        with self._load.ledger.lock:
            self._load.ledger.sent.update((duplicate_key(one), one) for one in events)
        end, left, fresh = time.monotonic() + PATIENCE_S, list(events), True
        while left:
            if time.monotonic() > end:
                raise TimeoutError(f"{len(left)} events were not acknowledged within {PATIENCE_S:g} s")
            found = self._once(left)
            if found is None:
                fresh = False
                time.sleep(AGAIN_S)
                continue
            left = self._answered(left, found, fresh)
            fresh = fresh and not left
            if left:
                time.sleep(AGAIN_S)
        if self._chance.random() < REPEAT:
            _ = self._once(events)

    def _once(self, events: Sequence[Event]) -> Logged | None:
        ledger, mouth = self._load.ledger, self._chance.choice(self._mouths)
        try:
            status, body = mouth.post(self._body(events), leave=self._chance.random() < HANG_UP)
        except Unanswered as unanswered:
            with ledger.lock:
                ledger.unanswered[str(unanswered)] += 1
            return None
        if status == 200:
            return msgspec.json.decode(body, type=Logged)
        with ledger.lock:
            if status == 503:
                ledger.turned_away[msgspec.json.decode(body)["message"]] += 1
                return None
            ledger.problems.append(f"{status} {body!r}")
        raise AssertionError(f"{status} {body!r}")

    def _answered(self, events: Sequence[Event], found: Logged, fresh: bool) -> list[Event]:
        """What must be sent again."""
        refused = {one.line: one for one in found.refused}
        ledger = self._load.ledger
        with ledger.lock:
            ledger.acknowledged.update(
                duplicate_key(one) for line, one in enumerate(events, 1) if line not in refused)
            ledger.stored += found.stored
            ledger.problems += [str(one) for one in found.refused if one.permanent]
            if found.stored + found.duplicates + len(refused) != len(events) or (fresh and found.duplicates):
                ledger.problems.append(f"{len(events)} events, first time: {fresh}, answered {found}"[:500])
        return [one for line, one in enumerate(events, 1) if line in refused and not refused[line].permanent]

    def _body(self, events: Iterable[Event]) -> bytes:
        if self._chance.random() < 0.5:
            return b"\n".join(map(msgspec.json.encode, events))
        return "".join(map(to_ulm, events)).encode()


class Load:
    """Several writers at once: `with load: ...`; leaving waits for all answers and fails on any problem."""

    def __init__(self, deployment: Deployment, seed: int, *, writers: int = 3, collections: int = 1,
                 name: str = "", age_s: float = 60.0) -> None:
        self.deployment = deployment
        self.chance = random.Random(seed)
        self.collections = collections
        self.name = name
        self._age_s = age_s
        self.ledger = Ledger()
        self.ended, self.born = Flag(), Flag()
        chain = certificates((deployment.site.root / "user/cert.pem").read_bytes())
        self.user = identify(chain, time.time()).dn
        self._address = deployment.addresses()["WMS_LB"]
        self._threads = [Thread(target=Writer(self, number).work) for number in range(writers)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.ended.set()
        for thread in self._threads:
            thread.join()
        print(f"{len(self.ledger.sent)} events sent, {len(self.ledger.acknowledged)} acknowledged; unanswered "
              f"{dict(self.ledger.unanswered)}; turned away {dict(self.ledger.turned_away)}")
        assert not self.ledger.problems, self.ledger.problems[:5]
        assert self.ledger.acknowledged == set(self.ledger.sent)

    def job(self, unique: str, life: Sequence[Step], *, ordered: bool = False, child: bool = False) -> Job:
        """A job with this life; a child is registered by its parent."""
        steps = life if child else (REGISTRATION, *life)
        return self._noted(Job(f"{self._address}/{unique}", tuple(self._told(unique, steps)), ordered))

    def collection(self, unique: str, number: int) -> Job:
        fields = {"jobtype": "COLLECTION", "ns": "ns.example", "nsubjobs": number, "seed": "seed"}
        return self._noted(Job(f"{self._address}/{unique}", tuple(self._told(unique, ((NS, "RegJob", fields),))),
                               True, number))

    def _noted(self, job: Job) -> Job:
        with self.ledger.lock:
            self.ledger.jobs[job.unique] = job
        return job

    def _told(self, unique: str, steps: Sequence[Step]) -> Iterator[Event]:
        code, at = START, time.time() - self._age_s
        for index, (source, type, fields) in enumerate(steps):
            code = code.advanced(source)
            yield event(type, f"{self._address}/{unique}", source, code, round(at + index / 7, 6), "wms.example",
                        self.user, **fields)
