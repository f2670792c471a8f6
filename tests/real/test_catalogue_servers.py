"""Catalogues asked over real sockets: what is found, remembered, and what happens when one fails."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any
from xml.etree import ElementTree

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import Logger

from wm.catalogues import resolver
from wm.catalogues.resolver import Catalogues
from wm.matching.replicas import Replicas
from wms.config import Information, Settings, Tls
from wms.jdl.described import described
from wms.jdl.description import JobDescription
from wms.service import Kit

sys.path.append(str(Path(__file__).parent.parent / "conformance"))
from reactor_thread import run, started

SOAP = """<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><d:listReplicasResponse
 xmlns:d="urn:DataLocationInterface"><urlList>{}</urlList></d:listReplicasResponse></e:Body></e:Envelope>"""


class Peer(ThreadingHTTPServer):
    """A DLI at `/` and a Rucio below `/rucio` that know `files`; what is asked is in `asked`."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, list[str]] = {}
        self.asked: list[str] = []
        self.tokens: list[str] = []
        self.fault = 0
        self.reply: bytes | None = None
        self.hanging, self.released = Event(), Event()
        self.patience = 1_000_000

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that leaves is no error here."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Peer

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.server.hanging.is_set() or len(self.server.asked) >= self.server.patience:
            self.server.patience = 1_000_000
            self.server.released.wait(60)
        status, answer = self._rucio(body) if self.path == "/rucio/replicas/list" else (200, self._dli(body))
        self.send_response(self.server.fault or status)
        answer = answer if self.server.reply is None else self.server.reply
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def _dli(self, body: bytes) -> bytes:
        assert self.headers["SOAPAction"] == '""'
        (name,) = [element.text or "" for element in ElementTree.fromstring(body).iter() if element.tag == "inputData"]
        self.server.asked.append(name)
        return SOAP.format("".join(f"<item>{url}</item>" for url in self.server.files.get(name, []))).encode()

    def _rucio(self, body: bytes) -> tuple[int, bytes]:
        dids = [f"{did['scope']}:{did['name']}" for did in json.loads(body)["dids"]]
        self.server.asked.append(" ".join(dids))
        self.server.tokens.append(self.headers.get("X-Rucio-Auth-Token", ""))
        if not all(did in self.server.files for did in dids):
            return 404, b'{"ExceptionClass": "DataIdentifierNotFound"}'
        lines = [{"scope": did.partition(":")[0], "name": did.partition(":")[2], "bytes": 100,
                  "rses": {"RSE": self.server.files[did]}} for did in dids]
        return 200, "\n".join(map(json.dumps, lines)).encode()

    def log_message(self, format: str, *args: Any) -> None: ...


@pytest.fixture
def peer() -> Iterator[Peer]:
    made = Peer()
    Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield made
    made.released.set()
    made.shutdown()
    made.server_close()


class Asker:
    """Catalogues on the real reactor, whose memory lives by a clock of the test."""

    def __init__(self, catalogues: dict[str, dict[str, Any]], timeout_s: float = 20.0) -> None:
        self.time = Clock()
        information = Information(catalogues=catalogues, catalogue_timeout_s=timeout_s, catalogue_keep_s=100.0)
        settings = Settings(information=information, tls=Tls(ca_dir="/nowhere"))
        nothing: Any = None
        self.kit = _Kit(settings, nothing, started(), random.Random(0), {}, Logger(observer=lambda _: None), "h",
                        ("h", 1), b"")
        object.__setattr__(self.kit, "time", self.time)
        self.catalogues = Catalogues(self.kit)
        run(self.catalogues.start())

    def __call__(self, *files: str, vo: str = "atlas", more: str = "") -> Replicas:
        return run(self.catalogues.resolve(reads(*files, more=more), vo))


class _Kit(Kit):
    """A kit whose time is the test's, while connections live in real time."""

    time: Clock

    def now(self) -> float:
        return float(self.time.seconds())


def reads(*files: str, more: str = "") -> JobDescription:
    listed = ", ".join(f'"{file}"' for file in files)
    data = f'InputData = {{{listed}}}; DataAccessProtocol = "gsiftp";' if files else ""
    return described(f'Executable = "/bin/true"; {data} {more}')


@pytest.fixture
def asker() -> Iterator[Any]:
    made: list[Asker] = []

    def make(**catalogues: dict[str, Any]) -> Asker:
        timeout_s = catalogues.pop("seconds", {}).get("timeout", 20.0)
        made.append(Asker(catalogues, timeout_s))
        return made[-1]

    yield make
    for one in made:
        run(one.catalogues.stop())


# -- what is found ---------------------------------------------------------------------------------------


def test_a_dli_is_asked_for_each_file_and_only_once(peer: Peer, asker: Any) -> None:
    peer.files = {"lfn:/x": ["srm://a/x", "b.org"]}
    ask = asker(lfc={"kind": "dli", "url": peer.url})
    answer = Replicas((("lfn:/x", ("srm://a/x", "b.org")), ("guid:1", ())))
    assert ask("lfn:/x", "guid:1") == answer
    assert ask("lfn:/x", "guid:1") == answer
    assert peer.asked == ["lfn:/x", "guid:1"]


