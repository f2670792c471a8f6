"""The information supermarket: what all sources say of CEs and SEs, merged by attribute into one snapshot.

Values only: an update gives a new supermarket, a snapshot never changes, and what did not change is shared with the
one before. Not the asking of the sources, nor how words are weighed (words).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import inf
from typing import Any, NamedTuple, TypeAlias, TypeVar

from wm.supply.purchasers import Purchase
from wm.supply.words import OWN, Kind, Origin, Said, Source, Stock, binding, merged, origins, sayings, when
from wms.jdl.values import prepare
from wms.resource import ComputingElement, StorageElement, completed

__all__ = ["EMPTY", "Kind", "Origin", "Snapshot", "Source", "Stock", "Supermarket", "changed"]

BOUND_SES = "GlueCESEBindGroupSEUniqueID"
"""The SEs close to a CE: those known are at hand as `other.storage.CloseSEs`, for anyMatch and its kin."""
OURSELVES = "wms"
"""The source of what the service itself says."""
_Stocks: TypeAlias = "Mapping[str, Stock]"
_One = TypeVar("_One", ComputingElement, StorageElement)


@dataclass(frozen=True)
class Snapshot:
    """All usable entries at one time, by id (in no order); `void` are the CEs whose every source fell silent.

    `version` grows when an entry changes, `expires` is when the first one ceases to hold (epoch s), `stocks` is
    what it was made of, `own` the attributes of CEs, by id, that the service itself says (wm.supply.own).
    """

    version: int = 0
    ces: Mapping[str, ComputingElement] = field(default_factory=dict)
    ses: Mapping[str, StorageElement] = field(default_factory=dict)
    void: frozenset[str] = frozenset()
    expires: float = inf
    stocks: Mapping[str, Stock] = field(default_factory=dict, repr=False, compare=False)
    own: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def by_destination(self) -> Mapping[str, tuple[ComputingElement, ...]]:
        """The CE of an id and its views, by the id that jobs are told; sorted."""
        found: dict[str, tuple[ComputingElement, ...]] = {}
        for _, ce in sorted(self.ces.items()):
            found[ce.destination] = (*found.get(ce.destination, ()), ce)
        return found

    def origins(self, id: str) -> tuple[Origin, ...]:
        """Where each attribute of a CE or SE comes from, by name; empty for an unknown id."""
        if id not in self.ces:
            return origins(sayings(self.stocks.values(), "ses", {id})[id]) if id in self.ses else ()
        own, when = self.own.get(id, {}), self.ces[id].updated
        hidden = {name.casefold() for name in own}
        told = [one for one in origins(sayings(self.stocks.values(), "ces", {id})[id])
                if one.name.casefold() not in hidden]
        return tuple(sorted([*told, *(Origin(name, value, OURSELVES, OWN, when) for name, value in own.items())]))


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
        fresh = _changed(previous.ses, ses)
        ces = _ces(live, previous, ses, fresh)
        silent = {id for name, stock in self.stocks.items() if name not in live for id in stock.ces}
        void = frozenset(silent - ces.keys())
        expires = min((stock.expires for stock in live.values()), default=inf)
        news = bool(fresh) or void != previous.void or bool(_changed(previous.ces, ces))
        return Snapshot(previous.version + news, ces, ses, void, expires, live)


def changed(old: Snapshot, new: Snapshot) -> frozenset[str]:
    """The ids of CEs that came, went, or say something else: a waiting job is worth another try on these."""
    return _changed(old.ces, new.ces)


def _changed(old: Mapping[str, _One], new: Mapping[str, _One]) -> frozenset[str]:
    if old is new:
        return frozenset()
    gone = old.keys() - new.keys()
    return frozenset(gone.union(id for id, one in new.items() if old.get(id) is not one and _differ(old.get(id), one)))


def _differ(old: ComputingElement | StorageElement | None, new: ComputingElement | StorageElement) -> bool:
    return old is None or (old.attributes is not new.attributes and old.attributes != new.attributes) or (
        isinstance(old, ComputingElement) and isinstance(new, ComputingElement)
        and (old.backend, old.queue, old.base) != (new.backend, new.queue, new.base))


# -- making entries --------------------------------------------------------------------------------------


class _News(NamedTuple):
    """Ids of which sources say something else, and those of which they only say the same again."""

    other: set[str]
    again: set[str]


def _news(live: _Stocks, before: _Stocks, shelf: str) -> _News:
    """What sources say since then, or no longer say."""
    other: set[str] = set()
    again: set[str] = set()
    for name in live.keys() | before.keys():
        old, new = (getattr(found, shelf) if (found := stocks.get(name)) else {} for stocks in (before, live))
        if live.get(name) is not before.get(name):
            both = old.keys() & new.keys()
            same = {id for id in both if old[id] == new[id]}
            other |= (old.keys() | new.keys()) - same
            again |= same
    return _News(other, again - other)


def _ses(live: _Stocks, previous: Snapshot) -> Mapping[str, StorageElement]:
    news = _news(live, previous.stocks, "ses")
    if not (news.other or news.again):
        return previous.ses
    ses = dict(previous.ses)
    _put(ses, sayings(live.values(), "ses", news.other), lambda id, said: _storage(id, said, ses.get(id)))
    _put(ses, sayings(live.values(), "ses", news.again), lambda id, said: _renewed(ses[id], said))
    return ses


def _ces(live: _Stocks, previous: Snapshot, ses: Mapping[str, StorageElement],
         fresh: frozenset[str]) -> Mapping[str, ComputingElement]:
    """`fresh` are the SEs that are not what they were."""
    said = _news(live, previous.stocks, "ces")
    other, again = said.other | _views(live, said.other), said.again | _views(live, said.again)
    if fresh:
        other |= {id for id, ce in previous.ces.items() if not fresh.isdisjoint(ce.attributes.get(BOUND_SES, ()))}
    if not (other or again):
        return previous.ces
    ces = dict(previous.ces)
    _put(ces, sayings(live.values(), "ces", other), lambda id, said: _computing(id, said, ses, ces.get(id)))
    _put(ces, sayings(live.values(), "ces", again - other), lambda id, said: _renewed(ces[id], said))
    return ces


def _views(live: _Stocks, ids: set[str]) -> set[str]:
    """Ids of the views of these CEs."""
    return {view for stock in live.values() for base in stock.views.keys() & ids for view in stock.views[base]}


def _put(shelf: dict[str, _One], said: Mapping[str, Said], make: Callable[[str, Said], _One]) -> None:
    """Make each entry of which something is said; the others go."""
    for id, words in said.items():
        if words:
            shelf[id] = make(id, words)
        else:
            shelf.pop(id, None)


def _renewed(one: _One, said: Said) -> _One:
    """The same content, said again."""
    source, updated, expires = when(said)
    return replace(one, source=source, updated=updated, expires=expires)


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
