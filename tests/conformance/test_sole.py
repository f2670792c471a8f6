"""One at a time: on both databases a role is taken once, and is free again when its holder is gone."""

from __future__ import annotations

import subprocess
import sys

import psycopg
import pytest
import sqlalchemy as sa
from database_places import SHARED

from wms.errors import Unavailable
from wms.sole import lock

pytest_plugins = ["databases"]
HOLDER = """
import sys, time
from wms.sole import lock
held = lock(sys.argv[1], "wm")
print(held.take(), flush=True)
time.sleep(60)
"""


@pytest.fixture(params=SHARED)
def kind(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


def test_a_role_is_taken_once_and_given_back(empty_url: str) -> None:
    mine, other, different = lock(empty_url, "wm"), lock(empty_url, "wm"), lock(empty_url, "ns")
    assert (mine.take(), other.take(), mine.take(), different.take()) == (True, False, True, True)
    mine.give()
    mine.give()
    assert (other.take(), mine.take()) == (True, False)
    other.give()
    different.give()


def test_it_is_free_when_its_holder_is_killed(empty_url: str) -> None:
    mine = lock(empty_url, "wm")
    with subprocess.Popen([sys.executable, "-c", HOLDER, empty_url], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        seen = holder.stdout.readline(), mine.take()
        holder.kill()
    assert seen == ("True\n", False)
    while not mine.take():  # a server takes a moment to notice; the test's time is limited
        pass
    mine.give()


def test_nobody_else_sees_a_database_in_memory() -> None:
    assert (lock("sqlite://", "wm").take(), lock("sqlite://", "wm").take()) == (True, True)


def test_a_lost_connection_is_made_again(postgres_url: str) -> None:
    mine, other = lock(postgres_url, "wm"), lock(postgres_url, "wm")
    assert mine.take()
    url = sa.make_url(postgres_url).render_as_string(hide_password=False)
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")
    assert mine.take()
    assert not other.take()
    mine.give()


def test_a_server_that_is_away_is_said() -> None:
    with pytest.raises(Unavailable, match="does not answer"):
        lock("postgresql://nobody@127.0.0.1:1/none", "wm").take()
