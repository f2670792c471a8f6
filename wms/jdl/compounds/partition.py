"""Partitionable jobs: the steps of one job split among jobs that run side by side, with one before and one after.

Each part is a checkpointable job of its own steps. How many parts there are is decided by the caller.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate
from typing import Any, Final

from wms.errors import JdlError
from wms.jdl.ast import Ad, Literal, node
from wms.jdl.compounds.checking import Checker, refuse
from wms.jdl.compounds.graph import Edge
from wms.jdl.compounds.inheritance import common, inherited, letters_of
from wms.jdl.compounds.listed import ListedNodes, complete
from wms.jdl.compounds.model import DAG, Compound, NodeInput
from wms.jdl.compounds.sandboxes import entries
from wms.jdl.evaluate import evaluate
from wms.jdl.limits import MAX_COMPOUND_TEXT
from wms.jdl.parser import parse
from wms.jdl.unparse import pretty, unparse
from wms.sandbox import base_name, has_wildcard

MOST_STEPS: Final = 100_000
_BEFORE, _AFTER = "Prejob", "Postjob"
_WRITTEN: Final = ("Type", "JobType", "JobSteps", "CurrentStep", "JobState", "StepWeight", _BEFORE, _AFTER,
                   "PartitionNumber", "NodeName")
_OF_THE_ROOT: Final = frozenset({"virtualorganisation", "myproxyserver", "hlrlocation", "jobprovenance", "lbaddress",
                                 "expirytime"})


def partitioned(root: Ad, partitions: int = 0) -> Compound:
    """The DAG of a partitionable job; raises JdlInvalid.

    It has as many parts as PartitionNumber says, else `partitions`, else as it has steps; never more than steps.
    """
    steps, weights = _steps(root)
    parts = split(weights, min(len(steps), _wanted(root) or partitions or len(steps)))
    before, after = _BEFORE in root, _AFTER in root
    nodes, checker = ListedNodes(), Checker("NMC")
    if before:
        _add_job(nodes, checker, root, _BEFORE, ())
    for index, (first, end) in enumerate(parts):
        _add_part(nodes, checker, root, f"Partition_{index}", steps[first:end])
    if after:
        _add_job(nodes, checker, root, _AFTER, _gathered(root, len(parts), int(before)))
    checker.refuse_problems()
    number = len(parts) + before + after
    own = [base_name(file) for file in entries(root, root) if isinstance(file, str)]
    return Compound(DAG, number, nodes, common(root, _shown(root), "D"), nodes.sandbox(own),
                    _edges(number, before, after), alike=not (before or after))


def wished(text: str) -> tuple[Ad, int] | None:
    """The record of a partitionable job and its PartitionNumber (0: it leaves that open), None for other jobs.

    Raises JdlError or JdlInvalid.
    """
    if "partitionable" not in text.lower():
        return None
    ad = parse(text, max_chars=MAX_COMPOUND_TEXT)
    return (ad, _wanted(ad)) if letters_of(ad) in ("P", "CP", "PC") else None


def settled(ad: Ad, parts: int) -> str:
    """The text of a partitionable job that says into how many parts it falls."""
    return pretty(ad.changed({"PartitionNumber": Literal(parts)}))


def one_part(ad: Ad) -> str:
    """The job to look for places with: as each part will be, but with all steps. Raises JdlInvalid."""
    whole = partitioned(ad.changed({"PartitionNumber": Literal(1)}))
    return whole.jdl(int(_BEFORE in ad))


def _edges(number: int, before: bool, after: bool) -> tuple[Edge, ...]:
    parts = range(int(before), number - after)
    return (*((0, part) for part in parts if before), *((part, number - 1) for part in parts if after))


def _shown(root: Ad) -> Ad:
    """The root's part: the rest belongs to the nodes."""
    kept = tuple(written for written in root.attributes if written.name.lower() in _OF_THE_ROOT)
    return Ad(kept, root.position).changed({"Type": Literal("DAG")})


# -- steps -----------------------------------------------------------------------------------------------


