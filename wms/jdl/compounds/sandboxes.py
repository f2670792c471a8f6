"""Where the input files of nodes come from: the compound's own sandbox, or the output of another node."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from wms.errors import JdlInvalid
from wms.jdl.ast import Ad, Call, ListNode, Literal, Name, Node, Select, Subscript, walk
from wms.jdl.evaluate import evaluate
from wms.jdl.unparse import unparse
from wms.sandbox import base_name, input_problems

CARDINALITY: Final = "InputSandbox and InputSandboxDestFileName cardinalities are different"


@dataclass(frozen=True, slots=True)
class OutputOf:
    """`root.nodes.NODE.description.OutputSandbox`, or its item `index` (None: all of them)."""

    node: str
    index: int | None
    text: str


def entries(ad: Ad, root: Ad) -> list[str | OutputOf]:
    """The items of a node's InputSandbox, references resolved; raises JdlInvalid."""
    found: list[str | OutputOf] = []
    for item in items_of(ad):
        if isinstance(item, Literal) and isinstance(item.value, str):
            found.append(item.value)
        elif (output := output_of(item)) is not None:
            found.append(output)
        else:
            found += resolved(item, root)
    problems = input_problems([file for file in found if isinstance(file, str)], names=())
    if problems:
        raise JdlInvalid("\n".join(f"InputSandbox: {problem}" for problem in problems))
    return found


def items_of(ad: Ad) -> tuple[Node, ...]:
    """What is written in the InputSandbox, one entry or a list of them."""
    written = ad.get("InputSandbox")
    return () if written is None else written.items if isinstance(written, ListNode) else (written,)


def resolved(item: Node, root: Ad) -> list[str]:
    """The files of the root an entry refers to; raises JdlInvalid."""
    if any(isinstance(part, Call) for part, _ in walk(item)):
        raise JdlInvalid(f"InputSandbox: function calls are not supported in '{unparse(item)[:200]}'")
    value = evaluate(item, root)
    found = value if isinstance(value, list) else [value]
    texts = [text for text in found if isinstance(text, str)]
    if len(texts) < len(found):
        raise JdlInvalid(f"InputSandbox: '{unparse(item)[:200]}' is no file of the compound")
    return texts


def output_of(item: Node) -> OutputOf | None:
    """The output of another node, None if the entry is none."""
    index: int | None = None
    base = item
    match item:
        case Subscript(base=listed, index=Literal(value=int(number))) if type(number) is int:
            base, index = listed, number
    path: list[str] = []
    while isinstance(base, Select):
        path.append(base.name)
        base = base.base
    if not (isinstance(base, Name) and base.name.lower() == "root" and len(path) == 4):
        return None
    output, description, name, nodes = path
    if [output.lower(), description.lower(), nodes.lower()] != ["outputsandbox", "description", "nodes"]:
        return None
    return OutputOf(name, index, unparse(item))


def names_in_node(ad: Ad, count: int) -> list[str] | None:
    """InputSandboxDestFileName, one name for each of `count` files; raises JdlInvalid."""
    written = ad.get("InputSandboxDestFileName")
    if written is None:
        return None
    names = evaluate(written, ad)
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise JdlInvalid("InputSandboxDestFileName: wrong value caught for attribute (a list of strings)")
    if len(names) != count:
        raise JdlInvalid(f"InputSandboxDestFileName: {CARDINALITY}")
    return names


def bare_files(ad: Ad) -> list[tuple[str, str]]:
    """(name in the node, entry) of each file of a record whose sandbox is not shared with others."""
    files = [entry for entry in entries(ad, ad) if isinstance(entry, str)]
    names = names_in_node(ad, len(files))
    return list(zip([base_name(file) for file in files] if names is None else names, files, strict=True))


