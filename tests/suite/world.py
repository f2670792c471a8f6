"""All daemons in one process without sockets: a hand-moved clock, SQLite in memory, a CE that the test drives.

A crash is a commit that does not happen, after which nothing of that life commits any more; `reborn` starts the
daemons again on the same database.
"""

from __future__ import annotations

import io
import random
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import Engine
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import Logger

import jobadapter.service
import lb.service
import logmonitor.service
import ns.service
import proxyrenewal.service
import wm.service
from ns import delegation_rows
from ns.delegation import credential_id
from ns.delegation_rows import Delegation
from wms import queue
from wms.authz.gate import Gate
from wms.capability import Capability
from wms.ce import Backend, CeJob, CeState, Phase, Rejected, Submitted
from wms.config import Settings, parse
from wms.database import Database, make_engine, metadata
from wms.errors import Unavailable
from wms.httpd import Call
from wms.identity import Identity
from wms.operations import OPERATIONS, OutcomeReport, RegisterRequest, StartRequest
from wms.service import Daemon, Kit, Suite
from wms.vault import UNSEALED, Vault
from wms.x509.authority import host_certificate, make_authority, trust_files

ALICE, BOB = "/DC=org/DC=example/CN=alice", "/DC=org/DC=example/CN=bob"
T = TypeVar("T")
NOW = 1_700_000_000.0
IDLE: list[Engine] = []
"""Of worlds that are over: without their rows and tables, but they know what each statement compiles to."""
MAKERS: tuple[Callable[[Kit], Daemon], ...] = (
    lb.service.make, proxyrenewal.service.make, logmonitor.service.make, jobadapter.service.make,
    wm.service.make, ns.service.make)


class Crash(BaseException):
    """The process dies before this commit."""


