"""The remote operations of a daemon as an OpenAPI 3.1 document, derived from their table, their records and the errors.

Not the table itself, and nothing that the table does not say: what a row lacks is said there, not here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

import msgspec

from wms.errors import every_error
from wms.jobstatus import JobStatus
from wms.operations import OPERATIONS, Operation
from wms.operations.row import Record
from wms.version import VERSION

JSON: Final = "application/json"
BYTES: Final = "application/octet-stream"
LINES: Final = "application/x-ndjson"
PAGES: Final = ("text/html", "text/plain", JSON, "application/rss+xml", "application/atom+xml", "text/event-stream",
                LINES)
TITLES: Final = {"ns": "Network Server", "lb": "Logging & Bookkeeping"}
_REF = "#/components/schemas/{name}"
_CERTIFICATE: dict[str, list[str]] = {"certificate": []}
_TOKEN: dict[str, list[str]] = {"token": []}
SECURITY: Final[Mapping[str, list[dict[str, list[str]]]]] = {
    "anyone": [], "user": [_CERTIFICATE], "owner": [_CERTIFICATE], "reader": [_CERTIFICATE], "admin": [_CERTIFICATE],
    "attempt": [_TOKEN], "logger": [_CERTIFICATE, _TOKEN],
}
_SCHEMES = {
    "certificate": {"type": "mutualTLS", "description": "A certificate of the grid, or a proxy of it (RFC 3820)."},
    "token": {"type": "http", "scheme": "bearer", "description": "The capability token of an attempt of a job."},
}
_NUMBERS = frozenset({"wait_s", "newer_than", "limit", "since", "until", "after", "resolution"})
_DONE: Final = {"lb.purge": ("200", "202"), "lb.purge_progress": ("200", "202")}  # it may go on behind
_KEY = {"name": "Idempotency-Key", "in": "header", "required": True,
        "description": "The same key with the same request gets the first answer and has no second effect.",
        "schema": {"type": "string", "pattern": "^[!-~]{8,128}$"}}


class Error(Record, frozen=True):
    """What every refusal says."""

    code: str
    message: str
    hint: str
    details: dict[str, Any]


@lru_cache(maxsize=4)
def document(daemon: str = "") -> dict[str, Any]:
    """The document of a daemon, "ns" or "lb"; of all by default."""
    rows = [row for row in OPERATIONS.values() if daemon in ("", row.daemon)]
    schemas, components = msgspec.json.schema_components(_records(rows), ref_template=_REF)
    named = dict(zip(_records(rows), schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for row in rows:
        paths.setdefault(row.path, {})[row.method.lower()] = _operation(row, named)
    statuses = sorted({status for row in rows for status in _refusals(row)})
    return {
        "openapi": "3.1.0",
        "info": {"title": f"WMS {TITLES.get(daemon, '')}".strip(), "version": VERSION},
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": _SCHEMES, "responses": {
            _response_name(status): _refusal(status, named[Error], JSON) for status in statuses}},
    }


def _records(rows: Iterable[Operation]) -> list[Any]:
    """Every record that a row names, each once."""
    found: dict[Any, None] = {Error: None}
    for row in rows:
        found.update(dict.fromkeys(kind for kind in (row.request, _reply(row)) if kind is not None))
    return list(found)


def _reply(row: Operation) -> Any:
    """A reply without a record of its own is the status of a job, or open."""
    return JobStatus if row.reply is dict and "{unique}" in row.path else row.reply


def _operation(row: Operation, named: Mapping[Any, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "operationId": row.name, "tags": [row.daemon], "summary": row.about, "security": SECURITY[row.right],
        "parameters": list(_parameters(row)),
        "responses": {**dict.fromkeys(_DONE.get(row.name, ("200",)), _answer(row, named)), **{
            str(status): _refusal(status, named[Error], *PAGES[:3]) if row.stream == "page"
            else {"$ref": f"#/components/responses/{_response_name(status)}"} for status in _refusals(row)}}}
    if row.request is not None:
        found["requestBody"] = {"required": True, "content": {JSON: {"schema": named[row.request]}}}
    elif row.stream == "up":
        found["requestBody"] = {"required": True, "content": {BYTES: {}}}
    return found


def _parameters(row: Operation) -> Iterator[dict[str, Any]]:
    for name in re.findall(r"\{(\w+)\}", row.path):
        yield {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
    for name in row.query:
        yield {"name": name, "in": "query", "schema": {"type": "number", "minimum": 0} if name in _NUMBERS
               else {"type": "string"}}
    if row.idempotency_key:
        yield _KEY


def _answer(row: Operation, named: Mapping[Any, Any]) -> dict[str, Any]:
    match row.stream:
        case "page":
            return {"description": "A page, in the form that was asked for.", "content": {kind: {} for kind in PAGES}}
        case "down":
            return {"description": "The file.", "content": {BYTES: {}}}
        case _:
            lines: dict[str, Any] = {LINES: {}} if "stream" in row.query else {}
            return {"description": "Done.", "content": {JSON: {"schema": named[_reply(row)]}, **lines}}


def _refusals(row: Operation) -> list[int]:
    """The statuses with which an operation of this form may refuse."""
    found = {400, 401, 403, 413, 503, 504}
    if "{" in row.path or row.stream == "page" or row.query:
        found |= {404, 410}
    if row.right in ("owner", "attempt"):
        found |= {409}
    if row.method != "GET":
        found |= {404, 409, 410, 422, 428}
    return sorted(found)


def _refusal(status: int, schema: Any, *kinds: str) -> dict[str, Any]:
    codes = sorted({error.code for error in every_error() if error.status == status})
    return {"description": ", ".join(codes) or "what was sent is too large",
            "content": {kind: {"schema": schema} if kind == JSON else {} for kind in kinds}}


def _response_name(status: int) -> str:
    return f"Refused{status}"
