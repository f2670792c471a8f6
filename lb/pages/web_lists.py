"""Lists of jobs, as HTML, text or JSON: a user's own with their families, and the answers of queries.

Pure rendering: records in, pages out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import urlencode

import msgspec

from lb.pages.charts import stack
from lb.pages.page_query import Family
from lb.pages.web import COLOURS, Form, colour, html_page, json_page, text_page
from lb.query import Found
from lb.text import error_lines
from wms.errors import WmsError
from wms.httpd import Page
from wms.jobstatus import JobState

RENEW_S = 15
LONG_TEXTS = ("jdl", "matched_jdl", "condor_jdl", "rsl")
LONGEST_PLACE = 120
SHOWN_STATES = tuple(state.value for state in JobState if state not in (
    JobState.UNDEFINED, JobState.UNKNOWN, JobState.PURGED))
_EXPLAINED = frozenset({"Submitted", "Waiting", "Aborted", "Cancelled", "Failed"})


class Line(NamedTuple):
    """A job in a list; `since` is epoch s."""

    unique: str
    colour: str
    type: str
    since: float
    place: str


class Listing(NamedTuple):
    """A page of a list: what was asked for, what is there, and what to say if nothing is."""

    who: str
    families: Sequence[Family]
    cursor: str = ""
    state: str = ""
    query: str = ""
    nothing: WmsError | None = None

    @property
    def jobs(self) -> list[Found]:
        """All jobs, children after their parents."""
        return [job for family in self.families for job in (family.job, *family.children)]


def line(found: Found) -> Line:
    """What a list says of a job: where it is, or why it got no further."""
    status, shade = found.status, colour(found.status)
    place = (status.reason if shade in _EXPLAINED else "") or status.destination or status.reason
    cut = place if len(place) <= LONGEST_PLACE else place[:LONGEST_PLACE] + " …"
    return Line(found.unique, shade, status.jobtype.value, status.state_enter_time, cut)


def list_page(form: Form, listing: Listing, flags: frozenset[str]) -> Page:
    """A list in the form asked for; one without jobs answers as an error does, and in HTML still as a list."""
    status = listing.nothing.status if listing.nothing else 200
    if form == "html":
        return html_page("jobs.html", _values(listing), live="", every=RENEW_S, status=status)
    if listing.nothing:
        return (json_page(listing.nothing.record(), status) if form == "json"
                else text_page(error_lines(listing.nothing), status))
    return json_page(_record(listing, flags)) if form == "json" else text_page(_lines(listing, flags))


def _values(listing: Listing) -> dict[str, Any]:
    families = [(line(family.job), stack(family.histogram, COLOURS) if family.histogram else [],
                 list(map(line, family.children)), family.job.status.children_num) for family in listing.families]
    return {"who": listing.who, "families": families, "state": listing.state, "query": listing.query,
            "all_states": SHOWN_STATES, "nothing": listing.nothing, "next": following(listing)}


def following(listing: Listing) -> str:
    """The URL of the next page; "" after the last."""
    if not listing.cursor:
        return ""
    asked = {"query": listing.query, "state": listing.state, "cursor": listing.cursor}
    return "/?" + urlencode({name: value for name, value in asked.items() if value})


def _record(listing: Listing, flags: frozenset[str]) -> dict[str, Any]:
    """As JSON: the records without descriptions, or identifiers only, as the flags ask for it."""
    jobs = [job.status for job in listing.jobs]
    if "no_states" in flags:
        found: list[Any] = [status.job_id for status in jobs]
    else:
        left_out = (*LONG_TEXTS, *(["jobId"] if "no_jobs" in flags else []))
        found = [_without(msgspec.to_builtins(status), left_out) for status in jobs]
    return {"jobs": found, "subject": listing.who} | ({"cursor": listing.cursor} if listing.cursor else {})


def _without(record: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name not in names}


def _lines(listing: Listing, flags: frozenset[str]) -> str:
    """As text: identifiers, or states if those are all that is wanted, and whose they are."""
    states = "no_jobs" in flags
    values = ",".join(job.status.state.value if states else job.status.job_id for job in listing.jobs)
    cursor = f"Cursor={listing.cursor}\n" if listing.cursor else ""
    return f"{'User_states' if states else 'User_jobs'}={values}\nUser_subject={listing.who}\n{cursor}"
