"""The rows of registrations and of their notices: functions of a connection.

Notices of a registration are told in the order of their ids, which is that of the commits that made them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa

from lb.figures import counters
from lb.notices import registration_log
from lb.notices.notifications import TOPIC, Flag, Notice, Registration, lost
from lb.notices.registration_log import NEWS
from lb.queries import condition_texts
from lb.tables import notices, registrations
from wms.database import note_topic
from wms.identity import Identity

LOCK = 0x4C42_4E4F
"""PostgreSQL's writers of notices take turns until their commits: ids are in the order of commits."""
_decode_identity = msgspec.json.Decoder(Identity).decode
_encode = msgspec.json.Encoder().encode
_ONE = sa.select(registrations).where(registrations.c.id == sa.bindparam("registration"),
                                      registrations.c.ends > sa.bindparam("now"))
_NEXT = (sa.select(notices.c.id, notices.c.body)
         .where(notices.c.registration == sa.bindparam("registration"), notices.c.id > sa.bindparam("after"))
         .order_by(notices.c.id).limit(sa.bindparam("most")))
_TOLD = notices.delete().where(notices.c.registration == sa.bindparam("owned"), notices.c.id <= sa.bindparam("upto"))


class Portion(NamedTuple):
    """A registration as it is now and the next that it is to be told."""

    registration: Registration
    notices: list[Notice]


# -- registrations ---------------------------------------------------------------------------------------


def put(conn: sa.Connection, given: Registration, token: str) -> None:
    """Add a registration, or replace what it was."""
    row = _row(given)
    if not conn.execute(registrations.update().where(registrations.c.id == given.id).values(row)).rowcount:
        conn.execute(registrations.insert().values(row))
    registration_log.note(conn, given.id, token)


def drop(conn: sa.Connection, id: str, token: str) -> None:
    """Forget a registration and what it has not been told."""
    conn.execute(registrations.delete().where(registrations.c.id == id))
    forget(conn, id)
    registration_log.note(conn, id, token)


def get(conn: sa.Connection, id: str, now: float) -> Registration | None:
    """A registration whose time is not over."""
    row = conn.execute(_ONE, {"registration": id, "now": now}).mappings().one_or_none()
    return None if row is None else _registration(row)


def owned(conn: sa.Connection, owner: str | None, now: float) -> list[Registration]:
    """The registrations of a canonical DN (None: of everybody) whose time is not over, oldest first."""
    chosen = sa.select(registrations).where(registrations.c.ends > now).order_by(
        registrations.c.created, registrations.c.id)
    if owner is not None:
        chosen = chosen.where(registrations.c.owner == owner)
    return [_registration(row) for row in conn.execute(chosen).mappings()]


def beginning(conn: sa.Connection, beginning: str) -> list[Registration]:
    """The registrations, over or not, whose ids begin so."""
    chosen = sa.select(registrations).where(registrations.c.id > beginning, registrations.c.id < f"{beginning}~")
    return [_registration(row) for row in conn.execute(chosen).mappings()]


def number(conn: sa.Connection, owner: str, now: float) -> int:
    """How many registrations a canonical DN has whose time is not over."""
    chosen = sa.select(sa.func.count()).where(registrations.c.owner == owner, registrations.c.ends > now)
    return conn.execute(chosen).scalar_one()


def some(conn: sa.Connection, ids: Collection[str] | None) -> list[Registration]:
    """These registrations (None: all), over or not."""
    if ids is None:
        return [_registration(row) for row in conn.execute(sa.select(registrations)).mappings()]
    chosen = sa.select(registrations).where(registrations.c.id.in_(ids))
    return [_registration(row) for row in conn.execute(chosen).mappings()]


def _row(given: Registration) -> dict[str, Any]:
    return {"id": given.id, "owner": given.owner, "identity": _encode(given.identity),
            "destination": given.destination, "conditions": condition_texts.encoded(given.conditions),
            "flags": int(given.flags), "created": given.created, "ends": given.ends, "secret": given.secret}


def _registration(row: sa.RowMapping) -> Registration:
    return Registration(row["id"], row["owner"], _decode_identity(row["identity"]), row["destination"],
                        condition_texts.decoded(row["conditions"]), Flag(row["flags"]), row["created"], row["ends"],
                        row["secret"])


# -- notices ---------------------------------------------------------------------------------------------


