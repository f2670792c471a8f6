"""Text into the languages a worker node reads: sh words and patterns, curl configuration, URLs, messages.

Pure quoting rules, each one line of meaning; not here: what a job wrapper does with them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from posixpath import normpath
from typing import TypeAlias
from urllib.parse import quote as percent_encode

from wms.errors import JdlInvalid, SandboxPathRefused

__all__ = ["Part", "Word", "curl_value", "function", "local", "pattern", "quoted", "references", "shown",
           "url_name", "word"]

Part: TypeAlias = tuple[str, str]
"""`("literal", text)` or `("variable", name)`."""

Word: TypeAlias = Sequence[Part]
"""One argument: its parts are joined, the value of a variable is never split."""

_REFERENCE = re.compile(r"\$(?:(?P<bare>[A-Za-z_][A-Za-z0-9_]*)|\{(?P<braced>[A-Za-z_][A-Za-z0-9_]*)\})")
_SURROGATE = re.compile("[\ud800-\udfff]")
_GLOB = re.compile(r"[*?]|\[[!]?[A-Za-z0-9_.,-]+\]")
_CURL_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v"})


def quoted(text: str) -> str:
    """`text` as one sh word that stands for itself; raises `JdlInvalid` for what no process can be given."""
    if "\0" in text or not _is_utf8(text):
        raise JdlInvalid("no argument or file name can hold this value", value=repr(text))
    return "'" + text.replace("'", "'\\''") + "'"


def _is_utf8(text: str) -> bool:
    return text.isascii() or not _SURROGATE.search(text)


def word(parts: Word, variables: Mapping[str, str] = {}) -> str:
    """The parts as one sh word; an unset variable is empty. `variables` renames those the job itself sets."""
    return "".join(_part(kind, text, variables) for kind, text in parts) or "''"


def _part(kind: str, text: str, variables: Mapping[str, str]) -> str:
    if kind == "literal":
        return quoted(text) if text else ""
    return '"${' + variables.get(text, text) + '-}"'


def references(value: str) -> list[Part]:
    """`$NAME` and `${NAME}` of a value become variables; every other character stands for itself."""
    parts: list[Part] = []
    end = 0
    for found in _REFERENCE.finditer(value):
        parts += [("literal", value[end : found.start()]), ("variable", found["bare"] or found["braced"])]
        end = found.end()
    return [*(part for part in parts if part[1]), *([("literal", value[end:])] if value[end:] else [])]


def pattern(name: str) -> str | None:
    """`name` as an sh file name pattern with `*`, `?` and `[...]` alive; None if it has none of them."""
    pieces: list[str] = []
    end = 0
    for found in _GLOB.finditer(name):
        pieces += [quoted(name[end : found.start()]) if found.start() > end else "", found.group()]
        end = found.end()
    if not pieces:
        return None
    return "".join([*pieces, quoted(name[end:]) if name[end:] else ""])


def curl_value(text: str) -> str:
    """A quoted value of a curl configuration file."""
    return '"' + text.translate(_CURL_ESCAPES) + '"'


def url_name(name: str) -> str:
    """`name` as one segment of a URL path."""
    return percent_encode(name, safe="")


def shown(text: str) -> str:
    """`text` for a message: one line, safe inside JSON, and never a phrase (it has no blank)."""
    return percent_encode(text, safe="/+:=,@$*?[]")


def function(name: str, lines: Iterable[str]) -> str:
    return "\n".join([f"{name}() {{", *(f"    {line}" for line in lines), "}"])


def local(name: str, what: str) -> str:
    """A path inside the working directory as `./name`; raises for one that leaves it."""
    place = normpath(name)
    if not name or name.endswith("/") or place.startswith(("/", "../")) or place in {".", ".."}:
        raise SandboxPathRefused(f"{what}: {name!r} is not a file below the working directory", name=name)
    return f"./{place}"
