"""Proxy Renewal as a daemon: the reader of its topic, and a ticker that renews what is due.

Each renewal has a timeout; a few run side by side; the new file is in place before anybody is told.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from twisted.internet.defer import Deferred, DeferredSemaphore, gatherResults

from proxyrenewal import store
from proxyrenewal.myproxy import server_address
from proxyrenewal.renewer import renew
from proxyrenewal.schedule import Due, Expired, after_failure, after_success, next_renewal
from proxyrenewal.store import Registration
from wms import queue
from wms.consumer import Consumer
from wms.errors import Refused, Unavailable, WmsError
from wms.event import Event
from wms.eventlog import Journal
from wms.messages import JOBADAPTER, PROXYRENEWAL, ProxyRenewed, Register, Unregister, decode
from wms.outbox import Outbox
from wms.queue import Message
from wms.seqcode import START, Source
from wms.service import Daemon, Kit, Ticker, within
from wms.x509.proxy import identify, load

BATCH = 100
FAILURES_TOLD = 2
"""Failures in a row after which the owner is told, through a tag of the job."""

Wanted = dict[tuple[str, str, float], tuple[Registration, list[str]]]
"""(credential, MyProxy server, its end) -> what is to be registered, and the jobs that asked for just that."""


def make(kit: Kit) -> Daemon:
    """The daemon `proxyrenewal`."""
    renewals = Renewals(kit)
    return Daemon("proxyrenewal", [
        Consumer(kit, PROXYRENEWAL, renewals.handle),
        Ticker(kit, "renew", kit.settings.proxyrenewal.period_s, renewals.work),
    ])


class Renewals:
    """Registers, schedules and renews."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self._settings = kit.settings.proxyrenewal
        self._slots = DeferredSemaphore(max(1, self._settings.parallel))

    # -- registration ------------------------------------------------------------------------------------

    def handle(self, conn: sa.Connection, messages: Sequence[Message], now: float) -> None:
        wanted: Wanted = {}
        for message in messages:
            match decode(message.body):
                case Register() as asked:
                    same = asked.credential, asked.myproxy, asked.not_after
                    wanted.setdefault(same, (self._entry(asked, now), []))[1].append(asked.job)
                case Unregister(job=job):
                    self._flush(conn, wanted)
                    store.unregister(conn, job)
                case other:
                    raise TypeError(f"Proxy Renewal does not take {type(other).__name__}")
        self._flush(conn, wanted)

    @staticmethod
    def _flush(conn: sa.Connection, wanted: Wanted) -> None:
        for entry, jobs in wanted.values():
            store.register(conn, entry, jobs)
        wanted.clear()

    def _entry(self, asked: Register, now: float) -> Registration:
        """A credential without a MyProxy server is only watched to its end."""
        when = next_renewal(asked.not_after, now, self._kit.rng)
        at = when.at if isinstance(when, Due) and asked.myproxy else asked.not_after
        return Registration(asked.credential, str(self._kit.credentials.path(asked.credential)), asked.owner,
                            asked.myproxy, asked.not_after, at)

    # -- renewal -----------------------------------------------------------------------------------------

    async def work(self) -> None:
        """Renew all that is due, a few at a time."""
        while entries := await self._kit.database.read(store.due, self._kit.now(), BATCH):
            await gatherResults([self._slots.run(self._one, entry) for entry in entries], consumeErrors=True)

    def _one(self, entry: Registration) -> object:
        return Deferred.fromCoroutine(self._renew(entry))

    async def _renew(self, entry: Registration) -> None:
        kit = self._kit
        if not entry.myproxy:
            kit.log.info("credential {credential} of {owner} ended", credential=entry.credential, owner=entry.owner)
            await kit.database.transact(store.drop, entry.credential)
            return
        try:
            pem = await within(kit.clock, self._settings.timeout_s + 5, kit.thread(self._fetch, entry))
        except (Refused, Unavailable, OSError) as error:
            await kit.database.transact(self._failed, entry, error, kit.now())
            return
        await kit.database.transact(self._succeeded, entry, identify(load(pem).chain, kit.now()).not_after, kit.now())
        kit.log.info("renewed {credential} of {owner}", credential=entry.credential, owner=entry.owner)

    def _fetch(self, entry: Registration) -> bytes:
        """In a thread: ask MyProxy, put the new file in the place of the old."""
        tls, credentials = self._kit.settings.tls, self._kit.credentials
        pem = renew(*server_address(entry.myproxy), tls.certificate, tls.key, tls.ca_dir,
                    credentials.read(entry.credential), self._settings.lifetime_s, self._settings.timeout_s,
                    clock=self._kit.now)
        credentials.write(entry.credential, pem)
        return pem

    def _succeeded(self, conn: sa.Connection, entry: Registration, not_after: float, now: float) -> None:
        when = after_success(not_after, now, self._kit.rng)
        store.succeeded(conn, entry.credential, not_after, when.at if isinstance(when, Due) else not_after)
        jobs = tuple(store.jobs_of(conn, entry.credential))
        queue.put(conn, JOBADAPTER, ProxyRenewed(entry.credential, jobs), now=now)

    def _failed(self, conn: sa.Connection, entry: Registration, error: Exception, now: float) -> None:
        text = error.message if isinstance(error, WmsError) else str(error)
        failures = entry.failures + 1
        when = after_failure(entry.not_after, failures, now, self._kit.rng)
        self._kit.log.warn("renewal of {credential} of {owner} failed ({failures}): {error}",
                           credential=entry.credential, owner=entry.owner, failures=failures, error=text)
        told = failures == FAILURES_TOLD or isinstance(when, Expired)
        if told:
            with Outbox(conn, now) as out:
                out.log(self._tags(conn, entry, text, now))
        if isinstance(when, Expired):
            store.drop(conn, entry.credential)
        else:
            store.failed(conn, entry.credential, when.at, text)

    def _tags(self, conn: sa.Connection, entry: Registration, text: str, now: float) -> list[Event]:
        """One tag a job, so that its owner sees it in the status."""
        events: list[Event] = []
        for job in store.jobs_of(conn, entry.credential):
            journal = Journal(Source.APPLICATION, job, str(START), now, self._kit.host, entry.owner)
            journal.add("UserTag", name="proxy_renewal", value=f"failed: {text}")
            events += journal.events
        return events
