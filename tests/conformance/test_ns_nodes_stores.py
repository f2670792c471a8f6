"""Nodes, states that were saved and files that are looked at, on every database: the same rows, room for many."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from database_places import SHARED

from ns import store
from ns.store import DAG, ENDED, STARTED, Job
from wms.database import make_engine, metadata
from wms.operations import File

pytest_plugins = ["databases"]
NOW = 1_700_000_000.0
OWNER = "/CN=" + "o" * 1_020
PARENT = Job("whole", "https://lb.example:9000/whole", OWNER, "v" * 255, STARTED, False, "cred", NOW + 1e6, "m" * 255,
             "", "[ é ]", NOW, NOW, 0, "", False, kind=DAG, number=1_000_000)


@pytest.fixture(params=SHARED)
def kind(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@pytest.fixture
def conn(empty_url: str) -> Iterator[sa.Connection]:
    engine = make_engine(empty_url)
    metadata.create_all(engine)
    with engine.begin() as conn:
        store.add_jobs(conn, [PARENT, *(node(k) for k in range(4))])
        yield conn
    engine.dispose()


def node(k: int) -> Job:
    return PARENT._replace(id=f"n{k}", job=f"https://lb.example:9000/n{k}", kind="job", parent="whole", node=k,
                           node_name="ž" * store.MOST_NAME, number=0, attempt=1)


def names(*files: str) -> list[File]:
    return [File(name, 2**40, "0" * 64) for name in files]


def test_nodes_come_in_pages_and_as_they_were_put(conn: sa.Connection) -> None:
    assert store.nodes(conn, "whole", -1, 2) == [node(0), node(1)]
    assert store.nodes(conn, "whole", 1, 9) == [node(2), node(3)]
    assert store.job(conn, "whole", change=True) == PARENT
    assert store.known(conn, ["n0", "n9"]) == {"n0"}
    store.change_job(conn, "n2", outcome="Done")
    assert store.nodes_done(conn, "whole") == {2}


def test_outputs_are_those_of_the_attempt_that_counts(conn: sa.Connection) -> None:
    (out,) = names("é" * 512)
    store.put_output(conn, "n0", 1, out)
    store.put_output(conn, "n0", 1, out)
    store.put_output(conn, "n1", 2, out)
    store.put_output(conn, "n2", 1, names("other")[0])
    many = [f"n{k}" for k in range(70_000)]
    assert store.outputs(conn, many, [out.name]) == {("n0", out.name): out}
    assert store.outputs(conn, [], [out.name]) == {}
    assert store.owners(conn, many) == {f"n{k}": (OWNER, STARTED) for k in range(4)}


def test_nodes_of_a_dag_that_goes_on_are_not_overdue(conn: sa.Connection) -> None:
    store.change_job(conn, "n1", phase=ENDED)
    assert store.overdue(conn, ENDED, NOW + 1, 9) == []
    store.change_job(conn, "whole", phase=ENDED, deadline=NOW - 1)
    assert [job.id for job in store.overdue(conn, ENDED, NOW + 1, 9)] == ["whole", "n1"]


def test_the_files_that_are_looked_at_are_replaced(conn: sa.Connection) -> None:
    assert store.perused(conn, "n0") == ()
    store.put_perused(conn, "n0", ["ž\0", "b"])
    store.put_perused(conn, "n0", ["out\U0001d11e", "b" * 255])
    assert store.perused(conn, "n0") == ("out\U0001d11e", "b" * 255)
    store.put_perused(conn, "n0", [])
    assert store.perused(conn, "n0") == ()
    store.cleared(conn, ["n0", "n1"])
    assert store.with_files_left(conn, 9) == []


def test_states_are_numbered_and_as_long_as_they_like(conn: sa.Connection) -> None:
    table = store.checkpoints
    for number in (1, 2, 10):
        conn.execute(table.insert(), {"id": "n0", "number": number, "attempt": 1, "tag": "ž" * 255,
                                      "state": "é" * 300_000, "at": NOW})
    conn.execute(table.delete().where(table.c.id == "n0", table.c.number <= 1))
    newest = conn.execute(sa.select(table.c.number).where(table.c.id == "n0").order_by(table.c.number.desc()))
    assert [number for (number,) in newest] == [10, 2]


def test_the_last_attempt_is_the_last_that_was_started(conn: sa.Connection) -> None:
    for number, started in ((1, NOW), (2, NOW + 1), (3, None)):
        store.put_attempt(conn, store.Attempt("n0", number, "n" * 128, started))
    store.put_attempt(conn, store.Attempt("n0", 2, "m", NOW + 2))
    assert store.latest_attempt(conn, "n0") == 2
    assert store.latest_attempt(conn, "n1") == 0
    assert store.attempt(conn, "n0", 2) == store.Attempt("n0", 2, "m", NOW + 2)
