"""Messages to the Log Monitor, and the one way an attempt ends: its events and everybody's messages together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import assert_never

import msgspec
import sqlalchemy as sa

from logmonitor import store
from logmonitor.store import WatchRow
from logmonitor.translate import Cancelled, Ending, Failure, Success, accounted, as_cancelled, from_report
from wms.ce import Usage
from wms.eventlog import Journal
from wms.faults import owned
from wms.messages import decode
from wms.messages.attempts import CancelAsked, Clean, Close, Ended, GivenUp, Kill, NotPlaced, Reported, Watch, Withdrawn
from wms.messages.submission import Finished
from wms.messages.topics import JOBADAPTER, NS, WM
from wms.operations import OutcomeReport
from wms.outbox import Outbox
from wms.queue import Message
from wms.seqcode import Source
from wms.service import Kit

CLEAN_DELAY_S = 2.0
"""The wrapper reports before it leaves its directory: the CE may forget it a little later."""


class Endings:
    """Handler of the topic `logmonitor`; `end` is also called by the observer."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self.watches: dict[str, Callable[[], object]] = {}
        """By backend: whom to tell that there is something new to watch, or to stop."""

    def handle(self, conn: sa.Connection, messages: Sequence[Message], now: float) -> None:
        with Outbox(conn, now) as out:
            for message in messages:
                self._one(out, decode(message.body))

    def _one(self, out: Outbox, record: object) -> None:
        match record:
            case Watch() as watch:
                self._watch(out, watch)
            case Reported(job=job, attempt=attempt, outcome=outcome):
                self._reported(out, store.find(out.conn, job, attempt), outcome)
            case CancelAsked(job=job, attempt=attempt):
                row = store.find(out.conn, job, attempt)
                store.put(out.conn, row._replace(cancelled=True, changed=row.changed if row.cancelled else out.now))
                self._hasten(row.backend)
            case NotPlaced() as refused:
                self._not_placed(out, refused)
            case GivenUp() as given_up:
                self._given_up(out, given_up)
            case Withdrawn(job=job, attempt=attempt):
                _withdrawn(out, store.find(out.conn, job, attempt))
            case other:
                raise TypeError(f"the Log Monitor does not take {type(other).__name__}")

    def _hasten(self, backend: str) -> None:
        if backend in self.watches:
            self._kit.later(self.watches[backend])

    def _journal(self, row: WatchRow, now: float) -> Journal:
        return Journal(Source.LOG_MONITOR, row.job, row.sequence_code, now, self._kit.host, instance=row.backend)

    def _watch(self, out: Outbox, watch: Watch) -> None:
        known = store.find(out.conn, watch.job, watch.attempt)
        if known.phase != store.EXPECTED:
            return
        row = known._replace(phase=store.WATCHED, backend=watch.backend, ce=watch.ce, token=watch.token,
                             sequence_code=watch.sequence_code, changed=out.now)
        journal = self._journal(row, out.now)
        journal.add("Accepted", **{"from": Source.JOB_CONTROLLER.value, "from_host": self._kit.host,
                                   "local_jobid": watch.handle})
        journal.add("Transfer", destination=Source.LRMS.value, dest_host=watch.ce.partition(":")[0], job=watch.token,
                    result="OK", dest_jobid=watch.handle)
        out.log(journal.events)
        row = row._replace(sequence_code=journal.code)
        store.put(out.conn, row)
        self._hasten(row.backend)
        if (report := row.outcome()) is not None:
            self._reported(out, row, report)

    def _reported(self, out: Outbox, row: WatchRow, report: OutcomeReport) -> None:
        match row.phase:
            case store.WATCHED:
                self.end(out, row, from_report(report))
            case store.EXPECTED:
                store.put(out.conn, row._replace(report=msgspec.json.encode(report), changed=out.now))

    def _not_placed(self, out: Outbox, refused: NotPlaced) -> None:
        row = store.find(out.conn, refused.job, refused.attempt)
        if row.phase != store.OVER:
            row = row._replace(ce=refused.ce, sequence_code=refused.sequence_code)
            self.end(out, row, Failure(refused.reason, refused.retry))

    def _given_up(self, out: Outbox, given_up: GivenUp) -> None:
        """It fails here and now, then its payload is killed; whatever the wrapper says of that comes too late."""
        row = store.find(out.conn, given_up.job, given_up.attempt)
        if row.phase != store.OVER:
            row = row._replace(sequence_code=row.sequence_code or given_up.sequence_code)
            self.end(out, row, Failure(given_up.reason, retry=False))
            out.send(JOBADAPTER, Kill(row.job, row.attempt), row.job)

    def end(self, out: Outbox, row: WatchRow, ending: Ending, usage: Usage | None = None) -> None:
        """The attempt is over: log it, with what its CE accounted if its wrapper did not, tell whoever has to act."""
        ending = as_cancelled(ending, row.cancelled)
        journal = self._journal(row, out.now)
        for resource, quantity, unit in accounted(ending, usage):
            journal.add("ResourceUsage", resource=resource, quantity=quantity, unit=unit)
        match ending:
            case Success(exit_code, reason):
                journal.add("Done", status_code="OK", exit_code=exit_code, reason=reason)
                self._finish(out, row, "Done", reason)
            case Cancelled(reason):
                journal.add("Done", status_code="CANCELLED", reason=reason)
                self._finish(out, row, "Cancelled", reason)
            case Failure(reason, retry):
                journal.add("Done", status_code="FAILED", reason=reason, **owned(reason))
                out.send(NS, Close(row.job, row.attempt, reason, journal.code, retry), row.job)
            case _:
                assert_never(ending)
        out.log(journal.events)
        store.put(out.conn, row._replace(phase=store.OVER, sequence_code=journal.code, changed=out.now))
        out.send(JOBADAPTER, Clean(row.job, row.attempt), row.job, delay_s=CLEAN_DELAY_S)

    def suspended(self, out: Outbox, row: WatchRow, reason: str | None) -> None:
        """The CE keeps it back now, `reason` says why; None: no more."""
        journal = self._journal(row, out.now)
        if reason is None:
            journal.add("Resume")
        else:
            journal.add("Suspend", reason=reason or "held by the CE")
        out.log(journal.events)
        held = None if reason is None else out.now
        store.change(out.conn, row, sequence_code=journal.code, held=held)

    @staticmethod
    def _finish(out: Outbox, row: WatchRow, outcome: str, reason: str) -> None:
        out.send(NS, Ended(row.job, row.attempt, outcome, reason), row.job)
        out.send(WM, Finished(row.job, row.attempt, outcome), row.job)


def _withdrawn(out: Outbox, row: WatchRow) -> None:
    """Nothing is said of it any more: whoever took it back has said what there is to say."""
    if row.phase != store.OVER:
        store.put(out.conn, row._replace(phase=store.OVER, changed=out.now))
        out.send(JOBADAPTER, Clean(row.job, row.attempt), row.job, delay_s=CLEAN_DELAY_S)
