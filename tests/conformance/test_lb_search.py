"""Searches on every database they may run on: the same answers, and an index where there is one for the question."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import sqlalchemy as sa
from database_places import SHARED
from twisted.internet.defer import Deferred

from lb import query, store, tables
from lb.access.rights import policy_of
from lb.queries.condition_texts import from_lines, from_url
from lb.queries.condition_values import Asked
from lb.queries.conditions import EVENTS, Conditions, matches, matches_event
from lb.queries.found_events import EventPlace, in_order
from lb.queries.search import START as BEGINNING
from lb.queries.search import Place, Search, Sight, page, walk
from lb.queries.search_events import event_search
from lb.queries.search_plan import plan
from lb.queries.search_times import chosen
from lb.state.machine import fold
from lb.state.order import order
from lb.state.record import public
from wms.database import Database, metadata
from wms.errors import NoSuchJob
from wms.event import Event, Source, event
from wms.identity import Identity
from wms.jobstatus import JobStatus
from wms.seqcode import START

NOW = 1_700_000_000.0
JANE = "/DC=org/CN=Jane"
pytest_plugins = ["databases"]
ASKED = Asked(JANE, NOW + 1000)
TABLES = [tables.jobs, tables.events, tables.tags, tables.zombies]
COPIES = 40
TOLD: Sequence[tuple[Source, str, dict[str, object]]] = (
    (Source.WORKLOAD_MANAGER, "Match", {"dest_id": "ce.example/long"}),
    (Source.LRMS, "Running", {"node": "wn1.example"}),
    (Source.APPLICATION, "UserTag", {"name": "step", "value": "1"}),
    (Source.LOG_MONITOR, "Done", {"status_code": "OK", "exit_code": 3}))


def url(number: int) -> str:
    return f"https://lb.example:9000/j{number}"


def told(number: int) -> list[Event]:
    """A job of one of ten people, at one of twenty CEs, with a number of events of its own."""
    registered: dict[str, object] = {"ns": "ns.example", "jobtype": "SIMPLE", "jdl": f"[ é = {number % 3}; ]"}
    if number % 4 == 1:
        registered["parent"] = url(number // 16)
    code, found = START, []
    for index, (source, type, fields) in enumerate([(Source.NETWORK_SERVER, "RegJob", registered),
                                                    *TOLD][:2 + number % 4]):
        code = code.advanced(source)
        own = {"dest_id": f"ce{number % 20}.example/long"} if type == "Match" else {}
        own |= {"value": f"é{number % 5}"} if type == "UserTag" else {}
        found.append(event(type, url(number), source, code, NOW + number * 10 + index, "host",
                           f"/DC=org/CN=User {number % 10}" if number % 10 else JANE, **(fields | own)))
    return found


HISTORIES = [told(number) for number in range(160)]
RECORDS: Sequence[JobStatus] = [public(fold(events)) for events in HISTORIES]


@pytest.fixture
def book(empty_url: str) -> Iterator[Database]:
    """A database with these jobs."""
    database = Database(empty_url, None, inline=True)
    metadata.create_all(database.engine, TABLES)
    shuffled = random.Random(3).sample(HISTORIES, len(HISTORIES))
    with database.engine.begin() as conn:
        store.ingest(conn, [one for events in shuffled for one in events], NOW)
    yield database
    metadata.drop_all(database.engine, TABLES)
    database.close()


def finished(work: Any) -> Any:
    found: list[Any] = []
    deferred = Deferred.fromCoroutine(work)
    deferred.addBoth(found.append)
    if hasattr(found[0], "raiseException"):
        found[0].raiseException()
    return found[0]


def searched(database: Database, asked: Conditions) -> Search:
    everything = policy_of(super_users=[JANE])
    return Search(database, plan(asked), Sight(Identity(JANE, not_after=NOW * 2), everything, b"salt"))


def never() -> bool:
    return False


def jobs(database: Database, asked: Conditions, limit: int = 7) -> list[str]:
    """All jobs, page by page."""
    search, found, place = searched(database, asked), [], BEGINNING
    while place is not None:
        one = finished(page(search.steps(place, limit), limit, never))
        found += [hit.found.status.job_id for hit in one.hits]
        place = one.place
    return found


QUESTIONS = (
    "", "owner=", "owner=|=/DC=org/CN=User 3", "owner=&status=Running|=Done", "owner<>&destination=ce3.example/long",
    f"jobid={url(5)}|={url(7)}|={url(1000)}", f"parent={url(2)}|={url(3)}",
    "destination=ce1.example/long|=ce2.example/long",
    "location=LRMS/worknode/wn1.example", "location=none", "usertag:step=é1", "usertag:step>é1", "usertag:step<>é1",
    "lastupdatetime>1700000800", "lastupdatetime<1700000800|>1700001500", "lastupdatetime=1700000010|=1700000021",
    "owner=&exitcode=3", "owner=&donecode=ok", "stateentertime>1700001000&status>Ready",
    "owner=&time:Running<1700001000", "owner=&jdl:é=1", "jobtype=SIMPLE&owner=", "owner=&resubmitted=1",
    "lastupdatetime>99999999999", "owner=&donecode<9223372036854775807", "owner=&donecode=-9223372036854775808")


@pytest.mark.parametrize("kind", SHARED)
def test_every_database_gives_what_a_look_at_every_record_gives(book: Database) -> None:
    for text in QUESTIONS:
        asked = from_url(text, ASKED, encoded=False)
        expected = sorted(status.job_id for status in RECORDS if matches(asked, status))
        found = jobs(book, asked)
        assert sorted(found) == expected, text
        assert found == jobs(book, asked, 1000), text


@pytest.mark.parametrize("kind", SHARED)
@pytest.mark.parametrize(("about_jobs", "about_events"), [
    ("owner=", ""), ("owner=", "event_type = Done"), ("", "time @ 1700000300 1700000500"),
    ("", "time < 1700000100 time > 1700001500\nsource = LRMS"), (f"jobid={url(6)}", "level = SYSTEM"),
    ("status=Done", "time > 1700000800\nhost = host"), ("destination=ce2.example/long", "source <> LRMS")])
def test_events_on_every_database(book: Database, about_jobs: str, about_events: str) -> None:
    asked, about = from_url(about_jobs, ASKED), from_lines(about_events, ASKED, table=EVENTS)
    search = event_search(searched(book, asked), about)
    found, place = [], EventPlace()
    while place is not None:
        one = finished(page(search.steps(place), 5, never))
        found += in_order(one.hits)
        place = one.place
    expected = [one for events, status in zip(HISTORIES, RECORDS, strict=True) if matches(asked, status)
                for one in events if matches_event(about, one)]
    assert sorted((one.job, order(one)) for one in found) == sorted((one.job, order(one)) for one in expected)


@pytest.mark.parametrize("kind", SHARED)
def test_no_identifier_is_too_odd_to_be_asked_for(book: Database) -> None:
    with book.engine.connect() as conn:
        for odd in ("a\0b", "", "'", "é" * 500, "\U0001f600"):
            assert query.statuses(conn, [odd]) == {}
            with pytest.raises(NoSuchJob):
                query.status(conn, odd)


# -- plans -----------------------------------------------------------------------------------------------


@pytest.fixture(params=["with statistics", "without"])
def large(book: Database, request: pytest.FixtureRequest) -> Database:
    """The same with many more rows, so that it matters how they are found."""
    with book.engine.begin() as conn:
        rows = [dict(row) for row in conn.execute(sa.select(tables.jobs)).mappings()]
        conn.execute(tables.jobs.insert(), [
            {**row, "job": f"{row['job']}-{copy}", "owner": f"{row['owner']}{copy}",
             "destination": f"{row['destination']}{copy}", "location": f"{row['location']}{copy}",
             "parent": row["parent"] and f"{row['parent']}-{copy}", "updated": row["updated"] + 10_000 * copy}
            for copy in range(1, COPIES) for row in map(without_id, rows)])
        events = [dict(row) for row in conn.execute(sa.select(tables.events)).mappings()]
        keys = {row.job: row.id for row in conn.execute(sa.select(tables.jobs.c.job, tables.jobs.c.id))}
        old = {row["id"]: row["job"] for row in rows}
        conn.execute(tables.events.insert(), [
            {**row, "job": keys[f"{old[row['job']]}-{copy}"], "timestamp": row["timestamp"] + 10_000 * copy}
            for copy in range(1, COPIES) for row in events])
        conn.execute(tables.tags.insert(), [
            {"job": key, "name": f"n{key % 50}", "value": str(key)} for key in keys.values()])
    if book.postgresql or request.param == "with statistics":  # PostgreSQL takes them by itself
        with book.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
            conn.execute(sa.text("ANALYZE"))
    return book


def without_id(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "id"}


def explained(database: Database, statement: sa.Select[Any]) -> str:
    """How the database would find the rows."""
    verb = "EXPLAIN" if database.postgresql else "EXPLAIN QUERY PLAN"
    with database.engine.connect() as conn:
        compiled = statement.compile(database.engine, compile_kwargs={"render_postcompile": True})
        found = conn.exec_driver_sql(f"{verb} {compiled}", _values(compiled))
        return "\n".join(str(row) for row in found)


def _values(compiled: Any) -> Any:
    return tuple(compiled.params[name] for name in compiled.positiontup) if compiled.positiontup else compiled.params


INDEXED = [
    ("jobid=https://lb.example:9000/j5", "(lb_jobs_job_key|sqlite_autoindex_lb_jobs_1)"),
    ("parent=https://lb.example:9000/j3-7", "lb_jobs_parent"),
    ("owner=", "lb_jobs_owner"), ("owner=&status=Running", "lb_jobs_owner"),
    ("destination=ce1.example/long7", "lb_jobs_destination"),
    ("location=LRMS/worknode/wn1.example5", "lb_jobs_location"),
    ("lastupdatetime>1700399000", "lb_jobs_updated"), ("usertag:n3=53", "lb_tags_value"),
]


@pytest.mark.parametrize("kind", SHARED)
def test_an_index_is_used_for_each_indexed_attribute(large: Database) -> None:
    for text, index in INDEXED:
        way = plan(from_url(text, ASKED))
        for place in (Place(0), Place(0, NOW + 395_000.0, 3000)):
            found = explained(large, walk(way.segments[0], way.narrow, place, 101))
            assert re.search(index, found), (text, found)
    about = from_lines("time > 1700399000\ntype = Done", ASKED, table=EVENTS)
    search = event_search(searched(large, ()), about)
    assert search.times is not None
    for start in (EventPlace(Place(0)), EventPlace(Place(0, NOW + 399_500), 7, 1)):
        found = explained(large, chosen(search.times, about, start))
        assert "lb_events_timestamp" in found, found
