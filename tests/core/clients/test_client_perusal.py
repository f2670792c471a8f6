"""What job-perusal knows from names, and its blocks; the last words of job-attach."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients.attaching import exit_status, words
from clients.perusal_text import changed, got
from clients.perusing import known
from clients.terminal import Ended

JOB = "https://lb.example.org:9000/abc"


@given(st.text(st.characters(exclude_characters="/\0"), min_size=1, max_size=10),
       st.lists(st.tuples(st.integers(0, 99), st.integers(100, 999))), st.lists(st.text(max_size=10)))
def test_the_names_of_local_files_tell_how_far_a_file_was_fetched(
    name: str, here: list[tuple[int, int]], others: list[str]
) -> None:
    listed = [f"{name}-{start}-{end}" for start, end in here] + [f"x{name}-0-{end}" for _, end in here]
    strange = [other for other in others if not other.startswith(name) and not name.startswith("x")]
    assert known(name, [*listed[:len(here)], *strange]) == max((end for _, end in here), default=0)


@pytest.mark.parametrize("other", ["log-1", "log-1-2-3", "log-a-5", "log2-0-9", ".log.part", "log-0-5~"])
def test_other_files_tell_nothing(other: str) -> None:
    assert known("log", [other]) == 0


def test_the_blocks() -> None:
    lines = changed(JOB, ["a", "b"]).splitlines()
    assert {len(line) for line in lines if "=" in line} == {74}
    assert lines[3:7] == ["File(s) perusal has been successfully enabled for the job:", JOB, "- a", "- b"]
    assert "disabled for the job:\n" + JOB in changed(JOB, [])
    assert "successfully stored in:\n/d\n" in got(JOB, "/d", True)
    assert "No files to be retrieved for the job:\n" + JOB in got(JOB, "/d", False)


@pytest.mark.parametrize(("ended", "status", "exits", "says"), [
    (Ended(), {}, 0, f"[detached; the job goes on: job-attach {JOB}]"),
    (Ended(taken=True), {}, 0, "[another terminal was attached to the job]"),
    (Ended(cancel=True), {}, 0, "[the job is being cancelled]"),
    (Ended("Done"), {"state": "Done", "done_code": 0}, 0, "[the job is over, Done (Success)]"),
    (Ended("Done"), {"state": "Done", "done_code": 0, "exit_code": 7}, 7, "[the job is over, Done (Exit Code !=0)]"),
    (Ended("Aborted"), {"state": "Aborted", "reason": "no"}, 1, "[the job is over, Aborted: no]"),
    (Ended("Cancelled"), {"state": "Cancelled"}, 1, "[the job is over, Cancelled]")])
def test_the_last_words(ended: Ended, status: dict[str, Any], exits: int, says: str) -> None:
    assert (exit_status(ended, status), words(JOB, ended, status)) == (exits, says)
