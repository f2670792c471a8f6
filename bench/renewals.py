"""100,000 live delegations: the real loop and store on SQLite, a life of each, renewers that answer at once.

The clock jumps over idle time and otherwise runs with the processor time of this process: what one core cannot do in
time is late. Files lie in memory where there is such a place, because processor time is measured and not a disk.
"""

from __future__ import annotations

import os
import random
import tempfile
import time
from pathlib import Path

import sqlalchemy as sa
from twisted.internet.task import Clock
from twisted.logger import Logger

from bench.rows import Row, row
from bench.waiting import finish
from proxyrenewal import store
from proxyrenewal.kinds import Fresh
from proxyrenewal.renewals import Renewals, policy_of
from proxyrenewal.schedule import Life, first_attempt
from proxyrenewal.store import Registration
from wms import queue
from wms.config import parse
from wms.database import Database, metadata
from wms.identity import CERTIFICATE
from wms.service import Kit

SIZES = (1_000, 10_000, 100_000)
NOW, LIFE_S, SPAN_S = 1_700_000_000.0, 36_000.0, 33_000.0
SERVERS, JOBS = 20, 2
MEMORY = Path("/dev/shm")
PROXY = os.urandom(6_000)


class Running(Clock):
    """Runs with the processor time of this process; `jump` goes to the next timer when nothing is to be done."""

    def __init__(self) -> None:
        super().__init__()
        self._began = time.process_time()

    def seconds(self) -> float:
        return NOW + self.rightNow + time.process_time() - self._began

    def jump(self) -> None:
        self.advance(max(0.0, min(call.getTime() for call in self.calls) - self.seconds()))


class Prepared:
    """Gives every credential a new file, whose life begins now; notes how late it was asked, in seconds."""

    def __init__(self, clock: Running) -> None:
        self._clock = clock
        self.late: list[float] = []

    async def renew(self, entry: Registration, old: bytes, now: float) -> Fresh:
        self.late.append(now - entry.next_try)
        return Fresh(b"%020d" % len(self.late) + PROXY, self._clock.seconds() + LIFE_S)


def fill(kit: Kit, number: int) -> None:
    """Delegations of one morning: all within an hour, each with its file and some jobs."""
    policy, rng = policy_of(kit), random.Random(1)
    entries = []
    for one in range(number):
        begins = kit.now() - rng.uniform(0, 3600)
        life = Life(CERTIFICATE, begins, begins + LIFE_S)
        path = kit.credentials.path(f"{one:040x}")
        path.write_bytes(PROXY)
        path.chmod(0o600)
        entries.append({"credential": f"{one:040x}", "path": str(path), "owner": f"/DC=org/CN=user {one}",
                        "myproxy": f"px{one % SERVERS}.example.org", "not_after": life.ends, "begins": begins,
                        "next_try": first_attempt(life, kit.now(), rng, policy)})
    jobs = [{"credential": entry["credential"], "job": f"https://lb.example.org:9000/{one}-{job}"}
            for one, entry in enumerate(entries) for job in range(JOBS)]
    with kit.database.engine.begin() as conn:
        conn.execute(store.registrations.insert(), entries)
        conn.execute(store.registered_jobs.insert(), jobs)


def clear(kit: Kit) -> None:
    """As if those who are told had read it."""
    with kit.database.engine.begin() as conn:
        conn.execute(sa.delete(queue.messages))


def renewed(number: int) -> list[Row]:
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as directory:
        (Path(directory) / "credentials").mkdir()
        database = Database(f"sqlite:///{directory}/wms.db", None, inline=True)
        metadata.create_all(database.engine, [queue.messages, store.registrations, store.registered_jobs])
        clock = Running()
        kit = Kit(parse(f"{{state_dir: {directory}}}"), database, clock, random.Random(2), {}, Logger(),
                  "wms.example.org", ("lb.example.org", 9000), b"s" * 32, linger_s=0.05)
        fill(kit, number)
        renewer = Prepared(clock)
        renewals = Renewals(kit, {CERTIFICATE: renewer})
        began, end = time.process_time(), clock.seconds() + SPAN_S
        finish(renewals.start())
        while clock.seconds() < end:
            clock.jump()
        spent = time.process_time() - began
        clear(kit)
        done, late = renewals.done, sorted(renewer.late)
        assert done >= number, (done, number)
        assert renewals.failed == 0
        database.close()
    return [row("renewals on one core", number, done / spent, "renewals/s", number / LIFE_S),
            row("renewals: p99 lateness / lifetime", number, 100 * late[int(len(late) * 0.99)] / LIFE_S, "%", 1.0),
            row("renewals: load of one core", number, 100 * spent / SPAN_S, "%", 100.0)]


def run(sizes: tuple[int, ...] = SIZES) -> list[Row]:
    return [one for size in sizes for one in renewed(size)]
