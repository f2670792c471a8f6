"""Signing policies of Globus, as they are found in the wild."""

from __future__ import annotations

import fnmatch
import re

import pytest
from anchor_builders import policy_text
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wms.identity import canonical_dn
from wms.x509.signing_policy import (
    LONGEST_PATTERN,
    MOST_BYTES,
    BadSigningPolicy,
    SigningPolicy,
    matches,
    permits,
    read_signing_policy,
)

CA = "/C=IT/O=INFN/CN=INFN CA"
SEVERAL = b"""\
# Several in one file, as EUGridPMA has them
access_id_CA      X509         '/C=CH/O=CERN/CN=CA one'   # the first
pos_rights        globus        CA:sign
cond_subjects     globus     '"/C=CH/O=CERN/*" "/DC=ch/DC=cern/*"'

access_id_CA      X509         /CN=two
pos_rights        globus        CA:sign # yes
cond_subjects     globus       '/CN=two/*'
"""


def test_entries_are_read_in_their_order():
    assert read_signing_policy(SEVERAL) == (
        SigningPolicy(canonical_dn("/C=CH/O=CERN/CN=CA one"), ("/c=CH/o=CERN/*", "/dc=ch/dc=cern/*")),
        SigningPolicy("/cn=two", ("/cn=two/*",)))


@pytest.mark.parametrize(("pattern", "subject", "may"), [
    ("/C=IT/O=INFN/*", "/C=IT/O=INFN/CN=alice", True), ("/C=IT/O=INFN/*", "/C=IT/O=INFNX/CN=alice", False),
    ("/C=IT/O=INFN/CN=?", "/C=IT/O=INFN/CN=a", True), ("/C=IT/O=INFN/CN=?", "/C=IT/O=INFN/CN=ab", False),
    ("/c=IT/o=INFN/*", "/C=IT/O=INFN/CN=alice", True), ("/C=it/O=INFN/*", "/C=IT/O=INFN/CN=alice", False),
    ("*", "/CN=any", True), ("/C=IT/*/CN=x", "/C=IT/O=a/OU=b/CN=x", True), ("/CN=x", "/CN=xy", False),
    ("/O=x/Email=*", "/O=x/emailAddress=a@b", True), ("/O=G.id/*", "/O=Grid/CN=x", False),
    ("/O=[ab]/*", "/O=a/CN=x", False), ("/CN=x*", "/CN=x", True)])
def test_a_name_is_of_the_form_or_is_not(pattern: str, subject: str, may: bool):
    (policy,) = read_signing_policy(policy_text(CA, pattern))
    assert permits(policy, subject) is may


@settings(max_examples=examples(300), deadline=None)
@given(st.text("ab*?", max_size=8), st.text("abc", max_size=8))
def test_patterns_mean_what_a_shell_means(pattern: str, text: str):
    assert matches(pattern, text) == (re.fullmatch(fnmatch.translate(pattern), text) is not None)


def test_a_pattern_cannot_take_long():
    assert not matches("a*" * (LONGEST_PATTERN // 2) + "b", "a" * 2000)


@pytest.mark.parametrize(("text", "reason"), [
    (b"", "lets no authority sign"), (b"# only a comment\n", "lets no authority sign"),
    (b"access_id_CA X509 '/CN=x'\npos_rights globus CA:sign\n", "lets no authority sign"),
    (b"access_id_CA X509 '/CN=x'\ncond_subjects globus '\"*\"'\n", "line 2"),
    (b"pos_rights globus CA:sign\n", "line 1"),
    (b"access_id_CA X509 '/CN=x'\npos_rights globus CA:read\ncond_subjects globus '\"*\"'\n", "line 3"),
    (b"access_id_CA X509 '/CN=x'\nneg_rights globus CA:sign\n", "line 2"),
    (b"access_id_CA kerberos '/CN=x'\n", "line 1"), (b"access_id_CA\n", "line 1 is not"),
    (b"access_id_CA X509 '/CN=x\n", "quotes"), (b"access_id_CA X509 ''\n", "quotes"),
    (b"access_id_CA X509 '/CN=x' y\n", "quotes"),
    (policy_text(CA, ""), "told apart"), (policy_text(CA, 'a" "'), "told apart"),
    (policy_text(CA, "x").replace(b"\"x\"", b"\"x\" y"), "told apart"),
    (policy_text(CA, "x").replace(b"\"x\"", b"\"x"), "told apart"),
    (policy_text(CA, "x" * (LONGEST_PATTERN + 1)), "longer than"),
    (b"#" * (MOST_BYTES + 1), "longer than")])
def test_what_is_no_policy_is_refused_with_its_line(text: bytes, reason: str):
    with pytest.raises(BadSigningPolicy, match=reason):
        read_signing_policy(text)


@settings(max_examples=examples(300), deadline=None)
@given(st.integers(0, 400), st.integers(0, 30), st.binary(max_size=8))
def test_a_damaged_policy_is_read_or_refused(start: int, length: int, replaced: bytes):
    try:
        found = read_signing_policy(SEVERAL[:start] + replaced + SEVERAL[start + length :])
    except BadSigningPolicy:
        return
    assert all(policy.subjects for policy in found)


@settings(max_examples=examples(200), deadline=None)
@given(st.text("access_id_CAX509posrightglobuc:'\"\n /*#=", max_size=200))
def test_arbitrary_text_is_read_or_refused(text: str):
    try:
        read_signing_policy(text.encode())
    except BadSigningPolicy:
        pass
