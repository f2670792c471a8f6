"""What an ARC CE publishes: its GLUE 2 document in, a record of facts per share (queue) out. Pure.

Not here: the rendering in GLUE 1.3 (wms.ce.published).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from wms.ce.arc.answers import decoded, many, text
from wms.ce.published import QueueFacts

__all__ = ["shares"]

_STATUS = {"production": "Production", "draining": "Draining", "queueing": "Queueing", "closed": "Closed"}
_WORST = ("Closed", "Draining", "Queueing", "Production")
_REST = "org.nordugrid.arcrest"
_MACHINE = {"Platform": "GlueHostArchitecturePlatformType", "CPUVendor": "GlueHostProcessorVendor",
            "CPUModel": "GlueHostProcessorModel", "OSFamily": "GlueHostOperatingSystemName",
            "OSName": "GlueHostOperatingSystemRelease", "OSVersion": "GlueHostOperatingSystemVersion"}
_MACHINE_NUMBERS = {"MainMemorySize": "GlueHostMainMemoryRAMSize", "VirtualMemorySize": "GlueHostMainMemoryVirtualSize",
                    "CPUClockSpeed": "GlueHostProcessorClockSpeed", "LogicalCPUs": "GlueHostArchitectureSMPSize"}


def shares(body: bytes, host: str, port: int, tags: Sequence[str], access_rules: Sequence[str]) -> list[QueueFacts]:
    """One record per share; `tags` and `access_rules` are added to those that the CE tells. Raises Unavailable."""
    service = next(_all(decoded(body), "ComputingService"), {})
    managers = [one for one in many(service.get("ComputingManager")) if isinstance(one, dict)]
    manager = managers[0] if managers else {}
    endpoint = _endpoint(service)
    known = (*_environments(manager), *tags)
    common = {"host": host, "port": port, "system": text(manager, "ProductName").lower() or "arc", "manager": "arc",
              "implementation": "ARC-CE", "version": text(endpoint, "ImplementationVersion") or "1",
              "lrms_version": text(manager, "ProductVersion"), "tags": tuple(dict.fromkeys(known)),
              "machine": _machine(manager)}
    return [_share(share, manager, endpoint, common, access_rules)
            for share in many(service.get("ComputingShare")) if isinstance(share, dict)]


def _share(share: Mapping[str, Any], manager: Mapping[str, Any], endpoint: Mapping[str, Any],
           common: Mapping[str, Any], access_rules: Sequence[str]) -> QueueFacts:
    wall, cpu = _figure(share, "MaxWallTime"), _figure(share, "MaxCPUTime")
    return QueueFacts(
        queue=text(share, "MappingQueue") or text(share, "Name"), status=_status(share, endpoint),
        slots=_figure(manager, "TotalSlots"), free=_figure(share, "FreeSlots"),
        running=_figure(share, "RunningJobs"),
        waiting=_figure(share, "WaitingJobs") + _figure(share, "PreLRMSWaitingJobs"),
        response_s=_figure(share, "EstimatedAverageWaitingTime"),
        worst_response_s=_figure(share, "EstimatedWorstWaitingTime"), max_wall_s=wall, max_cpu_s=cpu,
        max_running=_figure(share, "MaxRunningJobs"), max_waiting=_figure(share, "MaxWaitingJobs"),
        max_total=_figure(share, "MaxTotalJobs"), max_slots_per_job=_figure(share, "MaxSlotsPerJob"),
        access_rules=tuple(dict.fromkeys([*_policies(share), *access_rules])), **common)


def _endpoint(service: Mapping[str, Any]) -> Mapping[str, Any]:
    """The REST interface among the endpoints."""
    found = [one for one in many(service.get("ComputingEndpoint")) if isinstance(one, dict)]
    rest = [one for one in found if text(one, "InterfaceName") == _REST]
    return (rest or found or [{}])[0]


def _status(share: Mapping[str, Any], endpoint: Mapping[str, Any]) -> str:
    """The worse of what queue and service say."""
    said = {_STATUS.get(text(one, "ServingState").lower(), "Production") for one in (share, endpoint)}
    return next(status for status in _WORST if status in said)


def _policies(share: Mapping[str, Any]) -> Iterator[str]:
    """Rules of GLUE 2 mapping policies as GLUE 1.3 writes them: vo:atlas as VO:atlas."""
    for policy in many(share.get("MappingPolicy")):
        for rule in many(policy.get("Rule")) if isinstance(policy, dict) else []:
            kind, colon, value = str(rule).partition(":")
            if colon and kind.lower() in ("vo", "voms", "dn"):
                yield f"{kind.upper()}:{value.strip()}"


def _environments(manager: Mapping[str, Any]) -> Iterator[str]:
    """Runtime environments, as they are asked for: NAME or NAME-VERSION."""
    for one in _all(manager.get("ApplicationEnvironments"), "ApplicationEnvironment"):
        name, version = text(one, "AppName"), text(one, "AppVersion")
        if name:
            yield f"{name}-{version}" if version else name


def _machine(manager: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes of the first kind of worker nodes."""
    node = next(_all(manager.get("ExecutionEnvironments"), "ExecutionEnvironment"), {})
    words = {glue: text(node, name) for name, glue in _MACHINE.items() if text(node, name)}
    return {**words, **{glue: _figure(node, name) for name, glue in _MACHINE_NUMBERS.items() if _figure(node, name)}}


def _all(tree: Any, name: str) -> Iterator[Mapping[str, Any]]:
    """Every record of that name in a tree, from above."""
    if isinstance(tree, dict):
        yield from (one for one in many(tree.get(name)) if isinstance(one, dict))
        for below in tree.values():
            yield from _all(below, name)
    elif isinstance(tree, list):
        for below in tree:
            yield from _all(below, name)


def _figure(found: Mapping[str, Any], name: str) -> int:
    """A number of a document; 0 when there is none."""
    value = text(found, name)
    return int(value) if re.fullmatch(r"\d{1,15}", value) else 0
