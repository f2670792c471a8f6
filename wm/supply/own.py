"""What this service says of CEs beside their sources: that one is drained, how long jobs waited there. Pure.

It is laid over a snapshot and outranks what is published, which stays visible beside it. Not who drains or measures.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final, NamedTuple, TypeAlias

from wm.supply.supermarket import Snapshot
from wms.glue import DRAINED, PUBLISHED_STATUS
from wms.jdl.values import Prepared, prepare
from wms.resource import ComputingElement

STATUS: Final = "GlueCEStateStatus"
DRAINING: Final = "Draining"
Words: TypeAlias = "Mapping[str, Any]"
"""Attributes of one CE by name."""


class Drain(NamedTuple):
    """`ce` is an id, or the name of a configured CE: all its queues. `since` is epoch s."""

    ce: str
    reason: str
    by: str
    since: float


def drains_of(ce: ComputingElement, drains: Mapping[str, Drain]) -> list[Drain]:
    """What keeps new jobs away from a CE: of its id, of the CE that it is a view of, of its backend."""
    return [drains[name] for name in dict.fromkeys((ce.id, ce.destination, ce.backend)) if name and name in drains]


def draining(drains: Iterable[Drain]) -> dict[str, Any]:
    """What is said of a drained CE; nothing of one that is not."""
    reasons = [drain.reason for drain in drains]
    return {DRAINED: "; ".join(reasons)} if reasons else {}


def shown(attributes: Words) -> dict[str, Any]:
    """The attributes of a CE as people and other services see them: one that is drained says that it drains.

    Matching goes by its own check, and by the state as published, so that only the drain is blamed.
    """
    if DRAINED not in attributes:
        return dict(attributes)
    kept = {PUBLISHED_STATUS: attributes[STATUS]} if STATUS in attributes else {}
    return {**attributes, **kept, STATUS: DRAINING}


class _Made(NamedTuple):
    attributes: Words
    words: Words
    ce: ComputingElement


class Overlay:
    """Lays words over one snapshot after the other; a CE that changed in neither is the same as before."""

    def __init__(self) -> None:
        self._made: dict[str, _Made] = {}
        self._changes = 0

    def over(self, raw: Snapshot, words: Mapping[str, Words]) -> Snapshot:
        """`raw` with `words` by the id of the CE, which are not empty."""
        made = {id: self._one(raw.ces[id], said) for id, said in words.items()}
        if {id: one.words for id, one in made.items()} != {id: one.words for id, one in self._made.items()}:
            self._changes += 1
        self._made = made
        if not made and not self._changes:
            return raw
        ces = {**raw.ces, **{id: one.ce for id, one in made.items()}}
        return replace(raw, version=raw.version + self._changes, ces=ces, own=words)

    def _one(self, ce: ComputingElement, words: Words) -> _Made:
        before = self._made.get(ce.id)
        if before is None or before.attributes is not ce.attributes or before.words != words:
            return _Made(ce.attributes, words, _saying(ce, words))
        return before._replace(ce=replace(before.ce, source=ce.source, updated=ce.updated, expires=ce.expires,
                                          backend=ce.backend, queue=ce.queue))


def _saying(ce: ComputingElement, words: Words) -> ComputingElement:
    hidden = {name.casefold() for name in words}
    attributes = {name: value for name, value in ce.attributes.items() if name.casefold() not in hidden}
    return replace(ce, attributes={**attributes, **words}, prepared=_prepared(ce.prepared, words))


def _prepared(before: Prepared, words: Words) -> Prepared:
    """What was prepared stays: its mappings are, and must not be prepared again."""
    hidden = {name.lower() for name in words}
    kept = {before.spelling[name]: value for name, value in before.items() if name not in hidden}
    return prepare({**kept, **words})
