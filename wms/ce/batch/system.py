"""The commands of a batch system, run on its host: lists that several questions share, and who does not answer.

Not here: what its words mean (its dialect), the spool (staging).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

from twisted.internet.defer import DeferredLock
from twisted.logger import Logger

from wms.ce import Phase
from wms.ce.batch.dialect import Dialect, Listing, Row, Said
from wms.ce.batch.settings import BatchSettings
from wms.ce.hosts import Host
from wms.ce.published import QueueFacts
from wms.errors import Unavailable

__all__ = ["System"]

_HANDLE = re.compile(r"[A-Za-z0-9_.@\[][A-Za-z0-9_.@\[\]-]{0,120}")
_AT_ONCE = 500
"""Names or handles in one command line: some 60 kB."""

_COUNTED = 20.0
"""How many jobs queues have may be told from a list so many times as old: it is asked about all the time."""

_NO_ACCOUNTS_S = 600.0
"""How long nobody asks for accounts again after they could not be read."""


class _Listed(NamedTuple):
    when: float
    rows: Mapping[str, Row]


class System:
    """Everything may raise `Unavailable`."""

    def __init__(self, host: Host, dialect: Dialect, settings: BatchSettings, reactor: Any) -> None:
        self._host = host
        self._dialect = dialect
        self._settings = settings
        self._reactor = reactor
        self._listed = _Listed(float("-inf"), {})
        self._lock = DeferredLock()
        self._odd: set[str] = set()
        self._log = Logger()
        self._accounts_again = float("-inf")

    async def rows(self, not_before: float = float("-inf"), old: float = 1.0) -> Mapping[str, Row]:
        """All jobs by handle, at most `old` times `fresh_s` old, not listed before that time (of the reactor)."""
        await self._lock.acquire()
        try:
            now = self._reactor.seconds()
            if self._listed.when < max(now - old * self._settings.fresh_s, not_before):
                said = await self._said(self._dialect.listing())
                self._listed = _Listed(now, self._understood(self._dialect.rows(said.stdout)))
            return self._listed.rows
        finally:
            self._lock.release()

    async def past(self, handles: Collection[str]) -> Mapping[str, Row]:
        """What the accounts have of these; nothing where there are no accounts."""
        found: dict[str, Row] = {}
        if self._reactor.seconds() < self._accounts_again:
            return found
        for some in _portions(handles):
            command = self._dialect.history(some)
            said = await self._run(command) if command else Said(1, "", "")
            if said.status:
                self._accounts_again = self._reactor.seconds() + _NO_ACCOUNTS_S
                return found
            found.update(self._understood(self._dialect.past(said.stdout)))
        return found

    async def search(self, names: Collection[str]) -> dict[str, str]:
        """Name -> handle of the jobs that have these names; the first of several."""
        found: dict[str, str] = {}
        for some in _portions(names):
            said = await self._said(self._dialect.search(some))
            for name, handle in self._dialect.found(said.stdout):
                if name in names and _HANDLE.fullmatch(handle):
                    found.setdefault(name, handle)
        return found

    async def names(self) -> set[str]:
        """Of all jobs that have not ended. Anybody may call a job so: `search` before something is done to one."""
        said = await self._said(self._dialect.search(()))
        rows = await self.rows()
        return {name for name, handle in self._dialect.found(said.stdout)
                if (row := rows.get(handle)) is not None and row.phase is not Phase.ENDED}

    async def cancel(self, handles: Collection[str], account: str) -> None:
        sound = [handle for handle in handles if _HANDLE.fullmatch(handle)]
        for some in _portions(sound):
            for command in self._dialect.cancel(some):
                said = await self._run(command, account)
                if said.status and not self._dialect.harmless(said):
                    raise _silence(command, said)

    async def queues(self, most: QueueFacts) -> list[QueueFacts]:
        rows = await self.rows(old=_COUNTED)
        said = [(await self._said(command)).stdout for command in self._dialect.facts()]
        return self._dialect.queues(said, rows, most)

    async def _said(self, command: Sequence[str]) -> Said:
        said = await self._run(command)
        if said.status:
            raise _silence(command, said)
        return said

    async def _run(self, command: Sequence[str], account: str = "") -> Said:
        done = await self._host.run(command, timeout_s=self._settings.timeout_s, account=account)
        return Said(done.status, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))

    def _understood(self, listing: Listing) -> Mapping[str, Row]:
        """A kind of line that cannot be read is reported once: its first word tells kinds apart well enough."""
        for line in listing.odd[:10]:
            kind = re.sub(r"\d+", "#", line)[:40]
            if kind not in self._odd and len(self._odd) < 100:
                self._odd.add(kind)
                self._log.warn("{system} lists a job as {line!r}: not understood", system=self._dialect.system,
                               line=line[:200])
        return listing.rows


def _silence(command: Sequence[str], said: Said) -> Unavailable:
    words = " ".join(said.stderr.split())[:300]
    return Unavailable(f"{command[0]}: {words or f'exit status {said.status}'}")


def _portions(items: Collection[str]) -> Iterator[list[str]]:
    left = iter(items)
    while some := list(islice(left, _AT_ONCE)):
        yield some
