"""A submit file of HTCondor as the description of a job."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from shlex import quote
from typing import Final

from wms.jdl.ast import Ad, Node, conjunction, node
from wms.jdl.compounds.lines import Line, broken, lines
from wms.jdl.parser import parse_expression

_SILENT: Final = frozenset({
    "log", "should_transfer_files", "when_to_transfer_output", "notification", "getenv", "transfer_executable"})
_QUEUE = re.compile(r"queue\b\s*(.*)", re.IGNORECASE)
_MACRO = re.compile(r"\$\(([A-Za-z_][A-Za-z0-9_.]*)(?::([^()]*))?\)")
_MEMORY = re.compile(r"(\d{1,12})\s*([KMGT]?)B?", re.IGNORECASE)
_KB: Final = {"K": 1, "": 1 << 10, "M": 1 << 10, "G": 1 << 20, "T": 1 << 30}
_DEPTH: Final = 20


@dataclass(slots=True)
class Submit:
    """The commands of a submit file by lower-case name, each with its line."""

    commands: dict[str, tuple[str, Line]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    attributes: dict[str, Node] = field(default_factory=dict)
    requirements: list[Node] = field(default_factory=list)


def job(text: str, file: str, variables: Mapping[str, str], name: str, directory: str = "") -> tuple[Ad, list[str]]:
    """The job of a submit file and warnings; raises JdlError.

    `variables` (lower-case names) and `name`, the node's, are what `$(...)` refers to; files are in `directory`.
    """
    submit = _read(text, file)
    known = {name: value for name, (value, _) in submit.commands.items()} | dict(variables)
    known |= {"job": name, "process": "0", "procid": "0", "cluster": "0", "clusterid": "0"}
    if "executable" not in submit.commands:
        raise broken(Line("", f"{file}:1"), "there is no executable")
    for command, (value, line) in submit.commands.items():
        act = _COMMANDS.get(command)
        if act is not None:
            act(submit, _expanded(value, known, line), line)
        elif command not in _SILENT and not _is_used(command, submit):
            submit.warnings.append(f"{line.where}: {command[:80]} is ignored")
    return _ad(submit, directory), submit.warnings


def _is_used(name: str, submit: Submit) -> bool:
    """Is this a macro that another command refers to?"""
    return any(f"$({name}" in value.lower() for value, _ in submit.commands.values())


def _ad(submit: Submit, directory: str) -> Ad:
    found = dict(submit.attributes)
    if submit.inputs:
        found["InputSandbox"] = node([_placed(path, directory) for path in dict.fromkeys(submit.inputs)])
    if submit.outputs:
        found["OutputSandbox"] = node(list(dict.fromkeys(submit.outputs)))
    if submit.requirements:
        found["Requirements"] = conjunction(*submit.requirements)
    return Ad().changed(found)


def _placed(path: str, directory: str) -> str:
    return path if path.startswith("/") or "://" in path or not directory else f"{directory}/{path}"


def _read(text: str, file: str) -> Submit:
    submit, queued = Submit(), False
    for line in lines(text, file, continued="\\"):
        queue = _QUEUE.fullmatch(line.text)
        if queue:
            if queued or queue[1].strip() not in ("", "1"):
                raise broken(line, "a node queues one job: 'queue' or 'queue 1', once")
            queued = True
            continue
        name, sign, value = line.text.partition("=")
        if not sign:
            raise broken(line, "'command = value' expected")
        submit.commands[name.strip().lower()] = (value.strip(), line)
    if not queued:
        raise broken(Line("", f"{file}:1"), "nothing is queued")
    return submit


def _expanded(value: str, known: Mapping[str, str], line: Line) -> str:
    for _ in range(_DEPTH):
        if not _MACRO.search(value):
            return value
        value = _MACRO.sub(lambda macro: _macro(macro, known, line), value)
    raise broken(line, "a macro refers to itself")


def _macro(macro: re.Match[str], known: Mapping[str, str], line: Line) -> str:
    found = known.get(macro[1].lower(), macro[2])
    if found is None:
        raise broken(line, f"the macro {macro[0][:80]} is not defined")
    return found


# -- commands --------------------------------------------------------------------------------------------


def _executable(submit: Submit, value: str, line: Line) -> None:
    kept = submit.commands.get("transfer_executable", ("true", line))[0].lower()
    if kept == "false":
        submit.attributes["Executable"] = node(value)
        return
    submit.attributes["Executable"] = node(_base(value))
    submit.inputs.append(value)


def _base(path: str) -> str:
    return path.rstrip("/").rsplit("/", 1)[-1]


def _arguments(submit: Submit, value: str, line: Line) -> None:
    if value.startswith('"'):
        submit.attributes["Arguments"] = node(" ".join(quote(word) for word in _words(value, line)))
    elif value:
        submit.attributes["Arguments"] = node(" ".join(quote(word) for word in value.replace('\\"', '"').split()))


def _words(value: str, line: Line) -> list[str]:
    """The words of the newer syntax: all in double quotes, blanks kept in single ones, quotes doubled."""
    if len(value) < 2 or not value.endswith('"'):
        raise broken(line, "a closing quote expected")
    words, word, quoted, begun = list[str](), "", False, False
    text = value[1:-1].replace('""', '"')
    position = 0
    while position < len(text):
        char = text[position]
        if char == "'" and quoted and text[position + 1:position + 2] == "'":
            word, position = word + "'", position + 1
        elif char == "'":
            quoted, begun = not quoted, True
        elif char.isspace() and not quoted:
            words += [word] if begun else []
            word, begun = "", False
        else:
            word, begun = word + char, True
        position += 1
    if quoted:
        raise broken(line, "a closing quote expected")
    return words + ([word] if begun else [])


def _stream(attribute: str) -> Callable[[Submit, str, Line], None]:
    def act(submit: Submit, value: str, line: Line) -> None:
        submit.attributes[attribute] = node(_base(value))
        (submit.inputs if attribute == "StdInput" else submit.outputs).append(
            value if attribute == "StdInput" else _base(value))

    return act


def _files(kind: str) -> Callable[[Submit, str, Line], None]:
    def act(submit: Submit, value: str, line: Line) -> None:
        getattr(submit, kind).extend(part.strip() for part in value.split(",") if part.strip())

    return act


def _environment(submit: Submit, value: str, line: Line) -> None:
    items = _words(value, line) if value.startswith('"') else [part.strip() for part in value.split(";")]
    submit.attributes["Environment"] = node([item for item in items if item])


def _number(attribute: str) -> Callable[[Submit, str, Line], None]:
    def act(submit: Submit, value: str, line: Line) -> None:
        if not re.fullmatch(r"-?\d{1,9}", value):
            raise broken(line, f"a number expected, not '{value[:80]}'")
        submit.attributes[attribute] = node(int(value))

    return act


def _memory(submit: Submit, value: str, line: Line) -> None:
    found = _MEMORY.fullmatch(value)
    if found is None:
        raise broken(line, f"a size expected, not '{value[:80]}'")
    megabytes = -(-int(found[1]) * _KB[found[2].upper()] // 1024)
    submit.requirements.append(parse_expression(f"other.GlueHostMainMemoryRAMSize >= {megabytes}"))


def _universe(submit: Submit, value: str, line: Line) -> None:
    if value.lower() not in ("vanilla", "grid"):
        raise broken(line, f"a job of universe {value[:80]} cannot be run: only vanilla")


_COMMANDS: Final[Mapping[str, Callable[[Submit, str, Line], None]]] = {
    "executable": _executable, "arguments": _arguments, "universe": _universe,
    "input": _stream("StdInput"), "output": _stream("StdOutput"), "error": _stream("StdError"),
    "transfer_input_files": _files("inputs"), "transfer_output_files": _files("outputs"),
    "environment": _environment, "request_cpus": _number("SMPGranularity"), "request_memory": _memory,
    "priority": _number("Priority"),
}
