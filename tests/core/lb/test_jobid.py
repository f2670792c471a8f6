"""Job identifiers: what is one, what is not, and the children that everybody can derive."""

from __future__ import annotations

import base64
import hashlib
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wms.errors import BadJobId
from wms.jobid import JobId, parse_server

NAMES = st.text(string.ascii_lowercase + string.digits + "-.", min_size=1, max_size=30)
IDS = st.builds(JobId, NAMES | st.just("[2001:db8::1]"), st.integers(1, 65535),
                st.text(string.ascii_letters + string.digits + "-_.:", min_size=1, max_size=40))


@given(IDS)
def test_what_is_printed_is_read(jobid):
    assert JobId.parse(str(jobid)) == jobid
    assert JobId.parse(f"{jobid}?classad\nof?any kind") == jobid


@pytest.mark.parametrize(("text", "host", "port", "unique"), [
    ("https://lb.example/abc", "lb.example", 9000, "abc"),
    ("https://LB.Example:9100/abc", "lb.example", 9100, "abc"),
    ("https://[::1]/abc", "[::1]", 9000, "abc"),
    ("https://[2001:DB8::1]:9001/NOTIF:abc", "[2001:db8::1]", 9001, "NOTIF:abc"),
    ("https://lb/123.pbs.example", "lb", 9000, "123.pbs.example"),
    ("https://lb/a/b", "lb", 9000, "a/b"),
])
def test_forms(text, host, port, unique):
    assert JobId.parse(text) == JobId(host, port, unique)


@pytest.mark.parametrize("text", [
    "", "https://", "https:///abc", "https://lb", "https://lb/", "https://lb/?x", "HTTPS://lb/abc", "http://lb/abc",
    "https://lb:/abc", "https://lb:0/abc", "https://lb:65536/abc", "https://lb:x/abc", "https://l b/abc",
    "https://lb/a bc", "https://lb/abc ", "https://lb/abc\n", "https://a:1:2/abc", "https://[::1/abc",
    "https://lb/a\0b"])
def test_what_is_no_identifier(text):
    with pytest.raises(BadJobId):
        JobId.parse(text)


@given(st.binary(min_size=16, max_size=16))
def test_a_new_identifier_has_22_characters_of_its_entropy(entropy):
    made = JobId.make("LB.example", 9000, entropy)
    assert len(made.unique) == 22
    assert base64.urlsafe_b64decode(made.unique + "==") == entropy
    assert JobId.parse(str(made)) == made


def test_too_little_entropy_is_refused():
    with pytest.raises(ValueError, match="16 bytes"):
        JobId.make("lb", 9000, b"short")


@given(IDS, st.none() | st.text(max_size=20), st.integers(0, 10**6))
def test_a_child_is_the_hash_of_parent_seed_and_number(parent, seed, index):
    said = "edg_wll_GenerateSubjobIds()" if seed is None else seed
    digest = hashlib.md5(f"{parent.unique},{said},{index}".encode()).digest()
    child = parent.subjob(seed, index)
    assert base64.urlsafe_b64decode(child.unique + "==") == digest
    assert (child.host, child.port) == (parent.host, parent.port)


def test_children_are_numbered_from_0():
    with pytest.raises(BadJobId):
        JobId("lb", 9000, "x").subjob("WMPROXY", -1)


@given(st.lists(IDS, max_size=5))
def test_identifiers_sort_by_server_then_unique(ids):
    assert sorted(ids) == sorted(ids, key=lambda one: (one.host, one.port, one.unique))


def test_a_server_is_given_as_host_or_host_and_port():
    assert parse_server("LB.example") == ("lb.example", 9000)
    assert parse_server("[::1]:9001") == ("[::1]", 9001)
    for text in ("https://lb", "lb/x", "lb:99999", ""):
        with pytest.raises(BadJobId):
            parse_server(text)


@given(st.integers(0, 40), st.sets(st.integers(0, 60), max_size=5), st.sampled_from([None, "seed"]))
def test_indices_are_found_by_their_unique_parts(number: int, wanted: set[int], seed: str | None) -> None:
    parent = JobId("h", 9000, "parent")
    unique = {parent.subjob(seed, index).unique: index for index in wanted}
    found = parent.indices(seed, number, [*unique, "other", "é", "AAAAAAAAAAAAAAAAAAAAAA", "a"])
    assert found == {name: index for name, index in unique.items() if index < number}
    assert parent.indices(seed, 100, [parent.subjob(seed, 7).unique]) == {parent.subjob(seed, 7).unique: 7}
