"""The store of Logging & Bookkeeping on every database it may live in: same rows, room for several writers.

PostgreSQL is started by `tests/testbed/postgres.sh` on a free port of loopback; without it the tests fail.
"""

from __future__ import annotations

import os
import random
import shlex
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from lb import children, family, keeper, query, store
from lb.state.machine import fold
from lb.state.order import order
from lb.tables import histograms, zombies
from lb.upkeep import purge
from wms import queue
from wms.database import make_engine, metadata
from wms.engine import is_passing
from wms.errors import NoSuchJob
from wms.event import Event, Source, event
from wms.jobstatus import JobState
from wms.seqcode import START

SCRIPT = Path(__file__).parent.parent / "testbed" / "postgres.sh"
OWNER = "/DC=org/CN=Jane"
NOW = 1_700_000_000.0
TOLD: Sequence[tuple[Source, str, dict[str, object]]] = (
    (Source.NETWORK_SERVER, "RegJob", {"jdl": "[ é = \"\\\\\"; ]", "ns": "ns.example", "jobtype": "SIMPLE"}),
    (Source.NETWORK_SERVER, "EnQueued", {"queue": "wm", "result": "OK"}),
    (Source.WORKLOAD_MANAGER, "Match", {"dest_id": "ce.example/long"}),
    (Source.LRMS, "Running", {"node": "wn1.example"}),
    (Source.LOG_MONITOR, "Done", {"status_code": "OK", "exit_code": 3}),
)


def _postgres(verb: str, directory: Path, port: int) -> str:
    environment = {**os.environ, "PG_PORT": str(port), "PG_FSYNC": "off"}
    done = subprocess.run([SCRIPT, verb, directory], env=environment, text=True, capture_output=True,
                          timeout=120, check=False)
    if done.returncode:
        pytest.fail(f"PostgreSQL is needed here: {done.stderr}")
    return dict(line.partition("=")[::2] for line in shlex.split(done.stdout)).get("PG_URL", "")


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="lb-") as path:
        os.chmod(path, 0o755)  # the server runs under an account of its own
        yield _postgres("up", Path(path), port)
        _postgres("down", Path(path), port)


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[sa.Engine]:
    on_file = f"sqlite:///{tmp_path}/lb.sqlite"
    made = make_engine(on_file if request.param == "sqlite" else request.getfixturevalue("postgres_url"))
    tables = [store.jobs, store.events, store.refused, store.tags, histograms, zombies, queue.messages]
    metadata.drop_all(made, tables)
    metadata.create_all(made, tables)
    yield made
    made.dispose()


def told(unique: str, at: float = NOW, owner: str = OWNER) -> list[Event]:
    code, events = START, []
    for index, (source, type, fields) in enumerate(TOLD):
        code = code.advanced(source)
        events.append(event(type, f"https://lb.example:9000/{unique}", source, code, at + index / 7, "host",
                            owner, **fields))
    return events


def ingest(engine: sa.Engine, events: Sequence[Event]) -> store.Ingested:
    with engine.begin() as conn:
        return store.ingest(conn, events, NOW + 60)


