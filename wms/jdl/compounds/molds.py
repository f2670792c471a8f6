"""Nodes of one form described together: the text of a node with its strings cut out is understood once.

A mold is made from a node that is understood alone, and used for others only where nothing but text stands in
their strings. Whatever is unusual has no mold. Owns no nodes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from wms.jdl.ast import Ad, ListNode, Literal, Node, Operation, Unary, walk
from wms.jdl.compounds.inheritance import NAMES, UNSEEN
from wms.jdl.compounds.listed import standing_alone
from wms.jdl.compounds.sandboxes import OutputOf, items_of, output_of, resolved
from wms.jdl.rebuilding import rebuilt
from wms.jdl.unparse import unparse, unparse_scalar

MOST: Final = 2_000
"""Forms of one compound, and molds of one form."""

_STRING = re.compile('("[^"]*")')
_CUT = re.compile(r'("[^"]*"|(?i:(?<=root\.nodes\.))[A-Za-z_]\w*(?=(?i:\.description\.outputsandbox)))', re.ASCII)
_FILES, _NAME = -1, -2
_HOLE = re.compile('"\ue000(-?\\d+)"')
_LIST = f'{{ "\ue000{_FILES}" }}'
_CONDITIONS: Final = frozenset({"requirements", "rank"})
_INPUT: Final = "InputSandbox"


@dataclass(frozen=True, slots=True)
class Output:
    """Output files of the node that string `node` names: number `index`, or None for all."""

    node: int
    index: int | None


File: TypeAlias = int | Output | str
"""An entry of an InputSandbox: a string of the node, the output of another, a file of the root."""


@dataclass(frozen=True, slots=True)
class Mold:
    """What nodes of one form have in common. Numbers are of strings that were cut out.

    The text of a node is `between` around `holes`. `name` is the string that names the node; `files` its
    InputSandbox and `names` what these are called in the node; `outputs` its OutputSandbox, None when only
    evaluation tells. `seen` is what matching sees of it.
    """

    number: int
    between: tuple[str, ...]
    holes: tuple[int, ...]
    name: int | None
    files: tuple[File, ...]
    names: tuple[int, ...] | None
    outputs: tuple[int, ...] | None
    seen: tuple[int, ...]

    @property
    def related(self) -> bool:
        """Does it use the output of another node?"""
        return any(isinstance(file, Output) for file in self.files)

    def text(self, values: Sequence[str], name: str, files: Sequence[str]) -> str:
        """The whole text of a node."""
        words = [self.between[0]]
        for hole, after in zip(self.holes, self.between[1:], strict=True):
            words.append(values[hole] if hole >= 0 else f'"{name}"' if hole == _NAME else _listed(files))
            words.append(after)
        return "".join(words)

    def entries(self, values: Sequence[str]) -> list[str | OutputOf]:
        """What its InputSandbox says."""
        found: list[str | OutputOf] = []
        for file in self.files:
            match file:
                case int():
                    found.append(values[file][1:-1])
                case Output(node=node, index=index):
                    found.append(OutputOf(values[node], index, values[node]))
                case _:
                    found.append(file)
        return found


class Unusual(Exception):
    """There is no mold for this node."""


def cut(text: str) -> tuple[str, list[str]]:
    """A text without its strings, and these, with their quotes, in order. So are names of nodes that give files."""
    parts = (_CUT if ".nodes." in text.lower() else _STRING).split(text)
    return "\0".join(parts[::2]), parts[1::2]


class Molds:
    """The molds of one compound. `opened` gives the job that the record of a node describes."""

    def __init__(self, root: Ad, opened: Callable[[str, Ad], Ad]) -> None:
        self._root = root
        self._opened = opened
        self._pinned: dict[str, tuple[int, ...] | None] = {}
        self._molds: dict[tuple[str, ...], Mold | None] = {}

    def find(self, name: str, form: str, values: Sequence[str], read: Callable[[], Ad]) -> Mold | None:
        """The mold for a node, None if there is none. `read` gives its record; raises JdlError when that is none."""
        if form not in self._pinned:
            if len(self._pinned) >= MOST:
                return None
            self._pinned[form] = self._looked_at(name, values, read())
        pinned = self._pinned[form]
        if pinned is None:
            return None
        key = (form, *[values[hole] for hole in pinned]) if pinned else (form,)
        if key not in self._molds:
            self._molds[key] = self._made(name, values, read()) if len(self._molds) < MOST else None
        return self._molds[key]

    def _looked_at(self, name: str, values: Sequence[str], record: Ad) -> tuple[int, ...] | None:
        """The strings whose values say more than text: each value of them makes another mold. None: all may."""
        own = self._opened(name, record)
        inside = {id(part) for part, _ in walk(own)}
        strings = _strings(record)
        if len(strings) != sum(value[0] == '"' for value in values):
            return None
        numbers = _numbered(strings, values)
        return tuple(hole for one, hole in numbers.items() if one not in inside) if _only_text(own) else None

    def _made(self, name: str, values: Sequence[str], record: Ad) -> Mold | None:
        try:
            return _mold(len(self._molds), self._opened(name, record), self._root, _numbered(_strings(record), values),
                         values)
        except Unusual:
            return None


def _strings(record: Ad) -> list[Literal]:
    """The strings of a record as they stand in its text; those that are written in parts are fewer here."""
    found = [part for part, _ in walk(record) if isinstance(part, Literal) and isinstance(part.value, str)]
    return sorted(found, key=lambda one: one.position)


def _numbered(strings: Sequence[Literal], values: Sequence[str]) -> dict[int, int]:
    """The number of each string among all that was cut out, by the identity of its constant."""
    holes = [hole for hole, value in enumerate(values) if value[0] == '"']
    return {id(one): hole for one, hole in zip(strings, holes, strict=True)}


def _only_text(own: Ad) -> bool:
    """Is no value of an attribute worked out from strings? That of a condition that is an operation may be anything."""
    return all(
        name.lower() == _INPUT.lower() or (name.lower() in _CONDITIONS and isinstance(value, Operation | Unary))
        or all(isinstance(part, Literal | ListNode | Ad) for part, _ in walk(value)) for name, value in own.attributes)


def _mold(number: int, own: Ad, root: Ad, strings: Mapping[int, int], values: Sequence[str]) -> Mold:
    alone = standing_alone(own, root, f"\ue000{_NAME}", [f"\ue000{_FILES}"])
    parts = _HOLE.split(unparse(_marked(alone, strings)).replace(_LIST, _LIST[2:-2]))
    seen = {strings[id(part)] for name, value in alone.attributes if name.lower() not in UNSEEN
            for part, _ in walk(value) if id(part) in strings}
    given = [value for name in NAMES if (value := own.get(name)) is not None]
    names = own.get("InputSandboxDestFileName")
    return Mold(number, tuple(parts[::2]), tuple(map(int, parts[1::2])), strings.get(id(given[0])) if given else None,
                _files(own, root, strings, values), None if names is None else _texts(names, strings),
                _outputs(own, strings), tuple(sorted(seen)))


def _marked(ad: Ad, strings: Mapping[int, int]) -> Node:
    return rebuilt(ad, lambda part: Literal(f"\ue000{strings[id(part)]}") if id(part) in strings else part)


def _texts(value: Node, strings: Mapping[int, int]) -> tuple[int, ...]:
    """The strings of a list of them."""
    if not isinstance(value, ListNode) or any(id(item) not in strings for item in value.items):
        raise Unusual
    return tuple(strings[id(item)] for item in value.items)


def _outputs(own: Ad, strings: Mapping[int, int]) -> tuple[int, ...] | None:
    written = own.get("OutputSandbox")
    items = () if written is None else written.items if isinstance(written, ListNode) else (written,)
    return tuple(strings[id(item)] for item in items) if all(id(item) in strings for item in items) else None


def _files(own: Ad, root: Ad, strings: Mapping[int, int], values: Sequence[str]) -> tuple[File, ...]:
    """Raises Unusual when a string is no file."""
    found: list[File] = []
    nodes = iter([hole for hole, value in enumerate(values) if value[0] != '"'])
    for item in items_of(own):
        if id(item) in strings:
            found.append(strings[id(item)])
        elif (output := output_of(item)) is not None:
            found.append(_output(output, next(nodes, None), values))
        elif any(id(part) in strings for part, _ in walk(item)):
            raise Unusual
        else:
            found += resolved(item, root)
    return tuple(found)


def _output(output: OutputOf, hole: int | None, values: Sequence[str]) -> Output:
    if hole is None or values[hole] != output.node:
        raise Unusual
    return Output(hole, output.index)


def _listed(files: Sequence[str]) -> str:
    return f"{{ {', '.join(map(unparse_scalar, files))} }}" if files else "{}"
