"""Tokens at the Network Server: delegated alone, with what renews them, or exchanged; handed out to running jobs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ns.delegated_tokens import DelegatedTokens, handed_out
from ns.delegation import credential_id
from tests.daemons.delegating import ISSUER, Caller, bearer, someone
from tests.suite.world import ALICE, NOW, World
from wms.credentials import PROXY, TOKEN
from wms.errors import (
    CredentialTooShort,
    DelegationMismatch,
    NotAllowedNow,
    NotFound,
    Refused,
    TokenExpired,
    Unavailable,
)
from wms.operations import RegisterRequest
from wms.operations.delegations import FreshToken, TokenDelegation
from wms.tokens.held import Held

PLAIN = 'Executable = "/bin/true";'
ALONE, LASTING = TokenDelegation(), TokenDelegation("refresh", "client")
JOB_S, PERIOD_S = 900.0, 60.0


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.close()


class Exchanges:
    """An issuer that gives this in exchange, or fails so."""

    def __init__(self, outcome: Held | Exception) -> None:
        self.outcome, self.asked = outcome, list[str]()

    async def exchange(self, token: str) -> Held:
        self.asked.append(token)
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


def delegate(world: World, who: Caller, body: TokenDelegation, issuer: Exchanges | None = None) -> Any:
    world.handlers["ns.delegate_token"] = DelegatedTokens(world.kit, issuer).put
    return who.calls(world, "ns.delegate_token", body, delegation="t")


def held(world: World, who: Caller) -> Held:
    return Held.decode(world.kit.credentials.read(credential_id(who.identity.dn, "t"), TOKEN))


def register(who: Caller, world: World, jdl: str = PLAIN) -> Any:
    return who.calls(world, "ns.register", RegisterRequest(jdl, "t", start=True))


def running(world: World, job: str) -> None:
    world.advance(30)
    assert world.start_payload(world.token(job))


def test_a_token_is_kept_as_it_is_when_nothing_better_can_be_had(world: World):
    alice = bearer(vo="atlas")
    for issuer in (None, Exchanges(Unavailable("away"))):
        info = delegate(world, alice, ALONE, issuer)
        assert (info.kind, info.vo, info.issuer, info.not_after) == ("token", "atlas", ISSUER, NOW + 3600)
        assert held(world, alice) == Held(ISSUER, alice.bearer, NOW + 3600)


def test_what_the_issuer_gives_in_exchange_is_kept_instead(world: World):
    given = Held(ISSUER, "ours", NOW + 7200, "our refresh token", "us")
    issuer = Exchanges(given)
    assert delegate(world, bearer(), ALONE, issuer).not_after == NOW + 7200
    assert (held(world, bearer()), issuer.asked) == (given, [bearer().bearer])


def test_the_users_own_refresh_token_is_kept_with_the_client_it_was_given_to(world: World):
    issuer = Exchanges(Unavailable("not asked"))
    delegate(world, bearer(), LASTING, issuer)
    assert held(world, bearer()) == Held(ISSUER, bearer().bearer, NOW + 3600, "refresh", "client")
    assert issuer.asked == []


@pytest.mark.parametrize(("who", "body", "error"), [
    (someone(), ALONE, Refused), (bearer(), TokenDelegation("refresh"), Refused),
    (bearer(), TokenDelegation("", "client"), Refused), (bearer(life_s=299), ALONE, CredentialTooShort),
    (bearer(text=""), ALONE, Refused)])
def test_what_is_no_delegation_of_a_token_is_refused(
        world: World, who: Caller, body: TokenDelegation, error: type[Exception]):
    with pytest.raises(error):
        delegate(world, who, body)
    assert list(world.kit.credentials.directory.glob("*.token")) == []
    assert all(one.id == "p" for one in who.calls(world, "ns.delegations").delegations)


def test_one_owner_has_one_credential_of_a_name_of_either_kind(world: World):
    person, token = someone(), bearer(dn=ALICE)
    person.delegates(world, "t")
    delegate(world, token, LASTING)
    credential = credential_id(ALICE, "t")
    assert not world.kit.credentials.path(credential, PROXY).exists()
    register(token, world)
    csr_for_jobs = person.asks(world, "t")
    assert csr_for_jobs
    with pytest.raises(DelegationMismatch):
        person.delegates(world, "t")


@pytest.mark.parametrize(("body", "warned"), [(ALONE, True), (LASTING, False)])
def test_a_token_that_cannot_be_renewed_is_warned_of(world: World, body: TokenDelegation, warned: bool):
    delegate(world, bearer(), body)
    long = PLAIN + "Requirements = other.GlueCEPolicyMaxWallClockTime > 2880;"
    assert any("no refresh token" in said for said in register(bearer(), world, long).warnings) == warned


# -- for running jobs ------------------------------------------------------------------------------------


def test_a_running_job_is_given_its_token(world: World):
    delegate(world, bearer(), LASTING)
    job = str(register(bearer(), world).job)
    with pytest.raises(NotAllowedNow):
        world.call("ns.attempt_token", job=job, attempt=1)
    running(world, job)
    found = world.call("ns.attempt_token", job=job, attempt=1)
    assert found == FreshToken(bearer().bearer, NOW + 3600, NOW + 3600 - JOB_S)
    world.finish_payload(world.token(job))
    with pytest.raises(NotAllowedNow):
        world.call("ns.attempt_token", job=job, attempt=1)


def test_a_job_under_a_certificate_has_no_token(world: World):
    job = world.submit(PLAIN)
    running(world, job)
    with pytest.raises(NotFound, match="runs under a certificate"):
        world.call("ns.attempt_token", job=job, attempt=1)


def test_a_token_that_was_taken_back_is_not_handed_out(world: World):
    delegate(world, bearer(), LASTING)
    job = str(register(bearer(), world).job)
    running(world, job)
    world.kit.credentials.remove(credential_id(bearer().identity.dn, "t"))
    with pytest.raises(NotFound, match="taken back"):
        world.call("ns.attempt_token", job=job, attempt=1)
    bearer().calls(world, "ns.destroy_delegation", query={"force": "yes"}, delegation="t")
    with pytest.raises(NotFound, match="taken back"):
        world.call("ns.attempt_token", job=job, attempt=1)


@pytest.mark.parametrize(("left", "refresh", "following"), [
    (3600.0, "r", 3600.0 - JOB_S), (3600.0, "", None), (JOB_S, "r", PERIOD_S), (10.0, "r", PERIOD_S),
    (10.0, "", None)])
def test_a_token_comes_with_the_time_of_the_next(left: float, refresh: str, following: float | None):
    found = handed_out(Held(ISSUER, "a", NOW + left, refresh), NOW, JOB_S, PERIOD_S)
    assert found == FreshToken("a", NOW + left, 0.0 if following is None else NOW + following)


@pytest.mark.parametrize(("refresh", "error"), [("r", Unavailable), ("", TokenExpired)])
def test_a_token_that_has_ended_is_not_handed_out(refresh: str, error: type[Exception]):
    with pytest.raises(error):
        handed_out(Held(ISSUER, "a", NOW, refresh), NOW, JOB_S, PERIOD_S)
