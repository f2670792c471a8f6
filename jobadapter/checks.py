"""Checks of computing elements: one at a time of each, beside all other work, its progress a row of ja_checks.

A check that a restart interrupts begins anew. The probes are in `wms.ce.check`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import msgspec
import sqlalchemy as sa
from twisted.internet.defer import CancelledError, Deferred

from jobadapter.carried import Carried, carried
from jobadapter.store import checks
from jobadapter.trust import issuers
from wms import queue
from wms.ce.check import FAILS
from wms.ce.checking import Check, Plan
from wms.consumer import Record
from wms.errors import NotFound, UnknownResource, WmsError
from wms.messages import decode
from wms.messages.questions import CheckAnswer, CheckCe, DrainCe, NoAnswer
from wms.messages.topics import WM_MATCH
from wms.operations import OPERATIONS
from wms.operations.ces import CheckReport, Probe
from wms.queue import Message, Parcel
from wms.service import Kit, background
from wms.x509.authority import make_authority

MOST_NAMED = 3


class Kept(msgspec.Struct, frozen=True):
    """The content of a row: who works on it, what was asked, and what is known."""

    instance: str
    order: CheckCe
    report: CheckReport


class Checks:
    """A part, and with `act` the handler of the topic of checks."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self._running: dict[str, Deferred[None]] = {}

    async def start(self) -> None:
        """Those that this process had begun begin anew."""
        for kept in (await self._kit.database.read(_unfinished)):
            if kept.instance == self._kit.instance and kept.order.ce in self._kit.backends:
                self._begin(kept.order, kept.report.asked)

    async def stop(self) -> None:
        for running in list(self._running.values()):
            running.cancel()

    async def act(self, messages: Sequence[Message]) -> Record:
        """Answers come at once: a check that was asked for goes on behind."""
        answers = [await self._answer(order) for message in messages
                   if isinstance(order := decode(message.body), CheckCe)]
        return partial(queue.post, parcels=answers, now=self._kit.now())

    async def _answer(self, order: CheckCe) -> Parcel:
        try:
            report = await (self._asked(order) if order.begin else self._report(order))
        except WmsError as error:
            return Parcel(order.reply_topic, "", NoAnswer(order.query, error.record(), error.status))
        return Parcel(order.reply_topic, "", CheckAnswer(order.query, report))

    async def _report(self, order: CheckCe) -> CheckReport:
        kept = await self._kit.database.read(_find, order.ce)
        if kept is None:
            raise NotFound(f"There was no check of {order.ce}.", hint=f"wms ce check {order.ce}")
        return kept.report

    async def _asked(self, order: CheckCe) -> CheckReport:
        if order.ce not in self._kit.backends:
            raise UnknownResource(f"No computing element is configured as {order.ce}.", value=order.ce,
                                  hint=f"Configured: {', '.join(sorted(self._kit.backends)) or 'none'}.")
        if order.ce in self._running:
            return await self._report(order)
        if order.credential:
            carried(self._kit.credentials, order.credential)
        report = CheckReport(order.ce, self._kit.now())
        await self._keep(order, report)
        self._begin(order, report.asked)
        return report

    # -- one check ---------------------------------------------------------------------------------------

    def _begin(self, order: CheckCe, asked: float) -> None:
        self._running[order.ce] = running = background(self._check(order, asked), self._kit.log)
        _ = running.addBoth(lambda _done: self._running.pop(order.ce, None))
        if running.called:
            self._running.pop(order.ce, None)

    async def _check(self, order: CheckCe, asked: float) -> None:
        kit = self._kit

        async def say(probes: tuple[Probe, ...]) -> None:
            await self._keep(order, CheckReport(order.ce, asked, probes=probes))

        try:
            probes = await Check(kit.backends[order.ce], kit.clock, self._plan(order, asked), say).run()
        except CancelledError:
            return
        bad = [probe for probe in probes if probe.result == FAILS]
        drained = bool(bad) and order.drain
        await self._keep(order, CheckReport(order.ce, asked, kit.now(), probes, drained), self._drain(order, bad))
        kit.log.info("{ce} was checked by {by}: {n} of {all} probes fail", ce=order.ce, by=order.owner, n=len(bad),
                     all=len(probes), failing=[probe.name for probe in bad])

    @staticmethod
    def _drain(order: CheckCe, bad: Sequence[Probe]) -> DrainCe | None:
        if not (bad and order.drain):
            return None
        named = "; ".join(f"{probe.name}: {probe.sentence}" for probe in bad[:MOST_NAMED])
        return DrainCe("", "", order.ce, order.owner or "the check", f"its check failed: {named}")

    def _plan(self, order: CheckCe, asked: float) -> Plan:
        """With the delegated credential, or a worthless one that shows whether it arrives."""
        kit, tls = self._kit, self._kit.settings.tls
        has = carried(kit.credentials, order.credential) if order.credential else _worthless(asked)
        return Plan(f"check-{int(asked * 1000):x}", kit.settings.ns_url() + OPERATIONS["ns.version"].path,
                    issuers(tls.certificate, tls.ca_dir), order.queue, has.proxy, has.proxy and has.proxy + b"\n",
                    has.bearer, order.owner, order.vo, order.fqans)

    async def _keep(self, order: CheckCe, report: CheckReport, drain: DrainCe | None = None) -> None:
        kept = Kept(self._kit.instance, order, report)
        await self._kit.database.transact(_put, kept, drain, self._kit.now())


def _worthless(now: float) -> Carried:
    """What looks like a proxy and a token, and is neither: nobody signed them but themselves."""
    made = make_authority(now, serial=1, dn="/CN=check of a computing element", days=1, kind="ec")
    return Carried(made.certificate + made.key, b"not-a-token-but-a-check")


# -- rows ------------------------------------------------------------------------------------------------


def _unfinished(conn: sa.Connection) -> list[Kept]:
    rows = conn.scalars(sa.select(checks.c.report).where(checks.c.finished.is_(None)))
    return [msgspec.json.decode(row, type=Kept) for row in rows]


def _find(conn: sa.Connection, ce: str) -> Kept | None:
    row = conn.scalar(sa.select(checks.c.report).where(checks.c.backend == ce))
    return None if row is None else msgspec.json.decode(row, type=Kept)


def _put(conn: sa.Connection, kept: Kept, drain: DrainCe | None, now: float) -> None:
    """The row, and with the end of a check what follows from it."""
    values = {"asked": kept.report.asked, "finished": kept.report.finished or None,
              "report": msgspec.json.encode(kept)}
    here = checks.c.backend == kept.order.ce
    if not conn.execute(checks.update().where(here).values(**values)).rowcount:
        conn.execute(checks.insert(), {"backend": kept.order.ce, **values})
    if drain is not None:
        queue.put(conn, WM_MATCH, drain, now=now)
