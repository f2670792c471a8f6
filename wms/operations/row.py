"""The form of a row of the operations table and of its records; the rows are beside it, a topic a file.

Router, client, authorisation, reference and tests are derived from the rows. Handlers are in the daemons.
"""

from __future__ import annotations

from collections.abc import Mapping
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

    `most_bytes` is the limit of a JSON body, 0: the usual one. `action` is what the policy speaks of, see
    `wms.authz.actions`.
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
    action: str = ""

    def url(self, **params: object) -> str:
        """The path with its parameters filled in, each percent-encoded whole."""
        return self.path.format_map({k: quote(str(v), safe="") for k, v in params.items()})


USUAL: Mapping[Right, str] = {"anyone": "look", "attempt": "attempt", "logger": "log", "admin": "administer",
                             "reader": "read"}
"""The action of a row that names none; else it is `read` of a GET."""


def ns(name: str, method: str, path: str, right: Right, about: str, **more: Any) -> Operation:
    """A row of the Network Server; `path` is below /ns/v1."""
    return _row("ns", name, method, "/ns/v1" + path, right, about, **more)


def lb(name: str, method: str, path: str, right: Right, about: str, **more: Any) -> Operation:
    """A row of Logging & Bookkeeping; `path` is whole, as a job identifier is one too."""
    return _row("lb", name, method, path, right, about, **more)


def _row(daemon: str, name: str, method: str, path: str, right: Right, about: str, **more: Any) -> Operation:
    action = more.pop("action", "") or USUAL.get(right, "read" if method == "GET" else "")
    if not action:
        raise ValueError(f"the operation {daemon}.{name} needs an action")
    return Operation(f"{daemon}.{name}", daemon, method, path, right, about, action=action, **more)
