"""Attribute certificates: what an authority writes is read back, and nothing else raises more than its own error."""

from __future__ import annotations

from contextlib import suppress

import pytest
from credential_builders import CA, NOW, delegate, forge, person
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st
from voms_builders import (
    attribute,
    attributes,
    carrying,
    extension,
    member_proxy,
    owner_of,
    server,
    sign,
    targeted,
    vomsdir_files,
)

from tests.examples import examples
from wms import der
from wms.errors import BadAttributes
from wms.voms import certificate
from wms.voms.attributes import memberships
from wms.voms.certificate import AttributeCertificate, in_chain, read
from wms.voms.vomsdir import read_vomsdir
from wms.x509 import embedding
from wms.x509.embedding import embedded
from wms.x509.rfc3820 import ATTRIBUTE_CERTIFICATES

ALICE, VOMS = person(), server()
HOLDER = owner_of(ALICE)
VOMSDIR = read_vomsdir(vomsdir_files(VOMS))
REAL = attributes(VOMS, HOLDER, "/testvo", "/testvo/Role=pilot", targets=["wms.example.org"])

words = st.text("abcdefghijklmnopqrstuvwxyzABCXYZ0123456789_.-", min_size=1, max_size=12)
times = st.integers(-2_000_000_000, 4_000_000_000)


@given(words, st.lists(words, min_size=1, max_size=20), words, st.integers(1, 65535), times, times,
       st.integers(0, 1 << 128), st.lists(words, max_size=3))
@settings(max_examples=examples(50))
def test_what_a_server_writes_is_read_back(vo: str, names: list[str], host: str, port: int, begin: int, end: int,
                                           serial: int, targets: list[str]):
    found = read(attributes(VOMS, HOLDER, *names, begin=begin, end=end, serial=serial, targets=targets,
                            authority_uri=f"{vo}://{host}:{port}"))
    assert (found.vo, found.uri, found.fqans) == (vo, f"{host}:{port}", tuple(names))
    assert (found.not_before, found.not_after, found.serial) == (begin, end, serial)
    assert found.targets == (tuple(targets) or None)
    assert found.holder_serial == HOLDER.serial_number
    assert found.signers == (VOMS.certificate.public_bytes(Encoding.DER),)


def reads(blob: bytes) -> AttributeCertificate | None:
    """Nothing but BadAttributes is raised."""
    try:
        return read(blob)
    except BadAttributes:
        return None


@given(st.integers(0, len(REAL) - 1), st.integers(1, 255))
@settings(max_examples=examples(150))
def test_no_changed_octet_crashes_the_reader(place: int, change: int):
    reads(REAL[:place] + bytes([REAL[place] ^ change]) + REAL[place + 1 :])


@given(st.integers(0, len(REAL) - 1))
def test_nothing_is_left_out_or_added_unnoticed(end: int):
    for blob in (REAL[:end], REAL + b"\x05\x00"):
        with pytest.raises(BadAttributes):
            read(blob)


@given(st.recursive(
    st.builds(der.element, st.sampled_from([1, 2, 3, 4, 5, 6, 12, 19, 22, 24, 0x86]), st.binary(max_size=20)),
    lambda inner: st.builds(lambda tag, parts: der.element(tag, b"".join(parts)),
                            st.sampled_from([0x30, 0x31, 0xA0, 0xA1, 0xA4]), st.lists(inner, max_size=4)))
    | st.binary(max_size=200))
@settings(max_examples=examples(100))
def test_arbitrary_structures_raise_only_their_error(blob: bytes):
    reads(blob)


@given(st.data())
@settings(max_examples=examples(100))
def test_elements_that_are_replaced_raise_only_their_error(data: st.DataObject):
    reads(mutated(REAL, data))


def mutated(blob: bytes, data: st.DataObject) -> bytes:
    """One element, at whatever depth, replaced, removed or repeated."""
    tag, content, _ = der.take(blob)
    parts = der.split(content) if tag & 0x20 else []
    if not parts or data.draw(st.integers(0, 5)) == 0:
        return data.draw(st.sampled_from([b"", blob + blob, der.element(tag, b""), b"\x05\x00", der.element(tag, blob),
                                          der.element(4, content), der.element(0x30, content)]))
    place = data.draw(st.integers(0, len(parts) - 1))
    parts[place] = mutated(parts[place], data)
    return der.element(tag, b"".join(parts))


@given(st.data())
@settings(max_examples=examples(100))
def test_whatever_a_believed_server_signs_raises_only_its_error(data: st.DataObject):
    outer = der.split(der.take(REAL)[1])
    info = mutated(outer[0], data)
    signed = der.element(0x30, info + outer[1] + der.element(3, b"\0" + sign(VOMS.credential.key, info, "sha256")))
    with suppress(BadAttributes):
        memberships(carrying(ALICE, signed).chain, NOW, VOMSDIR, "wms.example.org", authorities=[CA])


# -- forms one by one ------------------------------------------------------------------------------------


def with_info(change: dict[int, bytes]) -> bytes:
    """The attribute certificate with elements of its inner part replaced, by place."""
    outer = der.split(der.take(REAL)[1])
    inner = der.split(der.take(outer[0])[1])
    info = der.element(0x30, b"".join(change.get(place, part) for place, part in enumerate(inner)))
    return der.element(0x30, info + outer[1] + der.element(3, b"\0" + sign(VOMS.credential.key, info, "sha256")))


def validity(begin: bytes) -> bytes:
    return der.element(0x30, der.element(0x18, begin) + der.element(0x18, b"20300101000000Z"))


