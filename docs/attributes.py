"""docs/reference/jdl-attributes.md: the attributes of job descriptions, from wms.jdl.attributes."""

from __future__ import annotations

from docs.markdown import code, codes, page, table
from wms.jdl.attributes import ATTRIBUTES, EVERY, JOB_TYPES, KINDS, RESERVED, RESERVED_PREFIXES, JdlAttribute
from wms.jdl.checks import EXCLUSIVE
from wms.jdl.roles import added_by, used_by

INTRODUCTION = """
Names are read in any case. An attribute of the table is checked for its type and value; an attribute that is not in
the table is kept, with a warning when it looks like a misspelling. The column *jobs* says which kinds of job may have
it, *needed* which must. *Added by* says who fills it in when you do not, *used by* who acts on it: NS the front end,
WM the matchmaking and its queue, the job adapter what runs on the worker node; "nobody" keeps it, checks it and lets
Requirements and Rank refer to it, but does nothing else with it.
"""


HEAD = ("attribute", "type", "jobs", "needed", "default", "must be", "added by", "used by", "meaning")


def text() -> str:
    kinds = ", ".join(f"{letter} {name}" for letter, name in JOB_TYPES.items())
    combined = "; ".join(EXCLUSIVE.values())
    return page("JDL attributes", "wms.jdl.attributes", INTRODUCTION,
                f"Kinds of job: {kinds}. `JobType` may be a list that combines them, but: {combined}.",
                table(HEAD, map(_row, ATTRIBUTES)), "## Reserved names",
                f"Written by the system only: {codes(sorted(RESERVED))}, and all names that begin with "
                f"{codes(RESERVED_PREFIXES)}.")


def _row(row: JdlAttribute) -> tuple[str, ...]:
    return (code(row.name), KINDS[row.kind], _jobs(row.jobs), _jobs(row.mandatory), code(row.default),
            code(row.check.right) if row.check else "", ", ".join(added_by(row.name)),
            ", ".join(used_by(row.name)) or "nobody", row.doc)


def _jobs(letters: str) -> str:
    return "all" if letters == EVERY else letters