def _steps(root: Ad) -> tuple[list[str], list[int]]:
    """Labels and weights of the steps from CurrentStep on."""
    steps = _value(root, "JobSteps")
    if steps is None:
        raise refuse("JobSteps", "Jdl mandatory attribute is missing", root)
    number = len(steps) if isinstance(steps, list) else steps
    if type(number) is not int or not (isinstance(steps, int) or all(isinstance(label, str) for label in steps)):
        raise refuse("JobSteps", "wrong type caught for attribute (integer or list of labels expected)", root)
    if not 0 < number <= MOST_STEPS:
        raise refuse("JobSteps", f"wrong value caught for attribute (from 1 to {MOST_STEPS} steps)", root)
    current = _value(root, "CurrentStep")
    if current is not None and (type(current) is not int or not 0 <= current < number):
        raise refuse("CurrentStep", "wrong value caught for attribute (must be a step)", root)
    labels = steps if isinstance(steps, list) else [str(step) for step in range(number)]
    return labels[current or 0:], _weights(root, number)[current or 0:]


def _weights(root: Ad, number: int) -> list[int]:
    weights = _value(root, "StepWeight")
    if weights is None:
        return [1] * number
    if not isinstance(weights, list) or not all(type(weight) is int and weight > 0 for weight in weights):
        raise refuse("StepWeight", "wrong value caught for attribute (a list of integers greater than 0)", root)
    if len(weights) != number:
        raise refuse("StepWeight", "JobSteps and StepWeight cardinalities are different", root)
    return weights


def _wanted(root: Ad) -> int:
    number = _value(root, "PartitionNumber")
    if number is not None and (type(number) is not int or number < 1):
        raise refuse("PartitionNumber", "value must be greater than 0", root)
    return number or 0


def _value(root: Ad, name: str) -> Any:
    written = root.get(name)
    return None if written is None else evaluate(written, root)


def split(weights: Sequence[int], parts: int) -> list[tuple[int, int]]:
    """Contiguous ranges (first, end) that cover all steps, none empty, about equal in weight.

    Needs 1 <= parts <= number of steps.
    """
    sums, cuts = [0, *accumulate(weights)], [0]
    for part in range(1, parts):
        least, most = cuts[-1] + 1, len(weights) - (parts - part)
        target = sums[-1] * part / parts
        above = bisect_left(sums, target, least, most)
        nearer = above > least and target - sums[above - 1] < sums[above] - target
        cuts.append(above - nearer)
    return list(zip(cuts, [*cuts[1:], len(weights)], strict=True))


# -- nodes -----------------------------------------------------------------------------------------------


def _add_part(nodes: ListedNodes, checker: Checker, root: Ad, name: str, steps: Sequence[str]) -> None:
    state = {"StateId": "", "JobSteps": list(steps), "CurrentStep": 0, "UserData": {}}
    record = root.changed({**inherited(root, root), **dict.fromkeys(_WRITTEN)}).changed({
        "JobType": node("Checkpointable"), "JobSteps": node(list(steps)), "CurrentStep": node(0),
        "JobState": node(state)})
    _add(nodes, checker, root, name, record, ())


def _add_job(nodes: ListedNodes, checker: Checker, root: Ad, name: str, gathered: Sequence[NodeInput]) -> None:
    record = root.get(name)
    if not isinstance(record, Ad):
        raise refuse(name, "wrong type caught for attribute (record expected)", root)
    _add(nodes, checker, root, name, record, gathered)


def _add(nodes: ListedNodes, checker: Checker, root: Ad, name: str, record: Ad,
         gathered: Sequence[NodeInput]) -> None:
    try:
        files = [file for file in entries(record, root) if isinstance(file, str)]
        ad, inputs = complete(record, root, name, files, {})
    except JdlError as error:
        checker.add(name, error.message.split("\n"))
        return
    text = unparse(ad)
    checker.check(name, ad, text)
    nodes.add(name, text, (*inputs, *gathered))


def _gathered(root: Ad, parts: int, first: int) -> tuple[NodeInput, ...]:
    """What the parts wrote, each in a directory named after its part."""
    value = _value(root, "OutputSandbox")
    files = [file for file in (value if isinstance(value, list) else [value]) if isinstance(file, str)]
    if any(map(has_wildcard, files)):
        raise refuse("OutputSandbox", "wildcards are not allowed together with a Postjob", root)
    return tuple(NodeInput(f"Partition_{part}/{base_name(file)}", node=first + part, file=base_name(file))
                 for part in range(parts) for file in files)
