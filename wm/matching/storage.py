"""What a snapshot says of storage: which SEs are close to a CE and where mounted, what protocols an SE offers.

Pure look-ups in GLUE 1.3 attributes, however a source nests them. Not where files are (data).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from wms.jdl.values import Prepared
from wms.resource import ComputingElement

FILE = "file"
"""The protocol that needs a mount point rather than a port."""
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]*)?")


class Protocol(NamedTuple):
    """A way into an SE; `name` in lower case, `port` 0: not said."""

    name: str
    port: int = 0


def host_of(url: str) -> str:
    """The SE that a storage URL or a bare host name means, in lower case; "" for none."""
    _, scheme, rest = url.partition("://")
    place = rest.partition("/")[0].rpartition("@")[2] if scheme else url
    found = _HOST.fullmatch(place)
    return found[1].casefold() if found else ""


def close(ce: ComputingElement) -> dict[str, str]:
    """The SEs bound to a CE by name in lower case, with the mount point ("" if there is none)."""
    bound = ce.prepared.get("gluecesebindgroupseuniqueid")
    found = {name.casefold(): "" for name in (bound if isinstance(bound, list) else ()) if isinstance(name, str)}
    for record in _records(ce.prepared.get("closestorageelements")):
        if isinstance(name := record.get("name"), str):
            mount = record.get("mount")
            found[name.casefold()] = mount if isinstance(mount, str) else ""
    return found


def protocols(se: Prepared) -> tuple[Protocol, ...]:
    """The access protocols of an SE, sorted: records of type and port, or names with ports beside them."""
    told = [item for name, value in se.items() if name.startswith(_PROTOCOLS) for item in _protocols(name, value, se)]
    return tuple(sorted({item.name: item for item in sorted(told)}.values()))


_PROTOCOLS = ("glueseaccessprotocol", "accessprotocol")
_TYPE, _PORT = "type", "port"


def _protocols(name: str, value: Any, se: Prepared) -> Iterator[Protocol]:
    for record in _records(value):
        kind = _ending(record, _TYPE) or _ending(record, "name")
        if isinstance(kind, str):
            yield Protocol(kind.casefold(), _port(_ending(record, _PORT)))
    if name.endswith(_TYPE):
        kinds, ports = _listed(value), _listed(se.get(name.removesuffix(_TYPE) + _PORT))
        for number, kind in enumerate(kinds):
            if isinstance(kind, str):
                yield Protocol(kind.casefold(), _port(ports[number] if number < len(ports) else 0))


def _ending(record: Mapping[str, Any], ending: str) -> Any:
    """The value of the attribute called so, with whatever prefix."""
    return next((value for name, value in record.items() if name.endswith(ending)), None)


def _port(value: Any) -> int:
    return int(value) if isinstance(value, int | str) and str(value).isdecimal() and int(value) < 65_536 else 0


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _records(value: Any) -> list[Prepared]:
    return [item for item in _listed(value) if isinstance(item, Prepared)]
