"""Spool files: what was written comes back, a tear at any byte costs only what was never acknowledged."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wms import spool_format as spool
from wms.errors import BadJobId
from wms.jobid import JobId

JOB = JobId("lb.example.org", 9000, "snPegp1YMJcnS22yF5pFlg")
MARK = "0123456789abcdef"
HEAD = spool.head(MARK, JOB)

lines = st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]), min_size=1, max_size=40)
uniques = st.text(st.characters(exclude_characters="?\0", exclude_categories=["Cs", "Z", "C"]), min_size=1, max_size=80)


def content(events: list[str]) -> bytes:
    return HEAD + b"".join(map(spool.frame, events))


def texts(found: spool.Window) -> list[str]:
    return [line.text.decode() for line in found.lines]


@given(st.lists(lines, max_size=5))
@settings(max_examples=examples(100), deadline=None)
def test_what_is_written_comes_back(events: list[str]) -> None:
    data = content(events)
    found = spool.window(data[len(HEAD):], len(HEAD))
    assert texts(found) == events
    assert (found.damaged, found.end) == ([], len(data))
    assert [line.end for line in found.lines[-1:]] == [len(data)] * bool(events)


@given(st.lists(lines, min_size=1, max_size=4))
@settings(max_examples=examples(50), deadline=None)
@example(["DATE=1", "b" * 300])
def test_a_tear_at_any_byte_costs_only_the_torn_line(events: list[str]) -> None:
    data = content(events)
    ends = [len(content(events[:count])) for count in range(len(events) + 1)]
    for cut in range(len(HEAD), len(data)):
        torn = data[:cut]
        whole = max(end for end in ends if end <= cut)
        found = spool.window(torn[len(HEAD):], len(HEAD))
        assert (texts(found), found.damaged, found.end) == (events[:ends.index(whole)], [], whole)
        assert spool.torn_at(torn) == whole
        mended = torn[:spool.torn_at(torn)] + spool.frame("next")
        assert texts(spool.window(mended[len(HEAD):], len(HEAD))) == [*events[:ends.index(whole)], "next"]


def test_a_tear_in_the_head_leaves_nothing() -> None:
    assert [spool.torn_at(HEAD[:cut]) for cut in range(len(HEAD))] == [0] * len(HEAD)
    assert [spool.parse_head(HEAD[:cut]) for cut in range(len(HEAD))] == [None] * len(HEAD)


@given(st.lists(lines, min_size=2, max_size=3), st.data())
@settings(max_examples=examples(200), deadline=None)
def test_a_damaged_byte_is_noticed_and_costs_at_most_the_lines_it_is_in(events: list[str], data: st.DataObject) -> None:
    good = content(events)
    at = data.draw(st.integers(len(HEAD), len(good) - 1))
    bad = bytearray(good)
    bad[at] ^= data.draw(st.integers(1, 255))
    found = spool.window(bytes(bad[len(HEAD):]), len(HEAD))
    assert set(texts(found)) <= set(events)
    assert len(found.lines) >= len(events) - 2
    assert found.damaged or found.end < len(good)
    assert sum(len(part) for part, _ in found.damaged) + sum(
        len(spool.frame(text)) for text in texts(found)) == found.end - len(HEAD)


def test_a_file_may_be_given_back_behind_another() -> None:
    both = content(["a"]) + content(["b"])
    assert texts(spool.window(both[len(HEAD):], len(HEAD))) == ["a", "b"]


@given(uniques, uniques)
@settings(max_examples=examples(200), deadline=None)
@example("../../etc/passwd", "a/b")
@example("A", "a")
def test_each_job_has_a_file_of_its_own_with_a_safe_name(one: str, other: str) -> None:
    name = spool.file_name(JobId("h", 1, one))
    assert name.isascii()
    assert "/" not in name
    assert len(name) < 100
    assert spool.is_spool_file(name)
    assert (name == spool.file_name(JobId("h", 1, other))) == (one == other)
    assert not spool.is_spool_file(name + spool.CONTROL)


@given(uniques)
@settings(max_examples=examples(100), deadline=None)
def test_a_head_tells_the_job(unique: str) -> None:
    job = JobId("h", 1, unique)
    made = spool.head(MARK, job)
    assert spool.parse_head(made + b"more") == spool.Head(MARK, job, len(made))


@pytest.mark.parametrize("data", [
    b"", b"lb-spool 1 0123456789abcdef job\n", b"lb-spool 1 0123456789abcdef https://h:1/\xff\n", b"lb-spool 2 x y\n"])
def test_what_is_no_head_is_none(data: bytes) -> None:
    assert spool.parse_head(data) is None


def test_a_monstrous_identifier_cannot_be_spooled() -> None:
    with pytest.raises(BadJobId):
        spool.head(MARK, JobId("h", 1, "x" * spool.MAX_JOB))


@given(st.integers(0, 10**15))
def test_a_control_file_comes_back_or_was_never_whole(offset: int) -> None:
    shipped = spool.Control(MARK, offset)
    made = spool.control(shipped)
    assert spool.parse_control(made) == shipped
    assert {spool.parse_control(made[:cut]) for cut in range(len(made))} == {None}


@pytest.mark.parametrize(("shipped", "start"), [
    (None, 80), (spool.Control(MARK, 90), 90), (spool.Control(MARK, 200), 80), (spool.Control(MARK, 10), 80),
    (spool.Control("f" * 16, 90), 80)])
def test_shipping_goes_on_only_in_the_very_file_it_was_begun_in(shipped: spool.Control | None, start: int) -> None:
    assert spool.start_of(spool.Head(MARK, JOB, 80), shipped, 100) == start
