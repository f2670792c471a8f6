"""One final state: the histories of jobs, told and recorded, arrive in other orders, twice, late and in pieces.

Recorded are whole runs of the daemons (`histories/*.ulm`, lines in order of arrival). The store's way is followed:
it steps while events come in order and folds anew when they do not.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import reduce
from pathlib import Path

import pytest
from lb_jobs import STORIES

from lb.state.machine import Record, fold, in_order, step
from lb.state.order import order
from wms.event import Event, duplicate_key
from wms.ulm import from_ulm

HISTORIES = Path(__file__).parent / "histories"
ORDERS, MANY_ORDERS = 100_000, 1_000_000


def recorded() -> Iterator[tuple[str, list[Event]]]:
    """The recorded jobs, by name."""
    for file in sorted(HISTORIES.glob("*.ulm")):
        jobs: defaultdict[str, list[Event]] = defaultdict(list)
        for line in file.read_text().splitlines():
            event = from_ulm(line)
            jobs[event.job].append(event)
        for number, events in enumerate(jobs.values()):
            yield f"{file.stem}-{number}", events


TOLD = [(f"{story.__name__}-{early}", story(early).events) for story in STORIES for early in range(3)]
ALL = dict([*TOLD, *recorded()])


def delivered(rng: random.Random, events: Sequence[Event]) -> Iterator[list[Event]]:
    """The events in batches: usually near their order, some repeated, some held back to the end, or in no order."""
    arriving = [*events, *rng.choices(events, k=rng.randrange(4))]
    if rng.random() < 0.5:
        rng.shuffle(arriving)
    else:
        late = {id(event): index + rng.expovariate(0.3) for index, event in enumerate(arriving)}
        arriving.sort(key=lambda event: late[id(event)])
    cuts = sorted(rng.sample(range(1, len(arriving)), k=min(rng.randrange(4), len(arriving) - 1)))
    for begin, end in zip([0, *cuts], [*cuts, len(arriving)], strict=True):
        yield arriving[begin:end]


def stored(batches: Iterator[list[Event]]) -> Record:
    """What the store has after all batches."""
    record = Record()
    known: dict[object, Event] = {}
    for batch in batches:
        fresh = {key: event for event in sorted(batch, key=order) if (key := duplicate_key(event)) not in known}
        if not fresh:
            continue
        first = next(iter(fresh.values()))
        steady = (record.jobtype or not known) and in_order(record, first)
        known |= fresh
        if steady and record.jobtype:
            record = reduce(lambda after, event: step(after, event)[0], fresh.values(), record)
        else:
            record = fold(known.values())
    return record


def try_orders(events: Sequence[Event], number: int, seed: int) -> None:
    rng = random.Random(seed)
    expected = fold(events)
    for _ in range(number):
        state = rng.getstate()
        if stored(delivered(rng, events)) != expected:
            rng.setstate(state)
            raise AssertionError([[(e.type, e.source, e.seqcode) for e in batch] for batch in delivered(rng, events)])


@pytest.mark.parametrize("name", ALL)
def test_every_order_of_arrival_gives_one_record(name: str) -> None:
    try_orders(ALL[name], -(-ORDERS // len(ALL)), seed=1)


@pytest.mark.soak
@pytest.mark.parametrize("name", ALL)
def test_every_order_of_arrival_gives_one_record_in_the_long_run(name: str) -> None:
    try_orders(ALL[name], -(-MANY_ORDERS // len(ALL)), seed=2)


def test_the_recorded_jobs_end_as_they_did() -> None:
    """What the recorded runs were: each way a job can end is among them."""
    ends = {(record.state.value, record.done_code.name, record.resubmitted or bool(record.resubmit_type))
            for _name, events in recorded() if (record := fold(events))}
    assert {state for state, _done, _again in ends} >= {"Aborted", "Cancelled", "Cleared", "Done", "Scheduled"}
    assert any(again for _state, _done, again in ends)
