"""The functions that see their arguments before evaluation, or need more than their arguments.

Each takes the compiler, the argument nodes and the scope of the call, and gives the code of the call.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from wms.errors import JdlError
from wms.jdl.ast import ERROR, UNDEFINED, Name, Special, walk
from wms.jdl.functions import draw
from wms.jdl.gangs import Arguments, Build, Compiler, close_storage, gang
from wms.jdl.limits import MAX_DEPTH
from wms.jdl.operators import truth
from wms.jdl.parser import parse_expression
from wms.jdl.run import Code, Exhausted, Run, weight
from wms.jdl.scope import Scope
from wms.jdl.textual import regexp
from wms.jdl.unparse import unparse
from wms.jdl.values import Value, tree


def _if_then_else(compiler: Compiler, arguments: Arguments, scope: Scope) -> Code:
    return conditional(*(compiler.compile(node) for node in arguments))


def conditional(test: Code, then: Code, otherwise: Code) -> Code:
    """Only the side that is chosen is evaluated; an UNDEFINED or ERROR test is the value."""

    def code(run: Run) -> Value:
        holds = truth(test(run))
        if isinstance(holds, Special):
            return holds
        return then(run) if holds else otherwise(run)

    return code


def _eval(compiler: Compiler, arguments: Arguments, scope: Scope) -> Code:
    """Text is evaluated as an expression standing where the call stands; any other value is itself."""
    argument = compiler.compile(arguments[0])

    def code(run: Run) -> Value:
        text = argument(run)
        if text is UNDEFINED:
            return ERROR
        return _evaluated(compiler, text, scope, run) if isinstance(text, str) else text

    return code


def _evaluated(compiler: Compiler, text: str, scope: Scope, run: Run) -> Value:
    run.spend(1 + len(text))
    try:
        node = parse_expression(text)
    except JdlError:
        return ERROR
    depth = 1 + max(below for _, below in walk(node))
    if run.depth + depth > MAX_DEPTH:
        raise Exhausted
    code = compiler.complete(node, Scope(scope.ad, scope.parent))
    run.depth += depth
    value = code(run)
    run.depth -= depth
    return value


def _unparse(compiler: Compiler, arguments: Arguments, scope: Scope) -> Code:
    """The text of an attribute's expression, `""` without such attribute; of anything else, its value's."""
    node = arguments[0]
    if isinstance(node, Name):
        found = scope.find(node.name)
        text = unparse(found[1]) if found else ""
        return lambda run: text
    argument = compiler.compile(node)

    def code(run: Run) -> Value:
        value = argument(run)
        run.spend(weight(value))
        return unparse(tree(value))

    return code


def _names_matching(compiler: Compiler, arguments: Arguments, scope: Scope) -> Code:
    """The names of the attributes of the record the call stands in that the pattern is found in."""
    argument, names = compiler.compile(arguments[0]), list(scope.ad.names())

    def code(run: Run) -> Value:
        expression = argument(run)
        if isinstance(expression, Special):
            return expression
        found = [(name, regexp(run.spend, expression, name, "i")) for name in names]
        return ERROR if any(held is ERROR for _, held in found) else [name for name, held in found if held]

    return code


def _time(compiler: Compiler, arguments: Arguments, scope: Scope) -> Code:
    seconds: Value = ERROR if compiler.now is None else int(compiler.now)
    return lambda run: seconds


def _random(compiler: Compiler, arguments: Arguments, scope: Scope) -> Code:
    source, bounds = compiler.random, [compiler.compile(node) for node in arguments]
    return lambda run: draw(source, *(bound(run) for bound in bounds))


class Lazy(NamedTuple):
    name: str
    least: int
    most: int
    build: Build


LAZY: Final[dict[str, Lazy]] = {lazy.name.lower(): lazy for lazy in [
    Lazy("ifThenElse", 3, 3, _if_then_else),
    Lazy("anyMatch", 2, 2, gang(lambda records, held: bool(held))),
    Lazy("allMatch", 2, 2, gang(lambda records, held: len(held) == len(records))),
    Lazy("whichMatch", 2, 2, gang(lambda records, held: held)),
    Lazy("retrieveCloseSEsInfo", 1, 1, close_storage),
    Lazy("listAttrRegEx", 1, 1, _names_matching),
    Lazy("eval", 1, 1, _eval),
    Lazy("unparse", 1, 1, _unparse),
    Lazy("time", 0, 0, _time),
    Lazy("random", 0, 1, _random),
]}
