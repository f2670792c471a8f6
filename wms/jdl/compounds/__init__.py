"""Compound jobs expanded, purely: how many nodes a description has, and the name, text and files of each.

In: the text of a parametric, partitionable, collection or DAG description. Out: `Compound`. Owns no tables.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from wms.errors import JdlInvalid
from wms.jdl.ast import Ad
from wms.jdl.compounds.collection import collection
from wms.jdl.compounds.dag import dag
from wms.jdl.compounds.inheritance import letters_of
from wms.jdl.compounds.model import Compound, NodeInput
from wms.jdl.compounds.parametric import parametric
from wms.jdl.compounds.partition import partitioned
from wms.jdl.description import JobDescription
from wms.jdl.parser import MAX_COMPOUND_TEXT, parse

__all__ = ["Compound", "NodeInput", "compound", "is_compound"]

MOST_CHARS: Final = 2 * MAX_COMPOUND_TEXT
"""Characters of descriptions whose compounds are remembered."""


def is_compound(described: JobDescription | Ad) -> bool:
    """Is this more than one job: a DAG, a collection, a parametric or a partitionable job?"""
    if isinstance(described, Ad):
        return bool(set(letters_of(described)) & set("DKRP"))
    return described.type != "Job" or bool({"Parametric", "Partitionable"} & set(described.job_types))


def expanded(ad: Ad, partitions: int = 0) -> Compound:
    """The compound a record describes; raises JdlInvalid."""
    letters = letters_of(ad)
    for letter, expand in _KINDS:
        if letter in letters:
            return expand(ad, partitions)
    raise JdlInvalid("This is the description of a single job.")


_KINDS: Final[tuple[tuple[str, Callable[[Ad, int], Compound]], ...]] = (
    ("K", lambda ad, _: collection(ad)), ("D", lambda ad, _: dag(ad)), ("R", lambda ad, _: parametric(ad)),
    ("P", partitioned))


def compound(text: str, partitions: int = 0) -> Compound:
    """The compound a text describes, remembered; raises JdlError or JdlInvalid.

    `partitions`: into how many parts a partitionable job falls that does not say so itself (0: as many as
    it has steps).
    """
    return _remembered(text, partitions)


class _Remembered:
    """The last compounds, their texts together no longer than MOST_CHARS. A refusal is not remembered."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, int], Compound] = OrderedDict()
        self._chars = 0

    def __call__(self, text: str, partitions: int) -> Compound:
        key = (text, partitions)
        found = self._kept.get(key)
        if found is None:
            found = expanded(parse(text, max_chars=MAX_COMPOUND_TEXT), partitions)
            self._keep(key, found)
        return found

    def _keep(self, key: tuple[str, int], found: Compound) -> None:
        self._kept[key] = found
        while len(self._kept) > 1 and sum(len(text) for text, _ in self._kept) > MOST_CHARS:
            self._kept.popitem(last=False)


_remembered = _Remembered()
