"""Bad tokens, each refused with its own error, and a sentence that does not hold it."""

from __future__ import annotations

import json
from collections.abc import Callable

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from token_builders import CLAIMS, ISSUER, NOW, b64, hashed, judge, jwk, key, private, signed, token

from wms.errors import (
    BadToken,
    TokenAudience,
    TokenExpired,
    TokenIssuerUnknown,
    TokenKeyUnknown,
    TokenNotYetValid,
)

HEADER = b'{"alg":"ES256","kid":"ES256"}'
GOOD = json.dumps(CLAIMS).encode()


def pem() -> bytes:
    found: bytes = private("RS256").public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return found


def der() -> bytes:
    found: bytes = private("RS256").public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return found


def unsigned(algorithm: str) -> str:
    return f"{b64(json.dumps({'alg': algorithm, 'kid': 'ES256'}).encode())}.{b64(GOOD)}."


def embedded() -> str:
    """Signed by a key that the token itself brings."""
    head = {"alg": "ES256", "kid": "ES256", "jwk": jwk("ES384")}
    text = f"{b64(json.dumps(head).encode())}.{b64(GOOD)}"
    return f"{text}.{b64(jwt.get_algorithm_by_name('ES384').sign(text.encode(), key('ES384')))}"


def parts(given: str) -> list[str]:
    return given.split(".")


def swapped() -> str:
    """The signature of one token under the claims of another."""
    one, two = parts(token()), parts(token(sub="bob"))
    return f"{two[0]}.{two[1]}.{one[2]}"


def other_bits() -> str:
    """The same signature, written otherwise: the last four bits of its 86 characters mean nothing."""
    given = token()
    return given[:-1] + {"A": "B", "Q": "R", "g": "h", "w": "x"}[given[-1]]


def bomb(opening: bytes, number: int) -> str:
    return signed(HEADER, b'{"x":' + opening * number)


