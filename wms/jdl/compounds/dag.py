"""DAGs: nodes that wait for others and may use their output."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Final, NamedTuple

from wms.errors import JdlInvalid
from wms.jdl.ast import Ad, Folded, ListNode, Literal, Name, Node
from wms.jdl.compounds.checking import refuse
from wms.jdl.compounds.graph import MOST_EDGES, Edge, Graph
from wms.jdl.compounds.inheritance import NAMES, common, most_running, without_nodes
from wms.jdl.compounds.listed import LONGEST_NAME, complete, refuse_file
from wms.jdl.compounds.model import DAG, Compound, NodeInput
from wms.jdl.compounds.molded import Taken
from wms.jdl.compounds.sandboxes import OutputOf, entries
from wms.jdl.evaluate import evaluate
from wms.jdl.unparse import unparse
from wms.sandbox import base_name

NOT_HONOURED: Final = ("AbortDagOn", "FinalNode", "RetryUnlessExit")
_BESIDE_NODES: Final = frozenset({"dependencies", "max_running_nodes"})
_OF_A_NODE: Final = frozenset({"description", "file", "node_type", "node_retry_count",
                               *(name.lower() for name in NAMES)})
"""What may stand beside the description of a node."""


class Parts(NamedTuple):
    """A DAG taken apart: records of nodes by name, and the pairs that say who waits for whom."""

    names: tuple[str, ...]
    records: tuple[Ad, ...]
    dependencies: Sequence[Node]
    indices: Mapping[str, int]


class _Dag:
    """How the nodes of one DAG are understood."""

    def __init__(self, root: Ad, allowed: str) -> None:
        self._root = root
        self.beside = without_nodes(root)
        self._named = isinstance(root.get("Nodes"), Ad)
        self._graph: Graph | None = None
        self.nodes = Taken(self.beside, self, allowed)
        self.parts = self._taken_apart()

    def taken(self) -> tuple[Edge, ...]:
        """Take all nodes; their edges."""
        graph = self._graph = Graph(len(self.parts.names), _edges(self.parts))
        for name, record in zip(self.parts.names, self.parts.records, strict=True):
            self.nodes.take(name, record)
        self.nodes.checker.refuse_problems()
        self._graph = None
        return graph.edges

    def opened(self, name: str, record: Ad) -> Ad:
        return _described(name, record) if self._named else _unnamed(record)

    def alone(self, index: int, name: str, own: Ad) -> tuple[Ad, tuple[NodeInput, ...]]:
        files: list[str | OutputOf] = []
        sources: dict[str, NodeInput] = {}
        for file in entries(own, self.beside):
            if isinstance(file, str):
                files.append(file)
                continue
            for place, source in enumerate(self.outputs(file, index)):
                files.append(OutputOf(file.node, place, f"{source.node}/{source.file}"))
                sources[f"{source.node}/{source.file}"] = source
        return complete(own, self.beside, name, files, sources)

    def outputs(self, wanted: OutputOf, index: int) -> list[NodeInput]:
        """The output files of a node that comes before this one, which is looked at only while nodes are taken."""
        source = self.parts.indices.get(wanted.node.lower())
        if source is None:
            raise JdlInvalid(f"InputSandbox: there is no node {wanted.node} for '{wanted.text}'")
        if self._graph is not None and not self._graph.comes_before(source, index):
            raise JdlInvalid(f"failed dependency with {wanted.node}: '{wanted.text}' needs a way to it in Dependencies")
        files = self.nodes.declared(self.parts.names[source], self.parts.records[source])
        chosen = range(len(files)) if wanted.index is None else [wanted.index]
        if any(not 0 <= place < len(files) for place in chosen):
            raise JdlInvalid(f"unable to find '{wanted.text}' in {wanted.node} sandbox output files")
        return [NodeInput(name, node=source, file=name) for name in (base_name(files[place]) for place in chosen)]

    def _taken_apart(self) -> Parts:
        written = self._root.get("Nodes")
        if written is None:
            raise refuse("Nodes", "Jdl mandatory attribute is missing", self._root)
        found, inside = self._written(written)
        if not found:
            raise refuse("Nodes", "'nodes' not valid (empty)", self._root)
        indices = {name.lower(): index for index, (name, _) in enumerate(found)}
        if len(indices) < len(found):
            twice = next(name for index, (name, _) in enumerate(found) if indices[name.lower()] != index)
            raise JdlInvalid(f"Duplicated NodeName({twice})", value=twice)
        return Parts(tuple(name for name, _ in found), tuple(record for _, record in found),
                     _dependencies(self._root, inside), indices)

    def _written(self, nodes: Node) -> tuple[list[tuple[str, Ad]], Node | None]:
        """Names and records, and the dependencies beside them."""
        if isinstance(nodes, Ad):
            return ([_named(name, value) for name, value in nodes.attributes if name.lower() not in _BESIDE_NODES],
                    nodes.get("Dependencies"))
        if isinstance(nodes, ListNode):
            return [self._item(index, item) for index, item in enumerate(nodes.items)], None
        raise refuse("Nodes", "'nodes' not valid (a record expected)", self._root)

    def _item(self, index: int, item: Node) -> tuple[str, Ad]:
        """A record that names its node or is known by its place."""
        if not isinstance(item, Ad):
            raise JdlInvalid(f"Invalid node Node_{index}")
        return self.nodes.own_name(item) or f"Node_{index}", item


def dag(root: Ad, allowed: str = "NM") -> Compound:
    """The compound of a DAG; raises JdlInvalid. `allowed` are the types of nodes, letters of JOB_TYPES."""
    _refuse_unknown(root)
    made = _Dag(root, allowed)
    edges = made.taken()
    own = [base_name(file) for file in entries(made.beside, made.beside) if isinstance(file, str)]
    return Compound(DAG, len(made.parts.names), made.nodes, common(root, root, "D"), made.nodes.sandbox(own), edges,
                    _most_running(root), made.nodes.likeness.holds)


def _refuse_unknown(ad: Ad) -> None:
    for name in NOT_HONOURED:
        if name in ad:
            raise refuse(name, "this service does not know it: leave it out", ad)


def _most_running(root: Ad) -> int:
    nodes = root.get("Nodes")
    inside = nodes if isinstance(nodes, Ad) and "max_running_nodes" in nodes else root
    return most_running(inside)


# -- nodes -----------------------------------------------------------------------------------------------


def _named(name: str, value: Node) -> tuple[str, Ad]:
    """A node of the form `name = [ description = [...] ]`; what is wrong with all of it is said at once."""
    if not (name.isascii() and name.isidentifier()) or len(name) > LONGEST_NAME or not isinstance(value, Ad):
        raise JdlInvalid(f"Invalid node {name[:LONGEST_NAME]}")
    if not isinstance(value, Folded):
        _described(name, value)
    return name, value


def _described(name: str, value: Ad) -> Ad:
    """The description in the record of a node, with what stands beside it."""
    _refuse_unknown(value)
    if "description" in value and "file" in value:
        raise JdlInvalid(f"Both 'ad' and 'file' specified for node {name}")
    if "file" in value:
        raise JdlInvalid(f"'file' not valid (the description of node {name} must be put in its place)")
    if "description" not in value:
        raise JdlInvalid(f"Neither 'ad' nor 'file' specified for node {name}")
    description = value.get("description")
    if not isinstance(description, Ad):
        raise JdlInvalid(f"'description' not valid for node {name}")
    return description.changed(_beside(name, value, description))


def _beside(name: str, value: Ad, description: Ad) -> dict[str, Node | None]:
    strange = [other for other in value.names() if other.lower() not in _OF_A_NODE]
    if strange:
        raise JdlInvalid(f"Invalid node {name}: '{strange[0]}' must stand in its description")
    kind = value.get("node_type")
    if kind is not None and str(evaluate(kind, value)).lower() != "edg-jdl":
        raise JdlInvalid(f"node_type not valid ({unparse(kind)[:100]})")
    retries = value.get("node_retry_count")
    return {"RetryCount": retries} if retries is not None and "RetryCount" not in description else {}


def _unnamed(record: Ad) -> Ad:
    """A record in a list is the description itself."""
    refuse_file(record)
    return record


# -- dependencies ----------------------------------------------------------------------------------------


def _dependencies(root: Ad, inside: Node | None) -> Sequence[Node]:
    beside = root.get("Dependencies")
    written = inside if beside is None else beside
    if written is None:
        return ()
    if not isinstance(written, ListNode) or (inside is not None and beside is not None):
        raise JdlInvalid("'dependencies' not valid")
    return written.items


def _edges(parts: Parts) -> Iterator[Edge]:
    count = 0
    for pair in parts.dependencies:
        if not isinstance(pair, ListNode) or len(pair.items) != 2:
            raise JdlInvalid(f"'dependencies' not valid ({unparse(pair)[:100]}: two sides expected)")
        parents, children = (_side(item, parts.indices) for item in pair.items)
        count += len(parents) * len(children)
        if count > MOST_EDGES:
            raise JdlInvalid(f"'dependencies' not valid (at most {MOST_EDGES})")
        yield from product(parents, children)


def _side(item: Node, indices: Mapping[str, int]) -> list[int]:
    """One node or a list of nodes, by name."""
    items = item.items if isinstance(item, ListNode) else (item,)
    if not items:
        raise JdlInvalid("'dependencies' not valid (an empty side)")
    return [_reference(one, indices) for one in items]


def _reference(item: Node, indices: Mapping[str, int]) -> int:
    match item:
        case Name(name=name) | Literal(value=str(name)):
            if name.lower() in indices:
                return indices[name.lower()]
            raise JdlInvalid(f"Invalid reference in 'dependencies' ({name[:100]})")
    raise JdlInvalid(f"'dependencies' not valid ({unparse(item)[:100]})")
