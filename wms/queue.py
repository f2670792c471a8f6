"""The `messages` table: outbox and queue in one, so that what is said commits with what is done.

Verbs: `put` (inside the sender's transaction), `claim`, `done`, `again`, `bury`. Delivery is at least once, in
the order of arrival per topic; a claim is a lease. Not a broker: no fan-out, a topic has one kind of reader.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa

from wms.database import metadata, note_topic

messages = sa.Table(
    "messages", metadata,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
    sa.Column("topic", sa.String(64), nullable=False),
    sa.Column("job", sa.String(255), nullable=False, server_default=""),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("put_at", sa.Float, nullable=False),
    sa.Column("due", sa.Float, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("reader", sa.String(128), nullable=False, server_default=""),
    sa.Column("buried", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("error", sa.Text, nullable=False, server_default=""),
    sa.Index("messages_due", "topic", "buried", "due", "id"),
    sqlite_autoincrement=True,
)


MOST_BYTES = 2 << 20
"""Bytes of messages that a reader gets at once, but at least one message."""


class Message(NamedTuple):
    """A claimed message. `body` is msgspec JSON of a record of wms.messages (or an event list)."""

    id: int
    topic: str
    job: str
    body: bytes
    put_at: float
    attempts: int


class Depth(NamedTuple):
    """State of one topic: how many wait, how many are buried, when the oldest was put (epoch s)."""

    topic: str
    waiting: int
    buried: int
    oldest: float


_COLUMNS = (messages.c.id, messages.c.topic, messages.c.job, messages.c.body, messages.c.put_at,
            messages.c.attempts)
_encode = msgspec.json.Encoder().encode

# Statements of every round of every reader, made once.
_OF_TOPIC = (messages.c.topic == sa.bindparam("topic"), messages.c.buried.is_(False))
_DUE = (sa.select(*_COLUMNS).where(*_OF_TOPIC, messages.c.due <= sa.bindparam("now"))
        .order_by(messages.c.id).limit(sa.bindparam("most")).with_for_update(skip_locked=True))
_NEXT = sa.select(sa.func.min(messages.c.due)).where(*_OF_TOPIC)
_SPAN = sa.select(sa.func.min(messages.c.id), sa.func.max(messages.c.id)).where(*_OF_TOPIC)
_DONE = messages.delete().where(messages.c.id == sa.bindparam("message"))
_INSERT = messages.insert()


class Parcel(NamedTuple):
    """A message to be sent: `delay_s` seconds from now it is due."""

    topic: str
    job: str
    record: Any
    delay_s: float = 0.0


def put(conn: sa.Connection, topic: str, record: Any, *, now: float, job: str = "", delay_s: float = 0.0) -> None:
    """Send `record` to `topic`, in the caller's transaction."""
    post(conn, [Parcel(topic, job, record, delay_s)], now=now)


def put_many(conn: sa.Connection, topic: str, records: Sequence[tuple[str, Any]], *, now: float,
             delay_s: float = 0.0) -> None:
    """Send many (job, record) pairs to one topic."""
    post(conn, [Parcel(topic, job, record, delay_s) for job, record in records], now=now)


def post(conn: sa.Connection, parcels: Sequence[Parcel], *, now: float) -> None:
    """Send all in one statement, in the caller's transaction."""
    if not parcels:
        return
    conn.execute(_INSERT, [
        {"topic": parcel.topic, "job": parcel.job, "body": _encode(parcel.record), "put_at": now,
         "due": now + parcel.delay_s} for parcel in parcels])
    for topic in {parcel.topic for parcel in parcels}:
        note_topic(conn, topic)


def claim(conn: sa.Connection, topic: str, limit: int, *, now: float, lease_s: float,
          reader: str = "") -> list[Message]:
    """Take up to `limit` due messages, oldest first; they come back by themselves after `lease_s`."""
    found = peek_due(conn, topic, limit, now=now)
    if found:
        conn.execute(messages.update().where(messages.c.id.in_([m.id for m in found]))
                     .values(due=now + lease_s, attempts=messages.c.attempts + 1, reader=reader))
    return found


