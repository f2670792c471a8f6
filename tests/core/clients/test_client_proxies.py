"""wms proxy: which certificate and key are taken, what is refused, the file that is made and what it says of itself."""

from __future__ import annotations

import json
import os
import socket
import stat
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import pkcs12

from clients import memberships, proxies, proxy_report
from clients.commands.wms_proxy import proxy as command
from clients.commands.wms_proxy import seconds
from clients.errors import ArgumentWrong, KeyExposed
from clients.memberships import Asked
from clients.proxies import Wish
from wms.errors import (
    BadCredential,
    ConfigError,
    CredentialExpired,
    CredentialNotFound,
    ProxyRuleBroken,
    Unavailable,
)
from wms.x509 import authority
from wms.x509 import proxy as x509_proxy
from wms.x509.authority import Issued
from wms.x509.proxy import Proxy

sys.path.insert(0, str(Path(__file__).parent.parent / "credentials"))
from voms_builders import attributes, member_proxy, server

ALICE = "/DC=local/DC=wms/CN=alice"
SECRET = b"open, sesame"


def never() -> bytes:
    raise AssertionError("no pass phrase is needed")


@pytest.fixture(scope="module")
def issued() -> Issued:
    ca = authority.make_authority(time.time(), serial=1, kind="ec")
    return authority.user_certificate(ca, "alice", time.time(), serial=2, kind="ec", days=2)


@pytest.fixture
def home(issued: Issued, tmp_path: Path) -> Path:
    """A home directory with certificate and key in the usual places."""
    (tmp_path / ".globus").mkdir()
    put(tmp_path / ".globus" / "usercert.pem", issued.certificate, 0o644)
    put(tmp_path / ".globus" / "userkey.pem", issued.key)
    return tmp_path


def put(path: Path, content: bytes, mode: int = 0o600) -> str:
    path.write_bytes(content)
    path.chmod(mode)
    return str(path)


def user(home: Path) -> Proxy:
    return proxies.load(*proxies.find({"HOME": str(home)}), never)


def report(made: Proxy) -> proxy_report.Report:
    return proxy_report.of_file(x509_proxy.dump(made.chain[0], made.key, made.chain[1:]), "/p")


# -- certificate and key ----------------------------------------------------------------------------------


def test_where_certificate_and_key_are(home: Path):
    at_home = {"HOME": str(home)}
    assert proxies.find(at_home) == (f"{home}/.globus/usercert.pem", f"{home}/.globus/userkey.pem")
    assert proxies.find(at_home | {"X509_USER_CERT": "/c", "X509_USER_KEY": "/k"}) == ("/c", "/k")
    assert proxies.find(at_home | {"X509_USER_CERT": "/c", "X509_USER_KEY": "/k"}, "/a", "/b") == ("/a", "/b")
    assert proxies.find({}, "/bundle.p12") == ("/bundle.p12", "/bundle.p12")
    (home / ".globus" / "usercert.pem").unlink()
    with pytest.raises(CredentialNotFound):
        proxies.find(at_home)
    put(home / ".globus" / "usercred.p12", b"")
    assert proxies.find(at_home) == (f"{home}/.globus/usercred.p12",) * 2


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601])
def test_a_key_that_others_can_open_is_refused(home: Path, mode: int):
    (home / ".globus" / "userkey.pem").chmod(mode)
    with pytest.raises(KeyExposed, match=f"mode {mode:04o}"):
        user(home)


def encrypted(issued: Issued, form: serialization.PrivateFormat) -> bytes:
    key = x509_proxy.load_key(issued.key)
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.BestAvailableEncryption(SECRET))


@pytest.mark.parametrize("form", [serialization.PrivateFormat.PKCS8, serialization.PrivateFormat.TraditionalOpenSSL])
def test_an_encrypted_key_is_opened_by_its_pass_phrase(home: Path, issued: Issued, form: serialization.PrivateFormat):
    put(home / ".globus" / "userkey.pem", encrypted(issued, form))
    found = proxies.find({"HOME": str(home)})
    assert proxies.load(*found, lambda: SECRET).key.public_key() == x509_proxy.load_key(issued.key).public_key()
    for wrong in (b"", b"wrong"):
        with pytest.raises(BadCredential, match="pass phrase"):
            proxies.load(*found, lambda phrase=wrong: phrase)


def test_a_bundle(home: Path, issued: Issued):
    own = x509_proxy.load(issued.certificate + issued.key)
    content = pkcs12.serialize_key_and_certificates(b"alice", own.key, own.chain[0], None,
                                                    serialization.BestAvailableEncryption(SECRET))
    path = put(home / "cred.p12", content)
    assert proxies.load(path, path, lambda: SECRET).chain == own.chain
    with pytest.raises(BadCredential, match="pass phrase"):
        proxies.load(path, path, lambda: b"wrong")


def test_a_bundle_without_a_certificate(home: Path):
    key = x509_proxy.new_key("ec")
    path = put(home / "cred.p12", pkcs12.serialize_key_and_certificates(
        None, key, None, None, serialization.BestAvailableEncryption(SECRET)))
    with pytest.raises(BadCredential, match="no certificate"):
        proxies.load(path, path, lambda: SECRET)


