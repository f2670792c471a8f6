"""Compound jobs expanded, purely: how many nodes a description has, and the name, text and files of each.

In: the text of a parametric, partitionable, collection or DAG description. Out: `Compound`. Owns no tables.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from wms.errors import JdlError, JdlInvalid
from wms.jdl.ast import Ad, ListNode, Literal
from wms.jdl.compounds.collection import collection
from wms.jdl.compounds.dag import dag
from wms.jdl.compounds.inheritance import checked_letters, letters_of
from wms.jdl.compounds.model import Compound, NodeInput
from wms.jdl.compounds.parametric import parametric
from wms.jdl.compounds.partition import partitioned
from wms.jdl.described import described
from wms.jdl.description import JobDescription
from wms.jdl.limits import MAX_COMPOUND_TEXT
from wms.jdl.parser import parse

__all__ = ["Compound", "NodeInput", "compound", "is_compound", "understood"]

MOST, MOST_CHARS = 256, 2 * MAX_COMPOUND_TEXT
"""Compounds that are remembered, and characters of their descriptions together."""
_MAYBE = re.compile(r"dag|collection|parametric|partitionable", re.IGNORECASE)
_KINDS: Final[tuple[tuple[str, Callable[[Ad, int], Compound]], ...]] = (
    ("K", lambda ad, _: collection(ad)), ("D", lambda ad, _: dag(ad)), ("R", lambda ad, _: parametric(ad)),
    ("P", partitioned))


def is_compound(described: JobDescription | Ad) -> bool:
    """Is this more than one job: a DAG, a collection, a parametric or a partitionable job?"""
    if isinstance(described, Ad):
        return bool(set(letters_of(described)) & set("DKRP"))
    return described.type != "Job" or bool({"Parametric", "Partitionable"} & set(described.job_types))


def understood(text: str, partitions: int = 0) -> JobDescription | Compound:
    """What a text describes, a job or a compound; raises JdlError or JdlInvalid. `partitions` as in `compound`."""
    found = _remembered.get(text, partitions)
    if found is not None:
        return found
    if not _MAYBE.search(text):
        job = described(text)
        if not is_compound(job):
            return job
    ad = _read(text)
    return _remembered.put(text, partitions, _made(text, ad, partitions)) if is_compound(ad) else described(text)


def compound(text: str, partitions: int = 0) -> Compound:
    """The compound a text describes, remembered; raises JdlError or JdlInvalid.

    `partitions`: into how many parts a partitionable job falls that does not say so itself (0: as many as
    it has steps).
    """
    found = _remembered.get(text, partitions)
    if found is not None:
        return found
    return _remembered.put(text, partitions, _made(text, _read(text), partitions))


def _read(text: str) -> Ad:
    """The record, nodes of one form left to be understood together. All that is wrong is found by reading all."""
    try:
        return parse(text, max_chars=MAX_COMPOUND_TEXT, folding=True)
    except JdlError:
        return parse(text, max_chars=MAX_COMPOUND_TEXT)


def _made(text: str, ad: Ad, partitions: int) -> Compound:
    """What is wrong is told as when each node is read alone."""
    try:
        return expanded(ad, partitions)
    except JdlError:
        return expanded(parse(text, max_chars=MAX_COMPOUND_TEXT), partitions)


def expanded(ad: Ad, partitions: int = 0) -> Compound:
    """The compound a record describes; raises JdlInvalid."""
    letters = checked_letters(ad)
    for letter, expand in _KINDS:
        if letter in letters:
            return expand(_with_list(ad), partitions)
    raise JdlInvalid("This is the description of a single job.")


def _with_list(ad: Ad) -> Ad:
    """One file stands for a list of one, also where nodes refer to it by number."""
    written = ad.get("InputSandbox")
    return ad.changed({"InputSandbox": ListNode((written,))}) if isinstance(written, Literal) else ad


class _Remembered:
    """The last compounds, their texts together no longer than MOST_CHARS. A refusal is not remembered."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, int], Compound] = OrderedDict()

    def get(self, text: str, partitions: int) -> Compound | None:
        return self._kept.get((text, partitions))

    def put(self, text: str, partitions: int, found: Compound) -> Compound:
        kept = OrderedDict(self._kept)
        kept[text, partitions] = found
        while (len(kept) > 1 and sum(len(text) for text, _ in kept) > MOST_CHARS) or len(kept) > MOST:
            kept.popitem(last=False)
        self._kept = kept
        return found


_remembered = _Remembered()
