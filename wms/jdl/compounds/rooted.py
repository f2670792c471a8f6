"""References of a node to its compound, `root.X` and `parent.X`, put in the words of the compound.

A node stands alone once it is a job: what it refers to goes with it. Files of the compound are in sandboxes.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from wms.errors import JdlInvalid
from wms.jdl.ast import UNDEFINED, Ad, Attribute, Literal, Name, Node, Select, walk
from wms.jdl.rebuilding import rebuilt, rebuilt_inside
from wms.jdl.scope import SPECIAL

_UP: Final = frozenset({"root", "parent", "toplevel"})
_TOP: Final = frozenset({"root", "toplevel"})
_OWN: Final = frozenset({"self", "my"})
_NODES: Final = frozenset({"nodes", "dependencies"})
MOST_PARTS: Final = 5_000
"""Of all that the references of one node bring with them."""


def with_root(own: Ad, root: Ad) -> Ad:
    """The node with each `root.X`, and `parent.X` however many up, replaced by what X is there: undefined if it is not.

    Raises JdlInvalid when an attribute of the compound refers to itself, or all of them to too much. In a record
    inside the node `parent` is the node, as everywhere.
    """
    if not any(isinstance(part, Select) and _is_above(part, _UP) for part, _ in walk(own)):
        return own
    meaning = _Meaning(root)
    return replace(own, attributes=tuple(
        Attribute(name, rebuilt(value, meaning.in_a_node)) for name, value in own.attributes))


def _is_above(part: Select, names: frozenset[str]) -> bool:
    """Is it a reference of the form `parent.parent.X`?"""
    base = part.base
    while isinstance(base, Select) and base.name.lower() in names:
        base = base.base
    return isinstance(base, Name) and base.name.lower() in names


class _Meaning:
    """What attributes of a compound are in words that need no compound."""

    def __init__(self, root: Ad) -> None:
        self._root = root
        self._open: list[str] = []
        self._parts = 0

    def in_a_node(self, part: Node) -> Node:
        if isinstance(part, Ad):
            return rebuilt_inside(part, self.in_a_record)
        return self._of(part.name) if isinstance(part, Select) and _is_above(part, _UP) else part

    def in_a_record(self, part: Node) -> Node:
        return self._of(part.name) if isinstance(part, Select) and _is_above(part, _TOP) else part

    def _in_the_root(self, part: Node) -> Node:
        """Records of the compound are left as they are: names in them are theirs."""
        self._parts += 1
        if self._parts > MOST_PARTS:
            raise JdlInvalid("What the node refers to with 'root.' is too much")
        if isinstance(part, Select) and _is_above(part, _TOP | _OWN):
            return self._of(part.name)
        if isinstance(part, Name) and part.name.lower() not in SPECIAL and part.name in self._root:
            return self._of(part.name)
        return part

    def _of(self, name: str) -> Node:
        key = name.lower()
        if key in _NODES:
            raise JdlInvalid(f"'root.{name}' stands for files only, in the InputSandbox")
        if key in self._open:
            raise JdlInvalid(f"'root.{name}' refers to itself")
        written = self._root.get(name)
        if written is None:
            return Literal(UNDEFINED)
        self._open.append(key)
        found = written if isinstance(written, Ad) else rebuilt(written, self._in_the_root)
        self._open.pop()
        return found
