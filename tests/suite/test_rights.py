"""Whose job it is, asked of the real handlers of all daemons through the service: every operation on a job, by
everybody who is something to it. Who is refused changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from twisted.internet.error import ConnectionDone
from twisted.internet.testing import StringTransport
from twisted.logger import Logger
from twisted.python.failure import Failure

from tests.suite.world import ALICE, World
from wms.callers import Caller
from wms.calls import Router
from wms.database import metadata
from wms.httpd import Factory
from wms.identity import TOKEN, Identity, token_name
from wms.operations import OPERATIONS, Operation, RegisterRequest

ISSUER = "https://issuer.example.org/"
POLICY = f"""
superusers: [{{dn: /DC=org/CN=super}}]
owners: [{{owner: {ALICE}, is: [{{issuer: "{ISSUER}", subject: alice}}, {{dn: /DC=other/CN=alice}}]}}]
rules:
  - {{allow: all, who: everybody}}
  - {{allow: [read, fetch, cancel], who: {{fqan: /vo/Role=operator}}, jobs: vo}}
  - {{allow: read, who: {{dn: /DC=org/CN=monitor}}, jobs: all}}
"""


def certificate(dn: str, vo: str = "", *fqans: str) -> Identity:
    return Identity(dn, vo=vo, fqans=fqans, not_after=2e9)


PEOPLE = {
    "stranger": certificate("/DC=org/CN=stranger"),
    "same VO": certificate("/DC=org/CN=colleague", "vo", "/vo"),
    "operator of another VO": certificate("/DC=org/CN=operator", "other", "/other", "/vo/Role=operator"),
    "stranger by token": Identity(token_name(ISSUER, "bob"), kind=TOKEN, issuer=ISSUER, subject="bob", vo="vo",
                                  scopes=frozenset({"compute.read", "compute.modify", "compute.create",
                                                    "compute.cancel"}), not_after=2e9),
    "monitor": certificate("/DC=org/CN=monitor"),
    "operator": certificate("/DC=org/CN=operator", "vo", "/vo/Role=operator", "/vo"),
    "superuser": certificate("/DC=org/CN=super"),
    "owner by another certificate": certificate("/DC=other/CN=alice"),
    "owner by token": Identity(token_name(ISSUER, "alice"), kind=TOKEN, issuer=ISSUER, subject="alice",
                               scopes=frozenset({"compute.read", "compute.modify", "compute.create",
                                                 "compute.cancel"}), not_after=2e9),
    "owner": certificate(ALICE),
}
OWNERS = frozenset({"owner", "owner by token", "owner by another certificate"})
NS_ACTIONS = {"monitor": {"read"}, "operator": {"read", "fetch", "cancel"},
              "superuser": {"read", "fetch", "clear", "modify", "cancel"}}
"""What those who are not the owner may do with his jobs."""
LB_READERS = OWNERS | {"monitor", "superuser"}
"""Bookkeeping knows no VO of a job."""
BODIES = {"ns.session_close": {"at": 0}}
"""Of requests that cannot be empty."""
ON_JOBS = sorted(name for name, one in OPERATIONS.items() if one.right in ("owner", "reader"))


def may(person: str, operation: Operation) -> bool:
    if operation.daemon == "lb":
        return person in LB_READERS
    return person in OWNERS or operation.action in NS_ACTIONS.get(person, set())


class Door:
    """The service in front of all handlers, and a job of Alice."""

    def __init__(self, directory: Path) -> None:
        self.world = World(directory, policy=POLICY)
        self.logged: list[Any] = []
        kit = self.world.kit
        self.router = Router(kit.clock, Logger(observer=self.logged.append), kit.secret, 10_000, gate=kit.gate,
                             tokens=self)
        self.router.mount(self.world.handlers)
        asked = RegisterRequest('[Executable = "/bin/true"; PerusalFileEnable = true;]', "p", vo="vo")
        self.job = str(self.world.call("ns.register", asked).job)
        self.world.advance(5)

    async def identity(self, token: str, now: float) -> Identity:
        """Of the only token there is."""
        return PEOPLE["owner by token"]

    def ask(self, name: str, who: Identity, body: object = None, bearer: str = "") -> tuple[int, Any]:
        """Status and record of the answer; 0 while a handler waits."""
        operation = OPERATIONS[name]
        names = [part.partition("}")[0] for part in operation.path.split("{")[1:]]
        path = operation.url(**dict.fromkeys(names, "1") | {"unique": self.job.rpartition("/")[2]})
        content = msgspec.json.encode(body or BODIES.get(name, {}))
        channel = Factory(self.router, self.world.clock).buildProtocol(None)
        transport: Any = StringTransport()
        transport.wms_caller = Caller(who)
        assert channel is not None
        channel.makeConnection(transport)
        channel.dataReceived(f"{operation.method} {path} HTTP/1.1\r\nHost: wms\r\nIdempotency-Key: 12345678\r\n"
                             f"{f'Authorization: Bearer {bearer}' if bearer else 'X: y'}\r\n"
                             f"Content-Length: {len(content)}\r\n\r\n".encode() + content)
        head, _, answer = transport.value().partition(b"\r\n\r\n")
        channel.connectionLost(Failure(ConnectionDone()))
        status = int(head.split()[1]) if head else 0
        return status, msgspec.json.decode(answer) if b"application/json" in head else {}

    def tables(self) -> dict[str, list[Any]]:
        """All that is stored."""
        with self.world.engine.connect() as conn:
            return {table.name: list(conn.execute(sa.select(table)).all()) for table in metadata.sorted_tables}

    def close(self) -> None:
        self.world.close()


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    made = Door(tmp_path)
    yield made
    made.close()


@pytest.mark.parametrize("name", ON_JOBS)
def test_an_operation_on_a_job_is_for_whom_it_concerns(door: Door, name: str) -> None:
    operation = OPERATIONS[name]
    page = "NS_NOT_OWNER" if operation.stream == "page" else ""
    for person, who in PEOPLE.items():
        before = door.tables()
        status, record = door.ask(name, who)
        if may(person, operation):
            assert status not in (401, 403, 500), person
        else:
            assert (status, record.get("code", page)) == (403, "NS_NOT_OWNER"), person
            assert door.tables() == before, person
            assert ALICE not in str(record), "whose it is stays a secret"
            line = door.logged[-1]
            assert (line["operation"], line["code"], line["user"]) == (name, 403, who.dn)


@pytest.mark.parametrize("person", sorted(PEOPLE))
def test_an_answer_about_many_jobs_has_those_that_concern_the_caller(door: Door, person: str) -> None:
    _, statuses = door.ask("lb.statuses", PEOPLE[person], {"jobs": [door.job]})
    assert [one["jobId"] for one in statuses["statuses"]] == [door.job] * (person in LB_READERS)
    _, reasons = door.ask("ns.reasons", PEOPLE[person], {"jobs": [{"job": door.job}]})
    told = person in OWNERS or "read" in NS_ACTIONS.get(person, set())
    assert [one["job"] for one in reasons["reasons"]] == [door.job] * told


@pytest.mark.parametrize("person", sorted(PEOPLE))
def test_jobs_of_an_owner_are_found_whichever_credential_he_shows(door: Door, person: str) -> None:
    _, found = door.ask("lb.jobs", PEOPLE[person])
    assert [one["jobId"] for one in found["jobs"]] == [door.job] * (person in OWNERS)


def test_what_the_owner_submits_by_another_credential_is_his(door: Door) -> None:
    assert door.ask("ns.start", PEOPLE["owner by token"])[0] == 200
    door.world.advance(5)
    assert door.world.status(door.job)["owner"] == ALICE
    assert door.ask("ns.cancel", PEOPLE["superuser"])[0] == 200
    door.world.advance(60)
    assert door.world.state(door.job) == "Cancelled"
    cancels = [one for one in door.world.call("lb.events", job=door.job).events if one["type"] == "Cancel"]
    assert cancels[0]["user"] == "/DC=org/CN=super", "who did it is on record"


def test_a_drained_service_takes_no_new_jobs_and_tokens_but_renews_what_it_has(door: Door) -> None:
    (door.world.directory / "policy.yaml").write_text(POLICY + "drain: true\n# so that its size differs\n")
    door.world.advance(2)
    register = {"jdl": '[Executable = "/bin/true";]', "delegation": "p"}
    status, record = door.ask("ns.register", PEOPLE["owner"], register)
    assert (status, record["code"]) == (503, "NS_DRAINING")
    status, record = door.ask("ns.delegate_token", PEOPLE["owner by token"], {}, bearer="token")
    assert (status, record["code"]) == (503, "NS_DRAINING")
    assert door.ask("ns.reason", PEOPLE["owner"])[0] == 200
    assert door.ask("ns.cancel", PEOPLE["owner"])[0] == 200
