"""Operations on jobs: register, upload, start, cancel, list-match. Replies come after the commit.

Not output and purge (`ns.output`), nor what wrappers call (`ns.attempts`).
"""

from __future__ import annotations

import secrets
from typing import Any

import msgspec
import sqlalchemy as sa

from ns import files, store
from ns.admission import Admitted, admit
from ns.delegated_tokens import renewable_token
from ns.delegation import credential_id, registration, require_full, require_vo, still_usable, usable
from ns.delegation_rows import Delegation
from ns.lifetime import how_to_last, shortfall
from ns.matching import ListMatches
from ns.nodes import unstarted
from ns.once import once
from ns.tags import tags
from wms.authz.relations import require
from wms.errors import (
    CancelNotAllowed,
    CredentialTooShort,
    NotAllowedNow,
    NotFound,
    SandboxFileMissing,
    SandboxTooLarge,
    TimedOut,
)
from wms.eventlog import Journal
from wms.httpd import Call
from wms.jdl.ast import Ad
from wms.jdl.compounds import Compound, compound
from wms.jdl.compounds.partition import one_part, settled, wished
from wms.jdl.described import described
from wms.jobid import JobId
from wms.messages.submission import Cancel, Input, Submit, SubmitCompound
from wms.messages.topics import PROXYRENEWAL, WM
from wms.openapi import document
from wms.operations import File, JobReply, Limits, Registered, RegisterRequest, Version
from wms.outbox import Outbox
from wms.seqcode import START, Source
from wms.service import Kit
from wms.version import VERSION

QUEUE = "workload_manager"
AT_ONCE_CHARS = 20_000
"""A description no longer than this is read between two other things."""
JOB_TYPES = {store.JOB: "SIMPLE", store.COLLECTION: "COLLECTION", store.DAG: "DAG"}
"""What the bookkeeping calls each kind of job."""


