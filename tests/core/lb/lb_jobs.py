"""Jobs for tests: events with defaults, the stories of the daemons, a store with the promised policy."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from typing import Any

from hypothesis import strategies as st

from lb.state.machine import Record, fold, in_order, step
from wms.event import EVENT_TYPES, LEVELS, Event, EventType, Field, Source, duplicate_key, event
from wms.seqcode import START, SequenceCode

JOB = "https://lb.example:9000/job"
USER = "/DC=org/CN=Jane"
UI, NS, WM, BH = Source.USER_INTERFACE, Source.NETWORK_SERVER, Source.WORKLOAD_MANAGER, Source.BIG_HELPER
JC, LM, LRMS, APP = Source.JOB_CONTROLLER, Source.LOG_MONITOR, Source.LRMS, Source.APPLICATION
LBS = Source.LB_SERVER

_PLAIN: dict[str, Any] = {"string": "text", "int": 1, "float": 1.0, "jobid": "https://lb.example:9000/other"}
_GIVEN = {("CollectionState", "state"): "Running", ("RegJob", "jobtype"): "SIMPLE",
          ("CREAMStatus", "new_state"): "IDLE"}


def required(type: str) -> dict[str, Any]:
    """The least an event of this type must say."""
    return {field.name: _GIVEN.get((type, field.name)) or (field.choices[0] if field.choices else
                                                           _PLAIN[field.kind])
            for field in EVENT_TYPES[type].fields if not field.optional}


def told(type: str, source: Source, code: SequenceCode = START, at: float = 1.0, user: str = USER,
         **fields: Any) -> Event:
    """An event with defaults for what it must say."""
    return event(type, JOB, source, code, at, "host", user, **{**required(type), **fields})


class Story:
    """The events of one job as the daemons log them, one a second; `code` travels with the job."""

    def __init__(self, **registration: Any) -> None:
        self.code = START
        self.events: list[Event] = []
        self.tell("RegJob", NS, ns="ns.example", jdl="[]", **registration)

    def tell(self, type: str, source: Source, **fields: Any) -> Story:
        self.code = self.code.advanced(source)
        self.events.append(told(type, source, self.code, 1e9 + len(self.events), **fields))
        return self

    def accepted(self) -> Story:
        self.tell("Accepted", NS, from_=UI, from_host="ui.example")
        return self.tell("EnQueued", NS, queue="wm", result="OK")

    def matched(self, ce: str) -> Story:
        self.tell("Match", WM, dest_id=ce)
        return self.tell("EnQueued", WM, queue="jobadapter", job=f"[{ce}]", result="OK")

    def submitted(self, early: int = 0) -> SequenceCode:
        """Through Job Controller and Log Monitor; gives the wrapper's code, `early` events of JC before."""
        codes = [self.code]
        self.tell("DeQueued", JC, queue="jobadapter")
        codes.insert(0, self.code)
        self.tell("Transfer", JC, destination=LM, dest_host="host", result="OK")
        wrapper = [self.code, *codes][early]
        self.tell("Accepted", LM, from_=JC, from_host="host", local_jobid="condor.1")
        self.tell("Transfer", LM, destination=LRMS, dest_host="ce", result="OK")
        return wrapper

    def on_node(self, wrapper: SequenceCode, *events: tuple[str, dict[str, Any]]) -> Story:
        """What the wrapper says, with the code it was given."""
        mine, self.code = self.code, wrapper
        for type, fields in events:
            self.tell(type, LRMS, **fields)
        self.code = mine
        return self

    def ended(self, status: str, **fields: Any) -> Story:
        return self.tell("Done", LM, status_code=status, **fields)


RUNNING = ("Running", {"node": "wn1"})
PAYLOAD = ("ReallyRunning", {})
USAGE = ("ResourceUsage", {"resource": "user", "quantity": 2.5, "unit": "s"})
FINISHED = ("Done", {"status_code": "OK", "exit_code": 7})


def waiting() -> Story:
    return Story().accepted().tell("DeQueued", WM, queue="wm")


def happy(early: int = 0) -> Story:
    story = waiting().matched("ce1")
    story.on_node(story.submitted(early), RUNNING, PAYLOAD, USAGE, FINISHED)
    return story.ended("OK", exit_code=7)


def attempt_fails(story: Story, ce: str, early: int, *events: tuple[str, dict[str, Any]]) -> Story:
    story.matched(ce)
    return story.on_node(story.submitted(early), *events).ended("FAILED", reason="lost")


