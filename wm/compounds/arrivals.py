"""Messages about compounds: one arrives, nodes of it have become jobs, its owner gives it up.

Rows and events of a running transaction; all that follows is the pump's.
"""

from __future__ import annotations

from wm.compounds import ending, progress, pump, store
from wm.turn import Turn
from wms.jobid import JobId
from wms.messages.submission import Cancel, NodeJob, Submit, SubmitCompound, SubmitNodes
from wms.seqcode import START, Source

NODE_CODE = str(START.advanced(Source.NETWORK_SERVER))
"""Sequence code of a node when it comes from the Network Server, which has registered it."""


def compound(turn: Turn, submit: SubmitCompound) -> None:
    """A new compound; what is here already is left alone."""
    id = JobId.parse(submit.job).unique
    if store.find(turn.out.conn, id) is None:
        store.add(turn.out.conn, submit, ending.begin(turn, submit), turn.out.now)


def nodes(turn: Turn, message: SubmitNodes) -> list[Submit]:
    """The released nodes as jobs that wait; those that could not become one are over with this."""
    conn = turn.out.conn
    row = store.find(conn, JobId.parse(message.parent).unique)
    if row is None or row.phase == store.OVER:
        return []
    known = store.known(conn, [JobId.parse(node.job).unique for node in message.nodes])
    new = [node for node in message.nodes if node.node not in known]
    refused = [node for node in new if node.refused]
    store.count(conn, row.id, {"released": len(new)})
    if refused:
        ending.say(turn, row, [(node.node, node.refused) for node in refused], "Aborted")
        pump.count_ends(conn, row, {node.node: "Aborted" for node in refused})
    if refused or row.phase == store.CANCELLING:
        store.touch(conn, [row.id], turn.out.now)
    fqans = message.fqans or row.request().fqans
    return [_job(message, fqans, row.id, node) for node in new if not node.refused]


def _job(message: SubmitNodes, fqans: tuple[str, ...], parent: str, node: NodeJob) -> Submit:
    return Submit(node.job, node.jdl, message.owner, message.vo, fqans, message.credential, message.credential_ends,
                  node.sequence_code or NODE_CODE, message.submitted, node.files, parent, node.node,
                  renewable=message.renewable)


def cancelled(turn: Turn, message: Cancel) -> bool:
    """The owner gives up a compound; False if it is none that is here."""
    row = store.find(turn.out.conn, JobId.parse(message.job).unique)
    if row is None:
        return False
    if row.phase == store.UNFOLDING:
        store.change(turn.out.conn, row.id, reason=progress.CANCELLED_BY_USER)
    elif row.phase == store.OPEN:
        store.change(turn.out.conn, row.id, phase=store.CANCELLING)
    store.touch(turn.out.conn, [row.id], turn.out.now)
    return True
