"""Collections: a list of nodes that know nothing of each other and share what their root gives them."""

from __future__ import annotations

from collections.abc import Sequence

from wms.errors import JdlError, JdlInvalid
from wms.jdl.ast import Ad, ListNode, Node
from wms.jdl.compounds.checking import refuse
from wms.jdl.compounds.inheritance import common, most_running, without_nodes
from wms.jdl.compounds.listed import complete, refuse_file
from wms.jdl.compounds.model import COLLECTION, Compound, NodeInput
from wms.jdl.compounds.molded import Taken
from wms.jdl.compounds.sandboxes import OutputOf, entries
from wms.sandbox import base_name


class _Collection:
    """How the nodes of one collection are understood."""

    def __init__(self, root: Ad) -> None:
        self._root = root

    def opened(self, name: str, record: Ad) -> Ad:
        refuse_file(record)
        return record

    def alone(self, index: int, name: str, own: Ad) -> tuple[Ad, tuple[NodeInput, ...]]:
        files = entries(own, self._root)
        for file in files:
            if isinstance(file, OutputOf):
                self.outputs(file, index)
        return complete(own, self._root, name, files, {})

    def outputs(self, wanted: OutputOf, index: int) -> list[NodeInput]:
        raise JdlInvalid(f"InputSandbox: '{wanted.text}' is the output of another node: only a DAG has that")


def collection(root: Ad) -> Compound:
    """The compound of a collection; raises JdlInvalid with what is wrong with all nodes."""
    records = _records(root)
    beside = without_nodes(root)
    nodes = Taken(beside, _Collection(beside))
    for index, record in enumerate(records):
        _take(nodes, f"Node_{index}", record)
    nodes.checker.refuse_problems()
    own = [base_name(file) for file in entries(beside, beside) if isinstance(file, str)]
    return Compound(COLLECTION, len(records), nodes, common(root, root, "K"), nodes.sandbox(own),
                    max_running_nodes=most_running(root), alike=nodes.likeness.holds)


def _take(nodes: Taken, default: str, record: Node) -> None:
    if not isinstance(record, Ad):
        nodes.checker.add(default, ["'nodes' not valid (a list of records expected)"])
        return
    try:
        name = nodes.own_name(record) or default
    except JdlError as error:
        nodes.checker.add(default, error.message.split("\n"))
        return
    nodes.take(name, record)


def _records(root: Ad) -> Sequence[Node]:
    written = root.get("Nodes")
    if written is None:
        raise refuse("Nodes", "Jdl mandatory attribute is missing", root)
    if not isinstance(written, ListNode):
        raise refuse("Nodes", "'nodes' not valid (a list of records expected)", root)
    if not written.items:
        raise refuse("Nodes", "'nodes' not valid (empty)", root)
    return written.items
