"""Names as text."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wms.identity import SHORT_NAMES, Identity, canonical_dn, dn_text, same_dn

OIDS = st.sampled_from([*SHORT_NAMES, "1.2.3.4"])
VALUES = st.text(alphabet="aA/=.: -\\xC3é\0CN1", max_size=8)
NAMES = st.lists(st.tuples(OIDS, VALUES), max_size=4)


def text_or_none(name: list[tuple[str, str]]) -> str | None:
    try:
        return dn_text(name)
    except ValueError:
        return None


def test_a_name_is_written_as_openssl_does():
    name = [("0.9.2342.19200300.100.1.25", "org"), ("2.5.4.3", "host/x.org"), ("1.2.840.113549.1.9.1", "a@b"),
            ("1.2.3", "é\n")]
    assert dn_text(name) == "/DC=org/CN=host/x.org/emailAddress=a@b/1.2.3=\\xC3\\xA9\\x0A"


@pytest.mark.parametrize("value", ["alice/CN=bob", "a/1.2.3=b", "a\\xC3\\xA9"])
def test_a_value_that_reads_as_something_else_has_no_text(value: str):
    with pytest.raises(ValueError, match="ambiguous"):
        dn_text([("2.5.4.3", value)])


@settings(max_examples=examples(150), deadline=None)
@given(NAMES, NAMES)
def test_two_names_never_share_one_text(one: list[tuple[str, str]], other: list[tuple[str, str]]):
    text = text_or_none(one)
    assert text is None or text != text_or_none(other) or one == other


@settings(max_examples=examples(100), deadline=None)
@given(NAMES)
def test_a_text_is_printable_ascii_and_its_canonical_form_is_stable(name: list[tuple[str, str]]):
    text = text_or_none(name) or ""
    assert text.isascii()
    assert text.isprintable()
    assert canonical_dn(canonical_dn(text)) == canonical_dn(text)
    assert same_dn(text, canonical_dn(text))


@pytest.mark.parametrize(("a", "b"), [
    ("/C=IT/CN=x/Email=a@b", "/C=IT/CN=x/emailAddress=a@b"),
    ("/c=IT/cn=x/E=a@b", "/C=IT/CN=x/emailAddress=a@b"),
    ("/DC=org/USERID=a", "/DC=org/UID=a"),
    ("/C=US/ST=Utah", "/C=US/S=Utah"),
    (" /CN=x ", "/CN=x"),
])
def test_spellings_of_one_name_are_the_same(a: str, b: str):
    assert same_dn(a, b)


@pytest.mark.parametrize(("a", "b"), [
    ("/CN=x", "/CN=X"), ("/CN=x", "/CN=x/CN=1"), ("/CN=x", "/OU=x"), ("/O=a/CN=b", "/CN=b/O=a"),
    ("/CN=host/a", "/CN=host"), ("", "/CN=x")])
def test_different_names_are_not_the_same(a: str, b: str):
    assert not same_dn(a, b)


def test_what_a_credential_says_of_itself():
    assert Identity("/CN=x", not_after=5.0).credential_name == "/CN=x"
    assert Identity("/CN=owner", not_after=5.0, shown="sub:https://i#x").credential_name == "sub:https://i#x"


def test_an_identity_of_a_plain_certificate():
    identity = Identity("/CN=x", not_after=5.0)
    assert (identity.fqans, identity.limited, identity.chain_length, identity.ca_dn) == ((), False, 1, "")
