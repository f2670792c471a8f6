"""Constants and quoted names of JDL text: what the characters from some offset on stand for.

Never raises: what cannot be read has a reason. Which characters begin a constant is the lexer's to know.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from wms.jdl.ast import UNDEFINED, Scalar
from wms.jdl.limits import MAX_STRING

MAX_INTEGER: Final = 2**63 - 1
SLANTED: Final = "\u201c\u201d\u201e\u201f\u2033"
APOSTROPHES: Final = "\u2018\u2019\u201a"
DASHES: Final = "\u2013\u2014\u2212"
BROKEN: Final = "a line break inside a string was read as a blank"

_SUFFIXES: Final = {"": 1, "B": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_NUMBER = re.compile(
    r"(?P<hex>0[xX][0-9a-fA-F]+)(?P<s1>[KMGTkmgt]?)(?!\w)"
    r"|(?P<real>[0-9]+\.[0-9]*(?:[eE][+-]?[0-9]+)?|\.[0-9]+(?:[eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+)"
    r"(?P<s2>[BKMGTbkmgt]?)(?!\w)"
    r"|(?P<integer>[0-9]+)(?P<s3>[BKMGTbkmgt]?)(?!\w)"
)
_NUMBER_LIKE = re.compile(r"\.?[0-9][\w.]*")
_LINE = re.compile(r"[^\n]*")
_PLAIN_BODY = re.compile(r'(?:[^"\\]|\\.)*+"', re.DOTALL)
_PLAIN_LINE = re.compile(r'(?:[^"\\\n]|\\.)*+"')
_SLANTED_BODY = re.compile(rf'(?:[^"{SLANTED}\\\n]|\\.)*+["{SLANTED}]')
_QUOTED_NAME = re.compile(rf"(?:[^'{APOSTROPHES}\\\n]|\\.)++['{APOSTROPHES}]")
_ESCAPE = re.compile(r"\\([0-3][0-7]{2}|[0-7]{1,2}|.)", re.DOTALL)
_NEWLINES = re.compile(r"[ \t\r]*\n[ \t\r]*")
_CONTROL = {"n": "\n", "t": "\t", "b": "\b", "r": "\r", "f": "\f"}
_PASTED = str.maketrans({**dict.fromkeys(DASHES, "-"), **dict.fromkeys(APOSTROPHES, "'"),
                         **dict.fromkeys(SLANTED, '"')})


class Read(NamedTuple):
    """Where a constant ends, its value or (`wrong`) why it has none, and the tolerances that were used."""

    end: int
    value: Scalar = UNDEFINED
    wrong: str = ""
    tolerances: tuple[str, ...] = ()


# -- numbers ---------------------------------------------------------------------------------------------


def number(source: str, start: int) -> Read:
    """2**63 itself is left to the grammar: it is legal after a minus."""
    match = _NUMBER.match(source, start)
    if match is None:
        return _not_read(_NUMBER_LIKE, source, start, "not a number")
    factor = _SUFFIXES[(match["s1"] or match["s2"] or match["s3"] or "").upper()]
    if match["real"]:
        return _bounded(match, float(match["real"]) * factor)
    digits = match["hex"] or match["integer"]
    octal = match["hex"] is None and len(digits) > 1 and digits[0] == "0"
    if octal and ("8" in digits or "9" in digits):
        return Read(match.end(), wrong="a number that begins with 0 is octal")
    if len(digits) > 30:
        return Read(match.end(), wrong="number too large")
    return _bounded(match, int(digits, 16 if match["hex"] else 8 if octal else 10) * factor)


def _bounded(match: re.Match[str], value: int | float) -> Read:
    if value == float("inf") or (isinstance(value, int) and value > MAX_INTEGER + 1):
        return Read(match.end(), wrong="number too large")
    return Read(match.end(), value)


# -- strings and quoted names ----------------------------------------------------------------------------


def string(source: str, start: int) -> Read:
    """A straight quote ends at a straight one of its line, else at a slanted one, else lines below."""
    opening, body = source[start], start + 1
    if opening == '"':
        match = (_PLAIN_LINE.match(source, body) or _SLANTED_BODY.match(source, body)
                 or _PLAIN_BODY.match(source, body))
    else:
        match = _SLANTED_BODY.match(source, body)
    if match is None:
        return _not_read(_LINE, source, start, "a string that never ends: '\"' expected")
    text = match[0][:-1]
    notes: list[str] = []
    if opening != '"' or match[0][-1] != '"':
        text, notes = _straightened(text)
    if "\n" in text:
        text, notes = _NEWLINES.sub(" ", text), [*notes, BROKEN]
    return _text(match.end(), unescape(text), tuple(notes))


def _straightened(text: str) -> tuple[str, list[str]]:
    plain = text.translate(_PASTED)
    notes = ["typographic quotes were read as straight ones"]
    return plain, notes if plain == text else [*notes, "typographic characters inside a string were read as plain ones"]


def _text(end: int, value: str, tolerances: tuple[str, ...]) -> Read:
    if "\0" in value:
        return Read(end, wrong="a string cannot hold the NUL character")
    if len(value) > MAX_STRING:
        return Read(end, wrong=f"a string of more than {MAX_STRING} characters")
    return Read(end, value, "", tolerances)


def quoted_name(source: str, start: int) -> Read:
    match = _QUOTED_NAME.match(source, start + 1)
    if match is None:
        return _not_read(_LINE, source, start, "a quoted name that never ends: \"'\" expected")
    name = unescape(match[0][:-1])
    if "\0" in name:
        return Read(match.end(), wrong="a name cannot hold the NUL character")
    straight = source[start] == "'" == match[0][-1]
    return Read(match.end(), name, "", () if straight else ("typographic apostrophes were read as straight ones",))


def unescape(body: str) -> str:
    r"""The characters a string body stands for; an unknown `\c` is c."""
    return _ESCAPE.sub(_unescape, body) if "\\" in body else body


def _unescape(match: re.Match[str]) -> str:
    code = match[1]
    if code[0] in "01234567":
        return chr(int(code, 8))
    return _CONTROL.get(code, code)


def _not_read(extent: re.Pattern[str], source: str, start: int, reason: str) -> Read:
    match = extent.match(source, start)
    return Read(max(start + 1, match.end() if match else 0), wrong=reason)
