"""The Python client: submit, follow, cancel and collect jobs from a program.

    client = Client.from_environment()
    job = client.submit('Executable = "/bin/date"; StdOutput = "o"; OutputSandbox = {"o"};').job

Errors are those of `wms.errors` and `clients.errors`. No text for people: that is `clients.show`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Any, Self, TypeVar
from uuid import uuid4

from clients import submission, wallet
from clients.credential import TOKEN, Credential
from clients.files import check_sizes, has_arrived, make_directory, receive
from clients.settings import NS_PORT, Place, Settings, place, resolve
from clients.submission import Delegation, Made, Submission
from clients.transport import Connection
from wms.errors import (
    NoServer,
    NoSuchJob,
    OutputNotReady,
    RemoteError,
    SandboxTooLarge,
    TokenWithheld,
    Unavailable,
    WmsError,
)
from wms.jdl.ast import Node
from wms.jobid import JobId
from wms.operations import (
    OPERATIONS,
    DelegationInfo,
    File,
    JobIds,
    Limits,
    ListMatchRequest,
    MatchList,
    OutputList,
    PurgeRequest,
)

if TYPE_CHECKING:
    from clients.preparing import Prepared
    from wms.operations.delegations import DelegationList, Forgotten

WATCH_S = 30.0
NODES_S = 1.0
WATCH_PAUSE_S = 1.0
NEWS_S = 10.0
NEWS_PAUSE_S = 0.1
FINAL = frozenset({"Done", "Cleared", "Aborted", "Cancelled", "Purged"})

Status = dict[str, Any]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Output:
    """What was fetched: files now in `directory`, and whether the service gave them up (job Cleared)."""

    job: str
    directory: str
    outcome: str
    files: tuple[File, ...]
    purged: bool
    warnings: tuple[str, ...] = ()
    elsewhere: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Client:
    """One user's conversation with the services. Connections are kept; use it as a context manager."""

    settings: Settings
    credential: Credential
    trace: Callable[[str], None] = field(default=lambda _line: None)
    _connections: dict[Place, Connection] = field(default_factory=dict)

    @classmethod
    def from_environment(cls, endpoint: str = "", *, needed_s: float = 0.0) -> Self:
        """With the proxy or token and the services that environment and configuration files name."""
        settings = resolve(os.environ, endpoint=endpoint)
        token_s = settings.min_token_s if needed_s else 0.0
        found = wallet.from_environment(os.environ, os.getuid(), time.time(), needed_s, token_s)
        return cls(settings, found)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        for connection in self._connections.values():
            connection.close()

    # -- submission ----------------------------------------------------------------------------------------

    def submit(self, jdl: str, directory: str = ".", *, file: str = "<jdl>",
               attributes: Mapping[str, Node] | None = None) -> Submission:
        """Submit a description whose relative files are in `directory`; returns when the job is on record."""
        from clients.preparing import prepare

        return self.send(prepare(jdl, directory, os.environ, self.settings, file=file, attributes=attributes))

    def send(self, prepared: Prepared, delegation: Delegation | None = None) -> Submission:
        """Submit what was prepared. NotStarted names the job when it stopped half-way."""
        self._check_sizes(prepared)
        wanted = delegation or Delegation()
        request = submission.request(prepared, wanted.name or self.credential.delegation)
        return self._first_reached(
            lambda ns: submission.send(ns, request, prepared.files, prepared.warnings, wanted))

    def _check_sizes(self, prepared: Prepared) -> None:
        """Within the usual limits nobody is asked; beyond them the service may allow more."""
        try:
            check_sizes(prepared.files)
        except SandboxTooLarge as usual:
            try:
                limits = self.limits()
            except Unavailable:
                raise usual from None
            many = prepared.compound is not None or not prepared.counted
            whole = (limits.max_compound_sandbox_bytes if many else 0) or limits.max_sandbox_bytes
            check_sizes(prepared.files, limits.max_file_bytes, whole)

    def limits(self) -> Limits:
        """What the Network Server accepts."""
        reply: Limits = self._first_reached(lambda ns: ns.call(OPERATIONS["ns.limits"]))
        return reply

    def delegate(self, name: str = "") -> DelegationInfo | None:
        """Give the Network Server a credential of its own, under this name or the one this credential always has."""
        return self._first_reached(lambda ns: submission.delegate(ns, name))

    def delegations(self) -> tuple[DelegationInfo, ...]:
        """What a Network Server holds for this user."""
        found: DelegationList = self._first_reached(lambda ns: ns.call(OPERATIONS["ns.delegations"]))
        return found.delegations

    def destroy_delegation(self, name: str, *, force: bool = False) -> Forgotten:
        """Have it forgotten; while jobs need it only with `force`."""
        query = {"force": "yes"} if force else {}
        checked = submission.checked_name(name)
        gone: Forgotten = self._first_reached(
            lambda ns: ns.call(OPERATIONS["ns.destroy_delegation"], query=query, delegation=checked))
        return gone

    # -- looking -------------------------------------------------------------------------------------------

    def status(self, jobs: Iterable[str]) -> dict[str, Status | WmsError]:
        """Status record of each job, or why there is none; one call to each LB server."""
        ids = [JobId.parse(job) for job in jobs]
        found: dict[str, Status | WmsError] = {}
        for server, group in groupby(sorted(ids), lambda id: Place(id.host, id.port)):
            found |= self._statuses_at(server, [str(id) for id in group])
        return {str(id): found[str(id)] for id in ids}

    def _statuses_at(self, server: Place, jobs: list[str]) -> dict[str, Status | WmsError]:
        try:
            reply = self.at(server).call(OPERATIONS["lb.statuses"], JobIds(tuple(jobs)))
        except WmsError as error:
            return dict.fromkeys(jobs, error)
        found: dict[str, Status | WmsError] = {
            job: NoSuchJob(f"{job} does not exist.", job=job) for job in jobs}
        found |= {job: RemoteError(problem, 400) for job, problem in reply.problems.items()}
        return found | {str(JobId.parse(record["jobId"])): record for record in reply.statuses}

    def one_status(self, job: str, *, wait_s: float = 0.0, newer_than: int = 0) -> Status:
        """Status of one job; given `wait_s`, once it has more than `newer_than` events or that is over."""
        query = {"wait_s": str(wait_s), "newer_than": str(newer_than)} if wait_s else None
        id = JobId.parse(job)
        status: Status = self.at(Place(id.host, id.port)).call(
            OPERATIONS["lb.status"], query=query, wait_s=wait_s, unique=id.unique)
        return status

    def watch(self, job: str) -> Iterator[Status]:
        """Each new status of a job as it comes, up to and including the first final one (see FINAL).

        That nodes of a compound move on is no event of its own: it is looked for every second.
        """
        status = self.one_status(job)
        yield status
        while status.get("state") not in FINAL:
            asked, wait_s = time.monotonic(), NODES_S if status.get("children_num") else WATCH_S
            newer = self.one_status(job, wait_s=wait_s, newer_than=int(status.get("version", 0)))
            if newer != status:
                status = newer
                yield status
            elif time.monotonic() - asked < WATCH_PAUSE_S:
                time.sleep(WATCH_PAUSE_S)

    def events(self, job: str) -> list[dict[str, Any]]:
        """The events of a job in order of their sequence codes."""
        id = JobId.parse(job)
        reply = self.at(Place(id.host, id.port)).call(OPERATIONS["lb.events"], unique=id.unique)
        return list(reply.events)

    def jobs(self, state: str = "", *, nodes: bool = True) -> Iterator[Status]:
        """The caller's jobs at every configured LB server, newest first at each; `nodes`: those of compounds, too."""
        for server in self.settings.bookkeepers():
            query = ({"state": state} if state else {}) | ({} if nodes else {"children": "no"})
            while True:
                page = self.at(server).call(OPERATIONS["lb.jobs"], query=query)
                yield from page.jobs
                if not page.cursor:
                    break
                query["cursor"] = page.cursor

    def list_match(self, prepared: Prepared, *, explain: bool = False,
                   delegation: Delegation | None = None) -> MatchList:
        """The CEs that match a description now, best first; with `explain`, what each clause leaves and costs.

        Matching needs no delegation; one that is asked for is made, or must be there.
        """
        request = ListMatchRequest(prepared.jdl, prepared.vo, explain)
        reply: MatchList = self._first_reached(lambda ns: _matched(ns, request, delegation))
        return reply

    # -- acting on a job -----------------------------------------------------------------------------------

    def cancel(self, job: str) -> None:
        """Ask for cancellation, which happens later."""
        self._of(job).call(OPERATIONS["ns.cancel"], key=uuid4().hex, unique=JobId.parse(job).unique)

    def output(self, job: str, directory: str, *, purge: bool = True) -> Output:
        """Fetch the output sandbox into `directory`, each file checked; then give it up if `purge`.

        What is there already, as it is here, is not fetched again.
        """
        ns, unique = self._of(job), JobId.parse(job).unique
        listed = self.output_list(job)
        if listed.files:
            make_directory(directory)
        for file in listed.files:
            if not has_arrived(directory, file):
                ns.download(OPERATIONS["ns.output"], partial(receive, directory=directory, file=file),
                            unique=unique, name=file.name)
        warnings = self.purge(job, listed.files) if purge else ()
        return Output(job, directory, listed.outcome, listed.files, purge and not warnings, warnings,
                      listed.elsewhere)

    def output_list(self, job: str) -> OutputList:
        """The output files. That a job is over may be known to LB a moment before the Network Server hears it."""
        ns = self._of(job)
        give_up = time.monotonic() + NEWS_S
        while True:
            try:
                reply: OutputList = ns.call(OPERATIONS["ns.list_output"], unique=JobId.parse(job).unique)
            except RemoteError as refused:
                if refused.code != OutputNotReady.code or time.monotonic() > give_up or not self._is_over(job):
                    raise
                time.sleep(NEWS_PAUSE_S)
            else:
                return reply

    def _is_over(self, job: str) -> bool:
        try:
            return self.one_status(job).get("state") in FINAL
        except WmsError:
            return False

    def purge(self, job: str, files: Iterable[File]) -> tuple[str, ...]:
        """Confirm what is on this disk. The files are safe: a refusal is a warning, not a failure."""
        received = {file.name: file.sha256 for file in files}
        try:
            self._of(job).call(OPERATIONS["ns.purge"], PurgeRequest(received), key=uuid4().hex,
                               unique=JobId.parse(job).unique)
        except WmsError as error:
            return (f"JobPurging not allowed: {error.message}",)
        return ()

    # -- connections ---------------------------------------------------------------------------------------

    def at(self, place: Place, *, chosen: bool = False) -> Connection:
        """The connection to a service. A token goes only where the user (`chosen`), the configuration or it says."""
        if place not in self._connections:
            if not chosen:
                self._check_sharing(place)
            self._connections[place] = Connection(place.host, place.port, self.credential,
                                                  self.settings.request_s, self.trace)
        return self._connections[place]

    def _check_sharing(self, place: Place) -> None:
        """Whoever receives a token can use it, so an identifier from anywhere must not name its receiver."""
        if self.credential.kind != TOKEN or place in (*self.settings.ns, *self.settings.lb):
            return
        from clients.tokens import is_meant_for

        if not is_meant_for(self.credential.token, place.host, place.port):
            raise TokenWithheld(f"Your token is not sent to {place}, which is none of the configured services.",
                                hint="If you trust it: name it in WMS_LB, LBAddresses or NSAddresses.",
                                server=str(place))

    def _first_reached(self, act: Callable[[Connection], T]) -> T:
        """Act at the first Network Server with which a connection is made."""
        *others, last = self.settings.network_servers()
        for server in others:
            try:
                return act(self.at(server))
            except NoServer as absent:
                self.trace(absent.message)
        return act(self.at(last))

    def network_server(self, job: str) -> Connection:
        """The connection to the Network Server that has the job."""
        return self._of(job)

    def _of(self, job: str) -> Connection:
        """The Network Server that has the job: the only one configured, or the one its record names.

        An identifier of an LB server that is not ours is looked up there first: it must not be taken for one of ours.
        """
        servers, id = self.settings.network_servers(), JobId.parse(job)
        if len(servers) == 1 and Place(id.host, id.port) in self.settings.bookkeepers():
            return self.at(servers[0])
        return self.at(self._named(self.one_status(job)))

    def place_of(self, status: Mapping[str, Any]) -> Place:
        """The Network Server that has the job of a status."""
        servers, id = self.settings.network_servers(), JobId.parse(status["jobId"])
        ours = len(servers) == 1 and Place(id.host, id.port) in self.settings.bookkeepers()
        return servers[0] if ours else self._named(status)

    def _named(self, status: Mapping[str, Any]) -> Place:
        """By the status record; if it names none, or there is only one, the one configured."""
        servers, named = self.settings.network_servers(), status.get("network_server", "")
        return place(named, NS_PORT) if named and len(servers) > 1 else servers[0]


def _matched(ns: Connection, request: ListMatchRequest, delegation: Delegation | None) -> Any:
    if delegation is not None and delegation.made is Made.NOW:
        submission.delegate(ns, delegation.name)
    elif delegation is not None and delegation.made is Made.BEFORE:
        ns.call(OPERATIONS["ns.delegation"], delegation=delegation.name)
    return ns.call(OPERATIONS["ns.list_match"], request)
