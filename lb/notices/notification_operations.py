"""The remote operations of notifications: a registration from its making to its end, and its stream.

Whom a change concerns is in lb.notices.notifications, rows in lb.notices.notification_store, delivery elsewhere.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64encode
from dataclasses import dataclass

import msgspec
import sqlalchemy as sa

from lb.access.denials import Gate
from lb.access.rights import Action
from lb.notices import destinations, notification_bootstrap, notification_store, notification_stream
from lb.notices.board import Board
from lb.notices.notification_bootstrap import Bootstrap
from lb.notices.notifications import (
    STREAM,
    WEBHOOK,
    Flag,
    Registration,
    flags_of,
    granted,
    id_of,
    name_of,
    names_of,
    others_by_owner,
)
from lb.queries.condition_texts import Given, from_given
from lb.queries.condition_values import Asked
from lb.queries.conditions import Conditions
from wms.errors import (
    IdempotencyConflict,
    NoSuchNotification,
    NotAllowedNow,
    NotAuthorized,
    NotPermitted,
    Refused,
    TooManyResults,
)
from wms.httpd import Call, Handler
from wms.identity import Identity, canonical_dn
from wms.operations import Empty
from wms.operations.notifications import AskedConditions, Notification, Notifications
from wms.service import Kit
from wms.streaming import StreamReply

MOST = 200
"""Registrations of one owner."""
_HALF = 11


def notification_handlers(made: Registrar) -> dict[str, Handler]:
    """The operations of this topic by name."""
    return {"lb.notify_new": made.new, "lb.notifications": made.listed, "lb.notification": made.shown,
            "lb.notify_bind": made.bind, "lb.notify_change": made.change, "lb.notify_refresh": made.refresh,
            "lb.notify_drop": made.drop, "lb.notify_acknowledge": made.acknowledge, "lb.notify_stream": made.stream}


@dataclass(frozen=True, slots=True)
class Registrar:
    """The handlers and what they need."""

    kit: Kit
    gate: Gate
    board: Board
    bootstrap: Bootstrap

    async def new(self, call: Call) -> Notification:
        """Register; the same key with the same request gets the same registration."""
        user, asked, now = call.user, call.body, self.kit.now()
        self._check_destination(asked.destination)
        place, digest = _place(self.kit.secret, user, call.key), _digest(call.body)
        given = Registration(
            place + digest, canonical_dn(user.dn), user, asked.destination, self._conditions(user, asked.conditions),
            flags_of(asked.flags), now, self._ends(user, asked.validity_s), self._secret(place, asked.destination))
        registered = await self.kit.database.transact(_register, given, place, self._token(), now)
        self.bootstrap.poke()
        return self._told(registered, secret=True)

    async def listed(self, call: Call) -> Notifications:
        """The caller's registrations, or everybody's."""
        if everybody := "all" in call.query:
            self.gate.require(Action.ADMIN_ACCESS, call.user)
        owner = None if everybody else canonical_dn(call.user.dn)
        found = await self.kit.database.read(notification_store.owned, owner, self.kit.now())
        return Notifications(tuple(map(self._told, found)))

    async def shown(self, call: Call) -> Notification:
        """One registration."""
        return self._told(await self._found(call, administrators=True))

    async def bind(self, call: Call) -> Notification:
        """Another destination, and more time."""
        destination = call.body.destination
        self._check_destination(destination)
        secret = self._secret(id_of(call.params["id"]), destination)
        return self._told(await self._replaced(
            call, destination=destination, secret=secret, identity=call.user,
            ends=self._ends(call.user, call.body.validity_s)), secret=True)

    async def change(self, call: Call) -> Notification:
        """Other conditions."""
        conditions = self._conditions(call.user, call.body.conditions)
        return self._told(await self._replaced(call, conditions=conditions))

    async def refresh(self, call: Call) -> Notification:
        """More time, as the credential of this call allows it."""
        return self._told(await self._replaced(
            call, identity=call.user, ends=self._ends(call.user, call.body.validity_s)))

    async def drop(self, call: Call) -> Empty:
        """The end of a registration, by its owner or an administrator."""
        found = await self._found(call, administrators=True)
        await self.kit.database.transact(notification_store.drop, found.id, self._token())
        return Empty()

    async def acknowledge(self, call: Call) -> Empty:
        """Notices that arrived are not kept."""
        found = await self._found(call)
        await self.kit.database.transact(notification_store.acknowledge, found.id, call.body.after,
                                          self.kit.now())
        return Empty()

    async def stream(self, call: Call) -> StreamReply:
        """Notices as they come; those up to `after` are acknowledged by asking for more."""
        found = await self._found(call)
        if found.destination != STREAM:
            raise NotAllowedNow(f"The notices of this registration go to {found.destination}.",
                                hint="Bind it to no destination first.")
        after = call.query.get("after", "") or call.last_event or "0"
        if not (after.isdecimal() and after.isascii() and len(after) < 19):
            raise Refused("`after` is the id of a notice.", parameter="after")
        await self.kit.database.transact(notification_store.acknowledge, found.id, int(after), self.kit.now())
        events = "sse" in call.query or "text/event-stream" in call.accept
        form = notification_stream.EVENTS if events else notification_stream.LINES
        return StreamReply(notification_stream.pieces(self.kit, self.board, found.id, int(after), form),
                           form.content_type)

    async def _found(self, call: Call, *, administrators: bool = False) -> Registration:
        """The registration of the path, if the caller may have to do with it."""
        id, now = id_of(call.params["id"]), self.kit.now()
        found = await self.kit.database.read(notification_store.get, id, now)
        return self._allowed(call, found, administrators=administrators)

    async def _replaced(self, call: Call, **changes: object) -> Registration:
        """The registration of the path after these changes; its end is never nearer than it was."""
        id, now, token = id_of(call.params["id"]), self.kit.now(), self._token()

        def replace(conn: sa.Connection) -> Registration:
            found = self._allowed(call, notification_store.get(conn, id, now))
            ends = max(found.ends, float(str(changes.get("ends", 0.0))))
            after = msgspec.structs.replace(found, **{**changes, "ends": ends})
            notification_store.put(conn, after, token)
            return after

        return await self.kit.database.transact(replace)

    def _allowed(self, call: Call, found: Registration | None, *, administrators: bool = False) -> Registration:
        if found is None:
            raise NoSuchNotification(f"There is no notification {call.params['id'][:200]}, or its time is over.")
        owns = found.owner == canonical_dn(call.user.dn)
        if not owns and not (administrators and self.gate.permits(Action.ADMIN_ACCESS, call.user)):
            self.gate.denied("NOTIFY", call.user.dn, found.id)
            raise NotAuthorized("This notification belongs to somebody else.", caller=call.user.dn)
        return found

    def _conditions(self, user: Identity, asked: AskedConditions) -> Conditions:
        found = from_given(given_of(asked), Asked(user.dn, self.kit.now()), changes=True)
        anonymized = self.gate.permits(Action.READ_ANONYMIZED, user) and not self.gate.permits(Action.READ_ALL, user)
        if anonymized and others_by_owner(found, user.dn):
            raise NotPermitted("Who may not know the owners of jobs cannot ask for jobs by their owner.")
        return found

    def _check_destination(self, destination: str) -> None:
        lb = self.kit.settings.lb
        destinations.check(destination, destinations.Rules(lb.brokers, lb.topic_prefixes, lb.webhook_hosts))

    def _ends(self, user: Identity, asked_s: float) -> float:
        lb, now = self.kit.settings.lb, self.kit.now()
        if not asked_s >= 0:
            raise Refused("A validity is a number of seconds.", parameter="validity_s")
        return granted(asked_s, lb.notify_s, lb.notify_max_s, user.not_after, now)

    def _secret(self, id: str, destination: str) -> str:
        """The key of a web hook's signatures; another one for another destination."""
        if not destination.startswith(WEBHOOK):
            return ""
        return hmac.digest(self.kit.secret, f"web hook {id[:_HALF]} {destination}".encode(), "sha256").hex()

    def _token(self) -> str:
        return f"{self.kit.rng.getrandbits(64):016x}"

    def _told(self, given: Registration, *, secret: bool = False) -> Notification:
        return Notification(
            name_of(given.id, self.kit.lb_address), given.owner, given.destination,
            msgspec.convert(msgspec.to_builtins(given.conditions), AskedConditions), names_of(given.flags),
            given.created, given.ends, given.secret if secret else "")


