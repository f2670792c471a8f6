"""Elements of DER."""

from __future__ import annotations

import pytest
from cryptography import x509
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wms import der

TAGS = st.integers(0, 255)
CONTENTS = st.one_of(st.binary(max_size=300), st.integers(0, 70000).map(bytes))


@settings(max_examples=examples(200), deadline=None)
@given(TAGS, CONTENTS, st.binary(max_size=8))
def test_an_element_is_read_as_it_was_written(tag: int, content: bytes, rest: bytes):
    assert der.take(der.element(tag, content) + rest) == (tag, content, rest)


@settings(max_examples=examples(100), deadline=None)
@given(TAGS, st.binary(max_size=300), st.data())
def test_a_part_of_an_element_is_none(tag: int, content: bytes, data: st.DataObject):
    whole = der.element(tag, content)
    with pytest.raises(ValueError, match="truncated"):
        der.take(whole[: data.draw(st.integers(0, len(whole) - 1))])


@pytest.mark.parametrize("blob", [b"\x30\x80", b"\x30\x85\x00\x00\x00\x00\x00", b"\x30\xff" + bytes(200)])
def test_indefinite_and_absurd_lengths_are_refused(blob: bytes):
    with pytest.raises(ValueError, match="malformed"):
        der.take(blob)


@settings(max_examples=examples(100), deadline=None)
@given(st.lists(st.builds(der.element, TAGS, st.binary(max_size=200)), max_size=5))
def test_elements_in_a_row_are_split(elements: list[bytes]):
    assert der.split(b"".join(elements)) == elements


@settings(max_examples=examples(100), deadline=None)
@given(st.integers(0, 2), st.integers(0, 39), st.lists(st.integers(0, 2**40), min_size=1, max_size=6))
def test_object_identifiers_are_encoded_as_the_library_does(first: int, second: int, arcs: list[int]):
    dotted = ".".join(map(str, (first, second, *arcs)))
    name = x509.Name([x509.NameAttribute(x509.ObjectIdentifier(dotted), "x")])
    assert der.oid(dotted) in name.public_bytes()


@settings(max_examples=examples(100), deadline=None)
@given(st.integers(0, 2**64))
def test_integers_stay_positive(number: int):
    tag, content, _ = der.take(der.integer(number))
    assert (tag, int.from_bytes(content, "big", signed=True)) == (der.INTEGER, number)
