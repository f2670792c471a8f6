"""Computing elements from records of GLUE 1.3: CE, its cluster and first subcluster, its SEs, its views.

Pure. A CE whose cluster or subcluster is not published is refused. Storage: glue13_storage.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from wm.supply.purchasers import Described, Entry, described, queue_of
from wm.supply.purchasers.glue13_storage import storage
from wm.supply.purchasers.records import Record, attributes, by_class

PURCHASER = "II_G13_purchaser"
CE, CLUSTER, SUBCLUSTER, VIEW, BIND, GROUP = (
    "gluece", "gluecluster", "gluesubcluster", "gluevoview", "gluecesebind", "gluecesebindgroup")
RULES = "GlueCEAccessControlBaseRule"


@dataclass(frozen=True, slots=True)
class _Site:
    """The records of all classes by what they are about; the first by id counts."""

    clusters: Mapping[str, Record]
    subclusters: Mapping[str, Record]
    views: Mapping[str, list[Record]]
    binds: Mapping[str, list[Record]]


def compose(records: Iterable[Record], origin: str) -> Described:
    """The CEs and SEs that the records of one directory make up."""
    known = list(records)
    shelves = by_class(known, (CE, CLUSTER, SUBCLUSTER, VIEW, BIND, GROUP))
    site = _Site(
        _first(shelves[CLUSTER], lambda one: one.first("glueclusteruniqueid")),
        _first(shelves[SUBCLUSTER], lambda one: one.key("glueclusteruniqueid")),
        _grouped(shelves[VIEW], lambda one: one.key("glueceuniqueid")),
        _grouped(shelves[BIND] + shelves[GROUP], bound_ce))
    refused: list[str] = []
    ces = [entry for one in shelves[CE] for entry in _ce(one, site, origin, refused)]
    return described(origin, ces, storage(known), refused)


def bound_ce(bind: Record) -> str:
    """The CE that a binding is about."""
    return bind.first("gluecesebindceuniqueid") or bind.first("gluecesebindgroupceuniqueid")


def _first(records: Iterable[Record], key: Any) -> dict[str, Record]:
    found: dict[str, Record] = {}
    for one in records:
        found.setdefault(key(one), one)
    return found


def _grouped(records: Iterable[Record], key: Any) -> dict[str, list[Record]]:
    found: dict[str, list[Record]] = {}
    for one in records:
        found.setdefault(key(one), []).append(one)
    return found


def _ce(one: Record, site: _Site, origin: str, refused: list[str]) -> Iterator[Entry]:
    """The CE and its views; what a view names may use only the view."""
    id = one.first("glueceuniqueid")
    name = one.key("glueclusteruniqueid") or one.first("gluecehostingcluster")
    cluster, subcluster = site.clusters.get(name), site.subclusters.get(name)
    if cluster is None or subcluster is None:
        missing = "cluster" if cluster is None else "subcluster"
        refused.append(f"{origin}: CE {id[:200]!r}: its {missing} {name[:200]!r} is not published")
        return
    whole = attributes(subcluster) | attributes(cluster) | attributes(one)
    whole |= closeness(site.binds.get(id, ()), whole)
    whole |= derived(id, whole, cluster.key("gluesiteuniqueid"), PURCHASER)
    views = site.views.get(id, [])
    taken = {rule for view in views for rule in view.every(RULES.casefold())}
    rules = {RULES: [rule for rule in whole[RULES] if rule not in taken]} if RULES in whole else {}
    yield Entry(id, whole | rules)
    for view in views:
        yield Entry(f"{id}/{view.first('gluevoviewlocalid')}", whole | attributes(view), base=id)


def derived(id: str, whole: Mapping[str, Any], site: str, purchaser: str) -> dict[str, Any]:
    """The attributes that follow from the others, by the names that the field knows them by."""
    known = {"GlueSiteUniqueID": site, "LRMSType": whole.get("GlueCEInfoLRMSType", "")}
    return {
        **{name: value for name, value in known.items() if value},
        "GlobusResourceContactString": id.rpartition("-")[0] or id,
        "QueueName": whole.get("GlueCEName") or queue_of(id),
        "CEid": id,
        "PurchasedBy": purchaser,
    }


def closeness(binds: Iterable[Record], whole: Mapping[str, Any]) -> dict[str, Any]:
    """The SEs that are bound to a CE, with the mount point where one is told."""
    mounts: dict[str, str] = dict.fromkeys(whole.get("GlueCESEBindGroupSEUniqueID", ()), "")
    for bind in binds:
        for se in (*bind.every("gluecesebindseuniqueid"), *bind.every("gluecesebindgroupseuniqueid")):
            mount = bind.first("gluecesebindceaccesspoint") or bind.first("gluecesebindmountinfo")
            mounts[se] = mounts.get(se) or ("" if mount.casefold() == "n/a" else mount)
    if not mounts:
        return {}
    return {"GlueCESEBindGroupSEUniqueID": sorted(mounts),
            "CloseStorageElements": [{"name": se, "mount": mount} for se, mount in sorted(mounts.items())]}
