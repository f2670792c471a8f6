"""What the Workload Manager does with an attempt that failed, or was taken back: another one, or the end of the job."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import assert_never

from wm import store
from wm.recovery.memories import Attempt, Memories
from wm.recovery.resubmission import (
    REPLANNED,
    Attempts,
    Deep,
    Fault,
    GiveUp,
    Judgement,
    Limits,
    Shallow,
    decide,
    delay_s,
    replanned,
)
from wm.recovery.store import class_of
from wm.turn import Turn
from wms.config import Wm
from wms.database import note_topic
from wms.eventlog import Journal
from wms.faults import judge, owned
from wms.jdl.described import described
from wms.messages.attempts import Kill, Withdrawn
from wms.messages.submission import Resubmit
from wms.messages.topics import JOBADAPTER, LOGMONITOR


class Retries:
    """Handler of Resubmit."""

    def __init__(self, settings: Wm, memories: Memories, rng: random.Random) -> None:
        self._settings = settings
        self._memories = memories
        self._rng = rng

    def handle(self, turn: Turn, message: Resubmit) -> None:
        job = store.find(turn.out.conn, message.job)
        if job is None or job.phase != store.PLACED or job.attempt != message.attempt:
            return
        submit = job.request()
        journal = turn.journal(message.job, message.sequence_code, submit.owner)
        if message.replan:
            withdraw(turn, job, message.job)
        if job.cancelled:
            turn.end_cancelled(job, journal)
            return
        attempts = Attempts(job.deep, job.shallow, message.reason, job.site_faults, job.replans)
        decision = self._decided(turn, job, message, attempts, self._limits(submit.jdl), journal)
        match decision:
            case Deep() | Shallow():
                self._again(turn, job, journal, attempts, decision, message)
            case GiveUp(reason):
                said = reason if message.reason in (reason, REPLANNED) else f"{reason}; last failure: {message.reason}"
                turn.abort(job, journal, said, message.reason)
            case _:
                assert_never(decision)

    def _decided(self, turn: Turn, job: store.Job, message: Resubmit, attempts: Attempts, limits: Limits,
                 journal: Journal) -> Deep | Shallow | GiveUp:
        if message.untaken:
            return Shallow("no CE has it, no retry is consumed", free=True)
        if message.replan and message.reason == REPLANNED:
            return replanned(attempts, limits)
        judgement = judged(message)
        if not judgement.counts and not message.replan:
            self._remember(turn, job, journal)
        return decide(attempts, message.started, judgement, limits)

    def _remember(self, turn: Turn, job: store.Job, journal: Journal) -> None:
        """A CE that fails job after job is set aside for such jobs; whoever looks at this one can see it."""
        conn, now = turn.out.conn, turn.out.now
        at = Attempt(job.ce, class_of(conn, job.lane), job.id)
        memory = self._memories.failed(conn, at, now - job.placed_at, now)
        if memory is not None:
            until = datetime.fromtimestamp(memory.aside_until, UTC).isoformat(timespec="seconds")
            journal.add("UserTag", name="ce_set_aside",
                        value=f"{job.ce} until {until} after {memory.failures} fast failures of such jobs in a row")

    def _limits(self, jdl: str) -> Limits:
        job, site = described(jdl), self._settings
        return Limits(job.retry_count, job.shallow_retry_count, site.max_retry_count,
                      site.max_shallow_retry_count, site.site_faults, site.max_replans)

    def _again(self, turn: Turn, job: store.Job, journal: Journal, attempts: Attempts, decision: Deep | Shallow,
               message: Resubmit) -> None:
        moved = message.reason == REPLANNED
        counted = attempts.moved() if moved else attempts if message.untaken else attempts.after(decision)
        result = "WILLRESUB" if isinstance(decision, Deep) else "SHALLOW"
        journal.add("Resubmission", result=result,
                    reason=decision.reason if message.reason == REPLANNED else f"{decision.reason}; {message.reason}",
                    **({} if message.replan else owned(message.reason)))
        delay = 0.0 if message.replan else delay_s(job.attempt - job.replans, self._rng.random())
        waits = f"the last attempt failed: {message.reason}" if delay else ""
        if waits:
            journal.add("Pending", reason=f"{waits}; the next one is in {delay:.0f} s")
        hosts = [*filter(None, job.previous.split("\n")), job.ce.partition(":")[0]]
        store.change(turn.out.conn, job.id, phase=store.WAITING, attempt=job.attempt + 1, deep=counted.deep,
                     shallow=counted.shallow, site_faults=counted.site_faults, replans=counted.replans,
                     previous="\n".join(dict.fromkeys(hosts)), due=turn.out.now + delay, lane="",
                     reason=waits, sequence_code=journal.code)
        turn.out.log(journal.events)
        note_topic(turn.out.conn, store.TASKQUEUE)


def judged(message: Resubmit) -> Judgement:
    """Whose fault it was. Who saw the failure may know that another attempt cannot help: then it is the user's."""
    found = judge(message.reason)
    if message.retry or not found.again:
        return found
    return Judgement(found.owner if found.counts else Fault.USER, False)


def withdraw(turn: Turn, job: store.Job, url: str) -> None:
    """Nobody waits for the current attempt any more, and the CE is to forget it."""
    turn.out.send(LOGMONITOR, Withdrawn(url, job.attempt), url)
    turn.out.send(JOBADAPTER, Kill(url, job.attempt), url)
