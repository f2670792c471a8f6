"""Computing elements from records of GLUE 2: each share of a computing service, by each endpoint that takes jobs.

Pure. A CE has what GLUE 2 says of it nested under `GLUE2`, and beside it the GLUE 1.3 names that users write,
by the table in glue2_names.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urlsplit

from wm.supply.purchasers import Described, Entry, described
from wm.supply.purchasers.glue2_names import BENCHMARKS, INTERFACES, LISTS, NAMES, PORTS, PREFIXES
from wm.supply.purchasers.glue13 import RULES, derived
from wm.supply.purchasers.records import HIDDEN, Record, by_class, unquoted

PURCHASER = "II_G2_purchaser"
CLASSES = (SERVICE, ENDPOINT, SHARE, MANAGER, ENVIRONMENT, APPLICATION, BENCHMARK, MAPPING, ACCESS, STORAGE) = (
    "glue2computingservice", "glue2computingendpoint", "glue2computingshare", "glue2computingmanager",
    "glue2executionenvironment", "glue2applicationenvironment", "glue2benchmark", "glue2mappingpolicy",
    "glue2accesspolicy", "glue2tostorageservice")
HOST_NAMES = ("GlueCEInfoHostName", "GlueCEHostingCluster", "GlueClusterUniqueID", "GlueClusterName",
              "GlueSubClusterUniqueID", "GlueSubClusterName")
"""GLUE 2 knows no clusters: they are called like the host."""


@dataclass(frozen=True, slots=True)
class _Ce:
    """The objects that make up one computing element."""

    id: str
    url: SplitResult
    service: Record
    endpoint: Record
    share: Record
    manager: Record
    environment: Record | None
    applications: Sequence[Record]
    benchmarks: Sequence[Record]
    rules: Sequence[str]
    storage: Sequence[Record]


def compose(records: Iterable[Record], origin: str) -> Described:
    """The CEs that the records of one directory make up; shares of one queue are views of one CE."""
    shelves = by_class(records, CLASSES)
    refused: list[str] = []
    ces: dict[str, dict[str, _Ce]] = {}
    for share in shelves[SHARE]:
        for ce in _ces(share, shelves, origin, refused):
            ces.setdefault(ce.id, {}).setdefault(share.first("glue2shareid"), ce)
    return described(origin, [entry for shares in ces.values() for entry in _entries(shares)], (), refused)


def _entries(shares: Mapping[str, _Ce]) -> Iterator[Entry]:
    for share, ce in shares.items():
        view = "/".join((ce.id, "_".join(share.split())))
        yield Entry(ce.id, _attributes(ce)) if len(shares) == 1 else Entry(view, _attributes(ce), base=ce.id)


# -- which objects belong together -----------------------------------------------------------------------


def _ces(share: Record, shelves: Mapping[str, list[Record]], origin: str, refused: list[str]) -> Iterator[_Ce]:
    """The CEs of a share; a sentence if there is none."""
    id, of = share.first("glue2shareid"), share.first("glue2computingsharecomputingserviceforeignkey")
    of = of or share.first("glue2shareserviceforeignkey")
    service = _one(shelves[SERVICE], "glue2serviceid", of)
    manager = _one(shelves[MANAGER], "glue2managerserviceforeignkey", of) or _one(
        shelves[MANAGER], "glue2computingmanagercomputingserviceforeignkey", of)
    endpoints = [one for one in shelves[ENDPOINT] if _serves(one, share, of) and _interface(one)]
    if service is None or manager is None or not endpoints:
        missing = "service" if service is None else "manager" if manager is None else "endpoint that takes jobs"
        refused.append(f"{origin}: share {id[:200]!r}: no {missing} is published of {of[:200]!r}")
        return
    for endpoint in endpoints:
        url = _url(endpoint.first("glue2endpointurl"))
        if url is None:
            refused.append(f"{origin}: share {id[:200]!r}: an endpoint has no URL with a host")
        else:
            yield _assembled(share, service, manager, endpoint, url, shelves)


def _assembled(share: Record, service: Record, manager: Record, endpoint: Record, url: SplitResult,
               shelves: Mapping[str, list[Record]]) -> _Ce:
    queue = share.first("glue2computingsharemappingqueue") or share.first("glue2entityname")
    lrms = manager.first("glue2managerproductname").casefold() or "unknown"
    of, by = service.first("glue2serviceid"), manager.first("glue2managerid")
    hosts = {*share.every("glue2shareresourceforeignkey"),
             *share.every("glue2computingshareexecutionenvironmentforeignkey")}
    environment = next((one for one in shelves[ENVIRONMENT] if one.first("glue2resourceid") in hosts), None)
    named = "" if environment is None else environment.first("glue2resourceid")
    id = f"{url.hostname}:{_port(url)}/{_interface(endpoint)}-{lrms}-{queue}"
    return _Ce(
        id, url, service, endpoint, share, manager, environment,
        _many(shelves[APPLICATION], "glue2applicationenvironmentcomputingmanagerforeignkey", by),
        [*_many(shelves[BENCHMARK], "glue2benchmarkcomputingmanagerforeignkey", by),
         *(_many(shelves[BENCHMARK], "glue2benchmarkexecutionenvironmentforeignkey", named) if named else ())],
        _rules(share, endpoint, shelves),
        _many(shelves[STORAGE], "glue2tostorageservicecomputingserviceforeignkey", of))


def _serves(endpoint: Record, share: Record, service: str) -> bool:
    """Does the endpoint lead to the share? A share that names no endpoint has all of its service."""
    named = {*share.every("glue2shareendpointforeignkey"),
             *share.every("glue2computingsharecomputingendpointforeignkey")}
    owner = (endpoint.first("glue2computingendpointcomputingserviceforeignkey")
             or endpoint.first("glue2endpointserviceforeignkey"))
    return endpoint.first("glue2endpointid") in named if named else owner == service


def _interface(endpoint: Record) -> str:
    """How a CE id names the kind of the endpoint; "" for one that takes no jobs."""
    name = endpoint.first("glue2endpointinterfacename").casefold()
    return next((kind for prefix, kind in INTERFACES.items() if name.startswith(prefix)), "")


def _url(text: str) -> SplitResult | None:
    try:
        url = urlsplit(text)
        return url if url.hostname and url.port != 0 else None
    except ValueError:
        return None


def _port(url: SplitResult) -> int:
    return url.port or PORTS.get(url.scheme, 443)


def _rules(share: Record, endpoint: Record, shelves: Mapping[str, list[Record]]) -> list[str]:
    """Who may use the share; who may use the endpoint, if that is not said."""
    mapped = _many(shelves[MAPPING], "glue2mappingpolicyshareforeignkey", share.first("glue2shareid"))
    access = _many(shelves[ACCESS], "glue2accesspolicyendpointforeignkey", endpoint.first("glue2endpointid"))
    return sorted({rule for one in mapped or access for rule in one.every("glue2policyrule")})


def _many(records: Iterable[Record], name: str, value: str) -> list[Record]:
    return [one for one in records if value in one.every(name)]


def _one(records: Iterable[Record], name: str, value: str) -> Record | None:
    return next((one for one in records if value in one.every(name)), None)


# -- what they say ---------------------------------------------------------------------------------------


def _attributes(ce: _Ce) -> dict[str, Any]:
    glue2 = _nested(ce)
    told = {name: value for name, path, convert in NAMES
            if (value := convert(_at(glue2, path))) is not None}
    tags = glue2["ApplicationEnvironment"]["AppName"]
    close = sorted((one.first("glue2tostorageservicestorageserviceforeignkey"),
                    one.first("glue2tostorageservicelocalpath")) for one in ce.storage)
    told |= dict.fromkeys(HOST_NAMES, ce.url.hostname)
    told |= {"GlueCEUniqueID": ce.id, "GlueCEInfoGatekeeperPort": _port(ce.url),
             "GlueHostApplicationSoftwareRunTimeEnvironment": tags}
    told |= {BENCHMARKS[kind]: number for one in glue2["Benchmark"]
             if (kind := str(one.get("Type", "")).casefold()) in BENCHMARKS
             and (number := _number(one.get("Value"))) is not None}
    if ce.rules:
        told[RULES] = list(ce.rules)
    if close:
        told["GlueCESEBindGroupSEUniqueID"] = [se for se, _ in close]
        told["CloseStorageElements"] = [{"name": se, "mount": mount} for se, mount in close]
    site = ce.service.first("glue2serviceadmindomainforeignkey")
    return told | derived(ce.id, told, site, PURCHASER) | {"GLUE2": glue2}


def _number(value: object) -> int | None:
    """A benchmark is a whole number in GLUE 1.3."""
    try:
        return round(float(str(value)))
    except (ValueError, OverflowError):
        return None


def _nested(ce: _Ce) -> dict[str, Any]:
    parts = {"Service": ce.service, "Endpoint": ce.endpoint, "Share": ce.share, "Manager": ce.manager}
    return {
        "Computing": {name: _plain(one) for name, one in parts.items()},
        "ExecutionEnvironment": {} if ce.environment is None else _plain(ce.environment),
        "ApplicationEnvironment": {
            "AppName": sorted({one.first("glue2applicationenvironmentappname") for one in ce.applications})},
        "Benchmark": [_plain(one) for one in ce.benchmarks],
    }


def _plain(one: Record) -> dict[str, Any]:
    """A record with the names that GLUE 2 gives its attributes, without the class before them."""
    found: dict[str, Any] = {}
    for name, texts in one.values.items():
        bare = next((one.names[name][len(prefix):] for prefix in PREFIXES if name.startswith(prefix)), "")
        if bare and name not in HIDDEN:
            value = list(texts) if len(texts) > 1 or name in LISTS else unquoted(texts[0])
            found |= {} if value is None else {bare: value}
    return found


def _at(record: Any, path: Sequence[str]) -> Any:
    for name in path:
        record = record.get(name) if isinstance(record, Mapping) else None
    return record
