"""The tree of a parsed JDL text: frozen nodes that know where they stood.

Not here: text (lexer, parser, unparse) and meaning (evaluate). Positions never take part in equality.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple, TypeAlias
from typing import Literal as Just


class Special(enum.Enum):
    """The two values beside the ordinary ones. Both are false in a Python condition."""

    UNDEFINED = "undefined"
    ERROR = "error"

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return self.name


UNDEFINED: Final[Just[Special.UNDEFINED]] = Special.UNDEFINED
ERROR: Final[Just[Special.ERROR]] = Special.ERROR

Scalar: TypeAlias = bool | int | float | str | Special


class Position(NamedTuple):
    """Row and column, both from 1; (0, 0) is a node that no text holds."""

    row: int = 0
    column: int = 0


NOWHERE: Final = Position()


@dataclass(frozen=True, slots=True, eq=False)
class Literal:
    """A constant. Equal only to a constant of the same type: 1, 1.0 and true are three literals."""

    value: Scalar
    position: Position = NOWHERE

    def _key(self) -> tuple[type, object]:
        return type(self.value), repr(self.value) if isinstance(self.value, float) else self.value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Literal) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())


@dataclass(frozen=True, slots=True)
class Name:
    """A reference without scope, or one of the scopes `other self parent root target my` themselves."""

    name: str
    position: Position = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Select:
    """`base.name`."""

    base: Node
    name: str
    position: Position = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Subscript:
    """`base[index]`."""

    base: Node
    index: Node
    position: Position = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Unary:
    """`operator operand`, the operator being one of `+ - ! ~`."""

    operator: str
    operand: Node
    position: Position = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Operation:
    """A flat chain of operators of one precedence, taken from the left: `a + b - c` is one node.

    There is one operand more than operators. Chains are flat so that a list of a thousand alternatives
    is one level deep.
    """

    operators: tuple[str, ...]
    operands: tuple[Node, ...]
    position: Position = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Conditional:
    """`test ? then : otherwise`."""

    test: Node
    then: Node
    otherwise: Node
    position: Position = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Call:
    """`function(arguments)`."""

    function: str
    arguments: tuple[Node, ...]
    position: Position = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class ListNode:
    """`{ items }`."""

    items: tuple[Node, ...]
    position: Position = field(default=NOWHERE, compare=False)


class Attribute(NamedTuple):
    """One `name = node` of a record, the name as it was written."""

    name: str
    node: Node


class Warned(NamedTuple):
    """A tolerance the parser had to use, and where."""

    row: int
    column: int
    message: str


@dataclass(frozen=True, slots=True)
class Ad:
    """A record `[ name = node; ... ]` in source order; names are looked up without regard to case."""

    attributes: tuple[Attribute, ...] = ()
    position: Position = field(default=NOWHERE, compare=False)
    warnings: tuple[Warned, ...] = field(default=(), compare=False)
    _index: dict[str, Node] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_index", {name.lower(): node for name, node in self.attributes})

    def get(self, name: str) -> Node | None:
        return self._index.get(name.lower())

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._index

    def __len__(self) -> int:
        return len(self.attributes)

    def names(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.attributes)

    def changed(self, changes: Mapping[str, Node | None]) -> Ad:
        """A copy with each named attribute replaced in place, added at the end, or (None) removed."""
        wanted = {name.lower(): Attribute(name, node) for name, node in changes.items() if node is not None}
        gone = {name.lower() for name in changes} - set(wanted)
        kept = [Attribute(a.name, wanted.pop(a.name.lower(), a).node)
                for a in self.attributes if a.name.lower() not in gone]
        return replace(self, attributes=(*kept, *wanted.values()))


@dataclass(frozen=True, slots=True)
class Folded(Ad):
    """A record of a compound that has not been read: `source[start:end]`. Only compounds meet one."""

    source: str = field(default="", repr=False)
    start: int = 0
    end: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "_index", _NOTHING)

    @property
    def text(self) -> str:
        return self.source[self.start:self.end]


_NOTHING: Final[dict[str, Node]] = {}

Node: TypeAlias = (
    Literal | Name | Select | Subscript | Unary | Operation | Conditional | Call | ListNode | Ad
)
Plain: TypeAlias = Scalar | Iterable["Plain"] | Mapping[str, "Plain"] | Node
NODES: Final = (Literal, Name, Select, Subscript, Unary, Operation, Conditional, Call, ListNode, Ad)


def node(value: Plain) -> Node:
    """The tree of a plain value: scalars, iterables (lists), mappings (records); nodes stay as they are."""
    if isinstance(value, NODES):
        return value
    if isinstance(value, Scalar):
        return Literal(value)
    if isinstance(value, Mapping):
        return Ad(tuple(Attribute(name, node(item)) for name, item in value.items()))
    return ListNode(tuple(node(item) for item in value))


def conjunction(*nodes: Node) -> Node:
    """`a && b && ...`; one node alone is itself, none is true."""
    if len(nodes) < 2:
        return nodes[0] if nodes else Literal(True)
    return Operation(("&&",) * (len(nodes) - 1), nodes)


def children(parent: Node) -> tuple[Node, ...]:
    match parent:
        case Select(base=base):
            return (base,)
        case Subscript(base=base, index=index):
            return (base, index)
        case Unary(operand=operand):
            return (operand,)
        case Operation(operands=nodes) | Call(arguments=nodes) | ListNode(items=nodes):
            return nodes
        case Conditional(test=test, then=then, otherwise=otherwise):
            return (test, then, otherwise)
        case Ad(attributes=attributes):
            return tuple(item for _, item in attributes)
        case _:
            return ()


def walk(top: Node) -> Iterator[tuple[Node, int]]:
    """Every node below and including `top` with its depth from 1; iterative."""
    todo = [(top, 1)]
    while todo:
        here, depth = todo.pop()
        yield here, depth
        todo.extend((child, depth + 1) for child in children(here))
