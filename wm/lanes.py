"""The lanes in memory: what waits in each, which job stands for it, and why it waits. Rebuilt from the tables.

Not the decisions (wm.matching.cycle) nor the statements (wm.lane_store).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

import sqlalchemy as sa

from wm import lane_store, store
from wm.lane_store import LaneRow
from wm.matching.classes import Keys, priority
from wm.matching.cycle import Cause, Why
from wm.matching.planner import Policy, deadline
from wm.matching.replicas import questions
from wm.matching.request import Request, Site
from wm.ordering.order import Lane
from wm.recovery.dwell import Life, over
from wms.config import Wm
from wms.errors import WmsError
from wms.jdl.described import described
from wms.lifetime import needed_s
from wms.messages.submission import Submit

NEWS = Cause(Why.TURN)
K = TypeVar("K")
V = TypeVar("V")
MOST_KNOWN = 4096
"""Lanes whose description is remembered, and compounds whose lane is."""
MOST_WISH = 2**31 - 1


def request_of(row: store.Job, submit: Submit) -> Request:
    """What matching asks on behalf of a job; raises JdlError or JdlInvalid."""
    return Request(submit.job, described(submit.jdl), submit.owner, submit.fqans, submit.vo,
                   tuple(filter(None, row.previous.split("\n"))), row.attempt, submit.submitted, jdl=submit.jdl)


@dataclass(slots=True)
class LaneState:
    """A lane: `settled` jobs in the table that were looked at before, the oldest from `head`; `request` is one's.

    `cause` is why it waits, as of `looked` (epoch s), `said` the sentence that tells it, made for the board's
    `serial`. `data`: it reads files that catalogues know of, which were asked at `resolved` and have `answered`.
    `decision` is the one by which it began to wait for that. `needs_s`: how long such a job may run.
    """

    row: LaneRow
    request: Request
    settled: int = 0
    head: float = 0.0
    served: int = 0
    cause: Cause = NEWS
    looked: float = 0.0
    said: str = ""
    serial: int = -1
    data: bool = False
    answered: bool = False
    resolved: float = float("-inf")
    decision: str = ""
    needs_s: float = 0.0

    def lane(self, fresh: Sequence[store.Job]) -> Lane:
        """For a cycle, with jobs that just came."""
        heads = [job.submitted for job in fresh] + ([self.head] if self.settled else [])
        row = self.row
        return Lane(row.id, row.cls, row.vo, row.owner, row.priority, row.wish, row.lazy,
                    self.settled + len(fresh), min(heads, default=0.0), self.served)


    def waits(self, cause: Cause, decision: str, now: float) -> bool:
        """So it was decided; True if it is news."""
        news = not self.decision or (cause.why, cause.detail) != (self.cause.why, self.cause.detail)
        self.decision = decision if news else self.decision
        self.cause, self.looked = cause, now
        return news

    def moved(self, gone: int, came: Sequence[store.Job], next: float) -> None:
        """So many settled jobs are gone, these were settled; `next` is when the oldest that is left was submitted."""
        self.settled = max(0, self.settled - gone) + len(came)
        self.head = next or self.head


def new_state(row: LaneRow, request: Request) -> LaneState:
    pinned = bool(request.description.submit_to)
    return LaneState(row, request, data=not pinned and bool(questions(request.description)),
                     needs_s=needed_s(request.description))


def _bounded(wish: int) -> int:
    """What the user asks for, in 32 bits as the table has them."""
    return max(-MOST_WISH, min(wish, MOST_WISH))


@dataclass(slots=True)
class Fresh:
    """Jobs to be looked at, by lane, and until when each may wait; `refused` are those for which there is no hope."""

    by_lane: dict[str, list[store.Job]] = field(default_factory=dict)
    until: dict[str, float] = field(default_factory=dict)
    refused: list[tuple[store.Job, str]] = field(default_factory=list)


class Likeness(NamedTuple):
    """What nodes have in common that are alike: `expires` is epoch s, 0: by the site's rule."""

    row: LaneRow
    expires: float


def _remember(memory: dict[K, V], key: K, value: V) -> None:
    if len(memory) >= MOST_KNOWN:
        memory.clear()
    memory[key] = value


