"""What a condition of the policy is compared with: texts in which `*` stands for any text, and patterns of FQANs.

Compared piece by piece, never by a regular expression made of what somebody wrote.
"""

from __future__ import annotations

from typing import NamedTuple

ROLE, CAPABILITY = "/Role=", "/Capability="
_NOTHING = "NULL"

Glob = tuple[str, ...]
"""The pieces between the stars, in order; a single piece is a text without any."""


def glob(text: str) -> Glob:
    return tuple(text.split("*"))


def literal(text: str) -> Glob:
    """Where a star is a star."""
    return (text,)


def fits(pattern: Glob, text: str) -> bool:
    """Is it this text, each star for any text, an empty one too? Linear in both but for repeated pieces."""
    first, *middle = pattern
    if not middle:
        return text == first
    last = middle.pop()
    at, end = len(first), len(text) - len(last)
    if at > end or not (text.startswith(first) and text.endswith(last)):
        return False
    for piece in middle:
        found = text.find(piece, at, end)
        if found < 0:
            return False
        at = found + len(piece)
    return True


class FqanParts(NamedTuple):
    """The parts of a VOMS FQAN; empty when it has none, which VOMS writes as NULL."""

    group: str
    role: str = ""
    capability: str = ""

    @classmethod
    def parse(cls, text: str) -> FqanParts:
        path, _, capability = text.partition(CAPABILITY)
        group, _, role = path.partition(ROLE)
        return cls(group, _something(role), _something(capability))


def _something(part: str) -> str:
    return "" if part == _NOTHING else part


class FqanPattern(NamedTuple):
    """`role` None: any, and none; "" none. `capability` empty: whatever it is."""

    group: Glob
    role: Glob | None
    capability: Glob

    @classmethod
    def parse(cls, text: str) -> FqanPattern:
        """`/vo` is the VO without a role, `/vo/*` the VO and all below in any role or none, `/vo/Role=*` any role."""
        wanted = FqanParts.parse(text)
        any_role = ROLE not in text and wanted.group.endswith("*")
        return cls(glob(wanted.group), None if any_role else glob(wanted.role), glob(wanted.capability))

    def fits(self, held: FqanParts) -> bool:
        return (fits_path(self.group, held.group) and (self.role is None or _fits_part(self.role, held.role))
                and (self.capability == ("",) or _fits_part(self.capability, held.capability)))


def fits_path(pattern: Glob, path: str) -> bool:
    """As `fits`; `/x/*` is `/x` too."""
    return fits(pattern, path) or (pattern[-1] == "" and len(pattern) > 1 and fits(pattern, path + "/"))


def _fits_part(pattern: Glob, part: str) -> bool:
    """A star alone is for a part that is there."""
    return fits(pattern, part) and (bool(part) or pattern == ("",))
