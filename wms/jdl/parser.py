"""JDL text to tree: `parse` for whole descriptions, `parse_expression` for one expression.

The grammar is written as recursive descent, but the routines are generators run on a list, so no text can
exhaust the Python stack. Meaning is not here: see evaluate and description.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from typing import Any, TypeAlias

from wms.errors import JdlError
from wms.jdl.ast import (
    UNDEFINED,
    Ad,
    Attribute,
    Call,
    Conditional,
    ListNode,
    Literal,
    Name,
    Node,
    Operation,
    Position,
    Scalar,
    Select,
    Subscript,
    Unary,
    walk,
)
from wms.jdl.lexer import MAX_INTEGER, Lexer, Token, unreadable

MAX_TEXT = 1 << 20
MAX_COMPOUND_TEXT = 16 << 20
MAX_TOKENS = 50_000  # of one expression, lists and records inside it not counted
MAX_NESTING = 150
MAX_ATTRIBUTES = 2_000
MAX_ITEMS = 100_000
MAX_PROBLEMS = 50

LEVELS: dict[str, int] = {
    operator: level
    for level, operators in enumerate(
        ["||", "&&", "|", "^", "&", "== != =?= =!= is isnt", "< > <= >=", "<< >> >>>", "+ -", "* / %"], 1)
    for operator in operators.split()
}
_WORD = re.compile(r"\w+|\S")
UNARY = frozenset("+-!~")

Routine: TypeAlias = Generator["Routine", Any, Any]


class _Problem(Exception):
    """One thing wrong at one place; `fatal` ends the reading."""

    def __init__(self, offset: int, expected: str, reason: str = "", *, fatal: bool = False) -> None:
        super().__init__(expected)
        self.offset, self.expected, self.reason, self.fatal = offset, expected, reason, fatal


def parse(text: str, file: str = "<jdl>", *, max_chars: int = MAX_TEXT) -> Ad:
    """The record a JDL text describes, with or without its outer brackets.

    Raises JdlError with all syntax errors of the text in `details["problems"]`, each
    `{file, row, column, expected, found, excerpt, message}`. `max_chars` is MAX_COMPOUND_TEXT for compounds.
    """
    parser = _Parser(text, file, max_chars)
    ad = parser.finish(parser.document)
    assert isinstance(ad, Ad)
    return Ad(ad.attributes, ad.position, tuple(parser.lexer.warnings))


def parse_expression(text: str, file: str = "<expression>") -> Node:
    """The tree of one expression; raises JdlError as `parse` does."""
    parser = _Parser(text, file, MAX_TEXT)
    return parser.finish(parser.lone_expression)


def _run(routine: Routine) -> Any:
    """Drive routines that yield routines, keeping their stack in a list."""
    stack, value, problem = [routine], None, None
    while stack:
        try:
            step = stack[-1].throw(problem) if problem else stack[-1].send(value)
        except StopIteration as done:
            stack.pop()
            value, problem = done.value, None
        except _Problem as raised:
            stack.pop()
            value, problem = None, raised
        else:
            stack.append(step)
            value, problem = None, None
    if problem:
        raise problem
    return value


class _Parser:
    def __init__(self, text: str, file: str, max_chars: int) -> None:
        self.lexer = Lexer(text[:max_chars])
        self.file = file
        self.problems: list[dict[str, Any]] = []
        self.depth = 0
        self.tokens = 0
        self.token = Token("end", "", UNDEFINED, 0)
        self.excess = len(text) > max_chars

    def finish(self, start: Any) -> Node:
        """Run a start routine; turn every problem met into one JdlError."""
        tree: Node = Ad()
        try:
            self._refuse_unreadable()
            self.advance()
            tree = _run(start())
            self._refuse_depth(tree)
        except _Problem as problem:
            self._report(problem)
        if self.problems:
            raise self._error()
        return tree

    # -- grammar -------------------------------------------------------------------------------------------

    def document(self) -> Routine:
        if self.token.kind == "end":
            raise _Problem(self.token.offset, "an attribute", "Not a valid ClassAd: the text is empty")
        if not self.at("["):
            return (yield self._record("end"))
        self.advance()
        ad = yield self._record("]")
        if self.at("]"):
            self.advance()
        if self.token.kind != "end":
            self._report(self._expected("end of text"))
        return ad

    def lone_expression(self) -> Routine:
        tree = yield self._expression()
        if self.token.kind != "end":
            raise self._expected("end of expression")
        return tree

    def _record(self, close: str) -> Routine:
        """Definitions up to `close`, which is left standing; a broken one is skipped up to its `;`."""
        position, depth, tokens = self.position(), self.depth, self.tokens
        attributes: dict[str, Attribute] = {}
        while not self._at_close(close):
            try:
                yield self._definition(attributes)
                if not (self.at(";") or self._at_close(close)):
                    raise self._expected(f"';' or '{close}'" if close == "]" else "';'")
            except _Problem as problem:
                self._report(problem)
                self.depth = depth
                self._resynchronise(close)
        self.tokens = tokens
        return Ad(tuple(attributes.values()), position)

    def _at_close(self, close: str) -> bool:
        self.tokens = 0
        while self.at(";"):
            self.advance()
        if self.token.kind == "end" and close != "end":
            self._report(self._expected(f"'{close}'"))
            return True
        return self.token.kind == "end" or self.at(close)

    def _definition(self, attributes: dict[str, Attribute]) -> Routine:
        token = self.token
        name = self._name("a valid attribute name")
        self.expect("=")
        if name.lower() in attributes:
            self._report(_Problem(token.offset, "another attribute", f"Attribute '{name}' already defined!"))
        if len(attributes) >= MAX_ATTRIBUTES:
            raise _Problem(token.offset, f"at most {MAX_ATTRIBUTES} attributes", fatal=True)
        attributes.setdefault(name.lower(), Attribute(name, (yield self._counted())))

    def _counted(self) -> Routine:
        """An expression whose tokens are counted apart from those around it."""
        before, self.tokens = self.tokens, 0
        tree = yield self._expression()
        self.tokens = before
        return tree

    def _expression(self) -> Routine:
        test = yield self._operation(0)
        if not self.at("?"):
            return test
        position = self.position()
        self.advance()
        self._deeper()
        then = yield self._expression()
        self.expect(":")
        otherwise = yield self._expression()
        self.depth -= 1
        return Conditional(test, then, otherwise, position)

    def _operation(self, level: int) -> Routine:
        """Operands joined by operators that bind tighter than `level`; each chain becomes one node."""
        callable_name = self.token.kind == "name"
        left = self._leaf()
        if left is None or self._continues():
            left = yield self._operand(left, callable_name)
        while (found := self._level()) > level:
            position, operators, operands = self.position(), [], [left]
            while self._level() == found:
                operators.append(self.token.text)
                self.advance()
                operands.append((yield self._operation(found)))
            left = Operation(tuple(operators), tuple(operands), position)
        return left

    def _level(self) -> int:
        return LEVELS.get(self.token.text, 0) if self.token.kind == "operator" else 0

    def _leaf(self) -> Node | None:
        """A constant or a name, without a routine of its own: most operands are one."""
        kind, text, _, _ = token = self.token
        if kind == "operator":
            return None
        position = self.position()
        if kind == "string":
            return Literal(self._joined(), position)
        if kind in ("number", "keyword"):
            self.advance()
            return Literal(self._in_range(token), position)
        if kind in ("name", "quoted"):
            self.advance()
            return Name(text, position)
        raise self._expected("a value")

    def _compound(self) -> Routine:
        """What begins with a sign or a bracket."""
        position = self.position()
        match self.token.text:
            case "(":
                return (yield self._bracketed())
            case "{":
                return ListNode((yield self._items("}")), position)
            case "[":
                return (yield self._inner_record())
            case sign if sign in UNARY:
                return (yield self._signed())
        raise self._expected("a value")

    def _signed(self) -> Routine:
        """A minus directly before a number belongs to the number."""
        signs: list[tuple[str, Position]] = []
        while self.token.kind == "operator" and self.token.text in UNARY:
            signs.append((self.token.text, self.position()))
            self._deeper()
            self.advance()
        depth = len(signs)
        if self.token.kind == "number" and signs[-1][0] == "-":
            tree = self._negative(signs.pop()[1])
        else:
            callable_name = self.token.kind == "name"
            tree = yield self._operand(self._leaf(), callable_name)
        for operator, position in reversed(signs):
            tree = Unary(operator, tree, position)
        self.depth -= depth
        return tree

    def _negative(self, position: Position) -> Node:
        value = self.token.value
        assert isinstance(value, int | float)
        self.advance()
        return Literal(-value, position)

    def _continues(self) -> bool:
        return self.token.kind == "operator" and self.token.text in (".", "[", "(")

    def _operand(self, leaf: Node | None, callable_name: bool) -> Routine:
        """An operand that is more than a leaf: bracketed, signed, called, or followed by `.name` or `[index]`."""
        tree: Node = (yield self._compound()) if leaf is None else leaf
        if callable_name and isinstance(tree, Name) and self.at("("):
            tree = Call(tree.name, (yield self._items(")")), tree.position)
        while self.at(".") or self.at("["):
            position = self.position()
            if self.at("["):
                tree = Subscript(tree, (yield self._bracketed()), position)
            else:
                self.advance()
                tree = Select(tree, self._name("an attribute name"), position)
        return tree

    def _bracketed(self) -> Routine:
        close = {"(": ")", "[": "]"}[self.token.text]
        self.advance()
        self._deeper()
        tree = yield self._expression()
        self.expect(close)
        self.depth -= 1
        return tree

    def _inner_record(self) -> Routine:
        self.advance()
        self._deeper()
        ad = yield self._record("]")
        self.expect("]")
        self.depth -= 1
        return ad

    def _items(self, close: str) -> Routine:
        self.advance()
        self._deeper()
        items: list[Node] = []
        while not self.at(close):
            items.append((yield self._counted()))
            if len(items) > MAX_ITEMS:
                raise _Problem(self.token.offset, f"at most {MAX_ITEMS} items in a list", fatal=True)
            if not self.at(close):
                self._comma(close)
                self.tokens -= 1
        self.advance()
        self.depth -= 1
        return tuple(items)

    def _comma(self, close: str) -> None:
        if not self.at(","):
            raise self._expected(f"',' or '{close}'")
        self.advance()
        if self.at(close):
            raise self._expected("a value")

    def _in_range(self, token: Token) -> Scalar:
        if isinstance(token.value, int) and token.value > MAX_INTEGER:
            raise _Problem(token.offset, "a number of 64 bits", "number too large")
        return token.value

    def _joined(self) -> str:
        """Adjacent strings are one."""
        parts = []
        while self.token.kind == "string":
            parts.append(str(self.token.value))
            self.advance()
        return "".join(parts)

    # -- tokens --------------------------------------------------------------------------------------------

    def at(self, operator: str) -> bool:
        return self.token.kind == "operator" and self.token.text == operator

    def position(self) -> Position:
        return self.lexer.position(self.token.offset)

    def advance(self) -> None:
        self.tokens += 1
        if self.tokens > MAX_TOKENS:
            raise _Problem(self.token.offset, f"an expression of at most {MAX_TOKENS} tokens", fatal=True)
        self.token = self.lexer.next()

    def expect(self, operator: str) -> None:
        if not self.at(operator):
            raise self._expected(f"'{operator}'")
        self.advance()

    def _name(self, expected: str) -> str:
        if self.token.kind not in ("name", "quoted"):
            raise self._expected(expected)
        name = self.token.text
        self.advance()
        return name

    def _deeper(self) -> None:
        self.depth += 1
        if self.depth > MAX_NESTING:
            raise _Problem(self.token.offset, f"at most {MAX_NESTING} nested levels", fatal=True)

    # -- problems ------------------------------------------------------------------------------------------

    def _expected(self, what: str) -> _Problem:
        return _Problem(self.token.offset, what, self.token.text if self.token.kind == "bad" else "")

    def _resynchronise(self, close: str) -> None:
        """Go to the `;` that ends the broken definition, or to the end of its record."""
        inside = 0
        while self.token.kind != "end" and not (inside == 0 and (self.at(";") or self.at(close))):
            inside = max(0, inside + self.at("[") - self.at("]"))
            self.token = self.lexer.leap()

    def _refuse_unreadable(self) -> None:
        offset = unreadable(self.lexer.text)
        if offset is not None:
            raise _Problem(offset, "text", "NUL and unpaired surrogates are not text", fatal=True)
        if self.excess:
            raise _Problem(len(self.lexer.text), f"at most {len(self.lexer.text)} characters", fatal=True)

    def _refuse_depth(self, tree: Node) -> None:
        for node, depth in walk(tree):
            if depth > MAX_NESTING + 2:
                offset = self.lexer.offset_of(node.position)
                raise _Problem(offset, f"at most {MAX_NESTING} nested levels", fatal=True)

    def _report(self, problem: _Problem) -> None:
        """Keep a problem unless its place was reported already; a fatal one goes on upward."""
        row, column = self.lexer.position(problem.offset)
        if not any((known["row"], known["column"]) == (row, column) for known in self.problems[-3:]):
            self.problems.append(self._record_of(problem, row, column))
        if problem.fatal or len(self.problems) >= MAX_PROBLEMS:
            raise self._error()

    def _record_of(self, problem: _Problem, row: int, column: int) -> dict[str, Any]:
        excerpt = self.lexer.excerpt(problem.offset)
        word = _WORD.match(excerpt)
        found = word[0] if word else "end of text"
        message = problem.reason or f"{problem.expected} expected"
        if self.lexer.long_string:
            start = "row {}, column {}".format(*self.lexer.long_string)
            message += f" (the string at {start} runs over several lines: is its closing quote missing?)"
        return {"file": self.file, "row": row, "column": column, "expected": problem.expected, "found": found,
                "excerpt": excerpt, "message": message}

    def _error(self) -> JdlError:
        problems = sorted(self.problems, key=lambda problem: (problem["row"], problem["column"]))
        first = problems[0]
        text = "Syntax error in the JDL file {file} at row {row}, column {column}: {message} at: {excerpt!r}"
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        where = {key: first[key] for key in ("file", "row", "column", "expected", "excerpt")}
        return JdlError(text.format_map(first) + more, problems=problems, **where)
