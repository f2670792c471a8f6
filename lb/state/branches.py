"""Attempts of a job: which one is alive, what each was told, and how a resubmission forgets them.

Functions that change the record given to them; the machine gives them its own copy.
"""

from __future__ import annotations

from typing import NamedTuple

from lb.state.record import Branch, Record
from lb.state.rules import Verdict
from wms.errors import BadSequenceCode
from wms.event import Event
from wms.jobstatus import JobState, WrapperStatus
from wms.seqcode import SequenceCode

GOOD, BAD, TOO_OLD = "GOOD", "BAD", "TOO_OLD"


class Moment(NamedTuple):
    """How an event stands to the record: its code, the verdict, and its branch (GOOD, BAD, TOO_OLD or "")."""

    code: SequenceCode
    verdict: Verdict
    branch: str

    @property
    def alive(self) -> bool:
        """True unless the event belongs to an attempt that was given up."""
        return self.branch != BAD and self.branch != TOO_OLD


def note(record: Record, wm: int, *, destination: str = "", ce_node: str = "", jdl: str = "") -> None:
    """Keep what an event with this WM counter told, for the election."""
    row = record.branches.get(wm, Branch())
    row = Branch(destination or row.destination, ce_node or row.ce_node, jdl or row.jdl)
    record.branches = {**record.branches, wm: row}


def forget(record: Record, event: Event, moment: Moment) -> None:
    """Deep resubmission or abort: everything told before is of no account."""
    record.resubmit_type = "WILLRESUB"
    record.possible_destinations = []
    record.possible_ce_nodes = []
    record.branches = {}
    record.payload_running = False
    record.branch_tag_seqcode = None
    record.deep_resubmit_seqcode = moment.code


def elect_own(record: Record, event: Event, moment: Moment) -> None:
    """The wrapper itself says that the payload runs: its attempt is the live one."""
    if moment.alive:
        record.branch_tag_seqcode = moment.code
        if moment.verdict is Verdict.OK:
            record.last_branch_seqcode = moment.code
        _elected(record, moment)


def elect_told(record: Record, event: Event, moment: Moment) -> None:
    """The Log Monitor says that the payload of attempt `wn_seq` runs: believed if nobody else spoke."""
    if moment.alive:
        told = wn_seq(event)
        record.branch_tag_seqcode = record.branch_tag_seqcode or told
        if record.last_branch_seqcode is None and moment.verdict is Verdict.OK:
            record.last_branch_seqcode = told
            record.state = JobState.RUNNING
        _elected(record, moment)


def wn_seq(event: Event) -> SequenceCode | None:
    """The sequence code on the worker node, None if it cannot be read."""
    try:
        return SequenceCode.parse(event.fields.get("wn_seq", ""))
    except BadSequenceCode:
        return None


def names_attempt(record: Record, event: Event, code: SequenceCode) -> bool:
    """True if the event tells which attempt runs, or that is known already."""
    known = record.branch_tag_seqcode is not None and record.last_branch_seqcode is not None
    return (known and not reenters(record, code)) or wn_seq(event) is not None


def reenters(record: Record, code: SequenceCode) -> bool:
    """A newer UI or NS counter: the job came in again, resubmissions before that do not count."""
    last = record.last_seqcode
    return last is not None and (code.ui > last.ui or code.ns > last.ns)


def _elected(record: Record, moment: Moment) -> None:
    tag, last = record.branch_tag_seqcode, record.last_seqcode
    assert tag is not None
    if moment.verdict is Verdict.LATE and record.last_branch_seqcode is None and last and last.wm == tag.wm:
        record.last_branch_seqcode = last
    record.jw_status = WrapperStatus.PAYLOAD_RUNNING
    record.payload_running = True
    _reload(record, tag.wm)


def _reload(record: Record, wm: int) -> None:
    """Match, EnQueued and Running of one attempt carry neighbouring WM counters: the newest three count."""
    for row in [record.branches[told] for told in sorted(record.branches) if told <= wm][-3:]:
        record.destination = row.destination or record.destination
        record.ce_node = row.ce_node or record.ce_node
        record.matched_jdl = row.jdl or record.matched_jdl
