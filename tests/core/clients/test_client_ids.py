"""Files of identifiers, the menu, and what may be answered to it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clients import ids
from clients.errors import AllJobIdsWrong, BadInputFile
from tests.examples import examples
from wms.errors import BadJobId

JOBS = [f"https://lb.example.org:9000/{letter * 22}" for letter in "abc"]


def test_the_file_of_submit_is_read_back_whatever_comments_it_has():
    text = f"{ids.HEADER}\n{JOBS[0]}\n#* not started\n\n  {JOBS[1]}  \n// a\n* b\n{JOBS[0]}\n"
    assert ids.items(text, "f") == JOBS[:2]


@pytest.mark.parametrize("text", ["", "\n\n", "# only\n"])
def test_a_file_that_names_nothing_is_refused(text: str):
    with pytest.raises(BadInputFile, match=r"invalid input file : here"):
        ids.items(text, "here")


def test_identifiers_are_canonical_and_come_once():
    assert ids.job_ids(["https://LB.example.org/x", "https://lb.example.org:9000/x", "nonsense"]) == (
        ["https://lb.example.org:9000/x"], ["nonsense"])


def test_nothing_but_bad_identifiers_is_an_error():
    with pytest.raises(AllJobIdsWrong, match="all parsed jobids in bad format: a, b"):
        ids.job_ids(["a", "b"])
    with pytest.raises(BadJobId):
        ids.job_ids(["a"])


def test_the_menu_of_jobs():
    assert ids.menu(JOBS, ids.jobs_question(3), several=True).splitlines() == [
        "-" * 99, f"1 : {JOBS[0]}", f"2 : {JOBS[1]}", f"3 : {JOBS[2]}", "a : all", "q : quit",
        "Choose one or more edg_jobId(s) in the list - [1-3]all:"]


def test_the_menu_of_one_ce_offers_no_all():
    assert "a : all" not in ids.menu(["ce"], "?", several=False)


@pytest.mark.parametrize(("answer", "expected"), [
    ("", [0, 1, 2, 3, 4]), ("a", [0, 1, 2, 3, 4]), ("ALL", [0, 1, 2, 3, 4]), ("q", []), ("Q ", []),
    ("3", [2]), ("1,3-5", [0, 2, 3, 4]), ("2 - 3, 1", [1, 2, 0]), ("1,1-2", [0, 1]),
    ("0", None), ("6", None), ("3-2", None), ("4-6", None), ("x", None), ("1;2", None), (",", None), ("-1", None),
])
def test_answers(answer: str, expected: list[int] | None):
    assert ids.chosen(answer, 5) == expected


@pytest.mark.parametrize(("answer", "expected"), [("2", [1]), ("1-2", None), ("", None), ("a", None), ("q", [])])
def test_where_one_is_wanted_one_is_answered(answer: str, expected: list[int] | None):
    assert ids.chosen(answer, 3, several=False) == expected


@settings(max_examples=examples(200), deadline=None)
@given(st.text(alphabet="0123456789,-aq ", max_size=12), st.integers(1, 30))
def test_an_answer_never_selects_what_is_not_there(answer: str, count: int):
    found = ids.chosen(answer, count)
    assert found is None or (set(found) <= set(range(count)) and len(set(found)) == len(found))


@settings(max_examples=examples(100), deadline=None)
@given(st.sets(st.integers(1, 50), min_size=1))
def test_numbers_with_commas_select_exactly_themselves(numbers: set[int]):
    answer = ",".join(map(str, sorted(numbers)))
    assert ids.chosen(answer, 50) == [number - 1 for number in sorted(numbers)]
