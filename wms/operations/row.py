"""The form of a row of the operations table and of its records; the rows are beside it, a topic a file.

Router, client, authorisation, reference and tests are derived from the rows. Handlers are in the daemons.
"""

from __future__ import annotations

from typing import Any, Literal
from urllib.parse import quote

import msgspec

__all__ = ["Operation", "Record", "Right", "Stream", "lb", "ns"]

Right = Literal["anyone", "user", "owner", "reader", "attempt", "logger", "admin"]
Stream = Literal["", "up", "down", "page"]


class Record(msgspec.Struct, frozen=True, omit_defaults=True):
    """Base of request and reply records (JSON objects)."""


class Operation(msgspec.Struct, frozen=True):
    """One row. `idempotent_key` operations demand an Idempotency-Key header; `query` names the URL parameters.

    `most_bytes` is the limit of a JSON body, 0: the usual one.
    """

    name: str
    daemon: str
    method: str
    path: str
    right: Right
    about: str
    request: type[Record] | None = None
    reply: type[Any] | None = None
    stream: Stream = ""
    idempotency_key: bool = False
    query: tuple[str, ...] = ()
    most_bytes: int = 0

    def url(self, **params: object) -> str:
        """The path with its parameters filled in, each percent-encoded whole."""
        return self.path.format_map({k: quote(str(v), safe="") for k, v in params.items()})


def ns(name: str, method: str, path: str, right: Right, about: str, **more: Any) -> Operation:
    """A row of the Network Server; `path` is below /ns/v1."""
    return Operation("ns." + name, "ns", method, "/ns/v1" + path, right, about, **more)


def lb(name: str, method: str, path: str, right: Right, about: str, **more: Any) -> Operation:
    """A row of Logging & Bookkeeping; `path` is whole, as a job identifier is one too."""
    return Operation("lb." + name, "lb", method, path, right, about, **more)
