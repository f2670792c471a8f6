"""Parametric jobs: one description with marks, and the values that make its nodes.

A bound makes its values by arithmetic: a million nodes cost no more than one until they are asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any, Final

from wms.errors import JdlInvalid
from wms.jdl.ast import Ad, ListNode, Literal, Name, Node, node, walk
from wms.jdl.attributes import JOB_TYPES
from wms.jdl.compounds.checking import Checker, refuse
from wms.jdl.compounds.inheritance import UNSEEN, common, inherited, letters_of, most_running, unseen_are_unread
from wms.jdl.compounds.model import COLLECTION, Compound, NodeInput
from wms.jdl.compounds.sandboxes import bare_files
from wms.jdl.compounds.substitution import MARK, Parameter, Template, substituted
from wms.jdl.evaluate import evaluate
from wms.jdl.unparse import unparse
from wms.sandbox import base_name, repeated

MAX_OWN_FILES: Final = 100_000
_WRITTEN: Final = ("Type", "Parameters", "ParameterStart", "ParameterStep")
_CHARACTERS: Final = str.maketrans({".": "_", "/": "I", "*": "-", "$": "_S_"})
_STRANGE = re.compile(r"[^\w+=,:@-]")
_LETTERS, _DIGITS = re.compile(r"[A-Za-z]+"), re.compile(r"[0-9]+")
_BY_NAME: Final = frozenset({"executable", "stdinput", "prologue", "epilogue"})
LONGEST_NAME: Final = 128


def parametric(root: Ad) -> Compound:
    """The compound of a parametric job; raises JdlInvalid."""
    values = values_of(root)
    ad, files = _node(root)
    template = Template(ad)
    nodes = ParametricNodes(template, values, files)
    nodes.refuse_repeated_names()
    _check(root, nodes, ad)
    marked = {name.lower() for name, value in ad.attributes if MARK in unparse(value)}
    alike = marked <= UNSEEN and not template.names_attributes and unseen_are_unread(ad)
    shown = ad.changed({"Type": node("Collection"), "JobType": None, "InputSandbox": None})
    return Compound(COLLECTION, len(values), nodes, common(root, _unmarked(shown), "K"), nodes.sandbox(),
                    max_running_nodes=most_running(root), alike=alike)


# -- values ----------------------------------------------------------------------------------------------


def values_of(root: Ad) -> Sequence[Parameter]:
    """The values of the nodes in order; raises JdlInvalid."""
    written = root.get("Parameters")
    if written is None:
        raise refuse("Parameters", "Jdl mandatory attribute is missing", root)
    start, step = _integer(root, "ParameterStart", 0), _integer(root, "ParameterStep", 1)
    if not step:
        raise refuse("ParameterStep", "JDL Attribute ParameterStep must be different from zero, "
                     "division by zero not allowed", root)
    values = _listed(root, written, start, step) if isinstance(written, ListNode) else _counted(root, start, step)
    if not values:
        raise refuse("Parameters", "wrong value caught for attribute (there is no value from ParameterStart on)", root)
    return values


def _integer(root: Ad, name: str, default: int) -> int:
    written = root.get(name)
    value: Any = default if written is None else evaluate(written, root)
    if type(value) is not int:
        raise refuse(name, "wrong type caught for attribute (integer expected)", root)
    return value


def _counted(root: Ad, start: int, step: int) -> Sequence[Parameter]:
    """From start, up or down, short of the bound."""
    bound = evaluate(root.get("Parameters") or Literal(0), root)
    if isinstance(bound, list):
        return _listed(root, node(bound), start, step)
    if type(bound) is not int:
        raise refuse("Parameters", "wrong type caught for attribute (integer or list expected)", root)
    values = range(start, bound, step)
    if (bound - start) // step >= 1 << 62:
        raise refuse("Parameters", "wrong value caught for attribute (too many values)", root)
    return values


def _listed(root: Ad, written: Node, start: int, step: int) -> Sequence[Parameter]:
    """Every step-th item of the list; a bare word is its own text."""
    for name, value in (("ParameterStart", start), ("ParameterStep", step)):
        if value < 0:
            raise refuse(name, "wrong value caught for attribute (must not be negative for a list)", root)
    assert isinstance(written, ListNode)
    return tuple(_item(root, item) for item in written.items[start::step])


def _item(root: Ad, item: Node) -> Parameter:
    value: Any = item.name if isinstance(item, Name) else evaluate(item, root)
    if type(value) not in (int, str):
        raise refuse("Parameters", "wrong type caught for attribute (strings or integers expected)", root)
    found: Parameter = value
    return found


# -- nodes -----------------------------------------------------------------------------------------------


class ParametricNodes:
    """The nodes by index; `files` are (name in the node, name in the compound's sandbox), both with marks."""

    def __init__(self, template: Template, values: Sequence[Parameter], files: Sequence[tuple[str, str]]) -> None:
        self.template, self.values = template, values
        self._fixed = tuple(NodeInput(name, base_name(file)) for name, file in files if MARK not in name + file)
        self._own = tuple((name, file) for name, file in files if MARK in name + file)

    def name(self, index: int) -> str:
        return node_name(self.values[index], index)

    def jdl(self, index: int) -> str:
        value = self.values[index]
        return f'{self.template.text(value)[:-2]}; NodeName = "{node_name(value, index)}" ]'

    def inputs(self, index: int) -> tuple[NodeInput, ...]:
        value = self.values[index]
        return (*self._fixed, *(NodeInput(base_name(substituted(name, value)), base_name(substituted(file, value)))
                                for name, file in self._own))

    def index(self, name: str) -> int | None:
        if isinstance(self.values, range):
            digits = name.removeprefix("Node_")
            value = int(digits) if re.fullmatch(r"-?\d{1,19}", digits, re.ASCII) else None
            found = self.values.index(value) if value is not None and value in self.values else None
            return found if found is not None and self.name(found) == name else None
        return self._by_name.get(name)

    @cached_property
    def _by_name(self) -> dict[str, int]:
        return {self.name(index): index for index in range(len(self.values))}

    def refuse_repeated_names(self) -> None:
        if not isinstance(self.values, range) and len(self._by_name) < len(self.values):
            twice = repeated(map(self.name, range(len(self.values))))[0]
            raise JdlInvalid(f"Duplicated NodeName({twice})", value=twice)

    def sandbox(self) -> tuple[str, ...]:
        """The files all nodes together need of the compound."""
        if self._own and len(self.values) > MAX_OWN_FILES:
            raise JdlInvalid(f"InputSandbox: {MARK} makes a file for each of {len(self.values)} nodes; "
                             f"at most {MAX_OWN_FILES} can have files of their own")
        own = (base_name(substituted(file, value)) for value in (self.values if self._own else ())
               for _, file in self._own)
        return tuple(dict.fromkeys((*(file.shared for file in self._fixed), *own)))


def node_name(value: Parameter, index: int) -> str:
    """`Node_` and the value with what names cannot hold replaced; a long one is cut and numbered."""
    if isinstance(value, int):
        return f"Node_{value}"
    name = "Node_" + _STRANGE.sub("_", value.translate(_CHARACTERS))
    return name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}_{index}"


