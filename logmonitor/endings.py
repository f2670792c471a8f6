"""Messages to the Log Monitor, and the one way an attempt ends: its events and everybody's messages together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

import msgspec
import sqlalchemy as sa

from logmonitor import store
from logmonitor.store import WatchRow
from logmonitor.translate import Cancelled, Ending, Failure, Success, as_cancelled, from_report
from wms import eventlog, queue
from wms.eventlog import Journal
from wms.messages import (
    JOBADAPTER,
    NS,
    WM,
    CancelAsked,
    Clean,
    Close,
    Ended,
    Finished,
    NotPlaced,
    Reported,
    Watch,
    decode,
)
from wms.operations import OutcomeReport
from wms.queue import Message
from wms.seqcode import Source
from wms.service import Kit

CLEAN_DELAY_S = 2.0
"""The wrapper reports before it leaves its directory: the CE may forget it a little later."""


class Endings:
    """Handler of the topic `logmonitor`; `end` is also called by the observer."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit

    def handle(self, conn: sa.Connection, messages: Sequence[Message], now: float) -> None:
        for message in messages:
            match decode(message.body):
                case Watch() as watch:
                    self._watch(conn, watch, now)
                case Reported(job=job, attempt=attempt, outcome=outcome):
                    self._reported(conn, store.find(conn, job, attempt), outcome, now)
                case CancelAsked(job=job, attempt=attempt):
                    row = store.find(conn, job, attempt)
                    store.put(conn, row._replace(cancelled=True, changed=now))
                case NotPlaced() as refused:
                    self._not_placed(conn, refused, now)
                case other:
                    raise TypeError(f"the Log Monitor does not take {type(other).__name__}")

    def _journal(self, row: WatchRow, now: float) -> Journal:
        return Journal(Source.LOG_MONITOR, row.job, row.sequence_code, now, self._kit.host, instance=row.backend)

    def _watch(self, conn: sa.Connection, watch: Watch, now: float) -> None:
        known = store.find(conn, watch.job, watch.attempt)
        if known.phase != store.EXPECTED:
            return
        row = known._replace(phase=store.WATCHED, backend=watch.backend, ce=watch.ce, token=watch.token,
                             sequence_code=watch.sequence_code, changed=now)
        journal, host = self._journal(row, now), watch.ce.partition(":")[0]
        journal.add("Accepted", **{"from": Source.JOB_CONTROLLER.value, "from_host": self._kit.host,
                                   "local_jobid": watch.handle})
        journal.add("Transfer", destination=Source.LRMS.value, dest_host=host, job=watch.token, result="OK",
                    dest_jobid=watch.handle)
        eventlog.log(conn, journal.events, now=now)
        row = row._replace(sequence_code=journal.code)
        store.put(conn, row)
        if (report := row.outcome()) is not None:
            self._reported(conn, row, report, now)

    def _reported(self, conn: sa.Connection, row: WatchRow, report: OutcomeReport, now: float) -> None:
        match row.phase:
            case store.WATCHED:
                self.end(conn, row, from_report(report), now)
            case store.EXPECTED:
                store.put(conn, row._replace(report=msgspec.json.encode(report), changed=now))

    def _not_placed(self, conn: sa.Connection, refused: NotPlaced, now: float) -> None:
        row = store.find(conn, refused.job, refused.attempt)
        if row.phase != store.OVER:
            self.end(conn, row._replace(ce=refused.ce, sequence_code=refused.sequence_code),
                     Failure(refused.reason), now)

    def end(self, conn: sa.Connection, row: WatchRow, ending: Ending, now: float) -> None:
        """The attempt is over: log it, tell whoever has to act."""
        ending = as_cancelled(ending, row.cancelled)
        journal = self._journal(row, now)
        match ending:
            case Success(exit_code, reason):
                journal.add("Done", status_code="OK", exit_code=exit_code, reason=reason)
                self._finish(conn, row, "Done", reason, now)
            case Cancelled(reason):
                journal.add("Done", status_code="CANCELLED", reason=reason)
                self._finish(conn, row, "Cancelled", reason, now)
            case Failure(reason, retry):
                journal.add("Done", status_code="FAILED", reason=reason)
                close = Close(row.job, row.attempt, reason, journal.code, retry)
                queue.put(conn, NS, close, now=now, job=row.job)
            case _:
                assert_never(ending)
        eventlog.log(conn, journal.events, now=now)
        store.put(conn, row._replace(phase=store.OVER, sequence_code=journal.code, changed=now))
        queue.put(conn, JOBADAPTER, Clean(row.job, row.attempt), now=now, job=row.job, delay_s=CLEAN_DELAY_S)

    @staticmethod
    def _finish(conn: sa.Connection, row: WatchRow, outcome: str, reason: str, now: float) -> None:
        queue.put(conn, NS, Ended(row.job, row.attempt, outcome, reason), now=now, job=row.job)
        queue.put(conn, WM, Finished(row.job, row.attempt, outcome), now=now, job=row.job)
