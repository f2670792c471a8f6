"""Expressions to closures: `bind` once per job, call the result once per resource.

    requirements = bind(ad.get("Requirements"), ad)
    matching = [ce for ce in ces if requirements(ce) is True]      # ces: what `prepare` returned

Total and bounded: whatever the expression, the call returns a value (ERROR when its budget is used up).
No clock and no chance: `now` and `random` are arguments. Which functions there are: functions, lazy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from wms.errors import JdlInvalid
from wms.jdl import fast
from wms.jdl.ast import (
    ERROR,
    UNDEFINED,
    Ad,
    Call,
    Conditional,
    Folded,
    ListNode,
    Literal,
    Name,
    Node,
    Operation,
    Select,
    Special,
    Subscript,
    Unary,
    children,
    walk,
)
from wms.jdl.functions import FUNCTIONS, Function
from wms.jdl.gangs import usable
from wms.jdl.lazy import LAZY, conditional
from wms.jdl.limits import MAX_STRING
from wms.jdl.operators import BINARY, UNARY, select, subscript, truth
from wms.jdl.references import significant as significant
from wms.jdl.run import Cell, Code, Exhausted, Run, weight
from wms.jdl.scope import SPECIAL, Place, Scope, Side, place, special
from wms.jdl.values import Prepared, Value, plain, prepare

Bound = Callable[[Prepared], Value]
_MEMBER = frozenset({"member", "ismember"})
_MIRRORED = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}


def bind(node: Node, my: Ad | None = None, *, now: float | None = None,
         random: Callable[[], float] | None = None) -> Bound:
    """The expression as a function of the record it is matched against.

    `my` is the record the expression stands in: bare names and `self. my. parent. root.` mean its
    attributes, `other.X` (and `target.X`) those of the argument. `now` (epoch s) is what `time()` gives
    and `random` (a source of [0, 1)) feeds `random()`; without them those two are ERROR.
    """
    compiler = _Compiler(now, random)
    code = compiler.complete(node, Scope(my or Ad()))

    def bound(other: Prepared) -> Value:
        try:
            value = code(Run(other))
        except Exhausted:
            return ERROR
        return plain(value) if type(value) is list or isinstance(value, Prepared) else value

    return bound


def evaluate(node: Node, my: Ad | None = None, other: Mapping[str, Any] | None = None, *,
             now: float | None = None, random: Callable[[], float] | None = None) -> Value:
    """The value of an expression, once."""
    constant = _literal(node)
    if constant is not None:
        return constant
    return bind(node, my, now=now, random=random)(prepare(other or {}))


class _Compiler:
    """Compiles one expression and the attributes it refers to; each attribute once."""

    def __init__(self, now: float | None, random: Callable[[], float] | None) -> None:
        self.now = now
        self.random = random
        self._cells: dict[tuple[Scope, str], Cell] = {}
        self._pending: list[Cell] = []
        self._codes: dict[int, Code] = {}

    def complete(self, node: Node, scope: Scope) -> Code:
        """The code of an expression and of all attributes it refers to."""
        code = self._from_below(node, scope)
        while self._pending:
            cell = self._pending.pop()
            cell.code = self._from_below(cell.node, cell.scope)
            below = [depth for _, depth in walk(cell.node)]
            cell.cost, cell.depth = len(below), 1 + max(below)
        return code

    def _from_below(self, node: Node, scope: Scope) -> Code:
        """Compile inner nodes before outer ones, so that deep expressions need no deep stack."""
        parts, todo = [], [node]
        while todo:
            part = todo.pop()
            parts.append(part)
            todo.extend(() if isinstance(part, Ad) else children(part))
        self._codes.clear()
        for part in reversed(parts):
            self._codes[id(part)] = self._COMPILE[type(part)](self, part, scope)
        return self._codes[id(node)]

    def compile(self, node: Node) -> Code:
        """The code of a part of the expression in work."""
        return self._codes[id(node)]

    # -- leaves and records ------------------------------------------------------------------------------

    def _literal(self, node: Literal, scope: Scope) -> Code:
        return _constantly(node.value)

    def _list(self, node: ListNode, scope: Scope) -> Code:
        constant = _constant(node, scope)
        if constant is not None:
            return _constantly(constant)
        items = [self.compile(item) for item in node.items]

        def code(run: Run) -> Value:
            values = []
            for item in items:
                values.append(item(run))
            return values

        return code

    def _folded(self, node: Folded, scope: Scope) -> Code:
        raise JdlInvalid("The record of a node was not read: nothing but its files can be referred to")

    def _ad(self, node: Ad, scope: Scope) -> Code:
        return self._whole(scope.inner(node))

    def _whole(self, here: Place) -> Code:
        """A record as a value: all its attributes."""
        if not isinstance(here, Scope):
            return _side(here)
        parts = [(name, self._reference(here, name)) for name in here.ad.names()]

        def code(run: Run) -> Value:
            values = {}
            for name, part in parts:
                values[name] = part(run)
            return Prepared(values)

        return code

    # -- references --------------------------------------------------------------------------------------

    def _name(self, node: Name, scope: Scope) -> Code:
        if node.name.lower() in SPECIAL:
            return self._whole(special(node.name, scope))
        found = scope.find(node.name)
        return self._reference(found[0], node.name) if found else _constantly(UNDEFINED)

    def _select(self, node: Select, scope: Scope) -> Code:
        key, here = node.name.lower(), place(node.base, scope)
        if here is Side.OTHER:
            return fast.read(key)
        if isinstance(here, Scope):
            return self._whole(special(key, here)) if key in SPECIAL else self._reference(here, key)
        base = self.compile(node.base)
        if key == "closeses" and isinstance(node.base, Select) and node.base.name.lower() == "storage" \
                and place(node.base.base, scope) is Side.OTHER and scope.root().ad.get("VirtualOrganisation"):
            return usable(base, self._reference(scope.root(), "virtualorganisation"))
        return lambda run: select(base(run), key)

    def _reference(self, scope: Scope, name: str) -> Code:
        """An attribute of a record around the expression; UNDEFINED where it depends on itself."""
        node = scope.ad.get(name)
        constant = UNDEFINED if node is None else _constant(node, scope)
        if node is None or constant is not None:
            return _constantly(UNDEFINED if constant is None else constant)
        cell = self._cell(scope, name.lower(), node)

        def code(run: Run) -> Value:
            if cell in run.active:
                return UNDEFINED
            cell.enter(run)
            value = cell.code(run)
            cell.leave(run)
            return value

        return code

    def _cell(self, scope: Scope, key: str, node: Node) -> Cell:
        cell = self._cells.get((scope, key))
        if cell is None:
            cell = self._cells[scope, key] = Cell(node, scope)
            self._pending.append(cell)
        return cell

    def _subscript(self, node: Subscript, scope: Scope) -> Code:
        base, index = self.compile(node.base), self.compile(node.index)
        return lambda run: subscript(base(run), index(run))

    # -- operators ---------------------------------------------------------------------------------------

    def _unary(self, node: Unary, scope: Scope) -> Code:
        apply, operand = UNARY[node.operator], self.compile(node.operand)
        return lambda run: apply(operand(run))

    def _operation(self, node: Operation, scope: Scope) -> Code:
        quick = self._quick_comparison(node, scope) if len(node.operators) == 1 else None
        if quick:
            return quick
        operands = [self.compile(operand) for operand in node.operands]
        if node.operators[0] in ("&&", "||"):
            return _logic(operands, decisive=node.operators[0] == "||")
        first, applied = operands[0], [BINARY[symbol] for symbol in node.operators]
        steps = list(zip(applied, operands[1:], strict=True))

        def code(run: Run) -> Value:
            value = first(run)
            for apply, operand in steps:
                value = apply(value, operand(run))
            return value

        return code

    def _quick_comparison(self, node: Operation, scope: Scope) -> Code | None:
        (left, right), symbol = node.operands, node.operators[0]
        key, constant = _other_key(left, scope), _constant(right, scope)
        if key is None:
            key, constant = _other_key(right, scope), _constant(left, scope)
            symbol = _MIRRORED.get(symbol, symbol)
        if key is None or constant is None:
            return None
        return fast.comparison(symbol, key, constant)

    def _conditional(self, node: Conditional, scope: Scope) -> Code:
        return conditional(*(self.compile(part) for part in (node.test, node.then, node.otherwise)))

    # -- calls -------------------------------------------------------------------------------------------

    def _call(self, node: Call, scope: Scope) -> Code:
        name, count = node.function.lower(), len(node.arguments)
        lazy, function = LAZY.get(name), FUNCTIONS.get(name)
        if lazy and lazy.least <= count <= lazy.most:
            return lazy.build(self, node.arguments, scope)
        if function is None or not function.least <= count <= function.most:
            return _constantly(ERROR)
        quick = self._quick_member(node, scope) if name in _MEMBER else None
        return quick or _applied(function, [self.compile(argument) for argument in node.arguments])

    def _quick_member(self, node: Call, scope: Scope) -> Code | None:
        for value, items in (node.arguments, node.arguments[::-1]):
            wanted, key = _constant(value, scope), _other_key(items, scope)
            if isinstance(wanted, str) and key is not None:
                return fast.member_of_attribute(wanted, key)
            among = _constant(items, scope)
            if isinstance(among, list):
                return fast.member_of_constant(self.compile(value), among)
        return None

    _COMPILE: ClassVar[dict[type[Node], Callable[[_Compiler, Any, Scope], Code]]] = {
        Literal: _literal, ListNode: _list, Ad: _ad, Folded: _folded, Name: _name, Select: _select,
        Subscript: _subscript, Unary: _unary, Operation: _operation, Conditional: _conditional, Call: _call,
    }


def _constantly(value: Value) -> Code:
    return lambda run: value


def _side(side: Side | None) -> Code:
    if side is None:
        return _constantly(UNDEFINED)
    return (lambda run: run.other) if side is Side.OTHER else (lambda run: run.target)


def _constant(node: Node, scope: Scope) -> Value | None:
    """The value of a literal, of a list of literals, or of a name that means one of those; else None."""
    if isinstance(node, Name) and node.name.lower() not in SPECIAL and (found := scope.find(node.name)):
        node = found[1]
    return _literal(node)


def _literal(node: Node) -> Value | None:
    if isinstance(node, Literal):
        return node.value
    if isinstance(node, ListNode) and all(isinstance(item, Literal) for item in node.items):
        return [item.value for item in node.items if isinstance(item, Literal)]
    return None


def _other_key(node: Node, scope: Scope) -> str | None:
    """X of `other.X`, in lower case."""
    if isinstance(node, Select) and place(node.base, scope) is Side.OTHER:
        return node.name.lower()
    return None


def _logic(operands: list[Code], *, decisive: bool) -> Code:
    """A chain of && (decided by false) or || (decided by true); what is not needed is not evaluated."""

    def code(run: Run) -> Value:
        result: bool | Special = not decisive
        for operand in operands:
            value = operand(run)
            holds = value if type(value) is bool else truth(value)
            if holds is decisive or holds is ERROR:
                return holds
            if holds is UNDEFINED:
                result = UNDEFINED
        return result

    return code


def _applied(function: Function, arguments: list[Code]) -> Code:
    apply, metered = function.apply, function.metered

    def code(run: Run) -> Value:
        values: list[Any] = [run.spend] if metered else []
        for argument in arguments:
            value = argument(run)
            if isinstance(value, list | dict | str) and len(value) > 8:
                run.spend(weight(value))
            values.append(value)
        result = apply(*values)
        return ERROR if type(result) is str and len(result) > MAX_STRING else result

    return code
