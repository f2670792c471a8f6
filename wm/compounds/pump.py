"""Moves compounds on, in small transactions, whenever something happened to their nodes: unfolds them, releases what
may go, ends what cannot run, cancels, and ends the compound after its last node. The rules are in `progress`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Sequence

import msgspec
import sqlalchemy as sa

from wm import store as queue
from wm.compounds import progress, store
from wm.compounds.ending import end, end_unsent
from wm.compounds.progress import Colour, Throttles
from wm.compounds.store import Compound
from wm.turn import Over, Turn, Turns
from wms.messages.attempts import CancelAsked, Kill, Release
from wms.messages.submission import SubmitCompound
from wms.messages.topics import JOBADAPTER, LOGMONITOR, NS
from wms.outbox import Outbox
from wms.service import Kit

PORTION = 500
"""Nodes of one message and of one transaction."""
UNFOLDED = 5_000
"""Rows of nodes made in one transaction."""
AGAIN_S = 60.0
"""A safety net: everything of importance wakes us before."""
TOGETHER = 50


def follow(out: Outbox, overs: Sequence[Over]) -> None:
    """Follower of the ends of jobs: each end of a node is counted here, and nowhere else."""
    ends: defaultdict[str, dict[int, str]] = defaultdict(dict)
    for over in overs:
        if over.job.parent:
            ends[over.job.parent][over.job.node] = over.outcome
    if ends:
        for id, row in store.of(out.conn, ends).items():
            count_ends(out.conn, row, ends[id])
        store.touch(out.conn, ends, out.now)


def count_ends(conn: sa.Connection, row: Compound, outcomes: dict[int, str]) -> None:
    """Nodes of one compound are over: counters, colours, and their children."""
    counts = progress.tally(outcomes.values())
    store.count(conn, row.id, {"done": counts.done, "failed": counts.failed, "cancelled": counts.cancelled})
    if row.has_edges:
        store.apply(conn, row.id, progress.ended(outcomes, store.children(conn, row.id, outcomes)))


class Pump:
    """`work` does what is due; `woken` hears of topics that may make something due."""

    def __init__(self, kit: Kit, turns: Turns) -> None:
        self._kit = kit
        self._turns = turns
        self._idle = kit.settings.wm.max_idle_nodes
        self._kept_back: set[str] = set()
        self._placed = False
        self._began = False

    def woken(self, topics: Container[str]) -> bool:
        """True if there is something to do. What goes to the Job Adapter no longer waits: others may follow."""
        if JOBADAPTER in topics and self._kept_back:
            self._placed = True
        return store.TOPIC in topics or self._placed

    async def work(self) -> None:
        """Until nothing is due."""
        if not self._began:
            await self._kit.database.transact(store.touch_all, self._kit.now())
            self._began = True
        while ids := await self._due():
            for id in ids:
                await self._advance(id)

    async def _due(self) -> list[str]:
        found: list[str] = await self._kit.database.read(store.due, self._kit.now(), TOGETHER)
        if self._placed:
            self._placed = False
            found = list(dict.fromkeys([*found, *self._kept_back]))
        return found

    async def _advance(self, id: str) -> None:
        unfolding = await self._kit.database.transact(self._step, id, self._kit.now())
        if unfolding is not None:
            await self._unfold(unfolding)

    # -- unfolding ---------------------------------------------------------------------------------------

    async def _unfold(self, row: Compound) -> None:
        """Rows for nodes and edges, a portion a transaction; after a crash it goes on where it was."""
        submit = row.request()
        waits = await self._kit.thread(progress.waits, row.number, submit.edges)
        leaving = sorted(submit.edges)
        for first in range(row.next, row.number, UNFOLDED):
            last = min(first + UNFOLDED, row.number)
            portion = [edge for edge in leaving if first <= edge[0] < last]
            await self._kit.database.transact(self._unfolded, row.id, first, waits[first:last], portion)
        await self._kit.database.transact(self._open, row.id, submit)

    def _unfolded(self, conn: sa.Connection, id: str, first: int, waits: Sequence[int],
                  leaving: progress.Edges) -> None:
        store.unfold(conn, id, first, waits, leaving)
        store.change(conn, id, next=first + len(waits))

    def _open(self, conn: sa.Connection, id: str, submit: SubmitCompound) -> None:
        row = store.find(conn, id)
        if row is None or row.phase != store.UNFOLDING:
            return
        small = msgspec.json.encode(msgspec.structs.replace(submit, edges=()))
        store.change(conn, id, phase=store.CANCELLING if row.reason else store.OPEN, submit=small, next=0, reason="",
                     due=self._kit.now())

    # -- one step ----------------------------------------------------------------------------------------

    def _step(self, conn: sa.Connection, id: str, now: float) -> Compound | None:
        """One transaction; the row if it is to be unfolded."""
        with self._turns.begin(conn, now) as turn:
            row = store.find(conn, id)
            self._kept_back.discard(id)
            if row is None or row.phase == store.OVER:
                return None
            if row.phase == store.UNFOLDING:
                return row
            if row.counts.complete:
                end(turn, row)
            elif not self._moved(turn, row):
                store.change(conn, id, due=self._next(row, now))
        return None

    def _moved(self, turn: Turn, row: Compound) -> bool:
        """Do one portion; False if there is nothing to do before something happens."""
        if row.phase == store.CANCELLING:
            return _cancel(turn, row)
        if not row.reason and 0 < row.request().expires <= turn.out.now:
            row = row._replace(reason=progress.EXPIRED)
            store.change(turn.out.conn, row.id, reason=row.reason)
        if row.reason:
            return _drop(turn, row)
        return _doom(turn, row) or self._release(turn, row)

    @staticmethod
    def _next(row: Compound, now: float) -> float:
        expires = row.request().expires
        return min(now + AGAIN_S, expires) if expires > now else now + AGAIN_S

    def _release(self, turn: Turn, row: Compound) -> bool:
        conn, throttles = turn.out.conn, Throttles(row.most_running, self._idle)
        room = progress.room(row.counts, store.waiting(conn, row.id), throttles, PORTION)
        submit = row.request()
        ce = _place(conn, row.id, submit) if submit.collocated else ""
        if submit.collocated and not ce:
            room = progress.ahead(room, row.counts)
        if room.idle:
            self._kept_back.add(row.id)
        chosen = _take(conn, row, room.nodes)
        if chosen:
            store.count(conn, row.id, {"next": len(chosen)})
            turn.out.send(NS, Release(submit.job, tuple(chosen), ce), submit.job)
        return bool(chosen)


def _place(conn: sa.Connection, id: str, submit: SubmitCompound) -> str:
    """The CE of all nodes of a collocated compound, "" while its first node has none. It is decided once.

    It is where the first node was placed last when we look. Should that CE die, the first node may be resubmitted
    elsewhere, but its siblings are pinned: they wait for the CE until they expire, or are aborted as soon as
    the information system no longer knows it. A first node that ends without a place is followed by the next.
    """
    if submit.ce:
        return submit.ce
    ce = store.place(conn, id)
    if ce:
        store.change(conn, id, submit=msgspec.json.encode(msgspec.structs.replace(submit, ce=ce)))
    return ce


def _take(conn: sa.Connection, row: Compound, most: int) -> list[int]:
    """The next nodes, which are grey from now on."""
    if most == 0 or not row.has_edges:
        return list(range(row.next, row.next + most))
    chosen = store.releasable(conn, row.id, most)
    store.paint(conn, row.id, chosen, Colour.GREY)
    return chosen


def _doom(turn: Turn, row: Compound) -> bool:
    """Nodes whose parents failed are aborted, with all that come after them."""
    chosen = store.doomed(turn.out.conn, row.id, PORTION) if row.has_edges else []
    end_unsent(turn, row, chosen, "Aborted", progress.PARENTS)
    return bool(chosen)


def _drop(turn: Turn, row: Compound) -> bool:
    """What was not released will not be."""
    chosen = _unsent(turn.out.conn, row)
    end_unsent(turn, row, chosen, "Aborted", row.reason)
    return bool(chosen)


def _unsent(conn: sa.Connection, row: Compound) -> list[int]:
    if row.has_edges:
        return store.unsent(conn, row.id, PORTION)
    return list(range(row.next, min(row.next + PORTION, row.number)))


def _cancel(turn: Turn, row: Compound) -> bool:
    """A portion of what was not released, of what waits, and of what is at a computing element.

    `reason` is set when there is no more of it: from then on only ends are awaited.
    """
    conn = turn.out.conn
    if row.reason:
        return False
    unsent = _unsent(conn, row)
    end_unsent(turn, row, unsent, "Cancelled", progress.CANCELLED_BY_USER)
    waiting = store.live(conn, row.id, queue.WAITING, PORTION)
    for job in waiting:
        request = job.request()
        turn.end_cancelled(job, turn.journal(request.job, job.sequence_code, request.owner))
    placed = store.live(conn, row.id, queue.PLACED, PORTION)
    queue.change_many(conn, [{"id": job.id, "cancelled": True} for job in placed])
    for job in placed:
        request = job.request()
        turn.out.send(LOGMONITOR, CancelAsked(request.job, job.attempt), request.job)
        turn.out.send(JOBADAPTER, Kill(request.job, job.attempt), request.job)
    if not (unsent or waiting or placed) and row.next == row.released:
        store.change(conn, row.id, reason=progress.CANCELLED_BY_USER)
    return bool(unsent or waiting or placed)
