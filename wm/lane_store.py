"""Statements on lanes: wm_lanes, what waits in each, what is placed, and who used how much. No decisions here."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from wm.ordering.shares import Use, Who
from wm.store import OVER, PLACED, WAITING, Job
from wm.tables import jobs, lanes, usage

TOGETHER = 500


class LaneRow(NamedTuple):
    """A row of wm_lanes."""

    id: str
    cls: str
    vo: str
    owner: str
    priority: int
    wish: int
    lazy: bool


class Backlog(NamedTuple):
    """What waits in a lane: how many jobs, the oldest from `head` (epoch s)."""

    row: LaneRow
    waiting: int
    head: float


class Placed(NamedTuple):
    """Placed jobs of an owner at a CE; `since` is the sum of the times at which they were placed."""

    vo: str
    owner: str
    ce: str
    jobs: int
    since: float


def add(conn: sa.Connection, rows: Collection[LaneRow]) -> None:
    """Those that are there already stay."""
    if rows:
        insert = (postgresql if conn.dialect.name == "postgresql" else sqlite).insert(lanes)
        conn.execute(insert.on_conflict_do_nothing(), [row._asdict() for row in sorted(rows)])


def backlogs(conn: sa.Connection) -> list[Backlog]:
    """All lanes in which settled jobs wait."""
    counted = (sa.select(jobs.c.lane, sa.func.count().label("waiting"), sa.func.min(jobs.c.submitted).label("head"))
               .where(jobs.c.phase == WAITING, jobs.c.lane != "", jobs.c.decision != "")
               .group_by(jobs.c.lane).subquery())
    found = conn.execute(sa.select(lanes, counted.c.waiting, counted.c.head)
                         .join(counted, counted.c.lane == lanes.c.id).order_by(lanes.c.id))
    return [Backlog(LaneRow(*row[:-2]), row[-2], row[-1]) for row in found]


def heads(conn: sa.Connection, wanted: Mapping[str, int]) -> dict[str, list[Job]]:
    """The oldest waiting jobs of each lane, so many as are wanted."""
    return {lane: _oldest(conn, lane, number) for lane, number in wanted.items()}


def _oldest(conn: sa.Connection, lane: str, number: int) -> list[Job]:
    chosen = sa.select(jobs).where(jobs.c.phase == WAITING, jobs.c.lane == lane)
    return [Job(*row) for row in conn.execute(chosen.order_by(jobs.c.submitted, jobs.c.id).limit(number))]


def loosen(conn: sa.Connection, ids: Sequence[str], now: float) -> None:
    """The jobs of these lanes are to be looked at anew."""
    for id in ids:
        conn.execute(jobs.update().where(jobs.c.phase == WAITING, jobs.c.lane == id).values(lane="", due=now))


def placed(conn: sa.Connection) -> list[Placed]:
    """All placed jobs, counted."""
    what = (lanes.c.vo, lanes.c.owner, jobs.c.ce)
    found = conn.execute(sa.select(*what, sa.func.count(), sa.func.sum(jobs.c.placed_at)).join(
        lanes, lanes.c.id == jobs.c.lane).where(jobs.c.phase == PLACED).group_by(*what).order_by(*what))
    return [Placed(*row) for row in found]


def still_placed(conn: sa.Connection, ids: Sequence[str]) -> set[str]:
    """Those of the jobs whose attempt is not known to be over."""
    found: set[str] = set()
    for k in range(0, len(ids), TOGETHER):
        found.update(conn.scalars(sa.select(jobs.c.id).where(
            jobs.c.phase == PLACED, jobs.c.id.in_(ids[k:k + TOGETHER]))))
    return found


def forget(conn: sa.Connection) -> int:
    """Drop lanes that no job is in."""
    here = sa.exists().where(jobs.c.phase.in_((WAITING, PLACED, OVER)), jobs.c.lane == lanes.c.id)
    return conn.execute(lanes.delete().where(~here)).rowcount


# -- use -------------------------------------------------------------------------------------------------


def uses(conn: sa.Connection, who: Iterable[Who] | None = None) -> dict[Who, Use]:
    """Past use of all, or of some."""
    chosen = sa.select(usage)
    if who is not None:
        chosen = chosen.where(sa.tuple_(usage.c.vo, usage.c.owner).in_(sorted(who))).order_by(
            usage.c.vo, usage.c.owner).with_for_update()
    return {(vo, owner): Use(used, at) for vo, owner, used, at in conn.execute(chosen)}


def put_uses(conn: sa.Connection, new: Mapping[Who, Use]) -> None:
    """In the place of what was there."""
    insert: Any = (postgresql if conn.dialect.name == "postgresql" else sqlite).insert(usage)
    conn.execute(insert.on_conflict_do_update(
        index_elements=[usage.c.vo, usage.c.owner],
        set_={"used": insert.excluded.used, "at": insert.excluded.at}),
        [{"vo": vo, "owner": owner, "used": use.used, "at": use.at} for (vo, owner), use in sorted(new.items())])


def forget_uses(conn: sa.Connection, before: float) -> int:
    """Drop what is so old that it counts for nothing."""
    return conn.execute(usage.delete().where(usage.c.at < before)).rowcount
