"""The MyProxy conversation, without a network."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from credential_builders import ALICE, NOW, delegate, person
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from proxyrenewal import myproxy
from tests.examples import examples
from wms import der
from wms.errors import BadCredential, Refused, Unavailable
from wms.myproxy import may_ask, server_address
from wms.x509 import authority, proxy

OLD = delegate(person(), kind="rsa:2048")
CERTS = [cert.public_bytes(Encoding.DER) for cert in OLD.chain]
SHA256, SHA1 = "0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210"
OFFER = f"X509_certificate:{SHA1}", f"X509_certificate_SHA256:{SHA256}"


def says(response: int, *errors: str, offers: tuple[str, ...] = ()) -> bytes:
    lines = ["VERSION=MYPROXYv2", f"RESPONSE={response}", *(f"ERROR={e}" for e in errors),
             *(f"AUTHORIZATION_DATA={o}" for o in offers)]
    return "\n".join(lines).encode() + b"\n\0"


def delegates(certs: list[bytes]) -> bytes:
    return bytes([len(certs)]) + b"".join(certs)


def pieces(stream: bytes, size: int) -> Iterator[bytes]:
    return (stream[i : i + size] for i in range(0, len(stream), size))


def converse(answers: list[bytes], size: int = 1 << 16, name: str = "") -> tuple[list[bytes], list[bytes]]:
    """(what the client sent, the certificates it got) from a server that gives one answer per message."""
    talk = myproxy.renewal(ALICE, OLD, b"REQUEST", 43200, name)
    sent, waiting, message = [], iter(()), next(talk)
    script = iter(answers)
    while True:
        if message:
            sent.append(message)
            waiting = pieces(next(script), size)
        try:
            message = talk.send(next(waiting))
        except StopIteration as end:
            return sent, end.value


WHOLE = [says(2, offers=OFFER), says(0), delegates(CERTS) + says(0)]


@settings(max_examples=examples(40), deadline=None)
@given(st.integers(1, 3000), st.integers(0, 2))
def test_a_renewal_is_the_same_in_pieces_of_any_size(size: int, nuls: int):
    sent, certs = converse([b"\0" * nuls + WHOLE[0], *WHOLE[1:]], size)
    assert certs == CERTS
    assert sent[0].decode() == (
        f"VERSION=MYPROXYv2\nCOMMAND=0\nUSERNAME={ALICE}\nPASSPHRASE=\nLIFETIME=43200\n\0")
    assert sent[2:] == [b"REQUEST"]


def test_the_name_of_the_credential_is_sent():
    assert b"LIFETIME=43200\nCRED_NAME=mine\n\0" in converse(WHOLE, name="mine")[0][0]


def test_a_server_may_ask_for_no_proof():
    assert converse([says(0), delegates(CERTS) + says(0)])[1] == CERTS


@pytest.mark.parametrize(("offers", "number", "challenge", "digest"), [
    (OFFER, 4, SHA256, hashes.SHA256()), (OFFER[:1], 2, SHA1, hashes.SHA1())])
def test_the_proof_is_signed_with_the_best_digest_offered(offers: tuple[str, ...], number: int,
                                                          challenge: str, digest: hashes.HashAlgorithm):
    proof = myproxy.proof(OLD, list(offers))
    size = int.from_bytes(proof[4:8], "big")
    signature, chain = proof[8 : 8 + size], proof[8 + size :]
    assert proof[:4] == bytes([number, 0, 0, 0])
    assert (chain[0], der.split(chain[1:])) == (2, CERTS)
    key = OLD.key.public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    key.verify(signature, challenge.encode(), padding.PKCS1v15(), digest)


def test_an_unknown_proof_is_not_given():
    with pytest.raises(Refused, match="Kerberos"):
        myproxy.proof(OLD, ["Kerberos:abc"])


def test_a_proxy_of_another_kind_of_key_proves_nothing():
    with pytest.raises(BadCredential, match="RSA"):
        myproxy.proof(delegate(person()), list(OFFER))


@pytest.mark.parametrize("answers", [
    [says(1, "no such user", "really")],
    [says(2, offers=OFFER), says(1, "no such user", "really")],
    [says(0), says(1, "no such user", "really")],
    [says(0), delegates(CERTS) + says(1, "no such user", "really")],
])
def test_a_refusal_repeats_the_servers_words(answers: list[bytes]):
    with pytest.raises(Refused, match="refused: no such user; really"):
        converse(answers)


def test_a_server_that_agrees_and_sends_nothing_is_out_of_order():
    with pytest.raises(Unavailable, match="no certificate"):
        converse([says(0), says(0)])


def test_a_refusal_without_words_says_so():
    with pytest.raises(Refused, match="no reason was given"):
        converse([says(1)])


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n\0", b"VERSION=MYPROXYv2\n\0",
                                    b"VERSION=MYPROXYv1\nRESPONSE=0\n\0", b"\xff\xfe=\0"])
def test_what_is_no_myproxy_server_is_told_apart(answer: bytes):
    with pytest.raises(Unavailable, match="no MyProxy server"):
        converse([answer])


def test_an_answer_without_end_is_not_listened_to():
    with pytest.raises(Unavailable, match="no end"):
        converse([b"VERSION" + b"x" * (myproxy.LONGEST_MESSAGE + 10)])


@pytest.mark.parametrize(("owner", "name"), [("/CN=a\nRESPONSE=0", ""), ("/CN=a", "b\0c")])
def test_a_name_cannot_smuggle_a_line(owner: str, name: str):
    with pytest.raises(Refused, match="cannot carry"):
        myproxy.get_request(owner, 60, name)


@pytest.mark.parametrize(("text", "address"), [
    ("myproxy.cern.ch", ("myproxy.cern.ch", 7512)), (" host:17512 ", ("host", 17512))])
def test_an_address_names_a_host_and_perhaps_a_port(text: str, address: tuple[str, int]):
    assert server_address(text) == address


@pytest.mark.parametrize("text", ["", ":7512", "host:", "host:x", "host:-1"])
def test_an_address_without_sense_is_refused(text: str):
    with pytest.raises(Refused, match="not the address"):
        server_address(text)


@pytest.mark.parametrize(("host", "patterns", "may"), [
    ("anywhere.org", [], True),
    ("px.example.org", ["px.example.org"], True),
    ("PX.Example.org.", ["px.example.ORG"], True),
    ("px.example.org", ["*.example.org"], True),
    ("a.b.example.org", ["other", "*.example.org."], True),
    ("example.org", ["*.example.org"], False),
    ("evil-example.org", ["*.example.org"], False),
    ("px.example.org.evil.com", ["*.example.org", "px.example.org"], False),
    ("127.0.0.1", ["*.example.org"], False),
    ("localhost", ["px"], False),
])
def test_a_site_says_which_servers_jobs_may_name(host: str, patterns: list[str], may: bool):
    assert may_ask(host, patterns) == may


AUTHORITY = authority.make_authority(NOW, serial=1, kind="ec")


def server(common_name: str, *alternatives: str) -> x509.Certificate:
    if alternatives:
        issued = authority.host_certificate(AUTHORITY, [common_name, *alternatives], NOW, serial=2, kind="ec")
    else:
        issued = authority.user_certificate(AUTHORITY, common_name, NOW, serial=2, kind="ec")
    return x509.load_pem_x509_certificate(issued.certificate)


@pytest.mark.parametrize(("cert", "host", "expected"), [
    (server("px.org"), "px.org", True),
    (server("host/px.org"), "PX.org.", True),
    (server("myproxy/px.org"), "px.org", True),
    (server("ftp/px.org"), "px.org", False),
    (server("px.org"), "px.org.evil.com", False),
    (server("a.org", "PX.org", "127.0.0.1"), "px.org", True),
    (server("a.org", "px.org", "127.0.0.1"), "127.0.0.1", True),
    (server("a.org", "px.org"), "b.org", False),
])
def test_a_server_is_known_by_the_names_grid_services_have(cert: x509.Certificate, host: str, expected: bool):
    assert myproxy.is_named(cert, host) is expected


def test_a_request_is_made_for_the_key_that_is_kept():
    key, csr = proxy.request("ec")
    assert proxy.requested_key(csr) == proxy.load_key(key).public_key()
    assert x509.load_pem_x509_csr(csr).subject.get_attributes_for_oid(NameOID.COMMON_NAME)
