"""Where the wrapper may get the InputData of a job from: replicas that the match knew, the closest first.

Pure: a description and the broker information in, URLs to try out. The copying is in jobadapter.wrapper_staging.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from jobadapter.broker_record import read, record, records
from wms.errors import JdlInvalid
from wms.jdl.description import JobDescription
from wms.sandbox import data_name, flat_problems

SCHEMES: Final[Mapping[str, str]] = {
    "https": "https", "davs": "https", "http": "http", "dav": "http", "gsiftp": "gsiftp", "root": "root",
    "xroot": "root", "srm": "srm",
}
"""By protocol (of DataAccessProtocol, of an SE, of a storage URL), the scheme of the URL that a node can fetch."""

_URL = re.compile(r"(?P<scheme>[a-z0-9.+-]+)://(?:[^/@]*@)?(?P<host>\[[0-9a-f:.]+\]|[^/:]*)(?::(?P<port>\d*))?(?P<path>/.*)",
                  re.IGNORECASE)
_SAFE: Final = "/:=@,+~%?&"


@dataclass(frozen=True, slots=True)
class Staged:
    """A logical file to copy: its name in the working directory, URLs to try in turn (`file:///PATH`: on the node)."""

    name: str
    logical: str
    places: tuple[str, ...] = ()


class Replica:
    """A storage URL: `path` on the SE, `query` what else stands in the URL of a service (SRM) instead of it."""

    __slots__ = ("host", "path", "port", "query", "scheme")

    def __init__(self, found: re.Match[str]) -> None:
        self.scheme, self.host = found["scheme"].lower(), found["host"].casefold()
        self.port = int(found["port"] or 0)
        _, asked, path = found["path"].rpartition("?SFN=")
        self.path, self.query = path if asked else found["path"], found["path"] if asked else ""


def staged(description: JobDescription, broker_info: str) -> tuple[Staged, ...]:
    """The files of `StageInputData`; nothing is asked for: nothing. Raises JdlInvalid for names that clash."""
    if not description.stage_input_data:
        return ()
    known = read(broker_info)
    near = records(record(known.get("computingelement")).get("closestorageelements"))
    mounts = {_folded(one.get("name")): one.get("mount") for one in near}
    offered = {_folded(one.get("name")): _ports(one) for one in records(known.get("storageelements"))}
    wanted = [name.lower() for name in description.data_access_protocols]
    found = tuple(Staged(data_name(name), name, tuple(dict.fromkeys(_places(urls, wanted, mounts, offered))))
                  for name, urls in _files(known) or [(name, []) for name in description.input_data])
    if problems := flat_problems([*(file.name for file in found), *description.input_names]):
        raise JdlInvalid(f"InputData: {problems[0]}")
    return found


def _files(known: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
    return [(str(one.get("name", "")), [url for url in one.get("sfns") or [] if isinstance(url, str)])
            for one in records(known.get("inputfns"))]


def _folded(name: object) -> str:
    return str(name or "").casefold()


def _ports(storage: Mapping[str, Any]) -> dict[str, int]:
    """The port of each protocol that an SE speaks, 0: the usual one."""
    return {_folded(one.get("name")): one.get("port") or 0 for one in records(storage.get("protocols"))}


def _places(urls: list[str], wanted: list[str], mounts: Mapping[str, Any],
            offered: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    """Replicas at close SEs in their order, then the others; each by the protocols of the job in their order."""
    order = list(mounts)
    replicas = [Replica(found) for url in urls if (found := _URL.fullmatch(url))]
    for one in sorted(replicas, key=lambda replica: _rank(order, replica.host)):
        for protocol in wanted:
            yield from _ways(one, protocol, mounts.get(one.host), offered.get(one.host, {}))


def _rank(order: list[str], host: str) -> int:
    return order.index(host) if host in order else len(order)


def _ways(one: Replica, protocol: str, mount: object, offered: Mapping[str, int]) -> Iterator[str]:
    """How one replica is reached by one protocol: a mounted SE as a file, else at the port of the URL or of the SE."""
    scheme = SCHEMES.get(protocol, "")
    if protocol == "file":
        if isinstance(mount, str) and mount.startswith("/"):
            yield from (f"file://{path}" for path in _mounted(mount.rstrip("/"), one.path))
        if one.scheme == "file" and one.host in ("", "localhost"):
            yield f"file://{one.path}"
    elif scheme and SCHEMES.get(one.scheme) == scheme:
        yield _url(scheme, one.host, one.port, one.query or one.path)
    elif scheme and one.scheme in ("srm", "sfn") and protocol in offered:
        yield _url(scheme, one.host, offered[protocol], one.path)


def _mounted(mount: str, path: str) -> Iterator[str]:
    """A path of an SE where the SE is mounted: it may begin with the mount point already."""
    if path.startswith(f"{mount}/"):
        yield path
    yield mount + path


def _url(scheme: str, host: str, port: int, path: str) -> str:
    path = f"//{path.lstrip('/')}" if scheme == "root" else path
    return f"{scheme}://{host}{f':{port}' if port else ''}{quote(path, safe=_SAFE)}"
