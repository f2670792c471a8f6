"""The HTTPS service under requests that no command sends: broken, forged, repeated. It refuses, and stays whole."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from deployment import Deployment, until
from people import Person, ca_of, owner, someone

from wms.capability import issue
from wms.clienttls import client_context
from wms.jobid import JobId
from wms.secret import NAME
from wms.x509 import authority, proxy

TRUE = 'Executable = "/bin/true";'
CAT = 'Executable = "/bin/cat"; Arguments = "data"; StdOutput = "o"; InputSandbox = {"data"}; OutputSandbox = {"o"};'
SLEEP = 'Executable = "/bin/sleep"; Arguments = "600";'
DATA = b"12345"
ANSWER_S = 20.0
TRICKS = ["..%2F..%2Fetc%2Fpasswd", "%2e%2e%2f%2e%2e%2fpasswd", "%2Fetc%2Fpasswd", "a%00b", "..", "%2e%2e", "a%0Ab",
          "a%5C..%5Cb%2F"]


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    document: Any

    @property
    def code(self) -> str:
        return str(self.document["code"])


@dataclass(frozen=True, slots=True)
class Wire:
    """Requests of a person, or of nobody, byte by byte."""

    service: Deployment
    credential: Path | None

    @property
    def place(self) -> tuple[str, int]:
        host, port = self.service.addresses()["WMS_ENDPOINT"].removeprefix("https://").split(":")
        return host, int(port)

    def context(self) -> ssl.SSLContext:
        return client_context(str(self.credential) if self.credential else None, str(self.service.site.certificates))

    def asks(self, method: str, path: str, body: bytes | dict[str, Any] = b"", **headers: str) -> Answer:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        with closing(http.client.HTTPSConnection(*self.place, timeout=ANSWER_S, context=self.context())) as connection:
            connection.request(method, path, body=content, headers=named)
            response = connection.getresponse()
            return Answer(response.status, json.loads(response.read() or b"null"))

    def socket(self) -> ssl.SSLSocket:
        plain = socket.create_connection(self.place, ANSWER_S)
        return self.context().wrap_socket(plain, server_hostname=self.place[0])

    def says(self, *lines: str, body: bytes = b"") -> bytes:
        """All that comes back on these lines and bytes until the service closes, or is silent for a second."""
        with self.socket() as connection:
            connection.sendall("\r\n".join([*lines, "Host: localhost", "", ""]).encode("latin-1") + body)
            connection.settimeout(1.0)
            received = b""
            with suppress(TimeoutError, ConnectionResetError):
                while piece := connection.recv(65536):
                    received += piece
            return received


@pytest.fixture(scope="module")
def service(pattern: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    with pattern.copy(tmp_path_factory.mktemp("raw") / "wms") as made:
        made.configure(ns={"max_output_bytes": 1000}, tls={"reload_s": 0.2})
        made.start()
        yield made


@pytest.fixture(scope="module")
def user(service: Deployment) -> Person:
    """Has delegated a proxy."""
    person = owner(service, service.directory / "home")
    with person.client() as client:
        client.delegate()
    return person


@pytest.fixture(scope="module")
def wire(user: Person) -> Wire:
    return Wire(user.service, user.proxy)


@pytest.fixture(scope="module")
def delegation(user: Person) -> str:
    with user.client() as client:
        return client.credential.delegation


@pytest.fixture(scope="module")
def running(user: Person) -> Iterator[str]:
    """A job whose payload has started."""
    job = user.submits(SLEEP)
    user.service.wait_state(job, "Running")
    yield job
    user.sees("job-cancel", "--noint", job)
    user.service.wait_state(job, "Cancelled")


@pytest.fixture(autouse=True)
def no_incidents(service: Deployment) -> Iterator[None]:
    """Whatever comes, the service neither fails on it nor writes outside its sandboxes."""
    yield
    (process,) = service.running
    assert process.process.poll() is None
    assert [line for line in process.lines() if line["level"] in ("error", "critical")] == []
    assert not [folder for folder, _folders, files in os.walk(service.directory) if "passwd" in files]


def registered(wire: Wire, delegation: str, jdl: str = CAT, **more: Any) -> dict[str, Any]:
    files = [{"name": "data", "size": len(DATA), "sha256": hashlib.sha256(DATA).hexdigest()}]
    return {"jdl": jdl, "delegation": delegation, "files": files, **more}


@pytest.fixture
def job(wire: Wire, delegation: str) -> str:
    """The unique part of a job that waits for its file `data`."""
    answer = wire.asks("POST", "/ns/v1/jobs", registered(wire, delegation), Idempotency_Key=uuid4().hex)
    assert answer.status == 200, answer
    return JobId.parse(answer.document["job"]).unique


def count(user: Person) -> int:
    with user.client() as client:
        return len(list(client.jobs()))


# -- uploads ---------------------------------------------------------------------------------------------


def test_an_upload_with_another_checksum_is_not_taken(wire: Wire, job: str):
    answer = wire.asks("PUT", f"/ns/v1/jobs/{job}/input/data", b"54321")
    assert (answer.status, answer.code) == (422, "NS_FILE_TRANSFER")
    refused = wire.asks("POST", f"/ns/v1/jobs/{job}/start", Idempotency_Key=uuid4().hex)
    assert (refused.status, refused.code) == (400, "UI_JDL_NO_AVAIL_FILE")


@pytest.mark.parametrize("content", [DATA + b"6", DATA[:-1], b"", b"x" * 20_000_000])
def test_an_upload_of_another_size_is_not_taken(wire: Wire, job: str, content: bytes):
    try:
        answer = wire.asks("PUT", f"/ns/v1/jobs/{job}/input/data", content)
    except (BrokenPipeError, ConnectionResetError, ssl.SSLEOFError):
        assert len(content) > 10_000_000, "only what is far too large is cut off"
    else:
        assert answer.status == 413
    assert wire.asks("POST", f"/ns/v1/jobs/{job}/start", Idempotency_Key=uuid4().hex).code == "UI_JDL_NO_AVAIL_FILE"


def test_a_body_larger_than_declared_is_another_request_and_no_good_one(wire: Wire, job: str):
    received = wire.says(f"PUT /ns/v1/jobs/{job}/input/data HTTP/1.1", f"Content-Length: {len(DATA)}",
                         body=DATA + b"surplus bytes\r\n\r\n")
    assert received.startswith(b"HTTP/1.1 200 ")
    assert received.count(b"HTTP/1.1 200 ") == 1
    assert b"HTTP/1.1 400 " in received


def test_a_body_smaller_than_declared_is_no_upload(wire: Wire, job: str):
    with wire.socket() as connection:
        connection.sendall(f"PUT /ns/v1/jobs/{job}/input/data HTTP/1.1\r\nHost: localhost\r\n"
                           f"Content-Length: {len(DATA)}\r\n\r\n".encode() + DATA[:-1])
    assert wire.asks("POST", f"/ns/v1/jobs/{job}/start", Idempotency_Key=uuid4().hex).code == "UI_JDL_NO_AVAIL_FILE"


def test_what_was_refused_can_be_sent_again_and_the_job_runs(wire: Wire, user: Person, job: str):
    assert wire.asks("PUT", f"/ns/v1/jobs/{job}/input/data", b"54321").status == 422
    for _ in range(2):
        assert wire.asks("PUT", f"/ns/v1/jobs/{job}/input/data", DATA).status == 200
    started = wire.asks("POST", f"/ns/v1/jobs/{job}/start", Idempotency_Key=uuid4().hex)
    assert started.status == 200
    user.sees("job-status", "--watch", started.document["job"])
    late = wire.asks("PUT", f"/ns/v1/jobs/{job}/input/data", DATA)
    assert (late.status, late.code) == (409, "NS_OPERATION_NOT_ALLOWED")


@pytest.mark.parametrize("name", TRICKS)
def test_tricks_with_names_reach_no_file(wire: Wire, job: str, running: str, name: str):
    assert wire.asks("PUT", f"/ns/v1/jobs/{job}/input/{name}", DATA).status in (400, 404)
    assert wire.asks("GET", f"/ns/v1/jobs/{job}/output/{name}").status in (404, 409)
    bearer = {"Authorization": f"Bearer {token(wire, running)}"}
    attempt = f"/ns/v1/attempts/{JobId.parse(running).unique}/1"
    assert wire.asks("PUT", f"{attempt}/output/{name}", DATA, **bearer).status in (400, 404)
    assert wire.asks("GET", f"{attempt}/input/{name}", **bearer).status in (400, 404)


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a\0b", "..", "", "a/b", "a\nb", "x" * 300])
def test_names_that_cannot_be_are_not_registered(wire: Wire, user: Person, delegation: str, name: str):
    before = count(user)
    file = {"name": name, "size": 1, "sha256": "0" * 64}
    answer = wire.asks("POST", "/ns/v1/jobs", registered(wire, delegation, TRUE, files=[file]),
                       Idempotency_Key=uuid4().hex)
    assert (answer.status, answer.code, count(user)) == (400, "NS_SANDBOX_PATH", before)


def test_a_sandbox_of_one_byte_too_much_is_not_registered(wire: Wire, user: Person, delegation: str):
    before = count(user)
    for sizes in ([10_000_001], [5_000_000, 5_000_001], [-1]):
        files = [{"name": f"f{n}", "size": size, "sha256": "0" * 64} for n, size in enumerate(sizes)]
        answer = wire.asks("POST", "/ns/v1/jobs", registered(wire, delegation, TRUE, files=files),
                           Idempotency_Key=uuid4().hex)
        assert (answer.status, answer.code) == (413, "NS_SANDBOX_TOO_LARGE")
    assert count(user) == before


# -- who calls -------------------------------------------------------------------------------------------


def test_without_a_certificate_only_what_anyone_may_ask_is_answered(service: Deployment, wire: Wire, job: str):
    nobody = Wire(service, None)
    assert nobody.asks("GET", "/ns/v1/version").status == 200
    for method, path in (("POST", "/ns/v1/jobs"), ("POST", f"/ns/v1/jobs/{job}/start"),
                         ("POST", f"/ns/v1/jobs/{job}/cancel"), ("GET", f"/ns/v1/jobs/{job}/output"),
                         ("PUT", f"/ns/v1/jobs/{job}/input/data"), ("GET", f"/lb/v1/jobs/{job}"),
                         ("GET", f"/lb/v1/jobs/{job}/events"), ("GET", "/lb/v1/jobs"), ("POST", "/lb/v1/statuses"),
                         ("POST", "/ns/v1/delegations/x"), ("POST", "/ns/v1/match")):
        answer = nobody.asks(method, path, Idempotency_Key=uuid4().hex)
        assert (answer.status, answer.code) == (401, "NS_AUTHENTICATION"), path


def test_the_job_of_somebody_else_takes_nothing_from_me(service: Deployment, job: str, tmp_path: Path):
    bob = Wire(service, someone(service, tmp_path / "bob", "bob").proxy)
    for method, path in (("PUT", f"/ns/v1/jobs/{job}/input/data"), ("POST", f"/ns/v1/jobs/{job}/start"),
                         ("POST", f"/ns/v1/jobs/{job}/purge"), ("GET", f"/ns/v1/jobs/{job}/output/o")):
        answer = bob.asks(method, path, DATA if method == "PUT" else b"", Idempotency_Key=uuid4().hex)
        assert (answer.status, answer.code) == (403, "NS_NOT_OWNER"), path


def token(wire: Wire, job: str, attempt: int = 1, life_s: float = 3600, secret: bytes = b"") -> str:
    """The capability of an attempt, as the Job Adapter gives it to the wrapper."""
    secret = secret or (wire.service.site.state / NAME).read_bytes()
    return issue(secret, job, attempt, time.time() + life_s)


def test_a_wrapper_must_show_the_token_of_its_own_attempt(service: Deployment, wire: Wire, running: str, job: str):
    unique = JobId.parse(running).unique
    other = str(JobId.parse(running))[:-22] + job
    good = token(wire, running)
    shown = {"": "NS_AUTHENTICATION", "Basic Zm9v": "NS_AUTHENTICATION", "Bearer": "NS_AUTHENTICATION",
             "Bearer x": "UI_PROXY_INVALID", f"Bearer {good[:-1]}": "UI_PROXY_INVALID",
             f"Bearer {good[:-2]}AA": "UI_PROXY_INVALID",
             f"Bearer {token(wire, running, secret=b's' * 32)}": "UI_PROXY_INVALID",
             f"Bearer {token(wire, running, life_s=-1)}": "UI_PROXY_EXPIRED",
             f"Bearer {token(wire, running, 2)}": "WMS_CAPABILITY_FOREIGN",
             f"Bearer {token(wire, other)}": "WMS_CAPABILITY_FOREIGN"}
    for caller in (wire, Wire(service, None)):
        for header, code in shown.items():
            for method, verb in (("GET", "input/data"), ("POST", "start"), ("PUT", "output/o"), ("POST", "done")):
                answer = caller.asks(method, f"/ns/v1/attempts/{unique}/1/{verb}", b"{}", Authorization=header)
                assert answer.code == code, (header, verb)
                assert answer.status in (401, 403)
    assert service.state(running) == "Running"


def test_a_second_wrapper_starts_nothing_and_its_word_does_not_count(wire: Wire, service: Deployment, running: str):
    attempt = f"/ns/v1/attempts/{JobId.parse(running).unique}/1"
    bearer = {"Authorization": f"Bearer {token(wire, running)}"}
    ask = {"nonce": "another", "node": "n", "sequence_code": ""}
    refused = wire.asks("POST", f"{attempt}/start", ask, **bearer)
    assert (refused.status, refused.code) == (409, "NS_OPERATION_NOT_ALLOWED")
    assert wire.asks("POST", f"{attempt}/done", {"exit_code": 0, "nonce": "another"}, **bearer).status == 200
    assert service.state(running) == "Running"


def test_an_output_has_its_limit(wire: Wire, running: str):
    attempt = f"/ns/v1/attempts/{JobId.parse(running).unique}/1"
    bearer = {"Authorization": f"Bearer {token(wire, running)}"}
    for size, status in ((600, 200), (401, 413), (400, 200)):
        assert wire.asks("PUT", f"{attempt}/output/f{size}", b"x" * size, **bearer).status == status
    wrong = wire.asks("PUT", f"{attempt}/output/f600", b"y" * 600, Digest="sha-256=" + "0" * 64, **bearer)
    assert (wrong.status, wrong.code) == (422, "NS_FILE_TRANSFER")


# -- chains that speak for nobody ------------------------------------------------------------------------


def test_a_chain_that_is_nobodys_is_told_why_on_every_request(service: Deployment, job: str, tmp_path: Path):
    ours, stranger = ca_of(service), authority.make_authority(time.time(), serial=1, kind="ec")
    late = someone(service, tmp_path / "late", "late", made=time.time() - 7200, life_s=3600)
    chains = {"UI_PROXY_EXPIRED": late.proxy,
              "UI_PROXY_UNTRUSTED": someone(service, tmp_path / "stranger", "owner", ca=stranger).proxy,
              "WMS_PROXY_LEGACY": legacy(ours, tmp_path / "legacy.pem")}
    for code, path in chains.items():
        caller = Wire(service, path)
        for target in ("/ns/v1/version", f"/ns/v1/jobs/{job}/output", "/ns/v1/delegations"):
            answer = caller.asks("GET", target)
            assert (answer.status, answer.code) == (401, code), target
        with caller.socket() as connection:
            asked = b"GET /ns/v1/version HTTP/1.1\r\nHost: x\r\n\r\n"
            for _request in range(2):
                connection.sendall(asked)
                assert connection.recv(65536).startswith(b"HTTP/1.1 401 ")


def legacy(ca: authority.Issued, path: Path) -> Path:
    """A proxy of Globus 2."""
    issued = authority.user_certificate(ca, "old", time.time(), serial=4711, kind="ec")
    owner_, key = proxy.certificates(issued.certificate)[0], proxy.new_key("ec")
    name = x509.Name([*owner_.subject, x509.NameAttribute(NameOID.COMMON_NAME, "proxy")])
    cert = (x509.CertificateBuilder(owner_.subject, name, key.public_key(), 4712)
            .not_valid_before(owner_.not_valid_before_utc).not_valid_after(owner_.not_valid_after_utc)
            .sign(proxy.load_key(issued.key), hashes.SHA256()))
    path.write_bytes(proxy.dump(cert, key, [owner_]))
    return path


def test_a_revocation_ends_what_a_kept_connection_may(service: Deployment, tmp_path: Path):
    revoked = someone(service, tmp_path / "revoked", "revoked")
    caller, ca = Wire(service, revoked.proxy), ca_of(service)
    serial = proxy.certificates(revoked.proxy.read_bytes())[1].serial_number
    subject = x509.load_pem_x509_certificate(ca.certificate).subject
    now = datetime.now(UTC)
    content = (x509.CertificateRevocationListBuilder(subject, now - timedelta(minutes=1), now + timedelta(days=1))
               .add_revoked_certificate(x509.RevokedCertificateBuilder(serial, now).build())
               .sign(proxy.load_key(ca.key), hashes.SHA256()).public_bytes(Encoding.PEM))
    path = service.site.certificates / f"{authority.subject_hash(subject)}.r0"
    with closing(http.client.HTTPSConnection(*caller.place, timeout=ANSWER_S, context=caller.context())) as connection:
        def asked() -> str:
            connection.request("GET", "/ns/v1/delegations")
            return str(json.loads(connection.getresponse().read()).get("code", "served"))

        assert asked() == "served"
        path.write_bytes(content)
        until(lambda: asked() == "WMS_PROXY_REVOKED", "the revocation list to be read")
    assert caller.asks("GET", "/ns/v1/delegations").code == "WMS_PROXY_REVOKED"
    path.unlink()


# -- repetition ------------------------------------------------------------------------------------------


def test_a_registration_repeated_after_a_broken_connection_makes_one_job(wire: Wire, user: Person, delegation: str):
    before, key = count(user), uuid4().hex
    wanted = {"jdl": TRUE, "delegation": delegation, "start": True}
    body = json.dumps(wanted).encode()
    for cut in (None, None, len(body) // 2):
        with wire.socket() as connection:  # closed without a word, or in the middle of one
            connection.sendall(f"POST /ns/v1/jobs HTTP/1.1\r\nHost: localhost\r\nIdempotency-Key: {key}\r\n"
                               f"Content-Length: {len(body)}\r\n\r\n".encode() + body[:cut])
    answers = [wire.asks("POST", "/ns/v1/jobs", wanted, Idempotency_Key=key) for _ in range(3)]
    assert {answer.status for answer in answers} == {200}
    assert len({answer.document["job"] for answer in answers}) == 1
    user.sees("job-status", "--watch", answers[0].document["job"])
    until(lambda: count(user) == before + 1, "LB to know of one job more")


def test_a_key_used_for_something_else_is_refused(wire: Wire, delegation: str):
    key = uuid4().hex
    first, second = ({"jdl": jdl, "delegation": delegation, "start": True} for jdl in (TRUE, TRUE + "RetryCount = 1;"))
    assert wire.asks("POST", "/ns/v1/jobs", first, Idempotency_Key=key).status == 200
    refused = wire.asks("POST", "/ns/v1/jobs", second, Idempotency_Key=key)
    assert (refused.status, refused.code) == (409, "NS_IDEMPOTENCY_KEY_REUSED")
    for wrong in ("", "short", "x" * 129, "with blanks in it"):
        assert wire.asks("POST", "/ns/v1/jobs", first, Idempotency_Key=wrong).status == 400


# -- nonsense --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"jdl": 1}', b"\xff\xfe", b'"' + b"[" * 5000,
                                  b'{"jdl": "x", "delegation": "d", "files": [{}]}'])
def test_bodies_without_sense_are_refused(wire: Wire, body: bytes):
    answer = wire.asks("POST", "/ns/v1/jobs", body, Idempotency_Key=uuid4().hex)
    assert answer.status == 400


@pytest.mark.parametrize(("method", "path", "status"), [
    ("GET", "/ns/nothing", 404), ("GET", "/ns/v1/jobs/x/y/z", 404), ("DELETE", "/ns/v1/jobs", 405),
    ("POST", "/ns/v1/version", 405),
    ("GET", "/ns/v1/jobs/%2e%2e/output", 404), ("GET", "/lb/v1/jobs/" + "A" * 3000, 404),
    ("GET", "/lb/v1/jobs?limit=many", 400), ("GET", "/lb/v1/jobs?cursor=%00", 400),
    ("POST", "/ns/v1/delegations/..%2F..%2Fx", 400)])
def test_addresses_without_sense_are_refused(wire: Wire, method: str, path: str, status: int):
    answer = wire.asks(method, path, Idempotency_Key=uuid4().hex)
    assert answer.status == status, answer


def test_lines_without_sense_are_refused(wire: Wire):
    for line in ("GET", "x" * 20_000, "GET /ns/v1/version HTTP/9.9", "POST /ns/v1/jobs HTTP/1.1\r\nContent-Length: x",
                 "POST /ns/v1/jobs HTTP/1.1\r\nContent-Length: 99999999999"):
        received = wire.says(line)
        assert not received.startswith(b"HTTP/1.1 200"), line
    assert wire.asks("GET", "/ns/v1/version").status == 200
