"""Delegation at the Network Server: what is accepted, what is refused and then changes nothing, what the owner does."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from ns import delegation_rows as rows
from ns import pending_keys
from ns.credential_upkeep import KEPT_S, SEARCH_S
from ns.delegation import credential_id
from ns.delegation_rows import Delegation
from tests.daemons.delegating import AUTHORITY, DAY, Caller, caller, extended, pem, signed, someone
from tests.suite.world import ALICE, NOW, Crash, World
from wms import queue
from wms.config import Ns
from wms.errors import (
    BadCredential,
    CredentialNotFound,
    CredentialTooShort,
    DelegationMismatch,
    DelegationNeeded,
    DelegationReplayed,
    LimitedProxy,
    NotAllowedNow,
    NotFound,
    Refused,
    WmsError,
)
from wms.messages.credentials import Destroyed, ProxyRenewed, Redelegated, Register
from wms.messages.submission import Submit, SubmitCompound
from wms.messages.topics import NS, PROXYRENEWAL, WM
from wms.operations import RegisterRequest
from wms.operations.delegations import Forgotten
from wms.queue import Parcel
from wms.x509 import authority, proxy

PLAIN = 'Executable = "/bin/true";'
BAG = 'Type = "Collection"; Nodes = {[ Executable = "/bin/true" ]};'
ATLAS = ("/atlas/Role=production/Capability=NULL", "/atlas/Role=NULL/Capability=NULL")
CREDENTIAL = credential_id(ALICE, "d")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.close()


@pytest.fixture(scope="module")
def alice() -> Caller:
    return someone()


@pytest.fixture
def spoken(monkeypatch: pytest.MonkeyPatch) -> list[Parcel]:
    """All messages from now on, which daemons may have read since."""
    heard, post = list[Parcel](), queue.post

    def overheard(conn: sa.Connection, parcels: Sequence[Parcel], *, now: float) -> None:
        heard.extend(parcels)
        post(conn, parcels, now=now)

    monkeypatch.setattr(queue, "post", overheard)
    return heard


def said(spoken: Sequence[Parcel], topic: str) -> list[Any]:
    """What a daemon was told."""
    return [parcel.record for parcel in spoken if parcel.topic == topic]


def row_of(world: World, credential: str = CREDENTIAL) -> Delegation | None:
    with world.engine.begin() as conn:
        return rows.find(conn, credential)


def pending(world: World) -> list[Path]:
    return sorted(world.kit.credentials.directory.glob("**/*.pending"))


def register(who: Caller, world: World, jdl: str = PLAIN, *, start: bool = True, name: str = "d", vo: str = "") -> Any:
    return who.calls(world, "ns.register", RegisterRequest(jdl, name, vo, start=start))


# -- it is accepted --------------------------------------------------------------------------------------


def test_a_signed_chain_becomes_a_credential_and_is_told_of(world: World):
    alice = someone(fqans=ATLAS, attributes=b"whatever the server of the VO signed")
    assert alice.credential is not None
    info = alice.delegates(world)
    leaf = proxy.load(world.kit.credentials.read(CREDENTIAL)).chain[0]
    assert info == alice.calls(world, "ns.delegation", delegation="d")
    assert (info.id, info.subject, info.kind, info.vo, info.fqans) == ("d", ALICE, "certificate", "atlas", ATLAS)
    assert (info.not_after, info.strength, info.limited, info.jobs) == (NOW + DAY, 2048, False, 0)
    assert (info.issuer, info.not_before) == ("/DC=org/DC=example/CN=CA", leaf.not_valid_before_utc.timestamp())
    assert proxy.load(world.kit.credentials.read(CREDENTIAL)).chain[1:] == alice.credential.chain
    assert pending(world) == []


def test_two_commands_that_delegate_at_the_same_time_are_both_answered(world: World, alice: Caller):
    first, second = alice.asks(world), alice.asks(world)
    alice.puts(world, signed(second, alice.credential))
    alice.puts(world, signed(first, alice.credential))
    assert pending(world) == []


def test_what_is_kept_is_private(world: World, alice: Caller):
    alice.asks(world)
    alice.delegates(world)
    theirs = {"credentials", *world.credentials.values()}  # made by the world itself
    below = [world.kit.credentials.directory, *world.kit.credentials.directory.glob("**/*")]
    assert {path.stat().st_mode & 0o777 for path in below if path.stem not in theirs} == {0o600, 0o700}


# -- it is refused, and nothing is changed ---------------------------------------------------------------

Answer = Callable[[str, Caller], str]
BAD_CHAINS: dict[str, tuple[type[WmsError], str, Answer]] = {
    "somebody else's": (DelegationMismatch, "not to the caller",
                        lambda csr, _: signed(csr, someone("bob").credential)),
    "another certificate of the same name": (DelegationMismatch, "not to the caller",
                                             lambda csr, _: signed(csr, someone().credential)),
    "other attributes": (DelegationMismatch, "other VOMS attributes",
                         lambda csr, who: signed(csr, who.credential, attributes=b"more rights")),
    "longer than the caller's": (DelegationMismatch, "outlive",
                                 lambda csr, who: signed(csr, owner(who), life_s=2 * DAY)),
    "limited": (LimitedProxy, "limited", lambda csr, who: signed(csr, who.credential, limited=True)),
    "too short": (CredentialTooShort, "minutes", lambda csr, who: signed(csr, who.credential, life_s=299)),
    "ended": (BadCredential, "expired", lambda csr, who: signed(csr, who.credential, life_s=-1)),
    "too long a path": (BadCredential, "path length", lambda csr, who: signed(csr, extended(
        only_one_more(who), path_length=0))),
    "not signed by whom it says": (BadCredential, "not by its issuer", lambda csr, who: signed(
        csr, proxy.Proxy(credential(who).chain, proxy.new_key("ec")))),
    "another key": (DelegationReplayed, "was never made", lambda _, who: pem(extended(credential(who)))),
    "no certificate": (BadCredential, "no certificate", lambda *_: "good morning"),
    "half a certificate": (BadCredential, "cannot be read",
                           lambda *_: "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"),
    "the leaf alone": (BadCredential, "chain ends", lambda csr, who: signed(csr, who.credential).split(
        "-----END CERTIFICATE-----")[0] + "-----END CERTIFICATE-----\n"),
    "endless": (Refused, "at most", lambda csr, who: signed(csr, who.credential) * 300),
}


def credential(who: Caller) -> proxy.Proxy:
    assert who.credential is not None
    return who.credential


def owner(who: Caller) -> proxy.Proxy:
    """The long-lived certificate behind a proxy: its key is not known, so a chain of it is made anew."""
    return OWNERS[credential(who).chain[-1].fingerprint(proxy.hashes.SHA256())]


def only_one_more(who: Caller) -> proxy.Proxy:
    return extended(owner(who), life_s=DAY / 2, path_length=0)


OWNERS: dict[bytes, proxy.Proxy] = {}


def known_owner() -> Caller:
    """Alice, whose own key the test has, too."""
    issued = authority.user_certificate(AUTHORITY, "alice", NOW, serial=2, kind="ec", days=30)
    own = proxy.load(issued.certificate + issued.key)
    OWNERS[own.chain[0].fingerprint(proxy.hashes.SHA256())] = own
    return caller(extended(own))


@pytest.mark.parametrize("case", BAD_CHAINS)
def test_a_bad_chain_is_refused_and_the_good_one_still_taken(world: World, case: str):
    error, says, answer = BAD_CHAINS[case]
    alice = known_owner()
    before = alice.delegates(world)
    kept, csr = world.kit.credentials.read(CREDENTIAL), alice.asks(world)
    with pytest.raises(error, match=says) as refused:
        alice.puts(world, answer(csr, alice))
    assert type(refused.value) is error or error is BadCredential
    assert world.kit.credentials.read(CREDENTIAL) == kept
    assert alice.calls(world, "ns.delegation", delegation="d") == before
    assert len(pending(world)) == 1
    alice.puts(world, signed(csr, alice.credential))
    assert world.kit.credentials.read(CREDENTIAL) != kept


def test_a_signing_request_is_answered_once(world: World, alice: Caller):
    csr = alice.asks(world)
    first = signed(csr, alice.credential)
    alice.puts(world, first)
    kept = world.kit.credentials.read(CREDENTIAL)
    for chain in (first, signed(csr, alice.credential)):
        with pytest.raises(DelegationReplayed):
            alice.puts(world, chain)
    assert world.kit.credentials.read(CREDENTIAL) == kept


def test_a_request_is_for_its_name_and_its_owner(world: World, alice: Caller):
    chain = signed(alice.asks(world), alice.credential)
    with pytest.raises(DelegationReplayed):
        alice.puts(world, chain, "other")
    bob = someone("bob")
    with pytest.raises(DelegationReplayed):
        bob.puts(world, signed(alice.asks(world), bob.credential))


def test_a_request_waits_for_an_hour(world: World, alice: Caller):
    for age, accepted in ((0.0, True), (pending_keys.KEPT_S + 1, False)):
        csr = alice.asks(world)
        for path in pending(world):
            os.utime(path, (NOW - age, NOW - age))
        if accepted:
            alice.puts(world, signed(csr, alice.credential))
        else:
            with pytest.raises(DelegationReplayed):
                alice.puts(world, signed(csr, alice.credential))


def test_requests_of_one_user_push_each_other_out(world: World, alice: Caller, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pending_keys, "MOST", 2)
    bobs = someone("bob").asks(world)
    csrs = []
    for age in (30, 20, 10):
        before = set(pending(world))
        csrs.append(alice.asks(world))
        (new,) = set(pending(world)) - before
        os.utime(new, (NOW - age, NOW - age))
    with pytest.raises(DelegationReplayed):
        alice.puts(world, signed(csrs[0], alice.credential))
    alice.puts(world, signed(csrs[2], alice.credential))
    assert len(pending(world)) == 2
    assert bobs


@pytest.mark.parametrize("name", ["", "a/b", "..%2f", "x" * 129, "a b", "é"])
def test_a_name_that_is_none_is_refused(world: World, alice: Caller, name: str):
    with pytest.raises(Refused):
        alice.asks(world, name)


def test_no_more_are_kept_than_the_site_says(world: World, alice: Caller):
    world.settings = msgspec.structs.replace(world.settings, ns=Ns(max_delegations=2))
    world.reborn()
    alice.delegates(world)  # beside the one the world began with
    with pytest.raises(NotAllowedNow, match="2 delegated credentials"):
        alice.asks(world, "third")
    alice.delegates(world)
    someone("carol").delegates(world)


# -- limited proxies -------------------------------------------------------------------------------------


def test_a_limited_proxy_neither_delegates_nor_submits(
        world: World, alice: Caller, spoken: list[Parcel]):
    csr = alice.asks(world)
    alice.delegates(world)
    job = register(alice, world, start=False).job.rsplit("/", 1)[-1]
    limited = caller(extended(credential(alice), limited=True))
    before = list(spoken)
    for act in (lambda: limited.asks(world), lambda: limited.puts(world, signed(csr, alice.credential)),
                lambda: register(limited, world), lambda: limited.calls(world, "ns.start", unique=job),
                lambda: limited.calls(world, "ns.rescue", unique=job)):
        with pytest.raises(LimitedProxy):
            act()
    assert spoken == before
    limited.calls(world, "ns.delegations")
    limited.calls(world, "ns.cancel", unique=job)


def test_no_job_gets_a_limited_credential(world: World, alice: Caller):
    alice.delegates(world)
    with world.engine.begin() as conn:
        rows.put(conn, (rows.find(conn, CREDENTIAL) or Delegation("", "", "", 0))._replace(limited=True))
    with pytest.raises(LimitedProxy):
        register(alice, world)


# -- rights ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fqans", [(), ATLAS[1:], ATLAS[::-1], ("/cms/Role=NULL/Capability=NULL",)])
def test_a_job_is_submitted_with_the_rights_it_will_have(
        world: World, fqans: tuple[str, ...], spoken: list[Parcel]):
    alice = someone(fqans=ATLAS, attributes=b"atlas")
    alice.delegates(world)
    with pytest.raises(DelegationMismatch):
        register(caller(credential(alice), fqans), world)
    assert said(spoken, WM) == []
    register(alice, world)


@pytest.mark.parametrize(("jdl", "kind"), [(PLAIN, Submit), (BAG, SubmitCompound)])
def test_the_rights_are_those_that_were_delegated_whoever_starts_the_job(
        world: World, jdl: str, kind: type, spoken: list[Parcel]):
    alice = someone(fqans=ATLAS, attributes=b"atlas")
    alice.delegates(world)
    job = register(alice, world, jdl, start=False).job
    caller(credential(alice), ATLAS[1:]).calls(world, "ns.start", unique=job.rsplit("/", 1)[-1])
    submitted = said(spoken, WM)[0]
    assert (type(submitted), submitted.fqans, submitted.vo) == (kind, ATLAS, "atlas")
    row = row_of(world)
    assert row is not None
    assert said(spoken, PROXYRENEWAL) == [Register(job, CREDENTIAL, ALICE, "", NOW + DAY, begins=row.not_before)]


def test_a_job_of_another_vo_than_the_credentials_is_refused(world: World):
    alice = someone(fqans=ATLAS, attributes=b"atlas")
    alice.delegates(world)
    with pytest.raises(Refused, match="different from delegated Proxy Virtual Organisation"):
        register(alice, world, PLAIN + 'VirtualOrganisation = "cms";')
    reply = register(alice, world, vo="cms")
    assert "The VO cms is ignored: the credential is of atlas." in reply.warnings


# -- lifetimes -------------------------------------------------------------------------------------------

LONG = PLAIN + "Requirements = other.GlueCEPolicyMaxWallClockTime > 2880;"


@pytest.mark.parametrize(("policy", "jdl", "outcome"), [
    ("warn", PLAIN, "taken"), ("refuse", PLAIN, "taken"), ("warn", LONG, "warned"), ("refuse", LONG, "refused"),
    ("refuse", LONG + 'MyProxyServer = "px.example.org";', "taken")])
def test_a_credential_that_ends_before_its_job_is_warned_of_or_refused(
        world: World, alice: Caller, policy: str, jdl: str, outcome: str, spoken: list[Parcel]):
    world.settings = msgspec.structs.replace(world.settings, ns=Ns(short_credentials=policy))
    world.reborn()
    alice.delegates(world)
    if outcome == "refused":
        with pytest.raises(CredentialTooShort, match=r"ends in 24.0 h, but the job may need 48.0 h") as refused:
            register(alice, world, jdl)
        assert refused.value.details == {"needed_s": 172_800.0, "remaining_s": DAY}
        assert refused.value.hint
        assert said(spoken, WM) == []
    else:
        warnings = register(alice, world, jdl).warnings
        assert any("ends in 24.0 h" in text for text in warnings) == (outcome == "warned")


# -- what the owner does ---------------------------------------------------------------------------------


def test_delegating_again_renews_and_proxy_renewal_is_told(world: World, spoken: list[Parcel]):
    someone(life_s=7200).delegates(world)
    later = someone(life_s=14_400)
    info = later.delegates(world)
    assert info.not_after == NOW + 14_400
    assert said(spoken, PROXYRENEWAL) == [Redelegated(CREDENTIAL, info.not_before, NOW + 14_400)]


def test_jobs_do_not_get_other_rights_than_they_were_registered_with(world: World):
    atlas, cms = (someone(fqans=(f"/{vo}/Role=NULL/Capability=NULL",), attributes=vo.encode())
                  for vo in ("atlas", "cms"))
    atlas.delegates(world)
    job = register(atlas, world, start=False).job
    csr = cms.asks(world)
    with pytest.raises(DelegationMismatch) as refused:
        cms.puts(world, signed(csr, cms.credential))
    assert refused.value.details["jobs"] == [job]
    atlas.delegates(world)
    atlas.calls(world, "ns.cancel", unique=job.rsplit("/", 1)[-1])
    assert cms.puts(world, signed(csr, cms.credential)).vo == "cms"


def test_everybody_sees_his_own(world: World, alice: Caller):
    alice.delegates(world)
    job = register(alice, world)
    assert job.job
    listed = alice.calls(world, "ns.delegations").delegations
    assert [(one.id, one.jobs) for one in listed] == [("d", 1), ("p", 0)]
    bob = someone("bob")
    assert [one.id for one in bob.calls(world, "ns.delegations").delegations] == ["p"]
    for name in ("ns.delegation", "ns.destroy_delegation"):
        with pytest.raises(NotFound):
            bob.calls(world, name, delegation="d")


def test_a_destroyed_credential_is_gone_with_its_requests(world: World, alice: Caller, spoken: list[Parcel]):
    alice.delegates(world)
    chain = signed(alice.asks(world), alice.credential)
    assert alice.calls(world, "ns.destroy_delegation", delegation="d") == Forgotten("d")
    assert not world.kit.credentials.path(CREDENTIAL).exists()
    assert said(spoken, PROXYRENEWAL) == [Destroyed(CREDENTIAL)]
    with pytest.raises(DelegationNeeded):
        register(alice, world)
    with pytest.raises(DelegationReplayed):
        alice.puts(world, chain)


def test_a_credential_that_jobs_need_is_destroyed_only_by_force(world: World, alice: Caller):
    alice.delegates(world)
    job = register(alice, world, start=False).job
    with pytest.raises(NotAllowedNow, match="1 jobs") as refused:
        alice.calls(world, "ns.destroy_delegation", delegation="d")
    assert refused.value.details["jobs"] == [job]
    assert world.kit.credentials.path(CREDENTIAL).exists()
    reply = alice.calls(world, "ns.destroy_delegation", query={"force": "yes"}, delegation="d")
    assert reply == Forgotten("d", 1, (job,))
    assert not world.kit.credentials.path(CREDENTIAL).exists()
    with pytest.raises(CredentialNotFound):
        alice.calls(world, "ns.start", unique=job.rsplit("/", 1)[-1])


def test_the_end_of_a_renewed_credential_is_known(world: World, alice: Caller):
    alice.delegates(world)
    with world.engine.begin() as conn:
        queue.put(conn, NS, ProxyRenewed(CREDENTIAL, (), NOW + 5 * DAY), now=NOW)
    world.advance(10)
    assert alice.calls(world, "ns.delegation", delegation="d").not_after == NOW + 5 * DAY


# -- crashes ---------------------------------------------------------------------------------------------


def test_a_crash_before_the_record_neither_loses_nor_doubles(world: World):
    first = someone(life_s=7200)
    first.delegates(world)
    again = someone(life_s=14_400)
    chain = signed(again.asks(world), again.credential)
    world.crash_after(0)
    with pytest.raises(Crash):
        again.puts(world, chain)
    world.reborn()
    assert proxy.load(world.kit.credentials.read(CREDENTIAL)).chain[1:] == credential(again).chain
    with pytest.raises(DelegationReplayed):
        again.puts(world, chain)
    register(first, world)
    assert again.delegates(world).not_after == NOW + 14_400


def test_a_file_that_nothing_names_is_found(world: World, alice: Caller):
    alice.delegates(world)
    half = world.kit.credentials.directory / ".half.pem.0123"
    half.write_bytes(b"half a key")
    os.utime(half, (NOW, NOW))
    path = world.kit.credentials.path(CREDENTIAL)
    os.utime(path, (NOW, NOW))
    with world.engine.begin() as conn:
        rows.remove(conn, CREDENTIAL)
    world.advance(KEPT_S, step=SEARCH_S / 2)
    assert path.exists()
    world.advance(2 * SEARCH_S, step=SEARCH_S / 2)
    assert (path.exists(), half.exists()) == (False, False)
    assert world.kit.credentials.path(world.credentials[ALICE]).exists()
