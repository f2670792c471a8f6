"""The Job Adapter as a daemon: one reader that submits, kills, cleans and renews, in batches per backend, and the
rounds that compare what CEs hold with what they should.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import msgspec
import sqlalchemy as sa

from jobadapter import store
from jobadapter.carried import Carried, renewed
from jobadapter.checks import Checks
from jobadapter.reconciling import reconciling
from jobadapter.submitting import Submitting, Tried
from jobadapter.together import together
from wms.ce import Backend
from wms.consumer import EffectConsumer, Record
from wms.errors import Unavailable
from wms.messages import decode
from wms.messages.attempts import Clean, Kill, Run
from wms.messages.credentials import ProxyRenewed
from wms.messages.topics import JOBADAPTER, JOBADAPTER_CHECKS
from wms.outbox import Outbox
from wms.queue import Message
from wms.service import Daemon, Kit, Ticker

BATCH = 50
FORGET_AFTER_S = 86_400.0
RENEWED = 200
"""Jobs that get their fresh credential in one call."""
FIRST_AGAIN_S, LONGEST_AGAIN_S = 2.0, 300.0
MOST_AGAIN = 40
"""A CE that is away for three hours is not told any more what to kill: reconciliation finds what it still holds."""

Errand: TypeAlias = "Kill | Clean | ProxyRenewed"


def make(kit: Kit) -> Daemon:
    """The daemon `jobadapter`."""
    adapter, checks = Adapter(kit), Checks(kit)

    async def forget() -> None:
        await kit.database.transact(store.forget, kit.now() - FORGET_AFTER_S)

    return Daemon("jobadapter", [
        EffectConsumer(kit, JOBADAPTER, adapter.act, batch=BATCH),
        Ticker(kit, "forget", 3600.0, forget),
        *reconciling(kit),
        checks,
        EffectConsumer(kit, JOBADAPTER_CHECKS, checks.act),
    ])


@dataclass(slots=True)
class Batch:
    """A batch of messages by kind."""

    runs: list[Run] = field(default_factory=list)
    kills: list[Kill] = field(default_factory=list)
    cleans: list[Clean] = field(default_factory=list)
    renewals: list[ProxyRenewed] = field(default_factory=list)


class Adapter:
    """Handler of the topic `jobadapter`."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self._submitting = Submitting(kit)

    async def act(self, messages: Sequence[Message]) -> Record:
        batch = _sorted(messages)
        again: list[Errand] = await self._stop(batch.kills)
        tried = await self._submitting.submit(batch.runs)
        again += await self._clean(batch.cleans)
        for renewal in batch.renewals:
            again += await self._renew(renewal)
        now = self._kit.now()
        return lambda conn: self._record(conn, tried, again, now)

    def _record(self, conn: sa.Connection, tried: Sequence[Tried], again: Sequence[Errand], now: float) -> None:
        with Outbox(conn, now) as out:
            for one in tried:
                self._submitting.record(out, one)
            for errand in again:
                if errand.tries < MOST_AGAIN:
                    delay_s = min(LONGEST_AGAIN_S, FIRST_AGAIN_S * 2.0**errand.tries)
                    later: Errand = msgspec.structs.replace(errand, tries=errand.tries + 1)
                    job = "" if isinstance(errand, ProxyRenewed) else errand.job
                    out.send(JOBADAPTER, later, job, delay_s=delay_s)

    # -- what is told a CE: if it is away, later -----------------------------------------------------------

    async def _stop(self, kills: Sequence[Kill]) -> list[Errand]:
        """Cancel at the CE; an attempt that was not submitted yet never will be."""
        by_token = {_token(kill): kill for kill in kills}
        if not by_token:
            return []
        rows = [store.Submission(_id(kill), kill.attempt, "", token, store.STOPPED, "", self._kit.now())
                for token, kill in by_token.items()]
        await self._kit.database.transact(store.stop, rows)
        return [by_token[token] for token in await self._on_backends("cancel", list(by_token))]

    async def _clean(self, cleans: Sequence[Clean]) -> list[Errand]:
        by_token = {_token(clean): clean for clean in cleans}
        if not by_token:
            return []
        await self._kit.database.transact(store.mark, list(by_token), store.STOPPED, self._kit.now())
        return [by_token[token] for token in await self._on_backends("clean", list(by_token))]

    async def _on_backends(self, verb: str, tokens: Sequence[str]) -> list[str]:
        """The tokens whose CE is away."""
        found = await self._kit.database.read(store.find, tokens)
        groups = _by_backend([found[token] for token in tokens if token in found])
        return [token for group in await together([
            self._on_backend(self._kit.backends[name], verb, group)
            for name, group in groups.items() if name in self._kit.backends]) for token in group]

    async def _on_backend(self, backend: Backend, verb: str, tokens: list[str]) -> list[str]:
        try:
            await getattr(backend, verb)(tokens)
        except Unavailable as error:
            self._kit.log.warn("a CE cannot be told to {verb} {n} jobs now: {error}", verb=verb, n=len(tokens),
                               error=error.message)
            return tokens
        return []

    async def _renew(self, message: ProxyRenewed) -> list[Errand]:
        """The fresh credential reaches every job that runs under it. While a CE is away the message is tried again;
        one whose credential is gone by now has nothing to bring."""
        rows = await self._kit.database.read(store.live, message.credential)
        fresh = renewed(self._kit.credentials, message.credential, message.kind)
        if fresh == Carried():
            return []
        told = await together([_renew_at(self._kit.backends[name], tokens, fresh)
                               for name, tokens in _by_backend(rows).items() if name in self._kit.backends])
        return [] if all(told) else [message]


async def _renew_at(backend: Backend, tokens: Sequence[str], fresh: Carried) -> bool:
    """A portion of the jobs at a time. Did the CE hear of all?"""
    try:
        for first in range(0, len(tokens), RENEWED):
            await backend.renew(tokens[first : first + RENEWED], fresh.proxy, fresh.bearer)
    except Unavailable:
        return False
    return True


def _id(message: Kill | Clean) -> str:
    return message.job.rsplit("/", 1)[-1]


def _token(message: Kill | Clean) -> str:
    return store.token(_id(message), message.attempt)


def _by_backend(rows: Sequence[store.Submission]) -> dict[str, list[str]]:
    """Tokens by the name of their backend."""
    found: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        found[row.backend].append(row.token)
    return found


def _sorted(messages: Sequence[Message]) -> Batch:
    batch = Batch()
    for message in messages:
        match decode(message.body):
            case Run() as run:
                batch.runs.append(run)
            case Kill() as kill:
                batch.kills.append(kill)
            case Clean() as clean:
                batch.cleans.append(clean)
            case ProxyRenewed() as renewal:
                batch.renewals.append(renewal)
            case other:
                raise TypeError(f"the Job Adapter does not take {type(other).__name__}")
    return batch
