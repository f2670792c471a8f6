"""Who is meant by a name: the records around an expression, and the attributes they resolve to.

Resolution is static, done when an expression is bound; evaluation only follows what was found here.
"""

from __future__ import annotations

import enum
from typing import Final, TypeAlias

from wms.jdl.ast import Ad, Name, Node, Select

SPECIAL: Final = frozenset({"other", "target", "self", "my", "parent", "root", "toplevel"})


class Side(enum.Enum):
    """The records an expression does not stand in: the other of a match, the item of an anyMatch."""

    OTHER = "other"
    TARGET = "target"


class Scope:
    """A record, and the record around it. Scopes of the same record in the same place are one object."""

    def __init__(self, ad: Ad, parent: Scope | None = None) -> None:
        self.ad = ad
        self.parent = parent
        self._inner: dict[int, Scope] = {}

    def root(self) -> Scope:
        scope = self
        while scope.parent:
            scope = scope.parent
        return scope

    def inner(self, ad: Ad) -> Scope:
        """The scope of a record that stands directly in this one."""
        return self._inner.setdefault(id(ad), Scope(ad, self))

    def find(self, name: str) -> tuple[Scope, Node] | None:
        """The attribute a bare name means: of this record, else of the nearest one around it."""
        scope: Scope | None = self
        while scope:
            node = scope.ad.get(name)
            if node is not None:
                return scope, node
            scope = scope.parent
        return None


Place: TypeAlias = Scope | Side | None


def special(name: str, scope: Scope) -> Place:
    """The record one of the names SPECIAL means in `scope`; None is the parent of the outermost."""
    match name.lower():
        case "other":
            return Side.OTHER
        case "target":
            return Side.TARGET
        case "self":
            return scope
        case "parent":
            return scope.parent
    return scope.root()


def place(node: Node, scope: Scope) -> Place:
    """The record that `node` names when it stands in `scope`, or None when only evaluation can tell."""
    names: list[str] = []
    while isinstance(node, Select):
        names.append(node.name)
        node = node.base
    if not isinstance(node, Name):
        return None
    here = _named(node.name, scope)
    for name in reversed(names):
        here = _within(here, name)
    return here


def _named(name: str, scope: Scope) -> Place:
    if name.lower() in SPECIAL:
        return special(name, scope)
    found = scope.find(name)
    return found[0].inner(found[1]) if found and isinstance(found[1], Ad) else None


def _within(here: Place, name: str) -> Place:
    if not isinstance(here, Scope):
        return None
    if name.lower() in SPECIAL:
        return special(name, here)
    node = here.ad.get(name)
    return here.inner(node) if isinstance(node, Ad) else None
