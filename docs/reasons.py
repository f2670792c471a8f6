"""docs/reference/reasons.md: why a job is not running, from the table of wms.reasons."""

from __future__ import annotations

from docs.markdown import code, page, table
from wms.reasons import TABLE

INTRODUCTION = """
What `job-status` says behind *Why not running*, and the field `reason_detail` of its `--json`. A reason is found
when it is asked for: `at` is when it held (seconds since 1970), `next_try` when the job is looked at again if
nothing happens before (0: nobody knows). `clauses` list what is asked of computing elements, in order: `seen` of
them were left by the clauses before it, `left` by it as well, `alone` pass it whatever the others say, and `without`
more would match if it were not asked; `whose` is user, site, data or information. `details` depend on the code:
`until` is when the job is given up.
"""


def text() -> str:
    rows = [(code(row.code), row.state, row.when, row.sentence, row.owner.value, row.todo) for row in TABLE]
    return page("Reasons", "wms.reasons", INTRODUCTION,
                table(("code", "state", "when", "sentence", "who can help", "what to do"), rows))
