"""What the service itself says of the CEs of a snapshot: its drains and its measures together."""

from __future__ import annotations

from typing import Any

from wm.drains import Drains
from wm.supply.measures import Measures
from wm.supply.own import draining, drains_of
from wm.supply.supermarket import Snapshot


class Sayings:
    """To be called by the market with what is published; the attributes of each CE of which there are any, by id."""

    def __init__(self, drains: Drains, measures: Measures) -> None:
        self._drains = drains
        self._measures = measures

    def __call__(self, published: Snapshot) -> dict[str, dict[str, Any]]:
        rows = self._drains.rows
        found = {id: {**(draining(drains_of(ce, rows)) if rows else {}), **self._measures.words(ce)}
                 for id, ce in published.ces.items()} if rows or self._measures else {}
        return {id: words for id, words in found.items() if words}
