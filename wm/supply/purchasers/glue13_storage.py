"""Storage elements from records of GLUE 1.3: SE, its areas and protocols, the CEs it is close to. Pure.

Not computing elements (glue13).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from wm.supply.purchasers import Entry
from wm.supply.purchasers.records import Record, attributes, by_class

SE, AREA, ACCESS, CONTROL, BIND = (
    "gluese", "gluesa", "glueseaccessprotocol", "gluesecontrolprotocol", "gluecesebind")
PARTS = {AREA: "GlueSA", ACCESS: "GlueSEAccessProtocol", CONTROL: "GlueSEControlProtocol"}
"""Under these names an SE has the list of its parts, whose attributes lose that prefix."""
RULES = "GlueSAAccessControlBaseRule"
SPACE = "GlueSAStateAvailableSpace"


def storage(records: Iterable[Record]) -> Iterator[Entry]:
    """The SEs. Attributes of the area with most available space stand beside those of the SE itself, for
    requirements on close SEs; its rules are those of all areas."""
    shelves = by_class(records, (SE, AREA, ACCESS, CONTROL, BIND))
    parts = {kind: _of_se(shelves[kind]) for kind in PARTS}
    close: dict[str, set[str]] = {}
    for bind in shelves[BIND]:
        close.setdefault(bind.first("gluecesebindseuniqueid"), set()).add(bind.first("gluecesebindceuniqueid"))
    for one in shelves[SE]:
        id = one.first("glueseuniqueid")
        here = {kind: [attributes(part) for part in parts[kind].get(id, ())] for kind in PARTS}
        lists = {PARTS[kind]: [_bare(part, PARTS[kind]) for part in found] for kind, found in here.items() if found}
        near = {"CloseComputingElements": sorted(close[id])} if id in close else {}
        yield Entry(id, _flat(here[AREA]) | attributes(one) | lists | near)


def _of_se(records: Iterable[Record]) -> dict[str, list[Record]]:
    found: dict[str, list[Record]] = {}
    for one in records:
        found.setdefault(one.key("glueseuniqueid"), []).append(one)
    return found


def _bare(part: dict[str, Any], prefix: str) -> dict[str, Any]:
    return {name.removeprefix(prefix): value for name, value in part.items()}


def _flat(areas: list[dict[str, Any]]) -> dict[str, Any]:
    if not areas:
        return {}
    rules = sorted({rule for area in areas for rule in area.get(RULES, ())})
    return max(areas, key=lambda area: area.get(SPACE, -1)) | ({RULES: rules} if rules else {})
