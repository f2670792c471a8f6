"""Files that say who may speak for a VO and where its servers are: broken ones are told, the others count."""

from __future__ import annotations

import pytest
from credential_builders import AUTHORITY, CA
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st
from voms_builders import lsc, server, vomsdir_files

from wms.voms.vomsdir import read_lsc, read_vomsdir
from wms.voms.vomses import VomsServer, read_vomses
from wms.x509.rfc3820 import subject_dn

VOMS = server()
SERVER, AUTHORITY_DN = subject_dn(VOMS.certificate.subject), subject_dn(CA.subject)
PATH = (VOMS.certificate, CA)
PEM = VOMS.certificate.public_bytes(Encoding.PEM)


def test_an_lsc_file_is_found_by_vo_and_host():
    vomsdir = read_vomsdir(vomsdir_files(VOMS))
    assert vomsdir.lsc_of("testvo", "VOMS.example.org") == read_lsc("voms.example.org", lsc(VOMS.certificate))
    assert (vomsdir.lsc_of("testvo", "other"), vomsdir.lsc_of("other", "voms.example.org")) == (None, None)
    assert (vomsdir.knows("testvo"), vomsdir.knows("other"), vomsdir.problems) == (True, False, ())


@pytest.mark.parametrize(("lines", "described"), [
    ([SERVER, AUTHORITY_DN], True),
    ([SERVER.replace("/CN=", "/cn="), AUTHORITY_DN], True),
    ([SERVER, AUTHORITY_DN, AUTHORITY_DN], True),
    ([SERVER, AUTHORITY_DN, AUTHORITY_DN, AUTHORITY_DN], True),
    (["/CN=a", "/CN=b", "------ NEXT CHAIN ------", SERVER, AUTHORITY_DN], True),
    (["# a remark", "", f"  {SERVER} ", AUTHORITY_DN, "------ NEXT CHAIN ------"], True),
    ([SERVER, "/CN=another authority"], False),
    (["/CN=another", AUTHORITY_DN], False),
    ([SERVER, AUTHORITY_DN, "/CN=above"], False),
    ([SERVER, AUTHORITY_DN, AUTHORITY_DN, AUTHORITY_DN, "/CN=more"], False)])
def test_a_chain_describes_a_path_that_has_all_its_names(lines: list[str], described: bool):
    assert read_lsc("h", "\n".join(lines).encode()).describes(PATH) is described


@pytest.mark.parametrize("content", [b"", b"/CN=one", b"CN=x\n/CN=y", b"\xff\n", b"/CN=a\n" * 200_000,
                                     b"/CN=a\n/CN=b\n------ NEXT CHAIN ------\n/CN=c"])
def test_a_broken_file_is_told_and_the_others_count(content: bytes):
    vomsdir = read_vomsdir({**vomsdir_files(VOMS), "testvo/broken.lsc": content, "testvo/broken.pem": b"nothing"})
    assert vomsdir.knows("testvo")
    assert [problem.partition(":")[0] for problem in vomsdir.problems] == ["testvo/broken.lsc", "testvo/broken.pem"]


def test_certificates_stand_for_their_vo_or_for_all():
    vomsdir = read_vomsdir({"testvo/a.pem": PEM + PEM, "b.pem": AUTHORITY.certificate, "deep/er/c.pem": PEM,
                            "testvo/README": b"x", "loose.lsc": b"x"})
    assert vomsdir.certificates_of("testvo") == (VOMS.certificate, VOMS.certificate, CA)
    assert vomsdir.certificates_of("other") == (CA,)
    assert vomsdir.knows("other")
    assert vomsdir.problems == ()


def test_a_key_of_an_unknown_kind_is_a_broken_file():
    broken = PEM_OF_AN_UNKNOWN_CURVE
    assert read_vomsdir({"testvo/a.pem": broken}).problems[0].startswith("testvo/a.pem: ")


def unknown_curve() -> bytes:
    """Our server's certificate with its curve's identifier changed to one that nobody has."""
    from cryptography import x509
    der = VOMS.certificate.public_bytes(Encoding.DER)
    prime256v1 = bytes.fromhex("06082a8648ce3d030107")
    changed = der.replace(prime256v1, bytes.fromhex("06082a8648ce3d03017f"))
    return x509.load_der_x509_certificate(changed).public_bytes(Encoding.PEM)


PEM_OF_AN_UNKNOWN_CURVE = unknown_curve()


@given(st.dictionaries(st.sampled_from(["vo/a.lsc", "vo/b.pem", "c.pem", "x", "vo/a.LSC"]), st.binary(max_size=300)))
def test_no_content_crashes_the_readers(files: dict[str, bytes]):
    read_vomsdir(files)
    read_vomses(files)


# -- vomses ----------------------------------------------------------------------------------------------

LINE = '"nick" "voms.example.org" "15000" "/CN=voms" "vo"'
FIRST = VomsServer("nick", "voms.example.org", 15000, "/CN=voms", "vo")


def test_a_line_is_a_server():
    found = read_vomses({"b": f"# remark\n\n{LINE}\n".encode(),
                         "a": b'"vo" "two.example.org" "443" "/CN=two" "vo" "24"\n "vo""::1""1""/CN=x""vo""24""x"'})
    second = VomsServer("vo", "two.example.org", 443, "/CN=two", "vo")
    third = VomsServer("vo", "::1", 1, "/CN=x", "vo")
    assert (found.servers, found.problems) == ((second, third, FIRST), ())
    assert found.of("nick") == (FIRST,)
    assert found.of("vo") == (second, third)
    assert found.of("none") == ()


def test_a_vo_is_found_when_no_nick_is():
    assert read_vomses({"a": LINE.encode()}).of("vo") == (FIRST,)


def test_a_server_that_is_named_twice_is_one():
    assert read_vomses({"a": LINE.encode(), "b": LINE.encode()}).servers == (FIRST,)


@pytest.mark.parametrize("line", [
    "nick voms.example.org 15000", LINE[:-5], LINE + ' "1" "2" "3"', LINE.replace("15000", "x"),
    LINE.replace("15000", "65536"), LINE.replace("15000", "0"), LINE.replace("/CN", "CN"), LINE.replace('"vo"', '""'),
    LINE.replace("voms.example.org", "a/b"), LINE.replace("voms.example.org", "-x"), LINE[:-1]])
def test_a_broken_line_is_told_and_the_others_count(line: str):
    found = read_vomses({"a": f"{line}\n{LINE}".encode()})
    assert found.servers == (FIRST,)
    assert [problem[:4] for problem in found.problems] == ["a:1:"]
