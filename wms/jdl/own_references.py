"""What an expression takes from the record it stands in: the sibling of `references.significant`.

Wider than need be, never narrower: expressions of equal text whose `taken` values are equal mean the same.
"""

from __future__ import annotations

from typing import NamedTuple

from wms.jdl.ast import Ad, Call, Name, Node, Select, children
from wms.jdl.scope import SPECIAL
from wms.jdl.unparse import unparse

ALL = "*"
_ELSEWHERE = frozenset({"other", "target"})
_TIMELY = frozenset({"time", "eval"})


class Own(NamedTuple):
    """Lower-case names of attributes of the record (`*`: the record as a whole); `timely`: may tell the time."""

    names: frozenset[str]
    timely: bool


def own(node: Node | None, my: Ad, names: frozenset[str] = frozenset()) -> Own:
    """All that the expression, and attributes of these `names`, may read of `my`, also through its attributes."""
    found: set[str] = set()
    timely, todo = False, [*([] if node is None else [node]), *(part for name in names for part in _node(my, name))]
    while todo:
        here = todo.pop()
        reads, below = _reads(here)
        timely = timely or (isinstance(here, Call) and here.function.lower() in _TIMELY)
        for name in (reads | set(map(str.lower, my.names())) if ALL in reads else reads) - found:
            found.add(name)
            below = (*below, *_node(my, name))
        todo.extend(below)
    return Own(frozenset(found) | names, timely)


def taken(names: frozenset[str], my: Ad) -> tuple[tuple[str, str], ...]:
    """Each name with the text of what it means, "" for nothing."""
    return tuple((name, unparse(my) if name == ALL else _text(my, name)) for name in sorted(names))


def _text(my: Ad, name: str) -> str:
    node = my.get(name)
    return "" if node is None else unparse(node)


def _node(my: Ad, name: str) -> tuple[Node, ...]:
    node = my.get(name)
    return () if node is None else (node,)


def _reads(node: Node) -> tuple[set[str], tuple[Node, ...]]:
    """The names that a part may read by itself, and the parts to look into."""
    if isinstance(node, Name):
        return _chain(node.name.lower(), []), ()
    if isinstance(node, Select):
        names: list[str] = []
        base: Node = node
        while isinstance(base, Select):
            names.append(base.name.lower())
            base = base.base
        return (_chain(base.name.lower(), names), ()) if isinstance(base, Name) else (set(), (base,))
    text = isinstance(node, Call) and node.function.lower() == "eval"
    return ({ALL} if text else set()), children(node)


def _chain(base: str, names: list[str]) -> set[str]:
    """Of `base.names`, the last name first: one that ends in a record as a whole means all of it.

    What is stored near the other side is told to each VO as far as it may use it.
    """
    if base in _ELSEWHERE:
        return {"virtualorganisation"} if "storage" in names else set()
    if [*names, base][0] in SPECIAL:
        return {ALL}
    return {name for name in (*names, base) if name not in SPECIAL}
