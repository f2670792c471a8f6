"""What the interlogger decides: which events of a batch are settled, what goes on which request, when to try again."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from interlogger.answers import DAMAGED, Aside, limited, settled, shared
from interlogger.lane import Lane
from interlogger.retrying import larger, pause_s, smaller
from tests.examples import examples
from wms.operations.logging import Logged, RefusedLine
from wms.spool_format import Window, frame, window

LATER = RefusedLine(1, "LB_BUSY", "not now", False)
NEVER = RefusedLine(1, "LB_EVENT_FORMAT", "broken", True)
START = 100


def part(*texts: str) -> Window:
    """Lines from byte START on; `!` stands for a damaged one."""
    return window(b"".join(b"rubbish\n" if text == "!" else frame(text) for text in texts), START)


def test_what_is_not_named_in_the_answer_was_taken() -> None:
    found = part("a", "b")
    assert settled(found, START, {}) == (found.end, 2, (), "")


def test_what_is_refused_for_good_is_put_aside_and_the_rest_goes_on() -> None:
    found = part("a", "!", "b", "c")
    assert settled(found, START, {1: NEVER}) == (found.end, 2, (
        Aside(b"rubbish\n", DAMAGED), Aside(b"b", "LB_EVENT_FORMAT: broken")), "")


def test_what_is_refused_for_now_holds_back_all_that_follows_in_its_job() -> None:
    found = part("a", "!", "b", "!", "c")
    assert settled(found, START, {1: LATER}) == (
        found.damaged[0][1], 1, (Aside(b"rubbish\n", DAMAGED),), "LB_BUSY: not now")
    assert settled(found, START, {0: LATER}) == (START, 0, (), "LB_BUSY: not now")


def test_nothing_but_damage_is_settled_too() -> None:
    found = part("!")
    assert settled(found, START, {}) == (found.end, 0, (Aside(b"rubbish\n", DAMAGED),), "")


lines = st.lists(st.sampled_from(["a", "b", "!"]), max_size=8)


@given(lines, st.dictionaries(st.integers(0, 7), st.sampled_from([NEVER, LATER])))
@settings(max_examples=examples(200), deadline=None)
def test_every_line_is_taken_or_put_aside_or_left(texts: list[str], refused: dict[int, RefusedLine]) -> None:
    found = part(*texts)
    outcome = settled(found, START, refused)
    left = sum(line.end > outcome.offset for line in found.lines) + sum(
        end > outcome.offset for _text, end in found.damaged)
    assert outcome.taken + len(outcome.aside) + left == len(texts)
    assert bool(outcome.stuck) == bool(left)


@given(lines, st.integers(1, 8))
@settings(max_examples=examples(100), deadline=None)
def test_a_window_is_cut_between_lines(texts: list[str], most: int) -> None:
    whole = part(*texts)
    cut = limited(whole, most)
    rest = [line for line in whole.lines if line.end > cut.end]
    assert len(cut.lines) == min(most, len(whole.lines))
    assert [*cut.lines, *rest] == list(whole.lines)
    assert list(cut.damaged) == [item for item in whole.damaged if item[1] <= cut.end]


@given(st.lists(st.integers(0, 4), max_size=5), st.data())
@settings(max_examples=examples(100), deadline=None)
def test_refusals_find_their_part(counts: list[int], data: st.DataObject) -> None:
    total = sum(counts)
    numbers = data.draw(st.sets(st.integers(1, total), max_size=5)) if total else set()
    answer = Logged(0, 0, tuple(RefusedLine(number, "C", "r", True) for number in sorted(numbers | {total + 1})))
    found = shared(answer, counts)
    starts = [sum(counts[:index]) for index in range(len(counts))]
    assert {start + index + 1 for start, refused in zip(starts, found, strict=True) for index in refused} == numbers


@pytest.mark.parametrize(("failures", "least", "most"), [
    (1, 0.125, 0.25), (4, 1.0, 2.0), (9, 30.0, 60.0), (10**6, 30.0, 60.0)])
def test_pauses_grow_up_to_the_longest(failures: int, least: float, most: float) -> None:
    assert pause_s(failures, 60.0, 0.0) == least
    assert pause_s(failures, 60.0, 1.0) == most


def test_requests_shrink_to_one_event_and_grow_back() -> None:
    assert (smaller(500), smaller(1)) == (250, 1)
    assert (larger(300, 500), larger(1, 500)) == (500, 2)


class Lanes(RuleBasedStateMachine):
    """A lane against what must hold of it whatever happens."""

    def __init__(self) -> None:
        super().__init__()
        self.lane = Lane("h:1", parallel=2, most=4, size=4)
        self.pending: set[str] = set()
        self.asking: list[list[str]] = []
        self.now = 0.0

    @rule(name=st.sampled_from("abcdef"))
    def news(self, name: str) -> None:
        self.lane.add(name)
        self.pending.add(name)

    @rule()
    def take(self) -> None:
        names = self.lane.take(self.now)
        busy = {name for request in self.asking for name in request}
        assert not busy & set(names)
        assert len(names) <= self.lane.size
        if names:
            self.asking.append(names)
            self.pending -= set(names)
        elif len(self.asking) < (1 if self.lane.failures else 2) and self.now >= self.lane.until:
            assert not self.pending - busy

    @precondition(lambda self: self.asking)
    @rule(well=st.booleans(), more=st.booleans())
    def answer(self, well: bool, more: bool) -> None:
        names = self.asking.pop(0)
        self.lane.ended()
        if well:
            self.lane.answered()
        else:
            assert 0 < self.lane.unanswered(self.now, 60.0, 0.5) <= 60
        for name in names:
            self.lane.back(name, more or not well)
            if more or not well:
                self.pending.add(name)

    @rule(seconds=st.floats(0, 100))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def nothing_is_forgotten(self) -> None:
        busy = {name for request in self.asking for name in request}
        assert self.lane.waiting == len(self.pending | busy)
        assert self.lane.idle == (not self.pending and not busy)


Lanes.TestCase.settings = settings(max_examples=examples(60), stateful_step_count=30, deadline=None)
TestLanes = Lanes.TestCase
