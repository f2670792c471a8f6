"""VOMS as its own tools make it: their attributes before us, ours before them, a real server asked by us."""

from __future__ import annotations

import dataclasses
import socket
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from cryptography import x509

from tests import ports
from wms.clienttls import client_context
from wms.errors import (
    AttributesExpired,
    AttributesRefused,
    AttributesUntrusted,
    TimedOut,
    Unavailable,
    UntrustedCredential,
)
from wms.voms import certificate
from wms.voms.attributes import Membership, memberships
from wms.voms.vomsdir import read_vomsdir
from wms.voms.vomses import VomsServer, read_vomses
from wms.voms_asking import ask
from wms.x509 import proxy

SERVER = "/DC=org/DC=example/OU=VOMS/CN=localhost"
PRODUCTION = "/testvo/prod/Role=production"
HOUR = 3600

Program = Callable[..., CompletedProcess[str]]
Settings = dict[str, str]


@pytest.fixture(scope="module")
def voms(start: Callable[..., Settings], ca: Settings, free_port: int) -> Settings:
    return start("voms", VOMS_PORT=str(free_port), VOMS_DB_PORT=str(ports.free_port()), CA_DIR=ca["CA_DIR"])


@pytest.fixture(scope="module")
def server(voms: Settings) -> VomsServer:
    """The server as its vomses file describes it."""
    found = read_vomses({str(path): path.read_bytes() for path in Path(voms["X509_VOMSES"]).iterdir()})
    assert found.problems == ()
    [server] = found.of("testvo")
    return server


def proved(settings: Settings, credential: proxy.Proxy, now: float | None = None) -> list[Membership]:
    vomsdir = Path(settings["X509_VOMS_DIR"])
    files = {str(path.relative_to(vomsdir)): path.read_bytes() for path in vomsdir.rglob("*.lsc")}
    authorities = [x509.load_pem_x509_certificate(path.read_bytes())
                   for path in Path(settings["X509_CERT_DIR"]).glob("*.0")]
    return list(memberships(credential.chain, now or time.time(), read_vomsdir(files), "localhost",
                            authorities=authorities))


def read(settings: Settings, kind: str) -> proxy.Proxy:
    return proxy.load(Path(settings[f"PROXY_alice_{kind}"]).read_bytes())


def shown(ca: Settings, path: str) -> ssl.SSLContext:
    return client_context(path, ca["X509_CERT_DIR"])


def written(path: Path, issuer: proxy.Proxy, attributes: bytes) -> str:
    """A file with a new proxy that carries the attributes."""
    key = proxy.new_key()
    cert = proxy.new_proxy(issuer.chain, issuer.key, key.public_key(), time.time(), HOUR, serial=4711,
                           attributes=[attributes])
    path.write_bytes(proxy.dump(cert, key, issuer.chain))
    path.chmod(0o600)
    return str(path)


# -- what voms-proxy-fake makes --------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["voms", "vomsnew", "vomslimited"])
def test_attributes_in_either_format_are_believed(proxies: Settings, kind: str):
    [membership] = proved(proxies, read(proxies, kind))
    assert (membership.fqans, membership.issuer) == (("/testvo", PRODUCTION), SERVER)
    assert membership.uri == "localhost:15000"


def test_attributes_are_over_when_their_time_is(proxies: Settings):
    with pytest.raises(AttributesExpired):
        proved(proxies, read(proxies, "vomsold"))


def test_a_server_that_vomsdir_does_not_name_is_not_believed(proxies: Settings):
    with pytest.raises(AttributesUntrusted, match="names nobody"):
        proved(proxies, read(proxies, "vomsother"))


def test_a_delegation_keeps_the_memberships(proxies: Settings):
    member = read(proxies, "voms")
    key = proxy.new_key("ec")
    cert = proxy.new_proxy(member.chain, member.key, key.public_key(), time.time(), HOUR, serial=1)
    assert proved(proxies, proxy.Proxy((cert, *member.chain), key))[0].vo == "testvo"


# -- a real server ---------------------------------------------------------------------------------------


