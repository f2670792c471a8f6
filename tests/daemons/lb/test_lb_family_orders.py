"""Whatever the order, the delay, the repetition and the batches: one final state of a collection and its children."""

from __future__ import annotations

import random
from collections import Counter
from functools import cache
from typing import Any

import msgspec
import sqlalchemy as sa
from book_builders import Book, settled, url
from family_builders import (
    ABORTED,
    CANCELLED,
    CLEARED,
    DONE,
    FAILED,
    NS,
    PARENT,
    RESUBMITTED,
    RUNNING,
    WM,
    Told,
    child,
    counted,
    history,
    lives,
    record,
    recounted,
    registered,
    told,
    transitions,
)
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lb import family, query
from lb.service import followers
from lb.state.machine import fold
from lb.state.parents import Cause, collection_event, place
from lb.tables import jobs
from lb.waiting import Waiters
from wms import queue
from wms.event import Event
from wms.jobstatus import JobState
from wms.messages.topics import LB_CHILDREN

TOP = "top"
NUMBER = 3
MIDDLE = child(0, TOP)
ACCEPTED: Told = (NS, "Accepted", {"from": "UserInterface", "from_host": "ui.example"})
STOPPED: Told = (WM, "Cancel", {"status_code": "DONE", "reason": "by user"})
LIVES: tuple[tuple[Told, ...], ...] = (
    (), (RUNNING,), (RUNNING, DONE), (RUNNING, DONE, CLEARED), (RUNNING, FAILED), (RUNNING, RESUBMITTED),
    (RUNNING, RESUBMITTED, RUNNING, DONE), (CANCELLED,), (RUNNING, ABORTED), (DONE, CLEARED, ABORTED))
OWN: tuple[tuple[Told, ...], ...] = ((), (ACCEPTED,), (ACCEPTED, ABORTED), (ACCEPTED, STOPPED), (ACCEPTED, CLEARED))
_TIMES = {"state_enter_time": 0.0, "state_enter_times": {}, "last_update_time": 0.0}


class Slow(Book):
    """A book whose children are made one at a time, when told."""

    def __init__(self) -> None:
        super().__init__()
        self._make = family.expander(Waiters(self.clock), followers(self.kit), portion=1)

    def birth(self) -> bool:
        made: bool = settled(self.database.transact(self._birth))
        return made

    def _birth(self, conn: sa.Connection) -> bool:
        found = queue.peek_due(conn, LB_CHILDREN, 1, now=self.clock.seconds())
        self._make(conn, found, self.clock.seconds())
        queue.done(conn, [message.id for message in found])
        return bool(found)

    def ends(self) -> None:
        while self.birth():
            pass


def whole(fates: tuple[int, ...], own: int) -> list[Event]:
    """All events of a collection in a collection, in order."""
    first: Told = (NS, "RegJob", {"jobtype": "COLLECTION", "nsubjobs": NUMBER, "seed": "S", "ns": "ns.example",
                                  "parent": url(TOP)})
    events = [*registered(2, TOP), *told(MIDDLE, 1.0, first, *OWN[own])]
    for index, fate in enumerate(fates):
        events += lives(index, *LIVES[fate], unique=MIDDLE)[index % 2:]
    return events + lives(1, RUNNING, DONE, unique=TOP)


def outcome(book: Book) -> list[Any]:
    """What is there in the end: jobs without children as they are stored, those with children as they are shown."""
    with book.database.engine.connect() as conn:
        shown = query.statuses(conn, [TOP, MIDDLE])
    parents = [msgspec.structs.replace(shown[unique].status, **_TIMES) for unique in (TOP, MIDDLE)]
    return [*parents, counted(book, TOP), counted(book, MIDDLE),
            *(row for row in book.contents() if row["job"] not in (TOP, MIDDLE))]


@cache
def expected(fates: tuple[int, ...], own: int) -> list[Any]:
    book = Slow()
    for event in whole(fates, own):
        book.follow([event])
        book.ends()
    return outcome(book)


@settings(max_examples=30, deadline=None)
@given(st.tuples(*[st.integers(0, len(LIVES) - 1)] * NUMBER), st.integers(0, len(OWN) - 1), st.randoms())
@example((9, 3, 3), 0, random.Random(1))
@example((5, 5, 5), 2, random.Random(2))
def test_every_order_gives_the_same(fates: tuple[int, ...], own: int, rng: random.Random) -> None:
    events = whole(fates, own)
    arriving = [*events, *rng.choices(events, k=4)]
    rng.shuffle(arriving)
    book = Slow()
    while arriving:
        size = rng.choice((1, 1, 2, 5))
        book.follow(arriving[:size])
        arriving = arriving[size:]
        if rng.randrange(2):
            book.birth()
    book.ends()
    for unique in (TOP, MIDDLE):
        assert counted(book, unique) == recounted(book, unique)
    assert outcome(book) == expected(fates, own)
    whole_fold(book)
    book.database.close()


def whole_fold(book: Book) -> None:
    """Every stored record is the fold of the stored events of its job."""
    for row in book.rows(sa.select(jobs.c.job, jobs.c.record)):
        assert row["record"] == msgspec.msgpack.encode(fold(history(book, row["job"])))


def test_point_8_the_recorded_transitions_can_be_computed_again(book: Book) -> None:
    """101 jobs: without the recorded CollectionState events, parent and children give the very same ones."""
    rng, heard = random.Random(8), list[Event]()
    pending = [lives(index, RUNNING, DONE if index % 9 else CANCELLED, *[CLEARED] * (index % 3 == 0))[1:]
               for index in range(100)]
    own = [*registered(100), *told(PARENT, 1.0, ACCEPTED, ACCEPTED)[1:]]
    with book.running():
        book.log(own)
        while pending:
            heard.append(rng.choice(pending[:5]).pop(0))
            book.log(heard[-1:])
            pending = [story for story in pending if story]
    recorded = transitions(history(book))
    assert (len(recorded) > 5, recorded[-1], record(book).state) == (True, "Done", JobState.DONE)
    assert [one for one in history(book) if one.type != "CollectionState"] == [
        msgspec.structs.replace(one, arrived=book.clock.seconds()) for one in own]
    assert computed(own, heard) == recorded


def computed(own: list[Event], heard: list[Event]) -> list[str]:
    """The transitions of a collection by its own events and what its children told, in the order of arrival."""
    said: list[Event] = []
    children: dict[str, list[Event]] = {url(child(index)): registration_of(index) for index in range(100)}
    places = {job: place(fold(events)) for job, events in children.items()}
    for event in heard:
        children[event.job].append(event)
        before, places[event.job] = places[event.job], place(fold(children[event.job]))
        if places[event.job] != before:
            counts = Counter(at.slot for at in places.values())
            parent = fold([*own, *said])
            moved = collection_event(parent, counts, Cause(event.job, event.type), 1.0, "lb.example", "")
            said += [moved] if moved is not None else []
    return [one.fields["state"] for one in said]


def registration_of(index: int) -> list[Event]:
    return lives(index)[:1]
