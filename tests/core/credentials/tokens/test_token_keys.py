"""Keys of issuers: what is usable, what is skipped and why."""

from __future__ import annotations

import json
from typing import Any

import jwt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from token_builders import b64, jwk, jwks, key, private

from tests.examples import examples
from wms.errors import Unavailable
from wms.tokens.keys import MOST_KEYS, RSA_ALGORITHMS, parse


def rsa_jwk(bits: int) -> dict[str, Any]:
    found: dict[str, Any] = jwt.get_algorithm_by_name("RS256").to_jwk(key(f"rsa:{bits}").public_key(), as_dict=True)
    found.pop("key_ops")
    return found | {"kid": "weak"}


def test_a_key_that_names_no_algorithm_is_good_for_those_of_its_kind() -> None:
    found = parse(jwks(jwk("RS256", "r"), jwk("ES384", "e")))
    assert set(found.by_id) == {*(("r", name) for name in RSA_ALGORITHMS), ("e", "ES384")}
    assert found.skipped == ()


def test_a_key_that_names_its_algorithm_is_good_for_that_alone() -> None:
    assert set(parse(jwks(jwk("RS256", "r", alg="PS512"))).by_id) == {("r", "PS512")}


def test_a_private_key_that_an_issuer_shows_is_taken_for_its_public_half() -> None:
    kind: Any = jwt.get_algorithm_by_name("ES256")
    shown = kind.to_jwk(private("ES256"), as_dict=True) | {"kid": "k"}
    public = parse(json.dumps({"keys": [shown]}).encode()).by_id[("k", "ES256")].public
    assert not hasattr(public, "private_numbers")


SKIPPED: dict[str, tuple[dict[str, Any], str]] = {
    "symmetric": ({"kty": "oct", "kid": "k", "k": "AAAA", "alg": "HS256"}, "only RSA and EC"),
    "Edwards": ({"kty": "OKP", "kid": "k", "crv": "Ed25519", "x": "AAAA"}, "only RSA and EC"),
    "secp256k1": (jwk("ES256", crv="secp256k1"), "only RSA and EC"),
    "without kid": ({name: value for name, value in jwk("ES256").items() if name != "kid"}, "no kid"),
    "kid empty": (jwk("ES256") | {"kid": ""}, "no kid"),
    "kid a number": (jwk("ES256") | {"kid": 7}, "no JWK"),
    "kid too long": (jwk("ES256", "k" * 256), "no JWK"),
    "for encryption": (jwk("RS256", use="enc"), "not for signatures"),
    "to sign only": (jwk("RS256", key_ops=["sign"]), "not for signatures"),
    "alg of another kind": (jwk("ES256", alg="RS256"), "another kind"),
    "alg of another curve": (jwk("ES256", alg="ES384"), "another kind"),
    "alg HS256 on an RSA key": (jwk("RS256", alg="HS256"), "another kind"),
    "alg none": (jwk("RS256", alg="none"), "another kind"),
    "alg of encryption": (jwk("RS256", alg="RSA-OAEP"), "another kind"),
    "RSA of 1024 bits": (rsa_jwk(1024), "2048 to 8192 bits, this one of 1024"),
    "RSA of 16384 bits": ({"kty": "RSA", "kid": "k", "e": "AQAB", "n": b64(b"\xff" * 1300)}, "bits, this one of 10400"),
    "a huge exponent": (jwk("RS256", e=b64(b"\x01" + bytes(4) + b"\x01")), "exponent"),
    "an even exponent": (jwk("RS256", e="Ag"), "numbers are those of no key"),
    "no modulus": (jwk("RS256", n=None), "numbers are those of no key"),
    "modulus too long": (jwk("RS256", n="A" * 2001), "no JWK"),
    "not on the curve": (jwk("ES256", x=b64(bytes(32))), "numbers are those of no key"),
    "coordinates too short": (jwk("ES256", x="AAAA"), "numbers are those of no key"),
    "not base64": (jwk("ES256", x="é"), "numbers are those of no key"),
    "no base64 length": (jwk("ES256", x="A"), "numbers are those of no key"),
}


@pytest.mark.parametrize("name", SKIPPED)
def test_an_unusable_key_is_skipped_and_named_and_the_next_is_taken(name: str) -> None:
    bad, why = SKIPPED[name]
    found = parse(jwks(bad, jwk("ES256", "good")))
    assert set(found.by_id) == {("good", "ES256")}
    assert len(found.skipped) == 1
    assert found.skipped[0].startswith("key 1: ")
    assert why in found.skipped[0]


def test_of_two_keys_with_one_id_the_first_counts() -> None:
    found = parse(jwks(jwk("ES256", "k"), jwk("ES256", "k", x=jwk("ES256")["x"]), jwk("RS256", "k")))
    assert found.skipped == ("key 2: its kid is that of a key before it",)
    assert ("k", "ES256") in found.by_id
    assert ("k", "RS256") in found.by_id, "an RSA key of the same id cannot be meant by the same token"


def test_only_so_many_keys_are_looked_at() -> None:
    found = parse(jwks(*(jwk("ES256", f"k{n}") for n in range(MOST_KEYS + 3))))
    assert len(found.by_id) == MOST_KEYS
    assert found.skipped == ("3 keys too many",)


def test_a_set_without_keys_is_one() -> None:
    assert parse(b'{"keys": []}').by_id == {}


def test_a_signature_by_a_key_that_is_not_there_is_neither_good_nor_bad() -> None:
    assert parse(jwks(jwk("ES256", "k"))).verifies("x", "ES256", b"text", b"signature") is None
    assert parse(jwks(jwk("ES256", "k"))).verifies("k", "ES256", b"text", bytes(64)) is False


@pytest.mark.parametrize("content", [b"", b"<html>", b"[]", b'{"keys": {}}', b"{}", b'{"keys": null}', b"\xff",
                                     b'{"keys": ' + b"[" * 100_000])
def test_what_is_no_set_leaves_the_old_keys_in_force(content: bytes) -> None:
    with pytest.raises(Unavailable, match="not a JWK set"):
        parse(content)


@pytest.mark.parametrize("one", [b"1", b"null", b"[]", b'{"kty": 1}', b'{"kty":"\xff"}', b'{"x":' + b"[" * 50_000
                                 + b"]" * 50_000 + b"}", b"{}"])
def test_what_is_no_key_is_skipped(one: bytes) -> None:
    try:
        assert parse(b'{"keys": [' + one + b"]}").skipped[0].startswith("key 1: ")
    except Unavailable:
        assert b"\xff" in one or b"[[" in one


MEMBERS = st.sampled_from(["kty", "kid", "use", "alg", "n", "e", "crv", "x", "y", "key_ops"])
VALUES = st.one_of(st.none(), st.integers(), st.text(max_size=50), st.sampled_from(["RSA", "EC", "sig", "P-256"]),
                   st.binary(max_size=300).map(b64), st.lists(st.text(max_size=5), max_size=2))


@settings(max_examples=examples(120))
@given(st.sampled_from(["ES256", "RS256"]), st.dictionaries(MEMBERS, VALUES, max_size=4))
def test_any_members_make_a_key_or_a_reason(algorithm: str, members: dict[str, Any]) -> None:
    found = parse(json.dumps({"keys": [jwk(algorithm) | members]}).encode())
    assert bool(found.by_id) != bool(found.skipped)


@settings(max_examples=examples(80))
@given(st.binary(max_size=100))
def test_any_bytes_are_a_set_or_unavailable(content: bytes) -> None:
    try:
        parse(content)
    except Unavailable as error:
        assert "JWK" in error.message  # noqa: PT017
