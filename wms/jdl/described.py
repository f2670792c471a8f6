"""From JDL text to its checked description, remembered: users submit the same text again and again, and one
job passes several daemons. A refusal is not remembered.
"""

from __future__ import annotations

from functools import lru_cache

from wms.jdl.description import JobDescription, describe
from wms.jdl.parser import parse

MOST = 1024


@lru_cache(maxsize=MOST)
def described(text: str) -> JobDescription:
    """The description of a job; raises JdlError or JdlInvalid."""
    return describe(parse(text))