def test_a_key_of_another_certificate(home: Path):
    put(home / ".globus" / "userkey.pem", x509_proxy.key_pem(x509_proxy.new_key("ec")))
    with pytest.raises(BadCredential, match="does not belong to the certificate"):
        user(home)


def test_a_kind_of_key_that_grids_do_not_know(home: Path):
    key = ed25519.Ed25519PrivateKey.generate()
    put(home / ".globus" / "userkey.pem", key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(SECRET)))
    with pytest.raises(BadCredential, match="neither RSA nor elliptic"):
        proxies.load(*proxies.find({"HOME": str(home)}), lambda: SECRET)


# -- making ------------------------------------------------------------------------------------------------


def test_a_proxy_is_its_users_and_lives_as_long_as_was_wished(home: Path):
    now = time.time()
    made = proxies.make(user(home), Wish(3600, "ec"), now)
    found = x509_proxy.identify(made.chain, now)
    assert (found.dn, found.limited, found.chain_length) == (ALICE, False, 2)
    assert now + 3599 <= found.not_after <= now + 3600


def test_a_proxy_does_not_outlive_its_certificate(home: Path):
    now = time.time()
    assert report(proxies.make(user(home), Wish(10 * 86400, "ec"), now)).end < now + 2 * 86400 + 1


def test_a_certificate_that_is_over_makes_no_proxy(home: Path):
    with pytest.raises(CredentialExpired, match="Your certificate has expired"):
        proxies.make(user(home), Wish(3600, "ec"), time.time() + 3 * 86400)


def test_a_path_length_is_kept_to(home: Path):
    now = time.time()
    first = proxies.make(user(home), Wish(3600, "ec", path_length=1), now)
    second = proxies.make(first, Wish(3600, "ec"), now)
    assert report(first).path_length == 1
    assert report(second).depth == 2
    with pytest.raises(ProxyRuleBroken, match="path length"):
        proxies.make(second, Wish(3600, "ec"), now)


def test_a_proxy_carries_attributes(home: Path):
    owner, voms = user(home), server(start=time.time())
    made = proxies.make(owner, Wish(3600, "ec", attributes=[attributes(voms, owner.chain[0], "/testvo/Role=pilot",
                                                                       now=time.time())]), time.time())
    assert [(vo.name, vo.attributes) for vo in report(made).vos] == [("testvo", ("/testvo/Role=pilot",))]


# -- what a file says -------------------------------------------------------------------------------------


def test_a_report_for_people(home: Path):
    now = 1_800_000_000.0
    ca = authority.make_authority(now, serial=1, kind="ec")
    own = authority.user_certificate(ca, "alice", now, serial=2, kind="ec")
    made = member_proxy(x509_proxy.load(own.certificate + own.key), server(), "/testvo", "/testvo/Role=pilot",
                        limited=True)
    assert proxy_report.table(report(made), now + 100).splitlines() == [
        f"subject   : {ALICE}/CN=8", f"issuer    : {ALICE}", f"identity  : {ALICE}",
        "type      : RFC 3820 compliant limited proxy", "strength  : 256 bits (EC)", "path      : /p",
        "timeleft  : 0:58:20", "=== VO testvo extension information ===", "VO        : testvo",
        f"subject   : {ALICE}", "issuer    : /DC=local/DC=wms/CN=voms.example.org", "attribute : /testvo",
        "attribute : /testvo/Role=pilot", "timeleft  : 0:58:20", "uri       : voms.example.org:15000"]


def test_a_report_of_attributes_that_cannot_be_read(home: Path):
    made = proxies.make(user(home), Wish(3600, "ec", attributes=[b"\x30\x00"]), time.time())
    found = report(made)
    assert found.vos == ()
    assert "VOMS      : the VOMS attributes cannot be read" in proxy_report.table(found, time.time())


def test_a_certificate_is_no_proxy(home: Path):
    found = report(user(home))
    assert (found.kind, found.subject, found.identity, found.depth) == ("end entity credential", ALICE, ALICE, 0)


def test_a_chain_without_its_end_still_names_the_identity(home: Path):
    made = proxies.make(user(home), Wish(3600, "ec"), time.time())
    assert report(Proxy(made.chain[:1], made.key)).identity == ALICE


# -- the commands ------------------------------------------------------------------------------------------


def run(*words: str, environment: dict[str, str], typed: str = "") -> Result:
    return CliRunner().invoke(command, words, input=typed, env=environment)


def settings(home: Path) -> dict[str, str]:
    return {"HOME": str(home), "X509_USER_PROXY": str(home / "proxy"), "X509_USER_CERT": "", "X509_USER_KEY": ""}