def tell(conn: sa.Connection, told: Sequence[tuple[str, bytes]], now: float) -> None:
    """Store what registrations (by id) are to be told, in this order."""
    if not told:
        return
    if conn.dialect.name == "postgresql":
        conn.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK)))
    conn.execute(notices.insert(), [{"registration": id, "created": now, "body": body} for id, body in told])
    note_topic(conn, NEWS)


def portion(conn: sa.Connection, id: str, after: int, most: int, now: float) -> Portion | None:
    """A registration and its next notices after one; None if there is no such registration any longer."""
    registration = get(conn, id, now)
    if registration is None:
        return None
    found = conn.execute(_NEXT, {"registration": id, "after": after, "most": most})
    return Portion(registration, [Notice(*row) for row in found])


def acknowledge(conn: sa.Connection, id: str, upto: int, now: float) -> int:
    """The notices of a registration up to this one have arrived and need not be kept; how many they were."""
    number = conn.execute(_TOLD, {"owned": id, "upto": upto}).rowcount
    if number:
        found = get(conn, id, now)
        by_broker = found is not None and found.destination.startswith(TOPIC)
        counters.add(conn, {"notifs_msg" if by_broker else "notifs_legacy": number}, now)
    return number


def newest(conn: sa.Connection) -> int:
    """The largest id of a notice so far; 0 if there is none."""
    return conn.execute(sa.select(sa.func.max(notices.c.id))).scalar() or 0


def news(conn: sa.Connection, after: int) -> list[tuple[str, str]]:
    """(registration, destination) of those who have notices after this one."""
    chosen = (sa.select(notices.c.registration, registrations.c.destination).distinct()
              .join(registrations, registrations.c.id == notices.c.registration).where(notices.c.id > after))
    return [(id, destination) for id, destination in conn.execute(chosen)]


def waiting(conn: sa.Connection, among: Collection[str] | None = None) -> list[tuple[str, str]]:
    """(registration, destination) of all (or of those among these) who have notices, however old."""
    has = sa.exists().where(notices.c.registration == registrations.c.id)
    chosen = sa.select(registrations.c.id, registrations.c.destination).where(has)
    if among is not None:
        chosen = chosen.where(registrations.c.id.in_(among))
    return [(id, destination) for id, destination in conn.execute(chosen)]


# -- bounds ----------------------------------------------------------------------------------------------


def expired(conn: sa.Connection, now: float, most: int) -> list[str]:
    """Registrations whose time is over."""
    chosen = sa.select(registrations.c.id).where(registrations.c.ends <= now).limit(most)
    return list(conn.execute(chosen).scalars())


def orphans(conn: sa.Connection, most: int) -> list[str]:
    """Registrations that are gone but have notices: one was made while another process dropped it."""
    known = sa.exists().where(registrations.c.id == notices.c.registration)
    return list(conn.execute(sa.select(notices.c.registration).where(~known).distinct().limit(most)).scalars())


def forget(conn: sa.Connection, id: str) -> None:
    """Delete all notices of a registration."""
    conn.execute(notices.delete().where(notices.c.registration == id))


def too_long(conn: sa.Connection, most_bytes: int) -> list[str]:
    """Registrations with more bytes of notices than this."""
    size = sa.func.sum(sa.func.length(notices.c.body))
    chosen = sa.select(notices.c.registration).group_by(notices.c.registration).having(size > most_bytes)
    return list(conn.execute(chosen).scalars())


def shorten(conn: sa.Connection, id: str, most_bytes: int) -> int:
    """Give up the oldest notices until half of the bytes are free; one in their place says how many they were.

    How many this time.
    """
    chosen = (sa.select(notices.c.id, sa.func.length(notices.c.body))
              .where(notices.c.registration == id).order_by(notices.c.id.desc()))
    kept = 0
    given_up: list[int] = []
    for notice, size in conn.execute(chosen):
        kept += size
        if kept > most_bytes / 2:
            given_up.append(notice)
    if given_up:
        number = _lost_before(conn, given_up[-1]) + len(given_up)
        conn.execute(_TOLD, {"owned": id, "upto": given_up[0] - 1})
        conn.execute(notices.update().where(notices.c.id == given_up[0]).values(body=_encode(lost(number))))
    return len(given_up)


def _lost_before(conn: sa.Connection, oldest: int) -> int:
    """How many are lost already, said by the oldest notice; one less for that notice itself."""
    body = conn.execute(sa.select(notices.c.body).where(notices.c.id == oldest)).scalar_one()
    number = msgspec.json.decode(body).get("lost")
    return number - 1 if number else 0


def encode(told: dict[str, Any]) -> bytes:
    """A notice as it is stored."""
    return _encode(told)
