"""Values of expressions, and attribute records prepared for fast matching.

A value is bool, int, float, str, list, dict, UNDEFINED or ERROR. How values combine is in operators.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias

from wms.jdl.ast import ERROR, UNDEFINED, Ad, Attribute, ListNode, Literal, Node, Special

Value: TypeAlias = bool | int | float | str | list[Any] | dict[str, Any] | Special


class Prepared(dict[str, Value]):
    """Attributes by lower-case name, read by every expression that is matched against them.

    `folded` holds, for a string its lower case, for a list of strings the set of theirs: one look-up
    answers a comparison or a Member. `spelling` holds the names as published.
    """

    __slots__ = ("folded", "spelling")

    def __init__(self, attributes: Mapping[str, Value]) -> None:
        names = [name.lower() for name in attributes]
        super().__init__(zip(names, attributes.values(), strict=True))
        self.spelling = dict(zip(names, attributes, strict=True))
        self.folded: dict[str, str | frozenset[str]] = {}
        for name, value in self.items():
            if type(value) is str:
                self.folded[name] = value.lower()
            elif type(value) not in _READY and (fold := folded(value)) is not None:
                self.folded[name] = fold


def folded(value: Value) -> frozenset[str] | None:
    """The set of lower cases of a list of strings, None for anything else."""
    if isinstance(value, list) and all(type(item) is str for item in value):
        return frozenset(map(str.lower, value))
    return None


def prepare(attributes: Mapping[str, Any]) -> Prepared:
    """A record ready for matching, made once per resource. None becomes UNDEFINED; mappings nest."""
    if isinstance(attributes, Prepared):
        return attributes
    return Prepared({name: item if type(item) in _READY else _value(item) for name, item in attributes.items()})


_READY: Final = frozenset({str, int, bool, float})
"""Types of values that are what they are; most attributes of a resource are of one."""


def _value(item: Any) -> Value:
    if item is None:
        return UNDEFINED
    if isinstance(item, bool | int | float | str | Special):
        return item
    if isinstance(item, Mapping):
        return prepare(item)
    if isinstance(item, Iterable):
        return [member if type(member) in _READY else _value(member) for member in item]
    raise TypeError(f"{type(item).__name__} is no attribute value")


def plain(value: Value) -> Value:
    """The same value with ordinary dicts whose names are spelled as they were written."""
    if isinstance(value, Prepared):
        record: dict[str, Value] = {}
        for name, item in value.items():
            record[value.spelling[name]] = plain(item)
        return record
    if isinstance(value, list):
        items: list[Value] = []
        for item in value:
            items.append(plain(item))
        return items
    return value


def tree(value: Value) -> Node:
    """The constant expression that has this value."""
    if isinstance(value, Prepared):
        attributes = []
        for name, item in value.items():
            attributes.append(Attribute(value.spelling[name], tree(item)))
        return Ad(tuple(attributes))
    if isinstance(value, list):
        items = []
        for item in value:
            items.append(tree(item))
        return ListNode(tuple(items))
    return Literal(ERROR if isinstance(value, dict) else value)
