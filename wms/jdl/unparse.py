"""Tree to JDL text: `unparse` on one line, `pretty` with one attribute a line.

`parse_expression(unparse(tree)) == tree` for every tree; operators are printed as they were written.
"""

from __future__ import annotations

import math
import re

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
from wms.jdl.lexer import KEYWORDS, WORD_OPERATORS
from wms.jdl.parser import LEVELS

_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_ESCAPED = re.compile(r'["\\\x00-\x1f\x7f-\x9f\u2028\u2029]')
_ESCAPED_IN_NAME = re.compile(r"['\\\x00-\x1f\x7f-\x9f\u2018-\u201a\u2028\u2029]")
_SHORT = {"\n": "\\n", "\t": "\\t", "\b": "\\b", "\r": "\\r", "\f": "\\f"}
_TERNARY, _UNARY, _POSTFIX = 0, 20, 30


def unparse(node: Node) -> str:
    """The text of a tree, on one line."""
    return _text(node, _TERNARY)


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
    return f"\\{ord(char):03o}" if ord(char) < 0xA0 and char not in "\"\\'" else f"\\{char}"


def _text(node: Node, level: int) -> str:
    """The text of `node` where something that binds at `level` or looser needs brackets."""
    text, own = _form(node)
    return f"({text})" if own < level else text


def _form(node: Node) -> tuple[str, int]:
    """Text of a node and how tightly its outermost operator binds."""
    match node:
        case Literal(value=value):
            negative = isinstance(value, int | float) and str(value)[0] == "-"
            return unparse_scalar(value), _UNARY if negative else _POSTFIX
        case Name(name=name):
            return quoted_name(name), _POSTFIX
        case Select(base=base, name=name):
            return f"{_base(base)}.{quoted_name(name)}", _POSTFIX
        case Subscript(base=base, index=index):
            return f"{_base(base)}[{unparse(index)}]", _POSTFIX
        case Unary(operator=operator, operand=operand):
            return operator + _operand(operator, operand), _UNARY
        case Operation():
            return _operation(node)
        case Conditional(test=test, then=then, otherwise=otherwise):
            return f"{_text(test, _TERNARY + 1)} ? {unparse(then)} : {unparse(otherwise)}", _TERNARY
        case Call(function=function, arguments=arguments):
            return f"{function}({_items(arguments)})", _POSTFIX
        case ListNode(items=items):
            return ("{ " + _items(items) + " }") if items else "{}", _POSTFIX
        case Ad():
            return _record(node), _POSTFIX


def _base(node: Node) -> str:
    """A number must not touch the dot that follows."""
    number = isinstance(node, Literal) and isinstance(node.value, int | float)
    return f"({unparse(node)})" if number else _text(node, _POSTFIX)


def _operand(operator: str, node: Node) -> str:
    """`-5` is a number, so the negation of 5 is `-(5)`."""
    number = isinstance(node, Literal) and isinstance(node.value, int | float)
    return f"({unparse(node)})" if operator == "-" and number else _text(node, _UNARY)


def _operation(node: Operation) -> tuple[str, int]:
    level = LEVELS[node.operators[0]]
    words = [_text(node.operands[0], level + 1)]
    for operator, operand in zip(node.operators, node.operands[1:], strict=True):
        words += [operator, _text(operand, level + 1)]
    return " ".join(words), level


def _items(nodes: tuple[Node, ...]) -> str:
    return ", ".join(unparse(item) for item in nodes)


def _record(ad: Ad) -> str:
    inside = "; ".join(f"{quoted_name(name)} = {unparse(node)}" for name, node in ad.attributes)
    return f"[ {inside} ]" if inside else "[]"
