"""Entries from what a CE backend says of its own queues.

Not the asking; one unusable record is refused with its reason and the others go on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from wm.supply.purchasers import CE_ID, Entry, Purchase, attribute_problems, queue_of, shown


@dataclass(frozen=True, slots=True)
class Described:
    """The usable part of a description, and a sentence for each record that was refused."""

    purchase: Purchase
    refused: tuple[str, ...] = ()


def purchase(instance: str, described: Iterable[Mapping[str, Any]]) -> Described:
    """The output of `Backend.describe()` of the configured `instance`; of two with one id the first holds."""
    entries: dict[str, Entry] = {}
    refused: list[str] = []
    for number, record in enumerate(described, 1):
        id = str(record.get("GlueCEUniqueID", ""))
        if problems := list(_problems(id, record, entries)):
            refused.append(f"{instance}, record {number} ({shown(id)}): {'; '.join(problems)}")
        else:
            queue = str(record.get("GlueCEName") or queue_of(id))
            entries[id] = Entry(id, dict(record), instance, queue)
    return Described(Purchase(ces=tuple(entries.values())), tuple(refused))


def _problems(id: str, record: Mapping[str, Any], known: Mapping[str, Entry]) -> Iterator[str]:
    if not CE_ID.fullmatch(id):
        yield "GlueCEUniqueID is not host:port/name"
    if id in known:
        yield "described twice"
    yield from attribute_problems(record)
