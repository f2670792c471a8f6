"""One ARC CE with all that is remembered of it: what submission, asking and parting have in common.

Not here: any of these.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from wms.ce.arc import answers
from wms.ce.arc.delegations import Delegations
from wms.ce.arc.description import mark, token_of
from wms.ce.arc.record import Entry, Parting
from wms.ce.arc.rest import Doors, Rest
from wms.ce.arc.settings import ArcSettings
from wms.ce.arc.wallet import SERVICE, Wallet
from wms.ce.ledger import Ledger

__all__ = ["Site", "by_credential", "handles", "sure"]

_HANDLE = re.compile(r"[A-Za-z0-9_-]{1,200}")


def sure(handle: str) -> bool:
    """May this stand in a path?"""
    return _HANDLE.fullmatch(handle) is not None


class Site:
    """Its ledgers, its clients by credential, its delegations."""

    def __init__(self, settings: ArcSettings, reactor: Any, now: Callable[[], float]) -> None:
        self.settings = settings
        self.clock = reactor
        self.now = now
        self.mark = mark(settings.host, settings.spool)
        self.jobs = Ledger(Path(settings.spool, "jobs"), Entry)
        self.partings = Ledger(Path(settings.spool, "partings"), Parting)
        self.wallet = Wallet(settings, now)
        self.delegations = Delegations(settings, now)
        self.doors = Doors(settings, lambda credential: Rest(settings, reactor, credential))

    def prepare(self) -> None:
        for part in (self.jobs, self.partings, self.wallet, self.delegations):
            part.prepare()

    @property
    def delegates(self) -> bool:
        return self.settings.credential != SERVICE

    def rest(self, key: str) -> Rest:
        """The client under that credential. Raises BadCredential."""
        return self.doors.of(self.wallet.get(key))

    def change(self, token: str, **fields: Any) -> None:
        """An entry that was forgotten meanwhile stays so."""
        if (entry := self.jobs.get(token)) is not None:
            self.jobs.put(token, msgspec.structs.replace(entry, **fields))

    def part(self, token: str, entry: Entry) -> None:
        """Forget a job here, and remember that the CE has to."""
        self.partings.put(entry.handle or token, Parting(entry.credential, entry.handle))
        self.jobs.remove([token])

    def uses(self, key: str) -> bool:
        """Is there a job of that credential, here or at the CE?"""
        return any(entry.credential == key for entry in self.jobs.find(list(self.jobs.tokens())).values()) \
            or any(one.credential == key for one in self.partings.find(list(self.partings.tokens())).values())

    def part_double(self, key: str, handle: str) -> None:
        """A second job of one name at the CE, which never got its files."""
        self.partings.put(handle, Parting(key, handle))

    async def named(self, rest: Rest) -> dict[str, list[str]]:
        """Our jobs at the CE under one credential, by token, as far as nobody parts from them: their handles."""
        ids = [id for id in answers.listed((await rest.get("/jobs")).body) if sure(id)]
        parting = set(self.partings.tokens())
        found: dict[str, list[str]] = defaultdict(list)
        for body in await rest.jobs("info", [id for id in ids if id not in parting]):
            for item in answers.items(body):
                token = token_of(self.mark, answers.activity(item).name)
                if token is not None:
                    found[token].append(item.id)
        return found


def by_credential(entries: Mapping[str, Entry]) -> dict[str, dict[str, Entry]]:
    """Entries by token, for each key of a credential."""
    found: dict[str, dict[str, Entry]] = defaultdict(dict)
    for token, entry in entries.items():
        found[entry.credential][token] = entry
    return found


def handles(entries: Iterable[Entry]) -> list[str]:
    return [entry.handle for entry in entries if entry.handle]

