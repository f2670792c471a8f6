"""Our proxies before the grid's tools, and the tools' proxies before us."""

from __future__ import annotations

import shutil
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from twisted.logger import Logger

from tests.meeting import VERSIONS, Meeting
from wms import tls
from wms.callers import Caller
from wms.config import parse
from wms.errors import CredentialExpired, CredentialRevoked, LegacyProxy, UntrustedCredential
from wms.trust import Trust
from wms.x509 import authority, proxy

ALICE = "/DC=org/DC=example/OU=People/CN=alice"
Program = Callable[..., CompletedProcess[str]]
Settings = dict[str, str]


def read(settings: Settings, kind: str) -> proxy.Proxy:
    return proxy.load(Path(settings[f"PROXY_alice_{kind}"]).read_bytes())


def ours(issuer: proxy.Proxy, serial: int, *, limited: bool = False, kind: str = "rsa:2048") -> proxy.Proxy:
    key = proxy.new_key(kind)
    cert = proxy.new_proxy(issuer.chain, issuer.key, key.public_key(), time.time(), 3600, limited,
                           serial=serial)
    return proxy.Proxy((cert, *issuer.chain), key)


def write(path: Path, credential: proxy.Proxy) -> str:
    path.write_bytes(proxy.dump(credential.chain[0], credential.key, credential.chain[1:]))
    path.chmod(0o600)
    return str(path)


@pytest.fixture(scope="module")
def alice(ca: Settings) -> proxy.Proxy:
    home = Path(ca["CA_DIR"], "user-alice")
    return proxy.load((home / "usercert.pem").read_bytes() + (home / "userkey.pem").read_bytes())


@pytest.mark.parametrize(("kind", "limited", "length"), [
    ("rfc", False, 2), ("limited", True, 2), ("deep", False, 4), ("voms", False, 2)])
def test_we_identify_the_owner_of_what_the_tools_make(proxies: Settings, kind: str, limited: bool,
                                                       length: int):
    chain = read(proxies, kind).chain
    found = proxy.identify(chain, time.time())
    assert (found.dn, found.ca_dn) == (ALICE, "/DC=org/DC=example/CN=Test CA")
    assert (found.limited, found.chain_length) == (limited, length)
    tls.verify_path(chain, proxies["X509_CERT_DIR"])


@pytest.mark.parametrize("kind", ["legacy", "draft"])
def test_proxies_from_before_the_standard_are_refused_with_the_remedy(proxies: Settings, kind: str):
    with pytest.raises(LegacyProxy) as caught:
        proxy.identify(read(proxies, kind).chain, time.time())
    assert "not accepted" in caught.value.message
    assert "-rfc" in caught.value.hint


def test_a_short_proxy_is_over_after_a_minute(proxies: Settings):
    chain = read(proxies, "short").chain
    with pytest.raises(CredentialExpired):
        proxy.identify(chain, time.time() + 61)


@pytest.mark.parametrize("limited", [False, True])
@pytest.mark.parametrize("kind", ["rsa:2048", "ec"])
def test_openssl_verifies_our_proxies(program: Program, proxies: Settings, alice: proxy.Proxy, tmp_path: Path,
                                      kind: str, limited: bool):
    first = ours(alice, 4711, limited=limited, kind=kind)
    path = write(tmp_path / "proxy", ours(first, 4712, kind=kind))
    done = program("openssl", "openssl", "verify", "-allow_proxy_certs", "-CApath", proxies["X509_CERT_DIR"],
                   "-untrusted", path, path)
    assert (done.returncode, done.stdout) == (0, f"{path}: OK\n")


def test_globus_understands_our_proxy(program: Program, alice: proxy.Proxy, ca: Settings, tmp_path: Path):
    path = write(tmp_path / "proxy", ours(alice, 4711, limited=True))
    done = program("grid-proxy-info", "globus-proxy-utils", "-f", path, "-identity", "-type", "-timeleft")
    identity, kind, left = done.stdout.splitlines()
    assert (identity, kind) == (ALICE, "RFC 3820 compliant limited proxy")
    assert 3500 < int(left) <= 3600


def test_a_tool_delegates_from_our_proxy(program: Program, alice: proxy.Proxy, ca: Settings, tmp_path: Path):
    source, target = write(tmp_path / "proxy", ours(alice, 4711)), tmp_path / "deeper"
    done = program("grid-proxy-init", "globus-proxy-utils", "-rfc", "-q", "-cert", source, "-key", source,
                   "-out", str(target), "-valid", "0:30", env={"X509_CERT_DIR": ca["X509_CERT_DIR"]})
    assert done.returncode == 0, done.stdout + done.stderr
    assert proxy.identify(proxy.load(target.read_bytes()).chain, time.time()).chain_length == 3


def test_voms_tools_read_our_delegation_of_a_voms_proxy(program: Program, proxies: Settings, tmp_path: Path):
    path = write(tmp_path / "proxy", ours(read(proxies, "voms"), 4711))
    done = program("voms-proxy-info", "voms-clients", "-file", path, "-all",
                   env={"X509_CERT_DIR": proxies["X509_CERT_DIR"], "X509_VOMS_DIR": proxies["X509_VOMS_DIR"]})
    assert f"identity  : {ALICE}" in done.stdout
    assert "VO        : testvo" in done.stdout


