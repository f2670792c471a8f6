"""docs/reference/jdl-attributes.md: the attributes of job descriptions, from wms.jdl.attributes."""

from __future__ import annotations

from docs.markdown import code, codes, page, table
from wms.jdl.attributes import ATTRIBUTES, EVERY, JOB_TYPES, KINDS, RESERVED, RESERVED_PREFIXES

INTRODUCTION = """
Names are read in any case. An attribute of the table is checked for its type and value; an attribute that is not in
the table is kept, with a warning when it looks like a misspelling. The column *jobs* says which kinds of job may have
it, *needed* which must. This service runs jobs of `JobType` Normal only; see the [user's guide](../user.md) for the
attributes it acts on.
"""


def text() -> str:
    kinds = ", ".join(f"{letter} {name}" for letter, name in JOB_TYPES.items())
    rows = [(code(row.name), KINDS[row.kind], _jobs(row.jobs), _jobs(row.mandatory), code(row.default), row.doc)
            for row in ATTRIBUTES]
    return page("JDL attributes", "wms.jdl.attributes", INTRODUCTION, f"Kinds of job: {kinds}.",
                table(("attribute", "type", "jobs", "needed", "default", "meaning"), rows), "## Reserved names",
                f"Written by the system only: {codes(sorted(RESERVED))}, and all names that begin with "
                f"{codes(RESERVED_PREFIXES)}.")


def _jobs(letters: str) -> str:
    return "all" if letters == EVERY else letters
