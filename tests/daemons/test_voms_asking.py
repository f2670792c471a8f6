"""A VOMS server is asked over real TLS: by its HTTP interface, by commands where that is hung up on, never for ever."""

from __future__ import annotations

import base64
import dataclasses
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "core" / "credentials"))

from credential_builders import file_of
from voms_builders import attributes, owner_of, server

from wms.clienttls import client_context
from wms.errors import AttributesRefused, TimedOut, Unavailable, UntrustedCredential
from wms.voms.vomses import VomsServer
from wms.voms_asking import ask
from wms.x509 import authority, proxy
from wms.x509.authority import Issued

STARTED = time.time()
AUTHORITY = authority.make_authority(STARTED, serial=1, kind="ec")
STRANGER = authority.make_authority(STARTED, serial=2, kind="ec", dn="/DC=local/DC=wms/CN=Stranger")
ISSUED = authority.user_certificate(AUTHORITY, "alice", STARTED, serial=3, kind="ec")
ALICE = proxy.load(ISSUED.certificate + ISSUED.key)
DN = "/DC=local/DC=wms/CN=localhost"

AC = attributes(server(), owner_of(ALICE))
XML = b"<voms><ac>" + base64.b64encode(AC) + b"</ac></voms>"
REFUSAL = b"<voms><error><code>NoSuchUser</code><message>No such user</message></error></voms>"
ANSWERS = {
    "until it hangs up": b"HTTP/1.1 200 \r\nContent-Type: text/xml\r\n\r\n" + XML,
    "with its length": b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(XML), XML),
    "in chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(XML), XML),
}
FORBIDDEN = b"HTTP/1.1 403 Forbidden\r\nContent-Length: %d\r\n\r\n%s" % (len(REFUSAL), REFUSAL)

Talk = Callable[[ssl.SSLSocket], None]


class Voms:
    """A server that holds one talk after another with those who come; `heard` are the TLS records it got."""

    def __init__(self, folder: Path, talks: Sequence[Talk], host: str, ca: Issued) -> None:
        issued = authority.host_certificate(ca, [host], STARTED, serial=4, kind="ec")
        (folder / "server.pem").write_bytes(issued.certificate + issued.key)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(folder / "server.pem")
        self._context.load_verify_locations(cadata=AUTHORITY.certificate.decode())
        self._context.verify_mode = ssl.CERT_REQUIRED
        self._talks = talks
        self.heard: list[bytes] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(20)
        self.address = VomsServer("testvo", "localhost", self.listener.getsockname()[1], DN, "testvo")

    def serve(self) -> None:
        for talk in self._talks:
            plain, _ = self.listener.accept()
            with closing(plain), suppress(OSError), self._context.wrap_socket(plain, server_side=True) as channel:
                self.heard.append(channel.recv(4096))
                if self.heard[-1] == b"0":
                    self.heard.append(channel.recv(4096))
                talk(channel)


@pytest.fixture
def shown(tmp_path: Path) -> ssl.SSLContext:
    """What alice shows, and whom she trusts."""
    for name, content in authority.trust_files(AUTHORITY.certificate).items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "alice.pem").write_bytes(file_of(ALICE))
    return client_context(str(tmp_path / "alice.pem"), str(tmp_path))


@contextmanager
def voms(folder: Path, *talks: Talk, host: str = "localhost", ca: Issued = AUTHORITY) -> Iterator[Voms]:
    made = Voms(folder, talks, host, ca)
    thread = threading.Thread(target=made.serve)
    thread.start()
    try:
        yield made
    finally:
        thread.join()
        made.listener.close()


def says(answer: bytes) -> Talk:
    return lambda channel: channel.sendall(answer)


def hangs_up(_channel: ssl.SSLSocket) -> None:
    """Without a word, as Debian's voms-server does."""


def talks_on(channel: ssl.SSLSocket) -> None:
    while True:
        channel.sendall(b"HTTP/1.1 200 OK\r\n" + b"x" * 16000)


def listens_on(channel: ssl.SSLSocket) -> None:
    channel.recv(1)


@pytest.mark.parametrize("form", ANSWERS)
def test_http_is_spoken_in_every_form(tmp_path: Path, shown: ssl.SSLContext, form: str):
    with voms(tmp_path, says(ANSWERS[form])) as asked:
        assert ask(asked.address, shown, ["/testvo/Role=pilot", "/testvo"], 3600) == AC
    assert asked.heard[0].startswith(b"GET /generate-ac?lifetime=3600&fqans=/testvo/Role=pilot,/testvo HTTP/1.1\r\n")


def test_who_hangs_up_on_http_is_asked_by_commands(tmp_path: Path, shown: ssl.SSLContext):
    with voms(tmp_path, hangs_up, says(XML)) as asked:
        assert ask(asked.address, shown, ["/testvo/Role=pilot"], 3600) == AC
    assert asked.heard[1] == b"0"
    assert b"<command>B/testvo:pilot</command><lifetime>3600</lifetime>" in asked.heard[2]


def test_a_refusal_is_told_and_asking_again_would_not_help(tmp_path: Path, shown: ssl.SSLContext):
    with voms(tmp_path, says(FORBIDDEN)) as asked, pytest.raises(AttributesRefused, match="No such user"):
        ask(asked.address, shown)
    assert len(asked.heard) == 1


@pytest.mark.parametrize(("talks", "reason"), [
    ((says(b"SSH-2.0-x\r\n"),), "does not speak HTTP"),
    ((says(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nx"),), "does not speak HTTP"),
    ((says(b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"),), "cannot be understood"),
    ((hangs_up, hangs_up), "cannot be understood"),
    ((talks_on,), "longer than 262144 bytes")])
def test_what_makes_no_sense_means_to_try_later(tmp_path: Path, shown: ssl.SSLContext, talks: tuple[Talk, ...],
                                                reason: str):
    with voms(tmp_path, *talks) as asked, pytest.raises(Unavailable, match=reason):
        ask(asked.address, shown)


def test_a_server_that_says_nothing_is_given_up(tmp_path: Path, shown: ssl.SSLContext):
    with voms(tmp_path, listens_on) as asked, pytest.raises(TimedOut, match=r"within 0\.5 s"):
        ask(asked.address, shown, timeout_s=0.5)


def test_no_time_at_all_is_too_little(shown: ssl.SSLContext):
    with pytest.raises(TimedOut):
        ask(VomsServer("testvo", "localhost", 9, DN, "testvo"), shown, timeout_s=0)


@pytest.mark.parametrize(("host", "ca"), [("other.example.org", AUTHORITY), ("localhost", STRANGER)])
def test_only_the_server_itself_is_asked(tmp_path: Path, shown: ssl.SSLContext, host: str, ca: Issued):
    with voms(tmp_path, hangs_up, host=host, ca=ca) as asked, pytest.raises(Unavailable, match="VERIFY_FAILED"):
        ask(asked.address, shown)
    assert asked.heard == []


def test_only_the_server_that_vomses_names_is_asked(tmp_path: Path, shown: ssl.SSLContext):
    with voms(tmp_path, hangs_up) as asked, pytest.raises(UntrustedCredential, match="CN=localhost, not /CN=voms"):
        ask(dataclasses.replace(asked.address, dn="/CN=voms"), shown)
    assert asked.heard == [b""]


def test_a_server_whose_name_is_not_known_need_not_have_one(tmp_path: Path, shown: ssl.SSLContext):
    with voms(tmp_path, says(ANSWERS["in chunks"])) as asked:
        assert ask(dataclasses.replace(asked.address, dn=""), shown) == AC
