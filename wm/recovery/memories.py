"""What is remembered of failures by computing element and class of jobs: rows of wm_memories, and the same in memory.

The rules are in `wm.recovery.black_holes`. Success forgets, so there is a row only where something is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import sqlalchemy as sa

from wm.recovery import black_holes
from wm.recovery.black_holes import Memory, Rules, Standing
from wm.recovery.store import class_of, look_now
from wm.tables import memories
from wm.turn import Over
from wms.database import note_topic
from wms.outbox import Outbox
from wms.service import Kit, Ticker

MEMORIES = "wm.memories"
"""The topic that is noted when a CE is set aside or is back; no message is behind it."""
NONE = Memory()
RELOAD_S = 60.0


class Attempt(NamedTuple):
    """Who was sent where: `job` is the unique part, `cls` the class that its lane names."""

    ce: str
    cls: str
    job: str


class Memories:
    """Reading is for the reactor and needs no database; writing joins the caller's transaction.

    `witnesses` are told of each failed attempt and the time. What a transaction writes is seen at once. Should it not
    commit, `load` repairs that.
    """

    def __init__(self, rules: Rules = Rules()) -> None:
        self.rules = rules
        self.set_aside = 0
        self.witnesses: list[Callable[[Attempt, float], object]] = []
        self._by_class: Mapping[str, Mapping[str, Memory]] = {}

    def load(self, conn: sa.Connection) -> None:
        """All that is remembered, from the table: at the start, and now and then."""
        found: dict[str, dict[str, Memory]] = {}
        for ce, cls, *values in conn.execute(sa.select(memories)):
            found.setdefault(cls, {})[ce] = Memory(*values)
        self._by_class = found

    # -- for the broker ----------------------------------------------------------------------------------

    def blocked(self, cls: str, now: float) -> frozenset[str]:
        """CE ids to which no job of the class may go now."""
        return self._standing(cls, now, Standing.ASIDE)

    def trials(self, cls: str, now: float) -> frozenset[str]:
        """CE ids to which one job of the class may go now, to try them."""
        return self._standing(cls, now, Standing.TRIAL)

    def next_trial(self, cls: str, now: float) -> float | None:
        """When the first of the blocked CEs may be tried (epoch s)."""
        ends = [one.aside_until for one in self._by_class.get(cls, {}).values() if one.aside_until > now]
        return min(ends, default=None)

    def _standing(self, cls: str, now: float, standing: Standing) -> frozenset[str]:
        found = self._by_class.get(cls)
        return frozenset(ce for ce, one in found.items() if one.standing(now) is standing) if found else frozenset()

    def aside(self) -> frozenset[tuple[str, str]]:
        """(CE, class) of all that are set aside, or wait for their trial to end well."""
        return frozenset((ce, cls) for cls, found in self._by_class.items()
                         for ce, one in found.items() if one.aside_until)

    def holds_against(self, ce: str) -> bool:
        """Something, for some class."""
        return any(ce in found for found in self._by_class.values())

    def is_aside(self, attempt: Attempt, now: float) -> bool:
        """The CE rests, and this is not the job that tries it."""
        memory = self.get(attempt.ce, attempt.cls)
        return memory.standing(now) is Standing.ASIDE and memory.trial != attempt.job

    def get(self, ce: str, cls: str) -> Memory:
        return self._by_class.get(cls, {}).get(ce, NONE)

    def placed(self, conn: sa.Connection, attempts: Iterable[Attempt], now: float) -> None:
        """In the transaction that places jobs: those that are trials are noted."""
        for one in attempts:
            if self.get(one.ce, one.cls).aside_until:
                self._change(conn, one, partial(black_holes.placed, job=one.job, now=now, rules=self.rules))

    # -- for what follows an attempt ---------------------------------------------------------------------

    def failed(self, conn: sa.Connection, attempt: Attempt, lasted_s: float, now: float) -> Memory | None:
        """An attempt failed there and it was not the user's fault; the memory, if the CE is set aside by this.

        Then all such jobs that are there are looked at: those that have not begun need not fail as well.
        """
        for witness in self.witnesses:
            witness(attempt, now)
        old, new = self._change(conn, attempt, partial(black_holes.failed, job=attempt.job, lasted_s=lasted_s,
                                                       now=now, rules=self.rules))
        if new.aside_until <= old.aside_until:
            return None
        self.set_aside += 1
        look_now(conn, attempt.ce, attempt.cls, now)
        note_topic(conn, MEMORIES)
        return new

    def succeeded(self, conn: sa.Connection, attempts: Iterable[Attempt]) -> None:
        """Jobs of the class ran there to their end: nothing is held against it any more."""
        for ce, cls in {(one.ce, one.cls) for one in attempts}:
            if self.get(ce, cls) != NONE:
                conn.execute(memories.delete().where(memories.c.ce == ce, memories.c.cls == cls))
                self._set(ce, cls, NONE)
                note_topic(conn, MEMORIES)

    def follow(self, out: Outbox, overs: Sequence[Over]) -> None:
        """Follower of ends of jobs: a program that ran to its end speaks for the CE, whatever its exit code."""
        self.succeeded(out.conn, [Attempt(job.ce, class_of(out.conn, job.lane), job.id)
                                  for job, outcome, _ in overs if outcome == "Done" and self.holds_against(job.ce)])

    def forget(self, conn: sa.Connection, before: float) -> None:
        """Drop what is in use, or could have been tried, and was not touched since `before`."""
        conn.execute(memories.delete().where(memories.c.changed < before, memories.c.aside_until < before))
        self.load(conn)

    def _change(self, conn: sa.Connection, at: Attempt, rule: Callable[[Memory], Memory]) -> tuple[Memory, Memory]:
        """By the row, which may know more than we do; (as it was, as it is)."""
        here = (memories.c.ce == at.ce, memories.c.cls == at.cls)
        columns = (memories.c.failures, memories.c.changed, memories.c.aside_until, memories.c.trials, memories.c.trial)
        row = conn.execute(sa.select(*columns).where(*here).with_for_update()).first()
        old = NONE if row is None else Memory(*row)
        new = rule(old)
        if row is None and new != NONE:
            conn.execute(memories.insert(), {"ce": at.ce, "cls": at.cls, **new._asdict()})
        elif new != old:
            conn.execute(memories.update().where(*here).values(**new._asdict()))
        self._set(at.ce, at.cls, new)
        return old, new

    def _set(self, ce: str, cls: str, memory: Memory) -> None:
        """Replaced, never changed: the reactor may be reading."""
        here = {**self._by_class.get(cls, {}), ce: memory}
        if memory == NONE:
            del here[ce]
        others = {other: found for other, found in self._by_class.items() if other != cls}
        self._by_class = {**others, cls: here} if here else others


class Remembering(Ticker):
    """Begins when all is loaded; loads again now and then, what others wrote and what was never committed."""

    def __init__(self, kit: Kit, memories: Memories) -> None:
        async def load() -> None:
            await kit.database.read(memories.load)

        super().__init__(kit, "memories", RELOAD_S, load)
        self._load = load

    async def start(self) -> None:
        await self._load()
        await super().start()
