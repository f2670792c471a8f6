"""The market: when sources are asked, what it keeps of them, and CRIC over HTTPS."""

from __future__ import annotations

import json
import random
import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import Logger

from tests.testbed.glue import Queue, glue13
from wm.supply import sources
from wm.supply.market import Market
from wm.supply.report import information
from wms.config import Settings, parse
from wms.database import Database
from wms.errors import ConfigError, Unavailable
from wms.service import Kit
from wms.x509.authority import host_certificate, make_authority, trust_files

NOW = 1_700_000_000.0
CRIC = {"LONG": {"queues": [{"ce_endpoint": "ce.example.org:9619", "ce_flavour": "HTCONDOR-CE",
                             "ce_jobmanager": "condor", "ce_queue_name": "long"}], "vo_name": "atlas"}}
CE = "ce.example.org:9619/htcondorce-condor-long"


class Here:
    """A market with a hand-moved clock and what its log says."""

    def __init__(self, text: str) -> None:
        self.clock = Clock()
        self.clock.advance(NOW)
        self.database = Database("sqlite://", None, inline=True)
        self.said: list[str] = []
        self.kit = Kit(parse(text), self.database, self.clock, random.Random(1), {}, Logger(observer=self._log),
                       "wms.example.org", ("lb.example.org", 9000), b"")
        self.market = Market(self.kit)
        self.news: list[frozenset[str]] = []
        self.market.listen(self.news.append)

    def _log(self, event: dict[str, Any]) -> None:
        self.said.append(event["log_format"].format(**event))

    def do(self, work: Any) -> Any:
        found: list[Any] = []
        Deferred.fromCoroutine(work).addBoth(found.append)
        return found[0]


@pytest.fixture
def here() -> Iterator[Callable[[str], Here]]:
    made: list[Here] = []

    def make(text: str) -> Here:
        made.append(Here(text))
        return made[-1]

    yield make
    for one in made:
        one.database.close()


def test_a_file_is_read_again_only_when_it_changed(here: Callable[[str], Here], tmp_path: Path) -> None:
    path = tmp_path / "queues.json"
    path.write_text(json.dumps(CRIC))
    world = here(f"information: {{cric: ['{path}']}}")
    first = world.do(world.market.current())
    assert list(first.ces) == [CE]
    world.do(world.market.consult())
    assert world.market.snapshot is first
    path.write_text(json.dumps({}))
    world.do(world.market.consult())
    assert (dict(world.market.snapshot.ces), world.news) == ({}, [frozenset({CE})] * 2)


def test_the_black_list_is_heeded(here: Callable[[str], Here], tmp_path: Path) -> None:
    (tmp_path / "bdii.ldif").write_text(glue13(Queue(), Queue(host="bad.example.org")))
    world = here(f"information: {{files: ['{tmp_path}/bdii.ldif'], black_list: ['bad.*']}}")
    assert list(world.do(world.market.current()).ces) == [Queue().id]


def test_a_problem_is_logged_when_it_is_new(here: Callable[[str], Here], tmp_path: Path) -> None:
    path = tmp_path / "ces.yaml"
    path.write_text("ces: [")
    world = here(f"information: {{files: ['{path}']}}")
    for _ in range(3):
        world.do(world.market.refresh())
    assert [line.startswith(f"file {path} keeps its last word: {path}: not YAML") for line in world.said] == [True]
    path.unlink()
    world.do(world.market.refresh())
    assert (len(world.said), list(world.market.silent)) == (2, [f"file {path}"])


def test_records_that_are_refused_are_logged_once(here: Callable[[str], Here], tmp_path: Path) -> None:
    path = tmp_path / "bdii.ldif"
    path.write_text(glue13(Queue()) + "dn: x\nnothing\n")
    world = here(f"information: {{files: ['{path}']}}")
    world.do(world.market.refresh())
    path.write_text(path.read_text() + "\n# again\n")
    world.do(world.market.refresh())
    assert [line.partition(": line")[0] for line in world.said] == [f"refused: {path}"]


