"""The renewers of Proxy Renewal at real servers: MyProxy one after the other, a VOMS server, an issuer of tokens."""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from twisted.internet.task import Clock
from twisted.logger import Logger

from proxyrenewal.attributes import VomsAttributes
from proxyrenewal.by_myproxy import MyProxyRenewer
from proxyrenewal.kinds import Failed, Fresh
from proxyrenewal.store import Registration
from tests.daemons.shell import result
from wms import config
from wms.database import Database
from wms.service import Kit
from wms.voms import certificate
from wms.x509 import proxy
from wms.x509.embedding import embedded

ALICE = "/DC=org/DC=example/OU=People/CN=alice"
SERVICE = "/DC=org/DC=example/OU=Services/CN=wms"
PRODUCTION = "/testvo/prod/Role=production"
Program = Callable[..., CompletedProcess[str]]
Settings = dict[str, str]


def ports(number: int) -> list[int]:
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    found = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return found


@pytest.fixture(scope="module")
def server(start: Callable[..., Settings], ca: Settings, program: Program) -> str:
    """The address of a MyProxy server that holds alice's credential for the service."""
    (port,) = ports(1)
    start("myproxy", MYPROXY_PORT=str(port), CA_DIR=ca["CA_DIR"])
    cert, key = (str(Path(ca["CA_DIR"], "user-alice", name)) for name in ("usercert.pem", "userkey.pem"))
    done = program("myproxy-init", "myproxy", "-d", "-n", "-c", "168", "-t", "24", "-x", "-R", SERVICE, env={
        "MYPROXY_SERVER": "localhost", "MYPROXY_SERVER_PORT": str(port), "X509_CERT_DIR": ca["X509_CERT_DIR"],
        "X509_USER_PROXY": "/nonexistent", "X509_USER_CERT": cert, "X509_USER_KEY": key})
    assert done.returncode == 0, done.stdout + done.stderr
    return f"localhost:{port}"


@pytest.fixture(scope="module")
def voms(start: Callable[..., Settings], ca: Settings) -> Settings:
    port, database = ports(2)
    return start("voms", VOMS_PORT=str(port), VOMS_DB_PORT=str(database), CA_DIR=ca["CA_DIR"])


@pytest.fixture
def dead() -> str:
    """Nobody listens there."""
    return f"localhost:{ports(1)[0]}"


