"""A tree made anew with some of its parts in other forms. What parts mean is not looked at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from wms.jdl.ast import (
    Ad,
    Attribute,
    Call,
    Conditional,
    ListNode,
    Node,
    Operation,
    Select,
    Subscript,
    Unary,
)


def rebuilt(node: Node, change: Callable[[Node], Node]) -> Node:
    """`change` is asked for every part, the outermost first, and not for the parts of what it changes.

    Recursive: no tree is deeper than MAX_NESTING.
    """
    changed = change(node)
    return rebuilt_inside(node, change) if changed is node else changed


def rebuilt_inside(node: Node, change: Callable[[Node], Node]) -> Node:
    """The same without asking for the node itself."""
    match node:
        case Select(base=base):
            return replace(node, base=rebuilt(base, change))
        case Subscript(base=base, index=index):
            return replace(node, base=rebuilt(base, change), index=rebuilt(index, change))
        case Unary(operand=operand):
            return replace(node, operand=rebuilt(operand, change))
        case Operation(operands=operands):
            return replace(node, operands=_each(operands, change))
        case Conditional(test=test, then=then, otherwise=otherwise):
            return replace(node, test=rebuilt(test, change), then=rebuilt(then, change),
                           otherwise=rebuilt(otherwise, change))
        case Call(arguments=arguments):
            return replace(node, arguments=_each(arguments, change))
        case ListNode(items=items):
            return replace(node, items=_each(items, change))
        case Ad(attributes=attributes):
            return replace(node, attributes=tuple(
                Attribute(name, rebuilt(value, change)) for name, value in attributes))
    return node


def _each(nodes: tuple[Node, ...], change: Callable[[Node], Node]) -> tuple[Node, ...]:
    return tuple(rebuilt(one, change) for one in nodes)
