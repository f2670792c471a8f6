"""Where a token is found, what is found out about it before it is sent, and that it is nowhere shown."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clients import credential, tokens, wallet
from clients.credential import Credential
from clients.tokens import Found
from tests.examples import examples
from wms.errors import BadToken, CredentialNotFound, TokenExpired, TokenNotFound, TokenTooShort

NOW = 1_800_000_000.0
UID = os.getuid() or 4711  # root may give files away, and has proxies perhaps


def coded(part: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


def token(signature: str = "c2ln", **claims: Any) -> str:
    said = {"iss": "https://issuer", "sub": "alice", "exp": NOW + 3600, "scope": "compute.read"} | claims
    return f"{coded({'alg': 'ES256'})}.{coded(said)}.{signature}"


def put(path: Path, content: str, mode: int = 0o600) -> str:
    path.write_text(content)
    path.chmod(mode)
    return str(path)


def look(found: Found, needed_s: float = 0.0, now: float = NOW) -> Credential:
    return tokens.look(found, "/ca", now, needed_s, UID)


# -- the order of discovery -------------------------------------------------------------------------------


def test_the_variable_comes_before_its_file_this_before_the_places(tmp_path: Path):
    (tmp_path / f"bt_u{UID}").touch()
    everything = {"BEARER_TOKEN": " t \n", "BEARER_TOKEN_FILE": "/f", "XDG_RUNTIME_DIR": str(tmp_path)}
    assert tokens.find(everything, UID) == Found("t", sure=True)
    assert tokens.find(everything | {"BEARER_TOKEN": " "}, UID) == Found(path="/f", sure=True)
    assert tokens.find({"XDG_RUNTIME_DIR": str(tmp_path)}, UID) == Found(path=f"{tmp_path}/bt_u{UID}")
    assert tokens.find({"XDG_RUNTIME_DIR": "/none"}, UID) == tokens.find({}, UID) == Found(path=f"/tmp/bt_u{UID}")


def test_a_new_token_is_put_where_it_is_found_first():
    assert tokens.place({"BEARER_TOKEN_FILE": "/f", "XDG_RUNTIME_DIR": "/r"}, 1) == "/f"
    assert tokens.place({"XDG_RUNTIME_DIR": "/r"}, 1) == "/r/bt_u1"
    assert tokens.place({}, 1) == "/tmp/bt_u1"


def chosen(**environment: str) -> Credential:
    return wallet.from_environment({"HOME": "/none", "X509_CERT_DIR": "/ca", **environment}, UID, NOW)


def test_a_named_token_comes_before_a_named_proxy():
    assert chosen(BEARER_TOKEN=token(), X509_USER_PROXY="/none").kind == credential.TOKEN


def test_a_named_proxy_comes_before_a_token_in_its_place(tmp_path: Path):
    put(tmp_path / f"bt_u{UID}", token())
    with pytest.raises(CredentialNotFound):
        chosen(XDG_RUNTIME_DIR=str(tmp_path), X509_USER_PROXY="/none")


def test_without_a_proxy_the_token_in_its_place_is_used(tmp_path: Path):
    path = put(tmp_path / f"bt_u{UID}", token())
    os.chown(path, UID, -1)
    found = chosen(XDG_RUNTIME_DIR=str(tmp_path))
    assert (found.kind, found.path, found.token) == (credential.TOKEN, path, token())


def test_with_neither_the_absent_proxy_is_named_and_both_remedies():
    with pytest.raises(CredentialNotFound, match="No path to valid proxy file has been found") as caught:
        chosen()
    assert "wms proxy init" in caught.value.hint
    assert "wms login" in caught.value.hint


# -- what is found out ------------------------------------------------------------------------------------


def test_a_good_token(tmp_path: Path):
    path = put(tmp_path / "t", f"\n {token()}\n")
    found = look(Found(path=path, sure=True), 3600)
    assert (found.path, found.not_after, found.kind, found.token, found.warnings) == (
        path, NOW + 3600, credential.TOKEN, token(), ())


def test_a_token_is_not_in_the_text_of_its_credential():
    assert "eyJ" not in repr(look(Found(token(), sure=True)))


def test_a_file_that_others_can_read_is_a_warning(tmp_path: Path):
    found = look(Found(path=put(tmp_path / "t", token(), 0o640), sure=True))
    assert "mode 0640" in found.warnings[0]


def test_a_file_of_somebody_else_is_used_only_when_it_is_named(tmp_path: Path):
    path = put(tmp_path / "t", token())
    owner = (tmp_path / "t").stat().st_uid
    with pytest.raises(TokenNotFound, match="belongs to somebody else"):
        tokens.look(Found(path=path), "/ca", NOW, 0, owner + 1)
    assert tokens.look(Found(path=path), "/ca", NOW, 0, owner).token == token()


def test_an_absent_file(tmp_path: Path):
    with pytest.raises(TokenNotFound, match="No bearer token has been found"):
        look(Found(path=str(tmp_path / "none"), sure=True))


def test_an_expired_token_is_found_out_here():
    with pytest.raises(TokenExpired, match="Your bearer token has expired"):
        look(Found(token(exp=NOW), sure=True))


def test_a_token_with_too_little_left_says_so():
    with pytest.raises(TokenTooShort, match="will expire in 30 seconds; 60 are needed"):
        look(Found(token(exp=NOW + 30), sure=True), 60)


def test_a_token_that_says_nothing_of_its_end_is_left_to_the_services():
    assert tokens.end({"iss": "i", "sub": "s"}) == tokens.LATEST


@pytest.mark.parametrize("exp", ["soon", True, float("nan"), -1, 1e300, None, [1]])
def test_an_end_that_is_none_is_refused(exp: Any):
    with pytest.raises(BadToken, match="when it ends"):
        look(Found(token(exp=exp), sure=True))


@pytest.mark.parametrize("text", ["", "opaque", "a.b", "a.b.c.d", "ä.b.c", "a.b.c\nX: y", "e30.W10.c", "e30.e3.c",
                                  "e30." + "W" * 70_000 + ".c"])
def test_what_is_no_token_is_refused_without_repeating_it(text: str):
    with pytest.raises(BadToken) as caught:
        tokens.claims(text)
    assert not text or text not in str(caught.value.record())


@settings(max_examples=examples(200), deadline=None)
@given(st.text(max_size=80) | st.binary(max_size=60).map(lambda b: f"e30.{base64.urlsafe_b64encode(b).decode()}.c"))
def test_arbitrary_text_is_a_bad_token_or_claims(text: str):
    try:
        found = tokens.claims(text)
    except BadToken:
        return
    assert isinstance(found, dict)


# -- delegation and receivers -----------------------------------------------------------------------------


def test_a_fresh_token_of_the_same_rights_has_the_same_delegation():
    old, new = look(Found(token(), sure=True)), look(Found(token("b3RoZXI", exp=NOW + 7200, jti="2"), sure=True))
    assert old.delegation == new.delegation


@pytest.mark.parametrize("other", [{"sub": "bob"}, {"iss": "https://other"}, {"scope": "compute.create"},
                                   {"aud": "https://x"}, {"wlcg.groups": ["/cms"]}])
def test_other_rights_are_another_delegation(other: dict[str, Any]):
    assert look(Found(token(), sure=True)).delegation != look(Found(token(**other), sure=True)).delegation


@pytest.mark.parametrize(("aud", "meant"), [
    ("https://wms:7772", True), (["https://a", "https://wms:7772/"], True), ("https://wms", False),
    ("https://wlcg.cern.ch/jwt/v1/any", False), (None, False), (7, False)])
def test_whom_a_token_is_for(aud: Any, meant: bool):
    assert tokens.is_meant_for(token(aud=aud), "wms", 7772) is meant


def test_what_is_shown_has_no_signature():
    assert tokens.shown(token("SIGNED")) == {"header": {"alg": "ES256"}, "claims": {
        "iss": "https://issuer", "sub": "alice", "exp": NOW + 3600, "scope": "compute.read"}}


def test_a_table_of_claims_has_no_control_characters():
    said = {"sub": "a\x1b[31m\nb", "iss": "i", "wlcg.groups": ["/cms", "/cms/prod"]}
    assert tokens.table(said, "/p", 3725).splitlines() == [
        "subject   : a[31mb", "issuer    : i", "groups    : /cms /cms/prod", "path      : /p", "timeleft  : 1:02:05"]


def test_a_token_has_the_name_that_records_know_its_holder_by():
    assert tokens.name(token()) == "sub:https://issuer#alice"


@pytest.mark.parametrize(("environment", "proxy"), [
    ({"X509_USER_PROXY": "/none"}, True), ({"X509_USER_PROXY": "/none", "BEARER_TOKEN": "t"}, False),
    ({"BEARER_TOKEN_FILE": "/none"}, False), ({}, False)])
def test_a_proxy_comes_before_tokens_that_nobody_named(environment: dict[str, str], proxy: bool):
    assert wallet.prefers_proxy(environment, 4712) is proxy
