"""The nodes of a compound as they are taken in, one after the other: alone, or with others of their form.

What is written of a node is turned into a job by the module of its kind of compound; a mold stands for that where
it was seen to give the same. Also the memory of all nodes.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from typing import NamedTuple, Protocol

from wms.errors import JdlError, JdlInvalid
from wms.jdl.ast import Ad, Folded
from wms.jdl.compounds.checking import Checker, outline
from wms.jdl.compounds.inheritance import Likeness
from wms.jdl.compounds.listed import called, declared, file_of, name_of, own_name
from wms.jdl.compounds.model import NodeInput
from wms.jdl.compounds.molds import Mold, Molds, cut
from wms.jdl.compounds.sandboxes import CARDINALITY, OutputOf
from wms.jdl.parser import parse
from wms.jdl.unparse import unparse
from wms.sandbox import base_name


class Kind(Protocol):
    """How nodes of one compound are understood."""

    def opened(self, name: str, record: Ad) -> Ad:
        """The job that a record, as it was written, describes; raises JdlInvalid."""

    def alone(self, index: int, name: str, own: Ad) -> tuple[Ad, tuple[NodeInput, ...]]:
        """The node as a job by itself, and its files; raises JdlError."""

    def outputs(self, wanted: OutputOf, index: int) -> list[NodeInput]:
        """Output files of another node, as node `index` gets them; raises JdlInvalid."""


class Molded(NamedTuple):
    """A node by its mold, and the record that fills it."""

    mold: Mold
    record: Folded


class Known(NamedTuple):
    """A node by its text."""

    text: str
    inputs: tuple[NodeInput, ...]


class Taken:
    """The nodes of a compound, by index. `names` are those of all, `records` as written."""

    def __init__(self, root: Ad, kind: Kind, allowed: str = "NM") -> None:
        self.checker = Checker(allowed)
        self.likeness = Likeness()
        self._kind = kind
        self._molds = Molds(root, kind.opened)
        self._passed: set[tuple[int, Hashable]] = set()
        self._seen: dict[int, list[str]] = {}
        self._names: list[str] = []
        self._nodes: list[Molded | Known] = []
        self._indices: dict[str, int] = {}

    # -- what is written ---------------------------------------------------------------------------------

    def own_name(self, record: Ad) -> str:
        """The name a node gives itself, or the empty text; raises JdlError when it is none."""
        mold, values = self._mold("", record)
        if mold is None or mold.name is None:
            return own_name(self._kind.opened("", read(record)))
        return name_of(values[mold.name][1:-1])

    def declared(self, name: str, record: Ad) -> list[str]:
        """The OutputSandbox of a node."""
        mold, values = self._mold(name, record)
        if mold is None or mold.outputs is None:
            return declared(self._kind.opened(name, read(record)))
        return [values[hole][1:-1] for hole in mold.outputs]

    def _mold(self, name: str, record: Ad) -> tuple[Mold | None, list[str]]:
        if not isinstance(record, Folded):
            return None, []
        shape, values = cut(record.text)
        return self._molds.find(name, shape, values, lambda: read(record)), values

    # -- taking in ---------------------------------------------------------------------------------------

    def take(self, name: str, record: Ad) -> None:
        """One more node. What is wrong with it is kept for `checker.refuse_problems`; JdlError may be raised too."""
        mold, values = self._mold(name, record)
        if mold is not None and isinstance(record, Folded):
            self._molded(name, record, mold, values)
        else:
            self._alone(name, record)

    def _alone(self, name: str, record: Ad) -> None:
        try:
            ad, inputs = self._kind.alone(len(self._nodes), name, self._kind.opened(name, read(record)))
        except JdlError as error:
            self.checker.add(name, error.message.split("\n"))
            self._add(name, Known("", ()))
            return
        text = unparse(ad)
        self.checker.check(name, ad, text)
        self.likeness.add(ad)
        self._add(name, Known(text, inputs))

    def _molded(self, name: str, record: Folded, mold: Mold, values: Sequence[str]) -> None:
        """Take a node by its mold, which is tried on the first node whose words are placed so."""
        files = self._files(len(self._nodes), mold, values) if mold.related else ()
        words = [value if value[0] == '"' else f'"{value}"' for value in values] if mold.related else values
        key = mold.number, outline([*words, f'"{name}"', *[f'"{file.name}"' for file in files]])
        if key not in self._passed:
            self._try(name, record, mold, values)
            self._passed.add(key)
        self.likeness.holds &= self._seen[mold.number] == [values[hole] for hole in mold.seen]
        self._add(name, Molded(mold, record))

    def _try(self, name: str, record: Folded, mold: Mold, values: Sequence[str]) -> None:
        """Raises JdlInvalid if the mold does not give what the node is when it is looked at alone."""
        index = len(self._nodes)
        ad, inputs = self._kind.alone(index, name, self._kind.opened(name, read(record)))
        text = unparse(ad)
        if (text, inputs) != self._cast(index, name, mold, values):
            raise JdlInvalid(f"{name} is not what others of its form are")
        self.checker.check(name, ad, text)
        if mold.number not in self._seen:
            self.likeness.add(ad)
            self._seen[mold.number] = [values[hole] for hole in mold.seen]

    def _add(self, name: str, node: Molded | Known) -> None:
        if self._indices.setdefault(name, len(self._names)) < len(self._names):
            self.checker.add(name, [f"Duplicated NodeName({name})"])
        self._names.append(name)
        self._nodes.append(node)

    # -- casting -----------------------------------------------------------------------------------------

    def _files(self, index: int, mold: Mold, values: Sequence[str]) -> tuple[NodeInput, ...]:
        files = list[NodeInput]()
        for entry in mold.entries(values):
            files += [file_of(entry)] if isinstance(entry, str) else self._kind.outputs(entry, index)
        if mold.names is None:
            return tuple(files)
        if len(mold.names) != len(files):
            raise JdlInvalid(f"InputSandboxDestFileName: {CARDINALITY}")
        return tuple(called(files, [values[hole][1:-1] for hole in mold.names]))

    def _cast(self, index: int, name: str, mold: Mold, values: Sequence[str]) -> tuple[str, tuple[NodeInput, ...]]:
        files = self._files(index, mold, values)
        return mold.text(values, name, [file.name for file in files]), files

    # -- nodes -------------------------------------------------------------------------------------------

    def name(self, index: int) -> str:
        return self._names[index]

    def jdl(self, index: int) -> str:
        node = self._nodes[index]
        if isinstance(node, Known):
            return node.text
        return self._cast(index, self._names[index], node.mold, cut(node.record.text)[1])[0]

    def inputs(self, index: int) -> tuple[NodeInput, ...]:
        node = self._nodes[index]
        return node.inputs if isinstance(node, Known) else self._files(index, node.mold, cut(node.record.text)[1])

    def index(self, name: str) -> int | None:
        return self._indices.get(name)

    def sandbox(self, own: Sequence[str]) -> tuple[str, ...]:
        """The compound's files: its own, then those nodes name."""
        return tuple(dict.fromkeys((*own, *self._shared())))

    def _shared(self) -> Iterator[str]:
        for node in self._nodes:
            if isinstance(node, Known):
                yield from (one.shared for one in node.inputs if one.shared)
            elif node.mold.files:
                yield from (base_name(entry) for entry in node.mold.entries(cut(node.record.text)[1])
                            if isinstance(entry, str))


def read(record: Ad) -> Ad:
    """The record itself, of one that was left unread; raises JdlError."""
    return parse(record.text) if isinstance(record, Folded) else record
