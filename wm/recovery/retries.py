"""What the Workload Manager does with an attempt that failed: another one, or the end of the job."""

from __future__ import annotations

from typing import assert_never

from wm import store
from wm.recovery.resubmission import Attempts, Deep, Fault, GiveUp, Limits, Shallow, decide
from wm.turn import Turn
from wms.config import Wm
from wms.database import note_topic
from wms.eventlog import Journal
from wms.jdl.described import described
from wms.messages import Resubmit


class Retries:
    """Handler of Resubmit."""

    def __init__(self, settings: Wm) -> None:
        self._settings = settings

    def handle(self, turn: Turn, message: Resubmit) -> None:
        job = store.find(turn.out.conn, message.job)
        if job is None or job.phase != store.PLACED or job.attempt != message.attempt:
            return
        submit = job.request()
        journal = turn.journal(message.job, message.sequence_code, submit.owner)
        if job.cancelled:
            turn.end_cancelled(job, journal)
            return
        fault = Fault.SITE if message.retry else Fault.USER
        attempts = Attempts(job.deep, job.shallow, message.reason)
        decision = decide(attempts, message.started, fault, self._limits(submit.jdl))
        match decision:
            case Deep() | Shallow():
                _retry(turn, job, journal, attempts.after(decision), decision, message.reason)
            case GiveUp(reason):
                text = reason if reason == message.reason else f"{reason}; last failure: {message.reason}"
                turn.abort(job, journal, text)
            case _:
                assert_never(decision)

    def _limits(self, jdl: str) -> Limits:
        job, site = described(jdl), self._settings
        return Limits(job.retry_count, job.shallow_retry_count, site.max_retry_count,
                      site.max_shallow_retry_count)


def _retry(turn: Turn, job: store.Job, journal: Journal, counted: Attempts, decision: Deep | Shallow,
           failure: str) -> None:
    result = "WILLRESUB" if isinstance(decision, Deep) else "SHALLOW"
    journal.add("Resubmission", result=result, reason=f"{decision.reason}; {failure}")
    hosts = [*filter(None, job.previous.split("\n")), job.ce.partition(":")[0]]
    store.change(turn.out.conn, job.id, phase=store.WAITING, attempt=job.attempt + 1, deep=counted.deep,
                 shallow=counted.shallow, previous="\n".join(dict.fromkeys(hosts)), due=turn.out.now, reason="",
                 sequence_code=journal.code)
    turn.out.log(journal.events)
    note_topic(turn.out.conn, store.TASKQUEUE)
