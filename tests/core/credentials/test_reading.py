"""Certificates are read whole or refused: nothing surprises who asks for names and times afterwards."""

from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from hypothesis import given
from hypothesis import strategies as st

from wms.errors import BadCredential
from wms.x509.authority import make_authority
from wms.x509.reading import from_der, from_pem

PEM = make_authority(1_700_000_000.0, serial=1, kind="ec").certificate
DER = x509.load_pem_x509_certificate(PEM).public_bytes(serialization.Encoding.DER)
NAME = b"\x0c\x0aPrivate CA"
"""The common name, a UTF8String."""


def test_what_is_sound_is_read() -> None:
    assert from_pem(PEM + PEM) == (from_der(DER), from_der(DER))


@pytest.mark.parametrize("blob", [
    DER.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x07"),
    DER.replace(NAME, b"\x03\x0a\x00rivate CA"),
    DER.replace(NAME, b"\x0c\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"),
    DER[:-1], b"", b"\x30\x00"], ids=["version", "bits for a name", "no UTF-8", "cut", "nothing", "empty"])
def test_what_is_not_is_refused_at_once(blob: bytes) -> None:
    assert blob != DER
    with pytest.raises(BadCredential, match="cannot be read"):
        from_der(blob)


@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")  # serials below 1
@given(st.integers(0, len(DER) - 1), st.integers(1, 255))
def test_one_other_byte_never_surprises(place: int, change: int) -> None:
    damaged = DER[:place] + bytes([DER[place] ^ change]) + DER[place + 1:]
    try:
        found = from_der(damaged)
    except BadCredential:
        return
    assert found.subject.rfc4514_string() is not None
    assert found.not_valid_after_utc.timestamp() > 0 or found.not_valid_before_utc is not None


@given(st.binary(max_size=300))
def test_any_text_is_refused(text: bytes) -> None:
    with pytest.raises(BadCredential):
        from_pem(text)
