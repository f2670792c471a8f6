"""A decision as bytes, and the same decision made again from them: inputs, rules, requests, outcome. Pure.

The resources it was made with are kept apart (shelves), as many decisions share them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeVar

import msgspec

from wm.matching.board import Board
from wm.matching.cycle import Cause, Outcome, Placement
from wm.matching.inputs import Decision, Inputs, Rules, decide
from wm.matching.replicas import NOTHING, Replicas
from wm.matching.request import Request, Site, site
from wm.replay.shelves import silent
from wm.supply.supermarket import Snapshot
from wms.jdl.described import described
from wms.jdl.unparse import unparse
from wms.version import VERSION

_What = TypeVar("_What", Cause, int)


class Asked(msgspec.Struct, frozen=True, array_like=True):
    """The request that stands for a lane; `jdl` as it was submitted."""

    id: str
    jdl: str
    owner: str
    fqans: tuple[str, ...]
    vo: str
    previous: tuple[str, ...]
    attempt: int
    submitted: float
    replicas: Replicas = NOTHING

    def request(self) -> Request:
        return Request(self.id, described(self.jdl), self.owner, self.fqans, self.vo, self.previous, self.attempt,
                       self.submitted, replicas=self.replicas, jdl=self.jdl)


class Record(msgspec.Struct, frozen=True, array_like=True):
    """All that a cycle went by beside its snapshot: `lanes` numbers the request in `asked` of each lane.

    `requirements` are those of the site, `silent` the CEs whose word had expired, `version` made it.
    """

    version: str
    host: str
    requirements: tuple[tuple[str, str], ...]
    rules: Rules
    inputs: Inputs
    asked: tuple[Asked, ...]
    lanes: tuple[int, ...]
    silent: tuple[str, ...] = ()

    def site(self) -> Site:
        return site(dict(self.requirements), self.host)

    def requests(self) -> dict[str, Request]:
        """By lane."""
        known = [one.request() for one in self.asked]
        return {lane.id: known[number] for lane, number in zip(self.inputs.lanes, self.lanes, strict=True)}


class Scribe:
    """Packs the decisions made under the rules and requirements of one site."""

    def __init__(self, site: Site, rules: Rules) -> None:
        self._host = site.host
        self._requirements = tuple((name, unparse(node)) for name, node in site.requirements)
        self._rules = rules

    def packed(self, decision: Decision) -> tuple[bytes, bytes]:
        """(the record, the outcome). Lanes of one class share a request."""
        inputs, numbers, lanes, asked = decision.inputs, dict[tuple[str, Replicas], int](), list[int](), list[Asked]()
        for lane in inputs.lanes:
            one = decision.requests[lane.id]
            number = numbers.setdefault((lane.cls, one.replicas), len(asked))
            if number == len(asked):
                asked.append(_asked(one))
            lanes.append(number)
        record = Record(VERSION, self._host, self._requirements, self._rules, inputs, tuple(asked), tuple(lanes),
                        silent(decision.snapshot, inputs.now))
        return msgspec.msgpack.encode(record), told(decision.outcome)


def _asked(one: Request) -> Asked:
    return Asked(one.id, one.jdl, one.owner, one.fqans, one.vo, one.previous, one.attempt, one.submitted, one.replicas)


def told(outcome: Outcome) -> bytes:
    """The outcome bit for bit."""
    return msgspec.msgpack.encode(outcome)


def read_record(content: bytes) -> Record:
    return msgspec.msgpack.decode(content, type=Record)


def read_outcome(content: bytes) -> Outcome:
    return msgspec.msgpack.decode(content, type=Outcome)


def replayed(record: Record, snapshot: Snapshot) -> Outcome:
    """The decision made again, by the function that made it."""
    board, requests = Board(record.site()), record.requests()
    board.show(snapshot)
    return decide(record.inputs, record.rules, board, lambda lane: board.fit(lane.cls, requests[lane.id]))


def difference(kept: Outcome, again: Outcome) -> str:
    """The first thing that is not the same; "" if they are equal to the last bit."""
    return next(_differences(kept, again), "")


def _differences(kept: Outcome, again: Outcome) -> Iterator[str]:
    for number, (one, other) in enumerate(zip(kept.placements, again.placements, strict=False), 1):
        if one != other:
            yield f"placement {number}: {_place(one)}, now {_place(other)}"
    if len(kept.placements) != len(again.placements):
        yield f"{len(kept.placements)} placements, now {len(again.placements)}"
    yield from _by_lane("waits", kept.waits, again.waits)
    yield from _by_lane("has its turn", kept.served, again.served)
    if told(kept) != told(again):
        yield f"turn {kept.turn}, now {again.turn}" if kept.turn != again.turn else "the order of lanes"


def _by_lane(what: str, kept: Mapping[str, _What], again: Mapping[str, _What]) -> Iterator[str]:
    for lane in sorted(kept.keys() | again.keys()):
        if kept.get(lane) != again.get(lane):
            yield f"lane {lane} {what}: {_word(kept.get(lane))}, now {_word(again.get(lane))}"


def _place(one: Placement) -> str:
    return f"{one.jobs} of lane {one.lane} to {one.ce}"


def _word(what: Cause | int | None) -> str:
    match what:
        case Cause(why=why, ces=ces, detail=detail):
            return f"{why.value} {detail}".rstrip() + f" ({ces} match)"
        case None:
            return "no"
        case turn:
            return f"number {turn}"