class Jobs:
    """The operations; each mutation is one transaction with its events, messages and remembered reply."""

    def __init__(self, kit: Kit, matches: ListMatches) -> None:
        self._kit = kit
        self._limits = kit.settings.ns
        self._matches = matches

    # -- what the service is -----------------------------------------------------------------------------

    async def version(self, _call: Call) -> Version:
        return Version(VERSION, self._kit.host)

    async def openapi(self, _call: Call) -> dict[str, Any]:
        return document("ns")

    async def limits(self, _call: Call) -> Limits:
        ns = self._limits
        return Limits(ns.max_file_bytes, ns.max_sandbox_bytes, ns.max_input_files, ns.max_output_files,
                      ns.max_jdl_bytes, int(ns.min_proxy_s), ns.max_compound_files, ns.max_compound_sandbox_bytes)

    # -- register ----------------------------------------------------------------------------------------

    async def register(self, call: Call) -> Registered:
        body = call.body
        assert isinstance(body, RegisterRequest)
        require_full(call.user)
        host, port = self._kit.lb_address
        id, now = JobId.make(host, port, secrets.token_bytes(16)), self._kit.now()
        admitted = await self._admitted(await self._settled(call, body), call.user.vo)
        if admitted.submit_to:
            await self._matches.check_pin(call, body.jdl, admitted.vo)
        renewable = bool(admitted.my_proxy) or await self._kit.thread(
            renewable_token, self._kit.credentials, credential_id(call.user.dn, body.delegation))
        return await self._kit.database.transact(self._register, call, admitted, id, now, renewable)

    async def _settled(self, call: Call, body: RegisterRequest) -> RegisterRequest:
        """A partitionable job gets its number of parts for good: as wished, else one for each CE that matches."""
        found = wished(body.jdl)
        if found is None:
            return body
        ad, wanted = found
        parts = wanted or max(1, await self._places(call, body, ad))
        return msgspec.structs.replace(body, jdl=settled(ad, min(parts, self._limits.max_partitions)))

    async def _places(self, call: Call, body: RegisterRequest, ad: Ad) -> int:
        job = one_part(ad)
        vo = call.user.vo or body.vo or described(job).virtual_organisation or self._kit.settings.vo
        try:
            return await self._matches.count(call, job, vo)
        except TimedOut:
            raise TimedOut("The Workload Manager did not say in time how many places there are for the parts.",
                           hint="Try again, or give PartitionNumber.") from None

    async def _admitted(self, body: RegisterRequest, vo: str) -> Admitted:
        """Long descriptions are read beside the reactor."""
        if len(body.jdl) <= AT_ONCE_CHARS:
            return admit(body, self._kit.settings, vo)
        return await self._kit.thread(admit, body, self._kit.settings, vo)

    def _register(self, conn: sa.Connection, call: Call, admitted: Admitted, id: JobId, now: float,
                  renewable: bool) -> Registered:
        return once(conn, call, now, self._limits.idempotency_keep_s, Registered,
                    lambda: self._new_job(conn, call, admitted, id, now, renewable))

    def _new_job(self, conn: sa.Connection, call: Call, admitted: Admitted, id: JobId, now: float,
                 renewable: bool) -> Registered:
        body = call.body
        assert isinstance(body, RegisterRequest)
        found = usable(conn, call.user, body.delegation, now + self._limits.min_proxy_s)
        require_vo(found, admitted.vo)
        short = self._short(admitted, found, now, renewable)
        kind, number = _kind(admitted.compound)
        row = store.Job(id.unique, str(id), call.user.dn, admitted.vo, store.REGISTERED, False, found.credential,
                        found.not_after, admitted.my_proxy, str(START), admitted.jdl, now,
                        now + self._limits.register_timeout_s, 0, "", False, kind=kind, number=number)
        with Outbox(conn, now) as out:
            journal = self._journal(row, now)
            journal.add("RegJob", ns=self._kit.settings.ns_url(), **self._registration(row))
            for name, value in tags(admitted.description):
                journal.add("UserTag", name=name, value=value)
            if body.start:
                row = self._start_job(out, row, journal, call, (), found)
            out.log(journal.events)
            store.add_job(conn, row._replace(sequence_code=journal.code), body.files)
        return Registered(str(id), tuple(f.name for f in body.files), (*admitted.warnings(), *short))

    def _short(self, admitted: Admitted, found: Delegation, now: float, renewable: bool) -> tuple[str, ...]:
        """What to warn of; raises CredentialTooShort where the site refuses."""
        needed, remaining = admitted.needed_s, found.not_after - now
        short = shortfall(needed, remaining, renewable=renewable, kind=found.kind)
        if short and self._limits.short_credentials == "refuse":
            raise CredentialTooShort(short, needed_s=needed, remaining_s=remaining, hint=how_to_last(found.kind))
        return (short,) if short else ()

    def _registration(self, job: store.Job) -> dict[str, Any]:
        """What RegJob says of a job; the text of a large compound stays here."""
        jdl = {"jdl": job.jdl} if len(job.jdl.encode()) <= self._limits.max_jdl_bytes else {}
        nodes = {"nsubjobs": job.number} if job.number else {}
        return {"jobtype": JOB_TYPES[job.kind], **jdl, **nodes}

    def _journal(self, job: store.Job, now: float, user: str = "") -> Journal:
        return Journal(Source.NETWORK_SERVER, job.job, job.sequence_code, now, self._kit.host, user or job.owner)

    # -- upload ------------------------------------------------------------------------------------------

    async def upload(self, call: Call) -> File:
        id, name = call.params["unique"], call.params["name"]
        file = await self._kit.database.read(self._expected, call, id, name)
        if call.length != file.size:
            raise SandboxTooLarge(f"{name} was registered with {file.size} bytes, but {call.length} arrived.",
                                  value=call.length, limit=file.size)
        target = files.place(self._kit.settings.state_dir, id, store.INPUT, 0, name)
        stored = await self._kit.thread(files.store, call.content, target, name, limit=file.size,
                                        expected=file.sha256)
        await self._kit.database.transact(store.received, id, name)
        return stored

    @staticmethod
    def _expected(conn: sa.Connection, call: Call, id: str, name: str) -> File:
        job = store.job(conn, id)
        require(call, job)
        if job.phase != store.REGISTERED:
            raise NotAllowedNow("Files can be uploaded only before the job is started.")
        for file, _received in store.sandbox(conn, id, store.INPUT):
            if file.name == name:
                return file
        raise NotFound(f"The job was registered without a file {name[:200]}.")

    # -- start -------------------------------------------------------------------------------------------

    async def start(self, call: Call) -> JobReply:
        return await self._kit.database.transact(self._start, call, self._kit.now())

    def _start(self, conn: sa.Connection, call: Call, now: float) -> JobReply:
        job = store.job(conn, call.params["unique"], change=True)
        require(call, job)
        return once(conn, call, now, self._limits.idempotency_keep_s, JobReply,
                    lambda: self._start_registered(conn, call, job, now))

    def _start_registered(self, conn: sa.Connection, call: Call, job: store.Job, now: float) -> JobReply:
        if job.phase != store.REGISTERED:
            over = f"The job is over: {job.outcome}." if job.outcome else "The job has already been started."
            raise NotAllowedNow(over, job=job.job)
        missing = [file.name for file, received in store.sandbox(conn, job.id, store.INPUT) if not received]
        if missing:
            raise SandboxFileMissing(f"Not uploaded yet: {', '.join(missing)}.", files=missing,
                                     hint="Upload them, then start the job.")
        files = tuple(Input(file.name, file.size, file.sha256)
                      for file, _ in store.sandbox(conn, job.id, store.INPUT))
        require_full(call.user)
        found = still_usable(conn, job.credential, now)
        lasting = job._replace(credential_ends=found.not_after)
        with Outbox(conn, now) as out:
            journal = self._journal(job, now)
            started = self._start_job(out, lasting, journal, call, files, found)
            out.log(journal.events)
            store.change_job(conn, job.id, phase=started.phase, sequence_code=journal.code)
        return JobReply(job.job)

    def _start_job(self, out: Outbox, job: store.Job, journal: Journal, call: Call,
                   files: tuple[Input, ...], found: Delegation) -> store.Job:
        """Hand the job to the Workload Manager and its credential to Proxy Renewal."""
        journal.add("Accepted", **{"from": Source.USER_INTERFACE.value, "from_host": call.peer or "unknown"})
        journal.add("EnQueued", queue=QUEUE, result="OK")
        if job.kind == store.JOB:
            out.send(WM, Submit(job.job, job.jdl, job.owner, job.vo, found.fqans, job.credential,
                                job.credential_ends, journal.code, out.now, files,
                                renewable=bool(job.my_proxy)), job.job)
        else:
            out.send(WM, _compound(job, journal.code, found.fqans, out.now), job.job)
        out.send(PROXYRENEWAL, registration(job.job, job.my_proxy, found), job.job)
        return job._replace(phase=store.STARTED)

    # -- cancel ------------------------------------------------------------------------------------------

    async def cancel(self, call: Call) -> JobReply:
        return await self._kit.database.transact(self._cancel, call, self._kit.now())

    def _cancel(self, conn: sa.Connection, call: Call, now: float) -> JobReply:
        job = store.job(conn, call.params["unique"], change=True)
        require(call, job)
        return once(conn, call, now, self._limits.idempotency_keep_s, JobReply,
                    lambda: self._cancel_job(conn, job, call.user.dn, now))

    def _cancel_job(self, conn: sa.Connection, job: store.Job, user: str, now: float) -> JobReply:
        if job.phase in (store.ENDED, store.CLEARED):
            raise CancelNotAllowed(f"The job is over: {job.outcome}.", job=job.job, outcome=job.outcome)
        if job.cancelled:
            raise CancelNotAllowed("Cancel has already been requested.", job=job.job)
        journal = self._journal(job, now, user)
        journal.add("Cancel", status_code="REQ", reason="Cancelled by user")
        with Outbox(conn, now) as out:
            if job.phase == store.REGISTERED:
                journal.add("Cancel", status_code="DONE", reason="Cancelled by user before it was started")
                store.change_job(conn, job.id, cancelled=True, phase=store.ENDED, outcome="Cancelled",
                                 deadline=now + self._limits.output_keep_s)
            else:
                store.change_job(conn, job.id, cancelled=True)
            if job.phase == store.REGISTERED and job.kind != store.JOB:
                out.send(WM, unstarted(job, journal.code, now), job.job)
            if job.phase != store.REGISTERED or job.kind != store.JOB:
                out.send(WM, Cancel(job.job, journal.code, user), job.job)
            out.log(journal.events)
        return JobReply(job.job)


def _kind(found: Compound | None) -> tuple[str, int]:
    return (store.JOB, 0) if found is None else (found.kind, found.number)


def _compound(job: store.Job, code: str, fqans: tuple[str, ...], now: float) -> SubmitCompound:
    """The edges are all that travels of the nodes."""
    found = compound(job.jdl)
    return SubmitCompound(job.job, job.kind, job.number, job.owner, job.vo, code, now, found.edges,
                          found.max_running_nodes, found.expiry_time or 0.0, fqans, found.collocated)
