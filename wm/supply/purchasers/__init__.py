"""Where the supermarket's entries come from: in comes a source's own form, out goes a `Purchase`. No tables.

Pure parsing and checks. Watching files, asking backends and directories in time is the service's work.
"""

from __future__ import annotations

import fnmatch
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from math import isfinite
from typing import Any

from wms.glue import OWN_PREFIX

MAX_ATTRIBUTES = 1_000
MAX_ITEMS = 10_000
MAX_TEXT = 4_096
MAX_DEPTH = 4
MAX_ENTRIES = 100_000
MAX_REFUSED = 100
MAX_PROBLEMS = 5
CE_ID = re.compile(r"[^\s:/]+:[0-9]{1,5}/[^\s,]+")
SE_ID = re.compile(r"[^\s,]+")
IDS = {"CE": CE_ID, "SE": SE_ID}
UNUSABLE = {"CE": "the id is not host:port/name", "SE": "the id is not a host name"}
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")


@dataclass(frozen=True, slots=True)
class Entry:
    """What one source says of one CE or SE: GLUE 1.3 names to text, truth values, numbers, lists, mappings.

    `backend` and `queue` bind a CE to the backend instance and its queue that run the jobs; "" says nothing.
    `base` is the id of the CE of which this is the view that some users have ("": it is the CE itself).
    """

    id: str
    attributes: Mapping[str, Any]
    backend: str = ""
    queue: str = ""
    base: str = ""


@dataclass(frozen=True, slots=True)
class Purchase:
    """All that one source says at one time; ids are unique."""

    ces: tuple[Entry, ...] = ()
    ses: tuple[Entry, ...] = ()


@dataclass(frozen=True, slots=True)
class Described:
    """The usable part of what a source says, and a sentence for each record that was refused."""

    purchase: Purchase = field(default_factory=Purchase)
    refused: tuple[str, ...] = ()


def described(origin: str, ces: Iterable[Entry], ses: Iterable[Entry] = (),
              refused: Iterable[str] = ()) -> Described:
    """The entries that are sound, each id once (the first holds); the others are refused, sorted."""
    sentences = list(refused)
    good = [tuple(_sound(shelf, entries, origin, sentences)) for shelf, entries in (("CE", ces), ("SE", ses))]
    shown = sorted(sentences)[:MAX_REFUSED]
    more = [f"{origin}: and {len(sentences) - MAX_REFUSED} more"] if len(sentences) > MAX_REFUSED else []
    return Described(Purchase(*good), (*shown, *more))


def _sound(shelf: str, entries: Iterable[Entry], origin: str, refused: list[str]) -> Iterator[Entry]:
    known: set[str] = set()
    for entry in entries:
        problems = [] if IDS[shelf].fullmatch(entry.id) and len(entry.id) <= MAX_TEXT else [UNUSABLE[shelf]]
        problems += ["described twice"] if entry.id in known else []
        problems += attribute_problems(entry.attributes)
        if problems:
            refused.append(f"{origin}: {shelf} {shown(entry.id)}: {'; '.join(problems[:MAX_PROBLEMS])}")
        elif len(known) >= MAX_ENTRIES:
            refused.append(f"{origin}: more than {MAX_ENTRIES} entries")
            return
        else:
            known.add(entry.id)
            yield entry


def together(*parts: Described) -> Described:
    """Several descriptions as one; of two entries with one id the first holds."""
    ces = {entry.id: entry for part in reversed(parts) for entry in part.purchase.ces}
    ses = {entry.id: entry for part in reversed(parts) for entry in part.purchase.ses}
    return Described(Purchase(tuple(ces.values()), tuple(ses.values())),
                     tuple(sentence for part in parts for sentence in part.refused))


def admitted(purchase: Purchase, black_list: Iterable[str]) -> Purchase:
    """Without the CEs whose id, or that of the CE they are a view of, a pattern of the black list fits."""
    names = "|".join(fnmatch.translate(pattern) for pattern in black_list)
    if not names:
        return purchase
    barred = re.compile(names).fullmatch
    return replace(purchase, ces=tuple(one for one in purchase.ces if not (barred(one.id) or barred(one.base))))


def modest(purchase: Purchase) -> Purchase:
    """Without attributes whose names only the broker itself may use."""
    if not any(_assuming(one) for one in purchase.ces):
        return purchase
    return replace(purchase, ces=tuple(replace(one, attributes={
        name: value for name, value in one.attributes.items() if not name.lower().startswith(OWN_PREFIX)})
        if _assuming(one) else one for one in purchase.ces))


def _assuming(one: Entry) -> bool:
    return any(name[:len(OWN_PREFIX)].lower() == OWN_PREFIX for name in one.attributes)


def queue_of(ce_id: str) -> str:
    """The queue that a CE id ends with: host:port/jobmanager-lrms-QUEUE."""
    return ce_id.rpartition("-")[2] if "-" in ce_id else ce_id.rpartition("/")[2]


def repeated(names: Iterable[str]) -> list[str]:
    """Those that occur more than once, sorted."""
    return sorted(name for name, count in Counter(names).items() if count > 1)


def shown(value: object) -> str:
    """A value for a message, never long."""
    return repr(value[:80]) if isinstance(value, str) else f"a {type(value).__name__}"


def attribute_problems(attributes: object) -> Iterator[str]:
    """What is wrong with the attributes of an entry, each as half a sentence."""
    if not isinstance(attributes, Mapping):
        yield "attributes must be a mapping of GLUE names to values"
    elif len(attributes) > MAX_ATTRIBUTES:
        yield f"has {len(attributes)} attributes, more than {MAX_ATTRIBUTES}"
    else:
        yield from _mapping(attributes, "", 0)


def _mapping(values: Mapping[Any, Any], place: str, depth: int) -> Iterator[str]:
    for name in repeated(name.casefold() for name in values if isinstance(name, str)):
        yield f"{place}{name}: given twice (case does not count)"
    for name, value in values.items():
        if isinstance(name, str) and NAME.fullmatch(name):
            yield from _value(value, f"{place}{name}", depth)
        else:
            yield f"{place}{shown(name)}: not an attribute name"


def _value(value: object, place: str, depth: int) -> Iterator[str]:
    match value:
        case bool():
            pass
        case str() if len(value) > MAX_TEXT:
            yield f"{place}: {len(value)} characters, more than {MAX_TEXT}"
        case str():
            pass
        case int() if not -(2**63) <= value < 2**63:
            yield f"{place}: not an integer of 64 bits"
        case float() if not isfinite(value):
            yield f"{place}: not a finite number"
        case int() | float():
            pass
        case list() | dict() if depth >= MAX_DEPTH or len(value) > MAX_ITEMS:
            yield f"{place}: nested deeper than {MAX_DEPTH} or longer than {MAX_ITEMS}"
        case list():
            for number, item in enumerate(value):
                yield from _value(item, f"{place}[{number}]", depth + 1)
        case dict():
            yield from _mapping(value, f"{place}.", depth + 1)
        case _:
            yield f"{place}: a {type(value).__name__} is not text, number, truth value, list or mapping"
