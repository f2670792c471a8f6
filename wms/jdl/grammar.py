"""The grammar of JDL: tokens to trees.

Written as recursive descent, but the routines are generators run on a list, so no text can exhaust the
Python stack. What begins an expression or a text, and what is told of problems, is not here.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Final, NamedTuple, TypeAlias

from wms.jdl.ast import (
    Ad,
    Attribute,
    Call,
    Conditional,
    Folded,
    ListNode,
    Literal,
    Name,
    Node,
    Operation,
    Position,
    Select,
    Subscript,
    Unary,
)
from wms.jdl.lexer import Lexer
from wms.jdl.limits import MAX_ATTRIBUTES, MAX_COMPOUND_ATTRIBUTES, MAX_COMPOUND_ITEMS, MAX_ITEMS, MAX_NESTING
from wms.jdl.literals import MAX_INTEGER
from wms.jdl.problems import Problem, Problems

LEVELS: Final[dict[str, int]] = {
    operator: level
    for level, operators in enumerate(
        ["||", "&&", "|", "^", "&", "== != =?= =!= is isnt", "< > <= >=", "<< >> >>>", "+ -", "* / %"], 1)
    for operator in operators.split()
}
UNARY: Final = frozenset("+-!~")
_POSTFIX: Final = frozenset(".[(")
_ENDS: Final = frozenset({";", ",", ")", "}", "]", ":", "end"})

Routine: TypeAlias = Generator["Routine", Any, Any]


class _Chain(NamedTuple):
    """Operators of one level met so far, and the operands before each."""

    level: int
    position: Position
    operators: list[str]
    operands: list[Node]


def run(routine: Routine) -> Any:
    """Drive routines that yield routines, keeping their stack in a list."""
    stack, value, problem = [routine], None, None
    while stack:
        try:
            step = stack[-1].throw(problem) if problem else stack[-1].send(value)
        except StopIteration as done:
            stack.pop()
            value, problem = done.value, None
        except Problem as raised:
            stack.pop()
            value, problem = None, raised
        else:
            stack.append(step)
            value, problem = None, None
    if problem:
        raise problem
    return value


class Grammar:
    """Reads from a lexer that stands on the first token. `deepest` tells how much was nested in each other.

    `compound` has the limits of compounds; `folding` leaves the records of its nodes unread where that is safe.
    """

    def __init__(self, lexer: Lexer, problems: Problems, *, compound: bool = False, folding: bool = False) -> None:
        self.lexer = lexer
        self._most_attributes = MAX_COMPOUND_ATTRIBUTES if compound else MAX_ATTRIBUTES
        self._most_items = MAX_COMPOUND_ITEMS if compound else MAX_ITEMS
        self._folding, self._in_nodes = folding, False
        self.problems = problems
        self.depth = self.deepest = 0
        self._callable = False

    # -- records and lists -------------------------------------------------------------------------------

    def record(self, close: str) -> Routine:
        """Definitions up to `close`, which is left standing; a broken one is skipped up to its `;`."""
        position, depth = self.lexer.position(), self.depth
        attributes: dict[str, Attribute] = {}
        while not self._at_close(close):
            try:
                name = self._defined(attributes)
                tree = self._leaf()
                if tree is None or self.lexer.kind not in _ENDS:
                    tree = yield self._expression(tree)
                attributes.setdefault(name.lower(), Attribute(name, tree))
                if self.lexer.kind != ";" and not self._at_close(close):
                    raise self.expected(f"';' or '{close}'" if close == "]" else "';'")
            except Problem as problem:
                self.problems.report(problem)
                self.depth = depth
                self._resynchronise(close)
        return Ad(tuple(attributes.values()), position)

    def _defined(self, attributes: dict[str, Attribute]) -> str:
        """The name of a definition, up to its expression."""
        offset, name = self.lexer.offset, self._name("a valid attribute name")
        self.expect("=")
        if name.lower() in attributes:
            self.problems.report(Problem(offset, "another attribute", f"Attribute '{name}' already defined!"))
        if len(attributes) >= self._most_attributes:
            raise Problem(offset, f"at most {self._most_attributes} attributes", fatal=True)
        if self.depth == 0:
            self._in_nodes = self._folding and name.lower() == "nodes"
        return name

    def _at_close(self, close: str) -> bool:
        lexer = self.lexer
        while lexer.kind == ";":
            lexer.advance()
        if lexer.kind == "end" and close != "end":
            self.problems.report(self.expected(f"'{close}'"))
        return lexer.kind == "end" or lexer.kind == close

    def _items(self, close: str) -> Routine:
        """A list of expressions; the lexer stands on its opening bracket."""
        lexer = self.lexer
        self._deeper()
        self.lexer.advance()
        items: list[Node] = []
        while lexer.kind != close:
            tree = self._leaf()
            if tree is None or lexer.kind not in _ENDS:
                tree = yield self._expression(tree)
            items.append(tree)
            self._bounded(len(items))
            if lexer.kind != close:
                self._comma(close)
        lexer.advance()
        self.depth -= 1
        return tuple(items)

    def _comma(self, close: str) -> None:
        if self.lexer.kind != ",":
            raise self.expected(f"',' or '{close}'")
        self.lexer.advance()
        if self.lexer.kind == close:
            raise self.expected("a value")

    # -- expressions -------------------------------------------------------------------------------------

    def expression(self) -> Routine:
        return self._expression(self._leaf())

    def _expression(self, first: Node | None) -> Routine:
        """What begins with `first`, or (None) with something that is no leaf."""
        lexer, node = self.lexer, first
        chains: list[_Chain] = []
        while True:
            if node is None or lexer.kind in _POSTFIX:
                node = yield self._operand(node)
            level = LEVELS.get(lexer.kind, 0)
            while chains and chains[-1].level > level:
                node = _closed(chains.pop(), node)
            if level == 0:
                break
            if not chains or chains[-1].level < level:
                chains.append(_Chain(level, lexer.position(), [], []))
            self._extend(chains[-1], node)
            node = self._leaf()
        return (yield self._conditional(node)) if lexer.kind == "?" else node

    def _extend(self, chain: _Chain, node: Node) -> None:
        """Over an operator, `node` being the operand before it."""
        chain.operators.append(self.lexer.kind)
        chain.operands.append(node)
        self._bounded(len(chain.operands) + 1)
        self.lexer.advance()

    def _conditional(self, test: Node) -> Routine:
        position = self.lexer.position()
        self.lexer.advance()
        self._deeper()
        then = yield self.expression()
        self.expect(":")
        otherwise = yield self.expression()
        self.depth -= 1
        return Conditional(test, then, otherwise, position)

    # -- operands ----------------------------------------------------------------------------------------

    def _leaf(self) -> Node | None:
        """A constant, `name` or `name.name`, without a routine of its own: most operands are one."""
        lexer = self.lexer
        kind, position = lexer.kind, lexer.position()
        self._callable = kind == "name"
        if kind == "name" or kind == "quoted":
            name = Name(lexer.text, position)
            lexer.advance()
            return self._selected(name) if lexer.kind == "." else name
        if kind == "string":
            return Literal(self._joined(), position)
        if kind == "number" or kind == "keyword":
            value = lexer.value
            if type(value) is int and value > MAX_INTEGER:
                raise Problem(lexer.offset, "a number of 64 bits", "number too large")
            lexer.advance()
            return Literal(value, position)
        return self._stepped_over(position) if self._folding else None

    def _stepped_over(self, position: Position) -> Node | None:
        """The record of a node, unread, or a pair of names; None for anything else."""
        lexer = self.lexer
        if lexer.kind == "[" and self._in_nodes and self.depth == 1 and (span := lexer.record()):
            return Folded((), position, (), lexer.source, *span)
        if lexer.kind == "{" and (pair := lexer.pair()):
            return ListNode(tuple(Name(name, lexer.position_of(offset)) for name, offset in pair), position)
        return None

    def _joined(self) -> str:
        """Adjacent strings are one."""
        lexer = self.lexer
        parts = []
        while lexer.kind == "string":
            parts.append(str(lexer.value))
            lexer.advance()
        return "".join(parts)

    def _operand(self, leaf: Node | None) -> Routine:
        """An operand that is more than a leaf: bracketed, signed, called, or followed by `.name` or `[index]`."""
        lexer, depth, named = self.lexer, self.depth, self._callable
        tree: Node = (yield self._compound()) if leaf is None else leaf
        if named and isinstance(leaf, Name) and lexer.kind == "(":
            tree = Call(leaf.name, (yield self._items(")")), leaf.position)
        while lexer.kind == "." or lexer.kind == "[":
            if lexer.kind == ".":
                tree = self._selected(tree)
            else:
                position = lexer.position()
                self._deeper()
                tree = Subscript(tree, (yield self._bracketed("]")), position)
        self.depth = depth
        return tree

    def _selected(self, tree: Node) -> Node:
        """`tree.name.name ...`"""
        lexer, depth = self.lexer, self.depth
        while lexer.kind == ".":
            position = lexer.position()
            self._deeper()
            lexer.advance()
            tree = Select(tree, self._name("an attribute name"), position)
        self.depth = depth
        return tree

    def _compound(self) -> Routine:
        """What begins with a sign or a bracket."""
        position = self.lexer.position()
        match self.lexer.kind:
            case "(":
                return (yield self._bracketed(")"))
            case "{":
                return ListNode((yield self._items("}")), position)
            case "[":
                return (yield self._inner_record())
            case sign if sign in UNARY:
                return (yield self._signed())
        raise self.expected("a value")

    def _bracketed(self, close: str) -> Routine:
        self.lexer.advance()
        self._deeper()
        tree = yield self.expression()
        self.expect(close)
        self.depth -= 1
        return tree

    def _inner_record(self) -> Routine:
        self._deeper()
        self.lexer.advance()
        ad = yield self.record("]")
        self.expect("]")
        self.depth -= 1
        return ad

    def _signed(self) -> Routine:
        """A minus directly before a number belongs to the number."""
        lexer, depth = self.lexer, self.depth
        signs: list[tuple[str, Position]] = []
        while lexer.kind in UNARY:
            signs.append((lexer.kind, lexer.position()))
            self._deeper()
            lexer.advance()
        if lexer.kind == "number" and signs[-1][0] == "-":
            tree = self._negative(signs.pop()[1])
        else:
            tree = yield self._operand(self._leaf())
        for operator, position in reversed(signs):
            tree = Unary(operator, tree, position)
        self.depth = depth
        return tree

    def _negative(self, position: Position) -> Node:
        value = self.lexer.value
        assert isinstance(value, int | float)
        self.lexer.advance()
        return Literal(-value, position)

    # -- tokens ------------------------------------------------------------------------------------------

    def expect(self, operator: str) -> None:
        if self.lexer.kind != operator:
            raise self.expected(f"'{operator}'")
        self.lexer.advance()

    def _name(self, expected: str) -> str:
        if self.lexer.kind not in ("name", "quoted"):
            raise self.expected(expected)
        name = self.lexer.text
        self.lexer.advance()
        return name

    def _deeper(self) -> None:
        self.depth += 1
        self.deepest = max(self.deepest, self.depth)
        if self.depth > MAX_NESTING:
            raise Problem(self.lexer.offset, f"at most {MAX_NESTING} nested levels", fatal=True)

    def _bounded(self, items: int) -> None:
        if items > self._most_items:
            raise Problem(self.lexer.offset, f"at most {self._most_items} items in a list", fatal=True)

    # -- problems ----------------------------------------------------------------------------------------

    def expected(self, what: str) -> Problem:
        lexer = self.lexer
        return Problem(lexer.offset, what, lexer.text if lexer.kind == "bad" else "")

    def _resynchronise(self, close: str) -> None:
        """Go to the `;` that ends the broken definition, or to the end of its record."""
        lexer, inside = self.lexer, 0
        while lexer.kind != "end" and not (inside == 0 and lexer.kind in (";", close)):
            inside = max(0, inside + (lexer.kind == "[") - (lexer.kind == "]"))
            lexer.leap()


def _closed(chain: _Chain, last: Node) -> Operation:
    return Operation(tuple(chain.operators), (*chain.operands, last), chain.position)
