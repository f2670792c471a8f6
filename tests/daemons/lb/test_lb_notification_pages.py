"""Registrations at their URLs: for a browser, as text, as JSON; refusals too; and the routes lead there."""

from __future__ import annotations

import msgspec
import pytest
from book_builders import JOHN, Book
from notification_builders import OWNED, Subscriber, condition, short
from outline import Outline
from twisted.logger import Logger

from wms.httpd import Page, Router


@pytest.fixture
def jane(book: Book) -> Subscriber:
    return Subscriber(book)


def page(who: Subscriber, id: str = "", **query: str) -> Page:
    name = "lb.notification_page" if id else "lb.notifications_page"
    found = who.answer(name, query=query, **({"id": id} if id else {}))
    assert isinstance(found, Page)
    return found


def test_one_registration(jane: Subscriber) -> None:
    given = jane.new((*OWNED, condition("status", value="Done")), flags=("terminal", "history"))
    text = page(jane, short(given), text="").body.decode()
    assert text.splitlines() == [
        f"Notif_id={given.id}", "destination=a stream", "owner=/dc=org/cn=Jane",
        'conditions=owner = "/DC=org/CN=Jane" AND status = "Done"', "flags=terminal history",
        "Valid until=2023-11-15 00:30:00"]
    assert msgspec.json.decode(page(jane, short(given), json="").body)["id"] == given.id
    outline = Outline(page(jane, short(given)).body)
    assert (outline.texts["dt"][-1], outline.texts["dd"][-1]) == ("Valid until", "2023-11-15 00:30:00")


def test_the_list(jane: Subscriber) -> None:
    assert "There are none." in page(jane).body.decode()
    first, second = jane.new(), jane.new()
    body = page(jane).body.decode()
    assert (first.id in body, second.id in body) == (True, True)
    assert page(jane, text="").body.decode().count("Notif_id=") == 2
    assert len(msgspec.json.decode(page(jane, json="").body)["notifications"]) == 2


def test_refusals_are_pages(book: Book, jane: Subscriber) -> None:
    given, john = jane.new(), Subscriber(book, JOHN)
    assert [page(john, short(given)).status, page(jane, "nothing").status] == [403, 404]
    assert page(john, all="").status == 403


@pytest.mark.parametrize(("path", "name"), [
    ("/NOTIF", "lb.notifications_page"), ("/NOTIF:abc", "lb.notification_page"), ("/abc", "lb.page")])
def test_routes(book: Book, path: str, name: str) -> None:
    router = Router(book.clock, Logger(), b"s", 100)
    router.mount(book.daemon.operations)
    assert router.find("GET", path)[0].operation.name == name
