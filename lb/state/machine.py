"""The state of a job as a pure function of its events: `step` one, `fold` all of them.

Knows neither storage nor time: a store keeps the events and asks `in_order` whether stepping is enough.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from copy import copy
from functools import cache
from typing import NamedTuple

from lb.state.branches import BAD, GOOD, TOO_OLD, Moment, reenters
from lb.state.order import Order, Place, order, place, sequence
from lb.state.parts import CONDITIONS, Part, job_type, named
from lb.state.record import MACHINE_VERSION as MACHINE_VERSION
from lb.state.record import SETTLED
from lb.state.record import Record as Record
from lb.state.rules import Rule
from lb.state.rules import Verdict as Verdict
from lb.state.transitions import rule_of
from wms.event import Event, Source, result
from wms.jobstatus import TERMINAL, DoneCode, JobState, JobType, WrapperStatus
from wms.seqcode import SequenceCode

_WORKING = frozenset({JobState.RUNNING, JobState.DONE})
_BEFORE_WRAPPER = frozenset({JobState.WAITING, JobState.READY, JobState.SCHEDULED})


def fold(events: Iterable[Event]) -> Record:
    """The record after all events of one job, in whatever order and however often they are given."""
    record = Record(version=MACHINE_VERSION)
    for at, event in _sorted(events):
        _apply(record, event, sequence(event), at)
    return record


def step(record: Record, event: Event) -> tuple[Record, Verdict]:
    """The record after one more event, and what became of the event; the given record stays as it is."""
    after = copy(record)
    after.version = MACHINE_VERSION
    code = sequence(event)
    verdict = _apply(after, event, code, place(event, code))
    return after, verdict


def in_order(record: Record, event: Event) -> bool:
    """True if stepping gives what folding all events anew would give, False if the store must fold anew."""
    if record.newest and record.version != MACHINE_VERSION:
        return False
    if not record.jobtype:
        return event.type != "RegJob" or not record.newest
    return place(event, sequence(event)) > record.newest


def is_late(record: Record, event: Event) -> bool:
    """True if the event could not move the state of this record: something newer has been heard."""
    return step(record, event)[1] is Verdict.LATE


class _Plan(NamedTuple):
    """A rule with its parts looked up."""

    rule: Rule
    moves: tuple[Part, ...]
    tells: tuple[Part, ...]


@cache
def _plan(jobtype: JobType, name: str, source: str, result: str) -> _Plan:
    rule = rule_of(jobtype, name, source, result)
    return _Plan(rule, named(rule.moves), named(rule.tells))


def _sorted(events: Iterable[Event]) -> Iterator[tuple[Place, Event]]:
    """In logical order, each once, the first registration before everything."""
    once: dict[Order, Event] = {}
    for event in events:
        once.setdefault(order(event), event)
    ordered = [(key[0], once[key]) for key in sorted(once)]
    first = next((number for number, (_, event) in enumerate(ordered) if event.type == "RegJob"), 0)
    yield from ordered[first:first + 1]
    yield from ordered[:first]
    yield from ordered[first + 1:]


def _apply(record: Record, event: Event, code: SequenceCode, at: Place) -> Verdict:
    """Changes the record, which must be the caller's own."""
    record.newest = max(record.newest, at)
    record.job_id = event.job
    if event.type == "RegJob":
        _registered(record, event)
    elif not record.jobtype:
        return Verdict.UNREGISTERED
    plan = _plan(record.jobtype, event.type, event.source, result(event))
    rule = plan.rule
    if rule.verdict is Verdict.SUSPECT or (rule.needs and not CONDITIONS[rule.needs](record, event, code)):
        return Verdict.SUSPECT
    if record.own_state is None or event.type == "CollectionState":
        return _obey(record, event, code, plan)
    return _beneath(record, event, code, plan, record.own_state)


def _registered(record: Record, event: Event) -> None:
    """The first registration tells the type; one that was made for a child is a presumption."""
    made = event.source == Source.LB_SERVER
    if not record.jobtype or (record.presumed and not made):
        record.jobtype, record.presumed = job_type(event), made


