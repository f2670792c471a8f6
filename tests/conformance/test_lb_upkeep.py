"""Purge, dump and load on every database: the same rows go, come back, and wait for nobody's events."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from database_places import SHARED

from lb import family, marks, zombies
from lb.keeper import keep
from lb.state.embryos import births, expansions
from lb.tables import events, histograms, jobs, tags
from lb.ulm_log import entries
from lb.upkeep import dump, load, purge
from lb.upkeep.archive import Growing
from lb.upkeep.purge_rules import Ages, limits
from wms.database import make_engine, metadata
from wms.event import Event, Source, event
from wms.jobid import JobId
from wms.seqcode import START

pytest_plugins = ["databases"]
NOW = 1_700_000_000.0
LATER = NOW + 1e6
PARENT = JobId.parse("https://lb.example:9000/parent")
NS, LM, LRMS, APP = Source.NETWORK_SERVER, Source.LOG_MONITOR, Source.LRMS, Source.APPLICATION
FAMILY = (family.follower("lb.example"),)
OLD = limits(Ages(0, 0, 0, 0, 0), LATER)


def told(job: object, *news: tuple[Source, str, dict[str, Any]]) -> list[Event]:
    code, made = START, []
    for second, (source, type, fields) in enumerate(news):
        code = code.advanced(source)
        made.append(event(type, str(job), source, code, NOW + second, "host", "/CN=Jane", **fields))
    return made


def lives(job: object) -> list[Event]:
    return told(job, (LRMS, "Running", {"node": "wn"}), (LM, "Done", {"status_code": "OK"}))


def everything() -> list[Event]:
    """A simple job with a tag, a collection of three, and one of whom nobody knows."""
    simple = told("https://lb.example:9000/simple", (NS, "RegJob", {"ns": "ns", "jobtype": "SIMPLE", "jdl": "[é]"}),
                  (APP, "UserTag", {"name": "a", "value": "1\n2"}))
    parent = told(PARENT, (NS, "RegJob", {"ns": "ns", "jobtype": "COLLECTION", "nsubjobs": 3, "seed": "S"}))
    born = births(expansions(parent, parent)[0], 10)[0]
    return [*simple, *parent, *born, *lives(PARENT.subjob("S", 0)), *lives(PARENT.subjob("S", 1)),
            *lives("https://lb.example:9000/nobody")]


@pytest.fixture(params=SHARED)
def kind(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@pytest.fixture
def engine(empty_url: str) -> Iterator[sa.Engine]:
    made = make_engine(empty_url)
    metadata.create_all(made)
    with made.begin() as conn:
        for number, one in enumerate(everything()):
            keep(conn, [one], NOW + 100 + number // 2, FAMILY)
    yield made
    made.dispose()


def do(engine: sa.Engine, unit: Callable[..., Any], *args: Any) -> Any:
    with engine.begin() as conn:
        return unit(conn, *args)


def contents(engine: sa.Engine) -> Any:
    """All rows, without their keys and the numbers of arrival."""
    with engine.connect() as conn:
        known = conn.execute(sa.select(*[column for column in jobs.c if column.name != "id"])).all()
        stored = conn.execute(sa.select(jobs.c.job, events.c.type, events.c.timestamp, events.c.arrived, events.c.body)
                              .join(events, events.c.job == jobs.c.id)).all()
        named = conn.execute(sa.select(jobs.c.job, tags.c.name, tags.c.value).join(tags, tags.c.job == jobs.c.id)).all()
        counted = conn.execute(sa.select(histograms)).all()
    return [[tuple(bytes(cell) if isinstance(cell, memoryview) else cell for cell in row) for row in sorted(rows)]
            for rows in (known, stored, named, counted)]


def dumped(engine: sa.Engine, size: int) -> bytes:
    span = do(engine, dump.interval, "0", "NOW", LATER)
    place, lines = dump.first(span), b""
    while place is not None:
        found = do(engine, dump.portion, span, place, size)
        lines, place = lines + found.lines, found.end
    return lines


def emptied(engine: sa.Engine) -> None:
    for table in (jobs, events, tags, histograms):
        do(engine, lambda conn, table=table: conn.execute(table.delete()))


def loaded(engine: sa.Engine, lines: bytes, size: int) -> load.Batch:
    found = list(entries(lines.splitlines(keepends=True)))
    portions = [found[at:at + size] for at in range(0, len(found), size)] or [[]]
    return [do(engine, load.store_batch, portion, LATER, FAMILY) for portion in portions][-1]


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_what_is_dumped_and_loaded_is_as_it_was(engine: sa.Engine, size: int) -> None:
    before, lines = contents(engine), dumped(engine, size)
    assert lines.count(b"\n") == len(before[1])
    emptied(engine)
    loaded(engine, lines, size)
    assert contents(engine) == before
    assert loaded(engine, lines, 1000).stored == 0
    assert contents(engine) == before


def test_collections_are_settled_where_the_log_says_nothing(engine: sa.Engine) -> None:
    before = contents(engine)
    lines = b"".join(line for line in dumped(engine, 9).splitlines(keepends=True) if b"CollectionState" not in line)
    emptied(engine)
    last = loaded(engine, lines, 1000)
    assert do(engine, load.settle, last.collections, "lb.example", FAMILY) == 1
    assert do(engine, load.settle, last.collections, "lb.example", FAMILY) == 0
    states = [[row[3] for row in found[0]] for found in (before, contents(engine))]
    assert states[0] == states[1]


def test_marks_of_dumps(engine: sa.Engine) -> None:
    do(engine, dump.remember, dump.Interval(1.0, 5000.125))
    assert do(engine, dump.interval, "LAST_START", "LAST_END", LATER) == (1.0, 5000.125)
    assert do(engine, dump.interval, "", "", LATER) == (5000.125 - dump.OVERLAP_S, LATER)
    assert do(engine, marks.get, "none") == ""


def doomed(engine: sa.Engine, size: int = 2) -> list[list[purge.Doomed]]:
    """The groups of a whole purge."""
    after: purge.After | None = purge.FIRST
    groups = []
    while after is not None:
        page = do(engine, purge.roots, OLD, after, size)
        for root in page.roots:
            assert do(engine, purge.is_ripe, root, OLD)
            groups.append([root, *do(engine, purge.children, root.unique, -1, OLD)])
        after = page.end
    return groups


def test_a_purge_in_two_phases_and_a_load_of_what_it_wrote(engine: sa.Engine, tmp_path: Path) -> None:
    before, file = contents(engine), Growing(tmp_path, "purge.ulm", hidden=False)
    groups = doomed(engine)
    assert sorted(map(len, groups)) == [1, 1, 4]
    assert do(engine, purge.write, groups, file) == len(before[1])
    file.close()
    told_of: list[str] = []
    gone = do(engine, purge.bury, groups, LATER, lambda conn, status, now: told_of.append(status.job_id))
    assert (len(gone.gone), gone.kept, len(told_of)) == (6, 0, 5)
    assert contents(engine) == [[], [], [], []]
    names = {job.unique for job in gone.gone}
    assert do(engine, zombies.known, names) == names - {"nobody"}
    loaded(engine, (tmp_path / "purge.ulm").read_bytes(), 1000)
    assert contents(engine) == before
    assert do(engine, zombies.known, names) == set()


def test_a_young_child_keeps_its_family(engine: sa.Engine) -> None:
    young = limits(Ages(0, 0, 0, 0, 0), NOW + 0.5)
    parent = next(job for job in do(engine, purge.roots, OLD, purge.FIRST).roots if job.unique == "parent")
    assert do(engine, purge.is_ripe, parent, OLD)
    assert not do(engine, purge.is_ripe, parent, limits(Ages(0, 0, 0, 0, -2.0), LATER))
    assert [job.unique for job in do(engine, purge.children, "parent", -1, young)] == [PARENT.subjob("S", 2).unique]


def test_purges_and_events_at_the_same_time_lose_nothing(engine: sa.Engine, tmp_path: Path) -> None:
    """Whoever is first, an event is in the dump or in the database."""
    before = len(contents(engine)[1])
    tags_of = [(APP, "UserTag", {"name": f"n{number}", "value": "v"}) for number in range(20)]
    news = told("https://lb.example:9000/simple", *tags_of)

    def log() -> None:
        for one in news:
            do(engine, keep, [one], LATER, FAMILY)

    def forget(number: int) -> None:
        file = Growing(tmp_path, f"purge-{number}.ulm", hidden=False)
        groups = doomed(engine)
        do(engine, purge.write, groups, file)
        do(engine, purge.bury, groups, LATER)
        file.close()

    with ThreadPoolExecutor(2) as pool:
        logging = pool.submit(log)
        for number in range(5):
            forget(number)
        logging.result()
    for number in range(5):
        loaded(engine, (tmp_path / f"purge-{number}.ulm").read_bytes(), 1000)
    assert len(contents(engine)[1]) == before + len(news)


def test_the_index_on_arrival_serves_dumps(engine: sa.Engine) -> None:
    """Each portion begins where the last one ended, in the index."""
    if engine.dialect.name != "sqlite":
        return
    plan: list[str] = []
    sa.event.listen(engine, "before_cursor_execute", lambda conn, cursor, statement, parameters, *_: plan.extend(
        row[3] for row in cursor.execute("EXPLAIN QUERY PLAN " + statement, parameters)))
    do(engine, dump.portion, dump.Interval(0.0, LATER), dump.Place(NOW, -1, -1), 3)
    assert any("lb_events_arrived (arrived>? AND arrived<?)" in step for step in plan)
