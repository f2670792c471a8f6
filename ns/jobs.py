"""Operations on jobs: register, upload, start, cancel, list-match. Replies come after the commit.

Not output and purge (`ns.output`), nor what wrappers call (`ns.attempts`).
"""

from __future__ import annotations

import secrets
from typing import Any

import sqlalchemy as sa

from ns import files, store
from ns.admission import Admitted, admit
from ns.delegation import still_usable, usable
from ns.matching import ListMatches
from ns.nodes import unstarted
from ns.once import once
from wms.authz import require_owner
from wms.errors import (
    CancelNotAllowed,
    NotAllowedNow,
    NotFound,
    SandboxFileMissing,
    SandboxTooLarge,
)
from wms.eventlog import Journal
from wms.httpd import Call
from wms.jobid import JobId
from wms.messages import PROXYRENEWAL, WM, Cancel, Input, Register, Submit
from wms.openapi import document
from wms.operations import File, JobReply, Limits, Registered, RegisterRequest, Version
from wms.outbox import Outbox
from wms.seqcode import START, Source
from wms.service import Kit
from wms.version import VERSION

QUEUE = "workload_manager"


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
                      ns.max_jdl_bytes, int(ns.min_proxy_s))

    # -- register ----------------------------------------------------------------------------------------

    async def register(self, call: Call) -> Registered:
        body = call.body
        assert isinstance(body, RegisterRequest)
        host, port = self._kit.lb_address
        id, now = JobId.make(host, port, secrets.token_bytes(16)), self._kit.now()
        admitted = admit(body, self._kit.settings)
        if admitted.submit_to:
            await self._matches.check_pin(call, body.jdl, admitted.vo)
        return await self._kit.database.transact(self._register, call, admitted, id, now)

    def _register(self, conn: sa.Connection, call: Call, admitted: Admitted, id: JobId, now: float) -> Registered:
        return once(conn, call, now, self._limits.idempotency_keep_s, Registered,
                    lambda: self._new_job(conn, call, admitted, id, now))

    def _new_job(self, conn: sa.Connection, call: Call, admitted: Admitted, id: JobId, now: float) -> Registered:
        body = call.body
        assert isinstance(body, RegisterRequest)
        credential, ends = usable(conn, call.user.dn, body.delegation, now + self._limits.min_proxy_s)
        row = store.Job(id.unique, str(id), call.user.dn, admitted.vo, store.REGISTERED, False, credential, ends,
                        admitted.my_proxy, str(START), body.jdl, now, now + self._limits.register_timeout_s, 0, "",
                        False)
        with Outbox(conn, now) as out:
            journal = self._journal(row, now)
            journal.add("RegJob", jdl=body.jdl, ns=self._kit.settings.ns_url(), jobtype="SIMPLE")
            if body.start:
                row = self._start_job(out, row, journal, call, ())
            out.log(journal.events)
            store.add_job(conn, row._replace(sequence_code=journal.code), body.files)
        return Registered(str(id), tuple(f.name for f in body.files), admitted.warnings(ends, now))

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
        require_owner(call.user, job.owner)
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
        require_owner(call.user, job.owner)
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
        lasting = job._replace(credential_ends=still_usable(conn, job.credential, now))
        with Outbox(conn, now) as out:
            journal = self._journal(job, now)
            started = self._start_job(out, lasting, journal, call, files)
            out.log(journal.events)
            store.change_job(conn, job.id, phase=started.phase, sequence_code=journal.code)
        return JobReply(job.job)

    def _start_job(self, out: Outbox, job: store.Job, journal: Journal, call: Call,
                   files: tuple[Input, ...]) -> store.Job:
        """Hand the job to the Workload Manager and its credential to Proxy Renewal."""
        journal.add("Accepted", **{"from": Source.USER_INTERFACE.value, "from_host": call.peer or "unknown"})
        journal.add("EnQueued", queue=QUEUE, result="OK")
        out.send(WM, Submit(job.job, job.jdl, job.owner, job.vo, call.user.fqans, job.credential,
                            job.credential_ends, journal.code, out.now, files), job.job)
        out.send(PROXYRENEWAL, Register(job.job, job.credential, job.owner, job.my_proxy, job.credential_ends), job.job)
        return job._replace(phase=store.STARTED)

    # -- cancel ------------------------------------------------------------------------------------------

    async def cancel(self, call: Call) -> JobReply:
        return await self._kit.database.transact(self._cancel, call, self._kit.now())

    def _cancel(self, conn: sa.Connection, call: Call, now: float) -> JobReply:
        job = store.job(conn, call.params["unique"], change=True)
        require_owner(call.user, job.owner)
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
