"""Reads one topic of the queue, in batches: `Consumer` (effects in the database only, one transaction a batch)
and `EffectConsumer` (acts outside first, under a lease, then records). Retries with backoff, buries in the end.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Container, Sequence
from typing import Any

import sqlalchemy as sa
from twisted.internet.defer import CancelledError
from twisted.python.failure import Failure

from wms import queue
from wms.burial import notice
from wms.messages.topics import WM
from wms.queue import Message
from wms.service import Kit, Loop, linger

Record = Callable[[sa.Connection], object]
Handle = Callable[[sa.Connection, Sequence[Message], float], object]
Act = Callable[[Sequence[Message]], Awaitable[Record]]

MAX_ATTEMPTS = 12
MAX_ERROR = 8000
FIRST_RETRY_S = 1.0
LAST_RETRY_S = 300.0
LEAST_PAUSE_S = 0.01
"""What is due but held by another process is not looked for in a hot loop."""


AT_ONCE = float("-inf")
"""Due since ever: there may be more."""


def retry_delay_s(attempts: int) -> float:
    """Seconds before attempt number `attempts` + 1: 1, 2, 4 ... at most 300."""
    return min(LAST_RETRY_S, FIRST_RETRY_S * 2.0 ** max(0, attempts - 1))


class _Reader(Loop):
    """What both consumers share: rounds until empty, then a nap until woken or due."""

    def __init__(self, kit: Kit, topic: str, *, batch: int) -> None:
        super().__init__(kit, topic)
        self._topic = topic
        self._batch = batch
        kit.database.on_messages(self._woken)

    def _woken(self, topics: Container[str]) -> None:
        if self._topic in topics:
            self._nap.wake()

    async def _run(self) -> None:
        while not self._nap.ended:
            try:
                due = await self._round()
                self.last = self._kit.now()
                pause = self._pause(due)
            except Exception:  # noqa: BLE001 - the database may be away; the loop must outlive it
                self.failed += 1
                self._kit.log.failure("{topic}: a round failed", topic=self._topic)
                pause = FIRST_RETRY_S
            if pause:
                await self._nap.sleep(pause)
                await linger(self._kit, self.last, self._nap)

    def _pause(self, due: float | None) -> float:
        """Seconds until the next round: none when there may be more at once."""
        if due == AT_ONCE:
            return 0.0
        wait = self._kit.poll_s if due is None else due - self._kit.now()
        return min(self._kit.poll_s, max(LEAST_PAUSE_S, wait))

    async def _round(self) -> float | None:
        """Handle one batch and count what is done; when the next message is due (None: there is none)."""
        raise AssertionError("a reader is one of its subclasses")

    async def _set_aside(self, message: Message, failure: Failure) -> None:
        """One message failed: later again, or buried after the last attempt."""
        self.failed += 1
        attempts, error = message.attempts + 1, failure.getTraceback()[-MAX_ERROR:]
        log, final = self._kit.log, attempts >= MAX_ATTEMPTS
        log.failure("{topic}: message {id} of {job} failed (attempt {attempts}){last}", failure, topic=self._topic,
                    id=message.id, job=message.job, attempts=attempts, last=", set aside" if final else "")
        if final:
            await self._kit.database.transact(_bury, message, error, attempts, self._kit.now())
        else:
            due = self._kit.now() + retry_delay_s(attempts)
            await self._kit.database.transact(queue.again, message.id, due=due, error=error, attempts=attempts)


class Consumer(_Reader):
    """`handle(conn, messages, now)` and the end of the messages are one transaction. After a failure each
    message is tried alone, so that one bad item stops nobody else. `after` is called on the reactor once a batch is
    on disk."""

    def __init__(self, kit: Kit, topic: str, handle: Handle, *, batch: int = 200,
                 after: Callable[[], object] | None = None) -> None:
        super().__init__(kit, topic, batch=batch)
        self._handle = handle
        self._after = after
        self._singly = 0

    async def _round(self) -> float | None:
        limit = 1 if self._singly else self._batch
        seen: list[Message] = []
        try:
            due = await self._kit.database.transact(self._unit, limit, seen)
        except Exception:
            if not seen or self._nap.ended:
                raise
            if len(seen) == 1:
                await self._set_aside(seen[0], Failure())
            else:
                self._singly = len(seen)
            return AT_ONCE
        self.done += len(seen)
        self._singly = max(0, self._singly - 1)
        if seen and self._after is not None:
            self._after()
        return due

    def _unit(self, conn: sa.Connection, limit: int, seen: list[Message]) -> float | None:
        now = self._kit.now()
        seen[:] = queue.peek_due(conn, self._topic, limit, now=now)
        if seen:
            self._handle(conn, seen, now)
            queue.done(conn, [message.id for message in seen])
        return AT_ONCE if len(seen) == limit else queue.next_due(conn, self._topic)


class EffectConsumer(_Reader):
    """`await act(messages)` works outside and returns what to record; the record and the end of the messages
    are one transaction. A crash in between brings the messages back when the lease ends: `act` must be
    idempotent (by token)."""

    def __init__(self, kit: Kit, topic: str, act: Act, *, batch: int = 100, lease_s: float = 120.0) -> None:
        super().__init__(kit, topic, batch=batch)
        self._act = act
        self._lease_s = lease_s

    async def start(self) -> None:
        await self._kit.database.transact(queue.release, self._topic, self._kit.instance, now=self._kit.now())
        await super().start()

    async def _round(self) -> float | None:
        found: list[Message] = await self._kit.database.transact(
            queue.claim, self._topic, self._batch, now=self._kit.now(), lease_s=self._lease_s,
            reader=self._kit.instance)
        found = [message for message in found if not await self._is_poison(message)]
        if failure := await self._attempt(found):
            for message in found:
                alone = failure if len(found) == 1 else await self._attempt([message])
                if alone is not None:
                    await self._set_aside(message, alone)
        if len(found) == self._batch:
            return AT_ONCE
        due: float | None = await self._kit.database.read(queue.next_due, self._topic)
        return due

    async def _is_poison(self, message: Message) -> bool:
        """Claimed again and again without an end: it may be what kills us. Buried before it is touched."""
        if message.attempts < MAX_ATTEMPTS:
            return False
        await self._set_aside(message, Failure(RuntimeError("claimed too often without an outcome")))
        return True

    async def _attempt(self, batch: Sequence[Message]) -> Failure | None:
        """Act and record; what went wrong, if anything."""
        if not batch:
            return None
        try:
            record = await self._act(batch)
            await self._kit.database.transact(_record, record, [message.id for message in batch])
        except Exception as error:
            if isinstance(error, CancelledError) and self._nap.ended:
                raise  # the suite's patience is over: nothing new is begun, the lease brings the messages back
            if len(batch) > 1:
                self._kit.log.failure("{topic}: a batch of {n} failed", topic=self._topic, n=len(batch))
            return Failure()
        self.done += len(batch)
        return None


def _bury(conn: sa.Connection, message: Message, error: str, attempts: int, now: float) -> None:
    """A job must not wait for ever for what this message would have done."""
    queue.bury(conn, message.id, error=error, attempts=attempts)
    if (told := notice(message.topic, message.job, message.body, error)) is not None:
        queue.put(conn, WM, told, now=now, job=message.job)


def _record(conn: sa.Connection, record: Record, ids: Sequence[int]) -> None:
    record(conn)
    queue.done(conn, ids)


def nothing(_conn: sa.Connection) -> Any:
    """The record of an act that leaves no trace."""
    return None
