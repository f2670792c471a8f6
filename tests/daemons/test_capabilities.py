"""Capability tokens at every operation: good for the open attempt they were issued for, and for nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
import sqlalchemy as sa
from twisted.internet import task
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Cooperator
from twisted.internet.testing import StringTransport
from twisted.logger import Logger
from twisted.python.failure import Failure

from ns import store
from ns.attempts import close
from tests.suite.world import NOW, World
from wms.callers import Caller
from wms.capability import issue
from wms.database import metadata
from wms.httpd import Factory, Router
from wms.messages.attempts import Close
from wms.operations import OPERATIONS
from wms.outbox import Outbox

SECRET = b"s" * 32
LATER = NOW + 1e6
ATTEMPT = [name for name, operation in OPERATIONS.items() if operation.right == "attempt"]
LOGGER = [name for name, operation in OPERATIONS.items() if operation.right == "logger"]
OTHERS = [name for name, operation in OPERATIONS.items() if operation.right not in ("attempt", "logger")]
NEVER = {"NS_AUTHENTICATION", "UI_PROXY_INVALID", "UI_PROXY_EXPIRED", "WMS_CAPABILITY_FOREIGN", "WMS_ERROR"}
"""Codes of tokens that are not accepted, and of a service that failed."""
OVER = "NS_OPERATION_NOT_ALLOWED"
PARAMS = {"attempt": "1", "name": "f", "offset": "0", "tag": "t", "node": "other", "number": "1"}
BODIES = {"ns.attempt_start": b'{"nonce": "n", "node": "wn", "sequence_code": ""}',
          "ns.attempt_events": b"name\0phase\0value\0x\0", "ns.attempt_save_state": b""}


class Answer(NamedTuple):
    """`code` is empty when it was not refused; `status` 0: it waits for something."""

    status: int
    code: str


class Site:
    """A world behind a router on connections in memory, with two running jobs: `job` and `other`."""

    def __init__(self, directory: Path) -> None:
        self.world = World(directory)
        self.router = Router(self.world.clock, Logger(observer=lambda _: None), SECRET, 10_000)
        self.router.mount(self.world.handlers)
        self.job, self.other = self.running(), self.running()
        self._channels: list[Any] = []

    def running(self) -> str:
        job = self.world.submit('Executable = "/bin/true"; PerusalFileEnable = true;')
        self.world.advance(30)
        assert self.world.start_payload(self.world.token(job))
        return job

    def token(self, job: str = "", attempt: int = 1, expires: float = LATER, secret: bytes = SECRET) -> str:
        return issue(secret, job or self.job, attempt, expires)

    def ask(self, name: str, *tokens: str, unique: str = "") -> Answer:
        """The answer to a call about `job` that shows these tokens."""
        operation = OPERATIONS[name]
        values = {"unique": unique or self.job.rsplit("/", 1)[-1], **PARAMS}
        path = re.sub(r"\{(\w+)\}", lambda found: values.get(found[1], "x"), operation.path)
        body = BODIES.get(name, b"{}")
        lines = [f"{operation.method} {path} HTTP/1.1", "Host: wms", f"Content-Length: {len(body)}",
                 "Idempotency-Key: 0123456789", *(f"Authorization: Bearer {token}" for token in tokens)]
        channel = Factory(self.router, self.world.clock).buildProtocol(None)
        transport: Any = StringTransport()
        transport.wms_caller = Caller(None)
        assert channel is not None
        channel.makeConnection(transport)
        self._channels.append(channel)
        channel.dataReceived("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        return answered(transport.value())

    def rows(self) -> dict[str, Any]:
        """All that is on record."""
        with self.world.engine.begin() as conn:
            return {name: sorted(map(repr, conn.execute(sa.select(table)).all()))
                    for name, table in metadata.tables.items()}

    def close(self) -> None:
        for channel in self._channels:
            channel.connectionLost(Failure(ConnectionDone()))
        self.world.close()


def answered(data: bytes) -> Answer:
    head, _, body = data.partition(b"\r\n\r\n")
    if not head:
        return Answer(0, "")
    status = int(head.split()[1])
    return Answer(status, msgspec.json.decode(body)["code"] if status >= 400 else "")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Nothing that is asked of this one has an effect."""
    made = Site(tmp_path_factory.mktemp("site"))
    yield made
    made.close()


