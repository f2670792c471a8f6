"""What happens in the transaction that stores events: states, then whoever follows the changes of jobs.

A follower is a function of the changes of a batch; it may give events of its own, which are stored in turn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import sqlalchemy as sa

from lb import store
from lb.store import Change, Ingested
from wms.event import Event

Follower = Callable[[sa.Connection, Sequence[Change], float], Sequence[Event]]
ROUNDS = 20  # a collection in a collection in a collection ...


def keep(conn: sa.Connection, arriving: Iterable[Event], now: float, followers: Sequence[Follower], *,
         valid: bool = False) -> Ingested:
    """Store events and all that follows from them, at `now` (epoch s). The counts are those of `arriving`.

    `valid` events are not looked at again; those of followers always are valid.
    """
    first = found = store.ingest(conn, arriving, now, valid=valid)
    changes = list(first.changes)
    for _round in range(ROUNDS):
        news = [event for follower in followers for event in follower(conn, found.changes, now)]
        if not news:
            break
        found = store.ingest(conn, news, now, valid=True)
        changes += found.changes
    return first._replace(changes=changes)
