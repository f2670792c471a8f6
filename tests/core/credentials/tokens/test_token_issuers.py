"""What issuers say of themselves, questions to their token endpoints, which of them are trusted, what is kept."""

from __future__ import annotations

import json
from base64 import b64decode
from typing import Any
from urllib.parse import parse_qs

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from token_builders import ISSUER, NOW, token

from tests.examples import examples
from wms.errors import BadToken, Forbidden, ScopeMissing, SealBroken, TokenExpired, Unauthenticated, Unavailable
from wms.tokens import endpoint
from wms.tokens.challenge import challenge
from wms.tokens.discovery import Metadata, is_https, parse, places
from wms.tokens.endpoint import Denied, Granted
from wms.tokens.held import Held
from wms.tokens.trusted import Trusted
from wms.tokens.trusted import parse as trusted

METADATA = {"issuer": ISSUER, "jwks_uri": "https://keys.example.org/jwks", "token_endpoint": f"{ISSUER}/token"}


# -- discovery ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("issuer", "first", "second"), [
    ("https://a.example.org", "https://a.example.org/.well-known/openid-configuration",
     "https://a.example.org/.well-known/oauth-authorization-server"),
    ("https://a.example.org/", "https://a.example.org/.well-known/openid-configuration",
     "https://a.example.org/.well-known/oauth-authorization-server"),
    ("https://a.example.org:8443/vo/x", "https://a.example.org:8443/vo/x/.well-known/openid-configuration",
     "https://a.example.org:8443/.well-known/oauth-authorization-server/vo/x")])
def test_metadata_lie_below_the_issuer_or_before_its_path(issuer: str, first: str, second: str) -> None:
    assert places(issuer) == (first, second)


def test_metadata_are_those_of_the_issuer() -> None:
    assert parse(json.dumps(METADATA | {"more": [1]}).encode(), ISSUER) == Metadata(**METADATA)
    assert parse(json.dumps({"issuer": ISSUER, "jwks_uri": "https://x.org/k"}).encode(), ISSUER).token_endpoint == ""


@pytest.mark.parametrize(("content", "says"), [
    (b"", "not those of an issuer"), (b"<html>", "not those of an issuer"), (b"\xff", "not those of an issuer"),
    (b'{"issuer": ' + b"[" * 100_000, "not those of an issuer"), (b'{"jwks_uri": "https://x"}', "not those of"),
    (METADATA | {"issuer": ISSUER + "/"}, "another issuer"), (METADATA | {"issuer": ""}, "another issuer"),
    (METADATA | {"jwks_uri": "http://keys.example.org/"}, "not https"), (METADATA | {"jwks_uri": "file:///k"}, "https"),
    (METADATA | {"token_endpoint": "http://a/"}, "not https"), (METADATA | {"token_endpoint": None}, "not those of")])
def test_other_metadata_are_not_believed(content: bytes | dict[str, Any], says: str) -> None:
    with pytest.raises(Unavailable, match=says):
        parse(content if isinstance(content, bytes) else json.dumps(content).encode(), ISSUER)


@pytest.mark.parametrize("url", ["https://a", "https://a.example.org:8443/x/", "https://[::1]:9/x", "https://127.0.0.1"])
def test_an_https_url(url: str) -> None:
    assert is_https(url)


@pytest.mark.parametrize("url", [
    "", "a", "http://a", "https:", "https:///x", "https://user@a/", "https://a:x/", "https://a:99999/", "https://a b/",
    "https://a/\n", "https://é/", "https://[::1", "HTTPS//a", "https://a:0/"])
def test_no_https_url(url: str) -> None:
    assert not is_https(url)


# -- token endpoint ----------------------------------------------------------------------------------------


def form(body: bytes) -> dict[str, str]:
    return {name: value for name, (value,) in parse_qs(body.decode(), strict_parsing=True).items()}


def test_an_exchange_asks_for_the_same_rights_and_a_refresh_token() -> None:
    assert form(endpoint.exchange("a.b.c", {"compute.read", "compute.create"}, ("/vo/x", "/vo"))) == {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange", "subject_token": "a.b.c",
        "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
        "requested_token_type": "urn:ietf:params:oauth:token-type:access_token",
        "scope": "compute.create compute.read wlcg.groups:/vo/x wlcg.groups:/vo offline_access"}


def test_a_refresh_names_a_public_client() -> None:
    assert form(endpoint.refresh("r&1", "cli")) == {"grant_type": "refresh_token", "refresh_token": "r&1",
                                                    "client_id": "cli"}
    assert "client_id" not in form(endpoint.refresh("r"))


def test_a_client_with_a_secret_authenticates_in_the_header() -> None:
    scheme, _, text = endpoint.basic("a:b", "s c/é").partition(" ")
    assert (scheme, b64decode(text)) == ("Basic", b"a%3Ab:s%20c%2F%C3%A9")


def told(**reply: Any) -> bytes:
    return json.dumps(reply).encode()


def test_new_tokens_end_when_the_token_says_so() -> None:
    new = token(exp=NOW + 99, scope="compute.read")
    assert endpoint.answer(200, told(access_token=new, expires_in=5, token_type="Bearer"), token()) == Granted(
        new, NOW + 99, "", "compute.read")
    full = endpoint.answer(200, told(access_token=new, refresh_token="r", scope="compute.read offline_access"), token())
    assert full == Granted(new, NOW + 99, "r", "compute.read offline_access")
    assert repr(full) == f"Granted(expires={NOW + 99!r})"


