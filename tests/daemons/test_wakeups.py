"""A commit of another process wakes this one, on both databases that processes can share."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from shell import result
from twisted.internet.task import Clock

from wms import queue
from wms.database import Database, make_engine, metadata
from wms.wakeups import LOOK_S, SqliteWakeups, wakeups

OTHER_PROCESS = """
import sys
from wms import queue
from wms.database import make_engine
with make_engine(sys.argv[1]).begin() as conn:
    queue.put(conn, "wm", {}, now=0)
"""


def elsewhere(url: str) -> None:
    """Another process puts a message."""
    subprocess.run([sys.executable, "-c", OTHER_PROCESS, url], check=True, timeout=60)


@pytest.fixture
def clock() -> Iterator[Clock]:
    made = Clock()
    yield made
    assert made.getDelayedCalls() == []


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(f"sqlite:///{tmp_path}/wms.sqlite", None, inline=True)
    metadata.create_all(made.engine, [queue.messages])
    yield made
    made.close()


def watched(database: Database) -> list[bool]:
    """True for each wake-up that concerns `wm`."""
    woken: list[bool] = []
    database.on_messages(lambda topics: woken.append("wm" in topics))
    return woken


def test_a_commit_of_another_process_on_the_same_file_wakes_this_one(database: Database, clock: Clock) -> None:
    woken, part = watched(database), wakeups(database, clock)
    assert isinstance(part, SqliteWakeups)
    result(part.start())
    assert woken == [True], "at the start everything may be new"
    clock.pump([LOOK_S] * 10)
    assert woken == [True], "no commit, no wake-up"
    elsewhere(database.url)
    clock.advance(LOOK_S)
    assert woken == [True, True]
    clock.pump([LOOK_S] * 10)
    assert woken == [True, True]
    result(part.stop())


def test_a_look_that_fails_is_not_the_last(database: Database, clock: Clock) -> None:
    woken, part = watched(database), SqliteWakeups(database, clock)
    result(part.start())
    path = Path(database.engine.url.database or "")
    moved = path.with_suffix(".moved")
    path.rename(moved)
    clock.pump([LOOK_S] * 3)
    moved.rename(path)
    elsewhere(database.url)
    clock.advance(LOOK_S)
    assert woken[-1:] == [True]
    assert len(woken) == 2
    result(part.stop())


def test_a_part_that_never_started_stops(database: Database, clock: Clock) -> None:
    result(SqliteWakeups(database, clock).stop())


def test_a_path_with_odd_characters_is_watched(tmp_path: Path, clock: Clock) -> None:
    url = f"sqlite:///{tmp_path}/a b#c%d.sqlite"
    made = Database(url, None, inline=True)
    metadata.create_all(made.engine, [queue.messages])
    woken, part = watched(made), SqliteWakeups(made, clock)
    result(part.start())
    with make_engine(url).begin() as conn:
        queue.put(conn, "wm", {}, now=0)
    clock.advance(LOOK_S)
    assert woken == [True, True]
    result(part.stop())
    made.close()
