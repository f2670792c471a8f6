"""What the Workload Manager does with each message: rows, events and messages of one transaction.

Matching is elsewhere (`wm.broker`): a job that arrives or comes back only becomes due here.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import assert_never

import sqlalchemy as sa

from wm import store
from wm.resubmission import Attempts, Deep, Fault, GiveUp, Limits, Shallow, decide
from wms import eventlog, queue
from wms.database import note_topic
from wms.errors import Unavailable
from wms.eventlog import Journal
from wms.jdl.description import JobDescription, describe
from wms.jdl.parser import parse
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
from wms.queue import Message
from wms.seqcode import Source
from wms.service import Kit

QUEUE = "workload_manager"


@lru_cache(maxsize=4096)
def description(jdl: str) -> JobDescription:
    """The description of a registered job; it was admitted before, so it is sound."""
    return describe(parse(jdl))


class Requests:
    """Handler of the topic `wm`."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit

    def handle(self, conn: sa.Connection, messages: Sequence[Message], now: float) -> None:
        for message in messages:
            match decode(message.body):
                case Submit() as submit:
                    self._submit(conn, submit, now)
                case Resubmit() as resubmit:
                    self._resubmit(conn, resubmit, now)
                case Cancel() as cancel:
                    self._cancel(conn, cancel, now)
                case Finished() as finished:
                    self._finished(conn, finished, now)
                case other:
                    raise TypeError(f"the Workload Manager does not take {type(other).__name__}")

    def journal(self, job: str, code: str, now: float, user: str) -> Journal:
        return Journal(Source.WORKLOAD_MANAGER, job, code, now, self._kit.host, user)

    def _submit(self, conn: sa.Connection, message: Submit, now: float) -> None:
        journal = self.journal(message.job, message.sequence_code, now, message.owner)
        journal.add("DeQueued", queue=QUEUE)
        if store.add(conn, message, journal.code, now):
            eventlog.log(conn, journal.events, now=now)

    def _resubmit(self, conn: sa.Connection, message: Resubmit, now: float) -> None:
        job = store.find(conn, message.job)
        if job is None or job.phase != store.PLACED or job.attempt != message.attempt:
            return
        submit = job.request()
        journal = self.journal(message.job, message.sequence_code, now, submit.owner)
        if job.cancelled:
            self.end_cancelled(conn, job, journal, now)
            return
        fault = Fault.SITE if message.retry else Fault.USER
        attempts = Attempts(job.deep, job.shallow, message.reason)
        decision = decide(attempts, message.started, fault, self._limits(submit.jdl))
        match decision:
            case Deep() | Shallow():
                self._retry(conn, job, journal, attempts.after(decision), decision, message.reason, now)
            case GiveUp(reason):
                text = reason if reason == message.reason else f"{reason}; last failure: {message.reason}"
                self.abort(conn, job, journal, text, now)
            case _:
                assert_never(decision)

    def _limits(self, jdl: str) -> Limits:
        job, site = description(jdl), self._kit.settings.wm
        return Limits(job.retry_count, job.shallow_retry_count, site.max_retry_count,
                      site.max_shallow_retry_count)

    def _retry(self, conn: sa.Connection, job: store.Job, journal: Journal, counted: Attempts,
               decision: Deep | Shallow, failure: str, now: float) -> None:
        result = "WILLRESUB" if isinstance(decision, Deep) else "SHALLOW"
        journal.add("Resubmission", result=result, reason=f"{decision.reason}; {failure}")
        hosts = [*filter(None, job.previous.split("\n")), job.ce.partition(":")[0]]
        store.change(conn, job.id, phase=store.WAITING, attempt=job.attempt + 1, deep=counted.deep,
                     shallow=counted.shallow, previous="\n".join(dict.fromkeys(hosts)), due=now, reason="",
                     sequence_code=journal.code)
        eventlog.log(conn, journal.events, now=now)
        note_topic(conn, store.TASKQUEUE)

    def abort(self, conn: sa.Connection, job: store.Job, journal: Journal, reason: str, now: float) -> None:
        """The WMS gives up."""
        journal.add("Abort", reason=reason)
        self._over(conn, job, journal, "Aborted", reason, now)

    def end_cancelled(self, conn: sa.Connection, job: store.Job, journal: Journal, now: float) -> None:
        """No attempt is alive any more: the cancellation is complete."""
        journal.add("Cancel", status_code="DONE", reason="Cancelled by user")
        self._over(conn, job, journal, "Cancelled", "Cancelled by user", now)

    @staticmethod
    def _over(conn: sa.Connection, job: store.Job, journal: Journal, outcome: str, reason: str,
              now: float) -> None:
        submit = job.request()
        attempt = job.attempt if job.phase == store.PLACED else job.attempt - 1
        store.change(conn, job.id, phase=store.OVER, due=now, reason=reason, sequence_code=journal.code)
        eventlog.log(conn, journal.events, now=now)
        queue.put(conn, NS, Ended(submit.job, attempt, outcome, reason), now=now, job=submit.job)

    def _cancel(self, conn: sa.Connection, message: Cancel, now: float) -> None:
        job = store.find(conn, message.job)
        if job is None:
            raise Unavailable("The job to cancel has not arrived here yet.", job=message.job)
        if job.phase == store.WAITING:
            self.end_cancelled(conn, job, self.journal(message.job, job.sequence_code, now, message.by), now)
        elif job.phase == store.PLACED:
            store.change(conn, job.id, cancelled=True)
            queue.put(conn, LOGMONITOR, CancelAsked(message.job, job.attempt), now=now, job=message.job)
            queue.put(conn, JOBADAPTER, Kill(message.job, job.attempt), now=now, job=message.job)

    @staticmethod
    def _finished(conn: sa.Connection, message: Finished, now: float) -> None:
        job = store.find(conn, message.job)
        if job is not None and job.phase == store.PLACED and job.attempt == message.attempt:
            store.change(conn, job.id, phase=store.OVER, due=now, reason=message.outcome)
