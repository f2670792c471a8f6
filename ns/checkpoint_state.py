"""The state of a checkpointable job: its steps, the one to do next, values by name. Pure.

A ClassAd for people and for the bookkeeping (JobState of the job description), lines for the command on the worker
node: `step LABEL`, `current N`, and `KIND NAME VALUE` for each value, where KIND is i, r, b or s.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, Final, TypeAlias

from wms.errors import Refused
from wms.jdl.ast import Ad, node
from wms.jdl.description import JobDescription
from wms.jdl.evaluate import evaluate
from wms.jdl.parser import parse
from wms.jdl.unparse import pretty

Value: TypeAlias = "bool | int | float | str"
MAX_NAME: Final = 128
KINDS: Final[Mapping[type, str]] = {bool: "b", int: "i", float: "r", str: "s"}
_NAME_CHARACTERS: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_")


@dataclass(frozen=True, slots=True)
class State:
    """`current` counts steps from 0; it is their number when all are done."""

    steps: tuple[str, ...] = ()
    current: int = 0
    data: Mapping[str, tuple[Value, ...]] = field(default_factory=dict)


def initial(job: JobDescription) -> State:
    """What the first attempt begins with: JobState of the description, else its JobSteps and CurrentStep."""
    written = job.ad.get("JobState")
    return State(job.job_steps, job.current_step) if written is None else _state(evaluate(written, job.ad))


def from_text(text: str) -> State:
    """From the ClassAd of a state. Raises JdlError or Refused."""
    ad = parse(text)
    return _state(evaluate(ad, ad))


def to_text(state: State, job: str) -> str:
    """The ClassAd of a state of `job` (URL)."""
    data = {name: values[0] if len(values) == 1 else list(values) for name, values in state.data.items()}
    record = {"StateId": job, "JobSteps": list(state.steps), "CurrentStep": state.current, "UserData": data}
    tree = node(record)
    assert isinstance(tree, Ad)
    return pretty(tree)


def _state(record: Any) -> State:
    assert isinstance(record, dict), "the description was checked"
    known = {name.lower(): value for name, value in record.items()}
    steps, current, data = known.get("jobsteps", 0), known.get("currentstep", 0), known.get("userdata", {})
    labels = list(map(str, range(steps))) if type(steps) is int else steps
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        raise _refused("JobSteps is a number or a list of labels")
    if type(current) is not int or not 0 <= current <= len(labels):
        raise _refused(f"CurrentStep is from 0 to {len(labels)}")
    if not isinstance(data, dict):
        raise _refused("UserData is a record")
    return State(tuple(labels), current, {name: _values(name, value) for name, value in data.items()})


def _values(name: str, value: Any) -> tuple[Value, ...]:
    values = value if isinstance(value, list) else [value]
    if not values or not all(type(one) in KINDS for one in values):
        raise _refused(f"UserData.{name}: not texts, numbers or truth values")
    return tuple(values)


# -- lines -----------------------------------------------------------------------------------------------


def to_lines(state: State) -> str:
    """For the command on the worker node, which reads lines: a text of several lines cannot go there."""
    lines = [*(f"step {_one_line(step)}" for step in state.steps), f"current {state.current}",
             *(f"{KINDS[type(value)]} {_name(name)} {_one_line(_shown(value))}"
               for name, values in state.data.items() for value in values)]
    return "".join(line + "\n" for line in lines)


def from_lines(text: str) -> State:
    """Raises Refused for lines that say nothing, with the first of them."""
    steps, current, data = [], 0, dict[str, tuple[Value, ...]]()
    for kind, rest in _split(text.split("\n")):
        if kind == "step":
            steps.append(rest)
        elif kind == "current":
            current = _number(rest)
        else:
            name, _, value = rest.partition(" ")
            data[name] = (*data.get(_name(name), ()), _value(kind, value))
    if current > len(steps):
        raise _refused(f"there is no step {current}")
    return State(tuple(steps), current, data)


def _split(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        if line:
            kind, _, rest = line.partition(" ")
            yield kind, rest


def _shown(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else repr(value) if isinstance(value, float) else str(value)


def _value(kind: str, text: str) -> Value:
    try:
        match kind:
            case "s":
                return text
            case "b" if text in ("true", "false"):
                return text == "true"
            case "i" if len(text) <= 20 and -2**63 <= (number := int(text)) < 2**63:
                return number
            case "r" if isfinite(found := float(text)):
                return found
    except ValueError:
        pass
    raise _refused(f"{kind[:20]} {text[:80]}: not a value")


def _number(text: str) -> int:
    if not (text.isdecimal() and text.isascii() and len(text) < 10):
        raise _refused(f"current {text[:80]}: not a number")
    return int(text)


def _name(name: str) -> str:
    if not 0 < len(name) <= MAX_NAME or not _NAME_CHARACTERS.issuperset(name) or name[0].isdecimal():
        raise _refused(f"{name[:80]!r} is not a name of letters, digits and _")
    return name


def _one_line(text: str) -> str:
    if "\n" in text or "\0" in text:
        raise _refused("a text of several lines cannot be used on a worker node")
    return text


def _refused(what: str) -> Refused:
    return Refused(f"The state of the job cannot be used: {what}.")
