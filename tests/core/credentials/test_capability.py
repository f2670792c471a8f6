"""Capability tokens."""

from __future__ import annotations

import base64
import math
import re

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wms.capability import Capability, issue, verify
from wms.errors import BadCredential, CredentialExpired

SECRET = b"0123456789abcdef0123456789abcdef"
JOB = "https://localhost:9000/u8bPhX9Y1ZjCVyq3dTtUQA"
TIMES = st.floats(0, 1e12)
CAPABILITIES = st.builds(Capability, st.text(max_size=60), st.integers(0, 2**64 - 1), TIMES)


def token_of(right: Capability, secret: bytes = SECRET) -> str:
    return issue(secret, right.job, right.attempt, right.expires)


@settings(max_examples=examples(100), deadline=None)
@given(CAPABILITIES)
def test_a_token_grants_what_was_issued_until_its_end(right: Capability):
    token = token_of(right)
    assert re.fullmatch(r"[A-Za-z0-9._-]+", token)
    assert verify(SECRET, token, math.nextafter(right.expires, -math.inf)) == right
    with pytest.raises(CredentialExpired):
        verify(SECRET, token, right.expires)


@settings(max_examples=examples(200), deadline=None)
@given(CAPABILITIES, st.data())
def test_no_other_string_verifies(right: Capability, data: st.DataObject):
    token = token_of(right)
    start = data.draw(st.integers(0, len(token)))
    end = data.draw(st.integers(start, min(start + 2, len(token))))
    forged = token[:start] + data.draw(st.text(max_size=2)) + token[end:]
    assume(forged != token)
    with pytest.raises(BadCredential):
        verify(SECRET, forged, -math.inf)


@settings(max_examples=examples(200), deadline=None)
@given(st.text())
def test_arbitrary_text_is_refused(text: str):
    with pytest.raises(BadCredential):
        verify(SECRET, text, 0)
    with pytest.raises(BadCredential):
        verify(SECRET, "wmscap1." + text, 0)


def test_every_last_character_but_the_issued_one_is_refused():
    token = issue(SECRET, JOB, 1, 1e9)
    for last in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=":
        if last != token[-1]:
            with pytest.raises(BadCredential):
                verify(SECRET, token[:-1] + last, 0)


def test_a_token_with_padding_or_of_the_plain_alphabet_is_refused():
    token = issue(SECRET, "j", 1, 1e9)
    for forged in (token + "=", token + "\n", " " + token, token.removeprefix("wmscap1.")):
        with pytest.raises(BadCredential):
            verify(SECRET, forged, 0)


def test_another_secret_does_not_verify():
    with pytest.raises(BadCredential):
        verify(SECRET[::-1], issue(SECRET, JOB, 1, 1e9), 0)


@pytest.mark.parametrize("claim", [bytes.fromhex("7ff8000000000000"), bytes.fromhex("7ff0000000000000")])
def test_a_claim_without_an_end_is_no_token(claim: bytes):
    body = base64.urlsafe_b64encode(bytes(32) + bytes(8) + claim + b"job").rstrip(b"=").decode()
    with pytest.raises(BadCredential):
        verify(SECRET, "wmscap1." + body, 0)


def test_weak_secrets_and_endless_rights_are_not_issued():
    with pytest.raises(ValueError, match="16 bytes"):
        issue(b"short", JOB, 1, 1e9)
    with pytest.raises(ValueError, match="end"):
        issue(SECRET, JOB, 1, math.inf)
