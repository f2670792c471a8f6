"""Hypothesis strategies for JDL trees and hostile text."""

import string

from hypothesis import strategies as st

from wms.jdl.ast import (
    ERROR,
    UNDEFINED,
    Ad,
    Attribute,
    Call,
    Conditional,
    ListNode,
    Literal,
    Name,
    Operation,
    Select,
    Subscript,
    Unary,
)
from wms.jdl.grammar import LEVELS

CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
TEXTS = st.text(CHARACTERS, max_size=12)
IDENTIFIERS = st.text(string.ascii_letters + "_", min_size=1, max_size=6)
NAMES = (
    IDENTIFIERS
    | st.sampled_from(["true", "Error", "is", "isnt", "parent", "other"])
    | st.text(CHARACTERS, min_size=1, max_size=6)
)
FUNCTIONS = IDENTIFIERS.filter(lambda name: name.lower() not in ("true", "false", "undefined", "error", "is", "isnt"))

LITERALS = st.builds(
    Literal,
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | TEXTS
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([UNDEFINED, ERROR]),
)
GROUPS = [[symbol for symbol, level in LEVELS.items() if level == wanted] for wanted in sorted(set(LEVELS.values()))]


def ads_of(nodes):
    pairs = st.lists(st.tuples(NAMES, nodes), max_size=3, unique_by=lambda pair: pair[0].lower())
    return pairs.map(lambda pairs: Ad(tuple(Attribute(*pair) for pair in pairs)))


@st.composite
def compounds(draw, nodes):
    several = st.lists(nodes, max_size=3).map(tuple)
    match draw(st.integers(0, 8)):
        case 0:
            return draw(ads_of(nodes))
        case 1:
            return ListNode(draw(several))
        case 2:
            return Call(draw(FUNCTIONS), draw(several))
        case 3:
            return Conditional(draw(nodes), draw(nodes), draw(nodes))
        case 4:
            return Subscript(draw(nodes), draw(nodes))
        case 5:
            return Select(draw(nodes), draw(NAMES))
        case 6:
            return Unary(draw(st.sampled_from("+-!~")), draw(nodes))
    symbols = tuple(draw(st.lists(st.sampled_from(draw(st.sampled_from(GROUPS))), min_size=1, max_size=3)))
    operands = draw(st.lists(nodes, min_size=len(symbols) + 1, max_size=len(symbols) + 1))
    return Operation(symbols, tuple(operands))


NODES = st.recursive(LITERALS | st.builds(Name, NAMES), compounds, max_leaves=12)
ADS = ads_of(NODES)

JDL_WORDS = [
    "[",
    "]",
    "{",
    "}",
    "(",
    ")",
    ";",
    ",",
    "=",
    "==",
    "=?=",
    "?",
    ":",
    ".",
    "-",
    "!",
    "&&",
    "||",
    "is",
    "a",
    "B",
    "true",
    "1",
    "0x",
    "08",
    "1.e3",
    "10K",
    '"',
    '"s"',
    "'n'",
    "\\",
    "#",
    "//",
    "/*",
    "*/",
    "\n",
    "\t",
    "\u201c",
    "\u201d",
    "\u2013",
    "\ufeff",
    "\u00a0",
    "\0",
    "\ud800",
    "@",
    " ",
]
HOSTILE = st.lists(st.sampled_from(JDL_WORDS), max_size=30).map("".join) | st.text(max_size=30)
