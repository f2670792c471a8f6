"""How much a job description may hold and an evaluation may cost. Every limit has one name, here.

What is said when one is passed stands where it is enforced: lexer, grammar, run.
"""

from __future__ import annotations

from typing import Final

MAX_TEXT: Final = 1 << 20
MAX_COMPOUND_TEXT: Final = 16 << 20
"""Characters of a description: of one job, and of a compound."""

MAX_TOKENS: Final = 5_000
MAX_EXPRESSION: Final = 32 << 10
"""Tokens, and characters outside strings, of an expression. Items of lists, arguments, attributes and the
operands of `&&` and `||` count each on its own: a list of many alternatives is as legal as it is long."""

LEAST_PER_TOKEN: Final = 3
"""A text may hold a token for each so many of the characters it may hold: denser ones cost too much to read."""

MAX_NESTING: Final = 150
MAX_ATTRIBUTES: Final = 2_000
MAX_ITEMS: Final = 100_000
"""Levels inside each other; attributes of a record; items of a list or operands of a chain of operators."""

MAX_COMPOUND_ATTRIBUTES: Final = 200_000
MAX_COMPOUND_ITEMS: Final = 500_000
"""The same of a compound, whose nodes are attributes or items and whose dependencies are items."""

MAX_FOLDED: Final = 20_000
"""Characters of the description of a node that is read with others of its form."""

MAX_STRING: Final = 1 << 20
"""Characters of a string, in the text or made by a function."""

MAX_STEPS: Final = 20_000
MAX_DEPTH: Final = 250
"""Of one evaluation: steps along references, lists and patterns, and nodes entered but not left."""

MAX_PROBLEMS: Final = 50
MAX_WARNINGS: Final = 100
"""How many are told of one text."""
