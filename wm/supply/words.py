"""What each source says of one CE or SE, whose word counts for which attribute, and since when. Pure.

Not snapshots (supermarket).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from math import inf
from typing import Any, Final, NamedTuple, TypeAlias

from wm.supply.purchasers import Entry, Purchase


class Kind(StrEnum):
    """Who speaks: the CE itself, a directory of CEs (BDII), the site's own file."""

    BACKEND = "backend"
    DIRECTORY = "directory"
    STATIC = "static"


OWN: Final = "own"
"""What this service itself says of a CE."""
STATE_PREFIX: Final = "gluecestate"
STATE_TRUST: Final = {Kind.STATIC: 0, Kind.DIRECTORY: 1, Kind.BACKEND: 2}
"""For attributes of the state: a CE knows its own state best."""
TRUST: Final = {Kind.BACKEND: 0, Kind.DIRECTORY: 1, Kind.STATIC: 2}
"""For everything else and the binding: the site's file has the last word."""
RULES: Final = "glueceaccesscontrolbaserule"
"""The one attribute for which a word on a view outdoes every word on its CE."""
MOST_CHARACTERS: Final = 255


@dataclass(frozen=True, slots=True)
class Source:
    """A purchaser's name and kind; what it says holds for `lifetime_s`."""

    name: str
    kind: Kind
    lifetime_s: float = inf


@dataclass(frozen=True)
class Stock:
    """The latest purchase from a source, made at `bought` (epoch s)."""

    source: Source
    purchase: Purchase
    bought: float

    @property
    def expires(self) -> float:
        return self.bought + self.source.lifetime_s

    @cached_property
    def ces(self) -> Mapping[str, Entry]:
        """Those whose names the tables of their jobs can hold."""
        return {entry.id: entry for entry in self.purchase.ces
                if len(entry.id) <= MOST_CHARACTERS and "\0" not in entry.id}

    @cached_property
    def ses(self) -> Mapping[str, Entry]:
        return {entry.id: entry for entry in self.purchase.ses}

    @cached_property
    def views(self) -> Mapping[str, tuple[str, ...]]:
        """Ids of the views of each CE."""
        found: dict[str, tuple[str, ...]] = {}
        for entry in self.ces.values():
            if entry.base:
                found[entry.base] = (*found.get(entry.base, ()), entry.id)
        return found


class Word(NamedTuple):
    """What a source says; `special` on the view itself, not on the CE it is a view of."""

    stock: Stock
    entry: Entry
    special: bool = True


Said: TypeAlias = "Sequence[Word]"


class Origin(NamedTuple):
    """An attribute, whose word it is, and when that was said (epoch s); `kind` is one of `Kind`, or `OWN`."""

    name: str
    value: Any
    source: str
    kind: str
    bought: float


def sayings(stocks: Iterable[Stock], shelf: str, ids: Collection[str]) -> dict[str, list[Word]]:
    """What is said of each of `ids` on the shelf `ces` or `ses`; a view is told what is said of its CE too.

    Of sources of one kind the first by name comes last and is trusted most.
    """
    ordered = sorted(stocks, key=lambda stock: stock.source.name, reverse=True)
    direct = _direct(ordered, shelf, ids)
    bases = {id: base for id, words in direct.items() for word in words if (base := word.entry.base)}
    if not bases:
        return direct
    general = _direct(ordered, shelf, set(bases.values()))
    return direct | {id: [*(word._replace(special=False) for word in general[base]), *direct[id]]
                     for id, base in bases.items()}


def _direct(stocks: Iterable[Stock], shelf: str, ids: Collection[str]) -> dict[str, list[Word]]:
    found: dict[str, list[Word]] = {id: [] for id in ids}
    for stock in stocks:
        entries: Mapping[str, Entry] = getattr(stock, shelf)
        for id in entries.keys() & found.keys():
            found[id].append(Word(stock, entries[id]))
    return found


def merged(said: Said) -> dict[str, Any]:
    """The attributes: of each the word that counts most."""
    return {name: value for name, value, _ in _winners(said).values()}


def origins(said: Said) -> tuple[Origin, ...]:
    """The same with who said it, by name."""
    return tuple(sorted(Origin(name, value, word.stock.source.name, word.stock.source.kind, word.stock.bought)
                        for name, value, word in _winners(said).values()))


_Won: TypeAlias = "dict[str, tuple[str, Any, Word]]"


def _winners(said: Said) -> _Won:
    if len(said) == 1:
        return _all(said[0])
    found: _Won = {}
    for word in sorted(said, key=_trust):
        found |= _all(word)
    for word in sorted(said, key=_state_trust):
        found |= {name: won for name, won in _all(word).items() if name.startswith(STATE_PREFIX)}
    for word in sorted(said, key=lambda word: (word.special, *_trust(word))):
        found |= {name: won for name, won in _all(word).items() if name == RULES}
    return found


def _all(word: Word) -> _Won:
    return {name.casefold(): (name, value, word) for name, value in word.entry.attributes.items()}


def _trust(word: Word) -> tuple[int, bool]:
    return TRUST[word.stock.source.kind], word.special


def _state_trust(word: Word) -> tuple[int, bool]:
    return STATE_TRUST[word.stock.source.kind], word.special


def binding(said: Said) -> tuple[str, str]:
    """The backend that runs the jobs and its queue, ("", "") if nobody says."""
    bound = [(word.entry.backend, word.entry.queue) for word in sorted(said, key=_trust) if word.entry.backend]
    return bound[-1] if bound else ("", "")


def when(said: Said) -> tuple[str, float, float]:
    """Names of the sources, time of the latest word, and until when all of them hold."""
    stocks = [word.stock for word in said]
    return (", ".join(sorted({stock.source.name for stock in stocks})),
            max(stock.bought for stock in stocks), min(stock.expires for stock in stocks))
