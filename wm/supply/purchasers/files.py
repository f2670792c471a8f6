"""A file of resources by its extension: YAML, JSON, LDIF, each by its own parser. Pure: text in, entries out.

Not the reading nor the watching of the file.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from wm.supply.purchasers import Described, glue2, glue13, ldif, static, together
from wm.supply.purchasers.records import Record


def parse(text: str, backends: Collection[str], path: str) -> Described:
    """The entries of a file's text; raises ConfigError for a file that cannot be used at all."""
    if not path.endswith(".ldif"):
        return Described(static.parse(text, backends, path))
    records, refused = ldif.parse(text, path)
    told = directory(records, path)
    return Described(told.purchase, (*refused, *told.refused))


def directory(records: Iterable[Record], origin: str) -> Described:
    """What a directory says in GLUE 1.3 and in GLUE 2; of a CE in both, the words in GLUE 1.3 count."""
    known = list(records)
    return together(glue13.compose(known, origin), glue2.compose(known, origin))