def _node(root: Ad) -> tuple[Ad, list[tuple[str, str]]]:
    """The node with marks, and its files."""
    types = [JOB_TYPES[letter] for letter in letters_of(root) if letter != "R"]
    if "Partitionable" in types:
        raise refuse("JobType", "Parametric and Partitionable exclude each other", root)
    changes = inherited(root, root) | dict.fromkeys((*_WRITTEN, "NodeName"))
    files = bare_files(root)
    if files:
        changes |= {"InputSandbox": node([name for name, _ in files]), "InputSandboxDestFileName": None}
    changes["JobType"] = node(types) if types else None
    changes["Environment"] = _with_value(root.get("Environment"))
    return root.changed(changes), files


def _with_value(environment: Node | None) -> Node:
    own = () if environment is None else environment.items if isinstance(environment, ListNode) else (environment,)
    return ListNode((*own, Literal(f"ParameterValue={MARK}")))


def _unmarked(ad: Ad) -> Ad:
    """The root's part: attributes that differ between nodes are the nodes' own."""
    return Ad(tuple(a for a in ad.attributes if a.name.lower() in _ROOTS and MARK not in unparse(a.node)),
              ad.position)


_ROOTS: Final = frozenset(name.lower() for name in (
    "Type", "VirtualOrganisation", "HLRLocation", "MyProxyServer", "LBAddress", "JobProvenance", "ExpiryTime"))


# -- checking --------------------------------------------------------------------------------------------


def _check(root: Ad, nodes: ParametricNodes, ad: Ad) -> None:
    """Describe nodes as if each were submitted: every one that could differ in more than its text."""
    for value in _ends(nodes.values):
        if problem := nodes.template.problem(value):
            raise refuse("Parameters", problem, root)
    checker = Checker()
    for index in _samples(nodes, ad):
        checker.check_text(nodes.name(index), nodes.jdl(index))
    checker.refuse_problems()


def _ends(values: Sequence[Parameter]) -> Iterable[Parameter]:
    return (values[0], values[-1]) if isinstance(values, range) else values


def _samples(nodes: ParametricNodes, ad: Ad) -> Iterable[int]:
    """Of numbers the ends, the second and those around zero; of texts one of each form, the longest too."""
    values, last = nodes.values, len(nodes.values) - 1
    if isinstance(values, range):
        zero = -values.start // values.step
        near = {min(max(at, 0), last) for at in (zero - 1, zero, zero + 1)}
        return sorted({0, min(1, last), last // 2, last} | near)
    if nodes.template.names_attributes or any(_decides(name, value) for name, value in ad.attributes):
        return range(last + 1)
    forms: dict[str, int] = {}
    for index, value in enumerate(values):
        forms.setdefault(_form(value), index)
    longest = max(range(last + 1), key=lambda index: len(str(values[index])))
    return sorted({*forms.values(), longest})


def _decides(name: str, value: Node) -> bool:
    """Is there a mark where a check compares one text with another?"""
    return name.lower() in _BY_NAME and any(
        isinstance(part, Literal) and isinstance(part.value, str) and MARK in part.value for part, _ in walk(value))


def _form(value: Parameter) -> str:
    return _DIGITS.sub("0", _LETTERS.sub("a", str(value)))