def _beneath(record: Record, event: Event, code: SequenceCode, plan: _Plan, own: JobState) -> Verdict:
    """The own state of a collection goes on beneath that of its children, and shows once it is settled."""
    shown, since = record.state, record.state_enter_time
    record.state, record.own_state = own, None
    verdict = _obey(record, event, code, plan)
    record.own_state = record.state
    if record.state not in SETTLED:
        record.state, record.state_enter_time = shown, since
    return verdict


def _obey(record: Record, event: Event, code: SequenceCode, plan: _Plan) -> Verdict:
    rule, moves, tells = plan
    was = record.state
    moment = _judge(record, event, code, rule)
    if moment.verdict is Verdict.OK:
        if rule.state is not None:
            record.state = rule.state
        for part in moves:
            part(record, event, moment)
    for part in tells:
        part(record, event, moment)
    if moment.verdict is Verdict.OK:
        _accepted(record, event, moment, rule, was)
    return moment.verdict


def _judge(record: Record, event: Event, code: SequenceCode, rule: Rule) -> Moment:
    """Is the event late: is the job over, another attempt elected, something newer heard?"""
    if rule.computed:
        late = (record.own_state or record.state) in SETTLED or _before(code, record.collection_seqcode)
        return Moment(code, Verdict.LATE if late else Verdict.OK, "")
    if event.type != "Cancel" and not rule.keeps_clock and reenters(record, code):
        record.branch_tag_seqcode = record.deep_resubmit_seqcode = record.last_branch_seqcode = None
    branch = _branch(record, code)
    if rule.verdict is Verdict.IGNORED:
        return Moment(code, Verdict.IGNORED, branch)
    late = not rule.never_late and (
        record.state in TERMINAL or _dead(record, rule, branch) or _outrun(record, rule, code)
        or _before(code, record.last_branch_seqcode if branch == GOOD else record.last_seqcode)
        or (event.type == "Cancel" and _before(code, record.last_cancel_seqcode)))
    return Moment(code, Verdict.LATE if late else Verdict.OK, branch)


def _branch(record: Record, code: SequenceCode) -> str:
    deep, tag = record.deep_resubmit_seqcode, record.branch_tag_seqcode
    if deep is not None and code.wm < deep.wm:
        return TOO_OLD
    if tag is None:
        return ""
    return GOOD if code.wm == tag.wm else BAD


def _dead(record: Record, rule: Rule, branch: str) -> bool:
    """The event belongs to an attempt that is not the live one."""
    failed = record.state is JobState.DONE and record.done_code is DoneCode.FAILED
    return branch == TOO_OLD or (branch == BAD and not (rule.after_failure and failed))


def _outrun(record: Record, rule: Rule, code: SequenceCode) -> bool:
    """Something is heard of an earlier stage while the wrapper runs or has run."""
    if record.state not in _WORKING:
        return False
    last = record.last_seqcode
    return rule.late_when_running or (rule.late_in_attempt and last is not None and code.wm == last.wm)


def _before(code: SequenceCode, known: SequenceCode | None) -> bool:
    return known is not None and code < known


def _accepted(record: Record, event: Event, moment: Moment, rule: Rule, was: JobState) -> None:
    """What every accepted event changes: times, the clock of the job, and what ends with a state."""
    record.last_update_time = event.timestamp
    if record.state is not was:
        record.state_enter_time = event.timestamp
        record.state_enter_times = {**record.state_enter_times, record.state.value: event.timestamp}
        if record.state in _BEFORE_WRAPPER:
            record.jw_status = WrapperStatus.UNKNOWN
    if event.type == "Cancel":
        record.last_cancel_seqcode = moment.code
    if rule.wrapper_may_follow:
        record.last_seqcode = moment.code._replace(lm=0)
    elif not rule.keeps_clock:
        record.last_seqcode = moment.code
    if record.state is not JobState.RUNNING:
        record.suspended, record.suspend_reason = False, ""
    if moment.branch == GOOD and not rule.keeps_clock:
        record.last_branch_seqcode = moment.code
