"""From JDL text to its checked description, remembered: users submit the same text again and again, and one
job passes several daemons. A refusal is not remembered.
"""

from __future__ import annotations

from functools import lru_cache

from wms.jdl.description import JobDescription, describe
from wms.jdl.parser import parse

MOST = 1024
LONGEST = 20_000
"""Texts and characters that are remembered: a long description is read anew each time."""


def described(text: str) -> JobDescription:
    """The description of a job; raises JdlError or JdlInvalid."""
    return _remembered(text) if len(text) <= LONGEST else describe(parse(text))


@lru_cache(maxsize=MOST)
def _remembered(text: str) -> JobDescription:
    return describe(parse(text))
