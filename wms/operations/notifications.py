"""Registered questions of Logging & Bookkeeping, and what they deliver."""

from __future__ import annotations

from wms.operations.jobs import Empty
from wms.operations.row import Operation, Record, lb


class Asked(Record, frozen=True):
    """A condition as it is written: see the attributes and operators of queries; also `changed`."""

    attribute: str
    operator: str = "="
    value: str | int | float | bool | None = None
    value2: str | int | float | bool | None = None
    name: str = ""


AskedConditions = tuple[tuple[Asked, ...], ...]
"""An AND of ORs."""


class NewNotification(Record, frozen=True):
    """`destination` is empty (a stream), `https://...` (a web hook) or `x-msg://topic`; flags are classads,
    anonymize, terminal, history, bootstrap; `validity_s` 0 asks for the usual time."""

    conditions: AskedConditions
    flags: tuple[str, ...] = ()
    destination: str = ""
    validity_s: float = 0.0


class Conditions(Record, frozen=True):
    conditions: AskedConditions


class Destination(Record, frozen=True):
    """Where notices go from now on, those that wait too; `validity_s` as for a new registration."""

    destination: str = ""
    validity_s: float = 0.0


class Validity(Record, frozen=True):
    validity_s: float = 0.0


class Acknowledgement(Record, frozen=True):
    """All notices up to this id have arrived."""

    after: int


class Notification(Record, frozen=True):
    """A registration. Times are epoch seconds; `secret` (hex) signs web hooks and is told where it is made only."""

    id: str
    owner: str
    destination: str
    conditions: AskedConditions
    flags: tuple[str, ...]
    created: float
    valid_until: float
    secret: str = ""


class Notifications(Record, frozen=True):
    notifications: tuple[Notification, ...]


ROWS: tuple[Operation, ...] = (
    lb("notify_new", "POST", "/lb/v1/notifications", "user",
        "Register a question about changes of jobs; answers with its identifier and how long it holds.",
        request=NewNotification, reply=Notification, idempotency_key=True, action="notify"),
    lb("notifications", "GET", "/lb/v1/notifications", "user",
        "The caller's registrations; with `all` those of everybody, for administrators.",
        reply=Notifications, query=("all",)),
    lb("notification", "GET", "/lb/v1/notifications/{id}", "user", "One registration.", reply=Notification),
    lb("notify_bind", "PUT", "/lb/v1/notifications/{id}/destination", "user",
        "Send notices elsewhere, and extend the registration.", request=Destination, reply=Notification,
        action="notify"),
    lb("notify_change", "PUT", "/lb/v1/notifications/{id}/conditions", "user", "Replace the conditions.",
        request=Conditions, reply=Notification, action="notify"),
    lb("notify_refresh", "PUT", "/lb/v1/notifications/{id}/validity", "user", "Extend the registration.",
        request=Validity, reply=Notification, action="notify"),
    lb("notify_drop", "DELETE", "/lb/v1/notifications/{id}", "user",
        "Forget the registration and what it has not been told.", reply=Empty, action="notify"),
    lb("notify_acknowledge", "PUT", "/lb/v1/notifications/{id}/acknowledged", "user",
        "Say that notices have arrived, so that they need not be kept.", request=Acknowledgement, reply=Empty,
        action="notify"),
    lb("notify_stream", "GET", "/lb/v1/notifications/{id}/stream", "user",
        "Notices as they come, as server-sent events or, line by line, as JSON; `after` acknowledges those up to it. "
        "A registration has one listener, the last that came; the one before is told `taken` and left.",
        stream="page", query=("after", "sse"), action="notify"),
    lb("notifications_page", "GET", "/NOTIF", "user",
        "The caller's registrations as a page, ?text or ?json; with `all` those of everybody, for administrators.",
        stream="page", query=("all", "text", "json")),
    lb("notification_page", "GET", "/NOTIF:{id}", "user",
        "The identifier of a registration as a URL: a page, ?text or ?json.", stream="page", query=("text", "json")),
)
