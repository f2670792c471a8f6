"""Reads LDIF (RFC 2849): entries of a directory as text. Pure; only entries, no changes and no URLs.

An entry that cannot be read is refused with its line, the others go on. Not what entries mean (glue13, glue2).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator

from wm.supply.purchasers.records import Record, record
from wms.errors import ConfigError

MAX_FILE = 64 * 1024 * 1024
MAX_LINES = 2_000
"""Most lines of one entry."""
_LINE = re.compile(r"([A-Za-z][A-Za-z0-9.-]*(?:;[A-Za-z0-9-]+)*):([:<]?) *(.*)", re.DOTALL)
_Line = tuple[int, str]


def parse(text: str, origin: str = "<ldif>") -> tuple[list[Record], list[str]]:
    """The entries of a text and a sentence for each that is refused; ConfigError for a text that is too long."""
    if len(text) > MAX_FILE:
        raise ConfigError(f"{origin}: {len(text)} characters, more than {MAX_FILE}")
    records: list[Record] = []
    refused: list[str] = []
    for lines in _entries(text):
        try:
            if lines[0][1].casefold().startswith("version:"):
                lines = lines[1:]
            if lines:
                records.append(_record(lines))
        except ValueError as error:
            refused.append(f"{origin}: {error}")
    return records, refused


def _entries(text: str) -> Iterator[list[_Line]]:
    """Lines of each entry with their numbers, unfolded, without comments."""
    lines: list[_Line] = []
    for number, line in _unfolded(text):
        if line and not line.startswith("#"):
            lines.append((number, line))
        elif not line and lines:
            yield lines
            lines = []
    if lines:
        yield lines


def _unfolded(text: str) -> Iterator[_Line]:
    number, parts = 0, [""]
    for here, line in enumerate([*text.split("\n"), ""], 1):
        if line.startswith(" "):
            parts.append(line.removesuffix("\r")[1:])
        else:
            yield number, "".join(parts)
            number, parts = here, [line.removesuffix("\r")]


def _record(lines: list[_Line]) -> Record:
    """Raises ValueError with a sentence."""
    if len(lines) > MAX_LINES:
        raise ValueError(f"line {lines[0][0]}: an entry of {len(lines)} lines, more than {MAX_LINES}")
    pairs = [_pair(*line) for line in lines]
    if pairs[0][0].casefold() != "dn":
        raise ValueError(f"line {lines[0][0]}: an entry begins with dn:")
    if pairs[1:] and pairs[1][0].casefold() == "changetype":
        raise ValueError(f"line {lines[1][0]}: entries are wanted, not changes")
    return record(pairs[0][1], [(name, (text,)) for name, text in pairs[1:]])


def _pair(number: int, line: str) -> tuple[str, str]:
    found = _LINE.fullmatch(line)
    if found is None:
        raise ValueError(f"line {number}: not NAME: VALUE")
    if found[2] == "<":
        raise ValueError(f"line {number}: values are not fetched from URLs")
    return found[1], _decoded(number, found[3]) if found[2] else found[3]


def _decoded(number: int, text: str) -> str:
    try:
        return base64.b64decode(text.strip(), validate=True).decode()
    except ValueError:
        raise ValueError(f"line {number}: not UTF-8 text in base64") from None