def ask(engine: sa.Engine, question: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    with engine.connect() as conn:
        return question(conn, *args, **kwargs)


def test_what_was_stored_comes_back(engine: sa.Engine) -> None:
    ingest(engine, told("a"))
    found = ask(engine, query.status, "a")
    assert (found.version, found.status.state, found.status.jdl) == (len(TOLD), "Done", "[ é = \"\\\\\"; ]")
    stored = ask(engine, query.events, "a")
    assert [msgspec.structs.replace(one, arrived=0.0) for one in stored] == told("a")


def test_any_order_and_repetition_gives_the_same_state(engine: sa.Engine) -> None:
    rng = random.Random(7)
    jobs = [told(f"j{n}", NOW + n) for n in range(30)]
    arriving = [one for job in jobs for one in job] * 2
    rng.shuffle(arriving)
    results = [ingest(engine, arriving[at:at + 17]) for at in range(0, len(arriving), 17)]
    assert (sum(r.stored for r in results), sum(r.duplicates for r in results)) == (150, 150)
    with engine.connect() as conn:
        rows = conn.execute(sa.select(store.jobs.c.record).order_by(store.jobs.c.created)).scalars().all()
        numbers = conn.execute(sa.select(store.events.c.number)).scalars().all()
    assert [bytes(row) for row in rows] == [msgspec.msgpack.encode(fold(job)) for job in jobs]
    assert sorted(numbers) == sorted(list(range(5)) * 30)


def test_pages_of_jobs(engine: sa.Engine) -> None:
    for n in range(7):
        ingest(engine, told(f"j{n}", NOW + n // 2))
        ingest(engine, told(f"other{n}", NOW, "/CN=Other"))
    ingest(engine, told("unregistered")[1:])
    found, cursor = [], ""
    while True:
        page = ask(engine, query.user_jobs, OWNER, limit=3, cursor=cursor)
        found += [job.unique for job in page.jobs]
        if not (cursor := page.cursor):
            break
    assert found == ["j6", "j5", "j4", "j3", "j2", "j1", "j0"]
    assert ask(engine, query.user_jobs, OWNER, limit=3, state=JobState.ABORTED).jobs == []
    assert len(ask(engine, query.user_jobs, OWNER, limit=9, state=JobState.DONE).jobs) == 7


def test_a_job_that_is_not_registered_does_not_exist(engine: sa.Engine) -> None:
    ingest(engine, told("a")[1:])
    with pytest.raises(NoSuchJob):
        ask(engine, query.status, "a")
    assert ask(engine, query.events, "none") == []


def test_what_is_refused_is_kept(engine: sa.Engine) -> None:
    with engine.begin() as conn:
        store.refuse(conn, [(b"\xff{", "not JSON"), (b"[]", "no list")], NOW)
        store.refuse(conn, [], NOW)
    with engine.connect() as conn:
        rows = conn.execute(sa.select(store.refused.c.body, store.refused.c.reason)).all()
    assert [(bytes(body), reason) for body, reason in rows] == [(b"\xff{", "not JSON"), (b"[]", "no list")]


def test_several_writers_of_the_same_jobs(engine: sa.Engine) -> None:
    """Each gives every event in its own order: nothing is stored twice, no fold misses what others stored."""
    jobs = [told(f"j{n}", NOW + n) for n in range(12)]
    everything = [one for job in jobs for one in job]

    def write(seed: int) -> int:
        mine = list(everything)
        random.Random(seed).shuffle(mine)
        return sum(ingest(engine, mine[at:at + 5]).stored for at in range(0, len(mine), 5))

    with ThreadPoolExecutor(3) as pool:
        assert sum(pool.map(write, range(3))) == len(everything)
    for n, job in enumerate(jobs):
        found = ask(engine, query.status, f"j{n}")
        assert (found.version, found.status.state) == (len(job), "Done")
        assert sorted(ask(engine, query.events, f"j{n}"), key=order)[-1].fields == job[-1].fields


def is_waited_for(engine: sa.Engine) -> bool:
    """Does another writer stand before the rows that this process has locked?"""
    with engine.connect() as conn:
        return bool(conn.execute(sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted")).scalar())


def test_jobs_that_are_purged_while_their_events_come(engine: sa.Engine) -> None:
    """Each row is gone when the writer that saw it comes to lock it."""
    for unique in "abc":
        ingest(engine, told(unique)[:1])
    with ThreadPoolExecutor(1) as pool:
        with engine.begin() as conn:
            gone = purge.bury(conn, [purge.named(conn, ["a", "c"]).free], NOW)
            writing = pool.submit(ingest, engine, [one for unique in "abc" for one in told(unique)])
            while engine.dialect.name == "postgresql" and not is_waited_for(engine):
                pass
        done = writing.result()
    assert (len(gone.gone), done.stored, done.duplicates) == (2, 3 * len(TOLD) - 1, 1)
    assert [ask(engine, query.status, unique).version for unique in "abc"] == [len(TOLD)] * 3


def tagged(engine: sa.Engine) -> list[tuple[str, str]]:
    with engine.connect() as conn:
        return [(name, value) for name, value in conn.execute(
            sa.select(store.tags.c.name, store.tags.c.value).order_by(store.tags.c.name))]


def test_tags_have_rows_of_their_own(engine: sa.Engine) -> None:
    def tag(name: str, value: str, app: int) -> Event:
        return event("UserTag", "https://lb.example:9000/a", Source.APPLICATION, START._replace(ns=2, app=app), NOW,
                     "host", OWNER, name=name, value=value)

    ingest(engine, [*told("a"), tag("Step", "1", 1), tag("long", "x" * 500, 2), tag("n" * 300, "y", 3)])
    assert tagged(engine) == [("long", "x" * store.LONGEST_TAG), ("step", "1")]
    ingest(engine, [tag("Step", "2", 4)])
    ingest(engine, [tag("Step", "0", 0)])
    assert tagged(engine) == [("long", "x" * store.LONGEST_TAG), ("step", "2")]


def test_texts_too_long_for_an_index_are_found_by_their_beginning(engine: sa.Engine) -> None:
    long = "x" * 10_000
    ingest(engine, [msgspec.structs.replace(one, user=f"/CN={long}", fields={**one.fields, "dest_id": long})
                    if one.type == "Match" else one for one in told("a", owner=f"/CN={long}")])
    assert ask(engine, query.status, "a").status.destination == long
    refused = ingest(engine, told("a" * 300))
    assert [refusal.reason for refusal in refused.refused] == ["an identifier longer than 255 characters"] * len(TOLD)


def test_records_can_be_made_anew(engine: sa.Engine) -> None:
    ingest(engine, told("a"))
    with engine.begin() as conn:
        before = conn.execute(sa.select(store.jobs)).all()
        conn.execute(store.jobs.update().values(record=b"\x80", destination="", state=0))
        changes = store.refold(conn, [row.id for row in before], NOW + 99)
        assert conn.execute(sa.select(store.jobs)).all() == before
    assert [(change.unique, change.after.state, change.events) for change in changes] == [("a", "Done", ())]


# -- collections -----------------------------------------------------------------------------------------


def collection(number: int) -> list[Event]:
    return [event("RegJob", "https://lb.example:9000/c", Source.NETWORK_SERVER, START._replace(ns=1), NOW, "host",
                  OWNER, jobtype="COLLECTION", nsubjobs=number, ns="ns.example")]


def follow(engine: sa.Engine, events: Sequence[Event]) -> store.Ingested:
    with engine.begin() as conn:
        return keeper.keep(conn, events, NOW + 60, [family.follower("lb.example")])


def born(index: int) -> list[Event]:
    """The story of a child, registered by itself."""
    first, *others = told(f"child{index}", NOW + index)
    fields = {**first.fields, "parent": "https://lb.example:9000/c"}
    return [msgspec.structs.replace(first, fields=fields), *others]


def test_a_collection_follows_its_children(engine: sa.Engine) -> None:
    follow(engine, [*born(0)[:4], *collection(2)])
    assert ask(engine, children.histogram, "c", False) == {"Running": 1, "Unknown": 1}
    assert ask(engine, query.status, "c").status.state is JobState.RUNNING
    follow(engine, [*born(0)[4:], *born(1)])
    found = ask(engine, query.status, "c").status
    assert (found.state, found.children_hist, found.all_cancelled) == (JobState.DONE, {"Done": 2}, False)
    assert ask(engine, children.histogram, "c", True) == {"Done": 2}
    page = ask(engine, children.ids, "c", limit=1)
    rest = ask(engine, children.ids, "c", limit=1, cursor=page.cursor)
    assert [*page.ids, *rest.ids] == [f"https://lb.example:9000/child{index}" for index in range(2)]
    with engine.connect() as conn:
        assert [row.topic for row in conn.execute(sa.select(queue.messages))] == ["lb-children"]


def test_several_writers_of_a_family(engine: sa.Engine) -> None:
    """Each gives everything in its own order: the histogram is that of a recount, the state that of the histogram."""
    everything = [*collection(8), *(one for index in range(8) for one in born(index))]

    def write(seed: int) -> None:
        mine = list(everything)
        random.Random(seed).shuffle(mine)
        for at in range(0, len(mine), 5):
            while not written(mine[at:at + 5]):
                pass

    def written(events: Sequence[Event]) -> bool:
        try:
            follow(engine, events)
        except sa.exc.OperationalError as error:
            if not is_passing(error):
                raise
            return False
        return True

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(write, range(3)))
    found = ask(engine, query.status, "c").status
    assert (found.state, found.children_hist) == (JobState.DONE, {"Done": 8})
