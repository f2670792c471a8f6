"""Every remote operation and everybody who may call it, by every kind of credential; and the gate's files.

Through the service itself, on connections in memory, with handlers that only note who came through.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import Logger
from twisted.python.failure import Failure

from wms.authz.gate import LOOK_S, Gate
from wms.authz.relations import Reach
from wms.callers import Caller
from wms.calls import Call, Reply, Router
from wms.capability import issue
from wms.config import Settings, parse
from wms.errors import BadToken, ConfigError
from wms.httpd import Factory
from wms.identity import TOKEN, Identity, token_name
from wms.operations import OPERATIONS, Empty, Operation

SECRET = b"s" * 32
JOB = "https://lb.example.org:9000/j1"
ISSUER = "https://issuer.example.org/"
PEER = "192.0.2.7"
READ, MODIFY, CREATE, CANCEL = "compute.read", "compute.modify", "compute.create", "compute.cancel"

# -- what is expected --------------------------------------------------------------------------------------


class Needs(NamedTuple):
    """Of an action, written down once more: the scope of a token, no limited proxy, a superuser; `others`: it may reach
    jobs of others."""

    scope: str = ""
    full: bool = False
    superuser: bool = False
    others: bool = False


NEEDS: Mapping[str, Needs] = {
    "look": Needs(), "submit": Needs(CREATE, full=True), "delegate": Needs(CREATE, full=True), "match": Needs(READ),
    "read": Needs(READ, others=True), "fetch": Needs(READ, others=True), "clear": Needs(MODIFY, others=True),
    "modify": Needs(MODIFY, others=True), "cancel": Needs(CANCEL, others=True), "notify": Needs(READ),
    "statistics": Needs(READ), "log": Needs(MODIFY), "purge": Needs(MODIFY),
    "administer": Needs(MODIFY, full=True, superuser=True), "attempt": Needs()}

MATRIX: Mapping[tuple[str, str], str] = {
    ("anyone", "look"): "ns.version ns.openapi ns.limits lb.version lb.openapi",
    ("anyone", "read"): "lb.home",
    ("user", "look"): "lb.configuration",
    ("user", "submit"): "ns.register",
    ("owner", "submit"): "ns.upload ns.start ns.rescue",
    ("user", "delegate"): "ns.request_delegation ns.put_delegation ns.destroy_delegation ns.delegate_token",
    ("user", "match"): "ns.list_match ns.ces",
    ("user", "read"): "ns.delegation ns.delegations ns.reasons lb.statuses lb.jobs lb.query_jobs lb.query_events "
                      "lb.notifications lb.notification lb.notifications_page lb.notification_page lb.rss_query lb.rss "
                      "lb.atom_query lb.atom lb.purge_progress",
    ("owner", "read"): "ns.list_output ns.perusal ns.checkpoint ns.nodes ns.reason ns.job_delegation",
    ("reader", "read"): "lb.status lb.children lb.histogram lb.events lb.page lb.live",
    ("owner", "fetch"): "ns.output ns.session_output ns.perusal_piece",
    ("owner", "clear"): "ns.purge",
    ("owner", "modify"): "ns.session_input ns.session_close ns.perusal_set",
    ("owner", "cancel"): "ns.cancel",
    ("user", "notify"): "lb.notify_new lb.notify_bind lb.notify_change lb.notify_refresh lb.notify_drop "
                        "lb.notify_acknowledge lb.notify_stream",
    ("user", "statistics"): "lb.statistics lb.statistics_series lb.statistics_destinations lb.counters",
    ("logger", "log"): "lb.log lb.sequence_code",
    ("user", "purge"): "lb.purge",
    ("admin", "administer"): "lb.dump lb.dumps lb.dump_file lb.load ns.ce_check ns.ce_checked ns.ce_drain "
                           "ns.ce_resume",
    ("attempt", "attempt"): "ns.attempt_input ns.attempt_start ns.attempt_output ns.attempt_events ns.attempt_done "
                            "ns.attempt_shared ns.attempt_related ns.attempt_session_input ns.attempt_session_output "
                            "ns.attempt_perusal ns.attempt_perusal_piece ns.attempt_state ns.attempt_save_state "
                            "ns.attempt_token",
}
"""Right and action of every operation: to be chosen for a new one."""
ENTRIES = {name: key for key, names in MATRIX.items() for name in names.split()}

PEOPLE = ("owner", "owner by another credential", "same VO", "superuser", "banned", "stranger")
KINDS = ("certificate", "proxy", "limited proxy", "token", "token to read")
CALLERS = [*((person, kind) for person in PEOPLE for kind in KINDS), ("nobody", "nothing"),
           ("wrapper of this attempt", "capability"), ("wrapper of another attempt", "capability"),
           ("wrapper of another job", "capability")]
POLICY = f"""
ban: [{{dn: "*/CN=banned"}}, {{issuer: "{ISSUER}", subject: banned}}]
superusers: [{{dn: /DC=org/CN=superuser}}, {{issuer: "{ISSUER}", subject: superuser}}]
owners:
  - owner: /DC=org/CN=owner
    is: [{{dn: /DC=other/CN=owner}}, {{issuer: "{ISSUER}", subject: owner}}, {{issuer: "{ISSUER}", subject: owner2}}]
