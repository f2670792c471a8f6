"""Memberships: what is proved counts in its order, and everything wrong with a known VO is refused with its class."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from credential_builders import AUTHORITY, CA, NOW, Extension, common_name, delegate, forge, person
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import NameOID
from voms_builders import (
    Server,
    attribute,
    attributes,
    carrying,
    extension,
    lsc,
    member_proxy,
    owner_of,
    server,
    vomsdir_files,
)

from wms import der
from wms.errors import (
    AttributesExpired,
    AttributesUntrusted,
    BadAttributes,
    CredentialRevoked,
)
from wms.voms.attributes import Membership, memberships, strangers
from wms.voms.certificate import SIGNERS
from wms.voms.vomsdir import Vomsdir, read_vomsdir
from wms.x509 import authority, proxy
from wms.x509.proxy import Proxy

HERE = "wms.example.org"
ALICE, BOB = person(), person("bob")
VOMS = server()
VOMSDIR = read_vomsdir(vomsdir_files(VOMS))


def proved(credential: Proxy, vomsdir: Vomsdir = VOMSDIR, now: float = NOW, host: str = HERE,
           authorities: Sequence[x509.Certificate] = (CA,)) -> tuple[Membership, ...]:
    return memberships(credential.chain, now, vomsdir, host, authorities=authorities)


def names(credential: Proxy, vomsdir: Vomsdir = VOMSDIR) -> list[str]:
    return [fqan for membership in proved(credential, vomsdir) for fqan in membership.fqans]


def ac(*fqans: str, **how: object) -> bytes:
    return attributes(VOMS, owner_of(ALICE), *fqans, **how)  # type: ignore[arg-type]


def believed(*certs: x509.Certificate) -> Vomsdir:
    return read_vomsdir({"testvo/server.pem": b"".join(cert.public_bytes(Encoding.PEM) for cert in certs)})


# -- what counts -----------------------------------------------------------------------------------------


def test_a_member_has_what_the_server_says():
    credential = member_proxy(ALICE, VOMS, "/testvo/prod/Role=pilot/Capability=NULL", "/testvo/Role=NULL", "/testvo")
    assert proved(credential) == (
        Membership("testvo", ("/testvo/prod/Role=pilot", "/testvo"), NOW - 300, NOW + 3600,
                   "/DC=local/DC=wms/CN=voms.example.org", "voms.example.org:15000"),)


def test_a_proxy_without_attributes_has_no_membership():
    assert proved(delegate(ALICE)) == ()


@pytest.mark.parametrize("kind", ["ec", "rsa:2048"])
@pytest.mark.parametrize("digest", ["sha256", "sha384", "sha512"])
def test_servers_sign_with_any_usual_algorithm(kind: str, digest: str):
    voms = server(kind=kind)
    credential = carrying(ALICE, attributes(voms, owner_of(ALICE), digest=digest))
    assert proved(credential, read_vomsdir(vomsdir_files(voms)))[0].fqans == ("/testvo",)


@pytest.mark.parametrize("holder", [
    {"by": "issuer"}, {"by": "subject"}, {"by": "", "entity": ALICE.chain[0].subject},
    {"by": "issuer", "entity": ALICE.chain[0].subject}])
def test_the_holder_may_be_named_in_every_usual_way(holder: dict[str, object]):
    assert names(carrying(ALICE, ac(**holder))) == ["/testvo"]


def test_a_name_may_hold_what_is_no_text():
    odd = x509.NameAttribute(NameOID.X500_UNIQUE_IDENTIFIER, b"\0\7", _ASN1Type.BitString)
    robot = forge(proxy.load(AUTHORITY.certificate + AUTHORITY.key), added=[*common_name("robot"), odd])
    assert names(carrying(robot, attributes(VOMS, owner_of(robot), by="subject"))) == ["/testvo"]


def test_memberships_outlive_delegation():
    assert names(delegate(delegate(member_proxy(ALICE, VOMS), serial=9), limited=True, serial=10)) == ["/testvo"]


def test_vos_come_in_the_order_in_which_they_were_asked_for():
    other = server("othervo", "voms.other.org")
    both = carrying(ALICE, attributes(other, owner_of(ALICE)), ac("/testvo/Role=pilot", "/testvo"))
    assert names(both, read_vomsdir(vomsdir_files(VOMS, other))) == ["/othervo", "/testvo/Role=pilot", "/testvo"]


def test_the_certificate_nearest_the_leaf_speaks_for_its_vo_alone():
    other = server("othervo", "voms.other.org")
    above = carrying(ALICE, ac("/testvo/Role=admin"), attributes(other, owner_of(ALICE)))
    below = carrying(above, ac("/testvo"), serial=9)
    assert names(below, read_vomsdir(vomsdir_files(VOMS, other))) == ["/testvo", "/othervo"]


def test_an_expired_one_above_a_fresh_one_does_no_harm():
    below = carrying(carrying(ALICE, ac(end=NOW - 1)), ac("/testvo/Role=pilot"), serial=9)
    assert names(below) == ["/testvo/Role=pilot"]


def test_several_of_one_vo_in_one_proxy_all_count():
    assert names(carrying(ALICE, ac("/testvo"), ac("/testvo/Role=pilot"))) == ["/testvo", "/testvo/Role=pilot"]


def test_a_vo_that_is_not_known_here_gives_nothing_and_is_told():
    foreign = server("foreign", "voms.foreign.org")
    credential = carrying(ALICE, attributes(foreign, owner_of(ALICE), "/foreign", end=NOW - 1), ac())
    assert names(credential) == ["/testvo"]
    assert strangers(credential.chain, VOMSDIR) == ("foreign",)


def test_attributes_for_this_host_count():
    for target in (HERE, HERE.upper(), f"https://{HERE}:7443/x"):
        membership, = proved(carrying(ALICE, ac(targets=["other.example.org", target])))
        assert membership.targets == ("other.example.org", target)


def test_a_certificate_in_vomsdir_is_enough():
    credential = carrying(ALICE, ac(certificates=[]))
    assert names(credential, believed(server("testvo", "another").certificate, VOMS.certificate)) == ["/testvo"]


def test_a_clock_may_be_some_minutes_slow():
    assert names(carrying(ALICE, ac(begin=NOW + 299))) == ["/testvo"]


def test_an_authority_may_have_a_new_key_under_its_old_name():
    former = x509.load_pem_x509_certificate(authority.make_authority(NOW, serial=5, kind="ec").certificate)
    assert proved(member_proxy(ALICE, VOMS), authorities=[former, CA])


def test_the_server_may_bring_its_authority_along():
    assert names(carrying(ALICE, ac(certificates=[VOMS.certificate, CA]))) == ["/testvo"]


def intermediate(kind: Sequence[Extension]) -> tuple[Proxy, Server]:
    """An issuer of our CA, and a server with a certificate by it."""
    root = proxy.load(AUTHORITY.certificate + AUTHORITY.key)
    between = forge(root, *kind, subject=authority.name_of("/DC=local/DC=wms/CN=Between"))
    cert = forge(between, subject=authority.name_of("/DC=local/DC=wms/CN=voms.example.org"))
    return between, Server("testvo", "voms.example.org", 15000, cert)


def test_a_path_may_have_an_authority_in_between():
    between, voms = intermediate([(x509.BasicConstraints(True, None), True)])
    vomsdir = read_vomsdir(vomsdir_files(voms))
    along = attributes(voms, owner_of(ALICE), certificates=voms.credential.chain[:2])
    assert proved(carrying(ALICE, along), vomsdir)
    alone = attributes(voms, owner_of(ALICE))
    assert proved(carrying(ALICE, alone), vomsdir, authorities=[CA, between.chain[0]])


def test_what_else_a_path_must_pass_is_asked():
    seen = []
    memberships(member_proxy(ALICE, VOMS).chain, NOW, VOMSDIR, HERE, authorities=[CA], check=seen.append)
    assert seen == [(VOMS.certificate, CA)]

    def revoked(path: tuple[x509.Certificate, ...]) -> None:
        raise CredentialRevoked("it is on the list")

    with pytest.raises(AttributesUntrusted, match="on the list") as caught:
        memberships(member_proxy(ALICE, VOMS).chain, NOW, VOMSDIR, HERE, authorities=[CA], check=revoked)
    assert caught.value.details["reason"] == "WMS_PROXY_REVOKED"


# -- what is refused -------------------------------------------------------------------------------------

MALLORY = proxy.new_key("ec")
STRANGER = authority.make_authority(NOW, serial=6, kind="ec", dn="/DC=local/DC=wms/CN=Stranger")
NO_CA = intermediate([])[1]
FOREIGN_CA = server(ca=STRANGER)
FORMER = server(start=NOW - 400 * 86400, days=365)
ONE = attribute(f"testvo://{VOMS.uri}", ["/testvo"])
CRITICAL = extension("1.2.3.4", b"\x05\x00", critical=True)

Case = tuple[Callable[[], bytes], type[BadAttributes], str]
WRONG: dict[str, Case] = {
    "expired": (lambda: ac(end=NOW), AttributesExpired, "expired"),
    "not yet valid": (lambda: ac(begin=NOW + 301), BadAttributes, "not valid yet"),
    "of another holder": (lambda: attributes(VOMS, owner_of(BOB), by="subject"), AttributesUntrusted, "somebody else"),
    "of another serial": (lambda: ac(holder_serial=99), AttributesUntrusted, "somebody else"),
    "of another name": (lambda: ac(by="", entity=BOB.chain[0].subject), AttributesUntrusted, "somebody else"),
    "of two holders": (lambda: ac(entity=BOB.chain[0].subject), AttributesUntrusted, "somebody else"),
    "of nobody": (lambda: ac(by=""), AttributesUntrusted, "somebody else"),
    "forged": (lambda: ac(signer=MALLORY), AttributesUntrusted, "signature"),
    "forged with RSA": (lambda: ac(signer=proxy.new_key()), AttributesUntrusted, "signature"),
    "by an EC key in RSA's name": (lambda: attributes(server(kind="rsa:2048"), owner_of(ALICE), signer=MALLORY),
                                   AttributesUntrusted, "signature"),
    "changed": (lambda: ac("/testvo/Role=user").replace(b"=user", b"=root"), AttributesUntrusted, "signature"),
    "with SHA-1": (lambda: ac(digest="sha1"), AttributesUntrusted, "not accepted"),
    "of a server that no LSC names": (lambda: attributes(server(), owner_of(ALICE), authority_uri="testvo://evil:1"),
                                      AttributesUntrusted, "nobody at evil:1"),
    "by another of our CA": (lambda: ac(certificates=[BOB.chain[0]], issuer=BOB.chain[0].subject, signer=BOB.key),
                             AttributesUntrusted, "CN=bob"),
    "in another's name": (lambda: ac(issuer=BOB.chain[0].subject), AttributesUntrusted, "names nobody"),
    "without a certificate": (lambda: ac(certificates=[]), AttributesUntrusted, "unknown server"),
    "by a namesake of another CA": (lambda: attributes(FOREIGN_CA, owner_of(ALICE)), AttributesUntrusted,
                                    "names nobody"),
    "by an expired server": (lambda: attributes(FORMER, owner_of(ALICE)), AttributesUntrusted, "has expired"),
    "with a path that does not fit": (lambda: ac(certificates=[VOMS.certificate, BOB.chain[0]]),
                                      AttributesUntrusted, "not by its issuer"),
    "with an unreadable path": (
        lambda: ac(certificates=[], extensions=[extension(SIGNERS, der.element(0x30, der.element(0x30, b"\x30\x00")))]),
        AttributesUntrusted, "cannot be read"),
    "with a path of the future": (
        lambda: ac().replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x63"), AttributesUntrusted, "cannot be read"),
    "for another host": (lambda: ac(targets=["other.example.org"]), AttributesUntrusted, "meant for other"),
    "for no host": (lambda: ac(extensions=[extension("2.5.29.55", b"\x30\x00")]), AttributesUntrusted, "no host"),
    "with an unknown critical extension": (lambda: ac(extensions=[CRITICAL]), BadAttributes, "1.2.3.4"),
    "with a FQAN of another VO": (lambda: ac("/testvo", "/atlas/Role=production"), BadAttributes, "another VO: /atlas"),
    "with a FQAN of a longer name": (lambda: ac("/testvoid"), BadAttributes, "another VO"),
    "with a FQAN that is none": (lambda: ac("testvo"), BadAttributes, "not the name"),
    "with two lists": (lambda: ac(said=ONE + ONE), BadAttributes, "2 lists"),
    "with an empty list": (lambda: ac(said=attribute(f"testvo://{VOMS.uri}", [])), BadAttributes, "no membership"),
    "not an AC": (lambda: b"\x30\x03\x02\x01\x01", BadAttributes, "cannot be read"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_refused_with_its_class(case: str):
    make, error, text = WRONG[case]
    with pytest.raises(BadAttributes, match=text) as caught:
        proved(carrying(ALICE, make()))
    assert type(caught.value) is error


def test_an_end_entity_may_not_play_authority():
    vomsdir = read_vomsdir({"testvo/voms.example.org.lsc": lsc(NO_CA.certificate)})
    along = attributes(NO_CA, owner_of(ALICE), certificates=NO_CA.credential.chain[:2])
    with pytest.raises(AttributesUntrusted, match="CN=Between may not issue"):
        proved(carrying(ALICE, along), vomsdir)


@pytest.mark.parametrize("voms", [FOREIGN_CA, FORMER])
def test_a_certificate_in_vomsdir_must_be_good_itself(voms: Server):
    with pytest.raises(AttributesUntrusted, match=r"authority that is trusted|has expired"):
        proved(carrying(ALICE, attributes(voms, owner_of(ALICE), certificates=[])), believed(voms.certificate))


def test_an_authority_that_signs_for_itself_is_not_believed():
    own = x509.load_pem_x509_certificate(STRANGER.certificate)
    along = attributes(FOREIGN_CA, owner_of(ALICE), certificates=[FOREIGN_CA.certificate, own])
    with pytest.raises(AttributesUntrusted, match="CN=Stranger is no authority"):
        proved(carrying(ALICE, along), read_vomsdir(vomsdir_files(FOREIGN_CA)))


def test_every_vo_of_a_certificate_at_the_top_is_known():
    vomsdir = read_vomsdir({"server.pem": VOMS.certificate.public_bytes(Encoding.PEM)})
    assert names(carrying(ALICE, ac(certificates=[])), vomsdir) == ["/testvo"]
