"""Where things lie in a drawing, and how long they are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lb_jobs import WM, told

from lb.pages.charts import (
    Column,
    Mark,
    Part,
    Whisker,
    columns,
    moments,
    roof,
    shares,
    stack,
    time_marks,
    time_roof,
    whisker,
)
from lb.pages.wording import clock, duration, iso, number, short, what

TIMES = st.integers(0, 1 << 34).map(lambda eighths: eighths / 8)
SIZES = st.lists(st.floats(0, 1e12), max_size=300)


@given(SIZES)
def test_shares_lie_side_by_side_within_the_whole(sizes: list[float]) -> None:
    placed = shares(sizes)
    assert len(placed) == len(sizes)
    edge = 0.0
    for x, width in placed:
        assert x == pytest.approx(edge, abs=0.3)
        assert width >= 0
        edge = x + width
    assert edge <= 100.5


def test_a_larger_number_has_a_longer_part() -> None:
    assert stack({"b": 1, "a": 3, "c": 0}, ["a", "b", "c", "d"]) == [
        Part("a", 3, 0.0, 74.8), Part("b", 1, 74.8, 25.2)]
    assert stack({}, ["a"]) == []


@given(TIMES, TIMES, st.integers(1, 12))
def test_marks_are_few_and_between(begin: float, length: float, most: int) -> None:
    found = moments(begin, begin + length, most)
    assert len(found) <= most
    assert all(begin <= at <= begin + length for at, _label in found)
    assert all(0 <= mark.x <= 100 for mark in time_marks(begin, begin + length, most))


@pytest.mark.parametrize(("begin", "end", "labels"), [
    (0, 7, ["00:00:00", "00:00:02", "00:00:04", "00:00:06"]),
    (3600, 7200, ["01:00", "01:15", "01:30", "01:45", "02:00"]),
    (0, 86_400 * 3, ["1 Jan", "2 Jan", "3 Jan", "4 Jan"]),
    (5.2, 5.9, [])])
def test_labels_are_as_short_as_the_distance_allows(begin: float, end: float, labels: list[str]) -> None:
    assert [label for _at, label in moments(begin, end, 5)] == labels


def test_an_axis_without_length_has_its_marks_at_the_begin() -> None:
    assert time_marks(60.0, 60.0, 1) == [Mark(0.0, "00:01:00")]


@given(st.floats(1e-12, 1e12))
def test_a_roof_is_above_and_not_far(value: float) -> None:
    assert value <= roof(value) * (1 + 1e-6)
    assert roof(value) <= value * 10


@pytest.mark.parametrize(("value", "top"), [(0, 1), (-3, 1), (0.03, 0.05), (1, 1), (3, 5), (7, 10), (120, 200)])
def test_roofs(value: float, top: float) -> None:
    assert roof(value) == pytest.approx(top)


@pytest.mark.parametrize(("seconds", "top"), [(0.3, 0.5), (4, 5), (70, 120), (4000, 7200), (1e9, 1e9), (1e5, 172_800)])
def test_roofs_of_durations(seconds: float, top: float) -> None:
    assert time_roof(seconds) == pytest.approx(top)


def test_columns_stand_on_the_bottom() -> None:
    slots = [(0.0, 10.0, 2.0), (10.0, 20.0, 0.0), (20.0, 30.0, 4.0), (90.0, 110.0, 1e-9), (200.0, 210.0, 1.0)]
    assert columns(slots, 0.0, 100.0, 4.0) == [
        Column(0.0, 10.0, 2.0, 0.0, 10.0, 50.0, 50.0), Column(20.0, 30.0, 4.0, 20.0, 10.0, 0.0, 100.0),
        Column(90.0, 110.0, 1e-9, 90.0, 10.0, 99.0, 1.0)]
    assert columns([(0.0, 1.0, 1.0)], 5.0, 5.0, 1.0) == []


@given(st.floats(-1e9, 1e9), st.floats(0, 1e9), st.floats(0.001, 1e9))
def test_whiskers_stay_on_their_axis(mean: float, dispersion: float, top: float) -> None:
    found = whisker(mean, dispersion, top)
    assert 0 <= found.low <= found.x <= found.high <= 100


def test_a_whisker() -> None:
    assert whisker(30.0, 10.0, 100.0) == Whisker(30.0, 20.0, 40.0)


@pytest.mark.parametrize(("seconds", "text"), [
    (0.04, "0.0 s"), (59.94, "59.9 s"), (60, "1 min 00 s"), (3_599, "59 min 59 s"), (3_600, "1 h 00 min"),
    (86_399, "23 h 59 min"), (86_400, "1 d 00 h"), (1e6, "11 d 13 h")])
def test_durations_for_people(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(("value", "text"), [
    (0, "0"), (7, "7"), (0.0421, "0.042"), (1.25, "1.2"), (1234, "1,234"), (123.4, "123"), (9_999, "9,999"),
    (10_000, "10k"), (12_345, "12.3k"), (999_900, "1M"), (1_234_567, "1.23M"), (2.5e9, "2.5G")])
def test_numbers_for_people(value: float, text: str) -> None:
    assert number(value) == text


def test_times_for_people() -> None:
    assert (clock(0), clock(1.7e9), iso(1.7e9)) == ("", "2023-11-14 22:13:20", "2023-11-14T22:13:20Z")
    assert (short("abc", 3), short("abcd", 3)) == ("abc", "abc …")


def test_an_event_in_a_line() -> None:
    assert what(told("EnQueued", WM, queue="q" * 300, result="OK")) == f"queue: {'q' * 200} …, result: OK"
