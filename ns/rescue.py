"""Rescue: a new compound of those nodes of an ended one that are not done; what is done is not run again.

The files of the old one are taken over by links; outputs of its nodes are read where they are.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from typing import NamedTuple

import sqlalchemy as sa

from ns import files, store
from ns.delegation import registration, require_full, require_same_rights, still_usable, usable
from ns.delegation_rows import Delegation
from ns.once import once
from wms.authz.relations import require
from wms.errors import NotAllowedNow
from wms.eventlog import Journal
from wms.httpd import Call
from wms.jdl.compounds.expansion import Expansion, expansion
from wms.jobid import JobId
from wms.messages.submission import SubmitCompound
from wms.messages.topics import PROXYRENEWAL, WM
from wms.operations import File
from wms.operations.compounds import Rescued, RescueRequest
from wms.outbox import Outbox
from wms.seqcode import START, Source
from wms.service import Kit

QUEUE = "workload_manager"


class Plan(NamedTuple):
    """The old compound, its input files, how many of its nodes are done, and the text and nodes of the new one."""

    old: store.Job
    inputs: Sequence[File]
    kept: int
    text: str
    whole: Expansion


class Rescue:
    """The operation `ns.rescue`."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit

    async def rescue(self, call: Call) -> Rescued:
        require_full(call.user)
        host, port = self._kit.lb_address
        id, now = JobId.make(host, port, secrets.token_bytes(16)), self._kit.now()
        plan = await self._kit.database.read(self._plan, call)
        await self._kit.thread(self._link, plan, id.unique)
        reply = await self._kit.database.transact(self._rescue, call, plan, id, now)
        if reply.job != str(id):
            await self._kit.thread(files.remove, self._kit.settings.state_dir, id.unique)
        return reply

    @staticmethod
    def _plan(conn: sa.Connection, call: Call) -> Plan:
        old = store.job(conn, call.params["unique"])
        require(call, old)
        _require_rescuable(old)
        done = store.nodes_done(conn, old.id)
        if len(done) == old.number:
            raise NotAllowedNow("All nodes are done: there is nothing to rescue.", job=old.job)
        text = expansion(old.jdl, old.number).rescued(old.id, done)
        inputs = [file for file, received in store.sandbox(conn, old.id, store.INPUT) if received]
        return Plan(old, inputs, len(done), text, expansion(text, old.number - len(done)))

    def _link(self, plan: Plan, id: str) -> None:
        """A file that is in two sandboxes goes with the last of them."""
        root = self._kit.settings.state_dir
        for file in plan.inputs:
            target = files.place(root, id, store.INPUT, 0, file.name)
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.link(files.place(root, plan.old.id, store.INPUT, 0, file.name), target)

    def _rescue(self, conn: sa.Connection, call: Call, plan: Plan, id: JobId, now: float) -> Rescued:
        return once(conn, call, now, self._kit.settings.ns.idempotency_keep_s, Rescued,
                    lambda: self._submit(conn, call, plan, id, now))

    def _submit(self, conn: sa.Connection, call: Call, plan: Plan, id: JobId, now: float) -> Rescued:
        _require_rescuable(store.job(conn, plan.old.id, change=True))
        found = self._credential(conn, call, plan.old, now)
        job = plan.old._replace(
            id=id.unique, job=str(id), phase=store.STARTED, cancelled=False, credential=found.credential,
            credential_ends=found.not_after, sequence_code=str(START), jdl=plan.text, created=now, deadline=now,
            attempt=0, outcome="", files_gone=False, number=plan.whole.number)
        with Outbox(conn, now) as out:
            code = self._say(out, job, call)
            store.add_job(conn, job._replace(sequence_code=code), plan.inputs)
            for file in plan.inputs:
                store.received(conn, job.id, file.name)
            self._hand_over(out, job._replace(sequence_code=code), plan.whole, found)
        return Rescued(job.job, plan.whole.number, plan.kept)

    def _credential(self, conn: sa.Connection, call: Call, old: store.Job, now: float) -> Delegation:
        body = call.body
        assert isinstance(body, RescueRequest)
        if body.delegation:
            return usable(conn, call.user, body.delegation, now + self._kit.settings.ns.min_proxy_s)
        found = still_usable(conn, old.credential, now)
        require_same_rights(found, call.user)
        return found

    def _say(self, out: Outbox, job: store.Job, call: Call) -> str:
        journal = Journal(Source.NETWORK_SERVER, job.job, str(START), out.now, self._kit.host, job.owner)
        kind = "DAG" if job.kind == store.DAG else "COLLECTION"
        told = {"jdl": job.jdl} if len(job.jdl.encode()) <= self._kit.settings.ns.max_jdl_bytes else {}
        journal.add("RegJob", ns=self._kit.settings.ns_url(), jobtype=kind, nsubjobs=job.number, **told)
        journal.add("Accepted", **{"from": Source.USER_INTERFACE.value, "from_host": call.peer or "unknown"})
        journal.add("EnQueued", queue=QUEUE, result="OK")
        out.log(journal.events)
        return journal.code

    @staticmethod
    def _hand_over(out: Outbox, job: store.Job, whole: Expansion, found: Delegation) -> None:
        expires = whole.expires if whole.expires > out.now else 0.0
        out.send(WM, SubmitCompound(job.job, job.kind, job.number, job.owner, job.vo, job.sequence_code, out.now,
                                    whole.edges, whole.most_running, expires, found.fqans, whole.collocated),
                 job.job)
        out.send(PROXYRENEWAL, registration(job.job, job.my_proxy, found), job.job)


def _require_rescuable(job: store.Job) -> None:
    if job.kind == store.JOB:
        raise NotAllowedNow("Only a compound job can be rescued.", job=job.job, hint="Submit the job again.")
    if job.phase != store.ENDED:
        state = "was cleared" if job.phase == store.CLEARED else "has not ended"
        raise NotAllowedNow(f"Only an ended compound job can be rescued; this one {state}.", job=job.job)
