"""Tables of the Network Server and their statements: jobs, sandbox files, attempts, replies.

Functions of a connection, in sets where sets are asked for. No rules here: those are in the operations. Statements on
delegations are in `ns.delegation_rows`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from wms.database import metadata
from wms.errors import NoSuchJob
from wms.operations import File

REGISTERED, STARTED, ENDED, CLEARED = "registered", "started", "ended", "cleared"
INPUT, OUTPUT = "input", "output"
JOB, COLLECTION, DAG = "job", "collection", "dag"
TOGETHER = 1000
MOST_NAME = 255

jobs = sa.Table(
    "ns_jobs", metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("job", sa.String(255), nullable=False),
    sa.Column("owner", sa.String(1024), nullable=False),
    sa.Column("vo", sa.String(255), nullable=False),
    sa.Column("phase", sa.String(16), nullable=False),
    sa.Column("cancelled", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("credential", sa.String(64), nullable=False),
    sa.Column("credential_ends", sa.Float, nullable=False),
    sa.Column("my_proxy", sa.String(255), nullable=False),
    sa.Column("sequence_code", sa.String(160), nullable=False),
    sa.Column("jdl", sa.Text, nullable=False),
    sa.Column("created", sa.Float, nullable=False),
    sa.Column("deadline", sa.Float, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False, server_default="0"),
    sa.Column("outcome", sa.String(16), nullable=False, server_default=""),
    sa.Column("files_gone", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("kind", sa.String(16), nullable=False, server_default="job", comment="job, collection or dag"),
    sa.Column("parent", sa.String(64), nullable=False, server_default="", comment="id of the compound of a node"),
    sa.Column("node", sa.Integer, nullable=False, server_default="-1", comment="index in the compound"),
    sa.Column("node_name", sa.String(MOST_NAME), nullable=False, server_default=""),
    sa.Column("number", sa.Integer, nullable=False, server_default="0", comment="nodes of a compound"),
    sa.Index("ns_jobs_deadline", "phase", "deadline"),
    sa.Index("ns_jobs_parent", "parent", "node", sqlite_where=sa.text("parent != ''"),
             postgresql_where=sa.text("parent != ''")),
)
files = sa.Table(
    "ns_files", metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("kind", sa.String(8), primary_key=True),
    sa.Column("attempt", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(512), primary_key=True),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("received", sa.Boolean, nullable=False),
)
attempts = sa.Table(
    "ns_attempts", metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("attempt", sa.Integer, primary_key=True),
    sa.Column("nonce", sa.String(128), nullable=False, server_default=""),
    sa.Column("started", sa.Float),
    sa.Column("reported", sa.Float),
    sa.Column("closed", sa.Float),
    sa.Column("sequence_code", sa.String(160), nullable=False, server_default=""),
)
delegations = sa.Table(
    "ns_delegations", metadata,
    sa.Column("credential", sa.String(64), primary_key=True),
    sa.Column("name", sa.String(128), nullable=False),
    sa.Column("owner", sa.String(1024), nullable=False),
    sa.Column("not_after", sa.Float, nullable=False),
    sa.Column("kind", sa.String(16), nullable=False, server_default="certificate", comment="certificate or token"),
    sa.Column("vo", sa.String(255), nullable=False, server_default=""),
    sa.Column("fqans", sa.Text, nullable=False, server_default="[]", comment="JSON list, in order"),
    sa.Column("issuer", sa.String(1024), nullable=False, server_default="", comment="of a token, or the CA"),
    sa.Column("limited", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("strength", sa.Integer, nullable=False, server_default="0", comment="bits of the key"),
    sa.Column("not_before", sa.Float, nullable=False, server_default="0", comment="epoch s"),
    sa.Index("ns_delegations_owner", "owner"),
)
replies = sa.Table(
    "ns_replies", metadata,
    sa.Column("owner", sa.String(64), primary_key=True),
    sa.Column("key", sa.String(128), primary_key=True),
    sa.Column("request", sa.String(64), nullable=False),
    sa.Column("reply", sa.LargeBinary, nullable=False),
    sa.Column("expires", sa.Float, nullable=False),
    sa.Index("ns_replies_expires", "expires"),
)
checkpoints = sa.Table(
    "ns_checkpoints", metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, comment="from 1"),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("tag", sa.String(255), nullable=False),
    sa.Column("state", sa.Text, nullable=False, comment="a ClassAd"),
    sa.Column("at", sa.Float, nullable=False, comment="epoch s"),
)
perusals = sa.Table(
    "ns_perusals", metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("files", sa.Text, nullable=False, comment="JSON list of names; empty: perusal is off"),
)


class Job(NamedTuple):
    """A row of ns_jobs."""

    id: str
    job: str
    owner: str
    vo: str
    phase: str
    cancelled: bool
    credential: str
    credential_ends: float
    my_proxy: str
    sequence_code: str
    jdl: str
    created: float
    deadline: float
    attempt: int
    outcome: str
    files_gone: bool
    kind: str = "job"
    parent: str = ""
    node: int = -1
    node_name: str = ""
    number: int = 0


class Attempt(NamedTuple):
    """A row of ns_attempts; times are epoch seconds, None when it has not happened."""

    id: str
    attempt: int
    nonce: str = ""
    started: float | None = None
    reported: float | None = None
    closed: float | None = None
    sequence_code: str = ""


# Statements of every request, made once.
_JOB = sa.select(jobs).where(jobs.c.id == sa.bindparam("id"))
_JOB_TO_CHANGE = _JOB.with_for_update()
_ATTEMPT = sa.select(attempts).where(attempts.c.id == sa.bindparam("id"), attempts.c.attempt == sa.bindparam("number"))
_REPLY = sa.select(replies.c.request, replies.c.reply).where(
    replies.c.owner == sa.bindparam("owner"), replies.c.key == sa.bindparam("key"))
_ADD_JOB, _ADD_FILES, _ADD_REPLY = jobs.insert(), files.insert(), replies.insert()


def job(conn: sa.Connection, id: str, *, change: bool = False) -> Job:
    """The job; raises NoSuchJob. With `change` nobody else can change it, or its attempts, before the commit."""
    row = conn.execute(_JOB_TO_CHANGE if change else _JOB, {"id": id}).first()
    if row is None:
        raise NoSuchJob("No such job is known here.", value=id[:64])
    return Job(*row)


def add_job(conn: sa.Connection, row: Job, wanted: Iterable[File]) -> None:
    conn.execute(_ADD_JOB, row._asdict())
    rows = [{"id": row.id, "kind": INPUT, "attempt": 0, "name": f.name, "size": f.size, "sha256": f.sha256,
             "received": False} for f in wanted]
    if rows:
        conn.execute(_ADD_FILES, rows)


def add_jobs(conn: sa.Connection, rows: Sequence[Job]) -> None:
    """Jobs without files of their own."""
    if rows:
        conn.execute(_ADD_JOB, [row._asdict() for row in rows])


def known(conn: sa.Connection, ids: Sequence[str]) -> set[str]:
    """Those of these that are here."""
    return set(conn.scalars(sa.select(jobs.c.id).where(jobs.c.id.in_(ids))))


def nodes(conn: sa.Connection, parent: str, after: int, limit: int) -> list[Job]:
    """The released nodes of a compound behind index `after`."""
    chosen = sa.select(jobs).where(jobs.c.parent == parent, jobs.c.node > after)
    return [Job(*row) for row in conn.execute(chosen.order_by(jobs.c.node).limit(limit))]


def nodes_done(conn: sa.Connection, parent: str) -> set[int]:
    """The indices of the nodes that are Done."""
    return set(conn.scalars(sa.select(jobs.c.node).where(jobs.c.parent == parent, jobs.c.outcome == "Done")))


def outputs(conn: sa.Connection, ids: Sequence[str], names: Iterable[str]) -> dict[tuple[str, str], File]:
    """Output files of several jobs by id and name, of the attempts that count."""
    wanted, found = set(names), dict[tuple[str, str], File]()
    for some in _portions(ids):
        rows = conn.execute(sa.select(files.c.id, files.c.name, files.c.size, files.c.sha256).join(
            jobs, sa.and_(jobs.c.id == files.c.id, jobs.c.attempt == files.c.attempt)).where(
            files.c.id.in_(some), files.c.kind == OUTPUT))
        found |= {(id, name): File(name, size, sha256) for id, name, size, sha256 in rows if name in wanted}
    return found


def owners(conn: sa.Connection, ids: Sequence[str]) -> dict[str, tuple[str, str]]:
    """(owner, phase) of several jobs by id."""
    asked = sa.select(jobs.c.id, jobs.c.owner, jobs.c.phase)
    return {id: (owner, phase) for some in _portions(ids)
            for id, owner, phase in conn.execute(asked.where(jobs.c.id.in_(some)))}


def _portions(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    """As many as one statement may name."""
    return (ids[k:k + TOGETHER] for k in range(0, len(ids), TOGETHER))


def change_job(conn: sa.Connection, id: str, **values: Any) -> None:
    conn.execute(jobs.update().where(jobs.c.id == id).values(**values))


def overdue(conn: sa.Connection, phase: str, now: float, limit: int) -> list[Job]:
    """Jobs whose time in `phase` is over, longest overdue first. While a DAG goes on its nodes need each other."""
    whole = jobs.alias()
    goes_on = sa.select(whole.c.id).where(whole.c.id == jobs.c.parent, whole.c.kind == DAG, whole.c.phase == STARTED)
    chosen = sa.select(jobs).where(jobs.c.phase == phase, jobs.c.deadline <= now,
                                   sa.or_(jobs.c.parent == "", ~goes_on.exists()))
    return [Job(*row) for row in conn.execute(chosen.order_by(jobs.c.deadline).limit(limit))]


def with_files_left(conn: sa.Connection, limit: int) -> list[str]:
    """Cleared jobs whose sandbox is still on disk."""
    return list(conn.scalars(sa.select(jobs.c.id).where(
        jobs.c.phase == CLEARED, jobs.c.files_gone.is_(False)).limit(limit)))


def sandbox(conn: sa.Connection, id: str, kind: str, attempt: int = 0) -> list[tuple[File, bool]]:
    """(file, received) of one sandbox, by name."""
    rows = conn.execute(sa.select(files.c.name, files.c.size, files.c.sha256, files.c.received).where(
        files.c.id == id, files.c.kind == kind, files.c.attempt == attempt).order_by(files.c.name))
    return [(File(name, size, sha256), received) for name, size, sha256, received in rows]


def received(conn: sa.Connection, id: str, name: str) -> None:
    """An input file is on disk."""
    conn.execute(files.update().where(files.c.id == id, files.c.kind == INPUT, files.c.name == name)
                 .values(received=True))


def put_output(conn: sa.Connection, id: str, attempt: int, file: File) -> None:
    """An output file is on disk; a repeated upload replaces it."""
    here = (files.c.id == id, files.c.kind == OUTPUT, files.c.attempt == attempt, files.c.name == file.name)
    conn.execute(files.delete().where(*here))
    conn.execute(files.insert(), {"id": id, "kind": OUTPUT, "attempt": attempt, "name": file.name,
                                  "size": file.size, "sha256": file.sha256, "received": True})


def attempt(conn: sa.Connection, id: str, number: int) -> Attempt | None:
    row = conn.execute(_ATTEMPT, {"id": id, "number": number}).first()
    return None if row is None else Attempt(*row)


def put_attempt(conn: sa.Connection, row: Attempt) -> None:
    """Insert or replace the row of an attempt."""
    key = (attempts.c.id == row.id, attempts.c.attempt == row.attempt)
    if not conn.execute(attempts.update().where(*key).values(**row._asdict())).rowcount:
        conn.execute(attempts.insert(), row._asdict())


def latest_attempt(conn: sa.Connection, id: str) -> int:
    """Number of the last attempt that was started, 0 without one."""
    return conn.scalar(sa.select(sa.func.max(attempts.c.attempt)).where(
        attempts.c.id == id, attempts.c.started.is_not(None))) or 0


def perused(conn: sa.Connection, id: str) -> tuple[str, ...]:
    """The files of a job that are looked at while they grow."""
    found = conn.scalar(sa.select(perusals.c.files).where(perusals.c.id == id))
    return tuple(json.loads(found)) if found else ()


def put_perused(conn: sa.Connection, id: str, names: Sequence[str]) -> None:
    """From now on these files are looked at."""
    conn.execute(perusals.delete().where(perusals.c.id == id))
    conn.execute(perusals.insert(), {"id": id, "files": json.dumps(list(names))})


def reply(conn: sa.Connection, owner: str, key: str) -> tuple[str, bytes] | None:
    """(digest of the request, encoded reply) given to this key before."""
    row = conn.execute(_REPLY, {"owner": owner, "key": key}).first()
    return None if row is None else (row[0], row[1])


def put_reply(conn: sa.Connection, owner: str, key: str, request: str, encoded: bytes, expires: float) -> None:
    conn.execute(_ADD_REPLY, {"owner": owner, "key": key, "request": request, "reply": encoded,
                                    "expires": expires})


def forget_replies(conn: sa.Connection, now: float) -> int:
    return conn.execute(replies.delete().where(replies.c.expires <= now)).rowcount


def cleared(conn: sa.Connection, ids: Sequence[str]) -> None:
    """Their sandboxes are gone from disk."""
    conn.execute(jobs.update().where(jobs.c.id.in_(ids)).values(files_gone=True))
    conn.execute(files.delete().where(files.c.id.in_(ids)))
    conn.execute(perusals.delete().where(perusals.c.id.in_(ids)))