def given_of(asked: AskedConditions) -> list[list[Given]]:
    """The conditions of a request as lb.queries.condition_texts reads them."""
    return [[Given(one.attribute, one.operator, one.value, one.value2, one.name) for one in group] for group in asked]


def _register(conn: sa.Connection, given: Registration, place: str, token: str, now: float) -> Registration:
    """Store it, unless a call with its key has: then that is the answer."""
    for before in notification_store.beginning(conn, place):
        if before.ends > now:
            if before.id != given.id:
                raise IdempotencyConflict("This Idempotency-Key was used for another request.",
                                          hint="Make a new key for each new request.")
            return before
    if notification_store.number(conn, given.owner, now) >= MOST:
        raise TooManyResults(f"Nobody may have more than {MOST} notifications.", hint="Drop some.")
    notification_store.put(conn, given, token)
    if Flag.BOOTSTRAP in given.flags:
        notification_bootstrap.begin(conn, given.id)
    return given


def _place(secret: bytes, user: Identity, key: str) -> str:
    """The first half of an identifier: nobody else's, and the same when a call is repeated."""
    return _text(hmac.digest(secret, f"notification {canonical_dn(user.dn)} {key}".encode(), "sha256"))


def _digest(request: msgspec.Struct) -> str:
    """The second half: the same for the same request."""
    return _text(hashlib.sha256(msgspec.json.encode(request)).digest())


def _text(digest: bytes) -> str:
    return urlsafe_b64encode(digest)[:_HALF].decode()
