"""Sequence codes: read, printed, counted and compared."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wms.errors import BadSequenceCode
from wms.seqcode import START, SequenceCode, Source

CODES = st.builds(SequenceCode, *[st.integers(0, 9_999_999_999)] * 9)
NARROW = st.builds(SequenceCode, *[st.integers(0, 999_999)] * 9)


@given(CODES)
def test_what_is_printed_is_read(code):
    assert SequenceCode.parse(str(code)) == code


def test_the_wire_form():
    assert str(SequenceCode(2, 3, 4, 5, 6, 7, 8, 9, 10)) == (
        "UI=000002:NS=0000000003:WM=000004:BH=0000000005:JSS=000006:LM=000007:LRMS=000008:APP=000009:LBS=000010")
    assert START == SequenceCode() == (0,) * 9


def test_old_codes_lack_the_last_counter():
    old = "UI=000002:NS=0000000003:WM=000004:BH=0000000005:JSS=000006:LM=000007:LRMS=000008:APP=000009"
    assert SequenceCode.parse(old) == SequenceCode(2, 3, 4, 5, 6, 7, 8, 9, 0)


@pytest.mark.parametrize("text", [
    "", "UI=1", "no_seqcodes", str(START) + ":X=1", " " + str(START), str(START) + "\n",
    str(START).replace("=000000", "=-00001"), "TIMESTAMP=20100101000000:POS=0000000001:EV.CODE=205:SRC=s",
    str(START).replace("UI=000000", "UI=" + "9" * 11), str(START).replace("UI=000000", "UI=٠٠٠٠٠٠")])
def test_what_is_no_code(text):
    with pytest.raises(BadSequenceCode):
        SequenceCode.parse(text)


@given(CODES, CODES, CODES)
def test_the_order_is_total(a, b, c):
    assert (a < b) + (a == b) + (a > b) == 1
    assert not (a <= b <= c) or a <= c


@given(NARROW, NARROW)
def test_codes_within_their_width_sort_like_their_texts(a, b):
    assert (a < b) == (str(a) < str(b))


@given(CODES, st.sampled_from(Source))
def test_an_event_moves_the_counter_of_its_source_only(code, source):
    after = code.advanced(source)
    moved = [name for name in code._fields if getattr(after, name) != getattr(code, name)]
    assert moved == ([] if source.component is None else [source.component])
    assert after >= code
    assert (after > code) == (source.component is not None)


def test_sources_are_numbered_and_the_first_nine_have_counters():
    assert [source.code for source in Source] == list(range(1, 20))
    assert [source.component for source in Source][:9] == list(SequenceCode._fields)
    assert {source.component for source in Source if source.code > 9} == {None}
    assert Source("JobController").component == "jss"
