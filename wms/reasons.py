"""Why a job is not running: one table of codes, each with its sentence, who can help, and what to do.

Not how a reason is found: the Network Server and the Workload Manager each tell what they know. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

from wms.operations.explain import Clause, Reason

__all__ = ["REASONS", "TABLE", "Owner", "Row", "counted", "listed", "reason", "span"]

MOST_NAMED = 3


class Owner(StrEnum):
    """Who can do something about it."""

    USER = "user"
    SITE = "site"
    SERVICE = "service"
    TIME = "nobody: it passes"


class Row(NamedTuple):
    """`state` is the word of job-status for jobs of the code; `sentence` has named places for words."""

    code: str
    state: str
    when: str
    sentence: str
    owner: Owner
    todo: str


TABLE: tuple[Row, ...] = (
    # -- before it is started ----------------------------------------------------------------------------
    Row("registered", "Submitted", "All files are here, but nobody started the job.",
        "The job is registered, but it was not started.", Owner.USER,
        "Submit again; a registration that is not started ends by itself."),
    Row("not_started", "Submitted", "Input files are still to be uploaded.",
        "The job is not started: {files} {have} not arrived here.", Owner.USER,
        "Submit again: the upload was interrupted, or is under way."),
    Row("credential", "Submitted", "The delegated credential ended before the job was started.",
        "The job is not started, and its credential has ended.", Owner.USER,
        "Make a new proxy and submit again."),
    # -- a node that is no job yet -----------------------------------------------------------------------
    Row("unfolding", "Submitted", "The nodes of the compound are being made.",
        "The compound is being unfolded into its {number} nodes.", Owner.TIME, "Wait a moment."),
    Row("waiting_for_parents", "Submitted", "A node waits for the nodes it depends on.",
        "The node waits for {parents}, which {be} not done.", Owner.TIME,
        "Look at the parents: ask the same of them."),
    Row("parents_failed", "Submitted", "A node it depends on failed.",
        "The node will not run, as a node that it depends on failed.", Owner.USER,
        "Look why the parent failed, then rescue the compound."),
    Row("throttled", "Submitted", "As many nodes of the compound are on their way as its owner allows.",
        "As many nodes of the compound are on their way as its max_running_nodes allows: {running}.", Owner.USER,
        "Wait, or give the compound a larger max_running_nodes."),
    Row("throttled_idle", "Submitted", "As many nodes of the compound wait for a CE as the site allows.",
        "As many nodes of the compound wait for a CE as the site lets wait at once: {waiting}.", Owner.SITE,
        "Ask why those wait. The limit is wm.max_idle_nodes."),
    Row("releasing", "Submitted", "The node is being made a job.",
        "The node is about to become a job.", Owner.TIME, "Wait a moment."),
    Row("compound", "Waiting", "The job is a compound: its nodes run, not it.",
        "Of {number}, {over} over, {going} on the way and {left} still to be released.", Owner.TIME,
        "Ask the same of its nodes."),
    # -- waiting for a match -----------------------------------------------------------------------------
    Row("arriving", "Waiting", "The job is on its way to the Workload Manager.",
        "The job is on its way to the Workload Manager.", Owner.TIME, "Wait a moment."),
    Row("matching", "Waiting", "The Workload Manager is about to look for a place.",
        "The Workload Manager is looking for a CE.", Owner.TIME, "Wait a moment."),
    Row("no_resources", "Waiting", "The information system knows no CE at all.",
        "No CE is known now: the information system has no usable entry.", Owner.SERVICE,
        "Tell the administrators; `wmsd information` shows what sources say."),
    Row("no_match", "Waiting", "No CE passes all that the job and the site ask for.",
        "No match among {ces}: {blame}.", Owner.USER,
        "Drop or relax the clause that is named; `job-list-match --explain` shows all of them."),
    Row("not_authorised", "Waiting", "The access rules of all CEs exclude the user.",
        "None of {ces} admits you{vo}.", Owner.USER,
        "Use a proxy of a VO that a CE admits, or ask for admission."),
    Row("no_rank", "Waiting", "Rank is not a number on any CE that passes.",
        "{ces} would match, but Rank is not a number on any of them.", Owner.USER,
        "Correct Rank; `job-list-match --explain` shows where it is undefined."),
    Row("no_data", "Waiting", "No CE that passes is close to a replica of the input data.",
        "No match among {ces}: no CE that is left has access to {files}.", Owner.USER,
        "Copy the data to an SE close to a CE, or name other protocols in DataAccessProtocol."),
    Row("data_unknown", "Waiting", "Catalogues were asked where the data is and have not answered yet.",
        "Catalogues are being asked where {files} {be}.", Owner.TIME, "Wait a moment."),
    Row("catalogue", "Waiting", "A data catalogue does not answer.",
        "A data catalogue does not say where {files} {be}: {warning}.", Owner.SERVICE,
        "It is asked again; tell the administrators if it stays away."),
    Row("drained", "Waiting", "All CEs that match get no new jobs: an administrator drains them.",
        "{ces} would match, but no new jobs go to {which}.", Owner.SITE,
        "Wait until it is resumed, or ask for less, so that other CEs match."),
    Row("set_aside", "Waiting", "All CEs that match failed such jobs again and again.",
        "{ces} would match, but such jobs failed there again and again; one tries again in {when}.", Owner.SITE,
        "Look with job-logging-info why such jobs failed; tell the site."),
    Row("quota_vo", "Waiting", "The VO has as many jobs placed as its quota allows.",
        "{ces} would match, but VO {vo} has as many jobs placed as its quota allows: {limit}.", Owner.SITE,
        "Wait until jobs of your VO end."),
    Row("quota_user", "Waiting", "The user has as many jobs placed as the quota allows.",
        "{ces} would match, but you have as many jobs placed as your quota allows: {limit}.", Owner.SITE,
        "Wait until your jobs end."),
    Row("quota_ce", "Waiting", "The CEs that match have as many jobs as their quotas allow.",
        "{ces} would match, but each has as many jobs as its quota allows.", Owner.SITE,
        "Wait, or ask for less, so that more CEs match."),
    Row("no_slot", "Waiting", "A lazy job waits for a free slot.",
        "{ces} would match, but none has a free slot.", Owner.TIME,
        "Wait, or ask for less, so that more CEs match."),
    Row("turn", "Waiting", "Other jobs come first.",
        "{ces} would match; the job has its turn with the next ones.", Owner.TIME, "Wait a moment."),
    Row("retry_delay", "Waiting", "An attempt failed, and the next is made after a pause.",
        "The next attempt is made in {when}: {failure}.", Owner.TIME,
        "Wait; job-logging-info tells more of the failure."),
    Row("cancelling", "Waiting", "The owner asked for cancellation.",
        "The job is being cancelled.", Owner.TIME, "Wait a moment."),
    # -- at a CE -----------------------------------------------------------------------------------------
    Row("in_queue_of_ce", "Scheduled", "The job was given to a CE and has not begun there.",
        "The job has been at {ce} for {since}{queue}.", Owner.SITE,
        "Wait; or let it be moved, if the site does that (`wm.replan`)."),
    Row("running", "Running", "The program has begun.", "The job is running.", Owner.TIME, ""),
    Row("over", "Done", "The job has ended.", "The job is over: {outcome}.", Owner.TIME, ""),
    # -- nobody can say ----------------------------------------------------------------------------------
    Row("wm_away", "", "The Workload Manager does not answer.",
        "The Workload Manager does not answer now; what it said last is the status reason.", Owner.SERVICE,
        "Ask again; tell the administrators if it stays away. No job is lost by it."),
)
REASONS: Mapping[str, Row] = {row.code: row for row in TABLE}


def reason(job: str, code: str, at: float, *, next_try: float = 0.0, clauses: Sequence[Clause] = (),
           details: Mapping[str, Any] | None = None, **words: object) -> Reason:
    """The reason of a job (its identifier) as of `at` (epoch s); `words` fill the sentence of the code."""
    row = REASONS[code]
    sentence = row.sentence.format_map(words)
    return Reason(job, row.state, code, sentence[:1].upper() + sentence[1:], at, next_try, tuple(clauses),
                  dict(details or {}))


def span(seconds: float) -> str:
    """`40 s`, `12 min`, `3 h`, `2 days`."""
    for size, name in ((172_800, "days"), (7200, "h"), (120, "min")):
        if seconds >= size:
            return f"{seconds / _SECONDS[name]:.0f} {name}"
    return f"{max(0.0, seconds):.0f} s"


_SECONDS = {"days": 86_400, "h": 3600, "min": 60}


def counted(number: int, what: str) -> str:
    """`1 CE`, `2 CEs`."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def listed(names: Sequence[str]) -> str:
    """Some names, and how many more there are."""
    more = len(names) - MOST_NAMED
    shown = list(names[:MOST_NAMED]) + ([f"{more} more"] if more > 0 else [])
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