@dataclass
class HandCe:
    """A CE in memory that outlives crashes: jobs start and end when the test says so."""

    slots: int = 10
    name: str = "hand"
    jobs: dict[str, CeJob] = field(default_factory=dict)
    states: dict[str, CeState] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    cleaned: set[str] = field(default_factory=set)
    unreachable: bool = False
    submissions: int = 0
    refuse: str = ""
    silent: bool = False

    def _answer(self) -> None:
        if self.unreachable:
            raise Unavailable("no route to host")

    async def submit(self, jobs: Sequence[CeJob]) -> list[Submitted | Rejected]:
        self._answer()
        return [self._take(job) for job in jobs]

    def _take(self, job: CeJob) -> Submitted | Rejected:
        if self.refuse:
            return Rejected(job.token, self.refuse, True)
        if job.token not in self.jobs:
            self.submissions += 1
            self.jobs[job.token] = job
            self.states[job.token] = CeState(job.token, Phase.QUEUED, f"h-{job.token}")
        return Submitted(job.token, f"h-{job.token}")

    async def status(self, tokens: Collection[str]) -> dict[str, CeState]:
        self._answer()
        return {token: self.states.get(token, CeState(token, Phase.LOST)) for token in tokens}

    async def cancel(self, tokens: Collection[str]) -> None:
        self._answer()
        for token in tokens:
            if token in self.states and self.states[token].phase != Phase.ENDED:
                self.states[token] = CeState(token, Phase.ENDED, exit_status=143, reason="cancelled")

    async def clean(self, tokens: Collection[str]) -> None:
        await self.cancel(tokens)
        self.cleaned |= set(tokens)

    async def renew(self, tokens: Collection[str], proxy: bytes, bearer: bytes = b"") -> None:
        for name, content in (("proxy", proxy), ("token", bearer)):
            self.outputs.update({f"{token}.{name}": content.decode() for token in tokens if content})

    async def output(self, token: str) -> str:
        return self.outputs.get(token, "")

    async def known(self) -> list[str]:
        self._answer()
        return sorted(self.jobs.keys() - self.cleaned)

    async def describe(self) -> list[dict[str, Any]]:
        if self.silent:
            raise Unavailable("the CE does not answer")
        host = f"{self.name}.example.org"
        return [{"GlueCEUniqueID": f"{host}:2119/jobmanager-{self.name}-q", "GlueCEInfoHostName": host,
                 "GlueCEStateStatus": "Production", "GlueCEInfoTotalCPUs": self.slots, "GlueCEName": "q",
                 "GlueCEStateEstimatedResponseTime": 0, "GlueCEStateFreeCPUs": self.slots,
                 "GlueCEImplementationName": "CREAM"}]

    def watch(self, wake: Callable[[], None]) -> None:
        """The test moves the clock instead."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


def sequence_code(job: CeJob) -> str:
    """The code that the wrapper carries."""
    found = re.search(r"^wms_code='(.*)'$", job.script, re.MULTILINE)
    assert found is not None
    return found[1]


def make_certificates(directory: Path) -> Path:
    """A CA directory with the host certificate that wrappers are to trust."""
    here = directory / "certificates"
    here.mkdir(exist_ok=True)
    authority = make_authority(NOW, serial=1, kind="ec")
    for name, content in trust_files(authority.certificate).items():
        (here / name).write_bytes(content)
    host = host_certificate(authority, ["wms.example.org"], NOW, serial=2, kind="ec")
    (here / "host.pem").write_bytes(host.certificate)
    return here


@dataclass
class World:
    """One life of the service after another, on one database and one CE."""

    directory: Path
    ce: HandCe = field(default_factory=HandCe)
    clock: Clock = field(default_factory=Clock)
    lives: int = 0
    commits_left: int | None = None
    dead: bool = False
    payloads: dict[str, int] = field(default_factory=dict)
    nonces: dict[str, str] = field(default_factory=dict)
    files: tuple[str, ...] = ()
    others: dict[str, HandCe] = field(default_factory=dict)
    backends: dict[str, Backend] = field(default_factory=dict)
    manager: str = "expiry_s: 600"
    policy: str = ""
    vault: Vault = UNSEALED
    logged: list[Any] = field(default_factory=list)
    _serial: int = 0

    def __post_init__(self) -> None:
        self.clock.advance(NOW)
        self.engine = IDLE.pop() if IDLE else make_engine("sqlite://")
        metadata.create_all(self.engine, checkfirst=False)
        certificates = make_certificates(self.directory)
        policy = self.directory / "policy.yaml"
        policy.write_text(self.policy)
        self.settings: Settings = parse(
            f"{{state_dir: {self.directory}, policy: {policy}, "
            f"tls: {{certificate: {certificates}/host.pem, ca_dir: {certificates}}}, "
            f"information: {{refresh_s: 10, ttl_s: 60, files: {list(self.files)}}}, wm: {{{self.manager}}}, "
            f"ns: {{register_timeout_s: 300, output_keep_s: 900}}}}")
        self.credentials = {owner: credential_id(owner, "p") for owner in (ALICE, BOB)}
        for owner, credential in self.credentials.items():
            path = self.directory / "credentials" / f"{credential}.pem"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(b"proxy of " + owner.encode())
            with self.engine.begin() as conn:
                delegation_rows.put(conn, Delegation(credential, "p", owner, self.clock.seconds() + 1e6))
        self.born()

    def born(self) -> None:
        """Start all daemons."""
        self.lives += 1
        self.dead, self.commits_left = False, None
        for timer in list(self.clock.getDelayedCalls()):
            timer.cancel()
        self.database = Database("sqlite://", None, inline=True)
        self.database.engine = self.engine
        self.database.before_commit = self._before_commit
        self.kit = Kit(self.settings, self.database, self.clock, random.Random(self.lives),
                       {self.ce.name: self.ce, **self.others, **self.backends}, Logger(observer=self.logged.append),
                       "wms.example.org", ("lb.example.org", 9000), b"s" * 32, instance="world",
                       gate=Gate(self.settings, self.clock), vault=self.vault)
        daemons = [make(self.kit) for make in MAKERS]
        self.handlers = {name: h for daemon in daemons for name, h in daemon.operations.items()}
        self.suite = Suite(daemons, self.clock, self.kit.log)
        self.result(self.suite.start())

    def _before_commit(self, _conn: object) -> None:
        if self.dead:
            raise Crash
        if self.commits_left is not None:
            if self.commits_left == 0:
                self.dead = True
                raise Crash
            self.commits_left -= 1

    def crash_after(self, commits: int) -> None:
        """The process will die instead of making its next commit but `commits`."""
        self.commits_left = commits

    def reborn(self) -> None:
        """Dead or not: this life ends here, the next begins."""
        self.dead = True
        self.born()

    def close(self) -> None:
        """Stop in order; nothing may be left on the clock."""
        self.result(self.suite.stop())
        left = self.clock.getDelayedCalls()
        self.database.close()
        if self.engine not in IDLE:
            IDLE.append(self.engine)
        assert not left, left

    # -- doing things ------------------------------------------------------------------------------------

    def result(self, work: Any) -> Any:
        """The result of a coroutine that needs no time; its error is raised."""
        found: list[Any] = []
        Deferred.fromCoroutine(work).addBoth(found.append)
        if not found:
            raise AssertionError("this needs time")
        if hasattr(found[0], "raiseException"):
            found[0].raiseException()
        return found[0]

    def advance(self, seconds: float, step: float = 1.0) -> None:
        """Let time pass in steps."""
        for _ in range(max(1, round(seconds / step))):
            self.clock.advance(step)

    def call(self, name: str, body: object = None, /, **more: Any) -> Any:
        """Call an operation as the HTTPS service would; see `begin`."""
        return self.result(self.begin(name, body, **more))

    def begin(self, name: str, body: object = None, /, *, user: str = ALICE, key: str = "", attempt: int = 0,
              job: str = "", content: bytes = b"", query: dict[str, str] | None = None, **params: str) -> Any:
        """The coroutine that answers a call."""
        operation = OPERATIONS[name]
        unique = job.rsplit("/", 1)[-1]
        if job:
            params = {"unique": unique, **params}
        capability = Capability(job, attempt, 2e9) if operation.right == "attempt" else None
        if capability is not None:
            params = {**params, "attempt": str(attempt)}
        identity = None if capability else Identity(user, not_after=2e9)
        self._serial += 1
        call = Call(operation, params, query or {}, identity, (), capability, body,
                    key or str(UUID(int=self._serial)), io.BytesIO(content), len(content), "", "", "10.0.0.1")
        return self.handlers[name](call)

    def submit(self, jdl: str = 'Executable = "/bin/true";', *, user: str = ALICE, key: str = "") -> str:
        """Submit in one go; the job id."""
        return str(self.call("ns.register", RegisterRequest(jdl, "p", start=True), user=user, key=key).job)

    def token(self, job: str) -> str:
        """The live token of a job at the CE."""
        unique = job.rsplit("/", 1)[-1]
        states = [pair for ce in (self.ce, *self.others.values()) for pair in ce.states.items()]
        found = [t for t, s in states if t.startswith(unique) and s.phase != Phase.ENDED]
        assert len(found) <= 1, f"{len(found)} live submissions"
        return found[0] if found else ""

    def ce_of(self, token: str) -> HandCe:
        """The CE that was given a token."""
        return next(ce for ce in (self.ce, *self.others.values()) if token in ce.jobs)

    def start_payload(self, token: str, nonce: str = "") -> bool:
        """The wrapper asks for its start; True if the payload runs."""
        ce = self.ce_of(token)
        job = ce.jobs[token]
        attempt = int(token.rsplit("-", 1)[1])
        nonce = self.nonces.setdefault(token, nonce or f"n-{token}")
        request = StartRequest(nonce, "wn1", sequence_code(job))
        granted = self.call("ns.attempt_start", request, job=job.job, attempt=attempt)
        ce.states[token] = CeState(token, Phase.RUNNING)
        if granted.granted:
            self.payloads[token] = self.payloads.get(token, 0) + 1
        return bool(granted.granted)

    def finish_payload(self, token: str, exit_code: int = 0, failure: str = "", *, report: bool = True) -> None:
        """The payload ends; the wrapper reports (or only prints) and leaves."""
        ce = self.ce_of(token)
        job, attempt = ce.jobs[token].job, int(token.rsplit("-", 1)[1])
        code = sequence_code(ce.jobs[token])
        ce.outputs[token] = failure if failure else f"job exit status = {exit_code}\njw exit status = 0\n"
        if report:
            self.call("ns.attempt_done", OutcomeReport(exit_code=exit_code, wall_s=1.0, failure=failure,
                                                           sequence_code=code, nonce=self.nonces.get(token, "")),
                      job=job, attempt=attempt)
        ce.states[token] = CeState(token, Phase.ENDED, exit_status=0)

    # -- looking -----------------------------------------------------------------------------------------

    def status(self, job: str, user: str = ALICE) -> dict[str, Any]:
        """The status record."""
        found = self.call("lb.status", job=job, user=user)
        return dict(found)

    def state(self, job: str) -> str:
        return str(self.status(job)["state"])

    def history(self, job: str) -> list[str]:
        """Types of the events in logical order."""
        return [event["type"] for event in self.call("lb.events", job=job).events]

    def messages(self) -> list[Any]:
        """What is still in the queue."""
        return list(self.result_of(self.database.read(lambda conn: conn.execute(queue.messages.select()).all())))

    def result_of(self, deferred: Deferred[T]) -> T:
        found: list[T] = []
        deferred.addCallback(found.append)
        return found[0]
