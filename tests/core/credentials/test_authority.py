"""The private authority and its directory."""

from __future__ import annotations

import ipaddress

import pytest
from credential_builders import AUTHORITY, CA, DAY, NOW
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st
from OpenSSL import crypto

from tests.examples import examples
from wms.x509 import authority, proxy
from wms.x509.rfc3820 import subject_dn


def values(alphabet: str) -> st.SearchStrategy[str]:
    return st.text(alphabet=alphabet, min_size=1, max_size=10).filter(lambda text: bool(text.strip()))


IN_ASCII = st.sampled_from([NameOID.DOMAIN_COMPONENT, NameOID.EMAIL_ADDRESS])
IN_UNICODE = st.sampled_from([NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME, NameOID.LOCALITY_NAME])
ATTRIBUTES = st.one_of(st.builds(x509.NameAttribute, IN_ASCII, values("aZ \t9/=")),
                       st.builds(x509.NameAttribute, IN_UNICODE, values("aZ \tÉé9/=")))
RDNS = st.lists(ATTRIBUTES, min_size=1, max_size=2, unique_by=lambda a: a.oid).map(
    x509.RelativeDistinguishedName)
CA_KEY = proxy.load_key(AUTHORITY.key)
KINDS = [("ec", ec.EllipticCurvePrivateKey), ("rsa:2048", rsa.RSAPrivateKey)]


@settings(max_examples=examples(80), deadline=None)
@given(st.lists(RDNS, min_size=1, max_size=4).map(x509.Name))
def test_the_subject_hash_is_the_one_openssl_computes(name: x509.Name):
    cert = (x509.CertificateBuilder(name, name, CA_KEY.public_key(), 1, CA.not_valid_before_utc,
                                    CA.not_valid_after_utc).sign(CA_KEY, hashes.SHA256()))
    expected = crypto.X509.from_cryptography(cert).subject_name_hash()
    assert authority.subject_hash(name) == f"{expected:08x}"


def test_the_directory_serves_openssl_old_and_new_and_globus():
    files = authority.trust_files(AUTHORITY.certificate)
    assert sorted(files) == sorted(
        f"{h}.{ending}" for h in ("59c8416a", "e2ac781d") for ending in ("0", "signing_policy"))
    assert files["59c8416a.0"] == AUTHORITY.certificate
    assert files["59c8416a.signing_policy"].decode() == (
        "access_id_CA   X509     '/DC=local/DC=wms/CN=Private CA'\n"
        "pos_rights     globus   CA:sign\n"
        "cond_subjects  globus   '\"/DC=local/DC=wms/*\"'\n")


def test_an_authority_may_sign_certificates_only():
    assert CA.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    usage = CA.extensions.get_extension_for_class(x509.KeyUsage).value
    assert (usage.key_cert_sign, usage.digital_signature) == (True, False)
    CA.verify_directly_issued_by(CA)


def test_a_host_has_its_names_and_addresses():
    issued = authority.host_certificate(AUTHORITY, ["wms.local", "127.0.0.1", "::1"], NOW, serial=5,
                                        kind="ec")
    cert = x509.load_pem_x509_certificate(issued.certificate)
    names = cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["wms.local"]
    assert names.get_values_for_type(x509.IPAddress) == [
        ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("::1")]
    assert subject_dn(cert.subject) == "/DC=local/DC=wms/CN=wms.local"
    cert.verify_directly_issued_by(CA)


@pytest.mark.parametrize(("kind", "cls"), KINDS)
def test_a_user_gets_a_certificate_and_its_key(kind: str, cls: type):
    issued = authority.user_certificate(AUTHORITY, "alice", NOW, serial=77, days=2, kind=kind)
    credential = proxy.load(issued.certificate + issued.key)
    cert = credential.chain[0]
    assert isinstance(credential.key, cls)
    assert (cert.serial_number, cert.not_valid_after_utc.timestamp()) == (77, NOW + 2 * DAY)
    assert proxy.identify(credential.chain, NOW).dn == "/DC=local/DC=wms/CN=alice"


def test_a_name_is_read_in_any_case():
    assert subject_dn(authority.name_of("/dc=org/c=IT/Email=a@b".replace("Email", "emailaddress"))) == (
        "/DC=org/C=IT/emailAddress=a@b")
