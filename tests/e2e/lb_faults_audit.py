"""The audit after the storm: what the database holds against what the clients sent, event by event, sum by sum.

Reads the database directly; that the service tells the same is looked at by samples.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa
from deployment import Deployment, until
from lb_faults_listener import Listener
from lb_load import Job, Key, Ledger

from lb.figures import statistics
from lb.figures.statistics import ALL, RINGS, rate
from lb.rows import from_row
from lb.state import parents
from lb.state.embryos import births, expansions
from lb.state.machine import MACHINE_VERSION, Record, fold, step
from lb.state.record import public
from lb.tables import events, histograms, jobs, refused, samples, zombies
from wms import config, queue
from wms.database import make_engine
from wms.event import Event, Source, duplicate_key
from wms.jobstatus import COMPOSITE

NOTICES_S = 30.0
SAMPLE = 12
"""So many jobs are also asked for."""
_decode = msgspec.msgpack.Decoder(Record).decode
_encode = msgspec.msgpack.Encoder().encode


class Stored(NamedTuple):
    """A row of a job and its events by number."""

    row: Any
    events: list[Event]

    @property
    def record(self) -> Record:
        return _decode(self.row.record)


@contextmanager
def looking(deployment: Deployment) -> Iterator[sa.Connection]:
    """Reads of the database of a service."""
    engine = make_engine(config.load(str(deployment.site.config), {}).database_url())
    try:
        with engine.connect().execution_options(read_only=True) as conn:
            yield conn
    finally:
        engine.dispose()


def everything(conn: sa.Connection) -> dict[str, Stored]:
    """All jobs by the unique part of their identifiers."""
    rows = {row.id: row for row in conn.execute(sa.select(jobs))}
    told: dict[int, list[Event]] = defaultdict(list)
    for row in conn.execute(sa.select(events).order_by(events.c.job, events.c.number)).mappings():
        job = rows[row["job"]]
        assert row["number"] == len(told[row["job"]]), f"{job.job}: a gap among the numbers of events"
        told[row["job"]].append(from_row(dict(row), f"https://{job.server}/{job.job}"))
    return {row.job: Stored(row, told[id]) for id, row in rows.items()}


def children_left(deployment: Deployment) -> int:
    with looking(deployment) as conn:
        return int(conn.execute(sa.select(sa.func.count()).select_from(queue.messages)).scalar_one())


def audit(deployment: Deployment, ledger: Ledger, listener: Listener | None = None) -> None:
    """Everything, once the server has nothing more to do."""
    until(lambda: not children_left(deployment), "all children to be made")
    with looking(deployment) as conn:
        found = everything(conn)
        counted = {row.parent: row for row in conn.execute(sa.select(histograms))}
        sums = dict(_sums(conn))
        assert conn.execute(sa.select(refused)).all() == []
        dead = set(conn.execute(sa.select(zombies.c.job)).scalars())
    assert dead.isdisjoint(found)
    each_event_once(found, ledger, dead)
    each_record_is_the_fold(found)
    families_are_counted(found, counted, ledger)
    statistics_are_counted_once(sums, ledger)
    if listener is not None:
        notices_came(listener, found, ledger, dead)
    service_says_the_same(deployment, found)


def each_event_once(found: dict[str, Stored], ledger: Ledger, dead: set[str]) -> None:
    stored = Counter(duplicate_key(one) for job in found.values() for one in job.events)
    assert not [key for key, number in stored.items() if number > 1]
    ours: set[Key] = {key for key in stored if key[2] != Source.LB_SERVER}
    lost = {key for key in ledger.acknowledged - ours if key[0].rpartition("/")[2] not in dead}
    assert not lost, f"{len(lost)} acknowledged events are lost, such as {next(iter(lost))}"
    assert ours <= set(ledger.sent)
    assert ledger.stored <= len(ledger.sent)


def each_record_is_the_fold(found: dict[str, Stored]) -> None:
    for unique, job in found.items():
        assert job.row.version == len(job.events)
        again = fold(job.events)
        assert bytes(job.row.record) == _encode(again), f"{unique}: {differences(job.record, again)}"
        assert (job.row.state, job.row.type, job.row.destination) == (
            again.state.code, again.jobtype.value, again.destination)


def differences(stored: Record, again: Record) -> dict[str, tuple[object, object]]:
    """Fields that are not the same."""
    return {name: (left, right) for name in Record.__struct_fields__
            if (left := getattr(stored, name)) != (right := getattr(again, name))}


def families_are_counted(found: dict[str, Stored], counted: dict[str, Any], ledger: Ledger) -> None:
    young: dict[str, Counter[str]] = defaultdict(Counter)
    for job in found.values():
        if job.row.parent:
            young[job.row.parent][parents.slot(job.record.state, job.record.done_code)] += 1
    for unique, job in found.items():
        if job.record.jobtype in COMPOSITE:
            number = ledger.jobs[unique].children
            assert young[unique].total() == number == job.record.children_num
            slots = {name: young[unique][name] for name in parents.CLASSES}
            row = counted.get(unique)
            assert slots == {name: getattr(row, name.lower(), 0) for name in parents.CLASSES}
            assert job.record.state is parents.collection_state(slots, number)


def statistics_are_counted_once(sums: dict[tuple[str, str], int], ledger: Ledger) -> None:
    """What is counted is what one look at each job after the other in order gives; entries of collections into other
    states than Submitted depend on who came when, and have no destination.
    """
    expected = expected_sums(list(ledger.jobs.values()))
    births = rate("Submitted")[0]

    def exact(given: Mapping[tuple[str, str], int]) -> dict[tuple[str, str], int]:
        return {key: number for key, number in given.items() if number and (key[1] or key[0] == births)}

    assert exact(sums) == exact(expected)


def expected_sums(told: Sequence[Job]) -> Counter[tuple[str, str]]:
    """How often what happens to these jobs, event by event in order; children are born with their parents."""
    born: dict[str, list[Event]] = defaultdict(list)
    for job in told:
        for expand in expansions(job.events, job.events):
            for one in births(expand, job.children)[0]:
                born[one.job].append(one)
    sums: Counter[tuple[str, str]] = Counter()
    for job in told:
        record: Record | None = None
        for one in (*born[job.url], *job.events):
            after = step(record or Record(version=MACHINE_VERSION), one)[0]
            for sample in statistics.samples(record, after, [one]):
                sums[sample.kind, sample.destination] += sample.sign
            record = after
    return sums


def _sums(conn: sa.Connection) -> Iterator[tuple[tuple[str, str], int]]:
    chosen = (sa.select(samples.c.kind, samples.c.destination, sa.func.sum(samples.c.number))
              .where(samples.c.ring == RINGS[0].seconds, samples.c.destination != ALL)
              .group_by(samples.c.kind, samples.c.destination))
    for kind, destination, number in conn.execute(chosen):
        yield (kind, destination), int(number)


def notices_came(listener: Listener, found: dict[str, Stored], ledger: Ledger, dead: set[str]) -> None:
    """One notice for each event that was stored; of ordered jobs the very states in their order."""
    listener.wait_for(sum(len(job.events) for job in found.values()), NOTICES_S)
    assert not listener.problems
    came = Counter(body["jobid"].rpartition("/")[2] for body in listener.notices.values())
    assert {unique: len(job.events) for unique, job in found.items()} == {
        unique: number for unique, number in came.items() if unique not in dead}
    by_job: dict[str, list[str]] = defaultdict(list)
    for _id, body in sorted(listener.notices.items()):
        by_job[body["jobid"].rpartition("/")[2]].append(body["stateName"])
    for unique, job in found.items():
        assert by_job[unique][-1] == job.record.state.value
        if unique in ledger.jobs and ledger.jobs[unique].ordered and not ledger.jobs[unique].children:
            told = ledger.jobs[unique].events
            assert by_job[unique] == [fold(told[:number]).state.value for number in range(1, len(told) + 1)]


def service_says_the_same(deployment: Deployment, found: dict[str, Stored]) -> None:
    """Some jobs, asked for over HTTPS."""
    with deployment.client() as client:
        for _unique, job in sorted(found.items())[::max(1, len(found) // SAMPLE)]:
            url = f"https://{job.row.server}/{job.row.job}"
            assert client.one_status(url)["state"] == public(job.record).state.value
            assert len(client.events(url)) == len(job.events)