def deep(early: int = 0) -> Story:
    """Attempt 1 is lost with its payload running, attempt 2 succeeds on another CE."""
    story = attempt_fails(waiting(), "ce1", early, RUNNING, PAYLOAD)
    story.tell("DeQueued", WM, queue="wm").tell("Resubmission", WM, result="WILLRESUB").matched("ce2")
    story.on_node(story.submitted(early), ("Running", {"node": "wn2"}), PAYLOAD, USAGE, FINISHED)
    return story.ended("OK", exit_code=7)


def shallow(early: int = 0) -> Story:
    """Attempt 1 is lost before its payload ran, attempt 2 runs."""
    story = attempt_fails(waiting(), "ce1", early, RUNNING)
    story.tell("Resubmission", WM, result="SHALLOW").matched("ce2")
    story.on_node(story.submitted(early), ("Running", {"node": "wn2"}), PAYLOAD)
    return story


def cancel_waiting(early: int = 0) -> Story:
    story = waiting().tell("Pending", WM, reason="no CE")
    story.tell("Cancel", NS, status_code="REQ")
    return story.tell("Cancel", WM, status_code="DONE", reason="by user")


def cancel_running(early: int = 0) -> Story:
    story = waiting().matched("ce1")
    story.on_node(story.submitted(early), RUNNING, PAYLOAD)
    mine = story.code
    story.tell("Cancel", NS, status_code="REQ")
    story.code = mine
    return story.ended("CANCELLED", reason="by user")


def expired(early: int = 0) -> Story:
    return waiting().tell("Pending", WM, reason="no CE").tell("Abort", WM, reason="proxy expired")


def given_up(early: int = 0) -> Story:
    """Two attempts fail on their CE, the Workload Manager gives up."""
    story = attempt_fails(waiting(), "ce1", early, RUNNING, PAYLOAD)
    story.tell("Resubmission", WM, result="WILLRESUB")
    attempt_fails(story, "ce2", early)
    return story.tell("Resubmission", WM, result="WONTRESUB").tell("Abort", WM, reason="retries used up")


def cleared(early: int = 0) -> Story:
    return happy(early).tell("Clear", NS, reason="USER")


def cancel_failed(early: int = 0) -> Story:
    """The request and the failure of the running attempt cross: the Workload Manager ends the job."""
    story = attempt_fails(waiting(), "ce1", early, RUNNING, PAYLOAD)
    mine = story.code
    story.tell("Cancel", NS, status_code="REQ")
    story.code = mine
    return story.tell("Cancel", WM, status_code="DONE", reason="by user")


STORIES = (happy, deep, shallow, cancel_waiting, cancel_running, expired, given_up, cleared,
           cancel_failed)


def stored(arriving: Iterable[Event]) -> Record:
    """What a store has: it steps in order, folds anew out of order, drops repetitions."""
    record = Record()
    known: dict[tuple[Any, ...], Event] = {}
    for arrived in arriving:
        if duplicate_key(arrived) in known:
            continue
        record = step(record, arrived)[0] if in_order(record, arrived) else fold([*known.values(), arrived])
        known[duplicate_key(arrived)] = arrived
    return record


def prefixes(events: list[Event]) -> Iterator[list[Event]]:
    return (events[:count] for count in range(1, len(events) + 1))


def shuffled(events: list[Event], seed: int) -> list[Event]:
    """Another order of arrival, some events twice."""
    rng = random.Random(seed)
    arriving = [*events, *rng.choices(events, k=3)]
    rng.shuffle(arriving)
    return arriving


TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), min_size=1, max_size=12)
CODES = st.builds(SequenceCode, *[st.integers(0, 2)] * 9)


def _values(field: Field) -> st.SearchStrategy[Any]:
    kinds: dict[str, st.SearchStrategy[Any]] = {
        "enum": st.sampled_from(field.choices or ("",)), "int": st.integers(-9, 9), "string": TEXT,
        "float": st.floats(allow_nan=False, allow_infinity=False), "jobid": st.just(JOB)}
    return kinds[field.kind]


def fields_of(row: EventType) -> st.SearchStrategy[dict[str, Any]]:
    needed = {field.name: _values(field) for field in row.fields if not field.optional}
    optional = {field.name: _values(field) for field in row.fields if field.optional}
    return st.fixed_dictionaries(needed, optional=optional)


def _events_of(row: EventType) -> st.SearchStrategy[Event]:
    return st.builds(
        lambda source, code, at, host, user, level, priority, instance, fields: event(
            row.name, JOB, source, code, at, host, user, level=level, priority=priority, instance=instance,
            **fields),
        st.sampled_from(Source), CODES, st.floats(0, 4e9), TEXT, TEXT, st.sampled_from(LEVELS),
        st.integers(-1, 200), TEXT, fields_of(row))


EVENTS = st.sampled_from(sorted(EVENT_TYPES)).flatmap(lambda name: _events_of(EVENT_TYPES[name]))
