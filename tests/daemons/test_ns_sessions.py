"""Streams of interactive jobs and files of perusal at the Network Server: over its HTTP, with a hand-moved clock."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from shell import Shell, result
from twisted.internet.error import ConnectionDone
from twisted.internet.testing import StringTransport
from twisted.logger import Logger
from twisted.python.failure import Failure

from ns import store
from ns.listening import Listening
from ns.perusal import Perusals
from ns.sessions import BEAT_S, WAIT_S, Sessions
from wms.callers import Caller
from wms.capability import issue
from wms.database import metadata
from wms.eventlog import decode_events
from wms.httpd import Call, Factory, Router
from wms.identity import Identity
from wms.operations import Empty
from wms.seqcode import SequenceCode

SECRET = b"s" * 32
JOB, OWNER = "https://lb.example.org:9000/abc", "/CN=alice"
ALICE = Identity(dn=OWNER, ca_dn="/CN=ca", fqans=(), limited=False, not_after=1e6, chain_length=1)
EVE = Identity(dn="/CN=eve", ca_dn="/CN=ca", fqans=(), limited=False, not_after=1e6, chain_length=1)
CODE = str(SequenceCode(ui=1, wm=2))
JDL = 'Executable = "/bin/cat"; JobType = "Interactive"; PerusalFileEnable = true;'
SETTINGS = "ns: {max_session_bytes: 20, max_perusal_bytes: 16, max_perusal_files: 2}\nstate_dir: "


class Line:
    """A connection and what comes over it."""

    def __init__(self, ns: Ns, user: Identity | None) -> None:
        self.channel: Any = Factory(ns.router, ns.shell.clock).buildProtocol(None)
        self.transport: Any = StringTransport()
        if user is not None:
            self.transport.wms_caller = Caller(user)
        self.channel.makeConnection(self.transport)

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> None:
        lines = [f"{method} {path} HTTP/1.1", "Host: wms", f"Content-Length: {len(body)}",
                 *(f"{name}: {value}" for name, value in headers.items())]
        self.channel.dataReceived("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    def answer(self) -> tuple[int, bytes] | None:
        head, _, body = self.transport.value().partition(b"\r\n\r\n")
        return (int(head.split()[1]), body) if head else None

    def told(self) -> list[dict[str, Any]]:
        """The lines of a stream so far, without beats."""
        answer = self.answer()
        assert answer is not None
        chunks, rest = b"", answer[1]
        while rest:
            size, _, rest = rest.partition(b"\r\n")
            chunks, rest = chunks + rest[:int(size, 16)], rest[int(size, 16) + 2:]
        return [json.loads(line) for line in chunks.splitlines() if line]

    def shown(self) -> bytes:
        return b"".join(base64.b64decode(one["data"]) for one in self.told() if "data" in one)

    def leave(self) -> None:
        self.channel.connectionLost(Failure(ConnectionDone()))


class Ns:
    """The operations, with one interactive job whose attempt 1 runs."""

    def __init__(self, shell: Shell) -> None:
        self.shell, self.lines = shell, list[Line]()
        metadata.create_all(shell.database.engine, [store.jobs, store.attempts, store.perusals, store.files])
        self.change(store.add_job, store.Job("abc", JOB, OWNER, "vo", store.STARTED, False, "", 0.0, "", CODE, JDL,
                                             0.0, 0.0, 1, "", False), [])
        self.start(1)
        kit = shell.kit()
        self.listening = Listening(kit.clock)
        sessions, perusals = Sessions(kit, self.listening), Perusals(kit)

        async def done(_call: Call) -> Empty:
            self.change(store.put_attempt, store.Attempt("abc", 1, "nonce", 1.0, 2.0, None, CODE))
            return Empty()

        self.router = Router(kit.clock, Logger(observer=shell.logged.append), SECRET, 10_000_000)
        self.router.mount({
            "ns.session_output": sessions.output, "ns.session_input": sessions.input,
            "ns.session_close": sessions.close, "ns.attempt_session_input": sessions.typed,
            "ns.attempt_session_output": sessions.printed, "ns.attempt_done": sessions.ending(done),
            "ns.perusal_set": perusals.set, "ns.perusal": perusals.look, "ns.perusal_piece": perusals.piece,
            "ns.attempt_perusal": perusals.wanted, "ns.attempt_perusal_piece": perusals.add})

    def change(self, unit: Any, *arguments: Any, **more: Any) -> None:
        result(self.shell.database.transact(unit, *arguments, **more))

    def start(self, attempt: int) -> None:
        self.change(store.put_attempt, store.Attempt("abc", attempt, "nonce", 1.0, sequence_code=CODE))

    def end(self) -> None:
        self.change(store.change_job, "abc", phase=store.ENDED, outcome="Done")

    def line(self, user: Identity | None) -> Line:
        self.lines.append(Line(self, user))
        return self.lines[-1]

    def user(self, method: str, path: str, body: object = b"", user: Identity = ALICE) -> tuple[int, Any]:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self._said(self.line(user), method, f"/ns/v1/jobs/abc{path}", content, {})

    def wrapper(self, method: str, path: str, body: bytes = b"", attempt: int = 1) -> tuple[int, Any]:
        shown = {"Authorization": f"Bearer {issue(SECRET, JOB, attempt, 1e6)}"}
        return self._said(self.line(None), method, f"/ns/v1/attempts/abc/{attempt}{path}", body, shown)

    @staticmethod
    def _said(line: Line, method: str, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, Any]:
        line.ask(method, path, body, **headers)
        answer = line.answer()
        assert answer is not None, "no answer yet"
        status, content = answer
        return status, json.loads(content) if content.startswith(b"{") else content

    def terminal(self, question: str = "") -> Line:
        line = self.line(ALICE)
        line.ask("GET", f"/ns/v1/jobs/abc/session{question}")
        return line

    def waits(self, at: int) -> Line:
        """A wrapper that asks for input."""
        line = self.line(None)
        token = issue(SECRET, JOB, 1, 1e6)
        line.ask("GET", f"/ns/v1/attempts/abc/1/session/{at}", Authorization=f"Bearer {token}")
        return line

    def close(self) -> None:
        for line in self.lines:
            line.leave()


@pytest.fixture
def ns(tmp_path: Path) -> Iterator[Ns]:
    shell = Shell(settings=SETTINGS + str(tmp_path))
    shell.clock.advance(100.0)
    made = Ns(shell)
    yield made
    made.close()
    assert not [event for event in shell.logged if event["log_level"].name == "critical"]
    shell.close()


# -- what is printed ---------------------------------------------------------------------------------------


def test_what_is_printed_is_seen_at_once_and_the_end_too(ns: Ns) -> None:
    terminal = ns.terminal()
    assert terminal.told() == [{"attempt": 1, "at": 0, "typed": 0, "ended": False}]
    assert ns.wrapper("PUT", "/session/0", b"one ") == (200, {"have": 4})
    assert terminal.shown() == b"one "
    ns.wrapper("PUT", "/session/4", b"two")
    assert terminal.shown() == b"one two"
    ns.end()
    ns.shell.advance(BEAT_S)
    assert terminal.told()[-1] == {"over": "Done"}


def test_a_terminal_goes_on_where_it_was(ns: Ns) -> None:
    ns.wrapper("PUT", "/session/0", b"one two")
    assert ns.terminal("?attempt=1&at=4").shown() == b"two"
    late = ns.terminal("?at=end")
    ns.wrapper("PUT", "/session/7", b"!")
    assert late.told() == [{"attempt": 1, "at": 7, "typed": 0, "ended": False},
                           {"at": 7, "data": base64.b64encode(b"!").decode()}]


def test_repeated_and_early_bytes(ns: Ns) -> None:
    ns.wrapper("PUT", "/session/0", b"one")
    assert ns.wrapper("PUT", "/session/0", b"one") == (200, {"have": 3})
    assert ns.wrapper("PUT", "/session/1", b"ne two") == (200, {"have": 7})
    assert ns.wrapper("PUT", "/session/9", b"x") == (200, {"have": 7})
    assert ns.terminal().shown() == b"one two"


def test_too_much_is_cut_and_said_once(ns: Ns) -> None:
    assert ns.wrapper("PUT", "/session/0", b"x" * 30) == (200, {"have": 30})
    assert ns.wrapper("PUT", "/session/30", b"more") == (200, {"have": 34})
    shown = ns.terminal().shown()
    assert shown == b"x" * 20 + b"\r\n[wms: output beyond 20 bytes is not kept]\r\n"


def test_a_new_attempt_is_told_after_the_rest_of_the_old_one(ns: Ns) -> None:
    terminal = ns.terminal()
    ns.wrapper("PUT", "/session/0", b"first")
    ns.start(2)
    ns.wrapper("PUT", "/session/0", b"second", attempt=2)
    assert [one.get("attempt") for one in terminal.told()] == [1, None, 2, None]
    assert terminal.shown() == b"firstsecond"


def test_the_last_terminal_is_served_and_the_one_before_is_told(ns: Ns) -> None:
    first, second = ns.terminal(), ns.terminal()
    assert first.told()[-1] == {"taken": True}
    ns.wrapper("PUT", "/session/0", b"x")
    assert (first.shown(), second.shown()) == (b"", b"x")


def test_a_terminal_may_wait_for_the_start(ns: Ns) -> None:
    ns.change(lambda conn: conn.execute(store.attempts.delete()))
    terminal = ns.terminal()
    assert terminal.told() == []
    ns.start(1)
    ns.shell.advance(BEAT_S)
    assert terminal.told()[0]["attempt"] == 1


def test_streams_end_with_the_service(ns: Ns) -> None:
    terminal, wrapper = ns.terminal(), ns.waits(0)
    result(ns.listening.stop())
    assert wrapper.answer() == (200, b"")
    assert terminal.answer() is not None
    assert terminal.transport.value().endswith(b"0\r\n\r\n")


# -- what is typed -----------------------------------------------------------------------------------------


def test_what_is_typed_reaches_a_wrapper_that_waits(ns: Ns) -> None:
    wrapper = ns.waits(0)
    assert wrapper.answer() is None
    assert ns.user("PUT", "/session/1/0", b"hello\n") == (200, {"have": 6})
    assert wrapper.answer() == (200, b"hello\n")
    assert ns.waits(2).answer() == (200, b"llo\n")


def test_a_repeated_request_does_not_type_twice(ns: Ns) -> None:
    for _ in range(2):
        assert ns.user("PUT", "/session/1/0", b"hello\n") == (200, {"have": 6})
    assert ns.waits(0).answer() == (200, b"hello\n")


def test_the_end_of_input_comes_after_the_input(ns: Ns) -> None:
    ns.user("PUT", "/session/1/0", b"a")
    assert ns.user("PUT", "/session/1", {"at": 2})[0] == 400
    wrapper = ns.waits(1)
    assert ns.user("PUT", "/session/1", {"at": 1}) == (200, {})
    answer = wrapper.answer()
    assert answer is not None
    assert answer[0] == 204
    assert ns.waits(0).answer() == (200, b"a")
    assert ns.user("PUT", "/session/1/1", b"b")[0] == 400
    assert ns.terminal().told()[0]["ended"]


def test_a_wrapper_that_nobody_types_to_asks_again(ns: Ns) -> None:
    wrapper = ns.waits(0)
    ns.shell.advance(WAIT_S)
    assert wrapper.answer() == (200, b"")


def test_the_last_word_of_an_attempt_ends_its_streams(ns: Ns) -> None:
    wrapper = ns.waits(0)
    assert ns.wrapper("POST", "/done", b"{}")[0] == 200
    assert wrapper.answer() == (200, b"")
    assert ns.wrapper("PUT", "/session/0", b"x")[0] == 409
    assert ns.user("PUT", "/session/1/0", b"x")[0] == 409


def test_there_is_a_bound_for_input(ns: Ns) -> None:
    status, error = ns.user("PUT", "/session/1/0", b"x" * 21)
    assert (status, error["code"]) == (413, "NS_SANDBOX_TOO_LARGE")


def test_the_first_call_of_a_wrapper_is_on_record(ns: Ns) -> None:
    ns.user("PUT", "/session/1/0", b"early")
    ns.waits(0)
    ns.wrapper("PUT", "/session/0", b"x")
    (event,) = [event for row in ns.shell.rows() for event in decode_events(row.body)]
    assert (event.type, event.fields["svc_name"], event.fields["svc_port"]) == ("Listener", "attempt 1", 7772)


@pytest.mark.parametrize(("method", "path", "body"), [
    ("GET", "/session", b""), ("PUT", "/session/1/0", b"x"), ("PUT", "/session/1", b'{"at": 0}'),
    ("PUT", "/perusal", b"{}"), ("GET", "/perusal", b""), ("GET", "/perusal/1/x/0", b"")])
def test_only_the_owner(ns: Ns, method: str, path: str, body: bytes) -> None:
    status, error = ns.user(method, path, body, EVE)
    assert (status, error["code"]) == (403, "NS_NOT_OWNER")


def test_what_makes_no_sense_is_refused(ns: Ns) -> None:
    for path in ("/session?at=x", "/session?attempt=-1"):
        assert ns.user("GET", path)[0] == 400
    assert ns.user("PUT", "/session/1/x", b"")[0] == 400
    assert ns.user("PUT", "/session/7/0", b"")[0] == 409
    ns.change(store.change_job, "abc", jdl='Executable = "/bin/cat";')
    assert ns.user("GET", "/session")[0] == 409


# -- perusal -----------------------------------------------------------------------------------------------


def test_a_file_is_looked_at(ns: Ns) -> None:
    assert ns.wrapper("GET", "/perusal") == (200, b"")
    assert ns.user("PUT", "/perusal", {"files": ["log", "a b"]}) == (200, {})
    assert ns.wrapper("GET", "/perusal") == (200, b"0 log log\n0 a%20b a b\n")
    assert ns.wrapper("PUT", "/perusal/a%20b/0", b"new") == (200, {"have": 3})
    assert ns.wrapper("PUT", "/perusal/a%20b/0", b"newer") == (200, {"have": 5})
    assert ns.wrapper("GET", "/perusal") == (200, b"0 log log\n5 a%20b a b\n")
    assert ns.user("GET", "/perusal") == (200, {
        "files": ["log", "a b"], "attempt": 1, "seen": [{"name": "a b", "runs": [[0, 5]]}]})
    assert _read(ns, "a%20b", 0, 5) == b"newer"
    assert ns.user("GET", "/perusal/1/a%20b/5")[0] == 404


def _read(ns: Ns, name: str, start: int, end: int) -> bytes:
    found = b""
    while start + len(found) < end:
        found += ns.user("GET", f"/perusal/1/{name}/{start + len(found)}")[1]
    return found


def test_the_last_bytes_are_kept(ns: Ns) -> None:
    ns.user("PUT", "/perusal", {"files": ["log"]})
    for at in range(0, 40, 4):
        ns.wrapper("PUT", f"/perusal/log/{at}", b"%04d" % at)
    assert ns.user("GET", "/perusal")[1]["seen"] == [{"name": "log", "runs": [[24, 40]]}]
    assert _read(ns, "log", 24, 40) == b"0024002800320036"
    ns.wrapper("PUT", "/perusal/log/100", b"gap")
    assert ns.user("GET", "/perusal")[1]["seen"] == [{"name": "log", "runs": [[28, 40], [100, 103]]}]


def test_nothing_is_taken_that_nobody_looks_at(ns: Ns) -> None:
    ns.user("PUT", "/perusal", {"files": ["log"]})
    ns.user("PUT", "/perusal", {"files": []})
    assert ns.wrapper("GET", "/perusal") == (200, b"")
    assert ns.wrapper("PUT", "/perusal/log/0", b"x")[0] == 404


@pytest.mark.parametrize("files", [["a/b"], [".."], ["*.log"], [" a"], ["x" * 121], ["a", "a"], ["a", "b", "c"], [""]])
def test_names_are_checked(ns: Ns, files: list[str]) -> None:
    assert ns.user("PUT", "/perusal", {"files": files})[0] == 400


def test_when_it_is_possible(ns: Ns) -> None:
    ns.change(store.change_job, "abc", jdl='Executable = "/bin/cat";')
    assert "not enabled" in ns.user("PUT", "/perusal", {"files": ["a"]})[1]["message"]
    ns.change(store.change_job, "abc", jdl=JDL, kind="dag")
    assert "dag or collection" in ns.user("PUT", "/perusal", {"files": ["a"]})[1]["message"]
    ns.change(store.change_job, "abc", kind="job", phase=store.ENDED, outcome="Done")
    assert "over" in ns.user("PUT", "/perusal", {"files": ["a"]})[1]["message"]
    assert ns.user("GET", "/perusal")[0] == 200
    ns.change(store.change_job, "abc", phase=store.CLEARED)
    assert ns.user("GET", "/perusal")[0] == 409


def test_the_list_goes_with_the_sandbox(ns: Ns) -> None:
    ns.user("PUT", "/perusal", {"files": ["log"]})
    ns.change(store.cleared, ["abc"])
    assert result(ns.shell.database.read(store.perused, "abc")) == ()