GALLERY: dict[tuple[type[BadToken], str], dict[str, Callable[[], str]]] = {
    (BadToken, "three parts"): {
        "empty": lambda: "",
        "no signature": lambda: ".".join(parts(token())[:2]),
        "encrypted, five parts": lambda: token() + ".x.y",
    },
    (BadToken, "base64url"): {
        "dots": lambda: "..",
        "an empty signature": lambda: ".".join([*parts(token())[:2], ""]),
        "padded": lambda: token(header={"typ": "JWT"}) + "==",
        "a blank before": lambda: " " + token(),
        "a line end behind": lambda: token() + "\n",
        "the plain alphabet": lambda: "+/+/." + ".".join(parts(token())[1:]),
        "unused bits": other_bits,
        "alg none": lambda: unsigned("none"),
        "alg None": lambda: unsigned("None"),
    },
    (BadToken, "not ASCII"): {
        "not ASCII": lambda: token() + "é",
    },
    (BadToken, "one value a name"): {
        "header no JSON": lambda: signed(b"{", GOOD),
        "header UTF-16": lambda: signed(HEADER.decode().encode("utf-16"), GOOD),
        "claims no JSON": lambda: signed(HEADER, b"x"),
        "claims not UTF-8": lambda: signed(HEADER, b'{"iss":"\xff"}'),
        "a bomb of lists": lambda: bomb(b"[", 9000),
        "a bomb of objects": lambda: bomb(b'{"x":', 2000),
        "a closed bomb": lambda: signed(HEADER, GOOD[:-1] + b',"x":' + b"[" * 5000 + b"]" * 5000 + b"}"),
        "a claim twice": lambda: signed(HEADER, GOOD[:-1] + b',"sub":"root"}'),
        "alg twice": lambda: signed(b'{"alg":"none","kid":"ES256","alg":"ES256"}', GOOD),
        "a name twice, deep inside": lambda: signed(HEADER, GOOD[:-1] + b',"act":{"a":1,"a":2}}'),
        "a number of 5000 digits": lambda: signed(HEADER, GOOD[:-1] + b',"x":' + b"9" * 5000 + b"}"),
        "end NaN": lambda: token(exp=float("nan")),
        "end Infinity": lambda: token(exp=float("inf")),
    },
    (BadToken, "too long"): {
        "oversized": lambda: token(scope="compute.read " * 2000),
    },
    (BadToken, "got `array`"): {
        "header a list": lambda: signed(b"[]", GOOD),
    },
    (BadToken, "got `str`"): {
        "claims a string": lambda: signed(HEADER, b'"x"'),
    },
    (BadToken, "algorithm that is not accepted"): {
        "alg none with a signature": lambda: token(header={"alg": "none"}),
        "HS256 with the public key, PEM": lambda: hashed(pem()),
        "HS256 with the public key, DER": lambda: hashed(der()),
        "HS256 with an empty secret": lambda: hashed(b""),
        "ES256K": lambda: token(header={"alg": "ES256K"}),
        "EdDSA": lambda: token(header={"alg": "EdDSA"}),
        "lower case": lambda: token(header={"alg": "es256"}),
    },
    (BadToken, "field `alg`"): {
        "no alg": lambda: token(header={"alg": None}),
    },
    (BadToken, "$.alg"): {
        "alg a list": lambda: token(header={"alg": ["ES256"]}),
    },
    (TokenKeyUnknown, "key with the id"): {
        "another algorithm than the key's": lambda: token({"kid": "ES256"}, "RS256"),
        "another algorithm than the key's alg": lambda: token({"kid": "RS256"}, "PS256"),
        "unknown kid": lambda: token({"kid": "k9"}),
        "kid a path": lambda: token({"kid": "../../../../dev/null"}),
        "kid a path to a key": lambda: token({"kid": "/etc/grid-security/hostkey.pem"}),
        "kid SQL": lambda: token({"kid": "x' UNION SELECT 'secret'--"}),
        "kid too long": lambda: token({"kid": "k" * 8000}),
        "kid in another case": lambda: token({"kid": "es256"}),
    },
    (BadToken, "(kid)"): {
        "no kid, with several keys": lambda: token({"kid": None}),
        "an empty kid": lambda: token({"kid": ""}),
    },
    (BadToken, "$.kid"): {
        "kid null": lambda: signed(b'{"alg":"ES256","kid":null}', GOOD),
        "kid a number": lambda: token({"kid": 1}),
    },
    (BadToken, "signature of the token is wrong"): {
        "a key in the header": embedded,
        "signed by another key": lambda: token({"kid": "ES256"}, "ES256")[:-8] + "AAAAAAAA",
        "the signature of another token": swapped,
        "a short signature": lambda: ".".join([*parts(token())[:2], "AAAA"]),
        "zeros for a signature": lambda: ".".join([*parts(token())[:2], b64(bytes(64))]),
    },
    (BadToken, "(crit)"): {
        "crit": lambda: token({"crit": ["exp"]}),
        "crit of an extension": lambda: token({"crit": ["http://example.org/x"], "http://example.org/x": 1}),
        "crit empty": lambda: token({"crit": []}),
        "crit null": lambda: signed(b'{"alg":"ES256","kid":"ES256","crit":null}', GOOD),
        "b64": lambda: token({"b64": False}),
    },
    (BadToken, "(typ)"): {
        "a logout token": lambda: token({"typ": "logout+jwt"}),
    },
    (BadToken, "$.typ"): {
        "typ a number": lambda: token({"typ": 1}),
    },
    (TokenIssuerUnknown, "another issuer"): {
        "another issuer": lambda: token(iss="https://evil.example.org/"),
        "a foreign issuer with the same subject": lambda: token(iss=ISSUER + "2"),
        "issuer with a slash": lambda: token(iss=ISSUER + "/"),
        "issuer in another case": lambda: token(iss=ISSUER.upper()),
        "issuer with a port": lambda: token(iss=ISSUER.replace("org/", "org:443/")),
    },
    (BadToken, "field `iss`"): {
        "no issuer": lambda: token(iss=None),
    },
    (BadToken, "$.iss"): {
        "issuer a list": lambda: token(iss=[ISSUER]),
    },
    (BadToken, "field `sub`"): {
        "no subject": lambda: token(sub=None),
    },
    (BadToken, "(sub)"): {
        "subject empty": lambda: token(sub=""),
        "subject too long": lambda: token(sub="a" * 256),
        "subject with a line end": lambda: token(sub="alice\n"),
        "subject with blanks": lambda: token(sub="alice "),
        "subject with a zero": lambda: token(sub="alice\0"),
        "subject not ASCII": lambda: token(sub="alicé"),
        "subject a surrogate": lambda: token(sub="\ud800"),
        "subject like a name": lambda: token(sub="x/CN=admin"),
        "subject like another's": lambda: token(sub="x/Email=a"),
    },
    (BadToken, "$.sub"): {
        "subject a number": lambda: token(sub=1),
    },
    (TokenAudience, "(aud)"): {
        "another audience": lambda: token(aud="https://other.example.org"),
        "audience with a slash": lambda: token(aud="https://wms.example.org:7772/"),
        "audience a part": lambda: token(aud="https://wms.example.org"),
        "audiences, none ours": lambda: token(aud=["https://a.example.org", "https://b.example.org"]),
        "no audiences": lambda: token(aud=[]),
        "audience empty": lambda: token(aud=""),
    },
    (BadToken, "field `aud`"): {
        "no audience": lambda: token(aud=None),
    },
    (BadToken, "$.aud"): {
        "audience an object": lambda: token(aud={"https://wms.example.org:7772": 1}),
    },
    (BadToken, "$.aud[0]"): {
        "audiences not text": lambda: token(aud=[1]),
    },
    (TokenExpired, "ended"): {
        "expired": lambda: token(exp=NOW - 1),
        "expired just now": lambda: token(exp=NOW),
    },
    (BadToken, "field `exp`"): {
        "no end": lambda: token(exp=None),
    },
    (BadToken, "$.exp"): {
        "end a text": lambda: token(exp=str(NOW + 60)),
        "end true": lambda: token(exp=True),
        "end infinite": lambda: signed(HEADER, GOOD[:-1].replace(b'"exp": 1800003600.0', b'"exp": 1e999') + b"}"),
        "end far away": lambda: token(exp=10**400),
    },
    (TokenNotYetValid, "valid only in"): {
        "not yet": lambda: token(nbf=NOW + 61),
        "issued in the future": lambda: token(iat=NOW + 61),
    },
    (BadToken, "$.nbf"): {
        "beginning null": lambda: signed(HEADER, GOOD[:-1].replace(b'"nbf": 1799999990.0', b'"nbf": null') + b"}"),
        "beginning before all time": lambda: token(nbf=-1),
    },
    (BadToken, "field `iat`"): {
        "no moment of issue": lambda: token(iat=None),
    },
    (BadToken, "field `wlcg.ver`"): {
        "no version": lambda: token(wlcg__ver=None),
    },
    (BadToken, "(wlcg.ver)"): {
        "version 2": lambda: token(wlcg__ver="2.0"),
        "version 10": lambda: token(wlcg__ver="10.0"),
        "version 1": lambda: token(wlcg__ver="1"),
    },
    (BadToken, "$.wlcg.ver"): {
        "version a number": lambda: token(wlcg__ver=1.0),
    },
    (BadToken, "field `jti`"): {
        "no jti": lambda: token(jti=None),
    },
    (BadToken, "$.jti"): {
        "jti empty": lambda: token(jti=""),
        "jti too long": lambda: token(jti="j" * 1001),
    },
    (BadToken, "$.scope"): {
        "scope a list": lambda: token(scope=["compute.read"]),
    },
    (BadToken, "(scope)"): {
        "scope with tabs": lambda: token(scope="compute.read\tcompute.create"),
        "scope with quotes": lambda: token(scope='compute.read "'),
        "a scope of storage without a path": lambda: token(scope="compute.read storage.modify"),
    },
    (BadToken, "$.wlcg.groups"): {
        "groups a text": lambda: token(wlcg__groups="/dteam"),
    },
    (BadToken, "$.wlcg.groups[0]"): {
        "groups of numbers": lambda: token(wlcg__groups=[1]),
    },
    (BadToken, "(wlcg.groups)"): {
        "a group without a slash": lambda: token(wlcg__groups=["dteam"]),
        "a group with a role": lambda: token(wlcg__groups=["/dteam/Role=production"]),
        "a group with dots": lambda: token(wlcg__groups=["/dteam/../atlas"]),
        "a group of another VO": lambda: token(wlcg__groups=["/dteam", "/atlas/production"]),
        "a group of a VO that begins alike": lambda: token(wlcg__groups=["/dteam2"]),
        "too many groups": lambda: token(wlcg__groups=["/dteam"] * 501),
    },
}


ROWS = [(name, make, error, says) for (error, says), rows in GALLERY.items() for name, make in rows.items()]


@pytest.mark.parametrize(("name", "make", "error", "says"), ROWS, ids=[row[0] for row in ROWS])
def test_a_bad_token_is_refused_with_its_error(name: str, make: Callable[[], str], error: type[BadToken],
                                               says: str) -> None:
    given = make()
    with pytest.raises(BadToken) as caught:
        judge(given)
    assert type(caught.value) is error, name
    assert says in caught.value.message
    assert caught.value.message.endswith(".")
    told = repr(caught.value.record())
    assert not given.strip(".") or given not in told
    assert "SELECT" not in told


def test_no_two_of_the_gallery_are_the_same_token() -> None:
    """What a row says, it does: none is refused because it is another row."""
    made = [make() for _, make, _, _ in ROWS]
    assert len(set(made)) == len(made)


def test_the_tokens_of_the_gallery_are_good_but_for_what_they_say() -> None:
    assert judge(token()).subject == "alice"
