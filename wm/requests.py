"""What the Workload Manager does with each message: rows, events and messages of one transaction.

Matching is elsewhere (`wm.broker`): a job that arrives or comes back only becomes due here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

import sqlalchemy as sa

from wm import store
from wm.recovery.resubmission import Attempts, Deep, Fault, GiveUp, Limits, Shallow, decide
from wms.database import note_topic
from wms.errors import Unavailable
from wms.eventlog import Journal
from wms.jdl.described import described
from wms.messages import (
    JOBADAPTER,
    LOGMONITOR,
    NS,
    Cancel,
    CancelAsked,
    Ended,
    Finished,
    Kill,
    Resubmit,
    Submit,
    decode,
)
from wms.outbox import Outbox
from wms.queue import Message
from wms.seqcode import Source
from wms.service import Kit

QUEUE = "workload_manager"


class Requests:
    """Handler of the topic `wm`."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit

    def handle(self, conn: sa.Connection, messages: Sequence[Message], now: float) -> None:
        """Submissions of a batch are stored as a set; the rest one by one, in order."""
        with Outbox(conn, now) as out:
            arrived: list[Submit] = []
            for message in messages:
                record = decode(message.body)
                if isinstance(record, Submit):
                    arrived.append(record)
                    continue
                self._submit(out, arrived)
                arrived = []
                self._one(out, record)
            self._submit(out, arrived)

    def _one(self, out: Outbox, record: object) -> None:
        match record:
            case Resubmit() as resubmit:
                self._resubmit(out, resubmit)
            case Cancel() as cancel:
                self._cancel(out, cancel)
            case Finished() as finished:
                self._finished(out, finished)
            case other:
                raise TypeError(f"the Workload Manager does not take {type(other).__name__}")

    def journal(self, job: str, code: str, now: float, user: str) -> Journal:
        return Journal(Source.WORKLOAD_MANAGER, job, code, now, self._kit.host, user)

    def _submit(self, out: Outbox, arrived: Sequence[Submit]) -> None:
        if not arrived:
            return
        new = store.unknown(out.conn, arrived)
        journals = {submit.job: self.journal(submit.job, submit.sequence_code, out.now, submit.owner) for submit in new}
        for journal in journals.values():
            journal.add("DeQueued", queue=QUEUE)
            out.log(journal.events)
        store.add(out.conn, [(submit, journals[submit.job].code) for submit in new], out.now)

    def _resubmit(self, out: Outbox, message: Resubmit) -> None:
        job = store.find(out.conn, message.job)
        if job is None or job.phase != store.PLACED or job.attempt != message.attempt:
            return
        submit = job.request()
        journal = self.journal(message.job, message.sequence_code, out.now, submit.owner)
        if job.cancelled:
            self.end_cancelled(out, job, journal)
            return
        fault = Fault.SITE if message.retry else Fault.USER
        attempts = Attempts(job.deep, job.shallow, message.reason)
        decision = decide(attempts, message.started, fault, self._limits(submit.jdl))
        match decision:
            case Deep() | Shallow():
                self._retry(out, job, journal, attempts.after(decision), decision, message.reason)
            case GiveUp(reason):
                text = reason if reason == message.reason else f"{reason}; last failure: {message.reason}"
                self.abort(out, job, journal, text)
            case _:
                assert_never(decision)

    def _limits(self, jdl: str) -> Limits:
        job, site = described(jdl), self._kit.settings.wm
        return Limits(job.retry_count, job.shallow_retry_count, site.max_retry_count,
                      site.max_shallow_retry_count)

    @staticmethod
    def _retry(out: Outbox, job: store.Job, journal: Journal, counted: Attempts, decision: Deep | Shallow,
               failure: str) -> None:
        result = "WILLRESUB" if isinstance(decision, Deep) else "SHALLOW"
        journal.add("Resubmission", result=result, reason=f"{decision.reason}; {failure}")
        hosts = [*filter(None, job.previous.split("\n")), job.ce.partition(":")[0]]
        store.change(out.conn, job.id, phase=store.WAITING, attempt=job.attempt + 1, deep=counted.deep,
                     shallow=counted.shallow, previous="\n".join(dict.fromkeys(hosts)), due=out.now, reason="",
                     sequence_code=journal.code)
        out.log(journal.events)
        note_topic(out.conn, store.TASKQUEUE)

    def abort(self, out: Outbox, job: store.Job, journal: Journal, reason: str) -> None:
        """The WMS gives up."""
        journal.add("Abort", reason=reason)
        self._over(out, job, journal, "Aborted", reason)

    def end_cancelled(self, out: Outbox, job: store.Job, journal: Journal) -> None:
        """No attempt is alive any more: the cancellation is complete."""
        journal.add("Cancel", status_code="DONE", reason="Cancelled by user")
        self._over(out, job, journal, "Cancelled", "Cancelled by user")

    @staticmethod
    def _over(out: Outbox, job: store.Job, journal: Journal, outcome: str, reason: str) -> None:
        submit = job.request()
        attempt = job.attempt if job.phase == store.PLACED else job.attempt - 1
        store.change(out.conn, job.id, phase=store.OVER, due=out.now, reason=reason, sequence_code=journal.code)
        out.log(journal.events)
        out.send(NS, Ended(submit.job, attempt, outcome, reason), submit.job)

    def _cancel(self, out: Outbox, message: Cancel) -> None:
        job = store.find(out.conn, message.job)
        if job is None:
            raise Unavailable("The job to cancel has not arrived here yet.", job=message.job)
        if job.phase == store.WAITING:
            self.end_cancelled(out, job, self.journal(message.job, job.sequence_code, out.now, message.by))
        elif job.phase == store.PLACED:
            store.change(out.conn, job.id, cancelled=True)
            out.send(LOGMONITOR, CancelAsked(message.job, job.attempt), message.job)
            out.send(JOBADAPTER, Kill(message.job, job.attempt), message.job)

    @staticmethod
    def _finished(out: Outbox, message: Finished) -> None:
        job = store.find(out.conn, message.job)
        if job is not None and job.phase == store.PLACED and job.attempt == message.attempt:
            store.change(out.conn, job.id, phase=store.OVER, due=out.now, reason=message.outcome)
