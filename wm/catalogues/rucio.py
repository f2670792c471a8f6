"""Rucio's REST interface: POST /replicas/list with data identifiers, an answer of one JSON record a line. Pure.

A logical name is SCOPE:NAME after its prefix; a name without scope gets the one of the configuration.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from wm.catalogues.catalogue import Found
from wms.errors import Unavailable

PATH = "/replicas/list"
HEADERS = {"Content-Type": "application/json", "Accept": "application/x-json-stream"}
TOKEN = "X-Rucio-Auth-Token"
MOST_URLS = 1_000
PREFIXES = ("si-lfn:", "lfn:")
Did = tuple[str, str]
"""Scope and name."""


class _Replica(msgspec.Struct):
    scope: str
    name: str
    bytes: int | None = None
    rses: dict[str, list[str]] = {}
    pfns: dict[str, object] = {}


_decode = msgspec.json.Decoder(_Replica).decode


def did(name: str, scope: str = "") -> Did | None:
    """The data identifier of a logical name; None for what Rucio cannot know (a guid, no scope)."""
    prefix = next((prefix for prefix in PREFIXES if name.startswith(prefix)), None)
    if prefix is None:
        return None
    before, colon, after = name.removeprefix(prefix).partition(":")
    found = (before, after) if colon else (scope, before)
    return found if all(found) else None


def request(dids: Iterable[Did]) -> bytes:
    return msgspec.json.encode({"dids": [{"scope": scope, "name": name} for scope, name in dids]})


UNKNOWN = 404
"""One of the identifiers is not known: of a request for a single one that is an answer."""


def answer(status: int, body: bytes) -> Mapping[Did, Found]:
    """The replicas by data identifier; Unavailable for an error or what is no answer."""
    if status != 200:
        raise Unavailable(f"the answer is {status}: {body[:200].decode(errors='replace')}")
    try:
        records = [_decode(line) for line in body.splitlines() if line.strip()]
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Unavailable(f"not an answer: {error}") from None
    return {(one.scope, one.name): Found(_urls(one), -1 if one.bytes is None else one.bytes) for one in records}


def _urls(record: _Replica) -> tuple[str, ...]:
    urls = [*record.pfns, *(url for listed in record.rses.values() for url in listed)]
    return tuple(dict.fromkeys(urls))[:MOST_URLS]
