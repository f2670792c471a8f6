"""What is said of compounds and of nodes that never became jobs: their beginning and their end.

Events and rows of a running transaction; when it is time for them is decided in `pump` and `requests`.
"""

from __future__ import annotations

from collections.abc import Sequence

from wm.compounds import progress, store
from wm.compounds.progress import DAG, Colour
from wm.compounds.store import Compound
from wm.turn import Turn
from wms.eventlog import Journal
from wms.jobid import JobId
from wms.messages.attempts import Ended
from wms.messages.submission import SubmitCompound
from wms.messages.topics import NS
from wms.seqcode import START

QUEUE = "workload_manager"
MANAGED = "DAG managed by WM"
_UNSENT = {"Aborted": (Colour.RED, "failed"), "Cancelled": (Colour.CANCELLED, "cancelled")}


def begin(turn: Turn, submit: SubmitCompound) -> str:
    """What is logged when a compound arrives; its sequence code after it. A DAG runs here from now on."""
    journal = turn.journal(submit.job, submit.sequence_code, submit.owner)
    journal.add("DeQueued", queue=QUEUE)
    if submit.kind == DAG:
        journal.add("Match", dest_id="dagman")
        journal.add("EnQueued", queue="dagman", result="OK", reason=MANAGED)
        journal.add("Running", node="localhost")
    turn.out.log(journal.events)
    return journal.code


def end_unsent(turn: Turn, row: Compound, which: Sequence[int], outcome: str, reason: str) -> None:
    """Nodes that were never released are Aborted or Cancelled; with edges, their children cannot run either."""
    if not which:
        return
    conn, (colour, counter) = turn.out.conn, _UNSENT[outcome]
    say(turn, row, [(node, reason) for node in which], outcome)
    if row.has_edges:
        store.paint(conn, row.id, which, colour)
        store.doom(conn, row.id, {child for _parent, child in store.children(conn, row.id, which)})
    store.count(conn, row.id, {"next": len(which), "released": len(which), counter: len(which)})


def say(turn: Turn, row: Compound, ended: Sequence[tuple[int, str]], outcome: str) -> None:
    """The one event of each node that ended (with a reason) and never was a job."""
    submit = row.request()
    parent = JobId.parse(submit.job)
    for node, reason in ended:
        journal = turn.journal(str(parent.subjob(None, node)), str(START), submit.owner)
        _last(journal, outcome, reason)
        turn.out.log(journal.events)


def _last(journal: Journal, outcome: str, reason: str) -> None:
    if outcome == "Cancelled":
        journal.add("Cancel", status_code="DONE", reason=reason)
    else:
        journal.add("Abort", reason=reason)


def end(turn: Turn, row: Compound) -> None:
    """All nodes are over, so is the compound. The state of a collection follows from them, a DAG's is said."""
    submit = row.request()
    ending = progress.end(row.kind, row.counts, cancelled=row.phase == store.CANCELLING, reason=row.reason)
    journal = turn.journal(submit.job, row.sequence_code, submit.owner)
    if ending.outcome == "Cancelled" or (row.kind == DAG and ending.outcome == "Aborted"):
        _last(journal, ending.outcome, ending.reason)
    elif row.kind == DAG:
        journal.add("Done", status_code="OK", exit_code=0, reason=ending.reason)
    turn.out.log(journal.events)
    turn.out.send(NS, Ended(submit.job, 0, ending.outcome, ending.reason), submit.job)
    store.change(turn.out.conn, row.id, phase=store.OVER, due=turn.out.now, reason=ending.reason,
                 sequence_code=journal.code)