def test_many_entries_are_merged_beside_the_reactor(here: Callable[[str], Here], tmp_path: Path) -> None:
    ces = [{"id": f"h{number}:1/q"} for number in range(600)]
    (tmp_path / "ces.json").write_text(json.dumps({"ces": ces}))
    world = here(f"information: {{files: ['{tmp_path}/ces.json']}}")
    assert len(world.do(world.market.current()).ces) == 600


def test_the_report_tells_sources_ages_and_refusals(here: Callable[[str], Here], tmp_path: Path) -> None:
    (tmp_path / "bdii.ldif").write_text(glue13(Queue()) + "dn: x\nnothing\n")
    world = here(f"information: {{files: ['{tmp_path}/bdii.ldif', '{tmp_path}/no.yaml']}}")
    text = world.do(information(world.kit)).splitlines()
    assert text[0].split() == ["CE", "STATE", "FREE", "WAITING", "BACKEND", "AGE", "SOURCES"]
    assert text[1].split()[:7] == [Queue().id, "Production", "3", "2", "none", "0", "s"]
    assert text[2] == "1 computing elements, 0 storage elements"
    assert [line.partition(":")[0] for line in text[3:]] == ["no answer", "refused"]
    [told] = json.loads(world.do(information(world.kit, as_json=True)))["ces"]
    assert told["sources"] == [f"file {tmp_path}/bdii.ldif"]
    one = json.loads(world.do(information(world.kit, Queue().id, as_json=True)))
    assert [line["source"] for line in one if line["name"] == "GlueCEStateStatus"] == [f"file {tmp_path}/bdii.ldif"]
    assert "GlueCEStateStatus" in world.do(information(world.kit, Queue().id))


# -- CRIC over HTTPS -------------------------------------------------------------------------------------


class Answers(BaseHTTPRequestHandler):
    """What a path is asked for is what it answers."""

    def do_GET(self) -> None:
        bodies = {"/queues?json": json.dumps(CRIC).encode(), "/long": b"x" * 200_000, "/latin": b"\xff"}
        body = bodies.get(self.path)
        self.send_response(302 if body is None else 200)
        self.send_header("Location", "http://elsewhere.example.org/")
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[tuple[str, Settings]]:
    """(URL, settings) of an HTTPS server that asks for a certificate."""
    authority = make_authority(NOW, serial=1, kind="ec")
    trusted = tmp_path / "certificates"
    trusted.mkdir()
    for name, content in trust_files(authority.certificate).items():
        (trusted / name).write_bytes(content)
    host = host_certificate(authority, ["localhost"], NOW, serial=2, kind="ec", days=36_500)
    (tmp_path / "host.pem").write_bytes(host.certificate)
    (tmp_path / "key.pem").write_bytes(host.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "host.pem", tmp_path / "key.pem")
    context.load_verify_locations(cadata=authority.certificate.decode())
    context.verify_mode = ssl.CERT_REQUIRED
    server = HTTPServer(("localhost", 0), Answers)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"https://localhost:{server.server_port}", parse(
        f"{{tls: {{certificate: {tmp_path}/host.pem, key: {tmp_path}/key.pem, ca_dir: {trusted}}}, "
        "information: {bdii_timeout_s: 10}}")
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_catalogue_answers_over_https(catalogue: tuple[str, Settings]) -> None:
    url, settings = catalogue
    assert json.loads(sources.fetch(f"{url}/queues?json", settings)) == CRIC


@pytest.mark.parametrize(("path", "problem"), [
    ("/moved", "answers 302"), ("/long", "tells too much"), ("/latin", "does not answer"), ("", "answers 302")])
def test_a_catalogue_that_does_not_answer_well_is_unavailable(
        catalogue: tuple[str, Settings], monkeypatch: pytest.MonkeyPatch, path: str, problem: str) -> None:
    url, settings = catalogue
    monkeypatch.setattr(sources, "MAX_BYTES", 100_000)
    with pytest.raises(Unavailable, match=problem):
        sources.fetch(url + path, settings)


@pytest.mark.parametrize("url", ["http://localhost/", "https:///x", "file:///etc/passwd", "https://h:x/"])
def test_only_https_is_fetched(catalogue: tuple[str, Settings], url: str) -> None:
    with pytest.raises(ConfigError, match="is not a file or https"):
        sources.fetch(url, catalogue[1])
