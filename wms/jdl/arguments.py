r"""The words of an Arguments string, as a program on the worker node will receive them.

Quoting follows the POSIX shell: blanks separate; `'...'` keeps all; `"..."` keeps all but `$VAR` and the
escapes `\$ \` \" \\`; outside quotes `\c` is c. `$VAR` and `${VAR}` are references for the wrapper to expand.
`* ? [ ~ #` are plain characters. What would make a shell do more than build words (bare `; & | < > ( )`,
backquotes, `$(`, `$1`) is refused: written with three backslashes in JDL, or in quotes, it is a character.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final, TypeAlias

from wms.errors import JdlInvalid


@dataclass(frozen=True, slots=True)
class Literal:
    """Characters that stay as they are."""

    text: str


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable of the job; when it stood outside quotes, its value falls into words at blanks."""

    name: str
    quoted: bool = False


Part: TypeAlias = Literal | Variable
Word: TypeAlias = tuple[Part, ...]

_BARE: Final = re.compile(
    r"(?P<blank>[ \t\r\n]+)|\\(?P<escaped>.)|'(?P<single>[^']*)'|\"(?P<double>(?:[^\"\\]|\\.)*)\""
    r"|\$(?:(?P<name>[A-Za-z_]\w*)|\{(?P<braced>[A-Za-z_]\w*)\})"
    r"|(?P<refused>[;&|<>()`]|\$[({\d@*#?$!-])|(?P<open>['\"])|(?P<plain>[^\s\\'\"$;&|<>()`]+|.)",
    re.DOTALL | re.ASCII)
_QUOTED: Final = re.compile(
    r"\\(?P<escaped>[$`\"\\])|\$(?:(?P<name>[A-Za-z_]\w*)|\{(?P<braced>[A-Za-z_]\w*)\})"
    r"|(?P<refused>`|\$[({\d@*#?$!-])|(?P<plain>[^\\$`]+|.)",
    re.DOTALL | re.ASCII)


def split_arguments(text: str) -> list[Word]:
    """The words of `text`, each a sequence of parts; raises JdlInvalid with the column of what is wrong."""
    words: list[Word] = []
    word: list[Part] | None = None
    for match in _BARE.finditer(text):
        if match["blank"] is None:
            word = [] if word is None else word
            word.extend(_parts(match))
        elif word is not None:
            words.append(_joined(word))
            word = None
    return words if word is None else [*words, _joined(word)]


def as_shell(words: Sequence[Word]) -> str:
    """The words as text that a POSIX shell (with `set -f`) reads back as exactly these words."""
    return " ".join("".join(map(_shell_part, word)) for word in words)


def _shell_part(part: Part) -> str:
    if isinstance(part, Literal):
        return "'" + part.text.replace("'", "'\\''") + "'"
    return f'"${{{part.name}}}"' if part.quoted else f"${{{part.name}}}"


def _parts(match: re.Match[str]) -> Iterator[Part]:
    """What one piece outside quotes contributes to its word."""
    if match["open"]:
        raise _wrong(match, f"a {match['open']} that never ends")
    if match["double"] is not None:
        yield Literal("")
        for inner in _QUOTED.finditer(match["double"]):
            yield _part(inner, quoted=True)
    elif match["single"] is not None:
        yield Literal(match["single"])
    else:
        yield _part(match, quoted=False)


def _part(match: re.Match[str], *, quoted: bool) -> Part:
    if match["refused"]:
        raise _wrong(match, f"{match['refused']} has no meaning here; for the character, write it as \\\\\\"
                            f"{match['refused'][0]} in the JDL")
    name = match["name"] or match["braced"]
    if name:
        return Variable(name, quoted)
    return Literal(match["plain"] if match["escaped"] is None else match["escaped"])


def _joined(parts: Sequence[Part]) -> Word:
    """Adjacent literals become one; an empty one stays only where it is the whole word."""
    joined: list[Part] = []
    for literal, run in groupby(parts, key=lambda part: isinstance(part, Literal)):
        beside = list(run)
        text = "".join(part.text for part in beside if isinstance(part, Literal))
        joined += [Literal(text)] if literal else beside
    kept = tuple(part for part in joined if part != Literal(""))
    return kept or (Literal(""),)


def _wrong(match: re.Match[str], message: str) -> JdlInvalid:
    return JdlInvalid(f"Arguments: {message}", column=match.start() + 1)
