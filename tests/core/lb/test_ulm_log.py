"""Logs of events: lines with stamps, comments, other ends, JSON; every bad line is told and none stops the reading."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lb_jobs import EVENTS, happy

from lb.ulm_log import MAX_LINE, Entry, Problem, entries, moment, read, written
from tests.examples import examples
from wms.errors import BadEvent
from wms.event import Event
from wms.ulm import Outcome

TOLD = happy().events


def events(log: bytes) -> list[Event]:
    return [found.event for found in entries(log.splitlines(keepends=True)) if isinstance(found, Entry)]


@given(st.lists(EVENTS, max_size=5), st.sampled_from([b"\n", b"\r\n"]))
@settings(deadline=None, max_examples=examples(60))
def test_a_log_that_is_written_is_read(made: list[Event], end: bytes) -> None:
    lines = [written(one).replace(b"\n", end) for one in made]
    assert [found.event for found in entries(lines) if isinstance(found, Entry)] == made


def test_comments_and_blank_lines_say_nothing_but_are_counted() -> None:
    log = b"# a dump\n\n  \r\n" + written(TOLD[0])
    assert [found.number for found in entries(log.splitlines(keepends=True))] == [4]
    assert [found.number for found in entries([written(TOLD[0])], 9)] == [9]


@pytest.mark.parametrize("stamp", [b"20090213233130.5 ", b"1234567890.5\t", b"DG.ARRIVED=20090213233130.500000 "])
def test_an_arrival_may_stand_in_front(stamp: bytes) -> None:
    found = read(1, stamp + written(TOLD[0]))
    assert found == Entry(1, msgspec.structs.replace(TOLD[0], arrived=1234567890.5), 0)


def test_json_objects_are_events_too() -> None:
    log = b"\n".join(map(msgspec.json.encode, TOLD))
    assert events(log) == TOLD


def test_unknown_keys_are_counted() -> None:
    assert read(1, b"NOVEL=1 " + written(TOLD[0])) == Entry(1, TOLD[0], 1)


@pytest.mark.parametrize(("line", "code"), [
    (b"nonsense", Outcome.BROKEN), (b"\xff", Outcome.BROKEN), (b"{", Outcome.BROKEN), (b'{"type": 1}', Outcome.BROKEN),
    (b"x" * (MAX_LINE + 1), Outcome.BROKEN), (b"[" * 5000, Outcome.BROKEN), (b"A=1", Outcome.INCOMPLETE),
    (b"20091313000000 " + written(TOLD[0]), Outcome.MISUSE),
    (msgspec.json.encode(TOLD[0]).replace(b'"RegJob"', b'"Novel"'), Outcome.MISUSE),
    (b'{"type":' + b"[" * 100_000, Outcome.BROKEN),
])
def test_what_is_no_event_is_a_problem(line: bytes, code: Outcome) -> None:
    found = read(7, line)
    assert isinstance(found, Problem)
    assert (found.number, found.line, found.lb_code) == (7, line, code)
    assert found.reason


@given(st.binary(max_size=60))
def test_any_bytes_are_read(line: bytes) -> None:
    assert not isinstance(read(1, line), Entry)


def test_moments() -> None:
    assert (moment("12.5"), moment("20090213233130")) == (12.5, 1234567890.0)
    with pytest.raises(BadEvent):
        moment("yesterday")