def test_what_voms_proxy_init_gets_is_believed(program: Program, voms: Settings, ca: Settings, tmp_path: Path):
    home, out = Path(ca["CA_DIR"], "user-alice"), tmp_path / "proxy"
    done = program("voms-proxy-init", "voms-clients", "-rfc", "-voms", f"testvo:{PRODUCTION}",
                   "-vomses", voms["X509_VOMSES"], "-cert", str(home / "usercert.pem"), "-key",
                   str(home / "userkey.pem"), "-out", str(out), env=environment(voms, tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    [membership] = proved(voms, proxy.load(out.read_bytes()))
    assert membership.fqans == (PRODUCTION, "/testvo/prod", "/testvo")


def environment(voms: Settings, home: Path) -> Settings:
    (home / ".rnd").touch()
    return {"X509_CERT_DIR": voms["X509_CERT_DIR"], "X509_VOMS_DIR": voms["X509_VOMS_DIR"], "HOME": str(home),
            "RANDFILE": str(home / ".rnd")}


@pytest.mark.parametrize(("wanted", "first"), [
    ((), "/testvo"), ((PRODUCTION,), PRODUCTION), (("/testvo/prod", PRODUCTION), "/testvo/prod"),
    ((PRODUCTION, "/testvo"), PRODUCTION)])
def test_the_server_gives_what_is_asked_for_in_its_order(server: VomsServer, voms: Settings, proxies: Settings,
                                                         tmp_path: Path, wanted: tuple[str, ...], first: str):
    plain = proxies["PROXY_alice_rfc"]
    attributes = ask(server, shown(voms, plain), wanted, HOUR)
    found = certificate.read(attributes)
    assert found.not_after - found.not_before == HOUR
    ours = written(tmp_path / "proxy", proxy.load(Path(plain).read_bytes()), attributes)
    [membership] = proved(voms, proxy.load(Path(ours).read_bytes()))
    assert membership.fqans[0] == first
    assert set(wanted) <= set(membership.fqans)


def test_the_tools_accept_our_proxy_with_real_attributes(program: Program, server: VomsServer, voms: Settings,
                                                         proxies: Settings, tmp_path: Path):
    plain = proxies["PROXY_alice_rfc"]
    ours = written(tmp_path / "proxy", proxy.load(Path(plain).read_bytes()),
                   ask(server, shown(voms, plain), [PRODUCTION]))
    info = program("voms-proxy-info", "voms-clients", "-file", ours, "-all", env=environment(voms, tmp_path))
    assert f"attribute : {PRODUCTION}/Capability=NULL" in info.stdout
    arc = program("arcproxy", "nordugrid-arc-client", "-I", "-P", ours, "-T", voms["X509_CERT_DIR"],
                  env=environment(voms, tmp_path))
    assert f"attribute : {PRODUCTION}\n" in arc.stdout, arc.stdout + arc.stderr


def test_arcproxy_gets_attributes_that_we_believe(program: Program, voms: Settings, ca: Settings, tmp_path: Path):
    home, out = Path(ca["CA_DIR"], "user-alice"), tmp_path / "proxy"
    done = program("arcproxy", "nordugrid-arc-client", "--oldcom", "-S", "testvo", "-V", voms["X509_VOMSES"],
                   "-C", str(home / "usercert.pem"), "-K", str(home / "userkey.pem"), "-T", voms["X509_CERT_DIR"],
                   "-P", str(out), env=environment(voms, tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "/testvo" in proved(voms, proxy.load(out.read_bytes()))[0].fqans


# -- what a server refuses, and servers that are none ----------------------------------------------------


def test_a_role_that_is_not_hers_is_refused_in_the_servers_words(server: VomsServer, voms: Settings,
                                                                 proxies: Settings):
    with pytest.raises(AttributesRefused, match="Unable to satisfy"):
        ask(server, shown(voms, proxies["PROXY_alice_rfc"]), ["/testvo/Role=admin"])


def test_who_is_no_member_is_told_so(server: VomsServer, voms: Settings, ca: Settings, tmp_path: Path):
    service = tmp_path / "service.pem"
    service.write_bytes(b"".join(Path(ca[name]).read_bytes() for name in ("SERVICE_CERT", "SERVICE_KEY")))
    with pytest.raises(AttributesRefused, match="unknown"):
        ask(server, shown(voms, str(service)))


def test_a_server_of_another_name_is_not_asked(server: VomsServer, voms: Settings, proxies: Settings):
    with pytest.raises(UntrustedCredential, match="OU=VOMS/CN=localhost, not /CN=other"):
        ask(dataclasses.replace(server, dn="/CN=other"), shown(voms, proxies["PROXY_alice_rfc"]))


def test_a_server_of_another_vo_is_not_believed(server: VomsServer, voms: Settings, proxies: Settings):
    with pytest.raises(Unavailable, match="speaks for the VO testvo"):
        ask(dataclasses.replace(server, vo="other"), shown(voms, proxies["PROXY_alice_rfc"]), ["/testvo"])


def test_a_server_that_is_not_there_is_unavailable(server: VomsServer, voms: Settings, proxies: Settings):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        with pytest.raises(Unavailable, match="refused"):
            ask(dataclasses.replace(server, port=probe.getsockname()[1]), shown(voms, proxies["PROXY_alice_rfc"]))


def test_a_server_that_does_not_answer_is_given_up(server: VomsServer, voms: Settings, proxies: Settings):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(TimedOut, match=r"within 0\.3 s"):
            ask(dataclasses.replace(server, port=port), shown(voms, proxies["PROXY_alice_rfc"]), timeout_s=0.3)
