"""What the client finds out about a proxy file by itself agrees with what a cryptography library reads."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st

from clients import credential
from tests.examples import examples
from wms.errors import BadCredential, CredentialExpired, CredentialNotFound, CredentialTooShort
from wms.x509 import authority, proxy

NOW = 1_800_000_000.0
DAY = 86400.0


def made(lifetime_s: float = DAY, *, now: float = NOW, days: float = 10) -> tuple[bytes, bytes]:
    """(PEM of a proxy file, DER of its first certificate)."""
    ca = authority.make_authority(now, serial=1, kind="ec")
    user = authority.user_certificate(ca, "alice", now, serial=2, kind="ec", days=days)
    chain, key = proxy.certificates(user.certificate), proxy.new_key("ec")
    cert = proxy.new_proxy(chain, proxy.load_key(user.key), key.public_key(), now, lifetime_s, serial=3)
    return proxy.dump(cert, key, chain), cert.public_bytes(Encoding.DER)


@pytest.fixture(scope="module")
def pem() -> bytes:
    return made()[0]


def put(directory: Path, content: bytes, mode: int = 0o600) -> str:
    path = directory / "x509up"
    path.write_bytes(content)
    path.chmod(mode)
    return str(path)


@pytest.mark.parametrize(("now", "lifetime_s"), [(NOW, DAY), (NOW, 60.0), (2_540_000_000.0, DAY), (0.0 + DAY, DAY)])
def test_the_end_is_that_of_the_library_whatever_the_century(now: float, lifetime_s: float):
    content, der = made(lifetime_s, now=now)
    end, delegation = credential.inspect(content)
    assert end == proxy.load(content).chain[0].not_valid_after_utc.timestamp()
    assert delegation == hashlib.sha256(der).hexdigest()[:32]


def test_the_chain_ends_with_its_first_certificate_to_end(pem: bytes):
    ends = [cert.not_valid_after_utc.timestamp() for cert in proxy.load(pem).chain]
    assert credential.inspect(pem)[0] == min(ends)


def test_a_good_proxy(tmp_path: Path, pem: bytes):
    path = put(tmp_path, pem)
    found = credential.look(path, "/ca", NOW, 3600.0)
    assert (found.path, found.ca_dir, found.not_after, found.warnings) == (path, "/ca", NOW + DAY, ())


def test_a_mode_that_others_can_read_is_a_warning(tmp_path: Path, pem: bytes):
    warnings = credential.look(put(tmp_path, pem, 0o644), "/ca", NOW).warnings
    assert "mode 0644" in warnings[0]


def test_an_absent_proxy(tmp_path: Path):
    with pytest.raises(CredentialNotFound, match="No path to valid proxy file has been found"):
        credential.look(str(tmp_path / "none"), "/ca", NOW)


def test_an_expired_proxy(tmp_path: Path, pem: bytes):
    with pytest.raises(CredentialExpired, match="Your proxy credential has expired"):
        credential.look(put(tmp_path, pem), "/ca", NOW + DAY)


def test_a_proxy_with_too_little_left_says_minutes(tmp_path: Path, pem: bytes):
    with pytest.raises(CredentialTooShort, match="will expire in 10 minutes; 20 are needed"):
        credential.look(put(tmp_path, pem), "/ca", NOW + DAY - 600, 1200)


def test_a_certificate_without_its_key_is_no_credential(pem: bytes):
    with pytest.raises(BadCredential, match="certificate and its key"):
        credential.inspect(pem[: pem.index(b"-----END CERTIFICATE-----") + 26])


@pytest.mark.parametrize("content", [b"", b"hello", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"])
def test_rubbish_is_refused(content: bytes):
    with pytest.raises(BadCredential):
        credential.inspect(content)


@settings(max_examples=examples(200), deadline=None)
@given(st.binary(max_size=60))
def test_arbitrary_der_is_a_value_error_or_a_pair_of_times(blob: bytes):
    try:
        start, end = credential.validity(blob)
    except ValueError:
        return
    assert isinstance(start, float)
    assert isinstance(end, float)


def test_a_cut_certificate_is_never_read(pem: bytes):
    der = proxy.load(pem).chain[0].public_bytes(Encoding.DER)
    for length in range(len(der)):
        with pytest.raises(ValueError, match=r"."):
            credential.validity(der[:length])


def test_where_the_files_are():
    assert credential.find({}, 1000) == ("/tmp/x509up_u1000", "/etc/grid-security/certificates")
    assert credential.find({"X509_USER_PROXY": "/p", "X509_CERT_DIR": "/c"}, 1000) == ("/p", "/c")


def test_no_cryptography_library_is_loaded_for_it():
    code = "import sys, clients.credential as c; sys.exit('cryptography' in sys.modules or 'ssl' in sys.modules)"
    assert os.spawnl(os.P_WAIT, os.sys.executable, "python", "-c", code) == 0  # type: ignore[attr-defined]
