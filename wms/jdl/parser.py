"""JDL text to tree: `parse` for whole descriptions, `parse_expression` for one expression.

How they are written is in grammar; what they mean in evaluate and description.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from wms.jdl.ast import Ad, Node, walk
from wms.jdl.grammar import LEVELS, Grammar, Routine, run
from wms.jdl.lexer import Lexer, unreadable
from wms.jdl.limits import LEAST_PER_TOKEN, MAX_NESTING, MAX_TEXT, MAX_TOKENS
from wms.jdl.limits import MAX_COMPOUND_TEXT as MAX_COMPOUND_TEXT
from wms.jdl.problems import Problem, Problems

_LEVELS_EACH: Final = len(set(LEVELS.values())) + 1
"""Nodes inside each other that one level of brackets may hold: the brackets and a chain of each precedence."""


def parse(text: str, file: str = "<jdl>", *, max_chars: int = MAX_TEXT, folding: bool = False) -> Ad:
    """The record a JDL text describes, with or without its outer brackets.

    Raises JdlError with all syntax errors of the text in `details["problems"]`, each
    `{file, row, column, expected, found, excerpt, message}`. `max_chars` is MAX_COMPOUND_TEXT for compounds, which have
    other limits too. `folding` leaves records of nodes unread as Folded; what is wrong in these is not found then.
    """
    parser = _Parser(text, file, max_chars, folding)
    ad = parser.finish(parser.document)
    assert isinstance(ad, Ad)
    return Ad(ad.attributes, ad.position, tuple(parser.lexer.warnings)) if parser.lexer.warnings else ad


def parse_expression(text: str, file: str = "<expression>") -> Node:
    """The tree of one expression; raises JdlError as `parse` does."""
    parser = _Parser(text, file, MAX_TEXT)
    return parser.finish(parser.lone_expression)


class _Parser:
    """The reading of one text, from its first character to its tree or its one error."""

    def __init__(self, text: str, file: str, max_chars: int, folding: bool = False) -> None:
        self.lexer = Lexer(text[:max_chars], max(MAX_TOKENS, max_chars // LEAST_PER_TOKEN))
        self.problems = Problems(self.lexer, file)
        self.grammar = Grammar(self.lexer, self.problems, compound=max_chars > MAX_TEXT, folding=folding)
        self.excess = len(text) > max_chars

    def finish(self, start: Callable[[], Routine]) -> Node:
        """Run a start routine; turn every problem met into one JdlError."""
        tree: Node = Ad()
        try:
            self._refuse_unreadable()
            self.lexer.advance()
            tree = run(start())
            self._refuse_depth(tree)
        except Problem as problem:
            self.problems.report(problem)
        if self.problems:
            raise self.problems.error()
        return tree

    def document(self) -> Routine:
        lexer, grammar = self.lexer, self.grammar
        if lexer.kind == "end":
            raise Problem(lexer.offset, "an attribute", "Not a valid ClassAd: the text is empty")
        if lexer.kind != "[":
            return (yield grammar.record("end"))
        lexer.advance()
        ad = yield grammar.record("]")
        if lexer.kind == "]":
            lexer.advance()
        if lexer.kind != "end":
            self.problems.report(grammar.expected("end of text"))
        return ad

    def lone_expression(self) -> Routine:
        tree = yield self.grammar.expression()
        if self.lexer.kind != "end":
            raise self.grammar.expected("end of expression")
        return tree

    def _refuse_unreadable(self) -> None:
        offset = unreadable(self.lexer.source)
        if offset is not None:
            raise Problem(offset, "text", "NUL and unpaired surrogates are not text", fatal=True)
        if self.excess:
            raise Problem(len(self.lexer.source), f"at most {len(self.lexer.source)} characters", fatal=True)

    def _refuse_depth(self, tree: Node) -> None:
        """Few brackets cannot make a deep tree; for the others it is looked at."""
        if (self.grammar.deepest + 1) * _LEVELS_EACH <= MAX_NESTING:
            return
        for node, depth in walk(tree):
            if depth > MAX_NESTING + 2:
                offset = self.lexer.offset_of(node.position)
                raise Problem(offset, f"at most {MAX_NESTING} nested levels", fatal=True)
