"""A request for any row of the table of operations, as it would be right."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tests.gallery.case import Ask
from tests.gallery.house import ABOUT, DATA, House, key
from wms.operations import OPERATIONS, Operation
from wms.x509.proxy import Proxy

BODIES: Mapping[str, bytes] = {
    "InputEnd": b'{"at": 0}', "Acknowledgement": b'{"after": 0}', "Conditions": ABOUT, "NewNotification": ABOUT,
    "RegisterRequest": b'{"jdl": "[Executable = \\"/bin/true\\";]", "delegation": "main"}',
    "ListMatchRequest": b'{"jdl": "[Executable = \\"/bin/true\\";]"}', "DelegationChain": b'{"chain_pem": ""}',
    "StartRequest": b'{"nonce": "another", "node": "n", "sequence_code": ""}', "JobIds": b'{"jobs": []}',
    "ReasonsRequest": b'{"jobs": []}', "DrainRequest": b'{"ce": "local", "reason": "x"}',
    "ResumeRequest": b'{"ce": "local"}', "CheckRequest": b'{"ce": "local"}', "PerusalFiles": b'{"files": ["out"]}'}

STREAMS = {"ns.attempt_save_state": b"step one\ncurrent 0\n",
           "ns.attempt_events": b"event\0UserTag\0name\0x\0value\0y\0"}


def rows(*rights: str, having: str = "") -> list[Operation]:
    """Those of these rights, with such a parameter in their path."""
    return [row for row in OPERATIONS.values() if row.right in rights and (not having or f"{{{having}}}" in row.path)]


def ask(house: House, row: Operation, credential: Proxy | None = None, headers: tuple[tuple[str, str], ...] = (),
        **params: Any) -> Ask:
    usual = {"unique": house.waiting, "name": "data", "attempt": 1, "number": 1, "offset": 0, "delegation": "mine",
             "tag": "t", "node": 0, "id": house.notification, "feed": "finished", "file": "x"}
    body = b"" if row.method in ("GET", "DELETE") else DATA if row.stream == "up" else b"{}"
    if row.request is not None:
        body = BODIES.get(row.request.__name__, b"{}")
        json.loads(body)
    more = key() if row.idempotency_key else ()
    path = row.url(**{**usual, **params}) + ("?json" if "json" in row.query else "")
    return Ask(row.method, path, STREAMS.get(row.name, body), (*headers, *more), credential)
