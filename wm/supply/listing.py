"""CEs of a snapshot as records for people and other programs. Pure: the snapshot in, records out."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from math import inf
from typing import Any

from wm.supply.own import DRAINING, STATUS, Drain, drains_of, shown
from wm.supply.supermarket import OURSELVES, Snapshot
from wm.supply.words import OWN
from wms.glue import (
    DRAINED,
    MEASURED_90,
    MEASURED_ENDS,
    MEASURED_JOBS,
    MEASURED_QUEUE,
    PUBLISHED_RESPONSE,
    PUBLISHED_STATUS,
    SUCCESS,
)
from wms.operations.ces import Ce, CeAttribute, CeDetail, Drained, Measured
from wms.resource import ComputingElement

_FIGURES = {"slots": "GlueCEInfoTotalCPUs", "free": "GlueCEStateFreeJobSlots", "running": "GlueCEStateRunningJobs",
            "waiting": "GlueCEStateWaitingJobs", "response_s": "GlueCEStateEstimatedResponseTime"}


def chosen(snapshot: Snapshot, name: str) -> list[ComputingElement]:
    """By id: all, or those that `name` is about: an id, or the name of a configured CE."""
    return [ce for id, ce in sorted(snapshot.ces.items()) if not name or name in (id, ce.destination, ce.backend)]


def summary(ce: ComputingElement, drains: Mapping[str, Drain], aside: Mapping[str, int], now: float) -> Ce:
    """`aside` counts classes by CE."""
    said = shown(ce.attributes)
    figures = {name: _whole(said.get(glue)) for name, glue in _FIGURES.items()}
    state, published = _text(said.get("GlueCEStateStatus")), said.get(PUBLISHED_STATUS)
    response = _whole(said.get(PUBLISHED_RESPONSE))
    return Ce(ce.id, ce.backend, ce.queue, state, _text(published) if published is not None else state, **figures,
              published_response_s=figures["response_s"] if response is None else response, measured=_measured(said),
              source=ce.source, age_s=round(max(0.0, now - ce.updated), 1),
              expires=0.0 if ce.expires == inf else ce.expires,
              drained=told(drains_of(ce, drains)), aside=aside.get(ce.id, 0))


def told(drains: Collection[Drain]) -> tuple[Drained, ...]:
    return tuple(Drained(*drain) for drain in drains)


def detail(snapshot: Snapshot, ce: Ce, health: Mapping[str, Any], now: float) -> CeDetail:
    """All attributes of a CE of the snapshot."""
    return CeDetail(ce, tuple(_attributes(snapshot, ce.id, now)), dict(health))


def _attributes(snapshot: Snapshot, id: str, now: float) -> Iterator[CeAttribute]:
    """A drained CE says that it drains, and beside it what it publishes."""
    drains = DRAINED in snapshot.own.get(id, {})
    for one in snapshot.origins(id):
        if drains and one.name == STATUS:
            yield CeAttribute(STATUS, DRAINING, OURSELVES, OWN, 0.0)
            one = one._replace(name=PUBLISHED_STATUS)
        yield CeAttribute(one.name, one.value, one.source, one.kind, round(max(0.0, now - one.bought), 1))


def _measured(said: Mapping[str, Any]) -> Measured | None:
    if MEASURED_JOBS not in said and MEASURED_ENDS not in said:
        return None
    return Measured(said.get(MEASURED_JOBS, 0.0), said.get(MEASURED_QUEUE, 0.0), said.get(MEASURED_90, 0.0),
                    said.get(MEASURED_ENDS, 0.0), said.get(SUCCESS, 0.0))


def _whole(value: object) -> int | None:
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
