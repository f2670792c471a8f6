"""What the Workload Manager would know of resources now, for the administrator: sources, CEs, what was refused.

Asks the sources itself; no daemon is needed. Not a view of what a running daemon holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from wm.supply.market import Market
from wm.supply.supermarket import Snapshot
from wms.errors import UnknownResource
from wms.jdl.values import Prepared
from wms.resource import ComputingElement
from wms.service import Kit

STATE, FREE, WAITING = "gluecestatestatus", "gluecestatefreejobslots", "gluecestatewaitingjobs"
HEADS = ("CE", "STATE", "FREE", "WAITING", "BACKEND", "AGE", "SOURCES")


async def information(kit: Kit, ce: str = "", as_json: bool = False) -> str:
    """The report: all CEs, or the attributes of one (or of an SE) with where each comes from."""
    market = Market(kit)
    snapshot = await market.current()
    record = {"ces": [_ce(one, kit.now()) for _, one in sorted(snapshot.ces.items())],
              "ses": sorted(snapshot.ses), "silent": market.silent,
              "refused": [sentence for _, told in sorted(market.refused.items()) for sentence in told]}
    if ce:
        attributes = list(_attributes(snapshot, ce, kit.now()))
        if not attributes:
            raise UnknownResource(f"No source speaks of {ce}.", value=ce)
        return _json(attributes) if as_json else "\n".join(_lines(("ATTRIBUTE", "VALUE", "SOURCE", "AGE"), [
            (one["name"], _text(one["value"]), one["source"], _age(one["age_s"])) for one in attributes]))
    return _json(record) if as_json else "\n".join(_told(record))


def _ce(one: ComputingElement, now: float) -> dict[str, Any]:
    said: Prepared = one.prepared
    return {"id": one.id, "destination": one.destination, "state": said.get(STATE), "free": said.get(FREE),
            "waiting": said.get(WAITING), "backend": one.backend, "queue": one.queue,
            "age_s": round(now - one.updated, 1), "sources": one.source.split(", ")}


def _attributes(snapshot: Snapshot, ce: str, now: float) -> Iterator[dict[str, Any]]:
    found = snapshot.by_destination.get(ce, ())
    for id in sorted({ce} & (snapshot.ces.keys() | snapshot.ses.keys()) or {one.id for one in found}):
        for origin in snapshot.origins(id):
            yield {"id": id, "name": origin.name, "value": origin.value, "source": origin.source,
                   "kind": origin.kind, "age_s": round(now - origin.bought, 1)}


def _told(record: dict[str, Any]) -> Iterator[str]:
    yield from _lines(HEADS, [(
        one["id"], _text(one["state"]), _text(one["free"]), _text(one["waiting"]), one["backend"] or "none",
        _age(one["age_s"]), ", ".join(one["sources"])) for one in record["ces"]])
    yield f"{len(record['ces'])} computing elements, {len(record['ses'])} storage elements"
    yield from (f"no answer: {name}: {problem}" for name, problem in sorted(record["silent"].items()))
    yield from (f"refused: {sentence}" for sentence in record["refused"])


def _lines(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Columns as wide as they need to be."""
    table = [heads, *rows]
    widths = [max(len(row[column]) for row in table) for column in range(len(heads))]
    for row in table:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _text(value: object) -> str:
    if isinstance(value, list | dict):
        return _json(value)
    return "?" if value is None else str(value)


def _age(seconds: float) -> str:
    return f"{seconds:.0f} s"


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
