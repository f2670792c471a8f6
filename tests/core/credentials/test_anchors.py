"""What a CA directory says, file by file and all together."""

from __future__ import annotations

import pytest
from anchor_builders import collected, crl_bytes, directory, name_of, policy_text
from credential_builders import AUTHORITY, CA, NOW, person
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wms.x509 import anchors, authority
from wms.x509.anchors import Anchors, Authority, BadAuthority, Unreadable, read, read_authority

OTHER = authority.make_authority(NOW, serial=9, dn="/DC=local/DC=other/CN=CA", kind="ec")
DN = "/DC=local/DC=wms/CN=Private CA"


@pytest.mark.parametrize(("name", "counts"), [
    ("0a1b2c3d.0", True), ("0A1B2C3D.12", True), ("0a1b2c3d.r0", True), ("0a1b2c3d.signing_policy", True),
    ("0a1b2c3d.pem", False), ("0a1b2c3d.0.bak", False), ("ca.0", False), ("0a1b2c3d.namespaces", False), ("", False)])
def test_only_hashed_names_count(name: str, counts: bool):
    assert (anchors.NAME.fullmatch(name) is not None) is counts


def test_a_file_under_both_hashes_counts_once():
    found = collected({**authority.trust_files(AUTHORITY.certificate), name_of(AUTHORITY, "r0"): crl_bytes([7]),
                       name_of(AUTHORITY, "r1"): crl_bytes([7])})
    assert found.authorities == (CA,)
    assert [len(lists) for lists in found.lists.values()] in ([1], [2])
    assert len(found.policies_of(DN, CA) or ()) == 1


@pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER])
def test_an_authority_is_read_from_either_encoding(encoding: Encoding):
    assert read("0a1b2c3d.0", CA.public_bytes(encoding)) == Authority(CA)


def with_unknown_key() -> bytes:
    known, unknown = bytes.fromhex("2a8648ce3d0201"), bytes.fromhex("2a8648ce3d0209")
    return CA.public_bytes(Encoding.DER).replace(known, unknown)


@pytest.mark.parametrize(("name", "content"), [
    ("0a1b2c3d.0", b""), ("0a1b2c3d.0", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"),
    ("0a1b2c3d.0", with_unknown_key()), ("0a1b2c3d.r0", b"x"), ("0a1b2c3d.signing_policy", b"x")])
def test_a_broken_file_says_why_and_harms_no_other(name: str, content: bytes):
    said = read(name, content)
    assert isinstance(said, Unreadable)
    assert said.reason
    assert anchors.collect({name: said, "11111111.0": Authority(CA)}).authorities == (CA,)


@settings(max_examples=examples(200), deadline=None)
@given(st.integers(0, 500), st.integers(0, 20), st.binary(max_size=8), st.sampled_from([Encoding.PEM, Encoding.DER]))
def test_a_damaged_authority_is_read_or_refused(start: int, length: int, replaced: bytes, encoding: Encoding):
    content = CA.public_bytes(encoding)
    try:
        read_authority(content[:start] + replaced + content[start + length :])
    except BadAuthority:
        pass


# -- what is known of an issuer --------------------------------------------------------------------------


def test_of_an_authority_without_files_nothing_is_known():
    found = directory(AUTHORITY, OTHER)
    assert (found.lists_of(CA), found.policies_of(DN, CA)) == (None, None)
    assert (Anchors().lists_of(CA), Anchors().policies_of(DN, CA)) == (None, None)


def test_the_lists_of_an_issuer_are_those_with_his_signature():
    found = directory(AUTHORITY, OTHER, r0=crl_bytes([7]), r1=crl_bytes([8], issuer=OTHER))
    assert [lists.serials for lists in found.lists_of(CA) or ()] == [{7}]


def test_the_lists_of_an_authority_that_stands_elsewhere_are_found_too():
    found = collected({name_of(AUTHORITY, "r0"): crl_bytes([7])})
    assert [lists.serials for lists in found.lists_of(CA) or ()] == [{7}]


@pytest.mark.parametrize("content", [b"broken", crl_bytes([7], issuer=OTHER),
                                     crl_bytes([7], signer=person().key)])
def test_a_list_that_cannot_be_used_is_not_no_list(content: bytes):
    assert directory(AUTHORITY, r0=content).lists_of(CA) == ()


@pytest.mark.parametrize("content", [b"broken", policy_text("/CN=another", "*")])
def test_a_policy_that_cannot_be_used_is_not_no_policy(content: bytes):
    assert directory(AUTHORITY, signing_policy=content).policies_of(DN, CA) == ()


def test_the_old_hash_is_looked_at_too():
    name = f"{authority.subject_hash_old(CA.subject)}.signing_policy"
    assert collected({name: b"broken"}).policies_of(DN, CA) == ()


def test_policies_of_several_files_stand_side_by_side():
    both = policy_text(DN, "/DC=local/*") + policy_text("/CN=another", "*") + policy_text(DN, "/DC=more/*")
    found = collected({"00000001.signing_policy": both, "00000002.signing_policy": policy_text(DN, "/DC=only/*")})
    assert [[entry.subjects for entry in file] for file in found.policies_of(DN, CA) or ()] == [
        [("/dc=local/*",), ("/dc=more/*",)], [("/dc=only/*",)]]
    assert isinstance(CA, x509.Certificate)
