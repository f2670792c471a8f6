"""JDL text to tokens, with the tolerances for text pasted from slides and editors.

Never raises: what cannot be read is a `bad` token that carries its reason. Grammar is not here.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import Final

from wms.jdl import literals
from wms.jdl.ast import ERROR, UNDEFINED, Position, Scalar, Special, Warned
from wms.jdl.limits import MAX_EXPRESSION, MAX_FOLDED, MAX_STRING, MAX_TOKENS, MAX_WARNINGS
from wms.jdl.literals import APOSTROPHES, DASHES, SLANTED, Read

KEYWORDS: Final[dict[str, bool | Special]] = {
    "true": True, "false": False, "undefined": UNDEFINED, "error": ERROR}
WORD_OPERATORS: Final = frozenset({"is", "isnt"})
_WORDS = WORD_OPERATORS | KEYWORDS.keys()

_SPACE = " \t\r\n\f\v\u00a0"
_BLANK = re.compile(f"[{_SPACE}]+")
_DULL = re.compile(rf"[^;\[\]\"'#/{SLANTED}{APOSTROPHES}]*")
_UNREADABLE = re.compile("[\0\ud800-\udfff]")
_ORDINARY = (
    r"(?:([A-Za-z_][A-Za-z0-9_]*)"
    r"|(=\?=|=!=|>>>|[=!<>]=|<<|>>|&&|\|\||/(?![/*])|\.(?![0-9])|[-+*%<>=!~&|^?:,(){}\[\]]|;+)"
    r'|("[^"\\\n]*")|((?:0|[1-9][0-9]{0,17})(?![\w.])))')
_TOKEN = re.compile(f"[{_SPACE}]*{_ORDINARY}")
_AFTER_PLAIN_BLANKS = re.compile(f"[ \n]*{_ORDINARY}")
_INK = r"A-Za-z0-9_,;=<>!&|+*%?:()~^ \n\-"
_FOLDS = 4
"""Levels of brackets in a record that is stepped over unread."""


def _record(ink: str) -> re.Pattern[str]:
    """A record without comments, quoted names and escapes, before the end of its definition or item."""
    flat = rf'[{ink}]++|\.(?!")|/(?![/*])|"[^"\\\x00-\x1f\x7f-\x9f\ue000\ue001]*+"'
    inside = f"(?:{flat})*+"
    for _ in range(_FOLDS):
        inside = rf"(?:{flat}|[\[{{]{inside}[\]}}])*+"
    return re.compile(rf"\[{inside}\](?=[{_SPACE}]*[;,\]}}])")


_RECORD, _RECORD_OF_PLAIN_BLANKS = _record(_INK + r"\t\r\xa0"), _record(_INK)
_PAIR = re.compile(r"\{ *([A-Za-z_][A-Za-z0-9_]*) *, *([A-Za-z_][A-Za-z0-9_]*) *\}")
_UNUSUAL_BLANKS = {"\t": "a tab was read as a blank", "\r": "a carriage return was read as a blank",
                   "\u00a0": "a no-break space was read as a blank"}
_NAME, _OPERATOR, _INTEGER = 1, 2, 4
_PARTING = frozenset({";", ",", "&&", "||"})
_TOO_LONG = f"at most {MAX_TOKENS} tokens and {MAX_EXPRESSION} characters in an expression"


class Lexer:
    """Stands on one token of `source`: its `kind`, `text`, `value`, and where it begins (`offset`) and ends.

    `kind` is name, quoted, number, string, keyword, bad, end, or the operator itself. `text` is the name or,
    for bad, the reason; `value` that of a constant.
    """

    def __init__(self, source: str, most_tokens: int) -> None:
        self.source = source
        self.kind, self.text, self.offset, self.end = "end", "", 0, 0
        self.value: Scalar = UNDEFINED
        self.warnings: list[Warned] = []
        self.broken_string: Position | None = None
        self._rows = [0, *(match.end() for match in re.finditer("\n", source))]
        self._last_comment_end = source.rfind("*/")
        self._endless = False
        self._unnoted = {char: message for char, message in _UNUSUAL_BLANKS.items() if char in source}
        self._pattern = _AFTER_PLAIN_BLANKS if self._unnoted else _TOKEN
        self._tokens, self._spare = 0, most_tokens
        self._begin_stretch()
        if source.startswith("\ufeff"):
            self.end = 1
            self._warn(0, "a byte order mark was skipped")

    # -- places ------------------------------------------------------------------------------------------

    def position(self) -> Position:
        """Of the token."""
        offset = self.offset
        row = bisect_right(self._rows, offset)
        return Position(row, offset - self._rows[row - 1] + 1)

    def position_of(self, offset: int) -> Position:
        row = bisect_right(self._rows, offset)
        return Position(row, offset - self._rows[row - 1] + 1)

    def offset_of(self, position: Position) -> int:
        return self._rows[position.row - 1] + position.column - 1

    def excerpt(self, offset: int, length: int = 20) -> str:
        return self.source[offset:offset + length].split("\n", 1)[0].rstrip()

    # -- movement ----------------------------------------------------------------------------------------

    def advance(self) -> None:
        """To the next token."""
        match = self._pattern.match(self.source, self.end)
        if match is None:
            self._skip()
            match = self._pattern.match(self.source, self.end)
        if match is None:
            self._unusual()
        else:
            self._ordinary(match)
        self._tokens -= 1
        if self._tokens < 0 or self.end > self._fence:
            self._too_long()

    def _begin_stretch(self) -> None:
        """Here begins what is counted on its own against the limits of an expression."""
        self._spare += self._tokens
        self._tokens = min(MAX_TOKENS, self._spare)
        self._spare -= self._tokens
        self._fence = self.end + MAX_EXPRESSION

    def leap(self) -> None:
        """To the next token that may end a definition or hide such a one; what lies before is not looked at."""
        match = _DULL.match(self.source, self.end)
        self.end = match.end() if match else self.end
        self._begin_stretch()
        self.advance()

    def record(self) -> tuple[int, int] | None:
        """Steps over a record that nothing needs to be said of; it is (start, end). The lexer stands on its bracket."""
        pattern = _RECORD_OF_PLAIN_BLANKS if self._unnoted else _RECORD
        match = pattern.match(self.source, self.offset, self.offset + MAX_FOLDED)
        return None if match is None else self._over(match)

    def pair(self) -> tuple[tuple[str, int], tuple[str, int]] | None:
        """Steps over `{name,name}`; names with where they begin. The lexer stands on its bracket."""
        match = _PAIR.match(self.source, self.offset)
        if match is None or match[1].lower() in _WORDS or match[2].lower() in _WORDS:
            return None
        self._over(match)
        return (match[1], match.start(1)), (match[2], match.start(2))

    def _over(self, match: re.Match[str]) -> tuple[int, int]:
        self.end = match.end()
        self._begin_stretch()
        self.advance()
        return match.span()

    def _too_long(self) -> None:
        if self.kind not in ("end", "bad"):
            self.kind, self.text = "bad", _TOO_LONG

    # -- tokens ------------------------------------------------------------------------------------------

    def _ordinary(self, match: re.Match[str]) -> None:
        """What most texts are made of: names, operators, plain strings and integers."""
        which = match.lastindex or 0
        self.offset, self.end = match.span(which)
        word = match[which]
        if which == _NAME:
            self._word(word)
        elif which == _OPERATOR:
            self.kind = word if word[0] != ";" else ";"
            if self.kind in _PARTING:
                self._begin_stretch()
        elif which == _INTEGER:
            self.kind, self.value = "number", int(word)
        elif len(word) > MAX_STRING + 2:
            self._found("string", literals.string(self.source, self.offset))
        else:
            self.kind, self.value = "string", word[1:-1]
            self._fence += len(word)

    def _word(self, word: str) -> None:
        folded = word.lower()
        if folded in KEYWORDS:
            self.kind, self.text, self.value = "keyword", folded, KEYWORDS[folded]
        elif folded in WORD_OPERATORS:
            self.kind = folded
        else:
            self.kind, self.text = "name", word

    def _unusual(self) -> None:
        start = self.offset = self.end
        char = self.source[start:start + 1]
        if not char:
            self.kind, self.text = "end", ""
        elif char in ".0123456789":
            self._found("number", literals.number(self.source, start))
        elif char in SLANTED or char == '"':
            self._string(start, char)
        elif char == "'" or char in APOSTROPHES:
            self._found("quoted", literals.quoted_name(self.source, start))
        elif char in DASHES:
            self.kind, self.end = "-", start + 1
            self._warn(start, "a typographic dash was read as a minus")
        elif char == "#":
            self._bad("a comment with # must be alone on its line", self._line_end(start))
        elif char == "/":
            self._bad("a comment that never ends: '*/' expected", self._line_end(start))
        else:
            self._bad(f"character {char!r} is not allowed here", start + 1)

    def _string(self, start: int, quote: str) -> None:
        """A straight quote that nothing closes is looked for once: none behind it is closed either."""
        if self._endless and quote == '"':
            self._bad("a string that never ends: '\"' expected", self._line_end(start))
            return
        read = literals.string(self.source, start)
        self._endless = self._endless or (quote == '"' and read.wrong.startswith("a string that never ends"))
        self._found("string", read)

    def _found(self, kind: str, read: Read) -> None:
        if read.wrong:
            self._bad(read.wrong, read.end)
            return
        self.kind, self.text, self.value = kind, str(read.value), read.value
        if kind == "string":
            self._fence += read.end - self.offset
        for tolerance in read.tolerances:
            self._warn(self.offset, tolerance)
            if tolerance == literals.BROKEN:
                self.broken_string = self.position()
        self.end = read.end

    def _bad(self, reason: str, end: int) -> None:
        self.kind, self.text, self.end = "bad", reason, end

    # -- what lies between -------------------------------------------------------------------------------

    def _skip(self) -> None:
        """Over blanks and comments, which count against no limit."""
        start = self.end
        while self._blanks() or self._comment() or self._comment_line():
            pass
        self._fence += self.end - start

    def _blanks(self) -> bool:
        match = _BLANK.match(self.source, self.end)
        if match is None:
            return False
        for char in [char for char in self._unnoted if char in match[0]]:
            self._warn(match.start() + match[0].index(char), self._unnoted.pop(char))
        if not self._unnoted:
            self._pattern = _TOKEN
        self.end = match.end()
        return True

    def _comment(self) -> bool:
        """`// ...` to the end of the line, and `/* ... */`."""
        start = self.end
        if self.source.startswith("//", start):
            self.end = self._line_end(start)
        elif self.source.startswith("/*", start) and start + 2 <= self._last_comment_end:
            self.end = self.source.index("*/", start + 2) + 2
        return self.end > start

    def _comment_line(self) -> bool:
        """`#` is a comment only as the first thing of its line."""
        start = self.end
        if not self.source.startswith("#", start):
            return False
        row = bisect_right(self._rows, start)
        if self.source[self._rows[row - 1]:start].strip(_SPACE + "\ufeff"):
            return False
        self.end = self._line_end(start)
        return True

    def _line_end(self, start: int) -> int:
        end = self.source.find("\n", start)
        return len(self.source) if end < 0 else end

    def _warn(self, offset: int, message: str) -> None:
        if len(self.warnings) < MAX_WARNINGS:
            self.warnings.append(Warned(*self.position_of(offset), message))


def unreadable(text: str) -> int | None:
    """Offset of the first character no JDL may hold (NUL, half of a surrogate pair)."""
    match = _UNREADABLE.search(text)
    return match.start() if match else None