def test_what_is_found_is_kept_and_what_is_not_is_soon_asked_again(peer: Peer, asker: Any) -> None:
    peer.files = {"lfn:/x": ["a"]}
    ask = asker(lfc={"kind": "dli", "url": peer.url})
    ask("lfn:/x", "lfn:/y")
    ask.time.advance(resolver.NOT_FOUND_S)
    peer.files["lfn:/y"] = ["b"]
    assert ask("lfn:/x", "lfn:/y").files == (("lfn:/x", ("a",)), ("lfn:/y", ("b",)))
    assert peer.asked == ["lfn:/x", "lfn:/y", "lfn:/y"]
    ask.time.advance(100)
    ask("lfn:/x")
    assert peer.asked[3:] == ["lfn:/x"]


def test_rucio_is_asked_with_its_token_and_tells_sizes(peer: Peer, asker: Any, tmp_path: Path) -> None:
    peer.files = {"user.ada:x": ["davs://a/x"], "data:/y": ["davs://b/y"]}
    token = tmp_path / "token"
    token.write_text("secret\n")
    ask = asker(rucio={"kind": "rucio", "url": peer.url + "rucio/", "token_file": str(token), "scope": "data"})
    assert ask("lfn:user.ada:x", "lfn:/y", "guid:1") == Replicas(
        (("lfn:user.ada:x", ("davs://a/x",)), ("lfn:/y", ("davs://b/y",)), ("guid:1", ())),
        (("lfn:/y", 100), ("lfn:user.ada:x", 100)))
    assert peer.asked == ["user.ada:x data:/y"]
    assert peer.tokens == ["secret"]


def test_rucio_is_asked_one_by_one_when_it_does_not_know_one_of_the_files(peer: Peer, asker: Any) -> None:
    peer.files = {"s:x": ["davs://a/x"]}
    ask = asker(rucio={"kind": "rucio", "url": peer.url + "rucio"})
    assert ask("lfn:s:x", "lfn:s:lost").files == (("lfn:s:x", ("davs://a/x",)), ("lfn:s:lost", ()))
    assert peer.asked == ["s:x s:lost", "s:x", "s:lost"]


def test_a_file_is_read_again_when_it_changes_and_one_that_breaks_keeps_its_word(asker: Any, tmp_path: Path) -> None:
    file = tmp_path / "files.yaml"
    file.write_text("lfn:/x: [a]")
    ask = asker(own={"kind": "static", "file": str(file)})
    assert ask("lfn:/x").files == (("lfn:/x", ("a",)),)
    file.write_text("lfn:/x: [")
    ask.time.advance(101)
    assert ask("lfn:/x") == Replicas((("lfn:/x", ("a",)),))
    file.write_text("lfn:/x: [b]")
    ask.time.advance(101)
    assert ask("lfn:/x").files == (("lfn:/x", ("b",)),)


def test_one_catalogue_after_the_other_each_for_what_is_left(peer: Peer, asker: Any, tmp_path: Path) -> None:
    file = tmp_path / "files.yaml"
    file.write_text("lfn:/x: [a]\nlfn:/y: []")
    peer.files = {"lfn:/y": ["b"]}
    ask = asker(own={"kind": "static", "file": str(file)}, lfc={"kind": "dli", "url": peer.url})
    assert ask("lfn:/x", "lfn:/y", "lfn:/z").files == (("lfn:/x", ("a",)), ("lfn:/y", ("b",)), ("lfn:/z", ()))
    assert peer.asked == ["lfn:/y", "lfn:/z"]


def test_a_job_without_data_asks_nobody(peer: Peer, asker: Any) -> None:
    assert asker(lfc={"kind": "dli", "url": peer.url})() == Replicas()
    assert peer.asked == []


# -- who is asked ----------------------------------------------------------------------------------------


def test_a_job_cannot_send_us_anywhere_else(peer: Peer, asker: Any) -> None:
    ask = asker(lfc={"kind": "dli", "url": "http://lfc.example.org:8085/"})
    assert ask("lfn:/x", more=f'DataCatalog = "{peer.url}";') == Replicas(
        (("lfn:/x", ()),), warnings=(f"{peer.url} is not a data catalogue of this site for the VO atlas",))
    assert peer.asked == []


def test_a_job_may_choose_among_the_sites_catalogues(peer: Peer, asker: Any, tmp_path: Path) -> None:
    peer.files = {"lfn:/x": ["b"]}
    file = tmp_path / "files.yaml"
    file.write_text("lfn:/x: [a]")
    ask = asker(own={"kind": "static", "file": str(file)}, lfc={"kind": "dli", "url": peer.url})
    assert ask("lfn:/x", more='DataCatalog = "http://127.0.0.1/elsewhere";').files == (("lfn:/x", ("b",)),)


def test_other_vos_have_other_catalogues(peer: Peer, asker: Any) -> None:
    ask = asker(lfc={"kind": "dli", "url": peer.url, "vos": ["cms"]})
    assert ask("lfn:/x").warnings == ("this site has no data catalogue for the VO atlas",)


