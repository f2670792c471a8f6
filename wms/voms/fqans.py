"""Fully qualified attribute names: `/vo/group/Role=x/Capability=NULL` read, written and compared (OGF GFD.182).

Wildcards and who may do what with a membership are `wms.authz`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from wms.errors import BadAttributes

_LONGEST = 512
_WORD = r"[A-Za-z0-9_][A-Za-z0-9_.-]*"
_FQAN = re.compile(rf"(?P<group>(?:/{_WORD})+)(?:/Role=(?P<role>{_WORD}))?(?:/Capability=(?P<capability>{_WORD}))?")


@dataclass(frozen=True, slots=True)
class Fqan:
    """A group (`/vo` or below), and perhaps a role and a capability in it; empty stands for NULL."""

    group: str
    role: str = ""
    capability: str = ""

    @property
    def vo(self) -> str:
        return self.group.split("/")[1]

    def __str__(self) -> str:
        """The short form, without parts that say nothing: one spelling per membership."""
        return self.group + _part("Role", self.role) + _part("Capability", self.capability)

    @property
    def full(self) -> str:
        """The form that VOMS servers write."""
        return f"{self.group}/Role={self.role or 'NULL'}/Capability={self.capability or 'NULL'}"


def _part(name: str, value: str) -> str:
    return f"/{name}={value}" if value else ""


def parse(text: str) -> Fqan:
    """BadAttributes when the text is no FQAN."""
    found = _FQAN.fullmatch(text) if len(text) <= _LONGEST else None
    if found is None:
        raise BadAttributes(f"{text[:_LONGEST]!r} is not the name of a VOMS attribute",
                            hint="It looks like /vo/group/Role=name.")
    return Fqan(found["group"], _said(found["role"]), _said(found["capability"]))


def _said(value: str | None) -> str:
    return "" if value in (None, "NULL") else str(value)


def normal(text: str) -> str:
    """The one spelling of a membership; BadAttributes when the text is none."""
    return str(parse(text))


def same(a: str, b: str) -> bool:
    """Do both say the same, whichever of them spells out what is NULL? Letters count as they stand."""
    return parse(a) == parse(b)
