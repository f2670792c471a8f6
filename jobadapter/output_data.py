"""Where the files of OutputData go: storage elements that the CE is close to and that a worker node can reach.

Pure: a description and the broker information in, URLs to try out. The copying is in jobadapter.wrapper_data.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from jobadapter.broker_record import read, record, records
from wms.jdl.description import JobDescription
from wms.jdl.evaluate import evaluate
from wms.jdl.values import prepare

SECURE = ("https", "davs")
"""Protocols that take a PUT of HTTPS."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A file of the job to store, and URLs to try in turn: `file://SE/PATH` is a path on the worker node."""

    file: str
    places: tuple[str, ...] = ()


def report_name(unique: str) -> str:
    """The report that comes back with the output."""
    return f"DSUpload_{unique}.out"


def wanted(description: JobDescription, broker_info: str, unique: str) -> tuple[Stored, ...]:
    """Each OutputFile with the places it may go: its StorageElement, else OutputSE, else any close one."""
    asked = list(_asked(description))
    known = read(broker_info) if asked else {}
    return tuple(Stored(file, tuple(_places(file, se or description.output_se, known, unique))) for file, se in asked)


def _asked(description: JobDescription) -> Iterator[tuple[str, str]]:
    expression = description.ad.get("OutputData")
    value = None if expression is None else evaluate(expression, description.ad)
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, Mapping):
            folded = prepare(one)
            se = folded.get("storageelement")
            yield str(folded.get("outputfile", "")), se if isinstance(se, str) else ""


def _places(file: str, se: str, known: Mapping[str, Any], unique: str) -> Iterator[str]:
    name = f"generated/{unique}/{file.removeprefix('./')}"
    near = [one for one in records(record(known.get("computingelement")).get("closestorageelements"))
            if not se or str(one.get("name", "")).casefold() == se.casefold()]
    for one in near:
        mount = one.get("mount")
        if isinstance(mount, str) and mount.startswith("/"):
            yield f"file://{one.get('name')}{mount.rstrip('/')}/{name}"
    offered = {str(one.get("name", "")).casefold(): one for one in records(known.get("storageelements"))}
    for host in [str(one.get("name", "")) for one in near] or [se]:
        yield from _secure(host, offered.get(host.casefold(), {}), name)


def _secure(host: str, storage: Mapping[str, Any], name: str) -> Iterator[str]:
    for protocol in records(storage.get("protocols")):
        if protocol.get("name") in SECURE:
            port = protocol.get("port")
            yield f"https://{host}{f':{port}' if port else ''}/{quote(name)}"
