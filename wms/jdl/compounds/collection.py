"""Collections: a list of nodes that know nothing of each other and share what their root gives them."""

from __future__ import annotations

from collections.abc import Sequence

from wms.errors import JdlError, JdlInvalid
from wms.jdl.ast import Ad, ListNode, Literal, Node, node
from wms.jdl.compounds.checking import Checker, refuse
from wms.jdl.compounds.inheritance import NAMES, all_alike, common, inherited
from wms.jdl.compounds.model import COLLECTION, Compound, NodeInput
from wms.jdl.compounds.sandboxes import OutputOf, entries, names_in_node, shared
from wms.jdl.evaluate import evaluate
from wms.jdl.unparse import unparse
from wms.sandbox import base_name, name_problem

LONGEST_NAME = 200


def collection(root: Ad) -> Compound:
    """The compound of a collection; raises JdlInvalid with what is wrong with all nodes."""
    records = _records(root)
    checker = Checker()
    nodes = ListedNodes()
    ads: list[Ad] = []
    for index, record in enumerate(records):
        name = f"Node_{index}"
        try:
            name = _name(record, index)
            ad, inputs = _complete(record, root, name)
        except JdlError as error:
            checker.add(name, error.message.split("\n"))
            continue
        checker.check(name, ad)
        if not nodes.add(name, ad, inputs):
            checker.add(name, [f"Duplicated NodeName({name})"])
        ads.append(ad)
    checker.refuse_problems()
    own = common(root, root, "K")
    files = [base_name(file) for file in entries(root, root) if isinstance(file, str)]
    return Compound(COLLECTION, len(records), nodes, own, nodes.sandbox(files), alike=all_alike(ads))


def _records(root: Ad) -> Sequence[Node]:
    written = root.get("Nodes")
    if written is None:
        raise refuse("Nodes", "Jdl mandatory attribute is missing", root)
    if not isinstance(written, ListNode):
        raise refuse("Nodes", "'nodes' not valid (a list of records expected)", root)
    if not written.items:
        raise refuse("Nodes", "'nodes' not valid (empty)", root)
    return written.items


def _name(record: Node, index: int) -> str:
    if not isinstance(record, Ad):
        raise JdlInvalid("'nodes' not valid (a list of records expected)")
    return own_name(record) or f"Node_{index}"


def own_name(record: Ad) -> str:
    """The name a node gives itself, or the empty text; raises JdlInvalid when it is none."""
    given = [value for name in NAMES if (value := record.get(name)) is not None]
    if not given:
        return ""
    name = evaluate(given[0], record)
    if not isinstance(name, str) or not name or len(name) > LONGEST_NAME or name_problem(name):
        raise JdlInvalid(f"Invalid node {name if isinstance(name, str) else unparse(given[0])}"[:LONGEST_NAME])
    return name


def _complete(record: Node, root: Ad, name: str) -> tuple[Ad, tuple[NodeInput, ...]]:
    assert isinstance(record, Ad)
    refuse_file(record)
    files = entries(record, root)
    outputs = [file.text for file in files if isinstance(file, OutputOf)]
    if outputs:
        raise JdlInvalid(f"InputSandbox: '{outputs[0]}' is the output of another node: only a DAG has that")
    return complete(record, root, name, [file for file in files if isinstance(file, str)])


def refuse_file(record: Ad) -> None:
    """A node kept in a file of its own is read by the client: the service has no such file."""
    if "File" in record:
        if set(map(str.lower, record.names())) - {"file", *map(str.lower, NAMES)}:
            raise JdlInvalid("File: no other attributes can be specified for this node")
        raise JdlInvalid("File: the description of the node must be put in its place before it is submitted")


def complete(record: Ad, root: Ad, name: str, files: Sequence[str]) -> tuple[Ad, tuple[NodeInput, ...]]:
    """The node as a job by itself, and where its files come from."""
    names = names_in_node(record, len(files))
    names = [base_name(file) for file in files] if names is None else names
    changes = inherited(record, root) | forbidden_kept(record)
    if "InputSandbox" in record:
        changes |= {"InputSandbox": node(names), "InputSandboxDestFileName": None}
    changes |= {NAMES[1]: None, NAMES[0]: Literal(name)}
    return record.changed(changes), shared(names, files)


def forbidden_kept(record: Ad) -> dict[str, Node | None]:
    """A node that is a compound itself keeps its Type, by which it is refused."""
    kind = record.get("Type")
    return {} if kind is None or evaluate(kind, record) in ("Job", "job") else {"Type": kind}


class ListedNodes:
    """Nodes that are kept one by one, as texts."""

    def __init__(self) -> None:
        self._names: list[str] = []
        self._texts: list[str] = []
        self._inputs: list[tuple[NodeInput, ...]] = []
        self._indices: dict[str, int] = {}

    def add(self, name: str, ad: Ad, inputs: tuple[NodeInput, ...]) -> bool:
        """Take one more node; false when its name is taken."""
        new = name not in self._indices
        self._indices.setdefault(name, len(self._names))
        self._names.append(name)
        self._texts.append(unparse(ad))
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
