"""The status as key=value lines: every key once, in its order, each on one line."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lb.text import error_lines, status_lines
from wms.errors import NoSuchJob
from wms.event import Source, event
from wms.jobstatus import JobStatus, JobType
from wms.seqcode import START

JOB = "https://lb.example.org:9000/rIBubkFFKhnSQ6CjiLUY8Q"


def keys(text: str) -> list[str]:
    return [line.partition("=")[0] for line in text.splitlines()]


def test_a_simple_job_begins_with_what_it_is_and_ends_with_its_description() -> None:
    found = keys(status_lines(JobStatus(job_id=JOB)))
    assert found[:6] == ["Job", "cream_id", "parent_job", "Status", "job_type", "jw_status"]
    assert found[-2:] == ["jdl", "rsl"]
    assert len(found) == len(set(found))


def test_a_collection_tells_of_its_children() -> None:
    status = msgspec.structs.replace(JobStatus(job_id=JOB), jobtype=JobType.COLLECTION, children_num=2,
                                     children_hist={"Done": 1, "Running": 1}, user_tags={"a": "b"})
    text = status_lines(status)
    assert "children_hist=Done=1,Running=1\n" in text
    assert 'user_tags="a=b"\n' in text


def test_history_is_a_line_an_event() -> None:
    pending = event("Pending", JOB, Source.WORKLOAD_MANAGER, START, 1.7e9, "host", reason="no\nmatch")
    assert keys(status_lines(JobStatus(job_id=JOB), [pending])).count("history") == 1


@given(st.text(max_size=50))
def test_no_value_spans_lines(text: str) -> None:
    lines = status_lines(msgspec.structs.replace(JobStatus(job_id=JOB), reason=text)).split("\n")
    assert sum(line.startswith("reason=") for line in lines) == 1
    assert len(lines) == len(status_lines(JobStatus(job_id=JOB)).split("\n"))


@pytest.mark.parametrize("hint", ["", "Ask again."])
def test_a_refusal_has_the_same_form(hint: str) -> None:
    assert keys(error_lines(NoSuchJob("No such job.", hint=hint))) == ["Error", "Code", "Description"]
