"""Computing elements in GLUE 2.0 (GFD-R-P.147): entities from records of GLUE 1.3, as JSON and as LDIF (GFD.218). Pure.

A host is a ComputingService, a queue a ComputingShare of it. Reading GLUE 2.0 is wm.supply's work.
"""

from __future__ import annotations

import base64
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple, TypeAlias

BASE: Final = "GLUE2GroupID=resource,o=glue"
NONE: Final = 999_999_999
"""Both schemas: no limit, or unknown where a value must be."""
OTHER_INFO: Final = "wms"
"""Attributes whose names begin so have no place in GLUE 2.0 but GLUE2EntityOtherInfo."""
Record: TypeAlias = "Mapping[str, Any]"


class Entity(NamedTuple):
    """`key` names it below `parent` (its DN without the base); `attributes` by the names of the LDAP rendering."""

    kind: str
    classes: tuple[str, ...]
    key: str
    parent: str
    attributes: Mapping[str, Any]

    @property
    def dn(self) -> str:
        own = f"{self.key}={_escaped(str(self.attributes[self.key]))}"
        return f"{own},{self.parent}" if self.parent else own


INTERFACES: Final = {"cream": "org.glite.ce.CREAM", "nordugrid": "org.nordugrid.arcrest",
                     "htcondorce": "org.opensciencegrid.htcondorce"}
"""What stands for the kind of an endpoint in a CE id -> the name of its interface."""
_KIND = re.compile(r"[^/]*/([A-Za-z0-9]+)-")


# -- values ----------------------------------------------------------------------------------------------


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _seconds(value: Any) -> Any:
    minutes = _whole(value)
    return None if minutes is None else NONE if minutes >= NONE else 60 * minutes


def _text(value: Any) -> Any:
    return str(value) if isinstance(value, str | int | float) and str(value) else None


def _state(value: Any) -> Any:
    known = {"production", "queueing", "draining", "closed"}
    return str(value).casefold() if str(value).casefold() in known else "closed"


def _truth(value: Any) -> Any:
    return None if not isinstance(value, bool | int) else "TRUE" if value else "FALSE"


def _texts(value: Any) -> Any:
    return [str(one) for one in value if str(one)] if isinstance(value, list | tuple) else None


_Row: TypeAlias = "tuple[str, str, Callable[[Any], Any]]"
_S, _M, _X = "GLUE2ComputingShare", "GLUE2ComputingManager", "GLUE2ExecutionEnvironment"
SHARE: Final[tuple[_Row, ...]] = (
    (_S + "ServingState", "GlueCEStateStatus", _state), (_S + "FreeSlots", "GlueCEStateFreeJobSlots", _whole),
    (_S + "RunningJobs", "GlueCEStateRunningJobs", _whole), (_S + "WaitingJobs", "GlueCEStateWaitingJobs", _whole),
    (_S + "TotalJobs", "GlueCEStateTotalJobs", _whole),
    (_S + "EstimatedAverageWaitingTime", "GlueCEStateEstimatedResponseTime", _whole),
    (_S + "EstimatedWorstWaitingTime", "GlueCEStateWorstResponseTime", _whole),
    (_S + "MaxWallTime", "GlueCEPolicyMaxWallClockTime", _seconds),
    (_S + "MaxCPUTime", "GlueCEPolicyMaxCPUTime", _seconds),
    (_S + "MaxRunningJobs", "GlueCEPolicyMaxRunningJobs", _whole),
    (_S + "MaxWaitingJobs", "GlueCEPolicyMaxWaitingJobs", _whole),
    (_S + "MaxTotalJobs", "GlueCEPolicyMaxTotalJobs", _whole),
    (_S + "MaxSlotsPerJob", "GlueCEPolicyMaxSlotsPerJob", _whole),
    (_S + "Preemption", "GlueCEPolicyPreemption", _truth),
)
MANAGER: Final[tuple[_Row, ...]] = (
    ("GLUE2ManagerProductVersion", "GlueCEInfoLRMSVersion", _text), (_M + "TotalLogicalCPUs", "GlueCEInfoTotalCPUs",
                                                                    _whole),
    (_M + "TotalSlots", "GlueCEPolicyAssignedJobSlots", _whole),
    (_M + "TotalPhysicalCPUs", "GlueSubClusterPhysicalCPUs", _whole),
    (_M + "ApplicationDir", "GlueCEInfoApplicationDir", _text), (_M + "TmpDir", "GlueSubClusterTmpDir", _text),
    (_M + "ScratchDir", "GlueSubClusterWNTmpDir", _text),
)
ENDPOINT: Final[tuple[_Row, ...]] = (
    ("GLUE2EndpointImplementationName", "GlueCEImplementationName", _text),
    ("GLUE2EndpointImplementationVersion", "GlueCEImplementationVersion", _text),
    ("GLUE2EndpointCapability", "GlueCECapability", _texts),
)
HOST: Final[tuple[_Row, ...]] = (
    (_X + "Platform", "GlueHostArchitecturePlatformType", _text),
    (_X + "LogicalCPUs", "GlueHostArchitectureSMPSize", _whole),
    (_X + "CPUModel", "GlueHostProcessorModel", _text), (_X + "CPUVendor", "GlueHostProcessorVendor", _text),
    (_X + "CPUClockSpeed", "GlueHostProcessorClockSpeed", _whole),
    (_X + "MainMemorySize", "GlueHostMainMemoryRAMSize", _whole),
    (_X + "VirtualMemorySize", "GlueHostMainMemoryVirtualSize", _whole),
    (_X + "OSName", "GlueHostOperatingSystemName", _text),
    (_X + "OSVersion", "GlueHostOperatingSystemRelease", _text),
    (_X + "ConnectivityIn", "GlueHostNetworkAdapterInboundIP", _truth),
    (_X + "ConnectivityOut", "GlueHostNetworkAdapterOutboundIP", _truth),
)
"""Attribute of GLUE 2.0, where GLUE 1.3 has it, how the value is converted (None: not said)."""
MUST: Final = {_S + "ServingState": "closed", _X + "Platform": "UNDEFINEDVALUE", _X + "MainMemorySize": NONE,
               _X + "OSFamily": "linux", _X + "ConnectivityIn": "UNDEFINED", _X + "ConnectivityOut": "UNDEFINED"}