def test_a_life_of_a_proxy_file(home: Path):
    environment = settings(home)
    made = run("init", "-valid", "1:30", "--ec", "--json", environment=environment)
    said = json.loads(made.output)
    assert (said["path"], said["subject"].rpartition("/")[0]) == (str(home / "proxy"), ALICE)
    assert stat.S_IMODE(os.stat(home / "proxy").st_mode) == 0o600
    assert run("info", "-exists", "-valid", "1:00", environment=environment).exit_code == 0
    assert run("info", "-exists", "-valid", "2:00", environment=environment).exit_code == 1
    assert run("info", "-exists", "-bits", "257", environment=environment).exit_code == 1
    one_by_one = run("info", "-timeleft", "-identity", environment=environment).output.splitlines()
    assert one_by_one[0] == ALICE
    assert 5300 < int(one_by_one[1]) <= 5400
    assert run("destroy", "--dryrun", environment=environment).output == f"Would remove {home}/proxy\n"
    assert run("destroy", environment=environment).exit_code == 0
    assert not (home / "proxy").exists()
    assert isinstance(run("destroy", environment=environment).exception, CredentialNotFound)
    assert run("info", "-exists", environment=environment).exit_code == 1
    assert isinstance(run("info", environment=environment).exception, CredentialNotFound)


def test_a_pass_phrase_is_asked_for_without_echo_or_read(home: Path, issued: Issued):
    put(home / ".globus" / "userkey.pem", encrypted(issued, serialization.PrivateFormat.PKCS8))
    asked = run("init", "--ec", environment=settings(home), typed="open, sesame\n")
    assert (asked.exit_code, "sesame" in asked.output) == (0, False)
    assert run("init", "--ec", "--pwstdin", "-q", environment=settings(home), typed="open, sesame\n").output == ""


def test_a_proxy_that_is_shorter_than_wished_is_warned_of(home: Path):
    assert "Your certificate ends then" in run("init", "--ec", "--hours", "100", environment=settings(home)).output


def test_a_file_that_is_no_proxy(home: Path):
    put(home / "proxy", b"hello")
    assert isinstance(run("info", environment=settings(home)).exception, BadCredential)
    assert run("info", "--exists", environment=settings(home)).exit_code == 1


@pytest.mark.parametrize(("text", "found"), [("12:00", 43200), ("0:05", 300), ("24", 86400)])
def test_times(text: str, found: float):
    assert seconds(text) == found


@pytest.mark.parametrize("text", ["", "0", "0:00", "1:60", "-1", "1:2:3", "x", "999999:00", "١"])
def test_times_that_are_none(text: str):
    with pytest.raises(ArgumentWrong):
        seconds(text)


def test_a_failed_write_leaves_the_old_proxy(home: Path, monkeypatch: pytest.MonkeyPatch):
    environment = settings(home)
    run("init", "--ec", environment=environment)
    before = (home / "proxy").read_bytes()

    def full(*_args: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert run("init", "--ec", environment=environment).exit_code == 1
    assert (home / "proxy").read_bytes() == before
    assert [path.name for path in home.iterdir() if path.name.startswith("proxy")] == ["proxy"]


# -- which attributes are asked for -----------------------------------------------------------------------

LINE = b'"nick" "voms.example.org" "15000" "/CN=voms" "testvo"\n'


def test_words_about_vos_are_put_together():
    assert memberships.read(["a", "b:/b/Role=x", "a:/a/g/Role=NULL/Capability=NULL", "b:/b"]) == [
        Asked("a", ("/a/g",)), Asked("b", ("/b/Role=x", "/b"))]


@pytest.mark.parametrize("word", ["", ":", ":/a", "a:", "a:x", "a:/a b", "a:/a/Role=", "a:/a&lifetime=9"])
def test_words_that_name_no_vo(word: str):
    with pytest.raises(ArgumentWrong):
        memberships.read([word])


def test_vomses_are_files_or_directories_the_users_first(home: Path):
    (home / ".glite").mkdir()
    put(home / ".glite" / "vomses", LINE)
    (home / "more").mkdir()
    put(home / "more" / "b", LINE.replace(b"nick", b"other"))
    put(home / "more" / ".hidden", LINE.replace(b"nick", b"hidden"))
    known = memberships.servers({"HOME": str(home), "X509_VOMSES": str(home / "more")})
    assert {"nick", "other"} <= {one.nick for one in known.servers}
    assert [one.nick for one in memberships.servers({}, str(home / "more")).servers] == ["other"]
    with pytest.raises(ConfigError, match="cannot be read"):
        memberships.servers({}, str(home / "none"))


def test_a_vo_that_no_file_names(home: Path):
    known = memberships.servers({}, put(home / "vomses", LINE + b"rubbish\n"))
    with pytest.raises(ConfigError, match=r"(?s)No vomses file names a VOMS server of cms.*:2: ") as caught:
        memberships.get(user(home), [Asked("cms")], known, {}, 3600, time.time())
    assert "--vomses" in caught.value.hint


def test_a_server_that_is_away_is_passed_over_and_the_last_one_told(home: Path):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = str(closed.getsockname()[1]).encode()
        line = LINE.replace(b"15000", port).replace(b"voms.example.org", b"127.0.0.1")
        known = memberships.servers({}, put(home / "vomses", line + line.replace(b"/CN=voms", b"/CN=second")))
        with pytest.raises(Unavailable, match="cannot be asked"):
            memberships.get(user(home), [Asked("testvo")], known, {"X509_CERT_DIR": str(home)}, 3600, time.time())
