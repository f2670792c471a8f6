"""Logging in at an issuer, renewing and giving up a login: real HTTPS and signatures, no waiting.

The issuer is that of the tests; what it is made to say badly, its `instead` says.
"""

from __future__ import annotations

import json
import os
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clients import credential, login, tokens, wallet
from clients.token_issuer import IssuerRefused, IssuerUnreachable, discover
from tests.issuer import DISCOVERY, METADATA, TOKEN, Issuer
from wms.errors import BadToken, ConfigError, TokenExpired, TokenTooShort
from wms.x509 import authority
from wms.x509.authority import Issued

Environment = dict[str, str]


@pytest.fixture(scope="module")
def ca() -> Issued:
    return authority.make_authority(time.time(), serial=1, kind="ec")


@pytest.fixture
def environment(ca: Issued, tmp_path: Path) -> Environment:
    (tmp_path / "ca").mkdir()
    (tmp_path / "run").mkdir()
    for name, content in authority.trust_files(ca.certificate).items():
        (tmp_path / "ca" / name).write_bytes(content)
    return {"HOME": str(tmp_path), "X509_CERT_DIR": str(tmp_path / "ca"), "XDG_RUNTIME_DIR": str(tmp_path / "run"),
            "BEARER_TOKEN_FILE": str(tmp_path / "run" / "token")}


@pytest.fixture
def issuer(ca: Issued) -> Iterator[Issuer]:
    with Issuer(ca) as served:
        yield served


def wanted(issuer: Issuer, environment: Environment, **more: str) -> login.Login:
    return login.Login(issuer.url, "laptop", token_file=environment["BEARER_TOKEN_FILE"], **more)


class Minute:
    """A clock that only sleeping moves; `then` happens at the second sleep."""

    def __init__(self, then: Any = None) -> None:
        self.now, self.slept, self._then = 0.0, [], then

    slept: list[float]

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept.append(seconds)
        if self._then and len(self.slept) == 2:
            self._then()


def logged_in(issuer: Issuer, environment: Environment, **more: str) -> login.Login:
    """Somebody who logged in with a browser."""
    found, wish = discover(issuer.url, login.context_of(environment)), wanted(issuer, environment, **more)
    prompt = login.begin(found, wish)
    time_ = Minute(lambda: issuer.approve(prompt.user_code))
    return login.keep(login.wait(found, wish, prompt, time_.clock, time_.sleep), wish, environment)


@contextmanager
def no_renewal(issuer: Issuer) -> Iterator[None]:
    before = issuer.requests[TOKEN]
    yield
    assert issuer.requests[TOKEN] == before


# -- by a code at a browser --------------------------------------------------------------------------------


def test_a_login_leaves_a_token_where_commands_look_and_two_private_files(issuer: Issuer, environment: Environment):
    kept = logged_in(issuer, environment)
    said = tokens.claims(Path(kept.token_file).read_text().strip())
    assert (said["iss"], said["sub"], said["scope"]) == (
        issuer.url, "alice", "compute.read compute.create compute.modify compute.cancel")
    assert login.kept(environment) == kept
    assert kept.refresh_token in issuer.refresh_tokens
    assert [stat.S_IMODE(os.stat(path).st_mode) for path in (kept.token_file, login.home(environment))] == [0o600] * 2


def test_no_token_is_in_the_text_of_a_login(issuer: Issuer, environment: Environment):
    kept = logged_in(issuer, environment)
    assert kept.refresh_token
    assert kept.refresh_token not in repr(kept)


def test_an_issuer_that_wants_less_haste_gets_it(issuer: Issuer, environment: Environment):
    issuer.slows_down = True
    found, wish = discover(issuer.url, login.context_of(environment)), wanted(issuer, environment)
    prompt = login.begin(found, wish)
    time_ = Minute(lambda: issuer.approve(prompt.user_code))
    login.wait(found, wish, prompt, time_.clock, time_.sleep)
    assert time_.slept == [1, 6]


def test_waiting_ends_with_the_code(issuer: Issuer, environment: Environment):
    found, wish = discover(issuer.url, login.context_of(environment)), wanted(issuer, environment)
    prompt, time_ = replace(login.begin(found, wish), expires_s=3.0), Minute()
    with pytest.raises(TokenExpired, match="in time"):
        login.wait(found, wish, prompt, time_.clock, time_.sleep)
    assert time_.slept == [1, 1, 1]


def test_a_denied_login(issuer: Issuer, environment: Environment):
    found, wish = discover(issuer.url, login.context_of(environment)), wanted(issuer, environment)
    prompt = login.begin(found, wish)
    time_ = Minute(lambda: issuer.deny(prompt.user_code))
    with pytest.raises(IssuerRefused, match="The login was denied"):
        login.wait(found, wish, prompt, time_.clock, time_.sleep)
    assert not os.path.exists(wish.token_file)


