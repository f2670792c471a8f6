"""Issuers on a hand-moved clock: keys are fetched once, kept, rotated and used on; tokens exchanged and refreshed.

The issuer is the real one of the tests; questions reach it without a network, when and as a test wants.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
from issuer_line import Line
from shell import Shell, fired, result
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from tests.issuer import DISCOVERY, JWKS, METADATA, TOKEN, Issuer
from wms.errors import BadToken, ConfigError, Refused, TokenIssuerUnknown, TokenKeyUnknown, Unavailable
from wms.identity import Identity
from wms.issuer_keys import AGAIN_S, UNKNOWN_S
from wms.issuers import REMEMBERED, Issuers, audiences
from wms.tokens.held import Held
from wms.x509.authority import make_authority

AUTHORITY = make_authority(time.time(), serial=1, kind="ec")
HOUR, DAY, TIMEOUT_S = 3600.0, 86_400.0, 15.0


@dataclass
class Here:
    shell: Shell
    issuer: Issuer
    line: Line
    issuers: Issuers

    def who(self, token: str) -> Identity:
        return result(self.issuers.identity(token, self.shell.clock.seconds()))

    def asked(self, token: str) -> list[Any]:
        return fired(self.issuers.identity(token, self.shell.clock.seconds()))

    @property
    def fetches(self) -> int:
        return self.issuer.requests[JWKS]


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with Issuer(AUTHORITY, lifetime_s=10 * DAY, secrets={"wms": "s3cret"}) as made:
        yield made


@pytest.fixture
def here(issuer: Issuer, tmp_path: Path) -> Iterator[Here]:
    """With a client at the issuer."""
    (tmp_path / "secret").write_text("s3cret\n")
    (tmp_path / "secret").chmod(0o600)
    client = f", client_id: wms, client_secret_file: {tmp_path / 'secret'}"
    yield from making(issuer, client)


@pytest.fixture
def stranger(issuer: Issuer) -> Iterator[Here]:
    """Without a client."""
    yield from making(issuer, "")


def making(issuer: Issuer, client: str) -> Iterator[Here]:
    shell = Shell(settings=f"tokens: {{issuers: {{'{issuer.url}': {{vo: dteam{client}}}}}}}")
    shell.clock.advance(1_800_000_000)
    issuer.clock = shell.clock.seconds
    line = Line(issuer, shell)
    issuers = Issuers(shell.kit(), line)
    result(issuers.start())
    yield Here(shell, issuer, line, issuers)
    result(issuers.stop())
    shell.close()


# -- identities --------------------------------------------------------------------------------------------


def test_a_token_is_an_identity_of_the_vo_of_its_issuer(here: Here) -> None:
    found = here.who(here.issuer.mint(sub="bob", **{"wlcg.groups": ["/dteam/x"]}))
    assert (found.dn, found.vo, found.groups) == (f"sub:{here.issuer.url}#bob", "dteam", ("/dteam/x",))
    assert "compute.create" in found.scopes


def test_keys_are_fetched_with_the_first_token_and_not_again_for_others(here: Here) -> None:
    assert not here.issuer.requests
    for subject in ("alice", "bob", "alice"):
        here.who(here.issuer.mint(sub=subject))
    assert here.issuer.requests == {DISCOVERY: 1, JWKS: 1}


def test_a_token_that_was_verified_ends_all_the_same(here: Here) -> None:
    given = here.issuer.mint(exp=here.shell.clock.seconds() + 100)
    assert here.who(given).subject == "alice"
    here.shell.advance(100)
    with pytest.raises(BadToken, match="ended"):
        here.who(given)


def test_a_token_that_was_verified_costs_no_signature(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    given = here.issuer.mint()
    first = here.who(given)
    monkeypatch.setattr("wms.issuers.verify", None)
    assert here.who(given) is first


def test_only_so_many_tokens_are_remembered(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    assert REMEMBERED > 1000
    monkeypatch.setattr("wms.issuers.REMEMBERED", 3)
    given = [here.issuer.mint(sub=f"user{n}") for n in range(5)]
    first = [here.who(one) for one in given]
    assert len(here.issuers._verified) == 3
    assert here.who(given[4]) is first[4]
    assert here.who(given[0]) == first[0]
    assert here.who(given[0]) is not first[0]


def test_an_issuer_that_is_not_trusted_is_not_asked(here: Here) -> None:
    with pytest.raises(TokenIssuerUnknown):
        here.who(here.issuer.mint(iss="https://other.example.org"))
    assert not here.issuer.requests


def test_the_audience_is_the_address_of_the_service(here: Here) -> None:
    for port in (7772, 9000):
        assert here.who(here.issuer.mint(aud=[f"https://{here.shell.kit().settings.host}:{port}"]))
    with pytest.raises(BadToken, match="aud"):
        here.who(here.issuer.mint(aud="https://other.example.org"))


def test_audiences_leave_the_usual_port_out_and_can_be_configured() -> None:
    kit = Shell(settings="{host: a.example.org, ns: {listen: '0.0.0.0:443'}, lb: {listen: '0.0.0.0:9000'}}").kit()
    assert audiences(kit.settings) == {"https://a.example.org", "https://a.example.org:9000"}
    assert audiences(Shell(settings="tokens: {audiences: [x]}").kit().settings) == {"x"}


# -- keys --------------------------------------------------------------------------------------------------


def test_a_new_key_is_fetched_when_the_first_token_names_it(here: Here) -> None:
    here.who(here.issuer.mint())
    here.shell.advance(UNKNOWN_S)
    here.issuer.rotate()
    assert here.who(here.issuer.mint()).subject == "alice"
    assert here.fetches == 2


def test_unknown_keys_are_asked_for_at_most_every_half_minute(here: Here) -> None:
    here.who(here.issuer.mint())
    for _ in range(60):
        here.shell.advance(1)
        with pytest.raises(TokenKeyUnknown):
            here.who(here.issuer.mint(header={"kid": "none"}))
    assert here.fetches == 1 + 60 // UNKNOWN_S


def test_a_key_that_the_issuer_withdraws_is_worthless_after_the_period_also_for_remembered_tokens(here: Here) -> None:
    old = here.issuer.mint()
    here.who(old)
    here.issuer.rotate()
    here.shell.advance(HOUR - 1)
    assert here.who(old).subject == "alice"
    here.shell.advance(1)
    with pytest.raises(TokenKeyUnknown):
        here.who(old)


def test_keys_that_have_not_changed_leave_remembered_tokens_good(here: Here) -> None:
    given = here.issuer.mint()
    first = here.who(given)
    here.shell.advance(HOUR)
    assert here.who(given) is first
    assert here.fetches == 2


def test_keys_of_before_are_good_as_long_as_they_are_published(here: Here) -> None:
    old = here.issuer.mint()
    here.issuer.rotate("RS256", keep=1)
    assert here.who(old).subject == here.who(here.issuer.mint()).subject == "alice"


def test_a_silent_issuer_keeps_its_keys_for_a_day_and_costs_one_wait(here: Here) -> None:
    given = here.issuer.mint()
    here.who(given)
    here.line.silent = True
    here.shell.advance(HOUR)
    waits = here.asked(given)
    assert waits == [], "the first waits for the issuer"
    here.shell.advance(TIMEOUT_S)
    assert [found.subject for found in waits] == ["alice"]
    for _ in range(3):
        here.shell.advance(AGAIN_S)
        assert (here.who(given).subject, here.who(here.issuer.mint(sub="bob")).subject) == ("alice", "bob")
    here.shell.advance(DAY)
    late = here.asked(given)
    here.shell.advance(TIMEOUT_S)
    (problem,) = late
    assert problem.check(Unavailable)
    assert "cannot be had" in problem.value.message


def test_an_issuer_that_answers_again_is_believed_again(here: Here) -> None:
    given = here.issuer.mint()
    here.who(given)
    here.issuer.status = 500
    here.shell.advance(HOUR)
    assert here.who(given).subject == "alice"
    here.issuer.status = 0
    here.issuer.rotate()
    here.shell.advance(AGAIN_S)
    assert here.who(given).subject == "alice", "its question is asked beside the call"
    with pytest.raises(TokenKeyUnknown):
        here.who(given)


def test_an_issuer_without_keys_is_left_alone_for_a_while(here: Here) -> None:
    here.issuer.status = 503
    for _ in range(3):
        with pytest.raises(Unavailable, match="it answers 503"):
            here.who(here.issuer.mint())
    assert here.issuer.requests == {DISCOVERY: 1, METADATA: 1}
    here.issuer.status = 0
    here.shell.advance(AGAIN_S)
    assert here.who(here.issuer.mint()).subject == "alice"


def test_all_wait_for_one_fetch_and_one_who_leaves_does_not_end_it(here: Here) -> None:
    here.line.silent = True
    asked = [Deferred.fromCoroutine(here.issuers.identity(here.issuer.mint(sub=name), here.shell.clock.seconds()))
             for name in ("alice", "bob", "carol")]
    found: list[Any] = []
    for one in asked:
        one.addBoth(found.append)
    asked[0].cancel()
    here.line.answer()
    here.line.answer()
    assert here.issuer.requests == {DISCOVERY: 1, JWKS: 1}
    assert isinstance(found[0], Failure)
    assert [one.subject for one in found[1:]] == ["bob", "carol"]


def test_who_waits_when_the_service_ends_is_told(here: Here) -> None:
    here.line.silent = True
    asked = here.asked(here.issuer.mint())
    result(here.issuers.stop())
    (failure,) = asked
    assert failure.check(Unavailable)
    assert "this service ends" in failure.value.message


@pytest.mark.parametrize(("path", "content", "says"), [
    (DISCOVERY, b"<html>", "not those of an issuer"), (JWKS, b"<html>", "not a JWK set"),
    (DISCOVERY, b'{"issuer": "https://evil.example.org", "jwks_uri": "https://evil.example.org/"}', "another issuer")])
def test_an_issuer_that_answers_nonsense_has_no_keys(here: Here, path: str, content: bytes, says: str) -> None:
    here.issuer.instead[path] = content
    with pytest.raises(Unavailable, match=says):
        here.who(here.issuer.mint())
    assert here.shell.said("warn") == ["the keys of {issuer} cannot be had: {problem}"]


def test_nonsense_leaves_the_keys_of_before(here: Here) -> None:
    given = here.issuer.mint()
    here.who(given)
    here.issuer.instead[JWKS] = b"[]"
    here.shell.advance(HOUR)
    assert here.who(given).subject == "alice"


def test_a_bug_here_is_logged_and_told_as_one(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wms.issuer_keys.keys.parse", lambda _content: 1 / 0)
    with pytest.raises(Unavailable, match="this service failed"):
        here.who(here.issuer.mint())
    assert here.shell.said("critical")


def test_skipped_keys_are_logged(here: Here) -> None:
    here.issuer.instead[JWKS] = b'{"keys": [{"kty": "oct", "kid": "x"}]}'
    with pytest.raises(TokenKeyUnknown):
        here.who(here.issuer.mint())
    (event,) = [event for event in here.shell.logged if "skipped" in event]
    assert event["skipped"] == ["key 1: only RSA and EC (P-256, P-384, P-521) are accepted"]


# -- exchange and refresh ----------------------------------------------------------------------------------


def test_a_token_is_exchanged_for_one_that_can_be_refreshed(here: Here) -> None:
    held = result(here.issuers.exchange(here.issuer.mint(sub="bob", scope="compute.read")))
    assert (held.issuer, held.client_id, bool(held.refresh_token)) == (here.issuer.url, "wms", True)
    assert held.expires == here.shell.clock.seconds() + 10 * DAY
    assert held.scope.split() == ["compute.read", "offline_access"]
    assert here.who(held.access_token).subject == "bob"
    here.shell.advance(9 * DAY)
    newer = result(here.issuers.refresh(held))
    assert not any("client_id" in form for form in here.line.forms), "a client says who it is in one way (RFC 6749)"
    assert newer.expires == here.shell.clock.seconds() + 10 * DAY
    assert newer.refresh_token not in ("", held.refresh_token)
    assert here.who(newer.access_token).subject == "bob"


def test_without_a_client_the_token_is_kept_as_it_is(stranger: Here) -> None:
    given = stranger.issuer.mint(scope="compute.read", exp=stranger.shell.clock.seconds() + 50)
    assert result(stranger.issuers.exchange(given)) == Held(
        stranger.issuer.url, given, stranger.shell.clock.seconds() + 50, scope="compute.read")
    assert TOKEN not in stranger.issuer.requests


def test_a_refused_exchange_is_logged_and_the_token_kept(here: Here) -> None:
    here.issuer.secrets.clear()
    given = here.issuer.mint()
    assert result(here.issuers.exchange(given)).refresh_token == ""
    (event,) = [event for event in here.shell.logged if "does not exchange" in event["log_format"]]
    assert event["error"] == "invalid_client"


def test_an_issuer_without_a_token_endpoint_exchanges_nothing(here: Here) -> None:
    here.issuer.instead[DISCOVERY] = msgspec.json.encode({"issuer": here.issuer.url,
                                                          "jwks_uri": here.issuer.url + JWKS})
    assert result(here.issuers.exchange(here.issuer.mint())).refresh_token == ""


def test_a_bad_token_is_not_exchanged(here: Here) -> None:
    with pytest.raises(BadToken):
        result(here.issuers.exchange(here.issuer.mint(aud="x")))
    assert TOKEN not in here.issuer.requests


def test_the_refresh_token_of_before_stays_when_there_is_no_new_one(here: Here) -> None:
    held = result(here.issuers.exchange(here.issuer.mint()))
    here.issuer.rotates_refresh = False
    assert result(here.issuers.refresh(held)).refresh_token == held.refresh_token


def test_a_login_of_the_user_is_refreshed_as_that_client_without_our_secret(here: Here) -> None:
    reply = here.issuer.grant("bob", "compute.read offline_access", "cli")
    here.line.headers.clear()
    login = Held(here.issuer.url, reply["access_token"], 0.0, reply["refresh_token"], "cli")
    held = result(here.issuers.refresh(login))
    assert held.client_id == "cli"
    assert not any("Authorization" in headers for headers in here.line.headers)
    assert result(here.issuers.refresh(held)).refresh_token != held.refresh_token


def test_a_refresh_token_that_is_worthless_is_refused_for_good(here: Here) -> None:
    held = result(here.issuers.exchange(here.issuer.mint()))
    here.issuer.revoke(held.refresh_token)
    with pytest.raises(Refused, match="invalid_grant") as caught:
        result(here.issuers.refresh(held))
    assert not isinstance(caught.value, Unavailable)
    assert held.refresh_token not in repr(caught.value.record())


def test_what_may_pass_is_unavailable(here: Here) -> None:
    held = result(here.issuers.exchange(here.issuer.mint()))
    here.issuer.secrets["wms"] = "another"
    with pytest.raises(Unavailable, match="invalid_client"):
        result(here.issuers.refresh(held))
    here.issuer.status = 502
    with pytest.raises(Unavailable, match="does not answer as it should"):
        result(here.issuers.refresh(held))
    here.issuer.status, here.line.silent = 0, True
    waits = fired(here.issuers.refresh(held))
    here.shell.advance(TIMEOUT_S)
    (failure,) = waits
    assert failure.check(Unavailable)


def test_the_tokens_of_somebody_else_are_not_taken(here: Here) -> None:
    """A refresh token that its owner has not got with this access token."""
    reply = here.issuer.grant("mallory", "compute.read offline_access", "cli")
    held = Held(here.issuer.url, here.issuer.mint(sub="alice"), 0.0, reply["refresh_token"], "cli")
    with pytest.raises(Refused, match="somebody else"):
        result(here.issuers.refresh(held))


@pytest.mark.parametrize(("held", "says"), [
    (Held("https://other.example.org", "a", 0.0, "r"), "not trusted here any more"), (None, "no refresh token")])
def test_what_cannot_be_refreshed_is_refused(here: Here, held: Held | None, says: str) -> None:
    with pytest.raises(Refused, match=says):
        result(here.issuers.refresh(held or Held(here.issuer.url, "a", 0.0)))


def test_nothing_secret_is_logged(here: Here) -> None:
    given = here.issuer.mint()
    held = result(here.issuers.exchange(given))
    newer = result(here.issuers.refresh(held))
    here.issuer.revoke()
    with pytest.raises(Refused):
        result(here.issuers.refresh(newer))
    told = repr(here.shell.logged) + repr(here.issuers._issuers)
    for secret in (given, "s3cret", held.access_token, held.refresh_token, newer.access_token, newer.refresh_token):
        assert secret not in told


# -- configuration -----------------------------------------------------------------------------------------


def test_all_problems_of_the_configuration_are_told_at_once(tmp_path: Path) -> None:
    files = (("open", "x", 0o604), ("group", "x", 0o640), ("empty", "\n", 0o600), ("binary", "\xff", 0o600))
    for name, content, mode in files:
        (tmp_path / name).write_text(content, encoding="latin-1")
        (tmp_path / name).chmod(mode)
    rows = "".join(f"    https://{name}.example.org: {{vo: x, client_id: c, client_secret_file: {tmp_path / name}}}\n"
                   for name in ("none", "open", "group", "empty", "binary"))
    shell = Shell(settings=f"tokens:\n  issuers:\n{rows}    http://plain.example.org: {{vo: x}}\n")
    with pytest.raises(ConfigError) as caught:
        Issuers(shell.kit())
    problems = caught.value.message.split("\n")
    assert len(problems) == 6
    for says in ("https URL", "none cannot be read: No such", "open can be read by others", "is empty", "not ASCII",
                 "group can be read by others"):
        assert sum(says in problem for problem in problems) == 1
    shell.close()


def test_without_issuers_no_token_is_good() -> None:
    shell = Shell()
    issuers = Issuers(shell.kit(), Line(Issuer(AUTHORITY), shell))
    with pytest.raises(BadToken):
        result(issuers.identity("x.y.z", 0.0))
    result(issuers.stop())
    shell.close()
