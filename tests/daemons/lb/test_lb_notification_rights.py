"""What the policy grants about notifications: administrators, readers of all, readers who may know no names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from book_builders import JANE, JOHN, Book, story
from notification_builders import OWNED, Subscriber, Told, condition, short

from lb.access.denials import Gate
from lb.notices.notification_follower import Notifier
from lb.notices.notification_service import notification_service
from wms.config import Lb, Settings
from wms.errors import NotAuthorized, NotPermitted, Refused
from wms.operations.notifications import Conditions, Destination

ADMIN, MONITOR, READER = "/CN=admin", "/CN=monitor", "/CN=reader"
POLICY = f"""
ADMIN_ACCESS: [{{subject: {ADMIN}}}]
READ_ALL: [{{subject: {READER}}}]
READ_ANONYMIZED: [{{subject: {MONITOR}}}]
"""


@pytest.fixture
def told(book: Book, tmp_path: Path) -> Told:
    """The daemon's notifications under a policy, with brokers and hosts for web hooks."""
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY)
    lb = Lb(policy=str(path), brokers=("stomp://127.0.0.1:1",), webhook_hosts=("hooks.example",))
    kit = replace(book.kit, settings=Settings(lb=lb))
    book.daemon.operations = notification_service(kit, Gate(kit)).handlers
    made = Told(book)
    made.notifier = Notifier(Gate(kit))
    return made


def person(book: Book, dn: str) -> Subscriber:
    return Subscriber(book, dn)


def test_who_may_read_all_is_told_of_all(book: Book, told: Told) -> None:
    reader, admin = person(book, READER), person(book, ADMIN)
    given = reader.new((condition("status", "changed"),))
    of_john = admin.new((condition("owner", value=JOHN),))
    told([*story("a", JANE, length=1), *story("b", JOHN, length=1)])
    assert {one["ownerDn"] for one in reader.taken(given)} == {JANE, JOHN}
    assert [one["ownerDn"] for one in admin.taken(of_john)] == [JOHN]


def test_who_may_know_no_names_is_told_none_and_cannot_ask_by_owner(book: Book, told: Told) -> None:
    monitor = person(book, MONITOR)
    given = monitor.new((condition("status", "changed"),), flags=("history", "classads"))
    told(story("a", JANE, length=2))
    notices = monitor.taken(given)
    assert (len(notices), JANE in str(notices)) == (2, False)
    for conditions in ((condition("owner", value=JANE),), (condition("owner", "<>", JANE),)):
        with pytest.raises(NotPermitted):
            monitor.new(conditions)
        with pytest.raises(NotPermitted):
            monitor.answer("lb.notify_change", id=short(given), body=Conditions(conditions))
    monitor.new(OWNED)


def test_administrators_see_and_drop_what_they_may_not_read(book: Book, told: Told) -> None:
    jane, admin = person(book, JANE), person(book, ADMIN)
    given = jane.new()
    assert admin.answer("lb.notifications").notifications == ()
    assert admin.answer("lb.notifications", query={"all": ""}).notifications == (given,)
    assert admin.answer("lb.notification", id=given.id) == given
    with pytest.raises(NotAuthorized):
        admin.answer("lb.notify_stream", id=short(given))
    admin.answer("lb.notify_drop", id=short(given))
    assert jane.answer("lb.notifications").notifications == ()


def test_the_secret_of_a_web_hook_is_told_once(book: Book, told: Told) -> None:
    jane = person(book, JANE)
    first = jane.new(destination="https://hooks.example/a", key="the same key")
    assert len(first.secret) == 64
    assert jane.new(destination="https://hooks.example/a", key="the same key").secret == first.secret
    assert jane.answer("lb.notification", id=first.id).secret == ""
    moved = jane.answer("lb.notify_bind", id=short(first), body=Destination("https://hooks.example/b"))
    assert (len(moved.secret), moved.secret == first.secret, moved.destination) == (
        64, False, "https://hooks.example/b")
    assert jane.answer("lb.notify_bind", id=short(first), body=Destination()).secret == ""


def test_destinations_are_those_of_the_settings(book: Book, told: Told) -> None:
    jane = person(book, JANE)
    assert jane.new(destination="x-msg://grid.emi.jobs").destination == "x-msg://grid.emi.jobs"
    for destination in ("x-msg://other", "https://elsewhere.example/"):
        with pytest.raises(Refused):
            jane.new(destination=destination)