def test_an_issuer_that_is_away_for_a_moment_is_asked_again(issuer: Issuer, environment: Environment):
    found, wish = discover(issuer.url, login.context_of(environment)), wanted(issuer, environment)
    prompt = login.begin(found, wish)
    issuer.status = 502

    def back() -> None:
        issuer.status = 0
        issuer.approve(prompt.user_code)

    time_ = Minute(back)
    assert "access_token" in login.wait(found, wish, prompt, time_.clock, time_.sleep)
    assert time_.slept == [1, 2]


def test_what_an_issuer_shows_cannot_move_the_terminal(issuer: Issuer, environment: Environment):
    issuer.instead["/devicecode"] = json.dumps({"verification_uri": "https://i/\x1b[2J", "user_code": "A\nB",
                                                "device_code": "d", "expires_in": 1e9, "interval": -4}).encode()
    prompt = login.begin(discover(issuer.url, login.context_of(environment)), wanted(issuer, environment))
    assert (prompt.url, prompt.user_code, prompt.interval_s, prompt.expires_s) == (
        "https://i/[2J", "AB", 0.0, login.LONGEST_LOGIN_S)


# -- issuers that are none --------------------------------------------------------------------------------


@pytest.mark.parametrize("url", ["http://localhost:1", "localhost", "https://", "https://a@b", "https://a?b", "ftp://a"])
def test_only_https_is_spoken(url: str, environment: Environment):
    with pytest.raises(ConfigError, match="https://HOST"):
        discover(url, login.context_of(environment))


def test_an_issuer_must_call_itself_by_its_name(issuer: Issuer, environment: Environment):
    issuer.claims_to_be = "https://other"
    with pytest.raises(IssuerUnreachable, match="not the same issuer"):
        discover(issuer.url, login.context_of(environment))


def test_an_issuer_of_an_unknown_authority(issuer: Issuer, environment: Environment, tmp_path: Path):
    with pytest.raises(IssuerUnreachable, match="cannot be asked") as caught:
        discover(issuer.url, login.context_of({"X509_CERT_DIR": str(tmp_path)}))
    assert "X509_CERT_DIR" in caught.value.hint


def test_the_other_well_known_place_will_do(issuer: Issuer, environment: Environment):
    described = issuer.discovery()
    issuer.instead[METADATA] = json.dumps(described).encode()
    assert discover(issuer.url + "/", login.context_of(environment)).token_endpoint == described["token_endpoint"]


@pytest.mark.parametrize("body", [b"", b"[]", b"not json", b" " * 2_000_000, b"[" * 100_000])
def test_an_answer_that_cannot_be_read(issuer: Issuer, environment: Environment, body: bytes):
    issuer.instead[DISCOVERY] = body
    with pytest.raises(IssuerUnreachable, match="nothing that can be read"):
        discover(issuer.url, login.context_of(environment))


def test_endpoints_must_be_https_too(issuer: Issuer, environment: Environment):
    issuer.instead[DISCOVERY] = json.dumps(issuer.discovery() | {"token_endpoint": "http://localhost/"}).encode()
    with pytest.raises(ConfigError, match="its token endpoint"):
        discover(issuer.url, login.context_of(environment))


def test_a_token_that_is_none_is_not_kept(issuer: Issuer, environment: Environment):
    with pytest.raises(BadToken):
        login.keep({"access_token": "opaque"}, wanted(issuer, environment), environment)
    with pytest.raises(IssuerUnreachable):
        login.keep({}, wanted(issuer, environment), environment)
    assert not os.path.exists(login.home(environment))


# -- robots -----------------------------------------------------------------------------------------------


@pytest.fixture
def robot(issuer: Issuer, environment: Environment, tmp_path: Path) -> login.Login:
    issuer.secrets["robot"] = "p:w %"
    (tmp_path / "secret").write_text("p:w %\n")
    (tmp_path / "secret").chmod(0o600)
    return replace(wanted(issuer, environment, secret_file=str(tmp_path / "secret")), client_id="robot")


def test_a_robot_shows_its_secret_and_gets_a_token_in_its_own_name(issuer: Issuer, environment: Environment,
                                                                   robot: login.Login):
    found = discover(issuer.url, login.context_of(environment))
    kept = login.keep(login.as_robot(found, robot), robot, environment)
    assert tokens.claims(Path(kept.token_file).read_text().strip())["sub"] == "robot"
    assert kept.refresh_token == ""
    assert "p:w" not in Path(login.home(environment)).read_text()


def test_a_secret_that_others_can_read_is_not_used(robot: login.Login):
    Path(robot.secret_file).chmod(0o640)
    with pytest.raises(ConfigError, match="read by others"):
        login.secret(robot.secret_file)
    with pytest.raises(ConfigError, match="cannot be read"):
        login.secret(robot.secret_file + "x")


