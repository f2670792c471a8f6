"""A text with marks `_PARAM_` that values are put into, each value staying where its mark stood.

In a string a value is text, whatever it holds; elsewhere it must make a name or a number. The pieces between
the marks are cut once, so one text of a million costs a join.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, TypeAlias

from wms.jdl.ast import Ad
from wms.jdl.lexer import KEYWORDS, WORD_OPERATORS
from wms.jdl.unparse import unparse, unparse_scalar

MARK: Final = "_PARAM_"
Parameter: TypeAlias = int | str

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"' r"|'(?:[^'\\]|\\.)*'" r"|[A-Za-z0-9_]+", re.DOTALL)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_NUMBER = re.compile(r"-?\d{1,18}(\.\d{1,18})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class _Hole:
    """A name with marks. `number`: a number may stand here; `tight`: it would melt into its neighbours."""

    word: str
    number: bool
    tight: bool

    def text(self, value: Parameter) -> str:
        word = self.word.replace(MARK, str(value))
        return f"({word})" if self.tight or word[0] == "-" else word

    def problem(self, value: Parameter) -> str:
        word = self.word.replace(MARK, str(value))
        if self.number and (word.lower() in KEYWORDS or _is_number(word)):
            return ""
        if _NAME.fullmatch(word) and word.lower() not in KEYWORDS and word.lower() not in WORD_OPERATORS:
            return ""
        what = "a name or a number" if self.number else "a name"
        return f"the value '{str(value)[:80]}' does not make {what} of '{self.word}'"


class Template:
    """The text of a record with marks; `names_attributes`: a mark stands in the name of an attribute."""

    def __init__(self, ad: Ad) -> None:
        text = unparse(ad)
        self._segments: list[list[str]] = [[]]
        self._holes: list[_Hole] = []
        self.quoted = False
        self.names_attributes = False
        done = 0
        for token in _TOKEN.finditer(text):
            if MARK in token[0]:
                self._cut(text, done, token)
                done = token.end()
        self._add(text[done:])

    def _cut(self, text: str, done: int, token: re.Match[str]) -> None:
        before, word = text[done:token.start()], token[0]
        if word[0] == '"':
            first, *others = word.split(MARK)
            self._add(before + first)
            self._segments[-1] += others
            return
        self._add(before)
        follows = text[token.end():token.end() + 3]
        named = follows == " = "
        self.quoted |= word[0] == "'"
        self.names_attributes |= named
        selected = text[token.start() - 1:token.start()] == "."
        number = not (named or selected or follows.startswith("("))
        tight = number and (follows.startswith((".", "[")) or text[token.start() - 1:token.start()] == "-")
        self._holes.append(_Hole(word, number, tight))
        self._segments.append([])

    def _add(self, text: str) -> None:
        """Text without marks: a mark in a string has just ended the piece before it."""
        here = self._segments[-1]
        if here:
            here[-1] += text
        else:
            here.append(text)

    def text(self, value: Parameter) -> str:
        """The text with one value. A value with a `problem` must not come here."""
        inside = unparse_scalar(str(value))[1:-1]
        parts = [inside.join(self._segments[0])]
        for hole, segment in zip(self._holes, self._segments[1:], strict=True):
            parts += [hole.text(value), inside.join(segment)]
        return "".join(parts)

    def problem(self, value: Parameter) -> str:
        """Why a value cannot stand at some mark, or the empty text."""
        if self.quoted:
            return f"the mark {MARK} cannot stand in a quoted name"
        return next((problem for hole in self._holes if (problem := hole.problem(value))), "")


def substituted(text: str, value: Parameter) -> str:
    """A plain text with its marks replaced."""
    return text.replace(MARK, str(value))


def _is_number(word: str) -> bool:
    return _NUMBER.fullmatch(word) is not None
