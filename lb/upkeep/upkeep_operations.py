"""The remote operations of upkeep: who may dump and load, and the files around that.

Portions of a dump are read in lb.upkeep.dump, those of a load stored in lb.upkeep.load; purges are in
lb.upkeep.purge_operations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO

import msgspec

from lb.access.denials import Gate
from lb.access.rights import Action
from lb.keeper import Follower
from lb.ulm_log import MAX_LINE, Entry, Problem, read
from lb.upkeep import archive
from lb.upkeep.archive import Growing
from lb.upkeep.dump import Interval, first, interval, portion, remember
from lb.upkeep.load import Batch, settle, store_batch
from lb.waiting import Waiters
from wms.httpd import Call, FileReply, Handler
from wms.operations.upkeep import Dump, Dumped, DumpFile, DumpList, Loaded, Rejected
from wms.service import Kit

LINES = 500
TOLD = 100
"""Most rejected lines in an answer."""


@dataclass(frozen=True, slots=True)
class Upkeep:
    """The handlers and what they need; `followers` are those who keep what belongs to a state."""

    kit: Kit
    gate: Gate
    waiters: Waiters
    followers: Sequence[Follower]

    def handlers(self) -> dict[str, Handler]:
        return {"lb.dump": self.dump, "lb.dumps": self.dumps, "lb.dump_file": self.dump_file, "lb.load": self.load}

    @property
    def folder(self) -> Path:
        return archive.directory(self.kit.settings)

    async def dump(self, call: Call) -> Dumped:
        """Write the events of an interval to a file that is there only when it is whole."""
        self.gate.require(Action.ADMIN_ACCESS, call.user)
        asked, kit = call.body, self.kit
        assert isinstance(asked, Dump)
        now = kit.now()
        span = await kit.database.read(interval, asked.since, asked.until, now)
        file = Growing(self.folder, archive.fresh_name(self.folder, "dump", now), hidden=True)
        try:
            number = await self._written(span, file)
            await kit.thread(file.finish)
        except BaseException:
            file.drop()
            raise
        await kit.database.transact(remember, span)
        size = archive.find(self.folder, file.name).stat().st_size
        return Dumped(file.name, number, size, span.begin, span.end)

    async def dumps(self, call: Call) -> DumpList:
        """What is in the directory."""
        self.gate.require(Action.ADMIN_ACCESS, call.user)
        return DumpList(tuple(DumpFile(*kept) for kept in await self.kit.thread(archive.listing, self.folder)))

    async def dump_file(self, call: Call) -> FileReply:
        """One of its files."""
        self.gate.require(Action.ADMIN_ACCESS, call.user)
        path = archive.find(self.folder, call.params["file"])
        return FileReply(str(path), path.stat().st_size)

    async def load(self, call: Call) -> Loaded:
        """Make jobs of the lines of the body, or of a file of the directory."""
        self.gate.require(Action.ADMIN_ACCESS, call.user)
        name = call.query.get("file", "")
        if not name:
            call.content.seek(0)
            return await self._loaded(call.content)
        with open(archive.find(self.folder, name), "rb") as file:
            return await self._loaded(file)

    async def _written(self, span: Interval, file: Growing) -> int:
        number, place = 0, first(span)
        while True:
            found = await self.kit.database.read(portion, span, place)
            await self.kit.thread(file.write, found.lines)
            number += found.number
            if found.end is None:
                return number
            place = found.end

    async def _loaded(self, log: IO[bytes]) -> Loaded:
        name = archive.fresh_name(self.folder, "rejected", self.kit.now())
        total, number, collections = Loaded(0, 0, 0, 0), 1, set[str]()
        rejected: Growing | None = None
        try:
            while lines := await self.kit.thread(_some, log):
                batch = await self._stored(lines, number)
                number += len(lines)
                collections |= batch.collections
                total = _sum(total, batch)
                if batch.problems:
                    rejected = rejected or Growing(self.folder, name, hidden=False)
                    rejected.write(b"".join(map(_kept, batch.problems)))
            await self.kit.database.transact(settle, collections, self.kit.host, self.followers)
            if rejected is not None:
                await self.kit.thread(rejected.sync)
        finally:
            if rejected is not None:
                rejected.close()
        return msgspec.structs.replace(total, file=name if rejected is not None else "")

    async def _stored(self, lines: Sequence[bytes], number: int) -> Batch:
        found = await self.kit.thread(_read_all, lines, number)
        batch = await self.kit.database.transact(store_batch, found, self.kit.now(), self.followers)
        self.waiters.note(batch.changed)
        self.waiters.tell()
        return batch

def _some(log: IO[bytes]) -> list[bytes]:
    """The next lines, about a batch of them; one that is too long is given in parts, which are no events."""
    return list(islice(iter(lambda: log.readline(MAX_LINE + 1), b""), LINES))


def _read_all(lines: Sequence[bytes], first: int) -> list[Entry | Problem]:
    return [found for number, line in enumerate(lines, first) if (found := read(number, line)) is not None]


def _kept(problem: Problem) -> bytes:
    """A rejected line as it came, and why, so that it can be repaired and loaded again."""
    reason = problem.reason.replace("\n", " ").encode(errors="replace")
    return b"# line %d: %b\n%b\n" % (problem.number, reason, problem.line.rstrip(b"\r\n"))


def _sum(total: Loaded, batch: Batch) -> Loaded:
    told = [Rejected(one.number, one.reason, one.lb_code) for one in batch.problems[:TOLD - len(total.problems)]]
    return Loaded(total.events + batch.events, total.stored + batch.stored, total.duplicates + batch.duplicates,
                  total.rejected + len(batch.problems), (*total.problems, *told), "", total.extra + batch.extra)