rules:
  - allow: [submit, delegate, match, read, fetch, clear, modify, cancel, notify, statistics, log, purge]
    who: everybody
  - {{allow: look, who: everybody}}
  - {{allow: [read, cancel], who: {{vo: vo}}, jobs: vo}}
"""
ALLOWED = ""


def expected(operation: str, person: str, kind: str) -> tuple[str, Reach]:
    """The code of the refusal, empty for none, and how far the right reaches."""
    right, action = ENTRIES[operation]
    if kind == "capability":
        return _of_wrapper(right, person), Reach.OWN
    if right == "attempt":
        return "UI_PROXY_INVALID" if kind.startswith("token") else "NS_AUTHENTICATION", Reach.OWN
    if person == "nobody":
        return ALLOWED if right in ("anyone", "reader") else "NS_AUTHENTICATION", Reach.OWN
    if (right, action) == ("anyone", "look"):
        return ALLOWED, Reach.OWN
    code = _of_person(NEEDS[action], person, kind)
    return code, Reach.OWN if code else _reach(action, person)


def _of_wrapper(right: str, person: str) -> str:
    """A token is for its own attempt; events it logs are judged one by one by the handler."""
    mine = person == "wrapper of this attempt"
    return ALLOWED if right == "logger" or (right == "attempt" and mine) else "WMS_CAPABILITY_FOREIGN"


def _of_person(needs: Needs, person: str, kind: str) -> str:
    if person == "banned":
        return "WMS_BANNED"
    if needs.full and kind == "limited proxy":
        return "WMS_PROXY_LIMITED"
    if needs.scope not in ("", READ) and kind == "token to read":
        return "WMS_TOKEN_SCOPE"
    return "WMS_POLICY" if needs.superuser and person != "superuser" else ALLOWED


def _reach(action: str, person: str) -> Reach:
    if person == "superuser":
        return Reach.ALL if NEEDS[action].others else Reach.OWN
    in_vo = person in ("owner", "owner by another credential", "same VO")
    return Reach.VO if in_vo and action in ("read", "cancel") else Reach.OWN


# -- who calls, and how ------------------------------------------------------------------------------------


def identity(person: str, kind: str) -> Identity:
    """As it was verified, before the gate gives it a name."""
    vo = "" if person in ("superuser", "banned", "stranger") else "vo"
    if kind.startswith("token"):
        subject = {"owner by another credential": "owner2"}.get(person, person)
        scopes = {READ} if kind == "token to read" else {READ, MODIFY, CREATE, CANCEL}
        return Identity(token_name(ISSUER, subject), kind=TOKEN, issuer=ISSUER, subject=subject, vo=vo, not_after=2e9,
                        scopes=frozenset(scopes))
    dn = "/DC=other/CN=owner" if person == "owner by another credential" else f"/DC=org/CN={person}"
    return Identity(dn, ca_dn="/DC=org/CN=CA", vo=vo, not_after=2e9, chain_length=1 if kind == "certificate" else 2,
                    limited=kind == "limited proxy")


class Known:
    """Verified tokens by their text."""

    async def identity(self, token: str, now: float) -> Identity:
        person, _, kind = token.replace("_", " ").partition("/")
        if kind not in KINDS:
            raise BadToken("no token of ours")
        return identity(person, kind)


CAPABILITIES = {"wrapper of this attempt": (JOB, 1), "wrapper of another attempt": (JOB, 2),
                "wrapper of another job": (JOB + "2", 1)}


@dataclass
class Service:
    """A router with all operations; `calls` are those that were let in."""

    directory: Path
    policy: str = POLICY
    clock: Clock = field(default_factory=Clock)
    calls: list[Call] = field(default_factory=list)
    logged: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.file = self.directory / "policy.yaml"
        self.file.write_text(self.policy)
        log = Logger(observer=self.logged.append)
        self.gate = Gate(Settings(policy=str(self.file)), self.clock, log)
        self.router = Router(self.clock, log, SECRET, 1000, gate=self.gate, tokens=Known())
        self.router.mount(dict.fromkeys(OPERATIONS, self._handle))

    async def _handle(self, call: Call) -> Reply:
        self.calls.append(call)
        return Empty()

    def ask(self, operation: Operation, person: str = "stranger", kind: str = "certificate",
            peer: str = PEER) -> tuple[str, Reach]:
        """The code of the refusal, empty for none, and how far the right reached."""
        self.calls.clear()
        channel = Factory(self.router, self.clock).buildProtocol(None)
        transport: Any = StringTransport(peerAddress=_Address(peer))
        transport.wms_caller = Caller(identity(person, kind) if kind in KINDS[:3] else None)
        assert channel is not None
        channel.makeConnection(transport)
        channel.dataReceived(request(operation, authorization(person, kind)))
        head, _, body = transport.value().partition(b"\r\n\r\n")
        channel.connectionLost(Failure(ConnectionDone()))
        if self.calls:
            assert head.startswith(b"HTTP/1.1 200 ")
            return "", self.calls[0].jobs
        return str(msgspec.json.decode(body)["code"]), Reach.OWN

    def records(self, level: str) -> list[Any]:
        return [event for event in self.logged if event["log_level"].name == level]


class _Address(NamedTuple):
    host: str
    port: int = 1


def authorization(person: str, kind: str) -> str:
    """The header that goes with the credential."""
    if kind == "capability":
        return f"Authorization: Bearer {issue(SECRET, *CAPABILITIES[person], 1000.0)}\r\n"
    token = f"{person}/{kind}".replace(" ", "_")
    return f"Authorization: Bearer {token}\r\n" if kind.startswith("token") else ""


def request(operation: Operation, header: str = "") -> bytes:
    """Of what is the least: parameters x, the job j1, the attempt 1."""
    names = [part.partition("}")[0] for part in operation.path.split("{")[1:]]
    path = operation.url(**dict.fromkeys(names, "x") | {"unique": "j1", "attempt": "1"})
    body = msgspec.json.encode(least(operation.request)) if operation.request else b""
    head = f"{operation.method} {path} HTTP/1.1\r\nHost: wms\r\nIdempotency-Key: 12345678\r\n"
    return f"{head}{header}Content-Length: {len(body)}\r\n\r\n".encode() + body


def least(kind: Any) -> Any:
    """The least value of a type of records."""
    values = {str: "x", int: 1, float: 1.0, bool: False}
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return kind(*(least(one.type) for one in msgspec.structs.fields(kind) if one.required))
    return values.get(kind, ())


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Service:
    return Service(tmp_path_factory.mktemp("gate"))


# -- the matrix --------------------------------------------------------------------------------------------


def test_every_operation_has_its_place_in_the_matrix() -> None:
    assert {name: (one.right, one.action) for name, one in OPERATIONS.items()} == ENTRIES


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_who_is_let_in(service: Service, name: str) -> None:
    found = {caller: service.ask(OPERATIONS[name], *caller) for caller in CALLERS}
    assert found == {caller: expected(name, *caller) for caller in CALLERS}


def test_each_code_of_a_refusal_is_met_in_the_matrix() -> None:
    codes = {expected(name, *caller)[0] for name in OPERATIONS for caller in CALLERS}
    assert codes == {"", "NS_AUTHENTICATION", "UI_PROXY_INVALID", "WMS_CAPABILITY_FOREIGN", "WMS_BANNED",
                     "WMS_PROXY_LIMITED", "WMS_TOKEN_SCOPE", "WMS_POLICY"}


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_a_network_that_is_kept_out_gets_nothing(name: str, tmp_path: Path) -> None:
    here = Service(tmp_path, f"rules: [{{deny: all, who: everybody, from: {PEER}}}, {{allow: all, who: everybody}}]")
    everybody = [("stranger", "certificate"), ("stranger", "token"), ("nobody", "nothing"),
                 ("wrapper of this attempt", "capability")]
    for person, kind in everybody:
        inside, outside = (here.ask(OPERATIONS[name], person, kind, peer)[0] for peer in (PEER, "198.51.100.1"))
        assert (inside == "WMS_POLICY") or inside == outside != ""


# -- refusals ----------------------------------------------------------------------------------------------


def test_a_refusal_is_logged_with_who_what_and_why_and_counted(tmp_path: Path) -> None:
    here = Service(tmp_path, POLICY.replace("who: everybody}", "who: everybody}\n  - {name: no, deny: cancel, "
                                            "who: {dn: /DC=org/CN=owner}}"))
    assert here.ask(OPERATIONS["ns.cancel"], "owner by another credential")[0] == "WMS_POLICY"
    (record,) = here.records("warn")
    wanted = {"operation": "ns.cancel", "action": "cancel", "caller": "/DC=org/CN=owner", "kind": "certificate",
              "credential": "/DC=other/CN=owner", "rule": "denied rule 3 (no)", "code": "WMS_POLICY", "peer": PEER}
    assert {name: record[name] for name in wanted} == wanted
    here.ask(OPERATIONS["ns.cancel"], "banned")
    here.ask(OPERATIONS["ns.version"], "banned")
    assert here.gate.refused == {"WMS_POLICY": 1, "WMS_BANNED": 1}


def test_a_drained_service_says_so_and_what_is_here_goes_on(tmp_path: Path) -> None:
    here = Service(tmp_path, POLICY + "drain: true")
    for name, (_right, action) in ENTRIES.items():
        assert (here.ask(OPERATIONS[name], "owner")[0] == "NS_DRAINING") is (action == "submit")
    assert here.ask(OPERATIONS["ns.register"], "superuser") == ("", Reach.OWN)
    here.ask(OPERATIONS["ns.request_delegation"], "owner")
    assert here.calls[0].drained, "the handler refuses what is new"
    here.ask(OPERATIONS["ns.request_delegation"], "superuser")
    assert not here.calls[0].drained


# -- files -------------------------------------------------------------------------------------------------

CANCEL_OP = OPERATIONS["ns.cancel"]


def rewritten(path: Path, text: str) -> None:
    """So that it is seen whatever the clock of the file system."""
    path.write_text(text)
    number = path.stat().st_mtime_ns + 1_000_000_000
    os.utime(path, ns=(number, number))


def test_a_policy_that_changes_counts_from_the_next_look_on(tmp_path: Path) -> None:
    here = Service(tmp_path, "")
    rewritten(here.file, "ban: [{dn: '*'}]")
    assert here.ask(CANCEL_OP)[0] == ""
    here.clock.advance(LOOK_S)
    assert here.ask(CANCEL_OP)[0] == "WMS_BANNED"
    assert [event["log_format"] for event in here.records("info")].count("the policy was read again from {path}") == 1


@pytest.mark.parametrize("broken", ["ban: [", "bann: []", "ban_files: [nowhere]"])
def test_a_policy_that_cannot_be_used_leaves_the_old_one_and_says_so_once(tmp_path: Path, broken: str) -> None:
    here = Service(tmp_path, "ban: [{dn: '*/CN=stranger'}]")
    rewritten(here.file, broken)
    for _ in range(3):
        here.clock.advance(LOOK_S)
        assert here.ask(CANCEL_OP)[0] == "WMS_BANNED"
        assert here.ask(CANCEL_OP, "owner")[0] == ""
    assert len(here.records("error")) == 1
    (tmp_path / "nowhere").write_text("/DC=org/CN=owner")
    rewritten(here.file, "ban_files: [nowhere]")
    here.clock.advance(LOOK_S)
    assert [here.ask(CANCEL_OP, who)[0] for who in ("stranger", "owner")] == ["", "WMS_BANNED"]


def test_a_policy_that_vanishes_leaves_the_old_one(tmp_path: Path) -> None:
    here = Service(tmp_path, "ban: [{dn: '*'}]")
    here.file.unlink()
    here.clock.advance(LOOK_S)
    assert here.ask(CANCEL_OP)[0] == "WMS_BANNED"


def test_a_list_of_the_banned_is_read_again_too_and_lies_beside_the_policy(tmp_path: Path) -> None:
    (tmp_path / "banned").write_text("# nobody\n")
    here = Service(tmp_path, "ban_files: [banned]")
    assert here.ask(CANCEL_OP)[0] == ""
    rewritten(tmp_path / "banned", "/DC=org/CN=stranger\n")
    here.clock.advance(LOOK_S)
    assert here.ask(CANCEL_OP)[0] == "WMS_BANNED"
    assert here.records("warn")[-1]["rule"] == f"banned {tmp_path}/banned:1"


@pytest.mark.parametrize("content", [b"ban: [", b"\xff", None])
def test_a_gate_does_not_begin_with_a_policy_that_cannot_be_used(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "p").write_bytes(content)
    with pytest.raises(ConfigError, match=str(tmp_path)):
        Gate(Settings(policy=str(tmp_path / "p")))


def test_super_users_of_bookkeeping_are_superusers() -> None:
    gate = Gate(parse("lb: {super_users: [/CN=admin]}"))
    assert gate.superuser(Identity("/CN=admin", not_after=2e9))
    assert gate.check(OPERATIONS["lb.dump"], Identity("/CN=admin", not_after=2e9), "").jobs is Reach.OWN
    assert gate.reach(Identity("/CN=admin", not_after=2e9), "read") is Reach.ALL
    assert not gate.superuser(Identity("/CN=x", not_after=2e9))
