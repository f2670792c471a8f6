"""Good tokens become identities; whatever is given, only our own errors are raised."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from token_builders import CLAIMS, HERE, ISSUER, NOW, RULES, b64, judge, jwk, jwks, known, signed, token

from tests.examples import examples
from wms.errors import BadToken, TokenKeyUnknown
from wms.identity import TOKEN, Identity, same_dn
from wms.tokens.keys import ALGORITHMS, Keys, parse
from wms.tokens.reading import MOST_BYTES, claimed, read
from wms.tokens.verification import ANY_AUDIENCE, Rules

EVERY = parse(jwks(*(jwk(algorithm, alg=algorithm) for algorithm in sorted(ALGORITHMS))))
WORDS = st.text(st.sampled_from("abcXYZ09.:/_-"), min_size=1, max_size=12).filter(lambda word: "storage." not in word)
NAMES = st.from_regex(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,8}", fullmatch=True)
GROUPS = st.lists(st.lists(NAMES, max_size=3).map(lambda parts: "/".join(["/dteam", *parts])), max_size=5)
SUBJECTS = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7e), min_size=1, max_size=255)


def test_an_identity_says_all_that_the_token_says() -> None:
    given = token(scope="compute.read  compute.create", wlcg__groups=["/dteam/pilots", "/dteam"])
    assert judge(given) == Identity(
        f"sub:{ISSUER}#alice", kind=TOKEN, issuer=ISSUER, subject="alice", groups=("/dteam/pilots", "/dteam"),
        scopes=frozenset({"compute.read", "compute.create"}), vo="dteam", not_after=NOW + 3600)


@pytest.mark.parametrize("algorithm", sorted(ALGORITHMS))
def test_all_algorithms_of_the_list_verify(algorithm: str) -> None:
    given = token(algorithm=algorithm)
    assert judge(given, keys=EVERY).subject == "alice"
    with pytest.raises(BadToken, match="signature"):
        judge(given[:-12] + "AAAAAAAAAAAA", keys=EVERY)


@settings(max_examples=examples(60))
@given(SUBJECTS, st.lists(WORDS, max_size=4), GROUPS, st.floats(1, 1e9), st.sampled_from(["1.0", "1.3", "1.17"]))
def test_what_is_minted_is_what_is_read(subject: str, words: list[str], groups: list[str], life: float,
                                        version: str) -> None:
    given = token(sub=subject, scope=" ".join(words), exp=NOW + life, wlcg__groups=groups, wlcg__ver=version)
    try:
        found = judge(given)
    except BadToken as refused:
        assert "distinguished" in refused.message  # noqa: PT017
        return
    assert (found.subject, found.groups, found.scopes) == (subject, tuple(groups), frozenset(words))
    assert (found.not_after, found.dn) == (NOW + life, f"sub:{ISSUER}#{subject}")


@settings(max_examples=examples(80))
@given(SUBJECTS, SUBJECTS)
def test_two_subjects_never_have_the_same_name(one: str, other: str) -> None:
    assume(one != other)
    try:
        names = [judge(token(sub=subject)).dn for subject in (one, other)]
    except BadToken:
        return
    assert not same_dn(*names)


@pytest.mark.parametrize(("one", "other"), [("x/E=a", "x/Email=a"), ("x/e=a", "x/email=a"), ("/CN=a", "/cn=a")])
def test_subjects_that_read_alike_are_not_both_accepted(one: str, other: str) -> None:
    refused = 0
    for subject in (one, other):
        try:
            judge(token(sub=subject))
        except BadToken:
            refused += 1
    assert refused >= 1


@pytest.mark.parametrize("claims", [
    {"aud": ANY_AUDIENCE}, {"aud": [HERE]}, {"aud": ["https://a.example.org", HERE]}, {"aud": ["x", ANY_AUDIENCE]},
    {"scope": None}, {"scope": ""}, {"scope": "storage.read:/ compute.read"}, {"wlcg__groups": []}, {"nbf": None},
    {"nbf": NOW + 60}, {"iat": NOW + 60}, {"exp": NOW + 0.5}, {"exp": int(NOW) + 1}, {"wlcg__ver": "1.0"},
    {"wlcg__ver": "1.99"}, {"jti": "x" * 1000}, {"sub": "a" * 255}, {"sub": "host:ce.example.org"},
    {"sub": "auth0|4f=="}, {"sub": "a/b==#c"}, {"acr": "x", "unknown": [{"a": 1}]}, {"wlcg__groups": ["/dteam"] * 500}])
def test_what_the_profile_allows_is_accepted(claims: dict[str, Any]) -> None:
    assert judge(token(**claims)).vo == "dteam"


@pytest.mark.parametrize("header", [
    {"typ": None}, {"typ": "JWT"}, {"typ": "jwt"}, {"typ": "AT+JWT"}, {"typ": "application/at+jwt"}, {"x": 1},
    {"jku": "https://evil.example.org/jwks"}, {"x5u": "file:///etc/passwd"}, {"x5c": ["AAAA"]},
    {"jwk": {"kty": "oct", "k": "AAAA"}}, {"jku": 1, "jwk": None}])
def test_headers_that_bring_or_name_keys_are_ignored(header: dict[str, Any]) -> None:
    assert judge(token(header)).subject == "alice"


def test_a_token_without_scope_or_groups_has_neither() -> None:
    found = judge(token(scope=None))
    assert (found.scopes, found.groups) == (frozenset(), ())


def test_without_keys_no_token_is_good() -> None:
    with pytest.raises(TokenKeyUnknown):
        judge(token(), keys=Keys())


def test_an_audience_that_fits_everything_is_told_where_there_is_none() -> None:
    with pytest.raises(BadToken) as caught:
        judge(token(), rules=Rules(frozenset()))
    assert ANY_AUDIENCE in caught.value.hint


def test_a_token_at_the_limit_is_read_and_one_beyond_is_not() -> None:
    room = MOST_BYTES - len(token(pad="")) - 50
    assert len(token(pad="x" * (room * 3 // 4))) <= MOST_BYTES
    assert judge(token(pad="x" * (room * 3 // 4))).subject == "alice"
    with pytest.raises(BadToken, match="limit"):
        read("x" * (MOST_BYTES + 1))


@pytest.mark.parametrize(("given", "name"), [
    (token(exp=0), f"sub:{ISSUER}#alice"), (token(sub="a" * 500), ""), (token(sub="a\nb"), ""), ("x.y.z", "")])
def test_a_refused_token_is_named_by_whom_it_claims_to_be_of(given: str, name: str) -> None:
    assert claimed(given) == name


def test_a_token_that_is_printed_is_not_shown() -> None:
    given = read(token())
    assert repr(given) == f"Unverified(alg='ES256', iss={ISSUER!r})"


# -- anything else -----------------------------------------------------------------------------------------


def never_anything_else(given: str) -> None:
    try:
        judge(given)
    except BadToken as refused:
        assert given not in repr(refused.record())  # noqa: PT017


@settings(max_examples=examples(120))
@given(st.one_of(st.text(max_size=200), st.binary(max_size=200).map(lambda b: b.decode("latin-1")),
                 st.lists(st.binary(max_size=40).map(b64), min_size=3, max_size=3).map(".".join)))
def test_any_text_raises_only_our_error(given: str) -> None:
    with pytest.raises(BadToken):
        judge(given)


@settings(max_examples=examples(120))
@given(st.binary(max_size=120), st.binary(max_size=120))
def test_any_signed_bytes_raise_only_our_error(header: bytes, claims: bytes) -> None:
    with pytest.raises(BadToken):
        judge(signed(header, claims))


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
                    max_leaves=6)


@settings(max_examples=examples(120))
@given(st.dictionaries(st.sampled_from([*CLAIMS, "wlcg.groups"]), JSON, max_size=3),
       st.dictionaries(st.sampled_from(["alg", "kid", "typ", "crit", "b64", "jwk"]), JSON, max_size=2))
def test_any_values_of_claims_raise_only_our_error(claims: dict[str, Any], header: dict[str, Any]) -> None:
    head = json.dumps({"alg": "ES256", "kid": "ES256"} | header).encode()
    never_anything_else(signed(head, json.dumps(CLAIMS | claims).encode()))


@settings(max_examples=examples(120))
@given(st.data())
def test_no_token_with_another_character_is_good(data: st.DataObject) -> None:
    good = token()
    place = data.draw(st.integers(0, len(good) - 1))
    other = data.draw(st.characters(min_codepoint=0x20, max_codepoint=0xff))
    assume(other != good[place])
    with pytest.raises(BadToken):
        judge(good[:place] + other + good[place + 1:])


def test_skew_is_for_the_beginning_only() -> None:
    wide = dataclasses.replace(RULES, skew_s=1000.0)
    assert judge(token(nbf=NOW + 900), rules=wide).subject == "alice"
    with pytest.raises(BadToken, match="ended"):
        judge(token(exp=NOW - 1), rules=wide)


def test_the_keys_of_another_issuer_do_not_help() -> None:
    with pytest.raises(BadToken, match="another issuer"):
        judge(token(), keys=known(), issuer="https://other.example.org")
