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
    store.failed(conn, "c1", 600.0, "no")
    store.register(conn, longer, ["j2"])
    store.register(conn, FIRST, ["j3"])
    assert store.find(conn, "c1") == longer
    assert store.jobs_of(conn, "c1") == ["j1", "j2", "j3"]


def test_a_credential_goes_with_its_last_job(conn: sa.Connection):
    store.register(conn, FIRST, ["j1"])
    store.register(conn, FIRST, ["j2"])
    assert store.unregister(conn, "j1") == []
    assert store.unregister(conn, "j1") == []
    assert store.unregister(conn, "j2") == [FIRST]
    assert store.find(conn, "c1") is None


def test_what_is_due_comes_in_order_of_time(conn: sa.Connection):
    for name, at in (("late", 30.0), ("early", 10.0), ("middle", 20.0), ("later", 41.0)):
        store.register(conn, msgspec.structs.replace(FIRST, credential=name, next_try=at), ["j"])
    assert [r.credential for r in store.due(conn, 40.0, 10)] == ["early", "middle", "late"]
    assert [r.credential for r in store.due(conn, 40.0, 1)] == ["early"]


def test_failures_are_counted_until_a_success(conn: sa.Connection):
    store.register(conn, FIRST, ["j1"])
    store.failed(conn, "c1", 600.0, "refused")
    store.failed(conn, "c1", 700.0, "silent")
    assert store.find(conn, "c1") == msgspec.structs.replace(
        FIRST, next_try=700.0, failures=2, last_error="silent")
    store.succeeded(conn, "c1", 5000.0, 4000.0)
    assert store.find(conn, "c1") == msgspec.structs.replace(FIRST, not_after=5000.0, next_try=4000.0)


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
            dropped = {entry.credential for entry in store.unregister(conn, job)}
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
TestRegistrations.settings = settings(max_examples=20, stateful_step_count=15, deadline=None)
