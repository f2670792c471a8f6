"""Pure rules for the files of a job, the same for client, server and wrapper: names, uniqueness, safety.

Nothing here looks at a disk: whether a file exists or is too large is for those who have it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from wms.errors import SandboxPathRefused

MAX_NAME = 255
_SCHEME = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*)://")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_WILD = re.compile(r"[*?\[\]{}]")
_NOT_IN_PROGRAMS = re.compile(r"[*?\[\]{}`&|<>;\"'\\()!#]")
_VARIABLE = re.compile(r"\A\$(\w+|\{\w+\})(/|\Z)")


def scheme(entry: str) -> str:
    """Protocol of a URI in lower case; empty for a path."""
    match = _SCHEME.match(entry)
    return match[1].lower() if match else ""


def local_path(entry: str) -> str:
    """The path of a local sandbox entry: `file://` (with or without host) taken off."""
    if scheme(entry) != "file":
        return entry
    rest = entry[len("file://"):]
    return rest[rest.find("/"):] if "/" in rest else "/" + rest


def base_name(entry: str) -> str:
    """What a sandbox entry, path or URI, is called in the flat directory of the job."""
    path = entry.split("?", 1)[0] if is_remote(entry) else entry
    return path.rsplit("/", 1)[-1]


def data_name(logical: str) -> str:
    """What the copy of a logical file (`lfn:/grid/vo/x`) is called in the directory of the job."""
    return logical.partition(":")[2].rstrip("/").rsplit("/", 1)[-1] or logical


def is_remote(entry: str) -> bool:
    """A URI of any scheme but `file://`."""
    return scheme(entry) not in ("", "file")


def has_wildcard(entry: str) -> bool:
    return _WILD.search(entry) is not None


def repeated(names: Iterable[str]) -> list[str]:
    """Names that stand more than once, in order of first appearance."""
    return [name for name, count in Counter(names).items() if count > 1]


def name_problem(name: str) -> str | None:
    """What is wrong with a file name for a flat directory."""
    if _CONTROL.search(name):
        return _control_problem(name)
    if name in ("", ".", "..") or "/" in name:
        return f"'{name}' is not a file name"
    if len(name.encode(errors="replace")) > MAX_NAME:
        return f"the name '{name[:20]}...' has more than {MAX_NAME} bytes"
    return None


def check_name(name: str) -> str:
    """The name itself if it can be a file in a flat directory; raises SandboxPathRefused."""
    if problem := name_problem(name):
        raise SandboxPathRefused(f"Sandbox file: {problem}.", value=name[:MAX_NAME],
                                 hint="All sandbox files share one flat directory: give a plain file name.")
    return name


def input_problems(entries: Sequence[str], *, remote: bool = False,
                   names: Sequence[str] | None = None) -> list[str]:
    """What is wrong with an InputSandbox; `names` are the names in the job, by default the base names.

    `remote` allows URIs other than `file://`. Entries may hold wildcards, which the client expands.
    """
    problems = [
        f"remote file '{entry}' is not allowed: use InputData, or copy it in the job"
        for entry in entries if is_remote(entry) and not remote
    ]
    problems += [problem for entry in entries if (problem := _control_problem(entry))]
    return problems + flat_problems([base_name(entry) for entry in entries] if names is None else names)


def output_problems(entries: Sequence[str]) -> list[str]:
    """What is wrong with an OutputSandbox: names below the job directory, base names unique."""
    found = (output_name_problem(entry) for entry in entries)
    names = [base_name(entry) for entry in entries if not has_wildcard(entry)]
    return [problem for problem in found if problem] + _repetitions(names)


def output_name_problem(entry: str) -> str | None:
    """What is wrong with the name of a file the job writes: it must stay below the job directory."""
    if entry.startswith("/") or scheme(entry):
        return f"'{entry}' must be relative to the directory of the job"
    if ".." in entry.split("/"):
        return f"'{entry}' leaves the directory of the job"
    return _control_problem(entry) or name_problem(base_name(entry))


def program_problem(path: str, sandbox: Iterable[str]) -> str | None:
    """What is wrong with Executable, StdInput, Prologue or Epilogue, given the names in the sandbox.

    Right are: a bare name of the sandbox, an absolute path on the worker node, a path that begins `$VAR/`.
    """
    fixed = _VARIABLE.sub("/", path, count=1)
    if not path or _CONTROL.search(fixed) or _NOT_IN_PROGRAMS.search(fixed):
        return f"special characters are not allowed in '{_CONTROL.sub('?', path)}'"
    if fixed.startswith("/"):
        return None
    name = path.removeprefix("./")
    if "/" not in name and any(name == known or fnmatchcase(name, known) for known in sandbox):
        return None
    return f"Specified path '{path}' is missing: it must be in the InputSandbox or be an absolute path"


def flat_problems(names: Sequence[str]) -> list[str]:
    """What is wrong with names that are to share one directory."""
    found = (name_problem(name) for name in names if not _CONTROL.search(name))
    fixed = [name for name in names if not has_wildcard(name)]
    return [problem for problem in found if problem] + _repetitions(fixed)


def _control_problem(text: str) -> str | None:
    if _CONTROL.search(text):
        return f"control characters are not allowed in '{_CONTROL.sub('?', text)}'"
    return None


def _repetitions(names: Iterable[str]) -> list[str]:
    return [f"filename conflict found while extracting files. "
            f"The following file is repeated more than once: '{name}'" for name in repeated(names)]
