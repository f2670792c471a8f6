"""docs/reference/operations.md: the remote operations and their records, from wms.operations."""

from __future__ import annotations

from collections.abc import Iterator
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec

from docs.markdown import code, codes, page, table
from wms.operations import OPERATIONS, Operation, Record

RIGHTS = {
    "anyone": "no certificate is needed",
    "user": "a verified certificate or proxy",
    "owner": "the certificate or proxy of the one who registered the job",
    "reader": "who may read the job: its owner, whom its access list or the policy of the server names",
    "logger": "a verified certificate or proxy, or the capability token of an attempt, for its own job",
    "admin": "an administrator of the server",
    "attempt": "`Authorization: Bearer` with the capability token of this attempt of this job",
}
STREAMS = {"up": "the body is the file; `Digest: sha-256=HEX` is checked", "down": "the answer is the file",
           "page": "the answer is HTML, text or JSON, or a stream"}
INTRODUCTION = """
All operations are HTTPS with JSON bodies, described by records. An error is the JSON object
`{code, message, hint, details}` with the status of its class (see [errors](errors.md)). Operations marked *key*
need a header `Idempotency-Key` of 8 to 128 visible characters: the same key with the same request gets the first
answer and has no second effect.
"""


def text() -> str:
    rows = [(code(one.name), f"{one.method} {code(one.path)}", one.right, _request(one), _reply(one), _about(one))
            for one in OPERATIONS.values()]
    used = {one.right for one in OPERATIONS.values()}
    records = [f"### {kind.__name__}\n\n{_doc(kind)}" + _fields(kind) for kind in _records()]
    return page("Remote operations", "wms.operations", INTRODUCTION,
                table(("operation", "where", "right", "request", "reply", "what"), rows),
                "## Rights", table(("right", "who"), [(name, RIGHTS[name]) for name in RIGHTS if name in used]),
                "## Records", *records)


def _request(one: Operation) -> str:
    parts = [one.request.__name__ if one.request else "", f"query {codes(one.query)}" if one.query else "",
             "*key*" if one.idempotency_key else ""]
    return ", ".join(filter(None, parts))


def _reply(one: Operation) -> str:
    if one.reply is None:
        return ""
    return one.reply.__name__ if issubclass(one.reply, Record) else "status record"


def _about(one: Operation) -> str:
    return f"{one.about} ({STREAMS[one.stream]})" if one.stream else one.about


def _records() -> Iterator[type[Record]]:
    """Every record that an operation or another record names, in the order of the table, each once."""
    seen: dict[type[Record], None] = {}
    for one in OPERATIONS.values():
        for kind in (one.request, one.reply):
            _collect(kind, seen)
    yield from seen


def _collect(kind: Any, seen: dict[type[Record], None]) -> None:
    if isinstance(kind, type) and issubclass(kind, Record) and kind not in seen:
        seen[kind] = None
        for item in msgspec.structs.fields(kind):
            _collect(item.type, seen)
    for inner in get_args(kind):
        _collect(inner, seen)


def _doc(kind: type[Record]) -> str:
    own = kind.__dict__.get("__doc__") or ""
    return " ".join(own.split()) + "\n\n" if own else ""


def _fields(kind: type[Record]) -> str:
    items = msgspec.structs.fields(kind)
    rows = [(code(item.name), _type(item.type), "" if item.required else code(_default(item))) for item in items]
    return table(("field", "type", "default"), rows) if rows else "No fields.\n"


def _default(item: msgspec.structs.FieldInfo) -> str:
    factory = item.default_factory
    return msgspec.json.encode(item.default if factory is msgspec.NODEFAULT else factory()).decode()


def _type(kind: Any) -> str:
    match get_origin(kind):
        case None:
            return str(kind.__name__) if isinstance(kind, type) else "anything"
        case origin if origin is Annotated:
            return _type(get_args(kind)[0])
        case origin if origin is Literal:
            return "one of " + ", ".join(map(str, get_args(kind)))
        case origin if origin in (Union, UnionType):
            return " or ".join(_type(one) for one in get_args(kind))
        case origin if origin is tuple:
            return f"list of {_type(get_args(kind)[0])}"
        case _:
            key, value = get_args(kind)
            return f"object of {_type(key)}: {_type(value)}"
