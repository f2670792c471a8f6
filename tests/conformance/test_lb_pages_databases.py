"""What pages of Logging & Bookkeeping ask of every database: families, children, histograms, feeds, figures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from lb import keeper
from lb.family import follower
from lb.figures import statistics_store
from lb.figures.statistics import ALL, RINGS
from lb.pages import figures_query, page_query, pulse
from lb.pages.feeds import FEEDS
from lb.state import embryos
from wms.database import Database, metadata
from wms.event import Event, Source, event
from wms.jobid import JobId
from wms.jobstatus import JobState
from wms.seqcode import START

pytest_plugins = ["databases"]
NOW = 1_700_000_000.0
JANE = "/DC=org/CN=Jane"
PARENT = JobId.parse("https://lb.example:9000/all")
CHILDREN = [PARENT.subjob("WMPROXY", index).unique for index in range(6)]
FOLLOWERS = (follower("lb.example"), statistics_store.follow)


def told(job: str, length: int, at: float = NOW - 300, owner: str = JANE, **registration: object) -> list[Event]:
    """The first events of a job, ten seconds apart."""
    story = (
        (Source.NETWORK_SERVER, "RegJob", {"jdl": "[]", "ns": "ns.example", "jobtype": "SIMPLE", **registration}),
        (Source.WORKLOAD_MANAGER, "Match", {"dest_id": "ce.example/long"}),
        (Source.LRMS, "Running", {"node": "wn.example"}),
        (Source.LOG_MONITOR, "Done", {"status_code": "OK", "exit_code": 0}))
    code, events = START, []
    for index, (source, type, fields) in enumerate(story[:length]):
        code = code.advanced(source)
        events.append(event(type, f"https://lb.example:9000/{job}", source, code, at + 10 * index, "host", owner,
                            **fields))
    return events


@pytest.fixture
def filled(database: Database) -> sa.Engine:
    """A collection of six between two jobs; of its children one runs and one is Done."""
    engine = database.engine
    metadata.create_all(engine)
    registration = told("all", 1, NOW - 400, jobtype="COLLECTION", nsubjobs=6, seed="WMPROXY")
    births, _rest = embryos.births(embryos.expansions(registration, registration)[0], 6)
    keep(engine, [*told("old", 4, NOW - 9000), *registration])
    keep(engine, births)
    keep(engine, [*told(CHILDREN[1], 3, parent=str(PARENT)), *told(CHILDREN[2], 4, parent=str(PARENT)),
                  *told("new", 4, NOW - 100), *told("his", 4, owner="/CN=John")])
    return engine


def keep(engine: sa.Engine, events: list[Event]) -> None:
    within(engine, keeper.keep, events, NOW, FOLLOWERS)


def within(engine: sa.Engine, unit: Callable[..., Any], *args: Any, **more: Any) -> Any:
    with engine.begin() as conn:
        conn.info["topics"] = set()
        return unit(conn, *args, **more)


def test_families_page_by_page(filled: sa.Engine) -> None:
    seen, cursor = [], ""
    while True:
        page = within(filled, page_query.families, JANE, limit=1, cursor=cursor)
        seen += page.families
        if not (cursor := page.cursor):
            break
    assert [family.job.unique for family in seen] == ["new", "all", "old"]
    assert seen[1].histogram == {"Submitted": 4, "Running": 1, "Done": 1}
    assert {child.unique for child in seen[1].children} <= set(CHILDREN)
    assert len(seen[1].children) == page_query.NESTED


def test_children_page_by_page(filled: sa.Engine) -> None:
    first = within(filled, page_query.children, "all", limit=4)
    second = within(filled, page_query.children, "all", limit=4, cursor=first.cursor)
    assert [child.unique for child in (*first.jobs, *second.jobs)] == sorted(CHILDREN)
    assert second.cursor == ""
    running = within(filled, page_query.children, "all", limit=4, state=JobState.RUNNING)
    assert [child.unique for child in running.jobs] == [CHILDREN[1]]


def test_the_pulse_of_a_family(filled: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    found = within(filled, pulse.pulse, "all", 6)
    assert (found.state, found.histogram) == (JobState.RUNNING, {"Submitted": 4, "Running": 1, "Done": 1})
    assert within(filled, pulse.pulse, "nobody", 0) is None
    monkeypatch.setattr(pulse, "COUNTED_ONE_BY_ONE", 5)
    assert within(filled, pulse.pulse, "all", 6).histogram == {"Unknown": 4, "Running": 1, "Done": 1}


def test_feeds_have_what_is_recent(filled: sa.Engine) -> None:
    finished = within(filled, page_query.feed, JANE, FEEDS["finished"], NOW - 3600)
    assert [job.unique for job in finished] == ["new", CHILDREN[2]]
    assert within(filled, page_query.feed, JANE, FEEDS["doneVM"], NOW - 3600) == []


def test_figures_at_a_glance(filled: sa.Engine) -> None:
    seen = within(filled, figures_query.panorama, ALL, RINGS[0], NOW)
    assert {one.phase: one.number for one in seen.rates}["Done OK"] == 3
    assert {one.name: one.sums.mean for one in seen.durations}["Running to Done OK"] == pytest.approx(10)
    assert [(place.name, place.ok, place.failed) for place in seen.places] == [("ce.example/long", 3, 0)]