def test_a_robot_renews_by_its_secret(issuer: Issuer, environment: Environment, robot: login.Login):
    found = discover(issuer.url, login.context_of(environment))
    login.keep(login.as_robot(found, robot), robot, environment)
    old = Path(robot.token_file).read_text()
    login.renew(environment)
    assert Path(robot.token_file).read_text() != old


# -- renewing ---------------------------------------------------------------------------------------------


def found_by(environment: Environment, now: float, said: list[str] | None = None) -> credential.Credential:
    told = [] if said is None else said
    return wallet.from_environment(environment, os.getuid(), now, 1200.0, 60.0, told.append)


def test_a_token_that_ended_is_renewed_with_one_sentence(issuer: Issuer, environment: Environment):
    issuer.lifetime_s = 30
    logged_in(issuer, environment)
    issuer.lifetime_s = 3600
    said: list[str] = []
    found = found_by(environment, time.time(), said)
    assert found.not_after > time.time() + 3000
    assert said == [f"Your token was renewed at {issuer.url}."]
    with no_renewal(issuer):
        found_by(environment, time.time(), said)


def test_two_commands_renew_once(issuer: Issuer, environment: Environment):
    issuer.lifetime_s = 30
    logged_in(issuer, environment)
    issuer.lifetime_s, before = 3600, issuer.requests[TOKEN]
    found: list[credential.Credential] = []
    both = [threading.Thread(target=lambda: found.append(found_by(environment, time.time()))) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert len({one.token for one in found}) == 1
    assert (len(found), issuer.requests[TOKEN] - before) == (2, 1)


def test_a_token_whose_login_is_over_says_what_the_issuer_said(issuer: Issuer, environment: Environment):
    issuer.lifetime_s = 30
    logged_in(issuer, environment)
    issuer.revoke()
    with pytest.raises(TokenTooShort, match=r"could not be renewed: .*invalid_grant") as caught:
        found_by(environment, time.time())
    assert "wms login" in caught.value.hint


def test_a_token_of_another_place_is_not_renewed(issuer: Issuer, environment: Environment, tmp_path: Path):
    issuer.lifetime_s = 30
    logged_in(issuer, environment)
    environment["BEARER_TOKEN_FILE"] = str(tmp_path / "other")
    (tmp_path / "other").write_text(issuer.mint())
    with no_renewal(issuer), pytest.raises(TokenTooShort):
        found_by(environment, time.time())


def test_a_token_that_was_cleared_away_is_got_again(issuer: Issuer, environment: Environment):
    kept = logged_in(issuer, environment)
    os.unlink(kept.token_file)
    assert found_by(environment, time.time()).token


def test_a_record_of_a_login_that_is_rubbish_is_told(issuer: Issuer, environment: Environment):
    logged_in(issuer, environment)
    Path(login.home(environment)).write_text("{")
    with pytest.raises(BadToken, match="record of your login"):
        login.kept(environment)


# -- sharing with the service -----------------------------------------------------------------------------


def shared(environment: Environment) -> tuple[str, str]:
    return login.shareable(found_by(environment, time.time()), environment)


def test_a_refresh_token_that_lasts_is_shared(issuer: Issuer, environment: Environment):
    issuer.rotates_refresh = False
    kept = logged_in(issuer, environment)
    assert shared(environment) == (kept.refresh_token, "laptop")
    with no_renewal(issuer):
        assert shared(environment)[0]


def test_a_refresh_token_that_is_good_for_once_is_not_shared_and_goes_on_working(issuer: Issuer,
                                                                                 environment: Environment):
    logged_in(issuer, environment)
    assert shared(environment) == ("", "")
    with no_renewal(issuer):
        assert shared(environment) == ("", "")
    login.renew(environment)


def test_a_token_that_is_not_of_the_login_shares_nothing(issuer: Issuer, environment: Environment):
    issuer.rotates_refresh = False
    kept = logged_in(issuer, environment)
    Path(kept.token_file).write_text(issuer.mint(iss="https://other"))
    assert shared(environment) == ("", "")


def test_a_robot_shares_nothing(issuer: Issuer, environment: Environment, robot: login.Login):
    found = discover(issuer.url, login.context_of(environment))
    login.keep(login.as_robot(found, robot), robot, environment)
    assert shared(environment) == ("", "")


# -- giving up --------------------------------------------------------------------------------------------


def test_giving_up_removes_both_files_and_is_harmless(issuer: Issuer, environment: Environment):
    kept = logged_in(issuer, environment)
    assert login.forget(environment, kept.token_file) == sorted([login.home(environment), kept.token_file])
    assert login.forget(environment, kept.token_file) == []
    assert login.kept(environment) is None


def test_the_record_is_among_states_where_there_is_a_place_for_them():
    assert login.home({"XDG_STATE_HOME": "/s", "HOME": "/h"}) == "/s/wms/login.json"
    assert login.home({"HOME": "/h"}) == "/h/.config/wms/login.json"
