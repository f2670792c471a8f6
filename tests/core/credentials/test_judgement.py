"""Whether a path to a trusted authority speaks for somebody: revocation and signing policies beside the rules."""

from __future__ import annotations

import math

import pytest
from anchor_builders import WEEK, crl_bytes, directory, policy_text
from credential_builders import ALICE, AUTHORITY, CA, DAY, NOW, common_name, delegate, forge, info, person
from cryptography import x509

from wms.errors import (
    ConfigError,
    CredentialExpired,
    CredentialRevoked,
    LegacyProxy,
    ProxyRuleBroken,
    RevocationUnknown,
    SigningPolicyViolated,
)
from wms.identity import Identity
from wms.x509 import authority
from wms.x509.anchors import Anchors
from wms.x509.judgement import Judged, Rules, check_issued, judge
from wms.x509.proxy import Proxy

DN = "/DC=local/DC=wms/CN=Private CA"
USER = person()
SERIAL = USER.chain[0].serial_number
GOOD = policy_text(DN, "/DC=local/DC=wms/*")
BAD = policy_text(DN, "/DC=elsewhere/*")
LAX, STRICT = Rules("ignored", "ignored"), Rules("required", "required")


def path(credential: Proxy) -> tuple[x509.Certificate, ...]:
    return (*credential.chain, CA)


def test_a_path_speaks_for_its_owner_until_its_end():
    found = judge(path(delegate(USER, 1800)), directory(AUTHORITY), Rules(), NOW)
    assert found == Judged(Identity(ALICE, ca_dn=DN, not_after=NOW + 1800, chain_length=2), NOW + 1800)


def test_a_revocation_list_may_be_too_old_before_the_path_ends():
    found = judge(path(USER), directory(AUTHORITY, r0=crl_bytes(end=NOW + WEEK)), Rules(), NOW)
    assert (found.until, found.identity.not_after) == (NOW + WEEK, NOW + 365 * DAY)


def test_a_path_ends_with_its_authority():
    short = authority.make_authority(NOW, serial=1, days=10, kind="ec")
    top = x509.load_pem_x509_certificate(short.certificate)
    assert judge((*USER.chain, top), Anchors(), LAX, NOW).identity.not_after == NOW + 10 * DAY
    with pytest.raises(CredentialExpired, match="of the authority"):
        judge((*USER.chain, top), Anchors(), LAX, NOW + 10 * DAY)


@pytest.mark.parametrize("mode", ["checked", "required"])
@pytest.mark.parametrize("credential", [USER, delegate(delegate(USER))])
def test_a_revoked_certificate_speaks_for_nobody_nor_do_its_proxies(mode: str, credential: Proxy):
    with pytest.raises(CredentialRevoked):
        judge(path(credential), directory(AUTHORITY, r0=crl_bytes([SERIAL])), Rules(mode, "ignored"), NOW)


def test_serials_of_proxies_are_not_looked_up():
    known = directory(AUTHORITY, r0=crl_bytes([7]))
    assert judge(path(delegate(USER, serial=7)), known, Rules(), NOW).identity.dn == ALICE


@pytest.mark.parametrize("mode", ["checked", "required"])
@pytest.mark.parametrize("content", [b"broken", crl_bytes(end=NOW), crl_bytes(signer=USER.key)])
def test_a_list_that_says_nothing_of_today_refuses(mode: str, content: bytes):
    with pytest.raises(RevocationUnknown):
        judge(path(USER), directory(AUTHORITY, r0=content), Rules(mode, "ignored"), NOW)


def test_no_list_refuses_where_one_is_required():
    assert judge(path(USER), directory(AUTHORITY), Rules("checked", "ignored"), NOW).identity.dn == ALICE
    with pytest.raises(RevocationUnknown, match="one is required here"):
        judge(path(USER), directory(AUTHORITY), Rules("required", "ignored"), NOW)


@pytest.mark.parametrize("mode", ["checked", "required"])
@pytest.mark.parametrize("content", [BAD, b"broken", policy_text("/CN=another", "*")])
def test_a_name_outside_the_signing_policy_is_refused(mode: str, content: bytes):
    with pytest.raises(SigningPolicyViolated, match="does not let it sign /DC=local/DC=wms/CN=alice"):
        judge(path(delegate(USER)), directory(AUTHORITY, signing_policy=content), Rules("ignored", mode), NOW)


def test_no_policy_refuses_where_one_is_required():
    assert judge(path(USER), directory(AUTHORITY), Rules("ignored", "checked"), NOW).identity.dn == ALICE
    with pytest.raises(SigningPolicyViolated, match="one is required here"):
        judge(path(USER), directory(AUTHORITY), Rules("ignored", "required"), NOW)


def test_everything_may_be_required_and_be_there():
    known = directory(AUTHORITY, signing_policy=GOOD, r0=crl_bytes([SERIAL + 1]))
    assert judge(path(USER), known, STRICT, NOW).identity.dn == ALICE


def test_what_is_ignored_refuses_nobody():
    known = directory(AUTHORITY, signing_policy=BAD, r0=crl_bytes([SERIAL]))
    found = judge(path(USER), known, LAX, NOW)
    assert (found.identity.dn, found.until) == (ALICE, NOW + 365 * DAY)


def test_an_authority_between_is_looked_up_as_well():
    between = forge(Proxy((CA,), USER.key), subject=authority.name_of("/DC=local/DC=wms/CN=between")).chain[0]
    known = directory(AUTHORITY, r0=crl_bytes([between.serial_number]))
    with pytest.raises(CredentialRevoked, match="CN=between"):
        check_issued((USER.chain[0], between, CA), known, Rules(), NOW)


def test_of_an_authority_alone_nothing_is_to_be_said():
    assert check_issued([CA], Anchors(), STRICT, NOW) == math.inf


@pytest.mark.parametrize("name", ["proxy", "limited proxy"])
def test_old_proxies_count_where_they_are_accepted(name: str):
    old = forge(USER, added=common_name(name))
    with pytest.raises(LegacyProxy):
        judge(path(old), Anchors(), Rules(), NOW)
    found = judge(path(old), Anchors(), Rules(legacy_proxies=True), NOW).identity
    assert (found.dn, found.limited, found.chain_length) == (ALICE, name != "proxy", 2)


def test_a_chain_keeps_to_one_standard():
    mixed = forge(forge(USER, info()), added=common_name("proxy"))
    with pytest.raises(ProxyRuleBroken, match="mixes"):
        judge(path(mixed), Anchors(), Rules(legacy_proxies=True), NOW)


@pytest.mark.parametrize(("crl", "policy", "named"), [
    ("always", "checked", "tls.crl"), ("checked", "", "tls.signing_policy"), ("Required", "required", "tls.crl")])
def test_a_mode_that_is_none_is_named(crl: str, policy: str, named: str):
    with pytest.raises(ConfigError, match=f"{named}: .* is not one of required, checked, ignored"):
        Rules(crl, policy)
