"""The functions of text: strings, conversions to and from them, regular expressions, points in time.

Each takes and gives values; which names call them stands in functions.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

from wms.jdl.ast import ERROR, UNDEFINED, Special
from wms.jdl.operators import number
from wms.jdl.regexps import MAX_SUBJECT, Pattern, pattern
from wms.jdl.unparse import unparse, unparse_scalar
from wms.jdl.values import Value, tree

Spend = Callable[[int], None]

_NUMERAL = re.compile(
    r"\s*(?:(?P<hex>[+-]?0[xX][0-9a-fA-F]+)|(?P<ten>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?))", re.ASCII)
_INFINITE = re.compile(r"\s*([+-]?)(inf|nan)", re.IGNORECASE)
_GROUP = re.compile(r"\\(\d)")
_DIRECTIVE = re.compile(r"%(.)")
_DIRECTIVES = frozenset("aAbBcCdDeFgGhHIjklmMnpPrRStTuUVwWxXyYzZ%")
_CLOCK = re.compile(
    r"(?P<sign>-?)(?:(?P<d>\d+)\+)?(?:(?P<h>\d+):)?(?:(?P<m>\d+):)?(?P<s>\d+(?:\.\d+)?)", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


# -- conversions -----------------------------------------------------------------------------------------


def text_of(value: Value) -> str | Special:
    """A value as text: strings bare, reals as `1.500000000000000E+00`, UNDEFINED and ERROR themselves."""
    match value:
        case Special() | str():
            return value
        case float():
            return f"{value:.15E}" if value else unparse_scalar(value)
        case list() | dict():
            return unparse(tree(value))
    return unparse_scalar(value)


def to_number(value: Value) -> int | float | Special:
    """Numbers are themselves, text is read up to where it stops being a number."""
    if isinstance(value, bool | int | float | Special):
        return value
    if not isinstance(value, str):
        return ERROR
    if match := _NUMERAL.match(value):
        if match["hex"]:
            return int(match["hex"], 16)
        digits = match["ten"]
        return int(digits) if len(digits) < 20 and digits.lstrip("+-").isdigit() else float(digits)
    if match := _INFINITE.match(value):
        return float(match[1] + match[2])
    return ERROR


def to_integer(value: Value) -> Value:
    found = to_number(value)
    if isinstance(found, Special):
        return found
    try:
        return number(int(found))
    except (OverflowError, ValueError):
        return ERROR


def to_real(value: Value) -> Value:
    found = to_number(value)
    try:
        return found if isinstance(found, Special) else float(found)
    except OverflowError:
        return ERROR


def to_bool(value: Value) -> Value:
    match value:
        case Special() | bool():
            return value
        case str():
            return {"true": True, "false": False}.get(value.lower(), UNDEFINED)
        case int() | float():
            return value != 0
    return ERROR


# -- strings ---------------------------------------------------------------------------------------------


def texts_of(values: tuple[Value, ...]) -> list[str] | Special:
    """All values as text, or the first that has none."""
    texts: list[str] = []
    for value in values:
        text = text_of(value)
        if isinstance(text, Special):
            return text
        texts.append(text)
    return texts


def strcat(*values: Value) -> Value:
    texts = texts_of(values)
    return texts if isinstance(texts, Special) else "".join(texts)


def join(*values: Value) -> Value:
    """`join(separator, list)` or `join(separator, a, b...)` or `join(list)`; UNDEFINED items are left out.

    Of nothing but UNDEFINED items it is UNDEFINED.
    """
    if len(values) == 1 and isinstance(values[0], list):
        values = ("", values[0])
    separator = "" if not values or values[0] is UNDEFINED else text_of(values[0])
    items = values[1] if len(values) == 2 and isinstance(values[1], list) else values[1:]
    known = tuple(item for item in items if item is not UNDEFINED)
    if items and not known:
        return UNDEFINED
    texts = texts_of(known)
    if isinstance(separator, Special) or isinstance(texts, Special):
        return ERROR
    return separator.join(texts)


def substr(text: Value, start: Value, length: Value = 1 << 62) -> Value:
    """Negative `start` counts from the end, negative `length` leaves so many off the end."""
    for value in (text, start, length):
        if isinstance(value, Special):
            return value
    if not (isinstance(text, str) and type(start) is int and type(length) is int):
        return ERROR
    first = min(start, len(text)) if start >= 0 else max(0, len(text) + start)
    last = first + length if length >= 0 else len(text) + length
    return text[first:max(first, last)]


def cased(change: Callable[[str], str]) -> Callable[[Value], Value]:
    def apply(value: Value) -> Value:
        text = text_of(value)
        return text if isinstance(text, Special) else change(text)

    return apply


def ordered(fold: Callable[[str], str]) -> Callable[[Value, Value], Value]:
    """-1, 0 or 1 as the first text comes before, with or after the second."""

    def apply(left: Value, right: Value) -> Value:
        texts = texts_of((left, right))
        if isinstance(texts, Special):
            return texts
        first, second = map(fold, texts)
        return (first > second) - (first < second)

    return apply


# -- regular expressions ---------------------------------------------------------------------------------


def _search(spend: Spend, *values: Value) -> tuple[Pattern, list[str]] | Special:
    """The pattern (first), compiled with its options (last), and all texts; the first two must be bounded."""
    if ERROR in values:
        return ERROR
    if UNDEFINED in values:
        return UNDEFINED
    texts = [value for value in values if isinstance(value, str)]
    found = pattern(texts[0], texts[-1]) if len(texts) == len(values) else None
    if found is None or len(texts[1]) > MAX_SUBJECT:
        return ERROR
    spend(found.cost(texts[1]) // 1000)
    return found, texts


def regexp(spend: Spend, expression: Value, subject: Value, options: Value = "") -> Value:
    """True when the pattern is found anywhere in the subject."""
    found = _search(spend, expression, subject, options)
    return found if isinstance(found, Special) else found[0].compiled.search(found[1][1]) is not None


def regexp_member(spend: Spend, expression: Value, items: Value, options: Value = "") -> Value:
    """True when the pattern is found in any string of the list."""
    if isinstance(items, Special) or isinstance(expression, Special):
        return ERROR if ERROR in (expression, items) else UNDEFINED
    if not isinstance(items, list):
        return ERROR
    unknown = False
    for item in items:
        answer = regexp(spend, expression, item, options)
        if answer is True or answer is ERROR:
            return answer
        unknown = unknown or answer is UNDEFINED
    return UNDEFINED if unknown else False


def substitution(*, everywhere: bool, whole: bool) -> Callable[..., Value]:
    r"""`(pattern, subject, template [, options])`, `\1` in the template being the first group.

    `everywhere` replaces all matches, `whole` keeps the text around them.
    """

    def apply(spend: Spend, expression: Value, subject: Value, template: Value, options: Value = "") -> Value:
        found = _search(spend, expression, subject, template, options)
        if isinstance(found, Special):
            return found
        search, (_, text, model, letters) = found
        matches = list(search.compiled.finditer(text))[:None if everywhere or "g" in letters.lower() else 1]
        groups = [int(group[1]) for group in _GROUP.finditer(model)]
        if len(model) > MAX_SUBJECT or (matches and max(groups, default=0) > search.compiled.groups):
            return ERROR
        return _assembled(text, matches, model, whole or "f" in letters.lower())

    return apply


def _assembled(text: str, matches: list[re.Match[str]], model: str, whole: bool) -> str:
    parts, end = [], 0
    for match in matches:
        parts += [text[end:match.start()] if whole else "", _expanded(match, model)]
        end = match.end()
    return "".join([*parts, text[end:] if whole else ""])


def _expanded(match: re.Match[str], model: str) -> str:
    return _GROUP.sub(lambda group: match[int(group[1])] or "", model)


# -- time ------------------------------------------------------------------------------------------------


def format_time(seconds: Value, form: Value = "%c") -> Value:
    """A point in time in UTC by the directives of strftime (no widths)."""
    if isinstance(seconds, Special) or isinstance(form, Special):
        return ERROR if ERROR in (seconds, form) else UNDEFINED
    if not (isinstance(seconds, int | float) and isinstance(form, str)) or len(form) > MAX_SUBJECT:
        return ERROR
    if any(match[1] not in _DIRECTIVES for match in _DIRECTIVE.finditer(form)) or "\0" in form:
        return ERROR
    try:
        return (_EPOCH + timedelta(seconds=seconds)).strftime(form)
    except (OverflowError, ValueError):
        return ERROR


def abs_time(value: Value, offset: Value = 0) -> Value:
    """Seconds since 1970 of ISO 8601 text or of a number; `offset` (s) is the zone of text without one."""
    if isinstance(value, Special) or isinstance(offset, Special):
        return ERROR if ERROR in (value, offset) else UNDEFINED
    if not isinstance(value, str):
        return to_integer(value)
    try:
        zone = timezone(timedelta(seconds=offset if isinstance(offset, int) else 86400))
        read = datetime.fromisoformat(value)
        return int(((read if read.tzinfo else read.replace(tzinfo=zone)) - _EPOCH).total_seconds())
    except (ValueError, OverflowError):
        return ERROR


def rel_time(value: Value) -> Value:
    """Seconds (real) of a number or of `days+hours:minutes:seconds`."""
    if not isinstance(value, str):
        return to_real(value)
    match = _CLOCK.fullmatch(value.strip())
    if match is None:
        return ERROR
    hours, minutes = (match["h"], match["m"]) if match["m"] else (None, match["h"])
    days, hours, minutes, seconds = (float(part or 0) for part in (match["d"], hours, minutes, match["s"]))
    total = days * 86400 + hours * 3600 + minutes * 60 + seconds
    return number(-total if match["sign"] else total)


CONVERSIONS: Final[dict[str, Callable[[Value], Value]]] = {
    "int": to_integer, "real": to_real, "string": text_of, "bool": to_bool,
}
