"""What lb-notify asks and tells: registrations, and notices as they come."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any
from uuid import uuid4

import msgspec

from clients.bookkeeping import Bookkeeping, variable
from clients.errors import ArgumentMissing, ArgumentWrong, ListenerReplaced
from clients.session import Session
from clients.settings import LB_PORT, Place, place
from clients.transport import Connection
from wms.errors import Unavailable
from wms.operations import OPERATIONS
from wms.operations.notifications import (
    Acknowledgement,
    Asked,
    AskedConditions,
    Destination,
    NewNotification,
    Notification,
    Validity,
)
from wms.operations.notifications import Conditions as ConditionsOf

PREFIX = "NOTIF:"
AGAIN_S = 2.0


def book_of(session: Session, given: str) -> Bookkeeping:
    """For a command about notifications, with the time limit that the environment has for them."""
    return Bookkeeping.of(session, given, "NOTIF_TIMEOUT")


def server_of(book: Bookkeeping, environment: Mapping[str, str], id: str = "") -> Connection:
    """The server of a notification's identifier, or where new ones are made."""
    if id.startswith("https://") and not book.given:
        found = place(id, LB_PORT)
        return book.client.at(Place(found.host, found.port))
    named = variable(environment, "NOTIF_SERVER")
    return book.client.at(place(named, LB_PORT), chosen=True) if named and not book.given else book.server()


def unique(id: str) -> str:
    """The part of an identifier that a server needs."""
    found = id.rpartition("/")[2].removeprefix(PREFIX)
    if not found:
        raise ArgumentWrong(f"{id!r} is no identifier of a notification.", hint="https://HOST:PORT/NOTIF:UNIQUE")
    return found


def conditions(options: Mapping[str, Sequence[str]], changed: Sequence[str] = ()) -> AskedConditions:
    """Each attribute with its alternatives; `changed` attributes must have changed, too."""
    groups = [tuple(Asked(name, "=", value) for value in values) for name, values in options.items() if values]
    groups += [(Asked(name, "changed"),) for name in changed]
    if not groups:
        raise ArgumentMissing("Say which jobs: --jobid, --owner, --own, --network-server, --vo or --states.")
    return tuple(groups)


def of_jdl(vo: Asked) -> Asked:
    """A condition on the virtual organisation, which is an attribute of the description."""
    return Asked("jdl", "=", vo.value, name="VirtualOrganisation")


def new(server: Connection, asked: NewNotification) -> Notification:
    reply: Notification = server.call(OPERATIONS["lb.notify_new"], asked, key=uuid4().hex)
    return reply


def bind(server: Connection, id: str, destination: str, validity_s: float) -> Notification:
    reply: Notification = server.call(OPERATIONS["lb.notify_bind"], Destination(destination, validity_s), id=unique(id))
    return reply


def change(server: Connection, id: str, wanted: AskedConditions) -> Notification:
    reply: Notification = server.call(OPERATIONS["lb.notify_change"], ConditionsOf(wanted), id=unique(id))
    return reply


def refresh(server: Connection, id: str, validity_s: float) -> Notification:
    reply: Notification = server.call(OPERATIONS["lb.notify_refresh"], Validity(validity_s), id=unique(id))
    return reply


def drop(server: Connection, id: str) -> None:
    server.call(OPERATIONS["lb.notify_drop"], id=unique(id))


def listed(server: Connection, *, everybody: bool) -> list[Notification]:
    query = {"all": ""} if everybody else None
    return list(server.call(OPERATIONS["lb.notifications"], query=query).notifications)


def receive(server: Connection, id: str, until: float, told: Callable[[dict[str, Any]], None], *,
            refreshed_s: float = 0.0) -> int:
    """Hand each notice to `told`, once, until the time `until` (epoch s); how many.

    What was told is acknowledged, also when this is interrupted. Given `refreshed_s`, the registration is extended by
    so much as long as this listens. ArgumentWrong if notices go elsewhere.
    """
    registered: Notification = server.call(OPERATIONS["lb.notification"], id=unique(id))
    if registered.destination:
        raise ArgumentWrong(f"The notices of {id} go to {registered.destination}.",
                            hint="lb-notify bind NOTIFID, without --destination, brings them here.")
    after = number = 0
    try:
        for one in _notices(server, id, until, refreshed_s):
            told(one["notice"])
            after, number = one["id"], number + 1
    finally:
        if after:
            server.close()
            server.call(OPERATIONS["lb.notify_acknowledge"], Acknowledgement(after), id=unique(id))
    return number


def _notices(server: Connection, id: str, until: float, refreshed_s: float) -> Iterator[dict[str, Any]]:
    """Notices until then, over as many connections as it takes; each connection acknowledges those before."""
    after = 0
    while (left := until - time.time()) > 0:
        before = after
        if refreshed_s:
            with suppress(Unavailable):
                refresh(server, id, refreshed_s)
        lines = _stream(server, id, after, min(left, refreshed_s / 2) if refreshed_s else left)
        while (one := _next(server, lines)) is not None:
            after = one["id"]
            yield one
        if after == before:
            time.sleep(max(0.0, min(AGAIN_S, until - time.time())))


def _next(server: Connection, lines: Iterator[dict[str, Any]]) -> dict[str, Any] | None:
    """The next notice, None when the connection is over."""
    try:
        return next(lines, None)
    except (OSError, Unavailable, http.client.HTTPException):
        server.close()
        return None


def _stream(server: Connection, id: str, after: int, left: float) -> Iterator[dict[str, Any]]:
    """Notices of one connection; empty lines only show that it lives."""
    for line in server.lines(OPERATIONS["lb.notify_stream"], left, query={"after": str(after)}, id=unique(id)):
        if line.strip():
            found: dict[str, Any] = msgspec.json.decode(line)
            if "taken" in found:
                raise ListenerReplaced(f"Somebody else listens to {id} now.",
                                       hint="A registration has one listener; make another for a second one.")
            yield found


def text(found: Notification) -> str:
    """A registration for people."""
    stamp = time.strftime("'%Y-%m-%d %H:%M:%S'", time.gmtime(found.valid_until))
    lines = [f"notification ID: {found.id}", f"valid: {stamp} ({int(found.valid_until)})"]
    if found.destination:
        lines.append(f"destination: {found.destination}")
    return "\n".join(lines + ([f"secret: {found.secret}"] if found.secret else []))


def fields(notice: Mapping[str, Any], names: Sequence[str]) -> str:
    """A notice as a line of tab-separated values."""
    return "\t".join(str(notice.get(name, "")).replace("\t", " ").replace("\n", " ") for name in names)
