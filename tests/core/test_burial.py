"""What is told of a message that nobody could handle."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wms.burial import TOLD, notice
from wms.messages.attempts import Ended, Release, Reported
from wms.messages.record import Record
from wms.messages.submission import Buried, Finished, NodeJob, Resubmit, SubmitNodes
from wms.messages.topics import LB, WM
from wms.operations import OutcomeReport

JOB = "https://lb.example.org:9000/abc"
TRACEBACK = "Traceback (most recent call last):\n  File \"x.py\", line 1\nKeyError: 'queue'\n"


@pytest.mark.parametrize(("record", "expected"), [
    (Resubmit(JOB, 2, True, "lost", "UI=1"), Buried(WM, JOB, "Resubmit", "KeyError: 'queue'", 2, "", "UI=1")),
    (Finished(JOB, 3, "Done"), Buried(WM, JOB, "Finished", "KeyError: 'queue'", 3, "Done")),
    (Release(JOB, (4, 5)), Buried(WM, JOB, "Release", "KeyError: 'queue'", nodes=(4, 5))),
    (SubmitNodes(JOB, "o", "v", (), "c", 1.0, 1.0, (NodeJob("x", 4, "j"), NodeJob("y", 5, "j"))),
     Buried(WM, JOB, "SubmitNodes", "KeyError: 'queue'", nodes=(4, 5))),
    (Ended(JOB, 2, "Done", since=7.0), Buried(WM, JOB, "Ended", "KeyError: 'queue'", 2, "Done", since=7.0)),
    (Reported(JOB, 1, OutcomeReport()), Buried(WM, JOB, "Reported", "KeyError: 'queue'", 1)),
])
def test_record_attempt_and_reason_are_told(record: Record, expected: Buried) -> None:
    assert notice(WM, JOB, msgspec.json.encode(record), TRACEBACK) == expected


def test_what_concerns_no_jobs_way_is_not_told() -> None:
    body = msgspec.json.encode(Finished(JOB, 3, "Done"))
    assert notice(LB, JOB, body, "x") is None
    assert notice(WM, "", body, "x") is None


def test_the_burial_of_a_notice_is_not_told_again() -> None:
    assert notice(WM, JOB, msgspec.json.encode(Buried(WM, JOB, "Run", "x")), "y") is None


@given(st.sampled_from(sorted(TOLD)), st.binary(), st.text())
def test_what_cannot_be_read_is_told_without_a_name(topic: str, body: bytes, error: str) -> None:
    told = notice(topic, JOB, b"\xff" + body, error)
    assert told is not None
    assert (told.topic, told.job, told.record, told.attempt) == (topic, JOB, "", 0)


def test_what_is_not_as_it_should_be_is_left_out() -> None:
    body = msgspec.json.encode({"type": "Submit", "attempt": "x", "outcome": {}, "sequence_code": 7, "nodes": ["x"]})
    assert notice(WM, JOB, body, "y") == Buried(WM, JOB, "Submit", "y")