WRONG = {
    "a version": ({0: der.integer(0)}, "not of version 2"),
    "a holder who is nobody": ({1: der.element(0x30, der.element(0xA1, b""))}, "nobody is named"),
    "a holder by other means": ({1: der.element(0x30, der.element(0xA2, b""))}, "more than there should be"),
    "another algorithm": ({3: der.element(0x30, der.oid("1.2.3"))}, "two algorithms"),
    "an endless serial": ({4: der.element(2, b"\1" * 33)}, "sane number"),
    "an empty serial": ({4: der.element(2, b"")}, "sane number"),
    "a local time": ({5: validity(b"20200101000000+0200")}, "not a time in UTC"),
    "a month too many": ({5: validity(b"20201301000000Z")}, "month"),
    "an algorithm that is none": ({3: der.element(0x30, der.element(6, b"\x80"))}, "two algorithms"),
    "an attribute that is none": ({6: der.element(0x30, der.element(0x30, der.element(6, b"\x2a\x80")))}, "identifier"),
    "a name of nothing": ({2: der.element(0xA0, der.element(0x30, der.element(0xA4, der.element(0x30, der.element(
        0x31, der.element(0x30, der.integer(1) + der.integer(2)))))))}, "attribute of a name"),
    "no membership": ({6: der.element(0x30, b"")}, "0 lists"),
    "another kind of element": ({7: der.element(0x30, der.integer(1))}, "another kind"),
    "an authority without VO": ({6: der.element(0x30, attribute("//x", []))}, "no VO"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_does_not_fit_is_named(case: str):
    change, text = WRONG[case]
    with pytest.raises(BadAttributes, match=text):
        read(with_info(change))


def values(tag: int, text: bytes) -> bytes:
    syntax = der.element(0xA0, der.element(0x86, b"testvo://h:1")) + der.element(0x30, der.element(tag, text))
    return der.element(0x30, der.element(0x30, der.oid(certificate.FQANS)
                                         + der.element(0x31, der.element(0x30, syntax))))


def test_memberships_may_be_character_strings():
    assert read(with_info({6: values(der.UTF8_STRING, b"/testvo")})).fqans == ("/testvo",)
    with pytest.raises(BadAttributes, match="not a character string"):
        read(with_info({6: values(der.OID, b"/testvo")}))


def test_other_attributes_and_identifiers_are_passed_by():
    other = der.element(0x30, der.oid("1.2.3") + der.element(0x31, b""))
    found = with_info({6: der.element(0x30, der.take(values(4, b"/testvo"))[1] + other) + der.element(3, b"\0\1")})
    assert read(found).fqans == ("/testvo",)


def test_extensions_are_optional_and_come_once():
    assert read(with_info({7: b""})).signers == ()
    with pytest.raises(BadAttributes, match=r"1\.2\.3 comes twice"):
        read(attributes(VOMS, HOLDER, extensions=[extension("1.2.3", b"")] * 2))


def test_critical_means_true():
    not_critical = der.element(0x30, der.oid("1.2.3") + b"\x01\x01\x00" + der.element(4, b""))
    assert read(attributes(VOMS, HOLDER, extensions=[not_critical])).critical == ()


@pytest.mark.parametrize("target", [
    der.element(0x86, b"a"), der.element(0x82, b"a"), der.element(0xA0, der.element(0x86, b"a")),
    der.element(0x30, der.element(0xA0, der.element(0x82, b"a")))])
def test_targets_are_found_however_they_are_wrapped(target: bytes):
    wrapped = extension(certificate.TARGETS, der.element(0x30, target))
    assert read(attributes(VOMS, HOLDER, extensions=[wrapped])).targets == ("a",)


def test_targets_wrapped_for_ever_are_none():
    deep = der.element(0x86, b"a")
    for _ in range(500):
        deep = der.element(0x30, deep)
    assert read(attributes(VOMS, HOLDER, extensions=[extension(certificate.TARGETS, deep)])).targets == ()
    assert read(attributes(VOMS, HOLDER, extensions=[targeted(["b"])])).targets == ("b",)


def test_a_server_brings_a_few_certificates():
    for count in (0, 9):
        many = extension(certificate.SIGNERS, der.element(0x30, der.element(0x30, b"\x30\x00" * count)))
        with pytest.raises(BadAttributes, match="of a signer, or too many"):
            read(attributes(VOMS, HOLDER, certificates=[], extensions=[many]))


def test_what_is_too_large_is_not_looked_at():
    with pytest.raises(BadAttributes, match="65536 are read at most"):
        read(bytes(embedding.LARGEST + 1))
    with pytest.raises(BadAttributes, match="more than 1024 elements"):
        read(attributes(VOMS, HOLDER, *["/testvo"] * 1025))


# -- the extension ---------------------------------------------------------------------------------------


def test_places_in_the_chain_are_told():
    chain = carrying(delegate(member_proxy(ALICE, VOMS), serial=9), REAL, REAL, serial=10).chain
    assert [place for place, _ in in_chain(chain)] == [0, 0, 2]


def with_extension(blob: bytes) -> x509.Certificate:
    return forge(ALICE, (x509.UnrecognizedExtension(ATTRIBUTE_CERTIFICATES, blob), False)).chain[0]


@pytest.mark.parametrize(("blob", "text"), [
    (b"", "cannot be read"), (b"\x30\x00", "cannot be read"), (b"\x30\x02\x04\x00", "not a list"),
    (der.element(0x30, der.element(0x30, b"\x30")), "cannot be read"),
    (der.element(0x30, der.element(0x30, b"\x30\x00" * 17)), "more than 16"),
    (bytes(embedding.LARGEST + 1), "65536 are read at most")])
def test_a_malformed_extension_is_refused(blob: bytes, text: str):
    with pytest.raises(BadAttributes, match=text):
        embedded(with_extension(blob))


def test_certificates_without_the_extension_have_none():
    assert embedded(HOLDER) == ()
