"""What comes from outside, damaged in every way: each reader takes it or raises its own error, and nothing else.

A table of readers with what they read; the long run (-m soak) goes on for WMS_SOAK_S seconds.
"""

from __future__ import annotations

import os
import random
import time
import warnings
from collections.abc import Callable
from typing import NamedTuple

import pytest
from anchor_builders import crl_bytes, policy_text
from credential_builders import AUTHORITY, NOW, delegate, file_of, person
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from tokens import token_builders as issued
from voms_builders import attributes, member_proxy, owner_of, server, vomsdir_files

from proxyrenewal import myproxy
from wms import capability
from wms.authz.policy_text import parse_policy
from wms.authz.who_text import parse_bans
from wms.errors import ConfigError, WmsError
from wms.tokens import discovery, endpoint, keys
from wms.tokens.held import Held
from wms.tokens.reading import claimed
from wms.vault import NONCE, Vault
from wms.voms import certificate, fqans, protocol
from wms.voms.attributes import memberships
from wms.voms.vomsdir import read_vomsdir
from wms.voms.vomses import read_vomses
from wms.x509 import anchors, legacy, proxy
from wms.x509.reading import from_der

DER = Encoding.DER
CAS = (x509.load_pem_x509_certificate(AUTHORITY.certificate),)
ALICE = person()
PROXY = delegate(ALICE)
VOMS = server()
MEMBER = member_proxy(ALICE, VOMS)
TOKEN = issued.token()
VOMSES = b'"vo" "host" "15000" "/CN=voms" "vo" "24"\n'
DONE = b"VERSION=MYPROXYv2\nRESPONSE=0\n\0"
SECRET, VAULT = b"s" * 32, Vault(b"k" * 32)
POLICY = b"""
superusers: [{dn: /CN=root}]
rules:
  - name: all
    allow: [submit, read]
    who: {fqan: /testvo/*, kind: certificate}
    from: [127.0.0.0/8]
    jobs: vo
"""


def chain_of(pem: bytes) -> None:
    """As a connection's chain: read, told apart, and its memberships looked at."""
    chain = proxy.certificates(pem)
    proxy.identify(chain, NOW, legacy.any_proxy_info)
    memberships(chain, NOW, read_vomsdir(vomsdir_files(VOMS)), "wms.example.org", authorities=CAS)


