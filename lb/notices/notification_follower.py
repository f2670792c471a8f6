"""Tells registrations of changes, in the transaction that makes them: nothing is lost, nothing is told too early.

Costs one look at a mark where nobody is registered. Delivery is another matter (lb.notices.delivery,
lb.notices.notification_stream).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
import sqlalchemy as sa

from lb import query
from lb.access.denials import Gate
from lb.access.views import View, shown, shown_events
from lb.notices import notification_store, registration_log
from lb.notices.notification_index import Index
from lb.notices.notifications import Flag, Watch, message
from lb.state.machine import in_order, step
from lb.state.record import MACHINE_VERSION, Record
from lb.store import Change
from wms.event import Event
from wms.jobstatus import JobState, JobStatus

Told = tuple[str, bytes]
Stage = tuple[JobStatus | None, JobStatus]


class Notifier:
    """The follower, with the registrations in memory as the database has them.

    Used on the writer's thread only.
    """

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._index = Index()
        self._mark = ""

    def follow(self, conn: sa.Connection, changes: Sequence[Change], now: float) -> Sequence[Event]:
        """Store what is to be told of these changes; a follower of lb.keeper. Gives no events."""
        if self._fresh(conn):
            notification_store.tell(conn, [told for change in changes for told in self._told(conn, change, now)], now)
        return ()

    def purged(self, conn: sa.Connection, status: JobStatus, now: float) -> None:
        """Tell those whom a job concerns that it is purged; before its rows are deleted."""
        if self._fresh(conn):
            gone = msgspec.structs.replace(status, state=JobState.PURGED, state_enter_time=now)
            watches = self._index.candidates(gone)
            notification_store.tell(conn, list(self._stage(conn, (status, gone), watches, now)), now)

    def current(self, conn: sa.Connection, watch: Watch, statuses: Sequence[JobStatus], now: float) -> None:
        """Tell one registration how these jobs are now, those that concern it."""
        told = [told for status in statuses for told in self._stage(conn, (None, status), [watch], now)]
        notification_store.tell(conn, told, now)

    def _fresh(self, conn: sa.Connection) -> int:
        """Read what has changed of the registrations; how many there are."""
        mark = registration_log.get(conn)
        if mark != self._mark:
            changed = registration_log.since(self._mark, mark)
            if changed is None:
                self._index = Index()
            for id in changed or ():
                self._index.drop(id)
            for registration in notification_store.some(conn, changed):
                self._index.put(registration)
            self._mark = mark
        return len(self._index)

    def _told(self, conn: sa.Connection, change: Change, now: float) -> Iterator[Told]:
        watches = self._index.candidates(change.after) if change.after.jobtype else ()
        if watches:
            for stage in stages(change):
                yield from self._stage(conn, stage, watches, now)

    def _stage(self, conn: sa.Connection, stage: Stage, watches: Sequence[Watch], now: float) -> Iterator[Told]:
        made: dict[tuple[View, Flag], bytes] = {}
        before, after = stage
        for watch in watches:
            if watch.concerned(before, after, now) and (seen := self._view(watch, after)) is not View.NONE:
                form = seen, watch.registration.flags & (Flag.CLASSADS | Flag.HISTORY)
                if form not in made:
                    made[form] = self._body(conn, after, *form)
                yield watch.registration.id, made[form]

    def _view(self, watch: Watch, status: JobStatus) -> View:
        seen = self._gate.view(watch.registration.identity, status)
        return min(seen, View.ANONYMOUS) if Flag.ANONYMIZE in watch.registration.flags else seen

    def _body(self, conn: sa.Connection, status: JobStatus, seen: View, flags: Flag) -> bytes:
        events: Sequence[Event] = ()
        if Flag.HISTORY in flags:
            events = shown_events(query.events(conn, status.job_id.rpartition("/")[2]), seen, self._gate.salt)
        return notification_store.encode(message(shown(status, seen, self._gate.salt), flags, events))


def stages(change: Change) -> list[Stage]:
    """What a job was and became with each of the events that came together.

    What came out of order changed the job all at once; the events still count one by one.
    """
    if len(change.events) > 1:
        found: list[Stage] = []
        record = change.before or Record(version=MACHINE_VERSION)
        for event in change.events:
            if not in_order(record, event):
                break
            after = step(record, event)[0]
            found.append((_registered(record), after))
            record = after
        else:
            return [stage for stage in found if stage[1].jobtype]
    repeated: list[Stage] = [(change.after, change.after)]
    return [(_registered(change.before), change.after), *repeated * (len(change.events) - 1)]


def _registered(record: Record | None) -> JobStatus | None:
    """Before its registration a job was nothing."""
    return record if record is not None and record.jobtype else None