# -- when one fails --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("fault", "reply", "words"), [
    (500, b"<E><faultstring>no such\nfile</faultstring></E>", "fault: no such file"),
    (200, b"<html></html>", "the answer (status 200) is not one of listReplicas"),
    (302, b"<html></html>", "the answer (status 302) is not one of listReplicas"),
    (200, b"x" * 9_000_000, "the answer is too long")])
def test_a_failure_is_a_warning_and_the_catalogue_rests(
        peer: Peer, asker: Any, fault: int, reply: bytes, words: str) -> None:
    ask = asker(lfc={"kind": "dli", "url": peer.url})
    peer.fault, peer.reply = fault, reply
    failed = Replicas((("lfn:/x", ()),), (), ("lfn:/x",), (f"catalogue lfc: {words}",))
    assert ask("lfn:/x") == failed
    peer.fault, peer.reply, peer.files = 0, None, {"lfn:/x": ["a"]}
    assert ask("lfn:/x") == failed
    assert len(peer.asked) == 1
    ask.time.advance(resolver.REST_S)
    assert ask("lfn:/x") == Replicas((("lfn:/x", ("a",)),))


def test_nobody_listens(asker: Any) -> None:
    ask = asker(lfc={"kind": "dli", "url": "http://127.0.0.1:1/"})
    (warning,) = ask("lfn:/x").warnings
    assert warning.startswith("catalogue lfc: Connection was refused")


def test_a_silent_catalogue_is_given_up(peer: Peer, asker: Any) -> None:
    peer.hanging.set()
    ask = asker(lfc={"kind": "dli", "url": peer.url}, seconds={"timeout": 0.2})
    assert ask("lfn:/x", "lfn:/y") == Replicas(
        (("lfn:/x", ()), ("lfn:/y", ())), (), ("lfn:/x", "lfn:/y"), ("catalogue lfc: No answer within 0.2 s.",))


def test_what_a_slow_catalogue_said_in_time_is_not_lost(peer: Peer, asker: Any) -> None:
    peer.files = {f"lfn:/{number}": ["a"] for number in range(4)}
    peer.patience = 2
    ask = asker(lfc={"kind": "dli", "url": peer.url}, seconds={"timeout": 0.5})
    assert ask(*peer.files).unanswered == tuple(peer.files)
    peer.hanging.clear()
    peer.released.set()
    ask.time.advance(resolver.REST_S)
    assert not ask(*peer.files).unanswered
    assert peer.asked.count("lfn:/0") == peer.asked.count("lfn:/1") == 1


def test_many_jobs_at_once_ask_for_a_file_a_few_times_only(peer: Peer, asker: Any) -> None:
    peer.files = {"lfn:/x": ["a"]}
    ask = asker(lfc={"kind": "dli", "url": peer.url})

    async def all_at_once() -> list[Any]:
        asked = [Deferred.fromCoroutine(ask.catalogues.resolve(reads("lfn:/x"), "atlas")) for _ in range(50)]
        return [await one for one in asked]

    assert {answer.files for answer in run(all_at_once())} == {(("lfn:/x", ("a",)),)}
    assert len(peer.asked) <= resolver.PARALLEL


def test_another_catalogue_may_know_what_a_failing_one_does_not_tell(peer: Peer, asker: Any) -> None:
    peer.files = {"lfn:/x": ["a"]}
    ask = asker(dead={"kind": "dli", "url": "http://127.0.0.1:1/"}, lfc={"kind": "dli", "url": peer.url})
    found = ask("lfn:/x", "lfn:/y")
    assert (found.files, found.unanswered) == ((("lfn:/x", ("a",)), ("lfn:/y", ())), ("lfn:/y",))


@pytest.mark.parametrize("kind", ["static", "rucio"])
def test_a_file_of_ours_that_is_not_there(asker: Any, tmp_path: Path, kind: str) -> None:
    gone = str(tmp_path / "gone")
    given = {"file": gone} if kind == "static" else {"url": "http://127.0.0.1:1", "token_file": gone}
    (warning,) = asker(own={"kind": kind, **given})("lfn:s:x").warnings
    assert "No such file" in warning


# -- bounds ----------------------------------------------------------------------------------------------


def test_memory_is_bounded(peer: Peer, asker: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolver, "MOST_NAMES", 3)
    ask = asker(lfc={"kind": "dli", "url": peer.url})
    for number in range(10):
        ask(f"lfn:/{number}")
    ask("lfn:/9", "lfn:/8", "lfn:/7")
    assert len(peer.asked) == 10
    ask("lfn:/0")
    assert len(peer.asked) == 11


def test_a_job_of_very_many_files_is_looked_up_in_part(
        peer: Peer, asker: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolver, "MOST_FILES", 2)
    peer.files = {f"lfn:/{number}": ["a"] for number in range(4)}
    found = asker(lfc={"kind": "dli", "url": peer.url})(*peer.files)
    assert [bool(urls) for _, urls in found.files] == [True, True, False, False]
    assert found.warnings == ("only 2 input files are looked up",)
