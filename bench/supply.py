"""The information supermarket: a snapshot after one CE's news, after the same words again, beside making it anew."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from random import Random

from bench.matching import NOW, attributes
from bench.rows import Row, row
from wm.supply.purchasers import Entry, Purchase
from wm.supply.supermarket import Kind, Snapshot, Source, Supermarket, changed

SIZES = (100, 1_000, 10_000)
ROUNDS = 9
DIRECTORY = Source("bdii", Kind.DIRECTORY, 1e9)


def _everything(size: int) -> Purchase:
    rng = Random(1)
    records = [attributes(number, rng) for number in range(size)]
    return Purchase(tuple(Entry(record["GlueCEUniqueID"], record) for record in records))


def _word(id: str, free: int) -> tuple[Source, Purchase]:
    """What one CE says of itself."""
    said = {"GlueCEUniqueID": id, "GlueCEStateStatus": "Production", "GlueCEStateFreeJobSlots": free}
    return Source(f"ce {id}", Kind.BACKEND, 1e9), Purchase((Entry(id, said, f"backend of {id}", "long"),))


def _median_ms(times: list[float]) -> float:
    return 1000 * sorted(times)[len(times) // 2]


def _timed(market: Supermarket, snapshot: Snapshot, change: Callable[[Supermarket, int], Supermarket]) -> float:
    """Median ms of a snapshot and its list of changes, over changes."""
    times = []
    for number in range(ROUNDS):
        market = change(market, number)
        began = time.perf_counter()
        fresh = market.snapshot(NOW, snapshot)
        changed(snapshot, fresh)
        times.append(time.perf_counter() - began)
        snapshot = fresh
    return _median_ms(times)


def _rows(size: int) -> list[Row]:
    all_of_it = _everything(size)
    ids = [entry.id for entry in all_of_it.ces]
    market = Supermarket().updated(DIRECTORY, all_of_it, NOW)
    for id in ids[::10]:
        market = market.updated(*_word(id, 0), NOW)
    began = time.perf_counter()
    snapshot = market.snapshot(NOW)
    anew = 1000 * (time.perf_counter() - began)
    one = _timed(market, snapshot, lambda before, number: before.updated(*_word(ids[0], number + 1), NOW))
    again = _timed(market, snapshot, lambda before, number: before.updated(DIRECTORY, _everything(size), NOW + number))
    return [row("supply: snapshot after one CE's news", size, one, "ms", anew),
            row("supply: snapshot after the same words of all", size, again, "ms", anew)]


def run(sizes: tuple[int, ...] = SIZES) -> list[Row]:
    """Medians; the baseline is the first snapshot, made of everything."""
    gc.collect()
    gc.freeze()
    try:
        return [one for size in sizes for one in _rows(size)]
    finally:
        gc.unfreeze()
