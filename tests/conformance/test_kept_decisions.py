"""Rows of decisions and of their resources on every database: kept together or not at all, cleared oldest first."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from database_places import SHARED

from wm.replay import store
from wm.replay.store import Kept
from wms.database import make_engine, metadata

pytest_plugins = ["databases"]
FULL, NEXT, OTHER = (f"{chain * 16}.00{number}.{'d' * 32}" for chain, number in (("a", 0), ("a", 1), ("b", 0)))
BYTES = bytes(range(256))


@pytest.fixture(params=SHARED)
def kind(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@pytest.fixture
def conn(empty_url: str) -> Iterator[sa.Connection]:
    made = make_engine(empty_url)
    metadata.create_all(made)
    with made.begin() as conn:
        yield conn
    made.dispose()


def kept(id: str, at: float, snapshot: str, *, base: str = "", content: bytes = b"") -> Kept:
    return Kept(id, at, snapshot, BYTES, BYTES, base, content)


def test_what_is_kept_comes_back(conn: sa.Connection) -> None:
    assert store.put(conn, [kept("1-a", 1.0, FULL, content=BYTES), kept("1-b", 1.0, NEXT, base=FULL, content=BYTES)])
    assert store.put(conn, [kept("2-a", 2.0, FULL, content=BYTES), kept("2-a", 2.0, FULL)])
    assert store.find(conn, "1-a") == ("1-a", 1.0, FULL, BYTES, BYTES)
    assert [row.id for row in store.latest(conn, 2)] == ["2-a", "1-b"]
    assert store.find(conn, "2") == store.find(conn, "2-a")
    assert (store.find(conn, "1"), store.find(conn, "%")) == (None, None)
    assert (store.content(conn, NEXT), store.content(conn, OTHER)) == (BYTES, None)
    assert store.used(conn) == 2 * 256 + 3 * 512
    assert store.of_job(conn, "https://lb:9000/none") is None


def test_nothing_is_kept_without_what_it_stands_on(conn: sa.Connection) -> None:
    assert not store.put(conn, [kept("1", 1.0, NEXT, base=FULL, content=BYTES)])
    assert not store.put(conn, [kept("1", 1.0, FULL)])
    assert (store.used(conn), store.latest(conn, 9)) == (0, [])


def test_the_oldest_go_and_chains_that_none_needs(conn: sa.Connection) -> None:
    store.put(conn, [kept("1", 1.0, FULL, content=BYTES), kept("2", 2.0, NEXT, base=FULL, content=BYTES)])
    store.put(conn, [kept(f"3-{number}", 3.0, OTHER, content=BYTES) for number in range(3)])
    assert store.used(conn) == 3 * 256 + 5 * 512
    assert store.clear(conn, store.used(conn) - 1) == 3 * 256 + 4 * 512
    assert store.clear(conn, 2_000) == 256 + 2 * 512
    assert [row.id for row in store.latest(conn, 9)] == ["3-2", "3-1"]
    assert (store.content(conn, FULL), store.content(conn, NEXT), store.content(conn, OTHER)) == (None, None, BYTES)
    assert store.clear(conn, 0) == 0
