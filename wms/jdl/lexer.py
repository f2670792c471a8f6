"""JDL text to tokens, with the tolerances for text pasted from slides and editors.

Never raises: what cannot be read becomes a `bad` token that carries its reason. Grammar is the parser's.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import NamedTuple

from wms.jdl.ast import ERROR, UNDEFINED, Position, Scalar, Special, Warned

MAX_INTEGER = 2**63 - 1
MAX_STRING = 1 << 20
MAX_WARNINGS = 100
KEYWORDS: dict[str, bool | Special] = {"true": True, "false": False, "undefined": UNDEFINED, "error": ERROR}
WORD_OPERATORS = frozenset({"is", "isnt"})
SUFFIXES = {"": 1, "B": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}

_SPACE = " \t\r\n\f\v\u00a0"
_SKIP = re.compile(rf"(?:[{_SPACE}]+|//[^\n]*|/\*.*?\*/)+", re.DOTALL)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OPERATOR = re.compile(r"=\?=|=!=|>>>|[=!<>]=|<<|>>|&&|\|\||[-+*/%<>=!~&|^?:.,(){}\[\]]|;+")
_NUMBER = re.compile(
    r"(?P<hex>0[xX][0-9a-fA-F]+)(?P<s1>[KMGTkmgt]?)(?!\w)"
    r"|(?P<real>\d+\.\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+)(?P<s2>[BKMGTbkmgt]?)(?!\w)"
    r"|(?P<integer>\d+)(?P<s3>[BKMGTbkmgt]?)(?!\w)"
)
_NUMBER_LIKE = re.compile(r"\.?\d[\w.]*")
_SLANTED = "\u201c\u201d\u201e\u201f\u2033"
_APOSTROPHES = "\u2018\u2019\u201a"
_DASHES = "\u2013\u2014\u2212"
_PLAIN_BODY = re.compile(r'(?:[^"\\]|\\.)*"', re.DOTALL)
_PLAIN_LINE = re.compile(r'(?:[^"\\\n]|\\.)*"')
_SLANTED_BODY = re.compile(rf'(?:[^"{_SLANTED}\\\n]|\\.)*(?:["{_SLANTED}])')
_QUOTED_NAME = re.compile(rf"(?:[^'{_APOSTROPHES}\\\n]|\\.)+['{_APOSTROPHES}]")
_ESCAPE = re.compile(r"\\([0-3][0-7]{2}|[0-7]{1,2}|.)", re.DOTALL)
_NEWLINES = re.compile(r"[ \t\r]*\n[ \t\r]*")
_CONTROL = {"n": "\n", "t": "\t", "b": "\b", "r": "\r", "f": "\f"}
_PASTED = str.maketrans({**dict.fromkeys(_DASHES, "-"), **dict.fromkeys(_APOSTROPHES, "'"),
                         **dict.fromkeys(_SLANTED, '"')})
_BLANKS = {"\t": "a tab was read as a blank", "\r": "a carriage return was read as a blank",
           "\u00a0": "a no-break space was read as a blank"}
_DULL = re.compile(rf"[^;\[\]\"'#/\n{_SLANTED}{_APOSTROPHES}]*")
_UNREADABLE = re.compile("[\0\ud800-\udfff]")


class Token(NamedTuple):
    """kind is name, quoted, number, string, keyword, operator, bad or end.

    `text` is the name, the operator or, for bad, the reason; `value` the constant.
    """

    kind: str
    text: str
    value: Scalar
    offset: int


def _unescape(match: re.Match[str]) -> str:
    code = match[1]
    if code[0] in "01234567":
        return chr(int(code, 8))
    return _CONTROL.get(code, code)


def unescape(body: str) -> str:
    r"""The characters a string body stands for; an unknown `\c` is c."""
    return _ESCAPE.sub(_unescape, body) if "\\" in body else body


class Lexer:
    """Hands out one token at a time from `text`; remembers the tolerances it used."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.offset = 0
        self.warnings: list[Warned] = []
        self.long_string: Position | None = None
        self._unnoted = {char: message for char, message in _BLANKS.items() if char in text}
        self._rows = [0, *(match.end() for match in re.finditer("\n", text))]
        self._note_encoding()

    def position(self, offset: int) -> Position:
        row = bisect_right(self._rows, offset)
        return Position(row, offset - self._rows[row - 1] + 1)

    def offset_of(self, position: Position) -> int:
        return self._rows[position.row - 1] + position.column - 1

    def excerpt(self, offset: int, length: int = 20) -> str:
        return self.text[offset:offset + length].split("\n", 1)[0].rstrip()

    def next(self) -> Token:
        self._skip()
        start = self.offset
        text = self.text
        if start >= len(text):
            return Token("end", "end of text", UNDEFINED, start)
        if match := _NAME.match(text, start):
            return self._name(match)
        char = text[start]
        if char.isdecimal() or (char == "." and text[start + 1:start + 2].isdecimal()):
            return self._number(start)
        if char == '"' or char in _SLANTED:
            return self._string(start, char)
        if char == "'" or char in _APOSTROPHES:
            return self._quoted_name(start)
        if match := _OPERATOR.match(text, start):
            self.offset = match.end()
            return Token("operator", match[0] if char != ";" else ";", UNDEFINED, start)
        return self._oddity(start, char)

    def leap(self) -> Token:
        """The next token that may end a definition or hide such a one; what lies before is not looked at."""
        match = _DULL.match(self.text, self.offset)
        self.offset = match.end() if match else self.offset
        return self.next()

    # -- one kind of token each ----------------------------------------------------------------------------

    def _name(self, match: re.Match[str]) -> Token:
        self.offset = match.end()
        word, start = match[0], match.start()
        folded = word.lower()
        if folded in KEYWORDS:
            return Token("keyword", folded, KEYWORDS[folded], start)
        if folded in WORD_OPERATORS:
            return Token("operator", folded, UNDEFINED, start)
        return Token("name", word, UNDEFINED, start)

    def _number(self, start: int) -> Token:
        match = _NUMBER.match(self.text, start)
        if match is None:
            return self._bad(start, _NUMBER_LIKE, "not a number")
        self.offset = match.end()
        factor = SUFFIXES[(match["s1"] or match["s2"] or match["s3"] or "").upper()]
        if match["real"]:
            return self._constant(float(match["real"]) * factor, start)
        digits = match["hex"] or match["integer"]
        octal = match["hex"] is None and len(digits) > 1 and digits[0] == "0"
        if octal and ("8" in digits or "9" in digits):
            return self._bad(start, _NUMBER_LIKE, "a number that begins with 0 is octal")
        if len(digits) > 30:
            return self._bad(start, _NUMBER_LIKE, "number too large")
        return self._constant(int(digits, 16 if match["hex"] else 8 if octal else 10) * factor, start)

    def _constant(self, value: int | float, start: int) -> Token:
        """2**63 itself is left to the parser: it is legal after a minus."""
        if value == float("inf") or (isinstance(value, int) and value > MAX_INTEGER + 1):
            return Token("bad", "number too large", UNDEFINED, start)
        return Token("number", self.text[start:self.offset], value, start)

    def _string(self, start: int, opening: str) -> Token:
        match = self._string_end(start + 1, opening)
        if match is None:
            return self._bad(start, re.compile(r"[^\n]*"), "a string that never ends: '\"' expected")
        self.offset = match.end()
        body = match[0][:-1]
        if opening != '"' or match[0][-1] != '"':
            body = self._pasted(start, body)
        if "\n" in body:
            self.long_string = self.position(start)
            self._warn(start, "a line break inside a string was read as a blank")
            body = _NEWLINES.sub(" ", body)
        return self._string_token(start, unescape(body))

    def _string_token(self, start: int, value: str) -> Token:
        if "\0" in value:
            return Token("bad", "a string cannot hold the NUL character", UNDEFINED, start)
        if len(value) > MAX_STRING:
            return Token("bad", f"a string of more than {MAX_STRING} characters", UNDEFINED, start)
        return Token("string", "string", value, start)

    def _string_end(self, start: int, opening: str) -> re.Match[str] | None:
        """A straight quote ends at a straight one of its line, else at a slanted one, else lines below."""
        if opening != '"':
            return _SLANTED_BODY.match(self.text, start)
        return (_PLAIN_LINE.match(self.text, start) or _SLANTED_BODY.match(self.text, start)
                or _PLAIN_BODY.match(self.text, start))

    def _pasted(self, start: int, body: str) -> str:
        self._warn(start, "typographic quotes were read as straight ones")
        plain = body.translate(_PASTED)
        if plain != body:
            self._warn(start, "typographic characters inside a string were read as plain ones")
        return plain

    def _quoted_name(self, start: int) -> Token:
        match = _QUOTED_NAME.match(self.text, start + 1)
        if match is None:
            return self._bad(start, re.compile(r"[^\n]*"), "a quoted name that never ends: \"'\" expected")
        self.offset = match.end()
        if self.text[start] != "'" or match[0][-1] != "'":
            self._warn(start, "typographic apostrophes were read as straight ones")
        name = unescape(match[0][:-1])
        if "\0" in name:
            return Token("bad", "a name cannot hold the NUL character", UNDEFINED, start)
        return Token("quoted", name, UNDEFINED, start)

    def _oddity(self, start: int, char: str) -> Token:
        self.offset = start + 1
        if char in _DASHES:
            self._warn(start, "a typographic dash was read as a minus")
            return Token("operator", "-", UNDEFINED, start)
        if char == "#":
            return self._bad(start, re.compile(r"[^\n]*"), "a comment with # must be alone on its line")
        return Token("bad", f"character {char!r} is not allowed here", UNDEFINED, start)

    def _bad(self, start: int, extent: re.Pattern[str], reason: str) -> Token:
        match = extent.match(self.text, start)
        self.offset = max(start + 1, match.end() if match else 0)
        return Token("bad", reason, UNDEFINED, start)

    # -- what lies between ---------------------------------------------------------------------------------

    def _skip(self) -> None:
        while True:
            if match := _SKIP.match(self.text, self.offset):
                if self._unnoted:
                    self._note_blanks(match)
                self.offset = match.end()
            if not self._comment_line():
                return

    def _comment_line(self) -> bool:
        """`#` is a comment only as the first thing of its line."""
        if self.text[self.offset:self.offset + 1] != "#":
            return False
        row = bisect_right(self._rows, self.offset)
        if self.text[self._rows[row - 1]:self.offset].strip(_SPACE + "\ufeff"):
            return False
        end = self.text.find("\n", self.offset)
        self.offset = len(self.text) if end < 0 else end
        return True

    def _note_encoding(self) -> None:
        if self.text.startswith("\ufeff"):
            self.offset = 1
            self._warn(0, "a byte order mark was skipped")

    def _note_blanks(self, match: re.Match[str]) -> None:
        """Warn of each unusual blank where it first stands."""
        for char in [char for char in self._unnoted if char in match[0]]:
            self._warn(match.start() + match[0].index(char), self._unnoted.pop(char))

    def _warn(self, offset: int, message: str) -> None:
        if len(self.warnings) < MAX_WARNINGS:
            self.warnings.append(Warned(*self.position(offset), message))


def unreadable(text: str) -> int | None:
    """Offset of the first character no JDL may hold (NUL, half of a surrogate pair)."""
    match = _UNREADABLE.search(text)
    return match.start() if match else None
