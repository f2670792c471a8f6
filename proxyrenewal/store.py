"""The two tables of proxy renewal: credentials that are to be kept alive, and the jobs that need them.

Functions of a connection. The credentials themselves are files; no key is ever in the database.
"""

from __future__ import annotations

from collections.abc import Collection

import msgspec
import sqlalchemy as sa

from wms.database import metadata

registrations = sa.Table(
    "registrations", metadata,
    sa.Column("credential", sa.Text, primary_key=True),
    sa.Column("path", sa.Text, nullable=False),
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("myproxy", sa.Text, nullable=False),
    sa.Column("not_after", sa.Float(53), nullable=False),
    sa.Column("next_try", sa.Float(53), nullable=False, index=True),
    sa.Column("failures", sa.Integer, nullable=False, default=0),
    sa.Column("last_error", sa.Text, nullable=False, default=""),
    sa.Column("kind", sa.String(16), nullable=False, server_default="certificate", comment="certificate or token"),
    sa.Column("begins", sa.Float(53), nullable=False, server_default="0", comment="epoch s of the life that now runs"),
    sa.Column("warned", sa.Float(53), nullable=False, server_default="0", comment="epoch s, 0: not in this life"),
    sa.Column("renewals", sa.Integer, nullable=False, server_default="0"),
)
registered_jobs = sa.Table(
    "registered_jobs", metadata,
    sa.Column("credential", sa.Text, sa.ForeignKey("registrations.credential"), primary_key=True),
    sa.Column("job", sa.Text, primary_key=True, index=True),
)


class Registration(msgspec.Struct, frozen=True):
    """A credential (`path` is its file, `myproxy` is `host` or `host:port`) and how its renewal goes.

    `failures` counts those since the last success; times are epoch seconds.
    """

    credential: str
    path: str
    owner: str
    myproxy: str
    not_after: float
    next_try: float
    failures: int = 0
    last_error: str = ""
    kind: str = "certificate"
    begins: float = 0.0
    warned: float = 0.0
    renewals: int = 0


def register(conn: sa.Connection, entry: Registration, jobs: Collection[str]) -> None:
    """Keep the credential alive for these jobs too: it is the one that ends later, renewable if any job's is."""
    known = find(conn, entry.credential)
    if known is None:
        conn.execute(registrations.insert().values(msgspec.structs.asdict(entry)))
    elif (both := _merged(known, entry)) != known:
        conn.execute(_one(entry.credential).values(msgspec.structs.asdict(both)))
    ours = registered_jobs.c.credential == entry.credential
    there = conn.scalars(sa.select(registered_jobs.c.job).where(ours, registered_jobs.c.job.in_(jobs)))
    rows = [{"credential": entry.credential, "job": job} for job in set(jobs).difference(there)]
    if rows:
        conn.execute(registered_jobs.insert(), rows)


def _merged(known: Registration, entry: Registration) -> Registration:
    longer, other = (entry, known) if entry.not_after > known.not_after else (known, entry)
    if longer.myproxy or not other.myproxy:
        return longer
    return msgspec.structs.replace(longer, myproxy=other.myproxy, next_try=min(longer.next_try, other.next_try))


def unregister(conn: sa.Connection, job: str) -> list[Registration]:
    """The job needs no credential any more; forgets, and returns, those that lost their last job by it."""
    mine = sa.select(registered_jobs.c.credential).where(registered_jobs.c.job == job)
    credentials = list(conn.scalars(mine))
    conn.execute(registered_jobs.delete().where(registered_jobs.c.job == job))
    others = sa.exists().where(registered_jobs.c.credential == registrations.c.credential)
    idle = sa.select(registrations).where(registrations.c.credential.in_(credentials), ~others)
    dropped = _entries(conn, idle)
    conn.execute(registrations.delete().where(
        registrations.c.credential.in_([entry.credential for entry in dropped])))
    return dropped


def drop(conn: sa.Connection, credential: str) -> None:
    """Forget a credential that cannot be renewed any more, and that jobs needed it."""
    conn.execute(registered_jobs.delete().where(registered_jobs.c.credential == credential))
    conn.execute(registrations.delete().where(registrations.c.credential == credential))


def due(conn: sa.Connection, now: float, limit: int) -> list[Registration]:
    """The credentials whose time has come, longest overdue first."""
    return _entries(conn, sa.select(registrations).where(registrations.c.next_try <= now)
                    .order_by(registrations.c.next_try, registrations.c.credential).limit(limit))


def succeeded(conn: sa.Connection, credential: str, not_after: float, next_try: float) -> None:
    """The credential's file was renewed."""
    conn.execute(_one(credential).values(
        not_after=not_after, next_try=next_try, failures=0, last_error=""))


def failed(conn: sa.Connection, credential: str, next_try: float, error: str) -> None:
    """A renewal failed; counts it."""
    conn.execute(_one(credential).values(
        next_try=next_try, failures=registrations.c.failures + 1, last_error=error))


def jobs_of(conn: sa.Connection, credential: str) -> list[str]:
    """The jobs that need the credential, in order of their names."""
    return list(conn.scalars(sa.select(registered_jobs.c.job)
                             .where(registered_jobs.c.credential == credential)
                             .order_by(registered_jobs.c.job)))


def find(conn: sa.Connection, credential: str) -> Registration | None:
    """What is known of a credential."""
    return next(iter(_entries(conn, sa.select(registrations)
                              .where(registrations.c.credential == credential))), None)


def of_jobs(conn: sa.Connection, jobs: Collection[str]) -> dict[str, Registration]:
    """job -> its credential, for the status of jobs; jobs without one are left out."""
    rows = conn.execute(sa.select(registered_jobs.c.job, registrations)
                        .join(registrations, registrations.c.credential == registered_jobs.c.credential)
                        .where(registered_jobs.c.job.in_(jobs)))
    return {job: Registration(*entry) for job, *entry in rows}


def _one(credential: str) -> sa.Update:
    return registrations.update().where(registrations.c.credential == credential)


def _entries(conn: sa.Connection, query: sa.Select[tuple[object, ...]]) -> list[Registration]:
    return [Registration(**row._mapping) for row in conn.execute(query)]
