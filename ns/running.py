"""What calls about a running attempt have in common: whose it is, whether it lives, places in its streams."""

from __future__ import annotations

import sqlalchemy as sa

from ns import store
from wms.errors import NotAllowedNow, Refused
from wms.httpd import Call


def attempt_of(call: Call) -> tuple[str, int]:
    """Job and number of the attempt whose wrapper calls."""
    assert call.capability is not None
    return call.params["unique"], call.capability.attempt


def check_live(conn: sa.Connection, id: str, number: int) -> store.Attempt:
    """The attempt, between the start of its payload and its last word; NotAllowedNow otherwise."""
    row = store.attempt(conn, id, number)
    if row is None or row.started is None or row.reported is not None or row.closed is not None:
        raise NotAllowedNow("This attempt is not running.", value=number)
    return row


def check_open(conn: sa.Connection, id: str, number: int) -> None:
    """Raises NotAllowedNow for an attempt that is over: it had its last word, or it was closed, or its job has ended.

    One that has not begun yet is open: its wrapper fetches what it needs.
    """
    row = store.attempt(conn, id, number)
    if row is not None and (row.reported is not None or row.closed is not None):
        raise NotAllowedNow("This attempt is over.", value=number)
    if store.job(conn, id).phase != store.STARTED:
        raise NotAllowedNow("The job of this attempt is over.", value=number)


def place(text: str, what: str = "offset") -> int:
    """A number of a URL, not negative; raises Refused."""
    if not (text.isdecimal() and text.isascii() and len(text) < 19):
        raise Refused(f"`{what}` is a number.", parameter=what)
    return int(text)
