"""Statistics and counters of Logging & Bookkeeping on every database: the same sums, also with several writers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa
from database_places import SHARED, Place
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lb import keeper, tables
from lb.figures import counters, statistics_store
from lb.figures.statistics import ALL, RINGS, Interval, duration, dwell, rate
from wms.database import Database, make_engine, metadata
from wms.event import Event, Source, event
from wms.seqcode import START

pytest_plugins = ["databases"]
NOW = 1_700_000_000.0
CES = ("ce.example/long", "other.example/short")
FOLLOWERS = (statistics_store.follow, counters.follow)
KINDS_AND_SECONDS = ((rate("Running"), None), (dwell("Ready"), 10.0), (duration("Submitted", "Running"), 30.0))
Told = tuple[Source, str, dict[str, object]]


def told(job: str, ce: str, at: float) -> list[Event]:
    """A job that goes well at a place, ten seconds a step."""
    story: Sequence[Told] = (
        (Source.NETWORK_SERVER, "RegJob", {"jdl": "[]", "ns": "ns.example", "jobtype": "SIMPLE"}),
        (Source.WORKLOAD_MANAGER, "Match", {"dest_id": ce}),
        (Source.WORKLOAD_MANAGER, "EnQueued", {"queue": "jobadapter", "result": "OK"}),
        (Source.LRMS, "Running", {"node": "wn.example"}),
        (Source.LOG_MONITOR, "Done", {"status_code": "OK", "exit_code": 0}))
    code, events = START, []
    for index, (source, type, fields) in enumerate(story):
        code = code.advanced(source)
        events.append(event(type, f"https://lb.example:9000/{job}", source, code, at + 10 * index, "host",
                            "/DC=org/CN=Jane", **fields))
    return events


def within(engine: sa.Engine, unit: Callable[..., Any], *args: Any) -> Any:
    with engine.begin() as conn:
        conn.info["topics"] = set()
        return unit(conn, *args)


@settings(max_examples=10, suppress_health_check=list(HealthCheck))
@given(ages=st.lists(st.floats(60, RINGS[-1].span - 3700), min_size=1, max_size=8), waits=st.lists(
    st.floats(0, 20_000), max_size=3))
@example(ages=[598_431.0], waits=[6_400.0])
def test_sums_are_the_same_everywhere(database: Database, ages: list[float], waits: list[float]) -> None:
    engine, now = database.engine, NOW
    metadata.create_all(engine)
    for table in (tables.samples, tables.counters, tables.events, tables.jobs):
        within(engine, sa.Connection.execute, table.delete())
    for index, age in enumerate(ages):
        within(engine, keeper.keep, told(f"j{index}", CES[index % 2], now - age), now, FOLLOWERS)
    for wait in waits:
        now += wait
        within(engine, statistics_store.roll, now)
    interval = Interval(0, now, 3600)
    kept = [age for age in ages if NOW - age + 30 >= (now - RINGS[-1].span)]
    with engine.connect() as conn:
        for kinds, seconds in KINDS_AND_SECONDS:
            found = statistics_store.summed(conn, kinds, ALL, interval)
            places = [statistics_store.summed(conn, kinds, ce, interval) for ce in CES]
            assert found.number >= len(kept)
            assert sum(one.number for one in places) == found.number
            assert seconds is None or not found.number or found.mean == pytest.approx(seconds)
            assert type(found.number) is int
        assert set(statistics_store.destinations(conn, now)) <= set(CES)
        counted = counters.stored(conn)
    assert (counted["glite_jobs"].value, counted["events"].value) == (len(ages), 5 * len(ages))


@pytest.mark.parametrize("kind", SHARED)
def test_writers_together_lose_nothing(place: Place) -> None:
    jobs, writers = 40, 4

    def write(number: int) -> None:
        engine = make_engine(place.url)
        for index in range(jobs):
            for one in told(f"w{number}-{index}", CES[index % 2], NOW - 100):
                within(engine, keeper.keep, [one], NOW, FOLLOWERS)
            if index % 8 == 0:
                within(engine, statistics_store.roll, NOW + 700 * (index % 16 == 0))
        engine.dispose()

    engine = make_engine(place.url)
    metadata.create_all(engine)
    with ThreadPoolExecutor(writers) as pool:
        list(pool.map(write, range(writers)))
    with engine.connect() as conn:
        total = statistics_store.summed(conn, rate("Done OK"), ALL, Interval(0, NOW, 3600))
        counted = counters.stored(conn)
    engine.dispose()
    assert total.number == jobs * writers
    assert counted["events"].value == 5 * jobs * writers
