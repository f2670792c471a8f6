"""What the Workload Manager does with each message: rows, events and messages of one transaction.

Matching is elsewhere (`wm.broker`): a job that arrives or comes back only becomes due here.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from msgspec.structs import replace

from wm import store
from wm.compounds import arrivals
from wm.lanes import Lanes
from wm.recovery import burials
from wm.recovery.credential_ends import CredentialEnds
from wm.recovery.retries import Retries
from wm.turn import Turn, Turns
from wms.errors import Unavailable
from wms.eventlog import Journal
from wms.messages import decode
from wms.messages.attempts import CancelAsked, Kill
from wms.messages.credentials import CredentialEnded
from wms.messages.submission import Buried, Cancel, Finished, Resubmit, Submit, SubmitCompound, SubmitNodes
from wms.messages.topics import JOBADAPTER, LOGMONITOR
from wms.queue import Message

QUEUE = "workload_manager"


class Requests:
    """Handler of the topic `wm`."""

    def __init__(self, turns: Turns, retries: Retries, lanes: Lanes, credential_ends: CredentialEnds) -> None:
        self._turns = turns
        self._retries = retries
        self._lanes = lanes
        self._credential_ends = credential_ends

    def handle(self, conn: sa.Connection, messages: Sequence[Message], now: float) -> None:
        """Submissions of a batch are stored as a set; the rest one by one, in order."""
        with self._turns.begin(conn, now) as turn:
            arrived: list[Submit] = []
            for message in messages:
                record = decode(message.body)
                if isinstance(record, Submit):
                    arrived.append(record)
                    continue
                take(turn, arrived)
                arrived = []
                self._one(turn, record)
            take(turn, arrived)

    def _nodes(self, turn: Turn, released: SubmitNodes) -> None:
        """Nodes that matching cannot tell apart are in one lane, which the first of their compound tells."""
        nodes = arrivals.nodes(turn, released)
        like = self._lanes.likeness(turn.out.conn, nodes[0]) if nodes and released.alike else None
        if like is None:
            take(turn, nodes)
        else:
            take(turn, [replace(node, expires=like.expires) for node in nodes], like.row.id)

    def _one(self, turn: Turn, record: object) -> None:
        match record:
            case SubmitNodes() as released:
                self._nodes(turn, released)
            case SubmitCompound() as compound:
                arrivals.compound(turn, compound)
            case Resubmit() as resubmit:
                self._retries.handle(turn, resubmit)
            case CredentialEnded() as ended:
                self._credential_ends.handle(turn, ended)
            case Buried() as buried:
                burials.handle(turn, buried)
            case Cancel() as cancel:
                _cancel(turn, cancel)
            case Finished() as finished:
                _finished(turn, finished)
            case other:
                raise TypeError(f"the Workload Manager does not take {type(other).__name__}")


def take(turn: Turn, arrived: Sequence[Submit], lane: str = "") -> None:
    """New jobs wait from now on, in a lane if it is known; those that are here are left alone."""
    if not arrived:
        return
    new = store.unknown(turn.out.conn, arrived)
    forms: dict[tuple[str, str], Journal] = {}
    for submit in new:
        like = submit.sequence_code, submit.owner
        if like not in forms:
            forms[like] = turn.journal(submit.job, *like)
            forms[like].add("DeQueued", queue=QUEUE)
        turn.out.log([replace(event, job=submit.job) for event in forms[like].events])
    store.add(turn.out.conn, [(submit, forms[submit.sequence_code, submit.owner].code) for submit in new], turn.out.now,
              lane)


def _cancel(turn: Turn, message: Cancel) -> None:
    job = store.find(turn.out.conn, message.job)
    if job is None and arrivals.cancelled(turn, message):
        return
    if job is None:
        raise Unavailable("The job to cancel has not arrived here yet.", job=message.job)
    if job.phase == store.WAITING:
        turn.end_cancelled(job, turn.journal(message.job, job.sequence_code, message.by))
    elif job.phase == store.PLACED:
        store.change(turn.out.conn, job.id, cancelled=True)
        turn.out.send(LOGMONITOR, CancelAsked(message.job, job.attempt), message.job)
        turn.out.send(JOBADAPTER, Kill(message.job, job.attempt), message.job)


def _finished(turn: Turn, message: Finished) -> None:
    job = store.find(turn.out.conn, message.job)
    if job is not None and job.phase == store.PLACED and job.attempt == message.attempt:
        turn.finish(job, message.outcome)