@pytest.fixture
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    made = Site(tmp_path)
    monkeypatch.setattr(task, "_theCooperator", Cooperator(
        lambda: lambda: True, lambda call: made.world.clock.callLater(1, call)))
    yield made
    made.close()


USELESS: dict[str, tuple[str, Callable[[Site], tuple[str, ...]]]] = {
    "of another job": ("WMS_CAPABILITY_FOREIGN", lambda site: (site.token(site.other),)),
    "of another attempt": ("WMS_CAPABILITY_FOREIGN", lambda site: (site.token(attempt=2),)),
    "over": ("UI_PROXY_EXPIRED", lambda site: (site.token(expires=NOW),)),
    "of another service": ("UI_PROXY_INVALID", lambda site: (site.token(secret=b"x" * 32),)),
    "cut": ("UI_PROXY_INVALID", lambda site: (site.token()[:-2],)),
    "padded": ("UI_PROXY_INVALID", lambda site: (site.token() + "=",)),
    "nothing but its beginning": ("UI_PROXY_INVALID", lambda _: ("wmscap1.",)),
    "none": ("NS_AUTHENTICATION", lambda _: ()),
    "two": ("NS_AUTHENTICATION", lambda site: (site.token(), site.token())),
}


@pytest.mark.parametrize("name", ATTEMPT)
@pytest.mark.parametrize("case", USELESS)
def test_another_token_is_useless_and_changes_nothing(site: Site, name: str, case: str):
    code, tokens = USELESS[case]
    before = site.rows()
    assert site.ask(name, *tokens(site)).code == code
    assert site.rows() == before


@pytest.mark.parametrize("name", OTHERS)
def test_it_opens_nothing_of_its_owners(site: Site, name: str):
    if name in site.world.handlers:
        before = site.rows()
        assert site.ask(name, site.token()).code == "WMS_CAPABILITY_FOREIGN"
        assert site.rows() == before


@pytest.mark.parametrize("name", LOGGER)
def test_it_logs_nothing_about_other_jobs(site: Site, name: str):
    before = site.rows()
    found = site.ask(name, site.token(site.other))
    assert found.code or found.status == 200
    assert {key: value for key, value in site.rows().items() if key != "lb_refused"} == {
        key: value for key, value in before.items() if key != "lb_refused"}


@pytest.mark.parametrize("name", ATTEMPT)
def test_the_right_one_is_taken(fresh: Site, name: str):
    assert fresh.ask(name, fresh.token()).code not in NEVER


def closed(site: Site) -> None:
    with site.world.engine.begin() as conn, Outbox(conn, NOW) as out:
        close(out, Close(site.job, 1, "the test said so", ""))


def reported(site: Site) -> None:
    with site.world.engine.begin() as conn:
        row = store.attempt(conn, site.job.rsplit("/", 1)[-1], 1)
        assert row is not None
        store.put_attempt(conn, row._replace(reported=NOW))


def ended(site: Site) -> None:
    with site.world.engine.begin() as conn:
        store.change_job(conn, site.job.rsplit("/", 1)[-1], phase=store.ENDED)
    closed(site)


@pytest.mark.parametrize("name", ATTEMPT)
@pytest.mark.parametrize("over", [closed, reported, ended])
def test_it_is_useless_once_its_attempt_is_over(fresh: Site, name: str, over: Callable[[Site], None]):
    over(fresh)
    before = fresh.rows()
    found = fresh.ask(name, fresh.token())
    if name == "ns.attempt_done":  # a wrapper that repeats its last word hears that it was heard
        assert found == Answer(200, "")
    else:
        assert found.code == OVER
    assert fresh.rows() == before
