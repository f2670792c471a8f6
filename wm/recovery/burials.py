"""What becomes of a job when a message about it was set aside for good: it ends with the reason, it does not hang."""

from __future__ import annotations

from enum import Enum, auto

from wm import store
from wm.recovery.retries import withdraw
from wm.turn import Turn
from wms.messages import NS, Buried, Ended
from wms.seqcode import START


class Fate(Enum):
    """What follows from the burial."""

    ABORT = auto()
    FINISH = auto()
    NOTHING = auto()


FATES = {
    "": Fate.ABORT, "Submit": Fate.ABORT, "Run": Fate.ABORT, "Watch": Fate.ABORT, "NotPlaced": Fate.ABORT,
    "Close": Fate.ABORT, "Resubmit": Fate.ABORT, "Finished": Fate.FINISH,
}
"""By the record's name. Of all others the job's way does not depend: a report has its second channel, what was to be
killed or cleaned is at most useless work, a cancellation can be asked for again."""


def handle(turn: Turn, message: Buried) -> None:
    """Handler of Buried."""
    fate = FATES.get(message.record, Fate.NOTHING)
    job = store.find(turn.out.conn, message.job)
    if fate is Fate.NOTHING or (job is None and message.record != "Submit"):
        return
    reason = f"the service could not handle {message.record or 'a message'} of the job: {message.error}"
    if job is None:
        _refuse(turn, message, reason)
    elif job.phase != store.OVER and message.attempt in (0, job.attempt):
        _end(turn, message, job, fate, reason)


def _refuse(turn: Turn, message: Buried, reason: str) -> None:
    """The job has never arrived here."""
    journal = turn.journal(message.job, message.sequence_code or str(START), "")
    journal.add("Abort", reason=reason)
    turn.out.log(journal.events)
    turn.out.send(NS, Ended(message.job, 0, "Aborted", reason), message.job)


def _end(turn: Turn, message: Buried, job: store.Job, fate: Fate, reason: str) -> None:
    if fate is Fate.FINISH:
        turn.finish(job, message.outcome or "Aborted")
        return
    submit = job.request()
    if job.phase == store.PLACED:
        withdraw(turn, job, submit.job)
    journal = turn.journal(submit.job, job.sequence_code, submit.owner)
    if job.cancelled:
        turn.end_cancelled(job, journal)
    else:
        turn.abort(job, journal, reason)
