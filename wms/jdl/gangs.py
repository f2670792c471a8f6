"""The functions over records that lie near the other side of a match: its storage elements, one after the other.

Each takes the compiler, the argument nodes and the scope of the call, and gives the code of the call.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeAlias

from wms.jdl.ast import ERROR, UNDEFINED, Node, Special
from wms.jdl.operators import select
from wms.jdl.run import Code, Run, weight
from wms.jdl.scope import Scope
from wms.jdl.values import Prepared, Value


class Compiler(Protocol):
    now: float | None
    random: Callable[[], float] | None

    def compile(self, node: Node) -> Code: ...

    def complete(self, node: Node, scope: Scope) -> Code: ...


Arguments: TypeAlias = Sequence[Node]
Build: TypeAlias = Callable[[Compiler, Arguments, Scope], Code]


def _matches(items: Code, predicate: Code, run: Run) -> tuple[list[Any], list[Any]] | Special:
    """(records of the list, those for which the predicate is true), `target` being each in turn."""
    found = items(run)
    if not isinstance(found, list):
        return UNDEFINED if found is UNDEFINED else ERROR
    before, records = run.target, [item for item in found if isinstance(item, Prepared)]
    held = []
    try:
        for run.target in records:
            run.spend(1)
            if predicate(run) is True:
                held.append(run.target)
    finally:
        run.target = before
    return records, held


def gang(verdict: Callable[[list[Any], list[Any]], Value]) -> Build:
    def build(compiler: Compiler, arguments: Arguments, scope: Scope) -> Code:
        items, predicate = (compiler.compile(node) for node in arguments)

        def code(run: Run) -> Value:
            outcome = _matches(items, predicate, run)
            return outcome if isinstance(outcome, Special) else verdict(*outcome)

        return code

    return build


def close_storage(compiler: Compiler, arguments: Arguments, scope: Scope) -> Code:
    """`retrieveCloseSEsInfo(vo)`: those of `other.storage.CloseSEs` that the VO may use."""
    argument = compiler.compile(arguments[0])

    def code(run: Run) -> Value:
        vo = argument(run)
        records = select(run.other.get("storage", UNDEFINED), "closeses")
        if isinstance(vo, Special) or isinstance(records, Special):
            return ERROR if ERROR in (vo, records) else UNDEFINED
        if not (isinstance(vo, str) and isinstance(records, list)):
            return ERROR
        run.spend(weight(records))
        return [record for record in records if isinstance(record, Prepared) and _admits(record, vo.lower())]

    return code


def usable(storage: Code, vo: Code) -> Code:
    """`other.storage.CloseSEs` as a job of a VO sees it: without those that the VO may not use."""
    def code(run: Run) -> Value:
        records, asking = select(storage(run), "closeses"), vo(run)
        if not (isinstance(records, list) and isinstance(asking, str)):
            return records
        run.spend(weight(records))
        return [one for one in records if not isinstance(one, Prepared) or _admits(one, asking.lower())]

    return code


def _admits(record: Prepared, vo: str) -> bool:
    """A storage element that publishes no rule is open to all."""
    rules = record.get("gluesaaccesscontrolbaserule", UNDEFINED)
    if rules is UNDEFINED:
        return True
    told = [rule.lower() for rule in (rules if isinstance(rules, list) else [rules]) if isinstance(rule, str)]
    return any(rule in (vo, f"vo:{vo}", f"voms:/{vo}") or rule.startswith(f"voms:/{vo}/") for rule in told)