def talk(answers: bytes) -> None:
    """A MyProxy server that says this, in two pieces."""
    conversation = myproxy.renewal("/CN=alice", PROXY, b"request", 3600.0)
    next(conversation)
    try:
        conversation.send(answers[: len(answers) // 2])
        for _ in range(4):
            conversation.send(answers[len(answers) // 2 :])
    except StopIteration:
        return


class Reader(NamedTuple):
    """`reads` may raise `own`; `samples` are sound."""

    reads: Callable[[bytes], object]
    samples: tuple[bytes, ...]
    own: tuple[type[Exception], ...] = (WmsError,)


def text(reads: Callable[[str], object]) -> Callable[[bytes], object]:
    return lambda content: reads(content.decode("latin-1"))


READERS = {
    "certificate": Reader(from_der, (ALICE.chain[0].public_bytes(DER), PROXY.chain[0].public_bytes(DER))),
    "credential file": Reader(proxy.load, (file_of(PROXY), file_of(MEMBER))),
    "chain": Reader(chain_of, (b"".join(one.public_bytes(Encoding.PEM) for one in MEMBER.chain), file_of(PROXY))),
    "signing request": Reader(proxy.requested_key, (proxy.request("ec")[1], proxy.request()[1])),
    "authority's files": Reader(
        lambda content: [anchors.collect({name: anchors.read(name, content)}) for name in (
            "0a1b2c3d.0", "0a1b2c3d.r0", "0a1b2c3d.signing_policy")],
        (crl_bytes([1, 2]), crl_bytes([3], encoding=DER), policy_text("/CN=CA", "/CN=*"), AUTHORITY.certificate)),
    "attribute certificate": Reader(certificate.read, (attributes(VOMS, owner_of(ALICE), "/testvo"),)),
    "vomsdir": Reader(lambda content: read_vomsdir({"testvo/voms.example.org.lsc": content, "a.pem": content}),
                      tuple(vomsdir_files(VOMS).values())),
    "vomses": Reader(lambda content: read_vomses({"vomses": content}), (VOMSES,)),
    "fqan": Reader(text(fqans.parse), (b"/vo/group/Role=x/Capability=NULL",)),
    "answer of a VOMS server": Reader(
        lambda content: protocol.answered(read_vomses({"vomses": VOMSES}).servers[0], content),
        (b'<?xml version="1.0"?><voms><ac>AAAA</ac></voms>',
         b"<voms><error><item><number>1</number><message>no</message></item></error></voms>")),
    "token": Reader(text(lambda token: issued.judge(token)), (TOKEN.encode(),)),
    "token's issuer": Reader(text(claimed), (TOKEN.encode(),)),
    "keys": Reader(keys.parse, (issued.jwks(issued.jwk("ES256"), issued.jwk("RS256")),)),
    "metadata": Reader(lambda content: discovery.parse(content, issued.ISSUER), (
        b'{"issuer": "%b", "jwks_uri": "https://x/k", "token_endpoint": "https://x/t"}' % issued.ISSUER.encode(),)),
    "answer of a token endpoint": Reader(
        lambda content: endpoint.answer(400 if b"error" in content else 200, content, TOKEN),
        (b'{"access_token": "%b", "expires_in": 3600, "token_type": "Bearer"}' % TOKEN.encode(),
         b'{"error": "invalid_grant"}')),
    "held token": Reader(Held.decode, (Held("https://x", "a.b.c", 1.5, "r", "c", "s").encode(),)),
    "answer of a MyProxy server": Reader(talk, (
        DONE + b"\x01" + ALICE.chain[0].public_bytes(DER) + DONE,
        b"VERSION=MYPROXYv2\nRESPONSE=2\nAUTHORIZATION_DATA=X509_certificate:00\n\0",
        b"VERSION=MYPROXYv2\nRESPONSE=1\nERROR=no\n\0")),
    "capability": Reader(text(lambda token: capability.verify(SECRET, token, NOW)), (
        capability.issue(SECRET, "https://lb:9000/x", 1, NOW + 9).encode(),)),
    "sealed credential": Reader(VAULT.open, (VAULT.seal(b"content", b"n" * NONCE),)),
    "policy": Reader(text(lambda policy: parse_policy(policy, "policy")), (POLICY,), (ConfigError,)),
    "ban list": Reader(text(lambda bans: parse_bans(bans, "bans")), (b"/CN=eve\n/vo/Role=x # why\nhttps://i#s\n",),
                       (ConfigError,)),
}
SPECIAL = (b"\x00", b"\xff", b"\x80", b"\x30\x80", b"\x30\x84\xff\xff\xff\xff", b"\x02\x01\xff",
           b"\xa0\x03\x02\x01\x09", b"-----BEGIN CERTIFICATE-----\n", b"{", b"[", b'"', b"\n", b"=", b"..", b"%00",
           b"null", b"1e999", b"&a [*a]")


def damaged(sample: bytes, rng: random.Random) -> bytes:
    """One to four changes: a bit, a byte, a piece lost, doubled, moved or replaced by something special."""
    content = bytearray(sample)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        at, size = rng.randrange(len(content) + 1), rng.choice((1, 1, 2, 4, 40))
        match rng.randrange(6):
            case 0 if at < len(content):
                content[at] ^= 1 << rng.randrange(8)
            case 1:
                content[at : at + 1] = bytes([rng.randrange(256)])
            case 2:
                del content[at : at + size]
            case 3:
                content[at:at] = content[at : at + size] * rng.choice((1, 2, 50))
            case 4:
                content[at : at + size] = rng.choice(SPECIAL)
            case _:
                del content[at:]
    return bytes(content)


def bombard(reader: Reader, number: int, rng: random.Random) -> int:
    """How many of the damaged samples were taken all the same."""
    taken = 0
    for _ in range(number):
        content = damaged(rng.choice(reader.samples), rng)
        try:
            reader.reads(content)
            taken += 1
        except reader.own:
            continue
        except Exception as error:
            raise AssertionError(f"{type(error).__name__}: {error} for {content!r}") from error
    return taken


@pytest.fixture(autouse=True)
def serials_below_one() -> None:
    """`cryptography` warns of them."""
    warnings.simplefilter("ignore")


@pytest.mark.parametrize("name", READERS)
def test_what_is_sound_is_read(name: str) -> None:
    for sample in READERS[name].samples:
        if name not in ("answer of a VOMS server", "answer of a MyProxy server"):  # among them are refusals
            READERS[name].reads(sample)


@pytest.mark.parametrize("name", READERS)
def test_what_is_damaged_never_surprises(name: str) -> None:
    bombard(READERS[name], 300, random.Random(name))


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_what_is_damaged_never_surprises_in_the_long_run() -> None:
    seed, ends = time.time_ns(), time.monotonic() + float(os.environ.get("WMS_SOAK_S", "60"))
    rng, rounds = random.Random(seed), 0
    while time.monotonic() < ends:
        for reader in READERS.values():
            bombard(reader, 100, rng)
        rounds += 1
    print(f"{rounds} rounds of 100 for each of {len(READERS)} readers, seed {seed}")
