"""What the information system tells of a computing or storage element; built once, never changed.

Not where it comes from (purchasers) nor how sources are merged (supermarket).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from wms.jdl.values import Prepared

LISTS = {name.casefold(): name for name in (
    "GlueCEAccessControlBaseRule", "GlueCECapability", "GlueHostApplicationSoftwareRunTimeEnvironment",
    "GlueCESEBindGroupSEUniqueID", "GlueClusterService", "GlueSEHostingSL", "GlueSAAccessControlBaseRule",
    "GlueSACapability", "GlueSEAccessProtocolSupportedSecurity", "GlueSEAccessProtocolCapability",
    "GlueSEControlProtocolCapability")}
"""Attributes with many values in GLUE 1.3: a single value given for one of them is made a list."""


@dataclass(frozen=True, slots=True)
class ComputingElement:
    """One queue as users see it: `attributes` by GLUE 1.3 names, `prepared` the same ready for evaluation.

    `source` names who told, `updated` and `expires` are epoch seconds. `backend` is the configured instance
    that runs its jobs and `queue` the name it knows the queue by. A view of a CE, which only some users have,
    is an element of its own: `id` is `base`/VIEW, and jobs go to the CE `base`.
    """

    id: str
    attributes: Mapping[str, Any]
    prepared: Prepared = field(repr=False, compare=False)
    source: str
    updated: float
    expires: float
    backend: str = ""
    queue: str = ""
    base: str = ""

    @property
    def destination(self) -> str:
        """The id of the CE that jobs are told: GlueCEUniqueID."""
        return self.base or self.id

    @property
    def host(self) -> str:
        """GlueCEInfoHostName: what previous attempts are remembered by."""
        return str(self.attributes["GlueCEInfoHostName"])


@dataclass(frozen=True, slots=True)
class StorageElement:
    """As `ComputingElement`, of a storage element."""

    id: str
    attributes: Mapping[str, Any]
    prepared: Prepared = field(repr=False, compare=False)
    source: str
    updated: float
    expires: float


def completed(id: str, attributes: Mapping[str, Any]) -> dict[str, Any]:
    """`attributes` of a CE with its id and host (what precedes ':' in the id), and `LISTS` made lists.

    The names that the broker itself relies on come out in their canonical spelling.
    """
    folded = {name.casefold(): (name, value) for name, value in attributes.items()}
    folded["glueceuniqueid"] = ("GlueCEUniqueID", id)
    host = folded.get("glueceinfohostname", ("", id.partition(":")[0]))[1]
    folded["glueceinfohostname"] = ("GlueCEInfoHostName", host)
    for fold in LISTS.keys() & folded.keys():
        name, value = LISTS[fold], folded[fold][1]
        folded[fold] = (name, list(value) if isinstance(value, (list, tuple)) else [value])
    return dict(folded.values())