@pytest.fixture
def silent() -> Iterator[str]:
    """A server that takes connections and says nothing."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        yield f"localhost:{listening.getsockname()[1]}"


def renewer(ca: Settings, *, who: str = "SERVICE", myproxy: tuple[str, ...] = (), hosts: tuple[str, ...] = (),
            timeout_s: float = 60, vomsdir: str = "", vomses: tuple[str, ...] = ()) -> MyProxyRenewer:
    clock = Clock()
    clock.advance(time.time())
    settings = config.Settings(
        tls=config.Tls(certificate=ca[f"{who}_CERT"], key=ca[f"{who}_KEY"], ca_dir=ca["X509_CERT_DIR"],
                       vomsdir=vomsdir, vomses=vomses),
        proxyrenewal=config.ProxyRenewal(myproxy=myproxy, myproxy_hosts=hosts, timeout_s=timeout_s))
    kit = Kit(settings, Database("sqlite://", None, inline=True), clock, random.Random(1), {}, Logger(), "localhost",
              ("localhost", 9000), b"s" * 32)
    return MyProxyRenewer(kit, VomsAttributes(settings.tls, kit.now))


def short(ca: Settings, *chain: proxy.Proxy, attributes: tuple[bytes, ...] = ()) -> bytes:
    """A proxy of alice of ten minutes."""
    home = Path(ca["CA_DIR"], "user-alice")
    user = chain[0] if chain else proxy.load((home / "usercert.pem").read_bytes() + (home / "userkey.pem").read_bytes())
    key = proxy.new_key()
    cert = proxy.new_proxy(user.chain, user.key, key.public_key(), time.time(), 600, serial=5, attributes=attributes)
    return proxy.dump(cert, key, user.chain)


def renew(asked: MyProxyRenewer, server: str, old: bytes) -> Fresh | Failed:
    now = time.time()
    return result(asked.renew(Registration("c", "", ALICE, server, now + 600, now), old, now))


def fresh(found: Fresh | Failed) -> proxy.Proxy:
    assert isinstance(found, Fresh), found
    new = proxy.load(found.content)
    identity = proxy.identify(new.chain, time.time())
    assert identity.dn == ALICE
    assert found.not_after <= identity.not_after
    assert 35_000 < found.not_after - time.time() < 36_100
    return new


def failed(found: Fresh | Failed) -> Failed:
    assert isinstance(found, Failed)
    return found


def test_the_server_of_the_job_renews(server: str, ca: Settings):
    fresh(renew(renewer(ca), server, short(ca)))


def test_one_that_is_no_renewer_is_refused_by_name(server: str, ca: Settings):
    found = failed(renew(renewer(ca, who="HOST"), server, short(ca)))
    assert found.error.startswith(f"{server}: the MyProxy server refused: ")
    assert (found.final, found.silent) == (False, False)


def test_behind_a_dead_server_the_next_one_is_asked(server: str, dead: str, ca: Settings):
    asked = renewer(ca, myproxy=(server,))
    fresh(renew(asked, dead, short(ca)))
    fresh(renew(asked, dead, short(ca)))


def test_a_server_that_hangs_has_its_share_of_the_time(server: str, silent: str, ca: Settings):
    asked = renewer(ca, myproxy=(server,), timeout_s=12)
    fresh(renew(asked, silent, short(ca)))
    assert asked._servers(silent) == [server, silent], "and is asked last from now on"


def test_all_that_is_wrong_is_told(silent: str, dead: str, ca: Settings):
    found = failed(renew(renewer(ca, myproxy=(dead,), timeout_s=1), silent, short(ca)))
    assert f"{silent} did not answer in 0." in found.error
    assert f"{dead} cannot be reached" in found.error
    assert found.silent


def test_a_job_names_only_servers_that_the_site_lets_it(server: str, ca: Settings):
    assert failed(renew(renewer(ca, hosts=("*.example.org",)), server, short(ca))).error == (
        f"{server}: localhost is none of the MyProxy servers that jobs may name here")
    fresh(renew(renewer(ca, hosts=("*.example.org", "localhost")), server, short(ca)))
    fresh(renew(renewer(ca, hosts=("*.example.org",), myproxy=(server,)), "px.example.com", short(ca)))


def test_a_job_that_names_none_is_not_renewed(ca: Settings):
    assert failed(renew(renewer(ca), "", short(ca))).final


# -- attributes ------------------------------------------------------------------------------------------


@pytest.fixture
def member(voms: Settings, ca: Settings, program: Program, tmp_path: Path) -> bytes:
    """A proxy of alice with attributes as voms-proxy-init gets them."""
    (tmp_path / ".rnd").touch()
    out, home = tmp_path / "proxy", Path(ca["CA_DIR"], "user-alice")
    done = program("voms-proxy-init", "voms-clients", "-rfc", "-voms", f"testvo:{PRODUCTION}", "-vomses",
                   voms["X509_VOMSES"], "-cert", str(home / "usercert.pem"), "-key", str(home / "userkey.pem"),
                   "-valid", "0:30", "-out", str(out),
                   env={"X509_CERT_DIR": voms["X509_CERT_DIR"], "X509_VOMS_DIR": voms["X509_VOMS_DIR"],
                        "HOME": str(tmp_path), "RANDFILE": str(tmp_path / ".rnd")})
    assert done.returncode == 0, done.stdout + done.stderr
    return out.read_bytes()


@pytest.mark.parametrize("known_by", ["vomsdir", "vomses"])
def test_attributes_are_got_again_in_their_order(server: str, voms: Settings, ca: Settings, member: bytes,
                                                 known_by: str):
    known = {"vomsdir": {"vomsdir": voms["X509_VOMS_DIR"]}, "vomses": {"vomses": (voms["X509_VOMSES"],)}}[known_by]
    new = fresh(renew(renewer(ca, **known), server, member))  # type: ignore[arg-type]
    [(place, now)], [(_, then)] = (list(certificate.in_chain(one.chain)) for one in (new, proxy.load(member)))
    assert (place, now.vo, now.fqans) == (0, "testvo", then.fqans)
    assert now.fqans[0] == f"{PRODUCTION}/Capability=NULL"
    assert now.not_after > then.not_after
    again = fresh(renew(renewer(ca, **known), server,  # type: ignore[arg-type]
                        short(ca, new)))
    assert len(list(certificate.in_chain(again.chain))) == 1


def test_without_its_attributes_a_proxy_is_not_renewed(server: str, voms: Settings, ca: Settings, member: bytes):
    assert "no VOMS server of the VO testvo is known" in failed(renew(renewer(ca), server, member)).error


def test_a_voms_server_that_hangs_is_a_failure(server: str, voms: Settings, ca: Settings, member: bytes, silent: str,
                                               tmp_path: Path):
    port = silent.rpartition(":")[2]
    (tmp_path / "vomses").write_text(f'"testvo" "localhost" "{port}" "/CN=x" "testvo"\n')
    found = failed(renew(renewer(ca, vomses=(str(tmp_path / "vomses"),), timeout_s=4), server, member))
    assert "VOMS server localhost" in found.error
    assert found.silent


def test_who_is_no_member_any_more_is_not_renewed(server: str, voms: Settings, start: Callable[..., Settings],
                                                  ca: Settings, program: Program, tmp_path: Path):
    """The attributes are genuine, but those that the server gives today are others."""
    forged = short(ca, attributes=(other_attributes(ca, program, tmp_path),))
    found = failed(renew(renewer(ca, vomses=(voms["X509_VOMSES"],)), server, forged))
    assert "refuses" in found.error or "other attributes than before" in found.error


def other_attributes(ca: Settings, program: Program, directory: Path) -> bytes:
    """An attribute certificate of testvo with a role that the server does not give."""
    (directory / ".rnd").touch()
    out, home, host = directory / "fake", Path(ca["CA_DIR"], "user-alice"), Path(ca["CA_DIR"], "voms")
    done = program("voms-proxy-fake", "voms-clients", "-q", "-rfc", "-bits", "2048", "-hours", "1", "-vomslife", "1",
                   "-cert", str(home / "usercert.pem"), "-key", str(home / "userkey.pem"),
                   "-certdir", ca["X509_CERT_DIR"], "-hostcert", str(host / "hostcert.pem"),
                   "-hostkey", str(host / "hostkey.pem"), "-voms", "testvo", "-fqan", "/testvo/Role=admin",
                   "-uri", "localhost:1", "-path-length", "-1", "-out", str(out),
                   env={"HOME": str(directory), "RANDFILE": str(directory / ".rnd")})
    assert done.returncode == 0, done.stdout + done.stderr
    return next(blob for cert in proxy.load(out.read_bytes()).chain for blob in embedded(cert))
