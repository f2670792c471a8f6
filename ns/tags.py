"""What a user has recorded with a job: pairs of name and value, an event each. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from wms.jdl.ast import Ad
from wms.jdl.compounds import Compound
from wms.jdl.compounds.substitution import MARK
from wms.jdl.described import described
from wms.jdl.description import JobDescription
from wms.jdl.evaluate import evaluate
from wms.jdl.textual import text_of

Tags: TypeAlias = tuple[tuple[str, str], ...]


def tags(found: JobDescription | Compound) -> Tags:
    """Of a job; of a compound those that are its own and not only its nodes'."""
    if isinstance(found, Compound):
        return tuple(_of_ad(found.ad))
    return tuple(found.user_tags.items())


def tags_of_node(text: str) -> Tags:
    """Of the text of a node; most have none, and are not read for that."""
    return tags(described(text)) if "usertags" in text.lower() else ()


def _of_ad(ad: Ad) -> Iterator[tuple[str, str]]:
    written = ad.get("UserTags")
    found = evaluate(written, ad) if written is not None else None
    for name, value in found.items() if isinstance(found, dict) else ():
        text = text_of(value)
        if isinstance(text, str) and MARK not in text:
            yield name, text
