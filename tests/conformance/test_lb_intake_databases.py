"""The intake of events on every database it may write to."""

from __future__ import annotations

import msgspec
import pytest
from database_places import SHARED, Place
from twisted.internet.task import Clock

from lb.access.intake import Taken, take
from lb.access.rights import policy_of
from lb.access.senders import EXCLUSIVE, Here, Sender
from lb.ulm_log import Entry, entries
from lb.waiting import Waiters
from wms.database import Database, metadata
from wms.event import Event, Source, event
from wms.identity import Identity
from wms.operations.logging import Logged
from wms.seqcode import START

NOW = 1_700_000_000.0
JANE, JOHN = "/DC=org/CN=Jane", "/DC=org/CN=John"
HERE = Here("lb.example:9000", policy_of())
pytest_plugins = ["databases"]


def told(type: str, unique: str = "job", at: float = NOW, priority: int = 0, **fields: object) -> Event:
    return event(type, f"https://lb.example:9000/{unique}", Source.USER_INTERFACE, START, at, "host",
                 priority=priority, **fields)


def registration(unique: str = "job", at: float = NOW, priority: int = 0) -> Event:
    return told("RegJob", unique, at, priority, ns="ns", jobtype="SIMPLE")


def tag(unique: str = "job") -> Event:
    return told("UserTag", unique, NOW + 9, name="n", value="v")


def sent(place: Place, database: Database, events: list[Event], dn: str = JANE) -> Taken:
    lines = [line for line in entries(map(msgspec.json.encode, events)) if isinstance(line, Entry)]
    taken: Taken = place.turns.result(database.transact(
        take, lines, Sender(Identity(dn, not_after=9e9)), HERE, NOW, (), Waiters(Clock())))
    return taken


@pytest.fixture
def database(place: Place) -> Database:
    made = place.database()
    metadata.create_all(made.engine)
    return made


def test_a_batch_its_repetition_and_what_is_refused(place: Place, database: Database) -> None:
    batch = [registration(priority=EXCLUSIVE), tag(), tag("other"), registration("third")]
    first = sent(place, database, batch)
    assert (first.logged.stored, [(line.line, line.code) for line in first.logged.refused]) == (
        3, [(3, "NS_NO_SUCH_JOB")])
    assert sent(place, database, batch[:2]).logged == Logged(0, 2)
    denied = sent(place, database, [tag()], JOHN)
    assert dict(denied.denials) == {("LOG_GENERAL_EVENTS", "https://lb.example:9000/job"): 1}
    assert denied.logged.stored == 0


@pytest.mark.parametrize("kind", SHARED)
def test_of_exclusive_registrations_at_the_same_time_one_is_the_first(place: Place, database: Database) -> None:
    other = place.database()
    for number in range(20):
        lines = [[Entry(1, registration(f"job{number}", NOW + n, EXCLUSIVE), 0)] for n in range(2)]
        both = [one.transact(take, line, Sender(Identity(JANE, not_after=9e9)), HERE, NOW, (), Waiters(Clock()))
                for one, line in zip((database, other), lines, strict=True)]
        found = [place.turns.result(one).logged for one in both]
        assert sorted(one.stored for one in found) == [0, 1]
        assert [line.code for one in found for line in one.refused] == ["LB_JOB_EXISTS"]
