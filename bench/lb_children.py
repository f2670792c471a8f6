"""A registration with many children: time to its acknowledgement, children a second behind it, and the memory it takes.

The daemon itself, with everybody who follows changes; the registration goes through the intake. The baseline are bare
inserts of the children's rows in the tables of events.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from functools import partial
from multiprocessing import get_context
from random import Random
from typing import Any

from twisted.internet.task import deferLater

from bench.lb_events import kit_of, on_reactor, peak_mb
from bench.lb_places import Place, bare, children, fresh, servers
from bench.lb_story import HOST, OWNER
from bench.rows import Row, row
from lb.access.denials import Gate
from lb.keeper import keep
from lb.notices.notification_service import notification_service
from lb.service import followers, make
from wms import queue
from wms.database import Database
from wms.event import Source, event
from wms.jobid import JobId
from wms.messages.topics import LB_CHILDREN
from wms.seqcode import START

PORTION = 500
LOOK_S = 0.05


async def _expanded(reactor: Any, url: str, n: int, told: list[float]) -> float:
    """Seconds until the last child is on disk; those until the registration is are put in `told`."""
    database = Database(url, reactor)
    kit = kit_of(reactor, database)
    daemon = make(kit)
    await daemon.start()
    following = (*followers(kit), notification_service(kit, Gate(kit)).notifier.follow)
    job = JobId.make(HOST, 9000, Random(n).randbytes(16))
    registration = event("RegJob", job, Source.NETWORK_SERVER, START.advanced(Source.NETWORK_SERVER),
                         reactor.seconds(), HOST, OWNER, ns=f"https://{HOST}:9000", jobtype="COLLECTION",
                         nsubjobs=n, seed="bench")
    began = time.perf_counter()
    await database.transact(keep, [registration], reactor.seconds(), following)
    told.append(time.perf_counter() - began)
    while await database.read(queue.next_due, LB_CHILDREN) is not None:
        await deferLater(reactor, LOOK_S)
    seconds = time.perf_counter() - began
    await daemon.stop()
    database.close()
    return seconds


def _measured(url: str, n: int) -> Sequence[float]:
    """Seconds until all are there, seconds until acknowledged, peak memory (MB)."""
    told: list[float] = []
    return on_reactor(partial(_expanded, url=url, n=n, told=told)), *told, peak_mb()


def _rows(place: Place, n: int) -> Iterator[Row]:
    with get_context("spawn").Pool(1) as pool:
        seconds, acknowledged, memory = pool.apply(_measured, (place.url, n))
    if children(place) != n:
        raise AssertionError(f"{children(place)} children instead of {n}")
    plain, _size = bare(place, PORTION)
    yield row(f"LB children, {place.kind}", n, n / seconds, "children/s", n / plain)
    yield row(f"LB children, {place.kind}: acknowledged", n, 1000 * acknowledged, "ms", 0.0)
    yield row(f"LB children, {place.kind}: memory", n, memory, "MB", 0.0)


def run(n: int = 100_000) -> list[Row]:
    """For n/100, n/10 and n children: neither the rate nor the memory should depend on how many there are."""
    found: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="lb-bench-") as folder, servers(folder) as places:
        for size in (n // 100, n // 10, n):
            for kind, server in places.items():
                found += _rows(fresh(kind, server), size)
    return found
