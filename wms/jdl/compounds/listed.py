"""Nodes that are written out one by one: their names, the job each is, and the memory of all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from wms.errors import JdlInvalid
from wms.jdl.ast import Ad, Literal, Node, node
from wms.jdl.compounds.inheritance import NAMES, inherited
from wms.jdl.compounds.model import NodeInput
from wms.jdl.compounds.rooted import with_root
from wms.jdl.compounds.sandboxes import OutputOf, names_in_node
from wms.jdl.evaluate import evaluate
from wms.jdl.unparse import unparse
from wms.sandbox import base_name, name_problem

LONGEST_NAME = 200


class ListedNodes:
    """Nodes that are kept one by one, as texts."""

    def __init__(self) -> None:
        self._names: list[str] = []
        self._texts: list[str] = []
        self._inputs: list[tuple[NodeInput, ...]] = []
        self._indices: dict[str, int] = {}

    def add(self, name: str, text: str, inputs: tuple[NodeInput, ...]) -> bool:
        """Take one more node; false when its name is taken."""
        new = name not in self._indices
        self._indices.setdefault(name, len(self._names))
        self._names.append(name)
        self._texts.append(text)
        self._inputs.append(inputs)
        return new

    def name(self, index: int) -> str:
        return self._names[index]

    def jdl(self, index: int) -> str:
        return self._texts[index]

    def inputs(self, index: int) -> tuple[NodeInput, ...]:
        return self._inputs[index]

    def index(self, name: str) -> int | None:
        return self._indices.get(name)

    def sandbox(self, own: Sequence[str]) -> tuple[str, ...]:
        """The compound's files: its own, then those nodes name."""
        named = (one.shared for inputs in self._inputs for one in inputs if one.shared)
        return tuple(dict.fromkeys((*own, *named)))


def own_name(record: Ad) -> str:
    """The name a node gives itself, or the empty text; raises JdlInvalid when it is none."""
    given = [value for name in NAMES if (value := record.get(name)) is not None]
    if not given:
        return ""
    name = evaluate(given[0], record)
    if not isinstance(name, str):
        raise JdlInvalid(f"Invalid node {unparse(given[0])}"[:LONGEST_NAME])
    return name_of(name)


def name_of(text: str) -> str:
    """The text if a node can be called so; raises JdlInvalid."""
    if not text or len(text) > LONGEST_NAME or name_problem(text):
        raise JdlInvalid(f"Invalid node {text}"[:LONGEST_NAME])
    return text


def declared(record: Ad) -> list[str]:
    """The files in the OutputSandbox of a node."""
    written = record.get("OutputSandbox")
    value = [] if written is None else evaluate(written, record)
    return [file for file in (value if isinstance(value, list) else [value]) if isinstance(file, str)]


def refuse_file(record: Ad) -> None:
    """A node kept in a file of its own is read by the client: the service has no such file."""
    if "File" in record:
        if {name.lower() for name in record.names()} - {"file", *(name.lower() for name in NAMES)}:
            raise JdlInvalid("File: no other attributes can be specified for this node")
        raise JdlInvalid("File: the description of the node must be put in its place before it is submitted")


def complete(record: Ad, root: Ad, name: str, files: Sequence[str | OutputOf],
             sources: Mapping[str, NodeInput]) -> tuple[Ad, tuple[NodeInput, ...]]:
    """The node as a job by itself, and where its files come from; `sources` resolves outputs by their text."""
    found = [file_of(file) if isinstance(file, str) else sources[file.text] for file in files]
    names = names_in_node(record, len(files))
    if names is not None:
        found = called(found, names)
    return standing_alone(record, root, name, [one.name for one in found]), tuple(found)


def file_of(file: str) -> NodeInput:
    """A file that the compound brings."""
    name = base_name(file)
    return NodeInput(name, name)


def called(files: Sequence[NodeInput], names: Sequence[str]) -> list[NodeInput]:
    """The same files under other names in the node; there must be as many."""
    return [NodeInput(name, one.shared, one.node, one.file) for name, one in zip(names, files, strict=True)]


def standing_alone(record: Ad, root: Ad, name: str, files: Sequence[str]) -> Ad:
    """The node with all that it takes from its compound; `files` are in its directory."""
    changes = inherited(record, root) | _type_kept(record)
    if "InputSandbox" in record:
        changes |= {"InputSandbox": node(files), "InputSandboxDestFileName": None}
    changes |= {NAMES[1]: None, NAMES[0]: Literal(name)}
    return with_root(record.changed(changes), root)


def _type_kept(record: Ad) -> dict[str, Node | None]:
    """A node that is a compound itself keeps its Type, by which it is refused."""
    written = record.get("Type")
    return {} if written is None else {"Type": written}
