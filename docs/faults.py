"""docs/reference/faults.md: whose fault a failed attempt was, from the table of wms.faults."""

from __future__ import annotations

from docs.markdown import code, page, table
from wms.faults import FAULTS, UNKNOWN, VERSION, Judgement

INTRODUCTION = f"""
Version {VERSION} of the table. What the wrapper, the batch system, the CE or the service says of a failed attempt is
searched for these regular expressions, from above, case ignored; the first row that is found wins. *Again* says whether
another attempt can help; where it cannot, the job ends. *Paid by* says what another attempt consumes: the job's own
`RetryCount` and `ShallowRetryCount`, or the attempts that the infrastructure may lose (`wm.site_faults`).
"""


def text() -> str:
    rows = [(code(row.pattern), row.who, *_judged(row.judgement)) for row in FAULTS]
    head = ("words", "said by", "owner", "again", "paid by")
    return page("Faults", "wms.faults", INTRODUCTION,
                table(head, [*rows, ("anything else", "", *_judged(UNKNOWN))]))


def _judged(judgement: Judgement) -> tuple[str, str, str]:
    paid = "the job" if judgement.counts else "the site"
    return judgement.owner.value, "yes" if judgement.again else "no", paid if judgement.again else ""
