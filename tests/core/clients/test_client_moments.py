"""Times as people type them, and the selections they are used in."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clients import moments
from clients.errors import ArgumentOutOfLimit, ArgumentsExclusive, ArgumentWrong
from clients.selection import EventSelection, Selection, state
from tests.examples import examples
from wms.jobstatus import JobState

NOW = 1_800_000_030.0


@settings(max_examples=examples(100), deadline=None)
@given(st.integers(0, 99), st.integers(0, 59), st.floats(1e9, 2e9))
def test_a_span_ends_on_the_minute_and_never_later_than_asked(hours: int, minutes: int, now: float):
    asked = hours * 3600 + minutes * 60
    if asked == 0:
        with pytest.raises(ArgumentOutOfLimit):
            moments.after(f"{hours}:{minutes:02}", now)
        return
    found = moments.after(f"{hours}:{minutes:02}", now)
    assert found % 60 == 0
    assert now + asked - 60 < found <= now + asked


@settings(max_examples=examples(100), deadline=None)
@given(st.integers(1_000_000_000, 2_000_000_000))
def test_a_full_date_is_read_back(epoch: int):
    epoch -= epoch % 60
    local = time.localtime(epoch)
    for form in ("%m:%d:%H:%M:%Y", "%m:%d:%H:%M:%y"):
        assert time.localtime(moments.moment(time.strftime(form, local), NOW))[:5] == local[:5]


def test_what_is_left_out_is_that_of_today():
    local = time.localtime(NOW)
    assert time.localtime(moments.moment("07:05", NOW))[:5] == (*local[:3], 7, 5)
    assert time.localtime(moments.moment("12:31:07:05", NOW))[:5] == (local.tm_year, 12, 31, 7, 5)


@pytest.mark.parametrize("text", ["13:01:00:00", "02:30:00:00:2026", "24:00"])
def test_dates_that_do_not_exist(text: str):
    with pytest.raises(ArgumentOutOfLimit):
        moments.moment(text, NOW)


@pytest.mark.parametrize("text", ["", "now", "1:2:3", "12:3", "1:1:1:1:1:1", "-1:00"])
def test_words_that_are_no_dates(text: str):
    with pytest.raises(ArgumentWrong):
        moments.moment(text, NOW)
    with pytest.raises(ArgumentWrong):
        moments.after(f"x{text}", NOW)


def test_a_deadline_is_in_the_future():
    future = time.strftime("%m:%d:%H:%M:%Y", time.localtime(NOW + 90))
    assert moments.deadline(future, NOW) > NOW
    with pytest.raises(ArgumentOutOfLimit, match="it is past"):
        moments.deadline("01:01:00:00:2001", NOW)


# -- selections ------------------------------------------------------------------------------------------


def test_a_state_goes_by_name_or_number():
    for number, one in enumerate(JobState):
        assert state(one.value.upper()) == state(str(number)) == one.value
    assert state("undef") == "Undefined"
    for wrong in ("12", "sleeping", "-1", ""):
        with pytest.raises(ArgumentWrong):
            state(wrong)


def select(only: str = "", without: str = "", since: str = "", until: str = "", tags: str = "") -> Selection:
    return Selection.parse(only.split(), without.split(), since, until, tags.split(), NOW)


JOB = {"state": "Done", "stateEnterTimes": {"Submitted": NOW}, "user_tags": {"colour": "red"}}


@pytest.mark.parametrize(("selection", "taken"), [
    (select(), True), (select(only="done 5"), True), (select(only="running"), False), (select(without="6"), False),
    (select(since="01:01:00:00:2001"), True), (select(until="01:01:00:00:2001"), False),
    (select(tags="Colour=red"), True), (select(tags="colour=red size="), False),
])
def test_which_jobs_are_taken(selection: Selection, taken: bool):
    assert selection.takes(JOB) is taken


def test_only_a_selection_that_says_something_narrows():
    assert not select().narrows
    assert select(only="done").narrows


def test_selections_that_make_no_sense():
    with pytest.raises(ArgumentsExclusive, match="Done"):
        select(only="done", without="6")
    with pytest.raises(ArgumentWrong):
        select(tags="colour")


@pytest.mark.parametrize(("only", "without", "since", "until", "taken"), [
    ([], [], "", "", True), (["MATCH"], [], "", "", True), (["Done"], [], "", "", False),
    ([], ["match"], "", "", False),
    ([], [], "01:01:00:00:2001", "", True), ([], [], "", "01:01:00:00:2001", False),
])
def test_which_events_are_taken(only: list[str], without: list[str], since: str, until: str, taken: bool):
    selection = EventSelection.parse(only, without, since, until, NOW)
    assert selection.takes({"type": "Match", "timestamp": NOW}) is taken


def test_an_event_type_that_is_none():
    with pytest.raises(ArgumentWrong, match="Sneeze"):
        EventSelection.parse(["Sneeze"], [], "", "", NOW)
