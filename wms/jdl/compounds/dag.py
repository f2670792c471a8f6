"""DAGs: nodes that wait for others and may use their output."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final

from wms.errors import JdlError, JdlInvalid
from wms.jdl.ast import Ad, ListNode, Literal, Name, Node
from wms.jdl.compounds.checking import Checker, refuse
from wms.jdl.compounds.graph import MOST_EDGES, Edge, Graph
from wms.jdl.compounds.inheritance import NAMES, Likeness, common, most_running
from wms.jdl.compounds.listed import LONGEST_NAME, ListedNodes, complete, own_name, refuse_file
from wms.jdl.compounds.model import DAG, Compound, NodeInput
from wms.jdl.compounds.sandboxes import OutputOf, entries
from wms.jdl.evaluate import evaluate
from wms.jdl.unparse import unparse
from wms.sandbox import base_name

NOT_HONOURED: Final = ("AbortDagOn", "FinalNode", "RetryUnlessExit")
_BESIDE_NODES: Final = frozenset({"dependencies", "max_running_nodes"})
_OF_A_NODE: Final = frozenset({"description", "file", "node_type", "node_retry_count",
                               *(name.lower() for name in NAMES)})
"""What may stand beside the description of a node."""


@dataclass(frozen=True, slots=True)
class Parts:
    """A DAG taken apart: records of nodes by name, and the pairs that say who waits for whom."""

    names: tuple[str, ...]
    records: tuple[Ad, ...]
    dependencies: Sequence[Node]
    indices: Mapping[str, int]


def dag(root: Ad, allowed: str = "NM") -> Compound:
    """The compound of a DAG; raises JdlInvalid. `allowed` are the types of nodes, letters of JOB_TYPES."""
    _refuse_unknown(root)
    parts = _taken_apart(root)
    graph = Graph(len(parts.names), _edges(parts))
    checker, nodes, likeness = Checker(allowed), ListedNodes(), Likeness()
    for index, name in enumerate(parts.names):
        try:
            ad, inputs = _node(root, parts, graph, index)
        except JdlError as error:
            checker.add(name, error.message.split("\n"))
            continue
        text = unparse(ad)
        checker.check(name, ad, text)
        likeness.add(ad)
        nodes.add(name, text, inputs)
    checker.refuse_problems()
    own = [base_name(file) for file in entries(root, root) if isinstance(file, str)]
    return Compound(DAG, len(parts.names), nodes, common(root, root, "D"), nodes.sandbox(own), graph.edges,
                    _most_running(root), likeness.holds)


def _refuse_unknown(ad: Ad) -> None:
    for name in NOT_HONOURED:
        if name in ad:
            raise refuse(name, "this service does not know it: leave it out", ad)


def _most_running(root: Ad) -> int:
    nodes = root.get("Nodes")
    inside = nodes if isinstance(nodes, Ad) and "max_running_nodes" in nodes else root
    return most_running(inside)


# -- nodes -----------------------------------------------------------------------------------------------


def _taken_apart(root: Ad) -> Parts:
    written = root.get("Nodes")
    if written is None:
        raise refuse("Nodes", "Jdl mandatory attribute is missing", root)
    if isinstance(written, Ad):
        found = [_named(name, value) for name, value in written.attributes if name.lower() not in _BESIDE_NODES]
        inside = written.get("Dependencies")
    elif isinstance(written, ListNode):
        found, inside = [_unnamed(index, item) for index, item in enumerate(written.items)], None
    else:
        raise refuse("Nodes", "'nodes' not valid (a record expected)", root)
    if not found:
        raise refuse("Nodes", "'nodes' not valid (empty)", root)
    indices = {name.lower(): index for index, (name, _) in enumerate(found)}
    if len(indices) < len(found):
        twice = next(name for index, (name, _) in enumerate(found) if indices[name.lower()] != index)
        raise JdlInvalid(f"Duplicated NodeName({twice})", value=twice)
    return Parts(tuple(name for name, _ in found), tuple(record for _, record in found),
                 _dependencies(root, inside), indices)


def _named(name: str, value: Node) -> tuple[str, Ad]:
    """The description of a node of the form `name = [ description = [...] ]`, with what stands beside it."""
    if not (name.isascii() and name.isidentifier()) or len(name) > LONGEST_NAME or not isinstance(value, Ad):
        raise JdlInvalid(f"Invalid node {name[:LONGEST_NAME]}")
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
    return name, description.changed(_beside(name, value, description))


def _beside(name: str, value: Ad, description: Ad) -> dict[str, Node | None]:
    strange = [other for other in value.names() if other.lower() not in _OF_A_NODE]
    if strange:
        raise JdlInvalid(f"Invalid node {name}: '{strange[0]}' must stand in its description")
    kind = value.get("node_type")
    if kind is not None and str(evaluate(kind, value)).lower() != "edg-jdl":
        raise JdlInvalid(f"node_type not valid ({unparse(kind)[:100]})")
    retries = value.get("node_retry_count")
    return {"RetryCount": retries} if retries is not None and "RetryCount" not in description else {}


def _unnamed(index: int, item: Node) -> tuple[str, Ad]:
    """The record of a node in a list, which names itself or is known by its place."""
    if not isinstance(item, Ad):
        raise JdlInvalid(f"Invalid node Node_{index}")
    refuse_file(item)
    return own_name(item) or f"Node_{index}", item


def _node(root: Ad, parts: Parts, graph: Graph, index: int) -> tuple[Ad, tuple[NodeInput, ...]]:
    record = parts.records[index]
    files: list[str | OutputOf] = []
    sources: dict[str, NodeInput] = {}
    for file in entries(record, root):
        if isinstance(file, str):
            files.append(file)
            continue
        for output, source in _outputs(file, parts, graph, index):
            files.append(output)
            sources[output.text] = source
    return complete(record, root, parts.names[index], files, sources)


def _outputs(wanted: OutputOf, parts: Parts, graph: Graph, index: int) -> Iterator[tuple[OutputOf, NodeInput]]:
    """The output files of a node that comes before this one."""
    source = parts.indices.get(wanted.node.lower())
    if source is None:
        raise JdlInvalid(f"InputSandbox: there is no node {wanted.node} for '{wanted.text}'")
    if not graph.comes_before(source, index):
        raise JdlInvalid(f"failed dependency with {wanted.node}: '{wanted.text}' needs a way to it in Dependencies")
    declared = _declared(parts.records[source])
    chosen = range(len(declared)) if wanted.index is None else [wanted.index]
    for place in chosen:
        if not 0 <= place < len(declared):
            raise JdlInvalid(f"unable to find '{wanted.text}' in {wanted.node} sandbox output files")
        name = base_name(declared[place])
        yield (OutputOf(wanted.node, place, f"{source}/{place}"), NodeInput(name, node=source, file=name))


def _declared(record: Ad) -> list[str]:
    written = record.get("OutputSandbox")
    value = [] if written is None else evaluate(written, record)
    return [file for file in (value if isinstance(value, list) else [value]) if isinstance(file, str)]


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
