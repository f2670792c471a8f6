"""Collections: a list of nodes that know nothing of each other and share what their root gives them."""

from __future__ import annotations

from collections.abc import Sequence

from wms.errors import JdlError, JdlInvalid
from wms.jdl.ast import Ad, ListNode, Node
from wms.jdl.compounds.checking import Checker, refuse
from wms.jdl.compounds.inheritance import Likeness, common, most_running
from wms.jdl.compounds.listed import ListedNodes, complete, own_name, refuse_file
from wms.jdl.compounds.model import COLLECTION, Compound, NodeInput
from wms.jdl.compounds.sandboxes import OutputOf, entries
from wms.jdl.unparse import unparse
from wms.sandbox import base_name


def collection(root: Ad) -> Compound:
    """The compound of a collection; raises JdlInvalid with what is wrong with all nodes."""
    records = _records(root)
    checker, nodes, likeness = Checker(), ListedNodes(), Likeness()
    for index, record in enumerate(records):
        name = f"Node_{index}"
        try:
            name, ad, inputs = _node(record, root, name)
        except JdlError as error:
            checker.add(name, error.message.split("\n"))
            continue
        text = unparse(ad)
        checker.check(name, ad, text)
        likeness.add(ad)
        if not nodes.add(name, text, inputs):
            checker.add(name, [f"Duplicated NodeName({name})"])
    checker.refuse_problems()
    own = [base_name(file) for file in entries(root, root) if isinstance(file, str)]
    return Compound(COLLECTION, len(records), nodes, common(root, root, "K"), nodes.sandbox(own),
                    max_running_nodes=most_running(root), alike=likeness.holds)


def _records(root: Ad) -> Sequence[Node]:
    written = root.get("Nodes")
    if written is None:
        raise refuse("Nodes", "Jdl mandatory attribute is missing", root)
    if not isinstance(written, ListNode):
        raise refuse("Nodes", "'nodes' not valid (a list of records expected)", root)
    if not written.items:
        raise refuse("Nodes", "'nodes' not valid (empty)", root)
    return written.items


def _node(record: Node, root: Ad, default: str) -> tuple[str, Ad, tuple[NodeInput, ...]]:
    """(name, the node as a job, its files)."""
    if not isinstance(record, Ad):
        raise JdlInvalid("'nodes' not valid (a list of records expected)")
    name = own_name(record) or default
    refuse_file(record)
    files = entries(record, root)
    outputs = [file.text for file in files if isinstance(file, OutputOf)]
    if outputs:
        raise JdlInvalid(f"InputSandbox: '{outputs[0]}' is the output of another node: only a DAG has that")
    return (name, *complete(record, root, name, files, {}))
