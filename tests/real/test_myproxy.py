"""Renewal at a real MyProxy server."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from proxyrenewal.renewer import _checked, renew
from wms.errors import BadCredential, CredentialExpired, Refused, TimedOut, Unavailable, UntrustedCredential
from wms.x509 import proxy

ALICE = "/DC=org/DC=example/OU=People/CN=alice"
NAME = "renewable"
LIFE_S = 80_000
"""Longer than the proxies that are renewed."""
Program = Callable[..., CompletedProcess[str]]
Settings = dict[str, str]


@pytest.fixture(scope="module")
def server(start: Callable[..., Settings], ca: Settings, proxies: Settings, program: Program,
           free_port: int) -> Settings:
    """A server that holds a renewable credential of alice, stored by MyProxy's own client."""
    settings = start("myproxy", MYPROXY_PORT=str(free_port), CA_DIR=ca["CA_DIR"])
    cert, key = (str(Path(ca["CA_DIR"], "user-alice", name)) for name in ("usercert.pem", "userkey.pem"))
    done = program("myproxy-init", "myproxy", "-d", "-n", "-c", "168", "-t", "24", "-x",
                   "-R", "/DC=org/DC=example/OU=Services/CN=wms", "-k", NAME, env={
                       "MYPROXY_SERVER": "localhost", "MYPROXY_SERVER_PORT": str(free_port),
                       "X509_CERT_DIR": ca["X509_CERT_DIR"], "X509_USER_PROXY": "/nonexistent",
                       "X509_USER_CERT": cert, "X509_USER_KEY": key})
    assert done.returncode == 0, done.stdout + done.stderr
    return {**settings, **ca, **proxies}


def ask(server: Settings, kind: str = "rfc", *, host: str = "localhost", port: int | None = None,
        who: str = "SERVICE", name: str = NAME, timeout_s: float = 30, lifetime_s: float = LIFE_S,
        clock: Callable[[], float] = time.time) -> proxy.Proxy:
    old = Path(server[f"PROXY_alice_{kind}"]).read_bytes()
    pem = renew(host, port or int(server["MYPROXY_SERVER_PORT"]), server[f"{who}_CERT"], server[f"{who}_KEY"],
                server["X509_CERT_DIR"], old, lifetime_s, timeout_s, credential_name=name, clock=clock)
    return proxy.load(pem)


@pytest.mark.parametrize(("kind", "limited"), [("rfc", False), ("deep", False), ("limited", True)])
def test_an_authorised_renewer_gets_a_new_proxy_of_the_owner(server: Settings, kind: str, limited: bool):
    new = ask(server, kind)
    found = proxy.identify(new.chain, time.time())
    assert (found.dn, found.limited) == (ALICE, limited)
    assert LIFE_S - 600 < found.not_after - time.time() <= LIFE_S + 60


def test_a_renewed_proxy_can_be_renewed_again(server: Settings, tmp_path: Path):
    first = ask(server)
    path = tmp_path / "renewed"
    path.write_bytes(proxy.dump(first.chain[0], first.key, first.chain[1:]))
    again = ask({**server, "PROXY_alice_renewed": str(path)}, "renewed", lifetime_s=LIFE_S + 600)
    assert again.chain[0].public_key() != first.chain[0].public_key()


def test_a_service_that_is_no_renewer_is_refused(server: Settings):
    with pytest.raises(Refused, match="refused"):
        ask(server, who="HOST")


def test_an_unknown_credential_is_refused(server: Settings):
    with pytest.raises(Refused, match="refused"):
        ask(server, name="unheard-of")


def test_an_expired_old_proxy_is_refused_before_anything_is_sent(server: Settings):
    with pytest.raises(CredentialExpired):
        ask(server, "short", clock=lambda: time.time() + 120)


def test_the_server_refuses_a_proxy_that_it_finds_expired(server: Settings, tmp_path: Path):
    home = Path(server["CA_DIR"], "user-alice")
    user = proxy.load((home / "usercert.pem").read_bytes() + (home / "userkey.pem").read_bytes())
    past, key = time.time() - 1800, proxy.new_key()
    cert = proxy.new_proxy(user.chain, user.key, key.public_key(), past, 600, serial=5)
    path = tmp_path / "expired"
    path.write_bytes(proxy.dump(cert, key, user.chain))
    with pytest.raises(Refused, match="expired"):
        ask({**server, "PROXY_alice_old": str(path)}, "old", clock=lambda: past)


def test_a_proxy_of_somebody_else_is_refused(server: Settings, tmp_path: Path):
    home = Path(server["CA_DIR"], "user-bob")
    bob = proxy.load((home / "usercert.pem").read_bytes() + (home / "userkey.pem").read_bytes())
    key = proxy.new_key()
    cert = proxy.new_proxy(bob.chain, bob.key, key.public_key(), time.time(), 600, serial=5)
    path = tmp_path / "bob"
    path.write_bytes(proxy.dump(cert, key, bob.chain))
    with pytest.raises(Refused, match="refused"):
        ask({**server, "PROXY_alice_bob": str(path)}, "bob")


def test_a_server_that_gives_nothing_longer_has_not_renewed(server: Settings):
    with pytest.raises(Refused, match="lasts longer"):
        ask(server, lifetime_s=60)


def test_a_limited_proxy_is_no_renewal_of_a_full_one(server: Settings):
    limited = Path(server["PROXY_alice_limited"]).read_bytes()
    full = proxy.identify(proxy.load(Path(server["PROXY_alice_rfc"]).read_bytes()).chain, time.time())
    chain = [cert.public_bytes(Encoding.DER) for cert in proxy.load(limited).chain]
    with pytest.raises(Refused, match="may do less"):
        _checked(limited, chain, full, server["X509_CERT_DIR"], time.time())


@pytest.mark.parametrize("kind", ["legacy", "draft"])
def test_old_kinds_of_proxies_are_not_renewed(server: Settings, kind: str):
    with pytest.raises(BadCredential):
        ask(server, kind)


def test_a_server_under_another_name_is_not_trusted(server: Settings):
    with pytest.raises(UntrustedCredential, match=r"not for 127\.1"):
        ask(server, host="127.1")  # resolves to 127.0.0.1 and is in no certificate


def test_a_server_of_an_unknown_authority_is_not_trusted(server: Settings, tmp_path: Path):
    with pytest.raises(UntrustedCredential, match="not trusted"):
        ask({**server, "X509_CERT_DIR": str(tmp_path)})


def test_a_server_that_is_silent_is_not_waited_for_for_ever(server: Settings):
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(TimedOut, match=r"in 0\.5 s"):
        ask(server, port=silent.getsockname()[1], timeout_s=0.5)


def test_a_server_that_hangs_up_is_a_reason_to_try_later(server: Settings):
    with socket.create_server(("127.0.0.1", 0)) as rude:
        listener = threading.Thread(target=lambda: rude.accept()[0].close())
        listener.start()
        with pytest.raises(Unavailable):
            ask(server, port=rude.getsockname()[1])
        listener.join()


def test_nobody_listening_is_a_reason_to_try_later(server: Settings):
    with pytest.raises(Unavailable, match="cannot be reached"):
        ask(server, port=1)
