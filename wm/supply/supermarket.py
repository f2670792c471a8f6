"""The information supermarket: what all sources say of CEs and SEs, merged by attribute into one snapshot.

Values only: an update gives a new supermarket, a snapshot never changes. Not the asking of the sources.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from math import inf
from typing import Any, TypeAlias

from wm.supply.purchasers import Entry, Purchase
from wms.jdl.values import prepare
from wms.resource import ComputingElement, StorageElement, completed


class Kind(StrEnum):
    """Who speaks: the CE itself, a directory of CEs (BDII), the site's own file."""

    BACKEND = "backend"
    DIRECTORY = "directory"
    STATIC = "static"


STATE_PREFIX = "gluecestate"
STATE_TRUST = (Kind.STATIC, Kind.DIRECTORY, Kind.BACKEND)
"""Least trusted first, for attributes of the state: a CE knows its own state best."""
TRUST = (Kind.BACKEND, Kind.DIRECTORY, Kind.STATIC)
"""Least trusted first, for everything else and the binding: the site's file has the last word."""


BOUND_SES = "GlueCESEBindGroupSEUniqueID"
"""The SEs close to a CE: those known are at hand as `other.storage.CloseSEs`, for anyMatch and its kin."""


@dataclass(frozen=True, slots=True)
class Source:
    """A purchaser's name and kind; what it says holds for `lifetime_s`."""

    name: str
    kind: Kind
    lifetime_s: float = inf


@dataclass(frozen=True, slots=True)
class Stock:
    """The latest purchase from a source, made at `bought` (epoch s)."""

    source: Source
    purchase: Purchase
    bought: float

    @property
    def expires(self) -> float:
        return self.bought + self.source.lifetime_s


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All usable entries at one time, by id; `void` are the CEs whose every source fell silent.

    `version` grows when an entry changes, `expires` is when the first one ceases to hold (epoch s).
    """

    version: int = 0
    ces: Mapping[str, ComputingElement] = field(default_factory=dict)
    ses: Mapping[str, StorageElement] = field(default_factory=dict)
    void: frozenset[str] = frozenset()
    expires: float = inf


EMPTY = Snapshot()


@dataclass(frozen=True, slots=True)
class Supermarket:
    """The stock of each source by its name."""

    stocks: Mapping[str, Stock] = field(default_factory=dict)

    def updated(self, source: Source, records: Purchase, now: float) -> Supermarket:
        """With `records`, bought at `now`, in the place of all that `source` said before."""
        return Supermarket({**self.stocks, source.name: Stock(source, records, now)})

    def without(self, name: str) -> Supermarket:
        """Without the source `name`, which was taken out of the configuration."""
        return Supermarket({key: stock for key, stock in self.stocks.items() if key != name})

    def snapshot(self, now: float, previous: Snapshot = EMPTY) -> Snapshot:
        """What holds at `now`; when nothing differs from `previous` the version is the same."""
        live = [stock for stock in self.stocks.values() if stock.expires > now]
        ses = {id: _storage(id, told) for id, told in _told(_on_ses(live)).items()}
        ces = {id: _computing(id, told, ses, previous.ces.get(id))
               for id, told in _told(_on_ces(live)).items()}
        void = _told(_on_ces(self.stocks.values())).keys() - ces.keys()
        expires = min((stock.expires for stock in live), default=inf)
        new = Snapshot(previous.version, ces, ses, frozenset(void), expires)
        return replace(new, version=previous.version + 1) if _differ(previous, new) else new


def changed(old: Snapshot, new: Snapshot) -> frozenset[str]:
    """The ids of CEs that came, went, or say something else: a waiting job is worth another try on these."""
    return frozenset(id for id in old.ces.keys() | new.ces.keys()
                     if _content(old.ces.get(id)) != _content(new.ces.get(id)))


def _differ(old: Snapshot, new: Snapshot) -> bool:
    return old.void != new.void or _said(old.ses) != _said(new.ses) or bool(changed(old, new))


def _said(ses: Mapping[str, StorageElement]) -> dict[str, Mapping[str, Any]]:
    return {id: se.attributes for id, se in ses.items()}


def _content(ce: ComputingElement | None) -> object:
    return ce and (ce.attributes, ce.backend, ce.queue)


# -- merging ---------------------------------------------------------------------------------------------

_Said: TypeAlias = "tuple[Stock, Entry]"


def _on_ces(stocks: Iterable[Stock]) -> Iterable[_Said]:
    return ((stock, entry) for stock in stocks for entry in stock.purchase.ces)


def _on_ses(stocks: Iterable[Stock]) -> Iterable[_Said]:
    return ((stock, entry) for stock in stocks for entry in stock.purchase.ses)


def _told(said: Iterable[_Said]) -> dict[str, list[_Said]]:
    """What was said of each id; of sources of one kind the first by name comes last and is trusted most."""
    told: dict[str, list[_Said]] = {}
    for stock, entry in sorted(said, key=lambda one: one[0].source.name, reverse=True):
        told.setdefault(entry.id, []).append((stock, entry))
    return told


def _by_trust(told: Sequence[_Said], order: Sequence[Kind]) -> list[Entry]:
    return [entry for _, entry in sorted(told, key=lambda one: order.index(one[0].source.kind))]


def _attributes(told: Sequence[_Said]) -> dict[str, Any]:
    folded = {name.casefold(): (name, value)
              for entry in _by_trust(told, TRUST) for name, value in entry.attributes.items()}
    folded |= {name.casefold(): (name, value)
               for entry in _by_trust(told, STATE_TRUST) for name, value in entry.attributes.items()
               if name.casefold().startswith(STATE_PREFIX)}
    return dict(folded.values())


def _when(told: Sequence[_Said]) -> tuple[str, float, float]:
    """Names of the sources, time of the latest word, and until when all of them hold."""
    stocks = [stock for stock, _ in told]
    return (", ".join(sorted({stock.source.name for stock in stocks})),
            max(stock.bought for stock in stocks), min(stock.expires for stock in stocks))


def _computing(id: str, told: Sequence[_Said], ses: Mapping[str, StorageElement],
               before: ComputingElement | None) -> ComputingElement:
    attributes = completed(id, _attributes(told))
    if close := [ses[se].attributes for se in attributes.get(BOUND_SES, ()) if se in ses]:
        attributes["storage"] = {"CloseSEs": close}
    same = before is not None and before.attributes == attributes
    prepared = before.prepared if before is not None and same else prepare(attributes)
    bound = [(entry.backend, entry.queue) for entry in _by_trust(told, TRUST) if entry.backend]
    return ComputingElement(id, attributes, prepared, *_when(told), *(bound or [("", "")])[-1])


def _storage(id: str, told: Sequence[_Said]) -> StorageElement:
    return StorageElement(id, _attributes(told), *_when(told))