def test_a_chain_of_a_stranger_does_not_verify(proxies: Settings):
    stranger = authority.make_authority(time.time(), serial=1)
    issued = authority.user_certificate(stranger, "mallory", time.time(), serial=2)
    credential = ours(proxy.load(issued.certificate + issued.key), 3)
    with pytest.raises(UntrustedCredential, match="trusted CA"):
        tls.verify_path(credential.chain, proxies["X509_CERT_DIR"])


def test_our_ca_directory_has_the_names_that_openssl_computes(program: Program, tmp_path: Path):
    made = authority.make_authority(time.time(), serial=1, dn="/DC=Org/O=A  Long Name/CN=Test ÄÖ CA")
    path = tmp_path / "ca.pem"
    path.write_bytes(made.certificate)
    done = program("openssl", "openssl", "x509", "-in", str(path), "-noout", "-subject_hash",
                   "-subject_hash_old")
    names = {name.partition(".")[0] for name in authority.trust_files(made.certificate)}
    assert set(done.stdout.split()) == names


def test_globus_trusts_our_authority(program: Program, tmp_path: Path):
    made = authority.make_authority(time.time(), serial=1)
    user = authority.user_certificate(made, "alice", time.time(), serial=2)
    certs = tmp_path / "certificates"
    certs.mkdir()
    for name, content in authority.trust_files(made.certificate).items():
        (certs / name).write_bytes(content)
    (tmp_path / "cert.pem").write_bytes(user.certificate)
    (tmp_path / "key.pem").write_bytes(user.key)
    (tmp_path / "key.pem").chmod(0o600)
    done = program("grid-proxy-init", "globus-proxy-utils", "-rfc", "-verify",
                   "-cert", str(tmp_path / "cert.pem"), "-key", str(tmp_path / "key.pem"),
                   "-certdir", str(certs), "-out", str(tmp_path / "proxy"))
    assert "Proxy Verify OK" in done.stdout, done.stdout + done.stderr


# -- at the server's door --------------------------------------------------------------------------------


def served(ca: Settings, home: Path, credential: proxy.Proxy, certificates: str = "",
           version: ssl.TLSVersion | None = None, **settings: str) -> Caller:
    """Who somebody is to a service with the CA's host certificate, after a handshake in memory."""
    directory = certificates or ca["X509_CERT_DIR"]
    more = "".join(f", {name}: {value}" for name, value in settings.items())
    trust = Trust(parse(f"{{host: localhost, tls: {{certificate: {ca['HOST_CERT']}, key: {ca['HOST_KEY']}, "
                        f"ca_dir: {directory}, vomsdir: {ca['X509_VOMS_DIR']}{more}}}}}"), Logger())
    meeting = Meeting(trust.context, home, Path(ca["X509_CERT_DIR"]))
    server, _side = meeting.of(meeting.client(credential, version))
    return trust.caller(server, time.time())


STRICT = {"crl": "required", "signing_policy": "required"}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("kind", "limited"), [("rfc", False), ("limited", True), ("deep", False), ("voms", False)])
def test_the_service_knows_what_the_tools_make(ca: Settings, proxies: Settings, tmp_path: Path,
                                               version: ssl.TLSVersion, kind: str, limited: bool):
    found = served(ca, tmp_path, read(proxies, kind), "", version, **STRICT).identity
    assert found is not None
    assert (found.dn, found.limited, found.vo) == (ALICE, limited, "testvo" if kind == "voms" else "")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", ["legacy", "draft"])
def test_the_service_knows_old_proxies_by_a_switch_only(ca: Settings, proxies: Settings, tmp_path: Path,
                                                        version: ssl.TLSVersion, kind: str):
    with pytest.raises(LegacyProxy, match="not accepted"):
        served(ca, tmp_path, read(proxies, kind), "", version)
    found = served(ca, tmp_path, read(proxies, kind), "", version, legacy_proxies="true", **STRICT).identity
    assert found is not None
    assert (found.dn, found.chain_length) == (ALICE, 2)


def test_the_service_reads_the_revocation_lists_of_openssl(program: Program, ca: Settings, alice: proxy.Proxy,
                                                           tmp_path: Path):
    private = Path(ca["CA_DIR"], "private")
    mine = shutil.copytree(private, tmp_path / "private")
    settings = mine / "openssl.cnf"
    settings.write_text(settings.read_text().replace(str(private), str(mine)))
    credential = ours(alice, 4711)
    certs = shutil.copytree(ca["X509_CERT_DIR"], tmp_path / "certificates")
    assert served(ca, tmp_path, credential, str(certs), **STRICT).identity is not None
    user = str(Path(ca["CA_DIR"], "user-alice", "usercert.pem"))
    for arguments in (("-revoke", user), ("-gencrl", "-out", str(tmp_path / "crl.pem"))):
        done = program("openssl", "openssl", "ca", "-config", str(settings), *arguments)
        assert done.returncode == 0, done.stderr
    for encoding in ("PEM", "DER"):
        for path in certs.glob("*.r0"):
            done = program("openssl", "openssl", "crl", "-in", str(tmp_path / "crl.pem"), "-outform", encoding, "-out",
                           str(path))
            assert done.returncode == 0, done.stderr
        with pytest.raises(CredentialRevoked, match="CN=alice has been revoked"):
            served(ca, tmp_path, credential, str(certs))
