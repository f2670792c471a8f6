"""Output sandbox: list, download, and purge once the caller has proven to hold every file.

The job is Cleared in the transaction that checks the proof; the files go afterwards.
"""

from __future__ import annotations

import sqlalchemy as sa

from ns import files, store
from ns.once import once
from wms.authz.relations import require
from wms.errors import ChecksumMismatch, NotAllowedNow, NotFound, OutputNotAllowed, OutputNotReady, OutputRetrieved
from wms.eventlog import Journal
from wms.httpd import Call, FileReply
from wms.jdl.described import described
from wms.jdl.destinations import destinations
from wms.operations import File, JobReply, OutputList, PurgeRequest
from wms.outbox import Outbox
from wms.seqcode import SequenceCode, Source
from wms.service import Kit

PURGER_CODE = str(SequenceCode(ui=9, ns=96669))
"""Sequence code of a Clear: greater than any code of the job's life (LB contract, special codes)."""


class Output:
    """The operations on the output of a finished job."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit

    async def listing(self, call: Call) -> OutputList:
        job, found = await self._kit.database.read(self._find, call)
        return OutputList(job.job, job.outcome, tuple(found), _elsewhere(job))

    @staticmethod
    def _find(conn: sa.Connection, call: Call) -> tuple[store.Job, list[File]]:
        job = store.job(conn, call.params["unique"])
        require(call, job)
        _check_phase(job)
        return job, [file for file, _ in store.sandbox(conn, job.id, store.OUTPUT, job.attempt)]

    async def get(self, call: Call) -> FileReply:
        job, found = await self._kit.database.read(self._find, call)
        for file in found:
            if file.name == call.params["name"]:
                path = files.place(self._kit.settings.state_dir, job.id, store.OUTPUT, job.attempt, file.name)
                return FileReply(str(path), file.size, file.sha256)
        raise NotFound(f"There is no output file {call.params['name'][:200]}.")

    async def purge(self, call: Call) -> JobReply:
        reply = await self._kit.database.transact(self._purge, call, self._kit.now())
        await self._kit.thread(files.remove, self._kit.settings.state_dir, call.params["unique"])
        return reply

    def _purge(self, conn: sa.Connection, call: Call, now: float) -> JobReply:
        job = store.job(conn, call.params["unique"], change=True)
        require(call, job)
        return once(conn, call, now, self._kit.settings.ns.idempotency_keep_s, JobReply,
                    lambda: self._clear_received(conn, call, job, now))

    def _clear_received(self, conn: sa.Connection, call: Call, job: store.Job, now: float) -> JobReply:
        body = call.body
        assert isinstance(body, PurgeRequest)
        if job.phase != store.CLEARED:
            _check_phase(job, even_cancelled=True)
            _check_siblings(conn, job)
        else:
            raise NotAllowedNow("The sandbox of this job was given back before.", job=job.job)
        for file, _ in store.sandbox(conn, job.id, store.OUTPUT, job.attempt):
            if body.received.get(file.name) != file.sha256:
                raise ChecksumMismatch(f"{file.name} was not received as it is here; nothing was purged.",
                                       value=body.received.get(file.name, ""), expected=file.sha256,
                                       hint="Fetch the output again.")
        with Outbox(conn, now) as out:
            clear(out, job, "USER", self._kit.host)
        return JobReply(job.job)


def _elsewhere(job: store.Job) -> dict[str, str]:
    """Where files of a job that ran went by its description, without what may be secret."""
    if job.kind != store.JOB or job.outcome != "Done":
        return {}
    return {name: one.shown for name, one in destinations(described(job.jdl).ad).items() if not one.name}


def clear(out: Outbox, job: store.Job, reason: str, host: str) -> None:
    """The output was taken, or its time is over: the job is Cleared (reason USER or TIMEOUT)."""
    journal = Journal(Source.NETWORK_SERVER, job.job, PURGER_CODE, out.now, host, job.owner)
    journal.add("Clear", reason=reason)
    store.change_job(out.conn, job.id, phase=store.CLEARED)
    out.log(journal.events)


def _check_siblings(conn: sa.Connection, job: store.Job) -> None:
    """Nodes of a DAG that goes on may need this output."""
    if job.parent:
        whole = store.job(conn, job.parent)
        if whole.kind == store.DAG and whole.phase == store.STARTED:
            raise NotAllowedNow("Other nodes of the DAG may need this output: it is kept until the DAG has ended.",
                                job=job.job, dag=whole.job)


def _check_phase(job: store.Job, *, even_cancelled: bool = False) -> None:
    if job.phase == store.CLEARED:
        raise OutputRetrieved("Output files already retrieved, or removed when their time was over.", job=job.job)
    if job.phase != store.ENDED:
        raise OutputNotReady("The job is not done yet.", job=job.job, hint="Look with job-status.")
    if job.outcome == "Cancelled" and not even_cancelled:
        raise OutputNotAllowed("The job has been cancelled.", job=job.job)