"""What must be there and is not known."""


def _told(rows: Iterable[_Row], record: Record) -> dict[str, Any]:
    found = {name: convert(record[glue]) for name, glue, convert in rows if glue in record}
    return {name: value for name, value in found.items() if value is not None and value != []}


# -- entities --------------------------------------------------------------------------------------------


def entities(records: Iterable[Record]) -> list[Entity]:
    """Of CEs as GLUE 1.3 describes them, parents before their children; each entity is there once."""
    found: dict[str, Entity] = {}
    for record in records:
        for one in _of(record):
            found.setdefault(one.dn, one)
    return list(found.values())


def _of(record: Record) -> Iterator[Entity]:
    id = str(record["GlueCEUniqueID"])
    host = str(record.get("GlueCEInfoHostName") or id.partition(":")[0])
    kind = found[1] if (found := _KIND.match(id)) else "unknown"
    service = _entity("ComputingService", ("Service",), "GLUE2ServiceID", None, f"urn:ogf:ComputingService:{host}", {
        "GLUE2ServiceType": f"org.wms.{kind}", "GLUE2ServiceQualityLevel": "production",
        "GLUE2ServiceCapability": ["executionmanagement.jobexecution"],
        "GLUE2ServiceAdminDomainForeignKey": str(record.get("GlueSiteUniqueID") or host)})
    own = str(service.attributes["GLUE2ServiceID"])
    endpoint = _endpoint(record, service, own, id, host, kind)
    manager = _manager(record, service, own)
    by = str(manager.attributes["GLUE2ManagerID"])
    environment = _environment(record, manager, by)
    yield from (service, endpoint, manager, environment)
    yield from _applications(record, manager, by)
    share = _share(record, service, own, id, endpoint, environment)
    yield share
    yield from _policies(record, share)


def _entity(kind: str, supers: tuple[str, ...], key: str, parent: Entity | None, id: str, more: Record) -> Entity:
    return Entity(kind, ("GLUE2Entity", *(f"GLUE2{one}" for one in supers), f"GLUE2{kind}"), key,
                  parent.dn if parent is not None else "", {key: id, **more})


def _endpoint(record: Record, service: Entity, own: str, id: str, host: str, kind: str) -> Entity:
    port = _whole(record.get("GlueCEInfoGatekeeperPort")) or _port(id)
    contact = str(record.get("GlueCEInfoContactString", ""))
    return _entity("ComputingEndpoint", ("Endpoint",), "GLUE2EndpointID", service, f"{own}:endpoint:{kind}:{port}", {
        "GLUE2EndpointURL": contact if "://" in contact else f"https://{host}:{port}/{kind}",
        "GLUE2EndpointInterfaceName": INTERFACES.get(kind, f"org.wms.{kind}"),
        "GLUE2EndpointQualityLevel": "production", "GLUE2EndpointHealthState": "ok",
        "GLUE2EndpointServingState": "production", **_told(ENDPOINT, record),
        "GLUE2EndpointServiceForeignKey": own, "GLUE2ComputingEndpointComputingServiceForeignKey": own})


def _port(id: str) -> int:
    port = id.partition("/")[0].rpartition(":")[2]
    return int(port) if port.isdecimal() else 443


def _manager(record: Record, service: Entity, own: str) -> Entity:
    product = str(record.get("GlueCEInfoLRMSType") or "unknown")
    return _entity("ComputingManager", ("Manager",), "GLUE2ManagerID", service, f"{own}:manager:{product}", {
        "GLUE2ManagerProductName": product, **_told(MANAGER, record),
        "GLUE2ManagerServiceForeignKey": own, "GLUE2ComputingManagerComputingServiceForeignKey": own})


