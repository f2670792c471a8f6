"""The three ways in which conditions are written: in a URL, in lines, in JSON. Errors say where.

Not what they mean (lb.queries.conditions).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NoReturn
from urllib.parse import unquote_plus

import msgspec

from lb.queries.condition_values import Asked
from lb.queries.conditions import JOBS, SPELLINGS, Condition, Conditions, Operator, Table, condition, grouped
from wms.errors import Refused
from wms.operations.bookkeeping import Given as Given

MAX_TEXT = 200_000
_HEAD = re.compile(r"\s*([A-Za-z_]+)\s*(?:[:.]([^=<>|]+))?")
_ALTERNATIVE = re.compile(r"\s*(<>|><|=|<|>)([^|]*)")
_LINE_HEAD = re.compile(r'([^\s=<>@!;":-]+)(?::([^\s=<>@!;"]+?))?(?=\s|->|[=<>@!]|$)')
_SIGN = re.compile(r"\s*(<>|><|!=|==|->|=|<|>|@|(?:within|changed)\b)", re.IGNORECASE)
_WORD = re.compile(r'[ \t]*(?:"([^"\n]*)"|([^\s;"]+))')
_VALUES = {Operator.CHANGED: 0, Operator.WITHIN: 2}


GivenConditions = tuple[tuple[Given, ...], ...]
_read_given = msgspec.json.Decoder(GivenConditions).decode
_read = msgspec.json.Decoder(Conditions).decode
_write = msgspec.json.Encoder().encode


def from_json(data: bytes | str, asked: Asked, *, table: Table = JOBS, changes: bool = False) -> Conditions:
    """`[[{"attribute": "owner", "operator": "=", "value": ""}, ...], ...]`: an AND of ORs."""
    try:
        return from_given(_read_given(data), asked, table=table, changes=changes)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refused(f"The conditions are not a list of lists of conditions: {error}.") from None


def from_given(groups: Sequence[Sequence[Given]], asked: Asked, *, table: Table = JOBS,
               changes: bool = False) -> Conditions:
    """The same, decoded already. Raises Refused with the numbers of the group and of the condition, from 1."""
    return grouped((
        [_placed(f"group {number}, condition {place}", table, one, asked) for place, one in enumerate(group, 1)]
        for number, group in enumerate(groups, 1)), changes=changes)


def from_url(text: str, asked: Asked, *, table: Table = JOBS, encoded: bool = True) -> Conditions:
    """`attr=val&attr<val|=val2`: `&` joins groups, alternatives after `|` repeat only the operator.

    `usertag:NAME=val`, `time:STATE>val` and `jdl:NAME=val` are about a tag, a state and an attribute of the
    description. `text` is as it stands in the URL unless it is not `encoded`. Raises Refused with the position.
    """
    _check_length(text)
    clauses = [unquote_plus(clause) if encoded else clause for clause in text.split("&")]
    return grouped(list(_clause(number, clause, asked, table)) for number, clause in enumerate(clauses, 1) if clause)


def _clause(number: int, text: str, asked: Asked, table: Table) -> Iterator[Condition]:
    head = _HEAD.match(text)
    if head is None:
        _wanted("an attribute", number, 0, text)
    at = head.end()
    while True:
        found = _ALTERNATIVE.match(text, at)
        if found is None:
            _wanted("one of = <> >< < >", number, at, text)
        given = Given(head[1], found[1], found[2], None, (head[2] or "").strip())
        yield _placed(_where(number, at), table, given, asked)
        at = found.end() + 1
        if at > len(text):
            return


def from_lines(text: str, asked: Asked, *, table: Table = JOBS, changes: bool = False) -> Conditions:
    """A group a line, its alternatives one after another: `attr op value`; values with blanks in quotes.

    After the values stands the state of `time` and the attribute of `jdl_attr`, unless written as `time:STATE`.
    Operators are = <> < > @ (within, two values) and -> (changed). An attribute that nobody knows is a user tag.
    """
    _check_length(text)
    lines = [(number, line.strip("; \t\r")) for number, line in enumerate(text.split("\n"), 1)]
    return grouped((list(_line(number, line, asked, table)) for number, line in lines
                    if line and not line.startswith("#")), changes=changes)


def _line(number: int, text: str, asked: Asked, table: Table) -> Iterator[Condition]:
    at = 0
    while at < len(text):
        given, after = _given(number, text, at, table)
        yield _placed(_where(number, at), table, given, asked)
        at = len(text) - len(text[after:].lstrip("; \t"))


def _given(number: int, text: str, at: int, table: Table) -> tuple[Given, int]:
    """The condition that begins at `at`, and where it ends."""
    head = _LINE_HEAD.match(text, at)
    sign = _SIGN.match(text, head.end()) if head else None
    if head is None or sign is None:
        _wanted("an attribute and an operator", number, at if head is None else head.end(), text)
    attribute, name = head[1], head[2] or ""
    row, operator = table.get(attribute.lower()), SPELLINGS[sign[1].lower()]
    if row is None and table is JOBS and not name:
        attribute, name = "usertag", attribute
    last = bool(row and row.needs and not name)
    words, end = _words(number, text, sign.end(), _VALUES.get(operator, 1) + last)
    name = words.pop() if last else name
    first, second, *_rest = *words, "", ""
    return Given(attribute, operator, first, second, name), end


def _words(number: int, text: str, at: int, count: int) -> tuple[list[str], int]:
    """So many values, bare or in quotes, and where they end."""
    words: list[str] = []
    while len(words) < count:
        word = _WORD.match(text, at)
        if word is None:
            _wanted("a value", number, at, text)
        words.append(word[2] if word[1] is None else word[1])
        at = word.end()
    return words, at


def to_lines(conditions: Conditions) -> str:
    """Conditions as `from_lines` reads them; a quote in a value cannot be written so."""
    return "".join(" ".join(map(_written, group)) + "\n" for group in conditions)


def _written(one: Condition) -> str:
    head = f"{one.attribute}:{one.name}" if one.name else one.attribute
    values = {Operator.CHANGED: (), Operator.WITHIN: (one.value, one.value2)}.get(one.operator, (one.value,))
    return " ".join((head, one.operator, *(f'"{value}"' for value in values)))


def encoded(conditions: Conditions) -> bytes:
    """Canonical conditions as JSON, to be kept."""
    return _write(conditions)


def decoded(data: bytes) -> Conditions:
    """What was kept."""
    return _read(data)


def _placed(where: str, table: Table, given: Given, asked: Asked) -> Condition:
    try:
        return condition(table, given.attribute, given.operator, given.value, given.value2, given.name, asked=asked)
    except Refused as error:
        raise Refused(f"In the conditions, {where}: {error.message}.", hint=error.hint, where=where) from error


def _where(number: int, at: int) -> str:
    return f"part {number}, character {at + 1}"


def _wanted(what: str, number: int, at: int, text: str) -> NoReturn:
    where = _where(number, at)
    raise Refused(f"In the conditions, {where}: {what} is wanted, not '{text[at:at + 30]}'.", where=where)


def _check_length(text: str) -> None:
    if len(text) > MAX_TEXT:
        raise Refused(f"The conditions are longer than {MAX_TEXT} characters.", limit=MAX_TEXT)


__all__ = ["Given", "decoded", "encoded", "from_given", "from_json", "from_lines", "from_url",
           "to_lines"]
