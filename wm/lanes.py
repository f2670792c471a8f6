"""The lanes in memory: what waits in each, which job stands for it, and why it waits. Rebuilt from the tables.

Not the decisions (wm.matching.cycle) nor the statements (wm.lane_store).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

import sqlalchemy as sa

from wm import lane_store, store
from wm.lane_store import LaneRow
from wm.matching.classes import Keys, priority
from wm.matching.cycle import Cause, Why
from wm.matching.planner import Policy, deadline
from wm.matching.replicas import questions
from wm.matching.request import Request, Site
from wm.ordering.order import Lane
from wm.recovery.dwell import over
from wms.config import Wm
from wms.errors import WmsError
from wms.jdl.described import described
from wms.messages import Submit

NEWS = Cause(Why.TURN)
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
    `decision` is the one by which it began to wait for that.
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
    return LaneState(row, request, data=not pinned and bool(questions(request.description)))


def _bounded(wish: int) -> int:
    """What the user asks for, in 32 bits as the table has them."""
    return max(-MOST_WISH, min(wish, MOST_WISH))


@dataclass(slots=True)
class Fresh:
    """Jobs to be looked at, by lane, and until when each may wait; `refused` are those for which there is no hope."""

    by_lane: dict[str, list[store.Job]] = field(default_factory=dict)
    until: dict[str, float] = field(default_factory=dict)
    refused: list[tuple[store.Job, str]] = field(default_factory=list)


class Lanes:
    """`states` by id. `assign` names the lanes of jobs as they arrive; the broker does it for those without.

    `ends` tells when the credential of a job ends (epoch s), by what is known at a time.
    """

    def __init__(self, settings: Wm, site: Site, ends: Callable[[Submit, float], float]) -> None:
        self._settings = settings
        self._ends = ends
        self._policy = Policy(settings.expiry_s, site)
        self._keys = Keys(site)
        self.states: dict[str, LaneState] = {}

    # -- which lane --------------------------------------------------------------------------------------

    def row(self, request: Request) -> LaneRow:
        """The lane of a job."""
        settings, description = self._settings, request.description
        lazy = settings.lazy or request.vo in settings.lazy_vos if description.lazy is None else description.lazy
        told = (self._keys.key(request), request.vo, request.owner,
                priority(request.vo, request.fqans, settings.priorities), _bounded(description.priority), lazy)
        return LaneRow(hashlib.sha256(repr(told).encode()).hexdigest()[:32], *told)

    def assign(self, conn: sa.Connection, submits: Sequence[Submit], *, alike: bool = False) -> list[str]:
        """The lane of each new job, written if it is new; `alike`: all are in that of the first. "" for a bad JDL."""
        asked = [self._lane_of(submit) for submit in (submits[:1] if alike else submits)]
        self.write(conn, [row for row in asked if row is not None])
        names = ["" if row is None else row.id for row in asked]
        return names * len(submits) if alike else names

    def _lane_of(self, submit: Submit) -> LaneRow | None:
        try:
            return self.row(Request(submit.job, described(submit.jdl), submit.owner, submit.fqans, submit.vo))
        except WmsError:
            return None

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
            try:
                request = request_of(job, job.request())
                row = self.row(request)
            except WmsError as error:
                fresh.refused.append((job, error.message))
                continue
            if job.lane in self.states:
                self.states[job.lane].settled -= self.states[job.lane].settled > 0
            until, ends = deadline(request, self._policy), self._ends(job.request(), now)
            fresh.until[job.id] = min(until, ends)
            if reason := over(until, ends, now):
                fresh.refused.append((job, reason))
            else:
                if row.id not in self.states:
                    self.states[row.id] = new_state(row, request)
                fresh.by_lane.setdefault(row.id, []).append(job)
        return fresh

    def load(self, conn: sa.Connection) -> list[str]:
        """Count all anew; the lanes whose jobs belong elsewhere by now, as the site asks for something else."""
        states: dict[str, LaneState] = {}
        moved: list[str] = []
        for backlog in lane_store.backlogs(conn):
            known = self.states.get(backlog.row.id) or self._found(conn, backlog.row)
            if known is None:
                moved.append(backlog.row.id)
            else:
                states[backlog.row.id] = replace(known, settled=backlog.waiting, head=backlog.head)
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
