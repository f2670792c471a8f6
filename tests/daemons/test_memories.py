"""Memories: the table and what is in memory are the same, whoever wrote it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from wm.recovery.black_holes import Memory, Rules
from wm.recovery.memories import Attempt, Memories
from wm.tables import jobs as wm_jobs
from wm.tables import lanes, memories
from wms.database import make_engine, metadata

RULES = Rules(failures=2, fast_s=100.0, rest_s=900.0)


@pytest.fixture
def conn() -> Iterator[sa.Connection]:
    engine = make_engine("sqlite://")
    metadata.create_all(engine, tables=[memories, lanes, wm_jobs])
    with engine.begin() as conn:
        yield conn
    engine.dispose()


def at(job: str, ce: str = "hole", cls: str = "c") -> Attempt:
    return Attempt(ce, cls, job)


def aside(conn: sa.Connection, found: Memories) -> Memories:
    for job in "ab":
        found.failed(conn, at(job), 1.0, 1000.0)
    return found


def again(conn: sa.Connection) -> Memories:
    """As another process, or this one after a restart, sees it."""
    found = Memories(RULES)
    found.load(conn)
    return found


def rows(conn: sa.Connection) -> list[Any]:
    return list(conn.execute(sa.select(memories)))


def test_enough_failures_set_a_ce_aside_for_one_class(conn: sa.Connection) -> None:
    here = Memories(RULES)
    assert here.failed(conn, at("a"), 1.0, 1000.0) is None
    assert here.failed(conn, at("b"), 1.0, 1000.0) == Memory(2, 1000.0, 1900.0)
    assert here.set_aside == 1
    for found in (here, again(conn)):
        assert found.blocked("c", 1000.0) == {"hole"}
        assert found.blocked("other", 1000.0) == frozenset()
        assert found.next_trial("c", 1000.0) == 1900.0
        assert found.is_aside(at("x"), 1000.0)
        assert (found.holds_against("hole"), found.holds_against("other")) == (True, False)


def test_after_the_rest_one_job_may_try(conn: sa.Connection) -> None:
    here = aside(conn, Memories(RULES))
    assert (here.blocked("c", 1900.0), here.trials("c", 1900.0)) == (frozenset(), {"hole"})
    here.placed(conn, [at("brave"), at("late"), at("x", "fine")], 1900.0)
    for found in (here, again(conn)):
        assert (found.blocked("c", 1900.0), found.trials("c", 1900.0)) == ({"hole"}, frozenset())
        assert found.get("hole", "c") == Memory(2, 1900.0, 2800.0, 0, "brave")
        assert not found.is_aside(at("brave"), 1900.0)
    assert here.failed(conn, at("brave"), 5000.0, 2000.0) == Memory(3, 2000.0, 3800.0, 1)


def test_a_success_forgets_all(conn: sa.Connection) -> None:
    here = aside(conn, Memories(RULES))
    here.succeeded(conn, [at("c"), at("d"), at("e", "fine")])
    assert (rows(conn), here.blocked("c", 1000.0), here.next_trial("c", 1000.0)) == ([], frozenset(), None)
    assert not here.holds_against("hole")


def test_slow_failures_leave_no_trace(conn: sa.Connection) -> None:
    assert Memories(RULES).failed(conn, at("a"), 100.0, 1000.0) is None
    assert rows(conn) == []


def test_what_another_process_counted_counts(conn: sa.Connection) -> None:
    one, other = Memories(RULES), Memories(RULES)
    one.failed(conn, at("a"), 1.0, 1000.0)
    assert other.failed(conn, at("b"), 1.0, 1000.0) is not None


def test_what_nobody_touched_is_forgotten_but_no_rest(conn: sa.Connection) -> None:
    here = aside(conn, Memories(RULES))
    here.failed(conn, at("a", "other"), 1.0, 1000.0)
    here.forget(conn, 1500.0)
    assert [row.ce for row in rows(conn)] == ["hole"]
    here.forget(conn, 2000.0)
    assert rows(conn) == []
    assert here.blocked("c", 1000.0) == frozenset()


def test_jobs_of_the_class_that_wait_there_are_looked_at(conn: sa.Connection) -> None:
    def placed(id: str, lane: str, ce: str, phase: str = "placed") -> dict[str, Any]:
        return {"id": id, "lane": lane, "ce": ce, "phase": phase, "submit": b"", "sequence_code": "", "attempt": 1,
                "deep": 0, "shallow": 0, "previous": "", "cancelled": False, "reason": "", "due": 9e9}

    conn.execute(lanes.insert(), [{"id": id, "cls": cls, "vo": "", "owner": "", "priority": 0, "wish": 0, "lazy": False}
                                  for id, cls in (("l1", "c"), ("l2", "c"), ("l3", "d"))])
    conn.execute(wm_jobs.insert(), [placed("1", "l1", "hole"), placed("2", "l2", "hole"), placed("3", "l3", "hole"),
                                    placed("4", "l1", "fine"), placed("5", "l1", "hole", "waiting")])
    aside(conn, Memories(RULES))
    assert set(conn.scalars(sa.select(wm_jobs.c.id).where(wm_jobs.c.due == 1000.0))) == {"1", "2"}
