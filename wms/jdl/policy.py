"""What applies to a job beside what its user wrote: the default condition and rank, what its kind and its
processors ask of a computing element.

The requirements of the site are the matchmaker's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from wms.jdl.ast import Literal, Node, Operation, conjunction
from wms.jdl.attributes import BY_NAME
from wms.jdl.parser import parse_expression
from wms.jdl.reader import Reader

NAMES: Final = ("Requirements", "Rank", "RetryCount", "ShallowRetryCount")
DEFAULTS: Final[Mapping[str, Node]] = MappingProxyType(
    {name: parse_expression(BY_NAME[name.lower()].default) for name in NAMES})
MPICH_RANK: Final = parse_expression("other.GlueCEStateFreeCPUs")
_MPICH: Final = parse_expression('Member("MPICH", other.GlueHostApplicationSoftwareRunTimeEnvironment)')
_OUTBOUND: Final = parse_expression("other.GlueHostNetworkAdapterOutboundIP")
_CPUS: Final = parse_expression("other.GlueCEInfoTotalCPUs")
_LRMS: Final = parse_expression("other.GlueCEInfoLRMSType")
_SMP: Final = parse_expression("other.GlueHostArchitectureSMPSize")


def requirements(reader: Reader, letters: str, defaults: Mapping[str, Node], add_default: bool) -> Node:
    """The user's condition, the default, and what the processors and the type of job ask of a CE."""
    written = reader.ad.get("Requirements")
    parts = [written] if written is not None else []
    if written is None or add_default:
        parts.append(defaults["Requirements"])
    if letters not in "KD":
        parts += _implied(reader, letters)
    kept: list[Node] = []
    for part in parts:
        if not any(part in _conjuncts(known) for known in kept):
            kept.append(part)
    return conjunction(*kept)


def rank(reader: Reader, letters: str) -> Node:
    """The user's, else the default; jobs of MPI prefer free processors unless their user configured other."""
    chosen = reader.node("Rank") or DEFAULTS["Rank"]
    return MPICH_RANK if "M" in letters and "Rank" not in reader.ad and chosen == DEFAULTS["Rank"] else chosen


def cpu_number(reader: Reader) -> int:
    return int(reader.get("CpuNumber") or reader.get("NodeNumber") or 1)


def _conjuncts(node: Node) -> tuple[Node, ...]:
    if isinstance(node, Operation) and node.operators[0] == "&&":
        return (node, *node.operands)
    return (node,)


def _implied(reader: Reader, letters: str) -> list[Node]:
    cpus, hosts = cpu_number(reader), reader.get("HostNumber")
    granularity, lrms = reader.get("SMPGranularity"), reader.get("lrms_type")
    if hosts and cpus > 1 and not reader.get("WholeNodes", False):
        granularity = math.ceil(cpus / hosts)
    return [
        *([_MPICH] if "M" in letters else []),
        *([_OUTBOUND] if "I" in letters else []),
        *([_at_least(_CPUS, cpus)] if cpus > 1 else []),
        *([_at_least(_SMP, granularity)] if granularity else []),
        *([Operation(("==",), (_LRMS, Literal(lrms)))] if lrms else []),
    ]


def _at_least(attribute: Node, least: int) -> Node:
    return Operation((">=",), (attribute, Literal(least)))
