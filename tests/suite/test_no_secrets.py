"""Nothing that the service writes or says carries a secret, whatever happens to the credentials of its jobs."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ns.delegation import credential_id
from tests.daemons.delegating import Caller, bearer, caller, extended, pem, signed, someone
from tests.suite.leaks import found, spellings, told, written
from tests.suite.world import ALICE, NOW, World
from wms import queue
from wms.credentials import TOKEN
from wms.errors import WmsError
from wms.files import write_private
from wms.messages.topics import NS
from wms.operations import RegisterRequest
from wms.operations.delegations import TokenDelegation
from wms.tokens.held import Held
from wms.vault import Vault
from wms.x509 import proxy

REFRESH = b"refresh-3f9a1c55d0e84b7790ab"
ACCESS = b"eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhbGljZSIsImF1ZCI6Indtcy5sb2NhbCJ9.c2lnbmF0dXJlLW9mLXRoZS10b2tlbi0x"
JOB = 'Executable = "/bin/true"; OutputSandbox = {"out"}; StdOutput = "out";'
UNRENEWABLE = JOB + 'MyProxyServer = "127.0.0.1:1";'


class Story:
    """What happens to credentials, with all secrets and all errors that occur."""

    def __init__(self, directory: Path) -> None:
        self.world = World(directory, vault=Vault(b"seal" * 8))
        self.said: list[tuple[str, bytes]] = []
        self.secrets: dict[str, bytes] = {"refresh token": REFRESH, "access token": ACCESS, "seal": b"seal" * 8,
                                          "secret of capabilities": b"s" * 32}

    def fails(self, act: Callable[[], Any]) -> None:
        with pytest.raises(WmsError) as refused:
            act()
        self.said.append(("error", told(refused.value)))

    def learns(self, name: str, credential: str) -> None:
        """The key of a delegated credential is a secret."""
        self.secrets[name] = key_of(self.world.kit.credentials.read(credential))

    def run(self, job: str, *, failure: str = "") -> None:
        """Its payload, with a capability that is a secret too."""
        self.world.advance(30)
        token = self.world.token(job)
        script = self.world.ce_of(token).jobs[token].script
        self.secrets["capability"] = next(
            word for word in script.replace('"', " ").split() if word.startswith("wmscap1.")).encode()
        self.world.start_payload(token)
        self.world.finish_payload(token, failure=failure)
        self.world.advance(60)


def key_of(content: bytes) -> bytes:
    return proxy.key_pem(proxy.load_key(content))


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    made = Story(tmp_path)
    yield made
    made.world.close()


def proxies(story: Story) -> Caller:
    """Delegated, used, refused, renewed in vain."""
    world, alice = story.world, someone()
    assert alice.credential is not None
    own_file = proxy.dump(alice.credential.chain[0], alice.credential.key, alice.credential.chain[1:]).decode()
    story.secrets["alice's own key"] = key_of(own_file.encode())
    csr = alice.asks(world)
    for chain in (own_file, own_file[40:], signed(csr, someone("bob").credential), pem(extended(alice.credential)),
                  own_file.replace("CERTIFICATE", "PRIVATE KEY")):
        story.fails(lambda chain=chain: alice.puts(world, chain))  # type: ignore[misc]
    pending = next(world.kit.credentials.directory.glob("**/*.pending"))
    story.secrets["pending key"] = key_of(world.kit.vault.open(pending.read_bytes()))
    alice.puts(world, signed(csr, alice.credential))
    story.learns("delegated key", credential_id(ALICE, "d"))
    story.fails(lambda: alice.puts(world, signed(csr, alice.credential)))
    limited = caller(extended(alice.credential, limited=True))
    story.fails(lambda: limited.calls(world, "ns.register", RegisterRequest(JOB, "d", start=True)))
    story.run(str(alice.calls(world, "ns.register", RegisterRequest(JOB, "d", start=True)).job))
    story.run(str(alice.calls(world, "ns.register", RegisterRequest(JOB, "d", start=True)).job), failure="it broke")
    job = alice.calls(world, "ns.register", RegisterRequest(UNRENEWABLE, "d", start=True)).job
    world.advance(90_000, step=600)  # to the end of the proxy, and what follows
    story.fails(lambda: alice.calls(world, "ns.cancel", unique=str(job).rsplit("/", 1)[-1]))
    return alice


def tokens(story: Story) -> None:
    """Delegated, refused, handed out, damaged, taken back."""
    world, alice = story.world, bearer(text=ACCESS.decode(), life_s=1e6)
    for body in (TokenDelegation(REFRESH.decode()), TokenDelegation("", "client")):
        story.fails(lambda body=body: alice.calls(  # type: ignore[misc]
            world, "ns.delegate_token", body, delegation="t"))
    alice.calls(world, "ns.delegate_token", TokenDelegation(REFRESH.decode(), "client"), delegation="t")
    job = str(alice.calls(world, "ns.register", RegisterRequest(JOB, "t", start=True)).job)
    world.advance(30)
    token = world.token(job)
    world.start_payload(token)
    assert world.call("ns.attempt_token", job=job, attempt=1).access_token == ACCESS.decode()
    credential = credential_id(alice.identity.dn, "t")
    damaged = world.kit.credentials.read(credential, TOKEN)[:-2]
    world.kit.credentials.write(credential, damaged, TOKEN)
    story.fails(lambda: world.call("ns.attempt_token", job=job, attempt=1))
    held = Held("https://issuer.example.org", ACCESS.decode(), NOW + 10, REFRESH.decode(), "client")
    world.kit.credentials.write(credential, held.encode(), TOKEN)
    story.fails(lambda: alice.calls(world, "ns.destroy_delegation", delegation="t"))
    world.advance(7200, step=60)  # nobody renews it
    alice.calls(world, "ns.destroy_delegation", query={"force": "yes"}, delegation="t")
    story.said.append(("printed", repr([held, alice.calls(world, "ns.delegations")]).encode()))


def test_nothing_that_is_written_or_said_carries_a_secret(story: Story):
    """Credentials are sealed, so even their files show nothing."""
    tokens(story)
    alice = proxies(story)
    story.said.append(("list", msgspec.json.encode(alice.calls(story.world, "ns.delegations"))))
    assert len(story.secrets) == 8
    assert len(story.world.logged) > 0
    assert found(story.secrets, [*written(story.world), *story.said]) == []


# -- it would be found -----------------------------------------------------------------------------------

SECRET = b"-----BEGIN PRIVATE KEY-----\n" + base64.encodebytes(bytes(range(200))) + b"-----END PRIVATE KEY-----\n"
PLANTS: dict[str, Callable[[World, bytes], None]] = {
    "table messages": lambda world, secret: plant_row(world, secret),
    "log": lambda world, secret: world.kit.log.info("a {thing} happened", thing=secret),
    "file sandbox/x": lambda world, secret: write_private(world.directory / "sandbox" / "x", b"before" + secret),
    "file credentials/y.pem": lambda world, secret: write_private(
        world.directory / "credentials" / "y.pem", b"before" + secret),
}
DISGUISES: dict[str, Callable[[bytes], bytes]] = {
    "as it is": lambda secret: secret, "hexadecimal": lambda secret: secret.hex().encode(),
    "base64": base64.b64encode, "base64 behind something": lambda secret: base64.b64encode(b"xy" + secret),
    "DER": lambda secret: base64.b64decode(secret.split(b"-----")[2]),
    "a part": lambda secret: secret.split()[5],
}


def plant_row(world: World, secret: bytes) -> None:
    with world.engine.begin() as conn:
        queue.put(conn, NS + "-elsewhere", {"text": secret.decode("latin-1")}, now=NOW)


@pytest.mark.parametrize("disguise", DISGUISES)
@pytest.mark.parametrize("place", PLANTS)
def test_a_secret_that_is_planted_is_found(story: Story, place: str, disguise: str):
    if (place, disguise) == ("table messages", "DER"):
        return  # a row of text has no DER
    assert found({"key": SECRET}, written(story.world)) == []
    PLANTS[place](story.world, DISGUISES[disguise](SECRET))
    assert found({"key": SECRET}, written(story.world)) == [f"key in {place}"]


def test_pieces_that_could_be_there_by_chance_are_not_looked_for():
    assert min(map(len, spellings(SECRET) | spellings(ACCESS))) >= 12
