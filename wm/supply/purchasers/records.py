"""Records of a directory (LDAP or LDIF): names with texts, and what of them are numbers, truth values, lists.

Not what records mean together: glue13, glue13_storage, glue2.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from wms.resource import LISTS

NUMBERS = frozenset(name.casefold() for name in (
    "GlueCEInfoTotalCPUs", "GlueCEStateTotalJobs", "GlueCEStateRunningJobs", "GlueCEStateWaitingJobs",
    "GlueCEStateWorstResponseTime", "GlueCEStateEstimatedResponseTime", "GlueCEStateFreeCPUs",
    "GlueCEStateFreeJobSlots", "GlueCEPolicyMaxWallClockTime", "GlueCEPolicyMaxCPUTime", "GlueCEPolicyMaxTotalJobs",
    "GlueCEPolicyMaxRunningJobs", "GlueCEPolicyPriority", "GlueCEPolicyAssignedJobSlots",
    "GlueCEPolicyMaxObtainableWallClockTime", "GlueCEPolicyMaxObtainableCPUTime", "GlueCEPolicyMaxWaitingJobs",
    "GlueCEPolicyMaxSlotsPerJob", "GlueCEPolicyPreemption", "GlueSubClusterPhysicalCPUs",
    "GlueSubClusterLogicalCPUs", "GlueHostArchitectureSMPSize", "GlueHostProcessorClockSpeed",
    "GlueHostProcessorCacheL1", "GlueHostProcessorCacheL2", "GlueHostMainMemoryRAMSize",
    "GlueHostMainMemoryRAMAvailable", "GlueHostMainMemoryVirtualSize", "GlueHostMainMemoryVirtualAvailable",
    "GlueHostBenchmarkSI00", "GlueHostBenchmarkSF00", "GlueHostNetworkAdapterMTU", "GlueHostProcessorLoadLast1Min",
    "GlueHostProcessorLoadLast5Min", "GlueHostProcessorLoadLast15Min", "GlueHostSMPLoadLast1Min",
    "GlueHostSMPLoadLast5Min", "GlueHostSMPLoadLast15Min", "GlueSEPort", "GlueSESizeTotal", "GlueSESizeFree",
    "GlueSETotalOnlineSize", "GlueSEUsedOnlineSize", "GlueSEStateCurrentIOLoad", "GlueSEAccessProtocolPort",
    "GlueSEAccessProtocolMaxStreams", "GlueSATotalOnlineSize", "GlueSAUsedOnlineSize", "GlueSAFreeOnlineSize",
    "GlueSAReservedOnlineSize", "GlueSATotalNearlineSize", "GlueSAUsedNearlineSize", "GlueSAFreeNearlineSize",
    "GlueSAReservedNearlineSize", "GlueSAPolicyMaxFileSize", "GlueSAPolicyMinFileSize", "GlueSAPolicyMaxData",
    "GlueSAPolicyMaxNumFiles", "GlueSAPolicyMaxPinDuration", "GlueSAPolicyQuota", "GlueSAStateAvailableSpace",
    "GlueSAStateUsedSpace"))
"""Attributes that the schema of GLUE 1.3 compares as integers: anything else in them is as if not published."""

TEXTS = frozenset(name.casefold() for name in (
    "GlueCEName", "GlueClusterName", "GlueSubClusterName", "GlueSEName", "GlueSALocalID", "GlueVOViewLocalID"))
"""Names stay text, even one made of digits; so does what ends with `UniqueID`."""

HIDDEN = frozenset(name.casefold() for name in (
    "objectClass", "GlueForeignKey", "GlueChunkKey", "GlueSchemaVersionMajor", "GlueSchemaVersionMinor",
    "GlueInformationServiceURL"))
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
_TRUTH = {"true": True, "false": False}


class Record(NamedTuple):
    """An entry of a directory: `values` by lower-case name, `names` as they were published."""

    dn: str
    values: Mapping[str, tuple[str, ...]]
    names: Mapping[str, str]

    def first(self, name: str) -> str:
        """The first text of an attribute (lower-case name), "" for none."""
        return next(iter(self.values.get(name, ())), "")

    def every(self, name: str) -> tuple[str, ...]:
        return self.values.get(name, ())

    def key(self, kind: str) -> str:
        """What `GlueForeignKey: kind=X` or `GlueChunkKey: kind=X` names; "" for none. `kind` is lower case."""
        keys = (text.partition("=") for name in ("glueforeignkey", "gluechunkkey") for text in self.every(name))
        return next((value.strip() for name, _, value in keys if name.strip().casefold() == kind), "")


def record(dn: str, pairs: Iterable[tuple[str, Sequence[str]]]) -> Record:
    """A record of names with their texts; a name may come again, options (`;lang-en`) do not count."""
    values: dict[str, tuple[str, ...]] = {}
    names: dict[str, str] = {}
    for name, texts in pairs:
        bare = name.partition(";")[0]
        names.setdefault(bare.casefold(), bare)
        values[bare.casefold()] = (*values.get(bare.casefold(), ()), *texts)
    return Record(dn, values, names)


def by_class(records: Iterable[Record], classes: Collection[str]) -> dict[str, list[Record]]:
    """The records of each of these object classes (lower case), sorted by name: their order does not matter."""
    shelves: dict[str, list[Record]] = {name: [] for name in classes}
    for one in records:
        for name in {text.casefold() for text in one.every("objectclass")} & shelves.keys():
            shelves[name].append(one)
    return {name: sorted(found, key=lambda one: (one.dn.casefold(), sorted(one.values.items())))
            for name, found in shelves.items()}


def attributes(one: Record) -> dict[str, Any]:
    """All that a GLUE 1.3 record publishes, by published name, with values as the schema types them."""
    typed = {one.names[name]: value(name, texts) for name, texts in one.values.items() if name not in HIDDEN}
    return {name: item for name, item in typed.items() if item is not None}


def value(name: str, texts: Sequence[str]) -> Any:
    """The texts of an attribute (lower-case name) as its value; None: as if it were not published."""
    if name in LISTS:
        return list(texts)
    if name in NUMBERS:
        return _integer(texts[0]) if len(texts) == 1 else None
    if len(texts) != 1:
        return list(texts) or None
    return texts[0] if name in TEXTS or name.endswith("uniqueid") else unquoted(texts[0])


def unquoted(text: str) -> Any:
    """Truth values and what looks like an integer are no text; `undefined` is None."""
    if (fold := text.casefold()) in _TRUTH:
        return _TRUTH[fold]
    found = _integer(text)
    return None if fold == "undefined" else text if found is None else found


def _integer(text: str) -> int | None:
    return int(text) if _INTEGER.fullmatch(text) else None
