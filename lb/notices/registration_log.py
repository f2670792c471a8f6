"""Which registrations changed last, as a mark in the database, so that every process keeps its memory of them fresh.

The mark is the last changes, each with a token that is never used again: a change that was rolled back leaves none,
and whoever does not find the token it knows reads everything anew.
"""

from __future__ import annotations

import sqlalchemy as sa

from lb import marks
from lb.tables import marks as table
from wms.database import note_topic

MARK = "registrations"
KEPT = 200
NEWS = "notices"
"""The topic on which notices and changes of registrations are heard of after their commit."""
_GET = sa.select(table.c.value).where(table.c.name == MARK)


def get(conn: sa.Connection) -> str:
    """The mark; "" while there never was a registration."""
    return str(conn.execute(_GET).scalar() or "")


def note(conn: sa.Connection, id: str, token: str) -> None:
    """This registration changes with this transaction; `token` has no blank and no colon."""
    before = str(conn.execute(_GET.with_for_update()).scalar() or "").split()
    marks.put(conn, MARK, " ".join([*before, f"{token}:{id}"][-KEPT:]))
    note_topic(conn, NEWS)


def since(known: str, current: str) -> frozenset[str] | None:
    """The registrations that changed between two marks; None if that cannot be told: all of them may have."""
    changes = current.split()
    last = known.split()[-1:]
    if not last or last[0] not in changes:
        return None
    return frozenset(change.partition(":")[2] for change in changes[changes.index(last[0]) + 1:])
