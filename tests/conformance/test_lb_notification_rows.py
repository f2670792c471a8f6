"""Registrations and notices on every database they may live in."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest
import sqlalchemy as sa
from database_places import Place, Turns

from lb import tables
from lb.keeper import keep
from lb.notices import board, notification_bootstrap, notification_store, registration_log
from lb.notices.notification_bootstrap import Portion
from lb.notices.notification_store import encode
from lb.notices.notifications import Flag, Notice, Registration
from lb.queries.conditions import Condition, Operator
from wms.database import Database, metadata
from wms.event import Source, event
from wms.identity import Identity
from wms.seqcode import START

pytest_plugins = ["databases"]

NOW = 1_700_000_000.0
JANE = Identity("/CN=jane", fqans=("/cms", "/cms/Role=x"), not_after=4e9)


def registration(id: str = "one", **changes: object) -> Registration:
    conditions = ((Condition("owner", Operator.EQUAL, "/CN=jane"), Condition("owner", Operator.EQUAL, "/CN=é")),)
    made = Registration(id, "/cn=jane", JANE, "", conditions, Flag.HISTORY | Flag.CLASSADS, NOW, NOW + 100, "s")
    return msgspec.structs.replace(made, **changes)


@pytest.fixture
def conn(database: Database) -> Iterator[sa.Connection]:
    metadata.create_all(database.engine, [*(one for one in metadata.sorted_tables if one.name.startswith("lb_"))])
    with database.engine.connect() as made:
        made.info["topics"] = set()
        yield made
        made.rollback()


def told(conn: sa.Connection, id: str = "one", after: int = 0) -> list[Notice]:
    found = notification_store.portion(conn, id, after, 100, NOW)
    assert found is not None
    return found.notices


def test_a_registration_is_kept_as_it_was(conn: sa.Connection) -> None:
    notification_store.put(conn, registration(), "t1")
    assert notification_store.get(conn, "one", NOW) == registration()
    changed = registration(destination="https://x", ends=NOW + 5)
    notification_store.put(conn, changed, "t2")
    assert notification_store.owned(conn, "/cn=jane", NOW) == notification_store.some(conn, None) == [changed]
    assert notification_store.get(conn, "one", NOW + 5) is None
    assert notification_store.expired(conn, NOW + 5, 10) == ["one"]
    assert (notification_store.number(conn, "/cn=jane", NOW), notification_store.owned(conn, "/cn=x", NOW)) == (1, [])
    assert notification_store.beginning(conn, "on") == [changed]
    assert registration_log.NEWS in conn.info["topics"]


def test_what_changed_between_two_marks(conn: sa.Connection) -> None:
    assert registration_log.get(conn) == ""
    notification_store.put(conn, registration(), "t1")
    first = registration_log.get(conn)
    notification_store.put(conn, registration("two"), "t2")
    notification_store.drop(conn, "one", "t3")
    last = registration_log.get(conn)
    assert registration_log.since(first, last) == {"one", "two"}
    assert registration_log.since(last, last) == frozenset()
    assert registration_log.since("", last) is registration_log.since("other:one", last) is None
    for number in range(registration_log.KEPT):
        registration_log.note(conn, "x", f"u{number}")
    assert registration_log.since(last, registration_log.get(conn)) is None


def test_notices_come_in_order_until_they_are_acknowledged(conn: sa.Connection) -> None:
    for id in ("one", "two"):
        notification_store.put(conn, registration(id), id)
    notification_store.tell(conn, [("one", b"1"), ("two", b"2"), ("one", b"3")], NOW)
    notification_store.tell(conn, [("one", b"4")], NOW)
    first, second, third = told(conn)
    assert [notice.body for notice in (first, second, third)] == [b"1", b"3", b"4"]
    assert told(conn, after=second.id) == [third]
    assert notification_store.acknowledge(conn, "one", second.id, 0.0) == 2
    assert (told(conn), len(told(conn, "two"))) == ([third], 1)
    assert notification_store.newest(conn) == third.id
    assert sorted(notification_store.news(conn, first.id)) == [("one", ""), ("two", "")]
    assert notification_store.news(conn, second.id) == notification_store.waiting(conn, ["one"]) == [("one", "")]
    found = board.look(conn, "", 0)
    assert (sorted(set(found.waiting)), found.newest, found.changed) == ([("one", ""), ("two", "")], third.id, None)
    assert board.look(conn, found.mark, found.newest).waiting == []
    conn.execute(tables.registrations.delete())
    assert sorted(notification_store.orphans(conn, 10)) == ["one", "two"]


def test_a_queue_is_cut(conn: sa.Connection) -> None:
    notification_store.put(conn, registration(), "t")
    notification_store.tell(conn, [("one", encode({"n": number})) for number in range(10, 50)], NOW)
    size = 40 * len(encode({"n": 10}))
    assert notification_store.too_long(conn, size) == []
    assert notification_store.too_long(conn, size - 1) == ["one"]
    assert notification_store.shorten(conn, "one", size) == 20
    assert [notice.body for notice in told(conn)[:2]] == [b'{"lost":20}', b'{"n":30}']


def test_current_matches_are_found_in_portions(conn: sa.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notification_bootstrap, "PORTION", 2)
    keep(conn, [event("RegJob", f"https://lb:9000/{name}", Source.NETWORK_SERVER, START, NOW, "h", owner,
                      jdl="", ns="ns", jobtype="SIMPLE")
                for name, owner in (("a", "/CN=jane"), ("b", "/CN=john"), ("c", "/CN=jane"), ("d", "/CN=jane"))],
         NOW, ())
    notification_store.put(conn, registration(), "t")
    notification_bootstrap.begin(conn, "one")
    assert notification_bootstrap.pending(conn) == [("one", 0)]
    first = notification_bootstrap.portion(conn, "one", 0, NOW)
    assert first.matching == ["a", "c"]
    assert first.last is not None
    assert notification_bootstrap.portion(conn, "one", first.last, NOW) == Portion(["d"], None)
    assert notification_bootstrap.portion(conn, "gone", 0, NOW) == Portion([], None)


@pytest.mark.parametrize("kind", ["postgresql"])
def test_writers_of_notices_take_turns(place: Place, turns: Turns) -> None:
    """Ids are in the order of commits: nobody can acknowledge what is not there yet."""
    one, other = place.database(), place.database()
    metadata.create_all(one.engine)
    with one.engine.connect() as first, other.engine.connect() as second:
        notification_store.tell(first, [("one", b"1")], NOW)
        second.execute(sa.text("SET LOCAL lock_timeout = '50ms'"))
        with pytest.raises(sa.exc.OperationalError):
            notification_store.tell(second, [("one", b"2")], NOW)
        second.rollback()
        first.commit()
        notification_store.tell(second, [("one", b"2")], NOW)
        second.commit()
    assert turns.getDelayedCalls() == []
