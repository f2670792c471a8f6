"""Both consumers on a hand-moved clock: batches, failures of one among many, retries, crashes, stopping."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from shell import Shell, fired, result
from twisted.internet.defer import CancelledError, Deferred

from wms import queue
from wms.consumer import (
    FIRST_RETRY_S,
    LAST_RETRY_S,
    MAX_ATTEMPTS,
    Consumer,
    EffectConsumer,
    nothing,
    retry_delay_s,
)
from wms.queue import Message
from wms.service import Daemon, Suite

LEASE_S = 120.0


@pytest.fixture
def shell() -> Iterator[Shell]:
    made = Shell()
    yield made
    made.close()


def bodies(messages: Sequence[Message]) -> list[Any]:
    return [msgspec.json.decode(message.body) for message in messages]


@dataclass
class Handler:
    """Keeps the batches it saw and leaves each body on the topic `out`; raises for what is in `bad`."""

    bad: set[Any] = field(default_factory=set)
    batches: list[list[Any]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)

    def __call__(self, conn: sa.Connection, messages: Sequence[Message], now: float) -> None:
        self.batches.append(bodies(messages))
        self.times.append(now)
        for body in bodies(messages):
            queue.put(conn, "out", body, now=now)
            if body in self.bad:
                raise ValueError(f"bad {body}")


def out(shell: Shell) -> list[Any]:
    return [msgspec.json.decode(row.body) for row in shell.rows() if row.topic == "out"]


def left(shell: Shell) -> list[Any]:
    return [row for row in shell.rows() if row.topic != "out"]


# -- effects in the database only --------------------------------------------------------------------------


def test_a_batch_and_its_effects_are_one_transaction(shell: Shell) -> None:
    handler = Handler()
    consumer = Consumer(shell.kit(), "wm", handler, batch=3)
    shell.put("wm", *range(7))
    result(consumer.start())
    assert handler.batches == [[0, 1, 2], [3, 4, 5], [6]]
    assert out(shell) == list(range(7))
    assert left(shell) == []
    assert consumer.progress() == {"done": 7, "failed": 0, "last": 0.0}
    result(consumer.stop())


def test_one_bad_message_is_set_aside_while_the_others_go_through(shell: Shell) -> None:
    handler = Handler(bad={2})
    consumer = Consumer(shell.kit(), "wm", handler)
    shell.put("wm", *range(5))
    result(consumer.start())
    assert out(shell) == [0, 1, 3, 4]
    (kept,) = left(shell)
    assert (kept.attempts, kept.due, kept.buried) == (1, FIRST_RETRY_S, False)
    assert "ValueError: bad 2" in kept.error
    assert consumer.progress()["done"] == 4
    handler.bad.clear()
    shell.advance(FIRST_RETRY_S)
    assert out(shell) == [0, 1, 3, 4, 2]
    result(consumer.stop())


def test_after_a_bad_batch_batches_are_whole_again(shell: Shell) -> None:
    handler = Handler(bad={1})
    consumer = Consumer(shell.kit(), "wm", handler)
    shell.put("wm", 0, 1, 2)
    result(consumer.start())
    handler.bad.clear()
    shell.advance(1)
    del handler.batches[:]
    shell.put("wm", 5, 6, 7)
    assert handler.batches == [[5, 6, 7]]
    result(consumer.stop())


def test_a_message_that_always_fails_waits_longer_each_time_and_is_buried(shell: Shell) -> None:
    handler = Handler(bad={0})
    consumer = Consumer(shell.kit(), "wm", handler)
    shell.put("wm", 0)
    result(consumer.start())
    shell.advance(1200, steps=1200)
    waits = [later - earlier for earlier, later in pairwise(handler.times)]
    assert waits == pytest.approx([1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300])
    (kept,) = left(shell)
    assert (kept.buried, kept.attempts) == (True, MAX_ATTEMPTS)
    assert len(shell.said("critical")) == MAX_ATTEMPTS
    handler.bad.clear()
    assert result(shell.database.transact(queue.exhume, "wm", now=shell.clock.seconds())) == 1
    assert out(shell) == [0], "exhumed messages wake their reader"
    result(consumer.stop())


def test_retry_delays_grow_to_a_limit() -> None:
    delays = [retry_delay_s(attempts) for attempts in range(1, 400)]
    assert delays == sorted(delays)
    assert (delays[0], delays[-1]) == (FIRST_RETRY_S, LAST_RETRY_S)
    assert retry_delay_s(0) == FIRST_RETRY_S


def test_a_message_put_wakes_its_reader_and_no_other(shell: Shell) -> None:
    handler, other = Handler(), Handler()
    consumers = [Consumer(shell.kit(), "wm", handler), Consumer(shell.kit(), "lb", other)]
    for consumer in consumers:
        result(consumer.start())
    shell.put("wm", "x")
    assert (handler.batches, other.batches) == ([["x"]], [])
    for consumer in consumers:
        result(consumer.stop())


def test_a_delayed_message_is_read_when_it_is_due_and_others_at_the_next_poll(shell: Shell) -> None:
    handler, kit = Handler(), shell.kit()
    consumer = Consumer(kit, "wm", handler)
    result(consumer.start())
    shell.put("wm", "later", delay_s=2.5)
    shell.advance(2.4)
    assert handler.batches == []
    shell.advance(0.1)
    assert handler.batches == [["later"]]
    with shell.database.engine.begin() as conn:
        queue.put(conn, "wm", "of another process", now=shell.clock.seconds())
    shell.advance(kit.poll_s)
    assert handler.batches[1:] == [["of another process"]]
    result(consumer.stop())


def test_a_failing_database_does_not_end_the_loop(shell: Shell) -> None:
    handler = Handler()
    consumer = Consumer(shell.kit(), "wm", handler)
    with shell.database.engine.begin() as conn:
        conn.execute(sa.text("ALTER TABLE messages RENAME TO gone"))
    result(consumer.start())
    assert shell.said("critical") == ["{topic}: a round failed"]
    assert consumer.progress()["failed"] == 1
    with shell.database.engine.begin() as conn:
        conn.execute(sa.text("ALTER TABLE gone RENAME TO messages"))
        queue.put(conn, "wm", 1, now=0)
    shell.advance(FIRST_RETRY_S)
    assert handler.batches == [[1]]
    result(consumer.stop())


def test_stopping_before_starting_is_harmless(shell: Shell) -> None:
    result(Consumer(shell.kit(), "wm", Handler()).stop())


# -- effects outside ---------------------------------------------------------------------------------------


@dataclass
class World:
    """Acts are effects that outlive the process; each waits for `let_go` when `slow`."""

    shell: Shell
    slow: bool = False
    bad: set[Any] = field(default_factory=set)
    acts: list[list[Any]] = field(default_factory=list)
    pending: list[Deferred[None]] = field(default_factory=list)

    async def act(self, messages: Sequence[Message]) -> Callable[[sa.Connection], object]:
        self.acts.append(bodies(messages))
        if self.slow:
            self.pending.append(Deferred())
            await self.pending[-1]
        if self.bad & set(bodies(messages)):
            raise ValueError("the CE says no")
        return lambda conn: queue.put(conn, "out", bodies(messages), now=0)

    def consumer(self, **more: Any) -> EffectConsumer:
        made = EffectConsumer(self.shell.kit(), "jobadapter", self.act, lease_s=LEASE_S, **more)
        result(made.start())
        return made


def test_acts_are_recorded_with_the_end_of_their_messages(shell: Shell) -> None:
    shell.put("jobadapter", *range(5))
    world = World(shell)
    consumer = world.consumer(batch=2)
    assert world.acts == out(shell) == [[0, 1], [2, 3], [4]]
    assert left(shell) == []
    assert consumer.progress()["done"] == 5
    result(consumer.stop())


def test_one_act_that_fails_is_tried_alone_and_set_aside(shell: Shell) -> None:
    shell.put("jobadapter", *range(3))
    world = World(shell, bad={1})
    consumer = world.consumer()
    assert out(shell) == [[0], [2]]
    (kept,) = left(shell)
    assert (kept.due, kept.attempts, kept.reader, kept.buried) == (FIRST_RETRY_S, 1, "", False)
    assert "the CE says no" in kept.error
    assert (consumer.done, consumer.failed) == (2, 1)
    shell.advance(1200, steps=1200)
    (kept,) = left(shell)
    assert (kept.buried, kept.attempts) == (True, MAX_ATTEMPTS)
    result(consumer.stop())


def crash_between_act_and_record(shell: Shell, world: World) -> None:
    """The process acts, then dies before it can write that down."""
    world.slow = True
    world.consumer()
    for timer in shell.clock.getDelayedCalls():
        timer.cancel()
    world.slow, world.pending = False, []


def test_after_a_crash_the_same_instance_gets_its_messages_at_once(shell: Shell) -> None:
    shell.put("jobadapter", 0, 1)
    world = World(shell)
    crash_between_act_and_record(shell, world)
    assert len(left(shell)) == 2
    consumer = world.consumer()
    assert world.acts == [[0, 1], [0, 1]]
    assert left(shell) == []
    result(consumer.stop())


def test_after_a_crash_another_instance_gets_them_when_the_lease_ends(shell: Shell) -> None:
    shell.put("jobadapter", 0, 1)
    world = World(shell)
    crash_between_act_and_record(shell, world)
    consumer = EffectConsumer(shell.kit("elsewhere"), "jobadapter", world.act, lease_s=LEASE_S)
    result(consumer.start())
    shell.advance(LEASE_S - 1, steps=int(LEASE_S) - 1)
    assert world.acts == [[0, 1]]
    shell.advance(1)
    assert world.acts == [[0, 1], [0, 1]]
    result(consumer.stop())


def test_a_start_without_a_name_brings_no_delayed_message_forward(shell: Shell) -> None:
    shell.put("jobadapter", 0, delay_s=60)
    world = World(shell)
    consumer = EffectConsumer(shell.kit(instance=""), "jobadapter", world.act)
    result(consumer.start())
    assert world.acts == []
    result(consumer.stop())


def test_stopping_finishes_what_is_held(shell: Shell) -> None:
    shell.put("jobadapter", *range(4))
    world = World(shell, slow=True)
    consumer = world.consumer(batch=2)
    stopped = fired(consumer.stop())
    assert stopped == []
    world.pending[0].callback(None)
    assert stopped == [None]
    assert (world.acts, out(shell)) == ([[0, 1]], [[0, 1]])
    assert [row.reader for row in left(shell)] == ["", ""], "the rest is for the next start"


def test_when_the_suite_loses_patience_nothing_new_is_begun(shell: Shell) -> None:
    shell.put("jobadapter", 0, 1)
    world, kit = World(shell, slow=True), shell.kit()
    consumer = EffectConsumer(kit, "jobadapter", world.act, lease_s=LEASE_S)
    suite = Suite([Daemon("jobadapter", [consumer])], shell.clock, kit.log, patience_s=20)
    result(suite.start())
    stopped = fired(suite.stop())
    shell.advance(20)
    assert stopped == [None]
    assert world.acts == [[0, 1]], "no act after the one that was cancelled"
    assert [row.reader for row in left(shell)] == ["here", "here"]


def test_an_act_that_is_cancelled_from_within_counts_as_failed(shell: Shell) -> None:
    async def act(_messages: Sequence[Message]) -> Any:
        raise CancelledError

    shell.put("jobadapter", 0)
    consumer = EffectConsumer(shell.kit(), "jobadapter", act)
    result(consumer.start())
    assert left(shell)[0].attempts == 1
    result(consumer.stop())


def test_the_record_of_an_act_without_trace_is_nothing(shell: Shell) -> None:
    assert result(shell.database.read(nothing)) is None
