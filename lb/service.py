"""The daemon of Logging & Bookkeeping: reads the topic of events, answers queries.

What an event does is in lb.store and lb.state.machine; this only joins the parts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec
import sqlalchemy as sa
from twisted.logger import Logger

from lb import family, store, zombies
from lb.access.denials import Gate
from lb.access.intake import Intake
from lb.figures import counters, statistics_store
from lb.figures.figures_operations import Figures, figures_handlers
from lb.keeper import Follower, keep
from lb.notices.notification_service import notification_service
from lb.operations import Bookkeeping, handlers
from lb.pages.notification_pages import notification_pages
from lb.pages.page_operations import page_handlers
from lb.refold import Refolder
from lb.upkeep.upkeep_service import upkeep_service
from lb.waiting import Waiters
from wms.consumer import Consumer, Handle
from wms.event import Event
from wms.eventlog import decode_events
from wms.messages.topics import LB, LB_CHILDREN
from wms.queue import Message
from wms.service import Daemon, Kit, Ticker

BATCH = 200
ROLL_S = 60.0
_decode_list = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_event = msgspec.json.Decoder(Event).decode
_encode = msgspec.json.Encoder().encode
_NOT_READABLE = (msgspec.DecodeError, UnicodeDecodeError)


def make(kit: Kit) -> Daemon:
    """The daemon."""
    waiters, gate = Waiters(kit.clock), Gate(kit)
    notifications = notification_service(kit, gate)
    told = (*followers(kit), notifications.notifier.follow)
    inbox = Consumer(kit, LB, keeper(waiters, kit.log, told), batch=BATCH, after=waiters.tell)
    births = Consumer(kit, LB_CHILDREN, family.expander(waiters, told), batch=1, after=waiters.tell)
    rolling = Ticker(kit, "statistics", ROLL_S, lambda: kit.database.transact(statistics_store.roll, kit.now()))
    intake = Intake(kit, waiters, gate, told)
    upkeep = upkeep_service(kit, gate, waiters, notifications.notifier.purged)
    counted = counters.Counters(kit, gate.counts)
    refolder = Refolder(kit, family.follower(kit.host), told)
    parts = [waiters, *notifications.parts, inbox, births, refolder, rolling, counted, *upkeep.parts]
    book = Bookkeeping(kit, waiters, gate)
    return Daemon("lb", parts, counters.counting({
        **handlers(book), **intake.handlers(), **notifications.handlers, **upkeep.handlers,
        **figures_handlers(kit, gate, counted), **page_handlers(book, Figures(kit, gate, counted)),
        **notification_pages(notifications.registrar)}, counted))


def followers(kit: Kit) -> Sequence[Follower]:
    """Who follows the changes of jobs, in the order in which they are told."""
    return (family.follower(kit.host), statistics_store.follow, counters.follow, zombies.revived)


def keeper(waiters: Waiters, log: Logger, followers: Sequence[Follower]) -> Handle:
    """Stores the events of a batch of messages; what cannot be stored is set aside, alone."""
    def handle(conn: sa.Connection, messages: Sequence[Message], now: float) -> None:
        broken: list[tuple[bytes, str]] = []
        arriving = [event for message in messages for event in _events(message.body, broken)]
        ingested = keep(conn, arriving, now, followers)
        broken += [(_encode(refusal.event), refusal.reason) for refusal in ingested.refused]
        store.refuse(conn, broken, now)
        waiters.note(ingested.changed)
        for body, reason in broken:
            log.error("an event was refused: {reason}", reason=reason, body=body[:1000])

    return handle


def _events(body: bytes, broken: list[tuple[bytes, str]]) -> Iterable[Event]:
    """The events of a message; if it cannot be read whole, those of its events that can."""
    try:
        return decode_events(body)
    except _NOT_READABLE:
        return list(_readable(body, broken))


def _readable(body: bytes, broken: list[tuple[bytes, str]]) -> Iterator[Event]:
    try:
        parts = _decode_list(body)
    except _NOT_READABLE as error:
        broken.append((body, str(error)))
        return
    for part in parts:
        try:
            yield _decode_event(part)
        except _NOT_READABLE as error:
            broken.append((bytes(part), str(error)))
