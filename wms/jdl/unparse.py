"""Tree to JDL text: `unparse` on one line, `pretty` with one attribute a line.

`parse_expression(unparse(tree)) == tree` for every tree; operators are printed as they were written.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import TypeAlias

from wms.jdl.ast import (
    Ad,
    Call,
    Conditional,
    ListNode,
    Literal,
    Name,
    Node,
    Operation,
    Scalar,
    Select,
    Special,
    Subscript,
    Unary,
)
from wms.jdl.grammar import LEVELS
from wms.jdl.lexer import KEYWORDS, WORD_OPERATORS

_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_ESCAPED = re.compile(r'["\\\x00-\x1f\x7f-\x9f]')
_ESCAPED_IN_NAME = re.compile(r"['\\\x00-\x1f\x7f-\x9f\u2018-\u201a]")
_SHORT = {"\n": "\\n", "\t": "\\t", "\b": "\\b", "\r": "\\r", "\f": "\\f"}
_LOOSEST, _UNARY, _POSTFIX = 0, 20, 30  # LEVELS of the binary operators lie between

Part: TypeAlias = str | tuple[Node, int]


def unparse(node: Node) -> str:
    """The text of a tree, on one line. Iterative, as deep as any tree."""
    words: list[str] = []
    todo: list[Part] = [(node, _LOOSEST)]
    while todo:
        part = todo.pop()
        if isinstance(part, str):
            words.append(part)
            continue
        here, level = part
        own, parts = _parts(here)
        todo.extend(reversed(["(", *parts, ")"] if own < level else parts))
    return "".join(words)


def pretty(ad: Ad) -> str:
    """The text of a record as people write it: brackets and one attribute a line."""
    lines = [f"  {quoted_name(name)} = {unparse(node)};" for name, node in ad.attributes]
    return "\n".join(["[", *lines, "]"])


def unparse_scalar(value: Scalar) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case Special():
            return str(value.value)
        case str():
            return f'"{_ESCAPED.sub(_escape, value)}"'
        case float() if not math.isfinite(value):
            return 'real("NaN")' if math.isnan(value) else f'real("{"-" * (value < 0)}INF")'
    return repr(value)


def quoted_name(name: str) -> str:
    """A name as it must be written: in quotes when it is no identifier or is a word of the language."""
    if _PLAIN_NAME.fullmatch(name) and name.lower() not in KEYWORDS and name.lower() not in WORD_OPERATORS:
        return name
    return f"'{_ESCAPED_IN_NAME.sub(_escape, name)}'"


def _escape(match: re.Match[str]) -> str:
    char = match[0]
    if char in _SHORT:
        return _SHORT[char]
    return f"\\{char}" if char in "\"\\'\u2018\u2019\u201a" else f"\\{ord(char):03o}"


def _parts(node: Node) -> tuple[int, Sequence[Part]]:
    """How tightly the outermost operator of a node binds, and its text with the nodes still to print.

    A node in the text stands with the tightness it needs: one that binds looser gets brackets.
    """
    match node:
        case Literal(value=value):
            return (_UNARY if _negative(value) else _POSTFIX), [unparse_scalar(value)]
        case Name(name=name):
            return _POSTFIX, [quoted_name(name)]
        case Select(base=base, name=name):
            return _POSTFIX, [*_apart(base, _POSTFIX), ".", quoted_name(name)]
        case Subscript(base=base, index=index):
            return _POSTFIX, [*_apart(base, _POSTFIX), "[", (index, _LOOSEST), "]"]
        case Unary(operator=operator, operand=operand):
            return _UNARY, [operator, *(_apart(operand, _UNARY) if operator == "-" else [(operand, _UNARY)])]
        case Operation(operators=operators, operands=operands):
            return _chain(operators, operands)
        case Conditional(test=test, then=then, otherwise=otherwise):
            return _LOOSEST, [(test, _LOOSEST + 1), " ? ", (then, _LOOSEST), " : ", (otherwise, _LOOSEST)]
        case Call(function=function, arguments=arguments):
            return _POSTFIX, [function, "(", *_listed(arguments), ")"]
        case ListNode(items=items):
            return _POSTFIX, ["{ ", *_listed(items), " }"] if items else ["{}"]
    return _POSTFIX, _record(node)


def _negative(value: Scalar) -> bool:
    return isinstance(value, int | float) and math.isfinite(value) and math.copysign(1, value) < 0


def _apart(node: Node, level: int) -> list[Part]:
    """A number gets brackets where it would melt into what stands beside it: `(5).a`, `-(5)`, `-(5)[0]`."""
    if isinstance(node, Literal) and isinstance(node.value, int | float):
        return ["(", (node, _LOOSEST), ")"]
    return [(node, level)]


def _chain(operators: tuple[str, ...], operands: tuple[Node, ...]) -> tuple[int, list[Part]]:
    level = LEVELS[operators[0]]
    parts: list[Part] = [(operands[0], level + 1)]
    for operator, operand in zip(operators, operands[1:], strict=True):
        parts += [f" {operator} ", (operand, level + 1)]
    return level, parts


def _listed(nodes: Sequence[Node]) -> list[Part]:
    parts: list[Part] = []
    for item in nodes:
        parts += [", ", (item, _LOOSEST)]
    return parts[1:]


def _record(ad: Ad) -> list[Part]:
    parts: list[Part] = []
    for name, node in ad.attributes:
        parts += ["; ", f"{quoted_name(name)} = ", (node, _LOOSEST)]
    return ["[ ", *parts[1:], " ]"] if parts else ["[]"]