class Lanes:
    """`states` by id. `likeness` names the lane of nodes as they arrive; the broker finds that of other jobs.

    `life` tells how long the credential of a job goes on, by what is known at a time.
    """

    def __init__(self, settings: Wm, site: Site, life: Callable[[Submit, float], Life]) -> None:
        self._settings = settings
        self._life = life
        self._policy = Policy(settings.expiry_s, site)
        self._keys = Keys(site)
        self._known: dict[str, tuple[LaneRow, Request]] = {}
        self._likenesses: dict[tuple[object, ...], Likeness] = {}
        self.states: dict[str, LaneState] = {}

    # -- which lane --------------------------------------------------------------------------------------

    def row(self, request: Request) -> LaneRow:
        """The lane of a job."""
        settings, description = self._settings, request.description
        lazy = settings.lazy or request.vo in settings.lazy_vos if description.lazy is None else description.lazy
        told = (self._keys.key(request), request.vo, request.owner,
                priority(request.vo, request.fqans, settings.priorities), _bounded(description.priority), lazy)
        return LaneRow(hashlib.sha256(repr(told).encode()).hexdigest()[:32], *told)

    def likeness(self, conn: sa.Connection, node: Submit) -> Likeness | None:
        """Of all nodes of a compound that matching cannot tell apart, by one of them; its lane is written if it is new.

        None if it cannot be read.
        """
        asked = (node.parent, node.owner, node.vo, node.fqans)
        found = self._likenesses.get(asked)
        if found is None:
            try:
                found = self._likeness(node)
            except WmsError:
                return None
            _remember(self._likenesses, asked, found)
        self.write(conn, [found.row])
        return found

    def _likeness(self, node: Submit) -> Likeness:
        request = Request(node.job, described(node.jdl), node.owner, node.fqans, node.vo, jdl=node.jdl)
        row = self.row(request)
        _remember(self._known, row.id, (row, request))
        return Likeness(row, request.description.expiry_time or 0.0)

    def write(self, conn: sa.Connection, rows: Iterable[LaneRow]) -> None:
        """Rows of wm_lanes, each once. What was written is not remembered: the transaction may yet be undone."""
        lane_store.add(conn, {row.id: row for row in rows}.values())

    def forget(self, conn: sa.Connection) -> int:
        """Drop the rows of lanes that no job is in."""
        return lane_store.forget(conn)

    # -- what waits --------------------------------------------------------------------------------------

    def take(self, rows: Sequence[store.Job], now: float) -> Fresh:
        """Sort jobs into their lanes, which are made when they are new; who was settled is not any more."""
        fresh = Fresh()
        for job in rows:
            if job.decision and job.lane in self.states:
                self.states[job.lane].settled -= self.states[job.lane].settled > 0
            submit = job.request()
            try:
                row, request, until = self._asked(job, submit)
            except WmsError as error:
                fresh.refused.append((job, error.message))
                continue
            life = self._life(submit, now)
            fresh.until[job.id] = min(until, life.given_up)
            if reason := over(until, life, now):
                fresh.refused.append((job, reason))
            else:
                if row.id not in self.states:
                    self.states[row.id] = new_state(row, request)
                fresh.by_lane.setdefault(row.id, []).append(job)
        return fresh

    def _asked(self, job: store.Job, submit: Submit) -> tuple[LaneRow, Request, float]:
        """The lane of a job, a request like its own, and when it expires: read from the description if need be."""
        known = self._known.get(job.lane) if submit.expires >= 0 else None
        if known is not None:
            return (*known, submit.expires or submit.submitted + self._settings.expiry_s)
        request = request_of(job, submit)
        row = self.row(request)
        _remember(self._known, row.id, (row, request))
        return row, request, deadline(request, self._policy)

    def load(self, conn: sa.Connection) -> list[str]:
        """Count all anew; the lanes whose jobs belong elsewhere by now, as the site asks for something else."""
        states: dict[str, LaneState] = {}
        moved: list[str] = []
        for backlog in lane_store.backlogs(conn):
            known = self.states.get(backlog.row.id) or self._found(conn, backlog.row)
            if known is None:
                moved.append(backlog.row.id)
            else:
                known.settled, known.head = backlog.waiting, backlog.head
                states[backlog.row.id] = known
        self.states = states
        return moved

    def _found(self, conn: sa.Connection, row: LaneRow) -> LaneState | None:
        """From the oldest job of a lane."""
        jobs = lane_store.heads(conn, {row.id: 1})[row.id]
        try:
            request = request_of(jobs[0], jobs[0].request()) if jobs else None
        except WmsError:
            return None
        return new_state(row, request) if request is not None and self.row(request) == row else None

    def tidy(self) -> None:
        """Lanes without jobs are gone."""
        self.states = {id: state for id, state in self.states.items() if state.settled}
