"""The two tables of proxy renewal: credentials that are to be kept alive, and the jobs that need them.

Functions of a connection. The credentials themselves are files; no key is ever in the database.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from proxyrenewal.schedule import HOPELESS, Life
from wms.database import metadata
from wms.identity import CERTIFICATE

TAKEN_BACK = "its owner took it back"
"""The `last_error` of a credential that was destroyed."""

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
    """A credential and how its renewal goes; times are epoch seconds.

    `path` is its file. `myproxy` is who renews it: `host` or `host:port` of a MyProxy server, the issuer of a token,
    empty if nobody does. `failures` counts those since the last success, or is HOPELESS (`schedule`). `begins` is when
    the life that now runs came here, or a token was issued; `warned` when the owner was told in it, 0: not yet.
    """

    credential: str
    path: str
    owner: str
    myproxy: str
    not_after: float
    next_try: float
    failures: int = 0
    last_error: str = ""
    kind: str = CERTIFICATE
    begins: float = 0.0
    warned: float = 0.0
    renewals: int = 0

    @property
    def life(self) -> Life:
        return Life(self.kind, self.begins, self.not_after, self.failures, self.warned)

    def is_life_of(self, other: Registration) -> bool:
        """Nothing has happened to it since `other` was read that makes the outcome of a renewal worthless."""
        return (self.not_after, self.begins, self.failures) == (other.not_after, other.begins, other.failures)


_COLUMNS = tuple(registrations.c[name] for name in Registration.__struct_fields__)
_CHANGING = ("not_after", "next_try", "failures", "last_error", "begins", "warned", "renewals")
_SAVE = registrations.update().where(registrations.c.credential == sa.bindparam("key")).values(
    {name: sa.bindparam(f"new_{name}") for name in _CHANGING})



# Statements of every round, made once.
_DUE = (sa.select(*_COLUMNS).where(registrations.c.next_try <= sa.bindparam("now"),
                                   registrations.c.myproxy.not_in(sa.bindparam("but", expanding=True)))
        .order_by(registrations.c.next_try).limit(sa.bindparam("most")))
_UPCOMING = sa.select(sa.func.min(registrations.c.next_try)).where(registrations.c.next_try > sa.bindparam("now"))
_CURRENT = sa.select(*_COLUMNS).where(registrations.c.credential.in_(sa.bindparam("credentials", expanding=True)))
_JOBS = (sa.select(registered_jobs.c.credential, registered_jobs.c.job)
         .where(registered_jobs.c.credential.in_(sa.bindparam("credentials", expanding=True)))
         .order_by(registered_jobs.c.credential, registered_jobs.c.job))


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
    """A server that has failed gives way to another one; nothing that was taken back stays."""
    if known.failures == HOPELESS and known.last_error == TAKEN_BACK:
        return entry
    longer, other = (entry, known) if entry.not_after > known.not_after else (known, entry)
    if longer is entry:
        return entry if entry.myproxy or not known.myproxy else msgspec.structs.replace(
            entry, myproxy=known.myproxy, next_try=min(known.next_try, entry.next_try))
    if not other.myproxy or other.myproxy == known.myproxy or (known.myproxy and not known.failures):
        return known
    return msgspec.structs.replace(known, myproxy=other.myproxy, failures=0,
                                   next_try=min(known.next_try, other.next_try))


def unregister(conn: sa.Connection, jobs: Collection[str]) -> list[Registration]:
    """These jobs need no credential any more; forgets, and returns, those that lost their last job by it."""
    mine = registered_jobs.c.job.in_(jobs)
    credentials = set(conn.scalars(sa.select(registered_jobs.c.credential).where(mine)))
    if not credentials:
        return []
    conn.execute(registered_jobs.delete().where(mine))
    others = sa.exists().where(registered_jobs.c.credential == registrations.c.credential)
    idle = sa.select(*_COLUMNS).where(registrations.c.credential.in_(credentials), ~others)
    dropped = _entries(conn, idle)
    if dropped:
        conn.execute(registrations.delete().where(
            registrations.c.credential.in_([entry.credential for entry in dropped])))
    return dropped


def drop(conn: sa.Connection, credential: str) -> None:
    """Forget a credential that cannot be renewed any more, and that jobs needed it."""
    conn.execute(registered_jobs.delete().where(registered_jobs.c.credential == credential))
    conn.execute(registrations.delete().where(registrations.c.credential == credential))


def due(conn: sa.Connection, now: float, limit: int, but: Collection[str] = ()) -> list[Registration]:
    """The credentials whose time has come, longest overdue first, but those of these servers."""
    return _entries(conn, _DUE, {"now": now, "but": list(but), "most": limit})


def upcoming(conn: sa.Connection, now: float) -> float:
    """When the time of another credential comes after `now` (epoch s); infinity: of none."""
    found: float | None = conn.scalar(_UPCOMING, {"now": now})
    return math.inf if found is None else found


def agenda(conn: sa.Connection, now: float, limit: int, but: Collection[str]) -> tuple[list[Registration], float]:
    """What is `due` now, and when it is `upcoming`."""
    return due(conn, now, limit, but), upcoming(conn, now)


def current(conn: sa.Connection, credentials: Collection[str]) -> dict[str, Registration]:
    """What is known of these, by credential."""
    return {entry.credential: entry for entry in _entries(conn, _CURRENT, {"credentials": list(credentials)})}


def save(conn: sa.Connection, entries: Sequence[Registration]) -> None:
    """How their renewal goes now; who renews them and what they are stays."""
    if entries:
        conn.execute(_SAVE, [{"key": entry.credential, **{f"new_{name}": getattr(entry, name) for name in _CHANGING}}
                             for entry in entries])


def jobs_of(conn: sa.Connection, credential: str, after: str = "", limit: int | None = None) -> list[str]:
    """The jobs that need the credential, in order of their names, from the one behind `after` on."""
    return list(conn.scalars(sa.select(registered_jobs.c.job)
                             .where(registered_jobs.c.credential == credential, registered_jobs.c.job > after)
                             .order_by(registered_jobs.c.job).limit(limit)))


def jobs_of_all(conn: sa.Connection, credentials: Collection[str]) -> dict[str, list[str]]:
    """The jobs of each, in order of their names."""
    found: dict[str, list[str]] = {credential: [] for credential in credentials}
    for credential, job in conn.execute(_JOBS, {"credentials": list(found)}) if found else ():
        found[credential].append(job)
    return found


def release(conn: sa.Connection, credential: str, limit: int) -> list[str]:
    """Forget up to `limit` of its jobs, and which those were; with its last job the credential is forgotten."""
    jobs = jobs_of(conn, credential, limit=limit)
    if len(jobs) < limit:
        drop(conn, credential)
    else:
        conn.execute(registered_jobs.delete().where(
            registered_jobs.c.credential == credential, registered_jobs.c.job <= jobs[-1]))
    return jobs


def find(conn: sa.Connection, credential: str) -> Registration | None:
    """What is known of a credential."""
    return next(iter(_entries(conn, sa.select(*_COLUMNS)
                              .where(registrations.c.credential == credential))), None)


def listing(conn: sa.Connection, limit: int, failing: bool) -> list[Registration]:
    """Those whose time comes first; `failing`: only if something went wrong since the last success."""
    query = sa.select(*_COLUMNS).order_by(registrations.c.next_try).limit(limit)
    return _entries(conn, query.where(registrations.c.failures != 0) if failing else query)


def numbers_of_jobs(conn: sa.Connection, credentials: Collection[str]) -> dict[str, int]:
    """How many jobs need each; those that none needs are left out."""
    rows = conn.execute(sa.select(registered_jobs.c.credential, sa.func.count())
                        .where(registered_jobs.c.credential.in_(credentials)).group_by(registered_jobs.c.credential))
    return {credential: int(number) for credential, number in rows}


def of_jobs(conn: sa.Connection, jobs: Collection[str]) -> dict[str, Registration]:
    """job -> its credential, for the status of jobs; jobs without one are left out."""
    rows = conn.execute(sa.select(registered_jobs.c.job, *_COLUMNS)
                        .join(registrations, registrations.c.credential == registered_jobs.c.credential)
                        .where(registered_jobs.c.job.in_(jobs)))
    return {job: Registration(*entry) for job, *entry in rows}


def _one(credential: str) -> sa.Update:
    return registrations.update().where(registrations.c.credential == credential)


def _entries(conn: sa.Connection, query: sa.Select[Any], values: Mapping[str, Any] | None = None) -> list[Registration]:
    return [Registration(*row) for row in conn.execute(query, values or {})]
