"""Entries from what a CE backend says of its own queues.

Not the asking; one unusable record is refused with its reason and the others go on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from wm.supply.purchasers import Described, Entry, described, queue_of


def purchase(instance: str, records: Iterable[Mapping[str, Any]]) -> Described:
    """The output of `Backend.describe()` of the configured `instance`; of two with one id the first holds."""
    return described(instance, [_entry(instance, record) for record in records])


def _entry(instance: str, record: Mapping[str, Any]) -> Entry:
    id = str(record.get("GlueCEUniqueID", ""))
    return Entry(id, dict(record), instance, str(record.get("GlueCEName") or queue_of(id)))