def release(conn: sa.Connection, topic: str, reader: str, *, now: float) -> int:
    """Give back what an earlier life of `reader` had claimed and not finished; nobody has no earlier life."""
    if not reader:
        return 0
    result = conn.execute(messages.update().where(
        messages.c.topic == topic, messages.c.reader == reader, messages.c.buried.is_(False),
        messages.c.due > now).values(due=now, reader=""))
    return result.rowcount


def peek_due(conn: sa.Connection, topic: str, limit: int, *, now: float) -> list[Message]:
    """Like `claim` for a reader that finishes in this same transaction: no lease is written.

    After MOST_BYTES no more are given, so that neither memory nor time of a transaction grow with a backlog.
    """
    with conn.execute(_DUE, {"topic": topic, "now": now, "most": limit}) as rows:
        return list(_portion(Message(*row) for row in rows))


def _portion(found: Iterable[Message]) -> Iterator[Message]:
    left = MOST_BYTES
    for message in found:
        yield message
        left -= len(message.body)
        if left <= 0:
            break


def done(conn: sa.Connection, ids: Sequence[int]) -> None:
    """The messages have had their effect, in this transaction."""
    if ids:
        conn.execute(_DONE, [{"message": id} for id in ids])


def again(conn: sa.Connection, id: int, *, due: float, error: str, attempts: int) -> None:
    """Try this one again at `due`."""
    conn.execute(messages.update().where(messages.c.id == id)
                 .values(due=due, error=error, attempts=attempts, reader=""))


def bury(conn: sa.Connection, id: int, *, error: str, attempts: int) -> None:
    """Set aside a message that cannot be handled; it stays for a person to look at."""
    conn.execute(messages.update().where(messages.c.id == id)
                 .values(buried=True, error=error, attempts=attempts))


def exhume(conn: sa.Connection, topic: str, *, now: float) -> int:
    """Give all buried messages of a topic another life; how many there were."""
    result = conn.execute(messages.update().where(messages.c.topic == topic, messages.c.buried.is_(True))
                          .values(buried=False, due=now, attempts=0))
    note_topic(conn, topic)
    return result.rowcount


def drop_stale(conn: sa.Connection, prefix: str, *, before: float) -> int:
    """Delete messages put before `before` to topics that begin with `prefix` (answers nobody waits for)."""
    return conn.execute(messages.delete().where(
        messages.c.topic.startswith(prefix, autoescape=True), messages.c.put_at < before)).rowcount


def next_due(conn: sa.Connection, topic: str) -> float | None:
    """When the next message of the topic is due (epoch s); None if there is none."""
    return conn.execute(_NEXT, {"topic": topic}).scalar()


def span(conn: sa.Connection, topic: str) -> tuple[int, int] | None:
    """Smallest and largest id of the messages that a topic still has to read; None if there is none."""
    first, last = conn.execute(_SPAN, {"topic": topic}).one()
    return None if first is None else (first, last)


def depths(conn: sa.Connection) -> list[Depth]:
    """All topics with what waits in them."""
    buried = sa.func.sum(sa.case((messages.c.buried, 1), else_=0))
    rows = conn.execute(sa.select(messages.c.topic, sa.func.count(), buried, sa.func.min(messages.c.put_at))
                        .group_by(messages.c.topic).order_by(messages.c.topic))
    return [Depth(topic, total - dead, dead, oldest) for topic, total, dead, oldest in rows]


def jobs(conn: sa.Connection, topic: str) -> set[str]:
    """The jobs of which messages of a topic wait or are being handled."""
    chosen = sa.select(messages.c.job).where(messages.c.topic == topic, messages.c.buried.is_(False)).distinct()
    return set(conn.execute(chosen).scalars())
