"""What an expression depends on: the attributes of the other record that can change its value.

Jobs whose expressions are equal and whose resources agree in these attributes match alike.
"""

from __future__ import annotations

from collections.abc import Iterator

from wms.jdl.ast import Ad, Call, Name, Node, Select, children
from wms.jdl.scope import SPECIAL, Scope, Side, place

ALL = "*"
_GANG = frozenset({"anymatch", "allmatch", "whichmatch"})
_READ_BY_CALLS = {"eval": (ALL,), "retrieveclosesesinfo": ("storage",)}
_Item = tuple[Node, Scope, bool]
_Seen = set[tuple[Scope, str, bool]]


def significant(node: Node, my: Ad | None = None) -> frozenset[str]:
    """Lower-case names X the expression reads as `other.X`, also through attributes of `my`.

    `*` is in the set when it may read any: when it uses `other` as a whole, or calls `eval`.
    """
    found: set[str] = set()
    seen: _Seen = set()
    todo: list[_Item] = [(node, Scope(my or Ad()), False)]
    while todo:
        item = todo.pop()
        found.update(_reads(item))
        todo.extend(_next(item, seen))
    return frozenset(found)


def _is_other(node: Node, scope: Scope, ganged: bool) -> bool:
    """`target` is the other record too, except inside the predicate of an anyMatch."""
    here = place(node, scope)
    return here is Side.OTHER or (here is Side.TARGET and not ganged)


def _reads(item: _Item) -> Iterator[str]:
    node, scope, ganged = item
    if isinstance(node, Select) and _is_other(node.base, scope, ganged):
        yield node.name.lower()
    elif isinstance(node, Name):
        if _is_other(node, scope, ganged):
            yield ALL
    elif isinstance(node, Call):
        yield from _READ_BY_CALLS.get(node.function.lower(), ())


def _next(item: _Item, seen: _Seen) -> Iterator[_Item]:
    node, scope, ganged = item
    if isinstance(node, Select | Name):
        yield from _referred(node, scope, ganged, seen)
    elif isinstance(node, Ad):
        yield from ((child, scope.inner(node), ganged) for child in children(node))
    elif isinstance(node, Call) and node.function.lower() in _GANG and len(node.arguments) == 2:
        yield node.arguments[0], scope, ganged
        yield node.arguments[1], scope, True
    else:
        yield from ((child, scope, ganged) for child in children(node))


def _referred(node: Select | Name, scope: Scope, ganged: bool, seen: _Seen) -> Iterator[_Item]:
    """The attributes a reference means; a whole record means all of its."""
    here = place(node, scope)
    if isinstance(here, Scope):
        yield from _once(here, here.ad.names(), ganged, seen)
    elif isinstance(node, Name):
        if node.name.lower() not in SPECIAL and (found := scope.find(node.name)):
            yield from _once(found[0], (node.name,), ganged, seen)
    elif isinstance(outer := place(node.base, scope), Scope):
        yield from _once(outer, (node.name,), ganged, seen)
    elif outer is None:
        yield node.base, scope, ganged


def _once(scope: Scope, names: tuple[str, ...], ganged: bool, seen: _Seen) -> Iterator[_Item]:
    for name in names:
        node, key = scope.ad.get(name), (scope, name.lower(), ganged)
        if node is not None and key not in seen:
            seen.add(key)
            yield node, scope, ganged