@pytest.mark.parametrize(("status", "body", "error"), [
    (400, told(error="invalid_grant"), "invalid_grant"), (401, told(error="invalid_client"), "invalid_client"),
    (200, told(error="access_denied"), "access_denied"), (403, b"{}", "status 403"),
    (400, told(error="<script>" * 9), "status 400")])
def test_an_endpoint_denies_with_a_code(status: int, body: bytes, error: str) -> None:
    assert endpoint.answer(status, body, token()) == Denied(error)


@pytest.mark.parametrize(("status", "body", "says"), [
    (500, told(error="invalid_grant"), "answers 500"), (429, b"{}", "answers 429"), (200, b"<html>", "not as one"),
    (200, b"\xff", "not as one"), (200, b"[" * 100_000, "not as one"), (200, told(access_token=1), "not as one"),
    (200, b"{}", "cannot be used"), (200, told(access_token="opaque"), "cannot be used")])
def test_what_is_no_answer_of_an_endpoint_may_be_asked_again(status: int, body: bytes, says: str) -> None:
    with pytest.raises(Unavailable, match=says):
        endpoint.answer(status, body, token())


@pytest.mark.parametrize("claims", [{"sub": "bob"}, {"iss": "https://other.example.org"}])
def test_the_token_of_somebody_else_is_not_taken(claims: dict[str, str]) -> None:
    with pytest.raises(BadToken, match="somebody else"):
        endpoint.answer(200, told(access_token=token(**claims)), token())


# -- trusted issuers ---------------------------------------------------------------------------------------


def test_issuers_are_trusted_with_their_vo_and_perhaps_a_client() -> None:
    given = {ISSUER: {"vo": "dteam"}, "https://b": {"vo": "b", "client_id": "c", "client_secret_file": "/f"}}
    assert trusted(given) == ([Trusted(ISSUER, "dteam"), Trusted("https://b", "b", "c", "/f")], [])


@pytest.mark.parametrize(("url", "values", "problem"), [
    ("http://a", {"vo": "a"}, "https URL"), ("a", {"vo": "a"}, "https URL"), ("https://a?x=1", {"vo": "a"}, "https"),
    ("https://a#b", {"vo": "a"}, "https URL"), ("https://a/E=b", {"vo": "a"}, "https URL"),
    ("https://a", {}, "vo: the name"), ("https://a", {"vo": ""}, "vo: the"), ("https://a", {"vo": "a/b"}, "vo: the"),
    ("https://a", {"vo": 1}, "vo: expected text, not int"),
    ("https://a", {"vo": "a", "client_id": "c"}, "go together"),
    ("https://a", {"vo": "a", "client_secret_file": "c"}, "go together"),
    ("https://a", {"vo": "a", "client-id": "c"}, "client-id: unknown; did you mean client_id?"),
    ("https://a", {"vo": "a", "zzz": "c"}, "zzz: unknown")])
def test_an_issuer_that_cannot_be_used_is_named_with_its_problem(url: str, values: dict[str, Any],
                                                                 problem: str) -> None:
    found, problems = trusted({url: values, ISSUER: {"vo": "dteam"}})
    assert found == [Trusted(ISSUER, "dteam")]
    assert len(problems) == 1
    assert problems[0].startswith(f"tokens.issuers.{url}: ")
    assert problem in problems[0]


def test_all_problems_are_told_at_once() -> None:
    assert len(trusted({"http://a": {}, "https://b": {"x": 1, "vo": 2}})[1]) == 4


# -- what is kept ------------------------------------------------------------------------------------------

HELD = st.builds(Held, st.text(max_size=20), st.text(max_size=50), st.floats(0, 1e12), st.text(max_size=20),
                 st.text(max_size=9), st.text(max_size=9))


@settings(max_examples=examples(80))
@given(HELD)
def test_what_is_kept_is_read_again(held: Held) -> None:
    assert Held.decode(held.encode()) == held


@settings(max_examples=examples(80))
@given(st.binary(max_size=60))
def test_anything_else_is_no_kept_token(content: bytes) -> None:
    with pytest.raises(SealBroken):
        Held.decode(content)


def test_a_kept_token_that_is_printed_is_not_shown() -> None:
    held = Held(ISSUER, "SECRET1", NOW, "SECRET2")
    assert f"{held!r}{held}" == f"Held({ISSUER!r}, expires={NOW!r}, renewable=True)" * 2


# -- challenges --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("error", "header"), [
    (TokenExpired("It ended."), 'Bearer realm="wms", error="invalid_token", error_description="It ended."'),
    (BadToken('a "b"\\\r\nX: é'), "Bearer realm=\"wms\", error=\"invalid_token\", error_description=\"a 'b''''X: '\""),
    (ScopeMissing("No.", scope="compute.read"),
     'Bearer realm="wms", error="insufficient_scope", error_description="No.", scope="compute.read"'),
    (ScopeMissing("No."), 'Bearer realm="wms", error="insufficient_scope", error_description="No."'),
    (Unauthenticated("Who?"), 'Bearer realm="wms"'), (Forbidden("No."), "")])
def test_a_refusal_tells_a_bearer_why(error: Any, header: str) -> None:
    assert challenge(error) == header
