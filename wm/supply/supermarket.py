"""The information supermarket: what all sources say of CEs and SEs, merged by attribute into one snapshot.

Values only: an update gives a new supermarket, a snapshot never changes, and what did not change is shared with the
one before. Not the asking of the sources, nor how words are weighed (words).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import inf
from typing import Any, TypeAlias

from wm.supply.purchasers import Purchase
from wm.supply.words import Kind, Origin, Said, Source, Stock, binding, merged, origins, sayings, when
from wms.jdl.values import prepare
from wms.resource import ComputingElement, StorageElement, completed

__all__ = ["EMPTY", "Kind", "Origin", "Snapshot", "Source", "Stock", "Supermarket", "changed"]

BOUND_SES = "GlueCESEBindGroupSEUniqueID"
"""The SEs close to a CE: those known are at hand as `other.storage.CloseSEs`, for anyMatch and its kin."""
_Stocks: TypeAlias = "Mapping[str, Stock]"


@dataclass(frozen=True)
class Snapshot:
    """All usable entries at one time, by id; `void` are the CEs whose every source fell silent.

    `version` grows when an entry changes, `expires` is when the first one ceases to hold (epoch s), `stocks` is
    what it was made of.
    """

    version: int = 0
    ces: Mapping[str, ComputingElement] = field(default_factory=dict)
    ses: Mapping[str, StorageElement] = field(default_factory=dict)
    void: frozenset[str] = frozenset()
    expires: float = inf
    stocks: Mapping[str, Stock] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def by_destination(self) -> Mapping[str, tuple[ComputingElement, ...]]:
        """The CE of an id and its views, by the id that jobs are told."""
        found: dict[str, tuple[ComputingElement, ...]] = {}
        for ce in self.ces.values():
            found[ce.destination] = (*found.get(ce.destination, ()), ce)
        return found

    def origins(self, id: str) -> tuple[Origin, ...]:
        """Where each attribute of a CE or SE comes from, by name; empty for an unknown id."""
        shelf = "ces" if id in self.ces else "ses"
        return origins(sayings(self.stocks.values(), shelf, {id})[id]) if id in self.ces or id in self.ses else ()


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
        """What holds at `now`; only what sources say otherwise than for `previous` is made anew."""
        live = {name: stock for name, stock in self.stocks.items() if stock.expires > now}
        ses = _ses(live, previous)
        fresh = {id for id in ses.keys() | previous.ses.keys() if _other(previous.ses.get(id), ses.get(id))} \
            if ses is not previous.ses else set()
        ces = _ces(live, previous, ses, fresh)
        silent = {id for name, stock in self.stocks.items() if name not in live for id in stock.ces}
        void = frozenset(silent - ces.keys())
        expires = min((stock.expires for stock in live.values()), default=inf)
        news = bool(fresh) or void != previous.void or bool(_changed(previous.ces, ces))
        return Snapshot(previous.version + news, ces, ses, void, expires, live)


def changed(old: Snapshot, new: Snapshot) -> frozenset[str]:
    """The ids of CEs that came, went, or say something else: a waiting job is worth another try on these."""
    return _changed(old.ces, new.ces)


def _changed(old: Mapping[str, ComputingElement], new: Mapping[str, ComputingElement]) -> frozenset[str]:
    if old is new:
        return frozenset()
    gone = old.keys() - new.keys()
    return frozenset(gone.union(id for id, ce in new.items() if (was := old.get(id)) is not ce and _other(was, ce)))


def _other(old: ComputingElement | StorageElement | None, new: ComputingElement | StorageElement | None) -> bool:
    return old is not new and _content(old) != _content(new)


def _content(one: ComputingElement | StorageElement | None) -> object:
    if isinstance(one, ComputingElement):
        return one.attributes, one.backend, one.queue, one.base
    return one and one.attributes


# -- making entries --------------------------------------------------------------------------------------


def _touched(live: _Stocks, before: _Stocks, shelf: str) -> set[str]:
    """The ids of which a source says something since then, or has fallen silent."""
    found: set[str] = set()
    for name in live.keys() | before.keys():
        old, new = before.get(name), live.get(name)
        if old is not new:
            found.update(*(getattr(stock, shelf).keys() for stock in (old, new) if stock is not None))
    return found


def _ses(live: _Stocks, previous: Snapshot) -> Mapping[str, StorageElement]:
    touched = _touched(live, previous.stocks, "ses")
    if not touched:
        return previous.ses
    ses = dict(previous.ses)
    for id, said in sayings(live.values(), "ses", touched).items():
        if said:
            ses[id] = _storage(id, said, ses.get(id))
        else:
            ses.pop(id, None)
    return ses


def _ces(live: _Stocks, previous: Snapshot, ses: Mapping[str, StorageElement],
         fresh: set[str]) -> Mapping[str, ComputingElement]:
    touched = _touched(live, previous.stocks, "ces")
    touched |= {id for stock in live.values() for base in stock.views.keys() & touched for id in stock.views[base]}
    if fresh:
        touched |= {id for id, ce in previous.ces.items() if not fresh.isdisjoint(ce.attributes.get(BOUND_SES, ()))}
    if not touched:
        return previous.ces
    ces = dict(previous.ces)
    for id, said in sayings(live.values(), "ces", touched).items():
        if said:
            ces[id] = _computing(id, said, ses, ces.get(id))
        else:
            ces.pop(id, None)
    return ces


def _computing(id: str, said: Said, ses: Mapping[str, StorageElement],
               before: ComputingElement | None) -> ComputingElement:
    base = next((word.entry.base for word in said if word.entry.base), "")
    attributes = completed(base or id, merged(said))
    close = [ses[se] for se in attributes.get(BOUND_SES, ()) if se in ses]
    if close:
        attributes["storage"] = {"CloseSEs": [se.attributes for se in close]}
    kept: Mapping[str, Any] = attributes
    if before is not None and before.attributes == attributes:
        kept, prepared = before.attributes, before.prepared
    elif close:
        prepared = prepare({**attributes, "storage": {"CloseSEs": [se.prepared for se in close]}})
    else:
        prepared = prepare(attributes)
    return ComputingElement(id, kept, prepared, *when(said), *binding(said), base)


def _storage(id: str, said: Said, before: StorageElement | None) -> StorageElement:
    attributes: Mapping[str, Any] = merged(said)
    if before is not None and before.attributes == attributes:
        return StorageElement(id, before.attributes, before.prepared, *when(said))
    return StorageElement(id, attributes, prepare(attributes), *when(said))
