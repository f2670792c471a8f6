"""Registrations and what they are told: conditions, flags, rights, lifetime, repetition, and order."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from book_builders import JANE, JOHN, START_TIME, Book, settled, story, url
from notification_builders import OWNED, Subscriber, Told, condition, short

from lb import query
from lb.tables import notices, registrations
from wms.errors import (
    IdempotencyConflict,
    NoSuchNotification,
    NotAuthorized,
    NotPermitted,
    Refused,
    TooManyResults,
)
from wms.operations.notifications import Conditions, Destination, Validity

STATES = ["Submitted", "Waiting", "Waiting", "Waiting", "Ready", "Ready", "Scheduled", "Running", "Running", "Done"]
"""After each event of the story."""


@pytest.fixture
def jane(book: Book) -> Subscriber:
    return Subscriber(book)


@pytest.fixture
def john(book: Book) -> Subscriber:
    return Subscriber(book, JOHN)


@pytest.fixture
def told(book: Book) -> Told:
    return Told(book)


def one_by_one(told: Told, unique: str = "a", owner: str = JANE, length: int = 10) -> None:
    for event in story(unique, owner, length=length):
        told([event])


# -- what is told ----------------------------------------------------------------------------------------


def test_every_event_of_a_matching_job_is_told(jane: Subscriber, told: Told) -> None:
    given = jane.new()
    one_by_one(told)
    assert jane.states(given) == STATES


def test_events_that_come_together_are_told_one_by_one(jane: Subscriber, told: Told) -> None:
    given = jane.new()
    told([*story("a"), *story("b", JOHN)])
    assert jane.states(given) == STATES


def test_changed_tells_real_changes_only(jane: Subscriber, told: Told) -> None:
    given = jane.new((*OWNED, condition("status", "changed")))
    told(story("a", length=6))
    told(story("a"))
    assert jane.states(given) == ["Submitted", "Waiting", "Ready", "Scheduled", "Running", "Done"]


def test_events_out_of_order_are_told_once_each_and_change_once(jane: Subscriber, told: Told) -> None:
    all_of_them, changes = jane.new(), jane.new((*OWNED, condition("status", "changed")))
    first, *others = story("a", length=5)
    told([first])
    told(others[2:])
    told(others[:2])
    assert len(jane.taken(all_of_them)) == 5
    assert jane.states(changes) == ["Submitted", "Waiting", "Ready"]


def test_a_repeated_event_is_not_told(jane: Subscriber, told: Told) -> None:
    given = jane.new()
    told(story("a"))
    told(story("a"))
    assert len(jane.taken(given)) == len(STATES)


def test_conditions_are_about_the_new_state(jane: Subscriber, told: Told) -> None:
    given = jane.new((condition("jobid", value=url("a")), condition("status", value="Running")))
    told([*story("a"), *story("b")])
    assert [(one["jobid"], one["stateName"]) for one in jane.taken(given)] == [(url("a"), "Running")] * 2


def test_before_its_registration_a_job_concerns_nobody(jane: Subscriber, told: Told) -> None:
    given = jane.new((condition("jobid", value=url("a")),))
    registration, *others = story("a", length=4)
    told(others)
    assert jane.taken(given) == []
    told([registration])
    assert jane.states(given) == ["Waiting"]


def test_the_message_is_one_object_with_the_known_keys(jane: Subscriber, told: Told) -> None:
    given = jane.new((*OWNED, condition("status", value="Done")))
    registration, *others = story("a")
    fields = {**registration.fields, "jdl": '[ VirtualOrganisation = "cms"; Executable = "a" ]'}
    told([msgspec.structs.replace(registration, fields=fields), *others])
    assert jane.taken(given) == [{
        "jobid": url("a"), "ownerDn": JANE, "VirtualOrganisation": "cms", "bkHost": "lb.example",
        "networkHost": "ns.example", "lastUpdateTime": "2023-11-14T22:14:50Z", "stateName": "Done",
        "stateStartTime": "2023-11-14T22:14:50Z", "condorId": "", "destSite": "ce.example/long", "exitCode": 3,
        "doneCode": 0, "statusReason": "it ended", "history": []}]


def test_flags(jane: Subscriber, told: Told) -> None:
    plain, classads = jane.new(), jane.new(flags=("classads",))
    history, anonymous = jane.new(flags=("history",)), jane.new(flags=("anonymize", "history"))
    terminal = jane.new(flags=("terminal",))
    told(story("a", length=2))
    assert "jdl" not in jane.taken(plain)[0]
    assert jane.taken(classads)[0]["jdl"] == '[ Executable = "a" ]'
    event = jane.taken(history)[1]["history"][0]
    assert (event["type"], event["user"], "jdl" in event["fields"]) == ("RegJob", JANE, False)
    hidden = jane.taken(anonymous)[1]
    assert JANE not in msgspec.json.encode(hidden).decode()
    assert len(hidden["ownerDn"]) == 64
    assert jane.taken(terminal) == []


def test_terminal_states_and_the_purge(book: Book, jane: Subscriber, told: Told) -> None:
    terminal = jane.new(flags=("terminal",))
    told(story("a"))
    (job,) = book.database.read(query.statuses, ["a"]).result.values()
    settled(book.database.transact(told.notifier.purged, job.status, book.clock.seconds()))
    assert jane.states(terminal) == ["Purged"]


# -- who is told -----------------------------------------------------------------------------------------


def test_nobody_is_told_of_jobs_that_are_not_his(jane: Subscriber, john: Subscriber, told: Told) -> None:
    mine = jane.new((condition("status", "changed"),))
    others = jane.new((condition("owner", value=JOHN),))
    his = john.new()
    told([*story("a", length=1), *story("b", JOHN, length=1)])
    assert [one["jobid"] for one in jane.taken(mine)] == [url("a")]
    assert jane.taken(others) == []
    assert [one["jobid"] for one in john.taken(his)] == [url("b")]


# -- lifetime --------------------------------------------------------------------------------------------


def test_the_validity_is_the_usual_one_at_most_the_longest_and_within_the_credential(book: Book) -> None:
    now = book.clock.seconds()
    usual = Subscriber(book).new()
    longest = Subscriber(book).new(validity_s=1e9)
    short_lived = Subscriber(book, not_after=now + 60).new(validity_s=3000)
    lb = book.kit.settings.lb
    assert [one.valid_until - now for one in (usual, longest, short_lived)] == [lb.notify_s, lb.notify_max_s, 60]


def test_after_its_time_a_registration_is_gone(book: Book, jane: Subscriber, told: Told) -> None:
    given = jane.new(validity_s=100)
    book.clock.advance(100)
    told(story("a"))
    for name, body in (("lb.notification", None), ("lb.notify_refresh", Validity()),
                       ("lb.notify_bind", Destination()), ("lb.notify_drop", None)):
        with pytest.raises(NoSuchNotification):
            jane.answer(name, id=short(given), body=body)
    assert book.rows(sa.select(notices)) == []
    with book.running():
        assert book.rows(sa.select(registrations)) == []


def test_refresh_extends_and_never_shortens(book: Book, jane: Subscriber) -> None:
    given = jane.new(validity_s=5000)
    assert jane.answer("lb.notify_refresh", id=short(given), body=Validity(10)).valid_until == given.valid_until
    book.clock.advance(4000)
    extended = jane.answer("lb.notify_refresh", id=short(given), body=Validity(5000))
    assert extended.valid_until == given.valid_until + 4000


def test_changed_conditions_count_from_then_on(jane: Subscriber, told: Told) -> None:
    given = jane.new((condition("jobid", value=url("a")),))
    told(story("a", length=1))
    jane.answer("lb.notify_change", id=short(given), body=Conditions((condition("jobid", value=url("b")),)))
    told([*story("a"), *story("b", length=1)])
    assert [one["jobid"] for one in jane.taken(given)] == [url("a"), url("b")]


def test_a_dropped_registration_leaves_nothing(book: Book, jane: Subscriber, told: Told) -> None:
    given = jane.new()
    told(story("a", length=3))
    jane.answer("lb.notify_drop", id=short(given))
    told(story("a"))
    assert (book.rows(sa.select(registrations)), book.rows(sa.select(notices))) == ([], [])


def test_all_forms_of_an_identifier(jane: Subscriber) -> None:
    given = jane.new()
    assert given.id == f"https://lb.example:9000/NOTIF:{short(given)}"
    for text in (given.id, f"NOTIF:{short(given)}", short(given)):
        assert jane.answer("lb.notification", id=text) == given
    for text in ("", "NOTIF:", "x/y", "a b", "x" * 101):
        with pytest.raises(NoSuchNotification):
            jane.answer("lb.notification", id=text)


def test_others_may_not_touch_it(jane: Subscriber, john: Subscriber) -> None:
    given = jane.new()
    for name, body in (("lb.notification", None), ("lb.notify_refresh", Validity()), ("lb.notify_drop", None),
                       ("lb.notify_bind", Destination()), ("lb.notify_change", Conditions(OWNED)),
                       ("lb.notify_stream", None)):
        with pytest.raises(NotAuthorized):
            john.answer(name, id=short(given), body=body)
    assert john.answer("lb.notifications").notifications == ()
    assert jane.answer("lb.notifications").notifications == (given,)
    with pytest.raises(NotPermitted):
        john.answer("lb.notifications", query={"all": ""})


# -- asking ----------------------------------------------------------------------------------------------


def test_a_repeated_call_gets_the_first_registration(book: Book, jane: Subscriber, john: Subscriber) -> None:
    first = jane.new(key="the same key")
    book.clock.advance(10)
    assert jane.new(key="the same key") == first
    assert john.new(key="the same key").id != first.id
    with pytest.raises(IdempotencyConflict):
        jane.new(key="the same key", flags=("history",))
    assert len(book.rows(sa.select(registrations))) == 2


def test_nobody_has_more_than_his_share(book: Book, jane: Subscriber, john: Subscriber) -> None:
    for _ in range(200):
        jane.new()
    with pytest.raises(TooManyResults):
        jane.new()
    john.new()


REFUSED: list[dict[str, Any]] = [
    {"flags": ("volatile",)}, {"validity_s": -1.0}, {"validity_s": float("nan")}, {"destination": "x-msg://grid.emi.a"},
    {"destination": "https://example.org/"}, {"destination": "listener.example:4711"}, {"destination": "https://"},
    {"conditions": (condition("status", "=", "Lost"),)}, {"conditions": ((),)},
]


@pytest.mark.parametrize("more", REFUSED)
def test_what_makes_no_sense_is_refused(jane: Subscriber, more: dict[str, Any]) -> None:
    with pytest.raises(Refused):
        jane.new(**more)


# -- current matches -------------------------------------------------------------------------------------


def test_bootstrap_tells_current_matches_before_changes(book: Book, jane: Subscriber, told: Told) -> None:
    for number in range(1100):
        told(story(f"job{number}", JANE if number % 2 else JOHN, length=2))
    with book.running():
        given = jane.new((condition("status", value="Waiting"),), flags=("bootstrap",))
        one_by_one(told, "new", length=2)
        everything = jane.taken(given)
        while more := jane.taken(given):
            everything += more
    assert [one["jobid"] for one in everything] == [
        *(url(f"job{number}") for number in range(1100) if number % 2), url("new")]


def test_bootstrap_goes_on_after_a_restart(book: Book, jane: Subscriber, told: Told) -> None:
    told(story("a", length=3))
    given = jane.new(flags=("bootstrap",))
    assert jane.taken(given) == []
    with book.running():
        assert jane.states(given) == ["Waiting"]
    with book.running():
        assert jane.taken(given) == []


# -- many ------------------------------------------------------------------------------------------------


def test_everything_is_there_after_a_restart(book: Book, jane: Subscriber, told: Told) -> None:
    given = jane.new()
    told(story("a", length=3))
    Told(book)(story("a", length=5))
    told(story("a", length=6))
    assert len(jane.taken(given)) == 6


def test_changes_that_were_rolled_back_are_not_remembered(book: Book, jane: Subscriber, told: Told) -> None:
    told(story("x", length=1))
    kept = jane.new((condition("jobid", value=url("a")),))

    class Undone(Exception):
        pass

    def undone(conn: sa.Connection) -> None:
        conn.execute(registrations.delete())
        from lb.notices import registration_log
        registration_log.note(conn, short(kept), "token")
        told.notifier.follow(conn, (), 0.0)
        raise Undone

    with pytest.raises(Undone):
        settled(book.database.transact(undone))
    told(story("a", length=1))
    assert len(jane.taken(kept)) == 1


def test_the_time_of_a_registration_is_measured_from_its_making(book: Book, jane: Subscriber) -> None:
    assert jane.new().created == book.clock.seconds() > START_TIME
