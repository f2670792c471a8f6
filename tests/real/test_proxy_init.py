"""`wms proxy` before the grid's tools: they read what it makes, and it reads what they make."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests import ports

BIN = Path(sys.executable).parent
PRODUCTION = "/testvo/prod/Role=production"
ALICE = "/DC=org/DC=example/OU=People/CN=alice"
Program = Callable[..., CompletedProcess[str]]
Settings = dict[str, str]


def wms(*words: str, typed: str = "", **environment: str) -> str:
    """What `wms WORDS` prints; it must succeed."""
    done = subprocess.run([BIN / "wms", *words], input=typed, text=True, capture_output=True, timeout=60, check=False,
                          env={"PATH": os.environ["PATH"], **environment})
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def alice(ca: Settings) -> list[str]:
    home = f"{ca['CA_DIR']}/user-alice"
    return ["--cert", f"{home}/usercert.pem", "--key", f"{home}/userkey.pem"]


@pytest.fixture(scope="module")
def curve(start: Callable[..., Settings]) -> Settings:
    """A CA whose keys are on an elliptic curve."""
    return start("testca", TESTCA_KEY="ec:P-256")


@pytest.mark.parametrize(("words", "kind"), [
    ([], "RFC 3820 compliant impersonation proxy"), (["-limited"], "RFC 3820 compliant limited proxy"),
    (["--bits", "3072"], "RFC 3820 compliant impersonation proxy")])
def test_globus_reads_our_proxies(program: Program, ca: Settings, tmp_path: Path, words: list[str], kind: str):
    path = str(tmp_path / "proxy")
    wms("proxy", "init", *alice(ca), "-out", path, "-valid", "2:30", *words)
    done = program("grid-proxy-info", "globus-proxy-utils", "-f", path, "-identity", "-type", "-strength", "-timeleft")
    identity, type_, strength, left = done.stdout.splitlines()
    assert (identity, type_, strength) == (ALICE, kind, words[1] if "--bits" in words else "2048")
    assert 8900 < int(left) <= 9000
    assert wms("proxy", "info", "-f", path, "-identity", "-type", "-strength").splitlines() == [
        identity, type_, strength]


def test_globus_says_the_same_as_we(program: Program, ca: Settings, tmp_path: Path):
    path = str(tmp_path / "proxy")
    wms("proxy", "init", *alice(ca), "-out", path)
    theirs = program("grid-proxy-info", "globus-proxy-utils", "-f", path).stdout.splitlines()[:-1]
    ours = wms("proxy", "info", "-f", path).splitlines()[:-1]
    assert [line.split(None, 2) for line in ours] == [line.split(None, 2) for line in theirs]


@pytest.mark.parametrize("authority", ["ca", "curve"])
@pytest.mark.parametrize("words", [[], ["--ec"], ["--limited", "--path-length", "2"]])
def test_openssl_verifies_our_proxies(program: Program, request: pytest.FixtureRequest, tmp_path: Path,
                                      authority: str, words: list[str]):
    found: Settings = request.getfixturevalue(authority)
    path = str(tmp_path / "proxy")
    wms("proxy", "init", *alice(found), "-out", path, *words)
    done = program("openssl", "openssl", "verify", "-allow_proxy_certs", "-CApath", found["X509_CERT_DIR"],
                   "-untrusted", path, path)
    assert (done.returncode, done.stdout) == (0, f"{path}: OK\n")


def test_voms_tools_read_a_proxy_of_an_elliptic_certificate(program: Program, curve: Settings, tmp_path: Path):
    path = str(tmp_path / "proxy")
    wms("proxy", "init", *alice(curve), "-out", path)
    done = program("voms-proxy-info", "voms-clients", "-file", path, "-all",
                   env={"X509_CERT_DIR": curve["X509_CERT_DIR"]})
    assert f"identity  : {ALICE}" in done.stdout


def test_openssls_own_encrypted_keys_are_opened(program: Program, ca: Settings, tmp_path: Path):
    (cert, key), locked = alice(ca)[1::2], str(tmp_path / "key.pem")
    for words in (["rsa", "-aes256"], ["rsa", "-aes128", "-traditional"]):
        program("openssl", "openssl", *words, "-passout", "pass:geheim", "-in", key, "-out", locked)
        os.chmod(locked, 0o600)
        wms("proxy", "init", "--cert", cert, "--key", locked, "--pwstdin", "-out", str(tmp_path / "p"),
            typed="geheim\n")
    bundle = str(tmp_path / "alice.p12")
    program("openssl", "openssl", "pkcs12", "-export", "-in", cert, "-inkey", key, "-passout", "pass:geheim", "-out",
            bundle)
    os.chmod(bundle, 0o600)
    wms("proxy", "init", "--cert", bundle, "--pwstdin", "-out", str(tmp_path / "p"), typed="geheim\n")


@pytest.mark.parametrize(("kind", "type_"), [
    ("rfc", "RFC 3820 compliant impersonation proxy"), ("limited", "RFC 3820 compliant limited proxy"),
    ("legacy", "full legacy globus proxy"), ("draft", "Proxy draft (pre-RFC) compliant impersonation proxy"),
    ("deep", "RFC 3820 compliant impersonation proxy")])
def test_we_say_of_the_tools_proxies_what_globus_says(program: Program, proxies: Settings, kind: str, type_: str):
    path = proxies[f"PROXY_alice_{kind}"]
    asked = ("-subject", "-issuer", "-identity", "-type", "-strength", "-path")
    theirs = program("grid-proxy-info", "globus-proxy-utils", "-f", path, *asked).stdout
    assert wms("proxy", "info", "-f", path, *asked) == theirs
    assert type_ in theirs


def test_we_read_the_attributes_that_voms_tools_read(program: Program, proxies: Settings):
    path = proxies["PROXY_alice_voms"]
    asked = ("-identity", "-vo", "-fqan", "-uri")
    theirs = program("voms-proxy-info", "voms-clients", "-file", path, *asked, env={
        "X509_CERT_DIR": proxies["X509_CERT_DIR"], "X509_VOMS_DIR": proxies["X509_VOMS_DIR"]}).stdout
    ours = wms("proxy", "info", "-f", path, "--vo", "--fqan", "--uri", "--identity")
    assert sorted(ours.splitlines()) == sorted(theirs.splitlines())
    (vo,) = json.loads(wms("proxy", "info", "-f", path, "--json"))["vos"]
    assert (vo["vo"], vo["subject"], len(vo["attributes"])) == ("testvo", ALICE, 2)
    assert vo["issuer"].startswith("/DC=org/DC=example/")


@pytest.fixture(scope="module")
def voms(start: Callable[..., Settings], ca: Settings, free_port: int) -> Settings:
    return start("voms", VOMS_PORT=str(free_port), VOMS_DB_PORT=str(ports.free_port()), CA_DIR=ca["CA_DIR"])


def test_attributes_of_a_real_server_are_carried_in_the_order_they_were_asked_for(
        program: Program, ca: Settings, voms: Settings, tmp_path: Path):
    path = str(tmp_path / "proxy")
    wms("proxy", "init", *alice(ca), "-out", path, "-vomses", voms["X509_VOMSES"], "-voms", f"testvo:{PRODUCTION}",
        "-voms", "testvo:/testvo", X509_CERT_DIR=ca["X509_CERT_DIR"])
    done = program("voms-proxy-info", "voms-clients", "-file", path, "-fqan", "-vo", "-acexists", "testvo", env={
        "X509_CERT_DIR": ca["X509_CERT_DIR"], "X509_VOMS_DIR": voms["X509_VOMS_DIR"]})
    assert done.returncode == 0
    assert done.stdout.splitlines()[:2] == ["testvo", f"{PRODUCTION}/Capability=NULL"]
    (vo,) = json.loads(wms("proxy", "info", "-f", path, "--json"))["vos"]
    assert vo["attributes"][0].startswith(PRODUCTION)
    assert 43_000 < vo["timeleft"] <= 43_200


def test_a_server_that_refuses_leaves_the_old_proxy(ca: Settings, voms: Settings, tmp_path: Path):
    path = tmp_path / "proxy"
    wms("proxy", "init", *alice(ca), "-out", str(path))
    before = path.read_bytes()
    done = subprocess.run([BIN / "wms", "proxy", "init", *alice(ca), "-out", str(path), "--vomses", voms["X509_VOMSES"],
                           "--voms", "testvo:/testvo/Role=admin"], capture_output=True, text=True, timeout=60,
                          check=False, env={"PATH": os.environ["PATH"], "X509_CERT_DIR": ca["X509_CERT_DIR"]})
    assert done.returncode == 1
    assert "**** Error: UI_NO_VOMS ****" in done.stderr
    assert (path.read_bytes(), list(tmp_path.iterdir())) == (before, [path])


def test_a_tool_makes_a_proxy_of_ours(program: Program, ca: Settings, tmp_path: Path):
    first, second = str(tmp_path / "first"), str(tmp_path / "second")
    wms("proxy", "init", *alice(ca), "-out", first)
    done = program("grid-proxy-init", "globus-proxy-utils", "-rfc", "-q", "-cert", first, "-key", first, "-out", second,
                   "-valid", "0:30", env={"X509_CERT_DIR": ca["X509_CERT_DIR"]})
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(wms("proxy", "info", "-f", second, "--json"))["depth"] == 2
