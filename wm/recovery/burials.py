"""What becomes of a job when a message about it was set aside for good: it ends with the reason, it does not hang."""

from __future__ import annotations

from enum import Enum, auto

from wm import store
from wm.compounds import arrivals
from wm.recovery.retries import withdraw
from wm.turn import Turn
from wms.jobid import JobId
from wms.messages.attempts import Ended
from wms.messages.submission import Buried, NodeJob, SubmitNodes
from wms.messages.topics import NS
from wms.seqcode import START

AGAIN_S, LAST_PAUSE_S = 3_600.0, 15 * 86_400.0


class Fate(Enum):
    """What follows from the burial: for a job that has not arrived, for one that is here, for nodes of a compound."""

    REFUSE = auto()
    ABORT = auto()
    FINISH = auto()
    NODES = auto()
    AGAIN = auto()
    NOTHING = auto()


FATES = {
    "Submit": Fate.REFUSE, "SubmitCompound": Fate.REFUSE, "": Fate.ABORT, "Run": Fate.ABORT, "Watch": Fate.ABORT,
    "NotPlaced": Fate.ABORT, "Close": Fate.ABORT, "Resubmit": Fate.ABORT, "Finished": Fate.FINISH,
    "GivenUp": Fate.ABORT,
    "Release": Fate.NODES, "SubmitNodes": Fate.NODES,
    "Ended": Fate.AGAIN,
}
"""By the record's name. Of all others the job's way does not depend: a report has its second channel, what was to be
killed or cleaned is at most useless work, a cancellation can be asked for again."""


def handle(turn: Turn, message: Buried) -> None:
    """Handler of Buried."""
    reason = f"the service could not handle {message.record or 'a message'} of the job: {message.error}"
    match FATES.get(message.record, Fate.NOTHING):
        case Fate.REFUSE:
            _refuse(turn, message, reason)
        case Fate.NODES:
            _refuse_nodes(turn, message, reason)
        case Fate.AGAIN:
            _tell_again(turn, message)
        case Fate.ABORT | Fate.FINISH:
            job = store.find(turn.out.conn, message.job)
            if job is not None and job.phase != store.OVER and message.attempt in (0, job.attempt):
                _end(turn, message, job, reason)


def _refuse(turn: Turn, message: Buried, reason: str) -> None:
    """The job has never arrived here, unless the message came twice."""
    if store.find(turn.out.conn, message.job) is None:
        journal = turn.journal(message.job, message.sequence_code or str(START), "")
        journal.add("Abort", reason=reason)
        turn.out.log(journal.events)
        turn.out.send(NS, Ended(message.job, 0, "Aborted", reason), message.job)


def _refuse_nodes(turn: Turn, message: Buried, reason: str) -> None:
    """Nodes that were released and will not become jobs."""
    parent = JobId.parse(message.job)
    nodes = tuple(NodeJob(str(parent.subjob(None, index)), index, "", refused=reason) for index in message.nodes)
    arrivals.nodes(turn, SubmitNodes(message.job, "", "", (), "", 0.0, turn.out.now, nodes))


def _tell_again(turn: Turn, message: Buried) -> None:
    """Nothing else ends the job at the Network Server: after an hour, then after pauses that double, for a month."""
    since = message.since or turn.out.now
    pause = max(AGAIN_S, turn.out.now - since)
    if pause <= LAST_PAUSE_S:
        turn.out.send(NS, Ended(message.job, message.attempt, message.outcome, since=since), message.job, delay_s=pause)


def _end(turn: Turn, message: Buried, job: store.Job, reason: str) -> None:
    if FATES[message.record] is Fate.FINISH:
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
