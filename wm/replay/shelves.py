"""Snapshots as bytes: one in full, those after it by what changed, in a chain of bounded length. Pure.

Only what decides a match is kept of a CE or SE. Not the rows they lie in (store).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import inf
from typing import Any, NamedTuple, TypeVar

import msgspec

from wm.supply.supermarket import Snapshot
from wms.jdl.values import prepare
from wms.resource import ComputingElement, StorageElement

CHAIN = 60
"""Pieces after which a snapshot is kept in full again."""
_NAME, _DIGITS = 16, 32
_One = TypeVar("_One", ComputingElement, StorageElement)


class _Element(msgspec.Struct, frozen=True, array_like=True):
    """A CE, or an SE, which has no more than attributes."""

    id: str
    attributes: dict[str, Any]
    backend: str = ""
    queue: str = ""
    base: str = ""


class _Piece(msgspec.Struct, frozen=True, array_like=True):
    """What differs from the snapshot of the piece `base`, or all when there is none ("")."""

    base: str
    ces: list[msgspec.Raw]
    ses: list[msgspec.Raw]
    gone_ces: list[str]
    gone_ses: list[str]


@dataclass(frozen=True, slots=True)
class Shelf:
    """A snapshot that is kept under `name`; `pieces` in its chain, whose changes are `size` bytes of `full`."""

    name: str
    snapshot: Snapshot
    pieces: int
    full: int
    size: int = 0


class Shelved(NamedTuple):
    """`content` is to be kept under the name of the shelf; empty if it is there already."""

    shelf: Shelf
    content: bytes = b""


def chain_of(name: str) -> str:
    """What all names of a chain begin with."""
    return name[:_NAME]


def shelved(snapshot: Snapshot, last: Shelf | None) -> Shelved:
    """A snapshot after the `last` one, as little as says it; in full when there is none or its chain is long."""
    if last is None or last.pieces >= CHAIN or last.size > last.full:
        content = _packed("", _changes(snapshot, Snapshot()))
        digest = hashlib.sha256(content).hexdigest()
        return Shelved(Shelf(_named(digest[:_NAME], 0, digest), snapshot, 1, len(content)), content)
    if snapshot is last.snapshot:
        return Shelved(last)
    changes = _changes(snapshot, last.snapshot)
    if not any(changes):
        return Shelved(Shelf(last.name, snapshot, last.pieces, last.full, last.size))
    content = _packed(last.name, changes)
    name = _named(chain_of(last.name), last.pieces, hashlib.sha256(content).hexdigest())
    return Shelved(Shelf(name, snapshot, last.pieces + 1, last.full, last.size + len(content)), content)


def _named(chain: str, number: int, digest: str) -> str:
    return f"{chain}.{number:03}.{digest[:_DIGITS]}"


def is_named(name: str, content: bytes) -> bool:
    """Whether this is the content that was kept under the name."""
    return name.endswith("." + hashlib.sha256(content).hexdigest()[:_DIGITS])


def base_of(content: bytes) -> str:
    """The name of the piece that this one changes, "" for one in full."""
    return msgspec.msgpack.decode(content, type=_Piece).base


class _Changes(NamedTuple):
    """What a piece holds, before it is bytes."""

    ces: list[ComputingElement]
    ses: list[StorageElement]
    gone_ces: list[str]
    gone_ses: list[str]


def _packed(base: str, said: _Changes) -> bytes:
    """In small bites, each of them quick: other threads get their turn between them."""
    encode = msgspec.msgpack.Encoder().encode
    ces = [msgspec.Raw(encode(_Element(ce.id, dict(ce.attributes), ce.backend, ce.queue, ce.base))) for ce in said.ces]
    ses = [msgspec.Raw(encode(_Element(se.id, dict(se.attributes)))) for se in said.ses]
    return encode(_Piece(base, ces, ses, said.gone_ces, said.gone_ses))


def _changes(new: Snapshot, old: Snapshot) -> _Changes:
    ces, gone_ces = _news(old.ces, new.ces)
    ses, gone_ses = _news(old.ses, new.ses)
    return _Changes(ces, ses, gone_ces, gone_ses)


def _news(old: Mapping[str, _One], new: Mapping[str, _One]) -> tuple[list[_One], list[str]]:
    """Who says something else, and who is gone, by id. What did not change is shared by snapshots."""
    fresh = [id for id, one in new.items() if (was := old.get(id)) is not one and (was is None or _differ(was, one))]
    return [new[id] for id in sorted(fresh)], sorted(old.keys() - new.keys())


def _differ(old: ComputingElement | StorageElement, new: ComputingElement | StorageElement) -> bool:
    """1, 1.0 and true are equal, but not the same to an expression: identity counts."""
    return old.attributes is not new.attributes or (
        isinstance(old, ComputingElement) and isinstance(new, ComputingElement)
        and (old.backend, old.queue, old.base) != (new.backend, new.queue, new.base))


def restored(contents: Iterable[bytes], silent: Iterable[str]) -> Snapshot:
    """The snapshot of the last of these pieces, the first in full; `silent` are CEs whose word had expired."""
    ces: dict[str, _Element] = {}
    ses: dict[str, _Element] = {}
    for content in contents:
        piece = msgspec.msgpack.decode(content, type=_Piece)
        _changed(ces, piece.ces, piece.gone_ces)
        _changed(ses, piece.ses, piece.gone_ses)
    ends = dict.fromkeys(silent, -inf)
    return Snapshot(1, {id: _computing(one, ends.get(id, inf)) for id, one in ces.items()},
                    {id: StorageElement(id, one.attributes, prepare(one.attributes), "", 0.0, inf)
                     for id, one in ses.items()}, frozenset(), -inf if ends else inf)


def _changed(shelf: dict[str, _Element], fresh: Iterable[msgspec.Raw], gone: Iterable[str]) -> None:
    for id in gone:
        del shelf[id]
    for raw in fresh:
        one = msgspec.msgpack.decode(raw, type=_Element)
        shelf[one.id] = one


def _computing(one: _Element, expires: float) -> ComputingElement:
    return ComputingElement(one.id, one.attributes, prepare(one.attributes), "", 0.0, expires, one.backend, one.queue,
                            one.base)


def silent(snapshot: Snapshot, now: float) -> tuple[str, ...]:
    """The CEs whose word has expired."""
    if now < snapshot.expires:
        return ()
    return tuple(sorted(id for id, ce in snapshot.ces.items() if ce.expires <= now))
