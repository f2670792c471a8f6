"""Signing policies of Globus: the names of subjects that an authority may sign. Read, and asked about a name.

Bytes in, records out. `*` stands for any text, `?` for one character; the types of attributes are compared whatever
their spelling, their values as they are written. Which file speaks of which authority is `wms.x509.anchors`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from wms.identity import canonical_dn

MOST_BYTES = 100_000
LONGEST_PATTERN = 1000
_LINE = re.compile(r"(\S+)\s+(\S+)\s+(.*\S)")
_QUOTED = re.compile(r'"([^"]*)"')
_RIGHTS = "CA:sign"


class BadSigningPolicy(ValueError):
    """Not a signing policy."""


@dataclass(frozen=True, slots=True)
class SigningPolicy:
    """An entry: the authority by its canonical name (`wms.identity.canonical_dn`) and the patterns of subjects."""

    ca: str
    subjects: tuple[str, ...]


def read_signing_policy(content: bytes) -> tuple[SigningPolicy, ...]:
    """The entries of a file, at least one. Raises BadSigningPolicy."""
    if len(content) > MOST_BYTES:
        raise BadSigningPolicy(f"longer than {MOST_BYTES} bytes")
    ca, signs, found = "", False, list[SigningPolicy]()
    for number, key, authority, value in _statements(content.decode("utf-8", "surrogateescape")):
        match key, authority, signs:
            case "access_id_CA", "X509", _:
                ca, signs = canonical_dn(value), False
            case "pos_rights", "globus", _ if ca:
                signs = _RIGHTS in value.split()
            case "cond_subjects", "globus", True:
                found.append(SigningPolicy(ca, _patterns(value, number)))
            case _:
                raise BadSigningPolicy(f"line {number}: {key} {authority} is not expected there")
    if not found:
        raise BadSigningPolicy("it lets no authority sign anything")
    return tuple(found)


def _statements(text: str) -> Iterator[tuple[int, str, str, str]]:
    """(line, key, defining authority, value without its quotes) of each line that is no comment."""
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        found = _LINE.fullmatch(stripped)
        if found is None:
            raise BadSigningPolicy(f"line {number} is not: KEY AUTHORITY VALUE")
        yield number, found[1], found[2], _unquoted(found[3], number)


def _unquoted(text: str, line: int) -> str:
    """The value; what follows its closing quote may be a comment only."""
    if not text.startswith("'"):
        return text.partition(" #")[0].strip()
    value, quote, rest = text[1:].partition("'")
    if not quote or not value or rest.strip()[:1] not in ("", "#"):
        raise BadSigningPolicy(f"line {line}: the quotes do not match")
    return value


def _patterns(value: str, line: int) -> tuple[str, ...]:
    """Those within double quotes, or the whole value when it has none."""
    texts = _QUOTED.findall(value) if '"' in value else [value]
    if not texts or _QUOTED.sub("", value).strip() not in ("", *texts) or not all(texts):
        raise BadSigningPolicy(f"line {line}: the patterns of subjects cannot be told apart")
    if max(map(len, texts)) > LONGEST_PATTERN:
        raise BadSigningPolicy(f"line {line}: a pattern is longer than {LONGEST_PATTERN} characters")
    return tuple(canonical_dn(text) for text in texts)


def permits(policy: SigningPolicy, subject: str) -> bool:
    """May the authority sign for this subject, given as text?"""
    name = canonical_dn(subject)
    return any(matches(pattern, name) for pattern in policy.subjects)


def matches(pattern: str, text: str) -> bool:
    """Is the whole text of the pattern's form? Takes at most len(pattern) * len(text) steps."""
    place, star, kept = 0, -1, 0
    at = 0
    while at < len(text):
        if place < len(pattern) and pattern[place] == "*":
            star, kept = place, at
            place += 1
        elif place < len(pattern) and pattern[place] in ("?", text[at]):
            place, at = place + 1, at + 1
        elif star >= 0:
            kept += 1
            place, at = star + 1, kept
        else:
            return False
    return not pattern[place:].strip("*")
