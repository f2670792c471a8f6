"""A DAG of HTCondor's DAGMan as a description of ours: its file and the submit files it names, as texts.

What has no counterpart here is refused when leaving it out would change what runs, else it is a warning. Both say
file and line. Reading the files is for the caller; submit files are read by `condor`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from wms.errors import JdlError
from wms.jdl.ast import Ad, Node, node
from wms.jdl.compounds.condor import job
from wms.jdl.compounds.lines import Line, broken, lines

_REFUSED: Final = {
    "SUBDAG": "a DAG inside a DAG: write its nodes into this one",
    "SPLICE": "a DAG inside a DAG: write its nodes into this one",
    "INCLUDE": "another file inside this one: write its lines here",
    "SCRIPT": "nothing of a user runs at the service: use Prologue and Epilogue of the node",
    "FINAL": "a node that runs whatever happens",
    "PROVISIONER": "a node that prepares others while they wait",
    "SERVICE": "a node that runs beside the others",
    "PRE_SKIP": "it belongs to SCRIPT",
    "ABORT-DAG-ON": "a failed node stops only what depends on it",
    "REJECT": "it says that this DAG is not to be run",
    "CONNECT": "it belongs to SPLICE", "PIN_IN": "it belongs to SPLICE", "PIN_OUT": "it belongs to SPLICE",
}
_IGNORED: Final = frozenset({"CONFIG", "DOT", "NODE_STATUS_FILE", "JOBSTATE_LOG", "SET_JOB_ATTR", "ENV",
                             "SAVE_POINT_FILE"})
_VARIABLE = re.compile(r'([A-Za-z_][A-Za-z0-9_]*)\s*=\s*"((?:[^"\\]|\\.)*)"')
_EVERY: Final = "ALL_NODES"


class Job(NamedTuple):
    """A JOB line."""

    name: str
    file: str
    directory: str
    done: bool
    line: Line


@dataclass(slots=True)
class Dag:
    """What the lines of a DAG file say; `categories` are of nodes, `most` of categories."""

    jobs: dict[str, Job] = field(default_factory=dict)
    pairs: list[tuple[list[str], list[str], Line]] = field(default_factory=list)
    retries: dict[str, int] = field(default_factory=dict)
    priorities: dict[str, int] = field(default_factory=dict)
    variables: dict[str, dict[str, str]] = field(default_factory=dict)
    categories: dict[str, str] = field(default_factory=dict)
    most: dict[str, int] = field(default_factory=dict)
    named: list[tuple[str, Line]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def submit_files(text: str, file: str) -> list[str]:
    """The submit files a DAG file names, relative to its directory; raises JdlError."""
    return list(dict.fromkeys(path_of(one) for one in _read(text, file).jobs.values() if not one.done))


def path_of(one: Job) -> str:
    return f"{one.directory}/{one.file}" if one.directory and not one.file.startswith("/") else one.file


def imported(text: str, file: str, files: Mapping[str, str]) -> tuple[Ad, tuple[str, ...]]:
    """The description of a DAG, and warnings; raises JdlError. `files` holds the submit files by name."""
    dag = _read(text, file)
    left = [one for one in dag.jobs.values() if not one.done]
    if not left:
        raise JdlError(f"{file}: no JOB is left to run")
    nodes = [_node(dag, one, files) for one in left]
    most = _most_running(dag, left, file)
    attributes: dict[str, Node] = {"Type": node("DAG"), "Nodes": node(nodes), "Dependencies": node(_pairs(dag))}
    if most:
        attributes["max_running_nodes"] = node(most)
    return Ad().changed(attributes), tuple(dict.fromkeys(dag.warnings))


def _node(dag: Dag, one: Job, files: Mapping[str, str]) -> Ad:
    path = path_of(one)
    ad, warnings = job(files[path], path, dag.variables.get(one.name, {}), one.name, one.directory)
    dag.warnings += warnings
    given = {"NodeName": one.name, "RetryCount": dag.retries.get(one.name, dag.retries.get(_EVERY)),
             "Priority": dag.priorities.get(one.name, dag.priorities.get(_EVERY))}
    return ad.changed({name: node(value) for name, value in given.items() if value is not None})


def _pairs(dag: Dag) -> list[list[list[str]]]:
    """Dependencies of what is left: a node that is done holds nobody up."""
    found = []
    for parents, children, _ in dag.pairs:
        sides = [[name for name in side if not dag.jobs[name].done] for side in (parents, children)]
        if all(sides):
            found.append(sides)
    return found


def _most_running(dag: Dag, left: list[Job], file: str) -> int:
    """MAXJOBS of the one category that all nodes are in; 0 when it does not say."""
    used = {dag.categories.get(one.name, "") for one in left}
    limits = {name: most for name, most in dag.most.items() if name in used}
    if len(used) == 1 and limits:
        return next(iter(limits.values()))
    dag.warnings += [f"{file}: MAXJOBS {name} is ignored: not all nodes are of this category" for name in limits]
    return 0


# -- lines -----------------------------------------------------------------------------------------------


def _read(text: str, file: str) -> Dag:
    dag = Dag()
    for line in lines(text, file, continued="\\"):
        word, *words = line.text.split()
        known = _LINES.get(word.upper())
        if known is not None:
            known(dag, line, words)
        elif word.upper() in _REFUSED:
            raise broken(line, f"{word.upper()} is not supported: {_REFUSED[word.upper()]}")
        elif word.upper() in _IGNORED:
            dag.warnings.append(f"{line.where}: {word.upper()} is ignored")
        else:
            raise broken(line, f"'{word[:80]}' is no word of a DAG file")
    for name, line in dag.named:
        if name not in dag.jobs and name != _EVERY:
            raise broken(line, f"there is no JOB {name[:80]}")
    return dag


def _job(dag: Dag, line: Line, words: list[str]) -> None:
    if len(words) < 2:
        raise broken(line, "JOB needs a name and a submit file")
    name, file, *more = words
    options = iter(more)
    directory, done = "", False
    for option in options:
        match option.upper():
            case "DIR":
                directory = next(options, "")
            case "DONE":
                done = True
            case other:
                raise broken(line, f"JOB ... {other[:80]} is not supported")
    if name in dag.jobs:
        raise broken(line, f"Duplicated NodeName({name})")
    dag.jobs[name] = Job(name, file, directory, done, line)


def _parent(dag: Dag, line: Line, words: list[str]) -> None:
    upper = [word.upper() for word in words]
    if upper.count("CHILD") != 1:
        raise broken(line, "PARENT needs its nodes, CHILD and theirs")
    cut = upper.index("CHILD")
    parents, children = words[:cut], words[cut + 1:]
    if not parents or not children:
        raise broken(line, "PARENT needs its nodes, CHILD and theirs")
    dag.named += [(name, line) for name in (*parents, *children)]
    dag.pairs.append((parents, children, line))


def _retry(dag: Dag, line: Line, words: list[str]) -> None:
    name, count = _numbered(dag, line, words[:2], "RETRY", least=0)
    dag.retries[name] = count
    if words[2:]:
        dag.warnings.append(f"{line.where}: {' '.join(words[2:])[:80]} is ignored")


def _priority(dag: Dag, line: Line, words: list[str]) -> None:
    name, value = _numbered(dag, line, words, "PRIORITY", least=-(1 << 31))
    dag.priorities[name] = value


def _numbered(dag: Dag, line: Line, words: list[str], what: str, least: int) -> tuple[str, int]:
    if len(words) != 2 or not re.fullmatch(r"-?\d{1,10}", words[1]) or int(words[1]) < least:
        raise broken(line, f"{what} needs a node and a number")
    dag.named.append((words[0], line))
    return words[0], int(words[1])


def _vars(dag: Dag, line: Line, words: list[str]) -> None:
    name = words[0] if words else ""
    rest = line.text.split(None, 2)[2:]
    found = list(_VARIABLE.finditer(rest[0])) if rest else []
    if not found or _VARIABLE.sub("", rest[0]).strip():
        raise broken(line, 'VARS needs a node and NAME="value" for each variable')
    dag.named.append((name, line))
    values = {one[1].lower(): re.sub(r"\\(.)", r"\1", one[2]) for one in found}
    dag.variables.setdefault(name, {}).update(values)


def _category(dag: Dag, line: Line, words: list[str]) -> None:
    if len(words) != 2:
        raise broken(line, "CATEGORY needs a node and a name")
    dag.named.append((words[0], line))
    dag.categories[words[0]] = words[1]


def _maxjobs(dag: Dag, line: Line, words: list[str]) -> None:
    if len(words) != 2 or not re.fullmatch(r"[1-9]\d{0,8}", words[1]):
        raise broken(line, "MAXJOBS needs a category and a number greater than 0")
    dag.most[words[0]] = int(words[1])


_LINES: Final[Mapping[str, Callable[[Dag, Line, list[str]], None]]] = {
    "JOB": _job, "PARENT": _parent, "RETRY": _retry, "PRIORITY": _priority, "VARS": _vars,
    "CATEGORY": _category, "MAXJOBS": _maxjobs,
}
