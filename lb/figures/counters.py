"""What the server counts, over restarts: jobs and events exactly, in the transaction that stores them; queries and
refusals in memory, written every few seconds. Statistics by time are in lb.figures.statistics.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from lb.access.rights import Action
from lb.store import Change
from lb.tables import counters as table
from wms.event import Event
from wms.httpd import Call, Handler, Page, Reply
from wms.jobstatus import JobType
from wms.operations import bookkeeping, figures, pages
from wms.operations.figures import Counted
from wms.operations.notifications import Notification
from wms.service import Kit, Ticker

FLUSH_S = 5.0
JOBS: Final = {
    JobType.PBS: "pbs_jobs", JobType.CONDOR: "condor_jobs", JobType.CREAM: "cream_jobs",
    JobType.FILE_TRANSFER: "sb_ft_jobs", JobType.FILE_TRANSFER_COLLECTION: "sb_ft_jobs",
    JobType.VIRTUAL_MACHINE: "vm_jobs",
}
DENIED: Final = "denied_"
NAMES: Final = (
    "glite_jobs", "pbs_jobs", "condor_jobs", "cream_jobs", "sb_ft_jobs", "vm_jobs", "events", "queries_html",
    "queries_text", "queries_rss", "queries_ws", "queries_api", "notif_regs_legacy", "notif_regs_msg",
    "notifs_legacy", "notifs_msg", *(f"{DENIED}{action}" for action in ("READ", *Action)))
"""In the order in which the service always gave them; then refusals by action."""
_QUERIES = frozenset(one.name for one in (*bookkeeping.ROWS, *pages.ROWS, *figures.ROWS))


def follow(conn: sa.Connection, changes: Sequence[Change], now: float) -> Sequence[Event]:
    """Count new events and new jobs; a follower of lb.keeper. Gives no events."""
    counts: Counter[str] = Counter()
    for change in changes:
        counts["events"] += len(change.events)
        if change.after.jobtype and (change.before is None or not change.before.jobtype):
            counts[JOBS.get(change.after.jobtype, "glite_jobs")] += 1
    if counts:
        add(conn, counts, now)
    return ()


def add(conn: sa.Connection, counts: Mapping[str, int], now: float) -> None:
    """Add to counters; one that is new counts since now. In one order, as several processes do it."""
    text, values = _adding(conn.dialect)
    conn.exec_driver_sql(text, [values(name, counts[name], now) for name in sorted(counts)])


@lru_cache(maxsize=4)
def _adding(dialect: sa.Dialect) -> tuple[str, Callable[..., Any]]:
    adding = (postgresql if dialect.name == "postgresql" else sqlite).insert(table)
    compiled = adding.on_conflict_do_update(
        index_elements=table.primary_key, set_={"value": table.c.value + adding.excluded.value}).compile(
            dialect=dialect, column_keys=["name", "value", "since"])
    if getattr(compiled, "positiontup", None):
        return str(compiled), lambda *row: row
    return str(compiled), lambda name, value, since: {"name": name, "value": value, "since": since}


def stored(conn: sa.Connection) -> dict[str, Counted]:
    """What is in the database, in the order of NAMES."""
    found = {name: Counted(value, since) for name, value, since in conn.execute(sa.select(table))}
    return {name: found[name] for name in (*NAMES, *sorted(found.keys() - set(NAMES))) if name in found}


class Counters(Ticker):
    """Counters of this process, on the reactor; `denials` are counted elsewhere, refusals by action.

    What was not written yet is lost with the process, unless it stops in order.
    """

    def __init__(self, kit: Kit, denials: Mapping[str, int]) -> None:
        super().__init__(kit, "counters", FLUSH_S, self.flush)
        self._pending = Counter(dict.fromkeys(NAMES, 0))
        self._denials = denials
        self._denied: dict[str, int] = {}

    async def stop(self) -> None:
        await super().stop()
        await self.flush()

    def add(self, name: str, n: int = 1) -> None:
        """Count something."""
        self._pending[name] += n

    async def flush(self) -> None:
        """Write what was counted since the last time."""
        self._look_at_denials()
        counts = dict(self._pending)
        if counts:
            await self._kit.database.transact(add, counts, self._kit.now())
            self._pending.subtract(counts)
            self._pending = +self._pending

    async def snapshot(self) -> dict[str, Counted]:
        """All counters as of now."""
        self._look_at_denials()
        found = await self._kit.database.read(stored)
        return {name: Counted(one.value + self._pending[name], one.since) for name, one in found.items()}

    def _look_at_denials(self) -> None:
        for action, number in self._denials.items():
            self.add(f"{DENIED}{action}", number - self._denied.get(action, 0))
            self._denied[action] = number


def counting(handlers: Mapping[str, Handler], counters: Counters) -> dict[str, Handler]:
    """The same operations; answered queries are counted by the form of the answer, registrations by destination."""
    return {name: _counting(handler, counters) if name in _QUERIES or name == "lb.notify_new" else handler
            for name, handler in handlers.items()}


def _counting(handler: Handler, counters: Counters) -> Handler:
    async def counted(call: Call) -> Reply:
        reply = await handler(call)
        counters.add(_form(reply))
        return reply

    return counted


def _form(reply: Reply) -> str:
    """The counter of an answer."""
    if isinstance(reply, Notification):
        return "notif_regs_msg" if reply.destination.startswith("x-msg:") else "notif_regs_legacy"
    kind = reply.content_type if isinstance(reply, Page) else ""
    return next((counter for part, counter in _FORMS.items() if part in kind), "queries_api")


_FORMS = {"text/html": "queries_html", "text/plain": "queries_text", "rss": "queries_rss", "atom": "queries_rss"}
