"""Revocation lists: what they say, and which are believed."""

from __future__ import annotations

import math

import pytest
from anchor_builders import WEEK, crl, crl_bytes
from credential_builders import CA, NOW, Extension, person
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wms import der
from wms.errors import CredentialRevoked, RevocationUnknown
from wms.x509 import authority
from wms.x509.crl import BadCrl, Crl, check, genuine, read_crl
from wms.x509.proxy import new_key

ALICE = person().chain[0]
OTHER = authority.make_authority(NOW, serial=9, kind="ec")
PLACE = [x509.UniformResourceIdentifier("http://ca.example.org/crl")]


def scope(**flags: bool) -> Extension:
    said = {"only_contains_user_certs": False, "only_contains_ca_certs": False, "indirect_crl": False,
            "only_contains_attribute_certs": False, **flags}
    return x509.IssuingDistributionPoint(full_name=PLACE, relative_name=None, only_some_reasons=None, **said), True


@settings(max_examples=examples(20), deadline=None)
@given(st.frozensets(st.integers(1, 2**159 - 1), max_size=5), st.sampled_from([Encoding.PEM, Encoding.DER]))
def test_a_list_is_read_as_it_was_written(serials: frozenset[int], encoding: Encoding):
    found = read_crl(crl_bytes(serials, encoding=encoding))
    assert (found.issuer, found.serials) == (CA.subject.public_bytes(), serials)
    assert (found.last_update, found.next_update) == (NOW - 60, NOW + WEEK)


def test_a_list_may_leave_out_when_the_next_one_comes():
    tbs, *signature = der.split(der.take(crl_bytes(encoding=Encoding.DER))[1])
    fields = der.split(der.take(tbs)[1])
    shorter = der.element(der.SEQUENCE, b"".join([*fields[:4], *fields[5:]]))
    assert read_crl(der.element(der.SEQUENCE, b"".join([shorter, *signature]))).next_update == math.inf


@settings(max_examples=examples(200), deadline=None)
@given(st.integers(0, 600), st.integers(0, 20), st.binary(max_size=8), st.sampled_from([Encoding.PEM, Encoding.DER]))
def test_a_damaged_list_is_read_or_refused(start: int, length: int, replaced: bytes, encoding: Encoding):
    content = crl_bytes([2, 3], scope(), encoding=encoding)
    try:
        read_crl(content[:start] + replaced + content[start + length :])
    except BadCrl:
        pass


@settings(max_examples=examples(200), deadline=None)
@given(st.binary(max_size=100), st.booleans())
def test_arbitrary_bytes_are_no_list(blob: bytes, armoured: bool):
    with pytest.raises(BadCrl):
        read_crl(b"-----BEGIN X509 CRL-----\n" + blob if armoured else blob)


@pytest.mark.parametrize("extension", [
    (x509.DeltaCRLIndicator(3), True), (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3"), b"\x05\0"), True),
    scope(only_contains_user_certs=True), scope(only_contains_ca_certs=True), scope(indirect_crl=True)])
def test_a_list_of_a_part_or_of_a_kind_not_understood_is_refused(extension: Extension):
    with pytest.raises(BadCrl, match=r"delta|not understood"):
        read_crl(crl_bytes([2], extension))


def test_a_list_may_say_where_it_lies_and_which_it_is():
    assert read_crl(crl_bytes([2], scope(), (x509.CRLNumber(7), False))).serials == {2}


# -- whether it counts -----------------------------------------------------------------------------------


def test_only_lists_with_the_issuers_name_and_signature_count():
    own, foreign = crl([1]), crl([2], issuer=OTHER)
    forged = crl([3], signer=new_key("ec"))
    assert genuine([own, forged, foreign], CA) == (own,)


def test_an_issuer_that_may_not_sign_lists_has_none():
    assert genuine([crl([1])], ALICE) == ()


def test_an_issuer_with_another_kind_of_key_has_none():
    key = ed25519.Ed25519PrivateKey.generate()
    cert = (x509.CertificateBuilder(CA.subject, CA.subject, key.public_key(), 1)
            .not_valid_before(CA.not_valid_before_utc).not_valid_after(CA.not_valid_after_utc).sign(key, None))
    assert genuine([crl([1])], cert) == ()


def test_an_issuer_whose_key_cannot_be_read_has_none():
    known, unknown = bytes.fromhex("2a8648ce3d0201"), bytes.fromhex("2a8648ce3d0209")
    strange = x509.load_der_x509_certificate(CA.public_bytes(Encoding.DER).replace(known, unknown))
    assert genuine([crl([1])], strange) == ()


def test_a_list_of_an_unknown_version_is_refused():
    encoded = crl_bytes(encoding=Encoding.DER)
    with pytest.raises(BadCrl, match="version"):
        read_crl(encoded.replace(b"\x02\x01\x01\x30", b"\x02\x01\x07\x30", 1))


def test_a_list_signed_by_another_kind_of_key_does_not_count():
    assert genuine([crl([1], signer=new_key("rsa:2048"))], CA) == ()


def test_a_list_with_a_signature_of_no_known_kind_does_not_count():
    known, unknown = bytes.fromhex("2a8648ce3d040302"), bytes.fromhex("2a8648ce3d040309")
    assert genuine([read_crl(crl_bytes([1], encoding=Encoding.DER).replace(known, unknown))], CA) == ()


def test_a_certificate_on_no_list_is_good_until_the_lists_are_too_old():
    assert check(ALICE, [crl([1]), crl([7], end=NOW + 2 * WEEK)], NOW) == NOW + 2 * WEEK


@pytest.mark.parametrize("lists", [
    [crl([ALICE.serial_number])], [crl(), crl([ALICE.serial_number])],
    [crl([ALICE.serial_number], start=NOW - WEEK, end=NOW - 1)]])
def test_a_revoked_certificate_is_refused_however_old_the_list_is(lists: list[Crl]):
    with pytest.raises(CredentialRevoked, match="CN=alice has been revoked by /DC=local/DC=wms/CN=Private CA"):
        check(ALICE, lists, NOW)


def test_without_a_list_of_today_nothing_is_known():
    with pytest.raises(RevocationUnknown, match="No usable"):
        check(ALICE, [], NOW)
    with pytest.raises(RevocationUnknown, match="too old"):
        check(ALICE, [crl(end=NOW)], NOW)
    with pytest.raises(RevocationUnknown, match="of the future"):
        check(ALICE, [crl(start=NOW + 301)], NOW)
    assert check(ALICE, [crl(start=NOW + 299), crl(start=NOW + 301, end=NOW + 2 * WEEK)], NOW) == NOW + WEEK
