"""Rows of events: everything comes back, and packed codes sort as codes do."""

from __future__ import annotations

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from lb_jobs import told

from lb.rows import from_row, pack_code, to_row, unpack_code
from tests.examples import examples
from wms.event import Source, event
from wms.seqcode import SequenceCode

COUNTERS = st.one_of(st.integers(0, 300), st.sampled_from([247, 248, 255, 256, 65_535, 65_536, 2**32]),
                     st.integers(0, 9_999_999_999))
CODES = st.tuples(*[COUNTERS] * 9).map(SequenceCode._make)


@given(CODES)
def test_a_packed_code_comes_back(code: SequenceCode) -> None:
    assert unpack_code(pack_code(str(code), "NetworkServer")) == str(code)


@settings(max_examples=examples(300))
@given(CODES, CODES, st.integers(0, 9))
def test_packed_codes_sort_as_codes(a: SequenceCode, b: SequenceCode, shared: int) -> None:
    b = SequenceCode._make((*a[:shared], *b[shared:]))
    packed = [pack_code(str(code), "NetworkServer") for code in (a, b)]
    assert (packed[0] < packed[1]) == (a < b)


def test_a_common_code_takes_nine_bytes() -> None:
    assert len(pack_code(str(SequenceCode(ns=247, wm=3)), "NetworkServer")) == 9


@given(st.text(min_size=1).filter(lambda text: text.isprintable()))
def test_codes_of_other_systems_are_kept_as_they_are(text: str) -> None:
    assert unpack_code(pack_code(text, "PBSServer")) == text


def test_an_event_comes_back_with_its_arrival() -> None:
    given = event("Done", "https://lb.example:9000/job", Source.LOG_MONITOR, SequenceCode(lm=3), 1.25, "host",
                  "/CN=Jané", level="DEBUG", priority=3, instance="i", status_code="FAILED", reason="\n\"é")
    assert from_row(to_row(7, 3, given, 99.5), given.job) == msgspec.structs.replace(given, arrived=99.5)


def test_a_row_knows_its_place() -> None:
    row = to_row(7, 3, told("Match", Source.WORKLOAD_MANAGER), 99.5)
    assert (row["job"], row["number"], row["type"], row["source"]) == (7, 3, 15, 3)
