"""The registrations of proxy renewal, on a database in memory."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest
import sqlalchemy as sa
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from proxyrenewal import store
from proxyrenewal.store import Registration
from tests.examples import examples
from wms.database import make_engine

TABLES = [store.registrations, store.registered_jobs]
FIRST = Registration("c1", "/proxies/c1", "/CN=alice", "px:7512", 1000.0, 500.0)


@pytest.fixture
def conn() -> Iterator[sa.Connection]:
    engine = make_engine("sqlite://")
    store.registrations.metadata.create_all(engine, tables=TABLES)
    with engine.begin() as connection:
        yield connection
    engine.dispose()


def test_a_credential_is_kept_for_its_jobs(conn: sa.Connection):
    store.register(conn, FIRST, ["j2"])
    store.register(conn, FIRST, ["j1", "j2", "j1"])
    store.register(conn, FIRST, ["j1"])
    store.register(conn, FIRST, [])
    assert store.find(conn, "c1") == FIRST
    assert store.jobs_of(conn, "c1") == ["j1", "j2"]
    assert store.of_jobs(conn, ["j1", "j3"]) == {"j1": FIRST}


def test_a_longer_credential_replaces_what_is_known_and_a_shorter_does_not(conn: sa.Connection):
    longer = msgspec.structs.replace(FIRST, not_after=2000.0, next_try=1500.0, myproxy="other")
    store.register(conn, FIRST, ["j1"])
    store.save(conn, [msgspec.structs.replace(FIRST, next_try=600.0, failures=1, last_error="no")])
    store.register(conn, longer, ["j2"])
    store.register(conn, FIRST, ["j3"])
    assert store.find(conn, "c1") == longer
    assert store.jobs_of(conn, "c1") == ["j1", "j2", "j3"]


def test_a_credential_goes_with_its_last_job(conn: sa.Connection):
    store.register(conn, FIRST, ["j1"])
    store.register(conn, FIRST, ["j2"])
    assert store.unregister(conn, ["j1"]) == []
    assert store.unregister(conn, ["j1"]) == []
    assert store.unregister(conn, ["j2"]) == [FIRST]
    assert store.find(conn, "c1") is None


def test_what_is_due_comes_in_order_of_time_but_not_of_servers_that_are_busy(conn: sa.Connection):
    for name, at, server in (("late", 30.0, "px"), ("early", 10.0, "px"), ("middle", 20.0, "other"),
                             ("later", 41.0, "px")):
        store.register(conn, msgspec.structs.replace(FIRST, credential=name, next_try=at, myproxy=server), ["j"])
    assert [r.credential for r in store.due(conn, 40.0, 10)] == ["early", "middle", "late"]
    assert [r.credential for r in store.due(conn, 40.0, 1)] == ["early"]
    assert [r.credential for r in store.due(conn, 40.0, 10, ["px"])] == ["middle"]
    assert store.due(conn, 40.0, 10, ["px", "other"]) == []
    assert store.upcoming(conn, 40.0) == 41.0
    assert store.upcoming(conn, 9.0) == 10.0
    assert store.upcoming(conn, 41.0) == float("inf")


def test_what_is_due_is_found_by_its_index(conn: sa.Connection):
    """100,000 credentials that are not due cost nothing."""
    told = []
    sa.event.listen(conn.engine, "before_cursor_execute", lambda *args: told.append((args[2], args[3])))
    store.due(conn, 40.0, 10, ["px"])
    store.upcoming(conn, 40.0)
    for statement, parameters in tuple(told):
        plan = conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
        assert all("USING INDEX" in line or "USING COVERING INDEX" in line for *_, line in plan), plan


def test_what_is_saved_is_how_renewal_goes_not_who_renews(conn: sa.Connection):
    store.register(conn, FIRST, ["j1"])
    changed = msgspec.structs.replace(FIRST, next_try=700.0, failures=2, last_error="silent", not_after=5.0, begins=1.0,
                                      warned=3.0, renewals=4)
    store.save(conn, [msgspec.structs.replace(changed, myproxy="x", owner="y", path="z", kind="token")])
    store.save(conn, [])
    assert store.find(conn, "c1") == changed
    assert store.current(conn, ["c1", "c2"]) == {"c1": changed}


def test_only_the_same_life_takes_an_outcome():
    for change in ({"not_after": 1.0}, {"begins": 1.0}, {"failures": 1}):
        assert not msgspec.structs.replace(FIRST, **change).is_life_of(FIRST)
    assert msgspec.structs.replace(FIRST, next_try=1.0, last_error="x").is_life_of(FIRST)


def test_another_server_takes_the_place_of_one_that_fails(conn: sa.Connection):
    other = msgspec.structs.replace(FIRST, myproxy="other", next_try=400.0)
    store.register(conn, FIRST, ["j1"])
    store.register(conn, other, ["j2"])
    assert store.find(conn, "c1") == FIRST, "the first one does its work"
    store.save(conn, [msgspec.structs.replace(FIRST, failures=1, next_try=900.0)])
    store.register(conn, other, ["j2"])
    found = store.find(conn, "c1")
    assert found is not None
    assert (found.myproxy, found.failures, found.next_try) == ("other", 0, 400.0)


def test_what_was_taken_back_and_is_delegated_again_begins_anew(conn: sa.Connection):
    store.register(conn, FIRST, ["j1"])
    store.save(conn, [msgspec.structs.replace(FIRST, failures=-1, last_error=store.TAKEN_BACK)])
    shorter = msgspec.structs.replace(FIRST, not_after=800.0)
    store.register(conn, shorter, ["j1"])
    assert store.find(conn, "c1") == shorter


def test_jobs_come_in_portions(conn: sa.Connection):
    store.register(conn, FIRST, [f"j{n}" for n in range(5)])
    assert store.jobs_of(conn, "c1", "j1", 2) == ["j2", "j3"]
    assert store.jobs_of_all(conn, ["c1", "c9"]) == {"c1": [f"j{n}" for n in range(5)], "c9": []}
    assert store.release(conn, "c1", 3) == ["j0", "j1", "j2"]
    assert store.find(conn, "c1") is not None
    assert store.release(conn, "c1", 3) == ["j3", "j4"]
    assert store.find(conn, "c1") is None
    assert store.release(conn, "c1", 3) == []


def test_an_expired_credential_is_dropped_with_its_jobs(conn: sa.Connection):
    store.register(conn, FIRST, ["j1"])
    store.drop(conn, "c1")
    assert store.find(conn, "c1") is None
    assert store.of_jobs(conn, ["j1"]) == {}


NAMES = st.sampled_from(["c1", "c2", "c3"])
JOBS = st.sampled_from(["j1", "j2", "j3"])


class Registrations(RuleBasedStateMachine):
    """The tables agree with a dict of sets, and no credential is without a job."""

    def __init__(self) -> None:
        super().__init__()
        self.engine = make_engine("sqlite://")
        store.registrations.metadata.create_all(self.engine, tables=TABLES)
        self.model: dict[str, set[str]] = {}

    @rule(name=NAMES, job=JOBS)
    def register(self, name: str, job: str) -> None:
        with self.engine.begin() as conn:
            store.register(conn, msgspec.structs.replace(FIRST, credential=name), [job])
        self.model.setdefault(name, set()).add(job)

    @rule(job=JOBS)
    def unregister(self, job: str) -> None:
        with self.engine.begin() as conn:
            dropped = {entry.credential for entry in store.unregister(conn, [job])}
        left = {name: jobs - {job} for name, jobs in self.model.items()}
        assert dropped == {name for name, jobs in left.items() if not jobs}
        self.model = {name: jobs for name, jobs in left.items() if jobs}

    @rule(name=NAMES)
    def drop(self, name: str) -> None:
        with self.engine.begin() as conn:
            store.drop(conn, name)
        self.model.pop(name, None)

    @invariant()
    def agrees(self) -> None:
        with self.engine.begin() as conn:
            known = {entry.credential for entry in store.due(conn, FIRST.next_try, 100)}
            assert {name: set(store.jobs_of(conn, name)) for name in known} == self.model

    def teardown(self) -> None:
        self.engine.dispose()


TestRegistrations = Registrations.TestCase
TestRegistrations.settings = settings(max_examples=examples(20), stateful_step_count=15, deadline=None)
