"""The queue's verbs agree with a dict, on every database; claimers never share a message."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import pytest
import sqlalchemy as sa
from database_places import SHARED, Place, Turns
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from wms import queue
from wms.database import Database
from wms.queue import Depth, Message, messages

pytest_plugins = ["databases"]
TOPICS = st.sampled_from(["wm", "lb", "lb-answers"])
READERS = st.sampled_from(["a", "b", ""])
LIMITS = st.integers(1, 3)


@dataclass(frozen=True)
class Row:
    """What the model knows of a message."""

    topic: str
    job: str
    put_at: float
    due: float
    attempts: int = 0
    reader: str = ""
    buried: bool = False
    error: str = ""


class QueueMachine(RuleBasedStateMachine):
    """Every verb on the database and on `rows`, in any order, while time moves."""

    def __init__(self, engine: sa.Engine) -> None:
        super().__init__()
        self.engine = engine
        self.rows: dict[int, Row] = {}
        self.now = 1000.0
        self.do(lambda conn: conn.execute(messages.delete()))

    def do(self, unit: Callable[[sa.Connection], Any]) -> Any:
        with self.engine.begin() as conn:
            return unit(conn)

    def due(self, topic: str, limit: int) -> list[int]:
        return sorted(id for id, row in self.rows.items()
                      if row.topic == topic and not row.buried and row.due <= self.now)[:limit]

    def some(self, data: st.DataObject) -> int | None:
        return data.draw(st.sampled_from(sorted(self.rows))) if self.rows else None

    def change(self, id: int, **values: Any) -> None:
        self.rows[id] = replace(self.rows[id], **values)

    @rule(s=st.sampled_from([0.0, 1.0, 7.0]))
    def time_passes(self, s: float) -> None:
        self.now += s

    @rule(topic=TOPICS, jobs=st.lists(st.sampled_from(["", "j1", "j2"]), max_size=3),
          delay=st.sampled_from([0.0, 5.0]))
    def put(self, topic: str, jobs: list[str], delay: float) -> None:
        def put(conn: sa.Connection) -> None:
            queue.put_many(conn, topic, [(job, {"job": job}) for job in jobs], now=self.now, delay_s=delay)

        self.do(put)
        new = self.do(lambda conn: list(conn.scalars(sa.select(messages.c.id).order_by(messages.c.id))))[-len(jobs):]
        for id, job in zip(new if jobs else [], jobs, strict=True):
            assert id > max(self.rows, default=0)
            self.rows[id] = Row(topic, job, self.now, self.now + delay)

    @rule(topic=TOPICS)
    def put_and_roll_back(self, topic: str) -> None:
        with self.engine.connect() as conn:
            queue.put(conn, topic, {}, now=self.now)
            conn.rollback()

    @rule(topic=TOPICS, limit=LIMITS, lease=st.sampled_from([2.0, 10.0]), reader=READERS)
    def claim(self, topic: str, limit: int, lease: float, reader: str) -> None:
        found = self.do(lambda conn: queue.claim(conn, topic, limit, now=self.now, lease_s=lease, reader=reader))
        assert found == [self.message(id) for id in self.due(topic, limit)]
        for message in found:
            self.change(message.id, due=self.now + lease, attempts=message.attempts + 1, reader=reader)

    @rule(topic=TOPICS, limit=LIMITS)
    def peek_due(self, topic: str, limit: int) -> None:
        found = self.do(lambda conn: queue.peek_due(conn, topic, limit, now=self.now))
        assert found == [self.message(id) for id in self.due(topic, limit)]

    @rule(data=st.data(), unknown=st.booleans())
    def done(self, data: st.DataObject, unknown: bool) -> None:
        ids = data.draw(st.lists(st.sampled_from(sorted(self.rows)), unique=True)) if self.rows else []
        self.do(lambda conn: queue.done(conn, [*ids, *([10**9] if unknown else [])]))
        for id in ids:
            del self.rows[id]

    @rule(data=st.data(), delay=st.sampled_from([0.0, 4.0]), attempts=st.integers(0, 12))
    def again(self, data: st.DataObject, delay: float, attempts: int) -> None:
        if id := self.some(data):
            due = self.now + delay
            self.do(lambda conn: queue.again(conn, id, due=due, error="e", attempts=attempts))
            self.change(id, due=due, error="e", attempts=attempts, reader="")

    @rule(data=st.data())
    def bury(self, data: st.DataObject) -> None:
        if id := self.some(data):
            self.do(lambda conn: queue.bury(conn, id, error="dead", attempts=12))
            self.change(id, buried=True, error="dead", attempts=12)

    @rule(topic=TOPICS)
    def exhume(self, topic: str) -> None:
        dead = [id for id, row in self.rows.items() if row.topic == topic and row.buried]
        assert self.do(lambda conn: queue.exhume(conn, topic, now=self.now)) == len(dead)
        for id in dead:
            self.change(id, buried=False, due=self.now, attempts=0)

    @rule(topic=TOPICS, reader=READERS)
    def release(self, topic: str, reader: str) -> None:
        held = [id for id, row in self.rows.items() if row.topic == topic and row.reader == reader != ""
                and not row.buried and row.due > self.now]
        assert self.do(lambda conn: queue.release(conn, topic, reader, now=self.now)) == len(held)
        for id in held:
            self.change(id, due=self.now, reader="")

    @rule(prefix=st.sampled_from(["lb", "lb-", "wm", "%", "w_"]), age=st.sampled_from([0.0, 5.0]))
    def drop_stale(self, prefix: str, age: float) -> None:
        before = self.now - age
        stale = [id for id, row in self.rows.items() if row.topic.startswith(prefix) and row.put_at < before]
        assert self.do(lambda conn: queue.drop_stale(conn, prefix, before=before)) == len(stale)
        for id in stale:
            del self.rows[id]

    @rule(topic=TOPICS)
    def next_due(self, topic: str) -> None:
        times = [row.due for row in self.rows.values() if row.topic == topic and not row.buried]
        assert self.do(lambda conn: queue.next_due(conn, topic)) == min(times, default=None)

    @invariant()
    def table_and_model_agree(self) -> None:
        columns = [messages.c[name] for name in Row.__dataclass_fields__]
        rows = self.do(lambda conn: conn.execute(sa.select(messages.c.id, *columns)).all())
        assert {id: Row(*values) for id, *values in rows} == self.rows
        assert self.do(queue.depths) == self.depths()

    def depths(self) -> list[Depth]:
        by_topic: dict[str, list[Row]] = {}
        for row in self.rows.values():
            by_topic.setdefault(row.topic, []).append(row)
        return [Depth(topic, sum(not r.buried for r in rows), sum(r.buried for r in rows),
                      min(r.put_at for r in rows)) for topic, rows in sorted(by_topic.items())]

    def message(self, id: int) -> Message:
        row = self.rows[id]
        return Message(id, row.topic, row.job, b'{"job":"%b"}' % row.job.encode(), row.put_at, row.attempts)


def test_the_verbs_agree_with_a_dict(database: Database, place: Place) -> None:
    run_state_machine_as_test(
        lambda: QueueMachine(database.engine),
        settings=settings(max_examples=10 if place.kind == "postgresql" else 25, stateful_step_count=30, deadline=None,
                          suppress_health_check=list(HealthCheck)))


def test_what_is_put_in_a_transaction_that_fails_is_not_there(database: Database, turns: Turns) -> None:
    def unit(conn: sa.Connection) -> None:
        queue.put(conn, "wm", {}, now=0)
        raise KeyError("after")

    with pytest.raises(KeyError):
        turns.result(database.transact(unit))
    assert turns.result(database.read(queue.depths)) == []


def test_each_topic_has_its_order_of_arrival(database: Database, turns: Turns) -> None:
    for n in range(6):
        turns.result(database.transact(queue.put, "wm" if n % 2 else "lb", n, now=10.0 - n))
    for topic, bodies in (("lb", [b"0", b"2", b"4"]), ("wm", [b"1", b"3", b"5"])):
        found = turns.result(database.transact(queue.claim, topic, 9, now=20, lease_s=5))
        assert [message.body for message in found] == bodies


def test_readers_get_no_more_bytes_at_once_than_they_can_bear(database: Database, turns: Turns) -> None:
    large = "x" * (queue.MOST_BYTES // 2)
    turns.result(database.transact(queue.put_many, "wm", [("", large)] * 3 + [("", 4 * large), ("", "small")], now=1.0))
    for size in (2, 2, 1):
        found = turns.result(database.transact(queue.peek_due, "wm", 10, now=2.0))
        assert len(found) == size
        turns.result(database.transact(queue.done, [message.id for message in found]))


def test_a_lease_comes_back_and_counts(database: Database, turns: Turns) -> None:
    turns.result(database.transact(queue.put, "wm", {}, now=0))

    def claim(now: float) -> list[int]:
        found = turns.result(database.transact(queue.claim, "wm", 9, now=now, lease_s=5))
        return [message.attempts for message in found]

    assert [claim(0), claim(4.9), claim(5), claim(9.9), claim(10)] == [[0], [], [1], [], [2]]


@pytest.mark.parametrize("kind", SHARED)
def test_claimers_at_the_same_time_never_get_the_same_message(place: Place) -> None:
    total, readers = 120, 6
    engines = [place.database().engine for _ in range(readers)]
    with engines[0].begin() as conn:
        queue.put_many(conn, "wm", [("", n) for n in range(total)], now=0)
    together = threading.Barrier(readers)

    def work(engine: sa.Engine) -> list[int]:
        got: list[int] = []
        together.wait(60)
        while len(got) < total:
            with engine.begin() as conn:
                found = queue.claim(conn, "wm", 5, now=1, lease_s=1000)
            got += [message.id for message in found]
            if not found:
                break
        return got

    with ThreadPoolExecutor(readers) as pool:
        claimed = [id for ids in pool.map(work, engines) for id in ids]
    assert len(claimed) == len(set(claimed)) == total


@pytest.mark.parametrize("kind", ["postgresql"])
def test_a_claim_steps_over_what_another_transaction_holds(place: Place) -> None:
    engine = place.database().engine
    with engine.begin() as conn:
        queue.put_many(conn, "wm", [("", n) for n in range(4)], now=0)
    with engine.begin() as one, engine.begin() as other:
        first = queue.peek_due(one, "wm", 2, now=0)
        second = queue.claim(other, "wm", 9, now=0, lease_s=5)
    assert [m.body for m in (*first, *second)] == [b"0", b"1", b"2", b"3"]
