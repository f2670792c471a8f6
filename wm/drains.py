"""Which CEs are drained: rows of wm_drains, and the same in memory for those who make snapshots.

What that means for a CE is in `wm.supply.own`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import sqlalchemy as sa

from wm.supply.own import Drain, drains_of
from wm.tables import drains
from wms.resource import ComputingElement


class Drains:
    """`rows` by id or name of a configured CE, as `load` read them; replaced whole."""

    def __init__(self) -> None:
        self.rows: Mapping[str, Drain] = {}

    def load(self, conn: sa.Connection) -> None:
        self.rows = found(conn)


def found(conn: sa.Connection) -> dict[str, Drain]:
    """All that are drained, from the table."""
    return {row.ce: Drain(*row) for row in conn.execute(sa.select(drains))}


def put(conn: sa.Connection, drain: Drain) -> None:
    """Drain; one that is drained keeps its time and has a new reason."""
    changed = conn.execute(drains.update().where(drains.c.ce == drain.ce).values(reason=drain.reason, by=drain.by))
    if not changed.rowcount:
        conn.execute(drains.insert(), drain._asdict())


def remove(conn: sa.Connection, ce: str) -> bool:
    """Resume; was it drained?"""
    return conn.execute(drains.delete().where(drains.c.ce == ce)).rowcount > 0


def undrained(conn: sa.Connection, ces: Collection[ComputingElement]) -> frozenset[str]:
    """The ids of those that are not drained at this moment, whatever a snapshot says."""
    rows = found(conn)
    return frozenset(ce.id for ce in ces if not drains_of(ce, rows))
