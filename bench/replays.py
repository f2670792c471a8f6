"""Keeping decisions: bytes and processor time of a record beside the cycle that it is of, of a snapshot in full and
by what changed beside all of it."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from random import Random
from typing import TypeVar

from bench.matching import NOW, attributes, snapshot, wanted
from bench.rows import Row, row
from wm.matching.board import Board
from wm.matching.inputs import Decision, Inputs, Rules, decide
from wm.matching.request import SITE, Request
from wm.ordering.order import Lane
from wm.replay.records import Scribe, read_record, replayed, told
from wm.replay.shelves import restored, shelved
from wm.supply.purchasers import Entry, Purchase
from wm.supply.supermarket import Kind, Snapshot, Source, Supermarket
from wms.jdl.described import described

CES, CHANGED = 10_000, 300
LANES = (1, 100, 1_000)
SCRIBE = Scribe(SITE, Rules())
T = TypeVar("T")


def spent(work: Callable[[], T]) -> tuple[float, T]:
    """Processor time in ms, and the result."""
    begin = time.process_time()
    found = work()
    return 1e3 * (time.process_time() - begin), found


def decisions(market: Snapshot, again: Snapshot) -> Iterator[Row]:
    """Of so many lanes, each a class of its own; every one is made again."""
    for number in LANES:
        took, made = spent(partial(decision, number, market))
        packing, (record, outcome) = spent(partial(SCRIBE.packed, made))
        squeezing, content = spent(partial(zlib.compress, record, 1))
        yield row("decision kept, beside deciding", number, packing + squeezing, "ms", took)
        yield row("decision kept, size", number, (len(content) + len(outcome)) / 1e3, "kB", 0.0)
        assert told(replayed(read_record(record), again)) == outcome


def decision(number: int, market: Snapshot) -> Decision:
    texts = [f'Executable = "/bin/true"; {wanted(one)}' for one in range(number)]
    requests = {f"{one:032x}": Request(f"https://lb:9000/{one}", described(text), "/CN=x", (), "example", jdl=text)
                for one, text in enumerate(texts)}
    lanes = tuple(Lane(id, id, "example", "/CN=x", waiting=5) for id in requests)
    inputs, board = Inputs(lanes, NOW, 7, most=500), Board(SITE)
    board.show(market)
    return Decision(inputs, requests, market,
                    decide(inputs, Rules(), board, lambda lane: board.fit(lane.cls, requests[lane.id])))


def run() -> list[Row]:
    rng = Random(1)
    records = [attributes(number, rng) for number in range(CES)]
    market = snapshot(records)
    full, first = spent(lambda: shelved(market, None))
    entries = tuple(Entry(one["GlueCEUniqueID"], one, "ce", "long") for one in [
        *(attributes(number, rng) for number in range(CHANGED)), *records[CHANGED:]])
    supply = Supermarket(market.stocks).updated(Source("bench", Kind.STATIC), Purchase(entries), NOW)
    later = supply.snapshot(NOW, market)
    changing, second = spent(lambda: shelved(later, first.shelf))
    small, large = (len(zlib.compress(one.content, 1)) / 1e3 for one in (second, first))
    return [row("snapshot kept in full, packed", CES, full, "ms", 0.0),
            row("snapshot kept by its changes, packed", CHANGED, changing, "ms", full),
            row("snapshot kept by its changes, size", CHANGED, small, "kB", large),
            *decisions(later, restored([first.content, second.content], ()))]