def _environment(record: Record, manager: Entity, by: str) -> Entity:
    """Queues with the same machines share one: its name says what they are."""
    told = {**{name: value for name, value in MUST.items() if name.startswith(_X)}, **_told(HOST, record)}
    what = "-".join(str(told.get(_X + name, "")) for name in (
        "Platform", "LogicalCPUs", "CPUModel", "MainMemorySize", "OSName", "OSVersion", "ConnectivityOut"))
    return _entity("ExecutionEnvironment", ("Resource",), "GLUE2ResourceID", manager,
                   f"{by}:machines:{re.sub(r'[^A-Za-z0-9._-]+', '_', what)}", {
        **told, "GLUE2ResourceManagerForeignKey": by, _X + "ComputingManagerForeignKey": by})


def _applications(record: Record, manager: Entity, by: str) -> Iterator[Entity]:
    for tag in _texts(record.get("GlueHostApplicationSoftwareRunTimeEnvironment")) or ():
        yield _entity("ApplicationEnvironment", (), "GLUE2ApplicationEnvironmentID", manager, f"{by}:{tag}", {
            "GLUE2ApplicationEnvironmentAppName": tag, "GLUE2ApplicationEnvironmentComputingManagerForeignKey": by})


def _share(record: Record, service: Entity, own: str, id: str, endpoint: Entity, environment: Entity) -> Entity:
    queue, view = str(record.get("GlueCEName") or id.rpartition("-")[2]), str(record.get("GlueVOViewLocalID", ""))
    at, on = str(endpoint.attributes["GLUE2EndpointID"]), str(environment.attributes["GLUE2ResourceID"])
    more = [f"{name}={value}" for name, value in sorted(record.items()) if name[:3].casefold() == OTHER_INFO]
    return _entity("ComputingShare", ("Share",), "GLUE2ShareID", service, f"{id}/{view}" if view else id, {
        "GLUE2EntityName": queue, **({"GLUE2EntityOtherInfo": more} if more else {}),
        _S + "MappingQueue": queue, _S + "ServingState": MUST[_S + "ServingState"], **_told(SHARE, record),
        "GLUE2ShareServiceForeignKey": own, "GLUE2ShareEndpointForeignKey": [at],
        "GLUE2ShareResourceForeignKey": [on], _S + "ComputingServiceForeignKey": own,
        _S + "ComputingEndpointForeignKey": [at], _S + "ExecutionEnvironmentForeignKey": [on]})


def _policies(record: Record, share: Entity) -> Iterator[Entity]:
    """Of a queue that is open to everybody nothing is said."""
    rules, of = _texts(record.get("GlueCEAccessControlBaseRule")), str(share.attributes["GLUE2ShareID"])
    if rules:
        yield _entity("MappingPolicy", ("Policy",), "GLUE2PolicyID", share, f"{of}:mapping", {
            "GLUE2PolicyScheme": "org.glite.standard", "GLUE2PolicyRule": rules,
            "GLUE2MappingPolicyShareForeignKey": [of]})


# -- renderings ------------------------------------------------------------------------------------------


def document(found: Iterable[Entity]) -> dict[str, list[dict[str, Any]]]:
    """By class, with the names that GLUE 2.0 gives the attributes: those of LDAP without the class before them."""
    shelves: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for one in found:
        prefixes = sorted(one.classes, key=len, reverse=True)
        shelves[one.kind].append({_bare(name, prefixes): value for name, value in one.attributes.items()})
    return dict(shelves)


def _bare(name: str, prefixes: Iterable[str]) -> str:
    return next(name[len(prefix):] for prefix in prefixes if name.startswith(prefix))


def ldif(found: Iterable[Entity], base: str = BASE) -> str:
    """All entries below `base`, which comes first where it is a group of this schema."""
    key, _, group = base.partition(",")[0].partition("=")
    parts = [_entry(base, ("GLUE2Group",), {key: group})] if key == "GLUE2GroupID" else []
    return "".join([*parts, *(_entry(f"{one.dn},{base}", one.classes, one.attributes) for one in found)])


def _entry(dn: str, classes: Iterable[str], attributes: Record) -> str:
    lines = [_line("dn", dn), *(f"objectClass: {name}" for name in classes)]
    for name, values in attributes.items():
        several = dict.fromkeys(values) if isinstance(values, list) else (values,)
        lines += [_line(name, str(value)) for value in several]
    return "\n".join(lines) + "\n\n"


_SAFE = re.compile(r"(?![ :<])[\x20-\x7e]*(?<! )")


def _line(name: str, value: str) -> str:
    """In base64 where plain text would be read otherwise (RFC 2849)."""
    if _SAFE.fullmatch(value):
        return f"{name}: {value}"
    return f"{name}:: {base64.b64encode(value.encode()).decode()}"


def _escaped(value: str) -> str:
    """As a value in a distinguished name (RFC 4514)."""
    text = re.sub(r'([,+"\\<>;=])', r"\\\1", value).replace("\0", "\\00")
    if text[:1] in ("#", " "):
        text = "\\" + text
    return text[:-1] + "\\ " if text.endswith(" ") and not text.endswith("\\ ") else text
