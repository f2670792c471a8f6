"""Capabilities of attempts: none, another's, forged or over, in every operation of attempts."""

from __future__ import annotations

from collections.abc import Callable

from tests.gallery.case import Ask, Case
from tests.gallery.house import House
from tests.gallery.operations import ask, rows
from wms.operations import Operation

ROWS = rows("attempt")
ANSWERED_AGAIN = {"ns.attempt_done"}
"""A last word that is repeated is answered as before, and does not count."""
SHOWN: dict[str, tuple[int, str, Callable[[House], str]]] = {
    "nothing": (401, "NS_AUTHENTICATION", lambda h: ""),
    "capability of another job": (403, "WMS_CAPABILITY_FOREIGN", lambda h: h.capability(h.waiting)),
    "capability of another attempt": (403, "WMS_CAPABILITY_FOREIGN", lambda h: h.capability(h.running, 2)),
    "capability expired": (401, "UI_PROXY_EXPIRED", lambda h: h.capability(h.running, life_s=-1)),
    "capability forged": (401, "UI_PROXY_INVALID", lambda h: h.capability(h.running, secret=b"s" * 32)),
}


def case(row: Operation, what: str) -> Case:
    status, code, make = SHOWN[what]

    def asks(h: House) -> Ask:
        shown = make(h)
        headers = (("Authorization", f"Bearer {shown}"),) if shown else ()
        return ask(h, row, headers=headers, unique=h.running)

    return Case(f"{what} in {row.name}", status, code, asks)


def over(row: Operation) -> Case:
    return Case(f"capability of a closed attempt in {row.name}", 409, "NS_OPERATION_NOT_ALLOWED", lambda h: ask(
        h, row, headers=(("Authorization", f"Bearer {h.capability(h.done)}"),), unique=h.done))


CASES = (
    *(case(row, what) for row in ROWS for what in SHOWN),
    *(over(row) for row in ROWS if row.name not in ANSWERED_AGAIN),
    Case("token of a user in an attempt", 401, "UI_PROXY_INVALID", lambda h: ask(
        h, ROWS[0], headers=(("Authorization", f"Bearer {h.token()}"),), unique=h.running)),
    Case("certificate of the owner in an attempt", 401, "NS_AUTHENTICATION",
         lambda h: ask(h, ROWS[0], h.alice, unique=h.running)),
)
