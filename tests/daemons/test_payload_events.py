"""Events that a payload logs through the Network Server: each once, numbered on, as long as its attempt lives."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pytest
import sqlalchemy as sa
from shell import Shell, result

from ns import payload_events, store
from ns.application import BURST
from ns.payload_events import PayloadEvents
from wms.capability import Capability
from wms.database import metadata
from wms.errors import BadEvent, NoSuchJob, NotAllowedNow, Overloaded, SandboxTooLarge
from wms.event import Event
from wms.eventlog import decode_events
from wms.httpd import Call
from wms.operations import OPERATIONS
from wms.seqcode import SequenceCode

JOB, OWNER = "https://lb.example.org:9000/abc", "/CN=alice"
CODE = str(SequenceCode(ui=1, wm=2))


class Ns:
    """The handler, on a database with one started job and its attempt 1, which runs."""

    def __init__(self, shell: Shell) -> None:
        self.shell = shell
        tables = [store.jobs, store.attempts, store.replies]
        metadata.create_all(shell.database.engine, tables)
        job = store.Job("abc", JOB, OWNER, "vo", store.STARTED, False, "", 0.0, "", CODE, "", 0.0, 0.0, 1, "", False)
        self.change(store.add_job, job, [])
        self.change(store.put_attempt, store.Attempt("abc", 1, "nonce", 1.0, sequence_code=CODE))
        self.events = PayloadEvents(shell.kit())

    def change(self, unit: Any, *arguments: Any, **more: Any) -> None:
        result(self.shell.database.transact(unit, *arguments, **more))

    def log(self, key: str = "key-number-1", *, attempt: int = 1, job: str = "abc", **given: str) -> str:
        body = "".join(f"{name.replace('_', ':', 1)}\0{value}\0" for name, value in given.items()).encode()
        call = Call(OPERATIONS["ns.attempt_events"], {"unique": job, "attempt": str(attempt)}, {}, None, (),
                    Capability(JOB, attempt, 1e9), None, key, BytesIO(body), len(body), "", "", "")
        return str(result(self.events.log(call)).sequence_code)

    def logged(self) -> list[Event]:
        return [event for row in self.shell.rows() for event in decode_events(row.body)]


@pytest.fixture
def ns() -> Iterator[Ns]:
    shell = Shell()
    shell.clock.advance(100.0)
    yield Ns(shell)
    shell.close()


def app(code: str) -> int:
    return SequenceCode.parse(code).app


def test_a_tag_reaches_the_topic_of_lb_as_the_owners(ns: Ns) -> None:
    assert app(ns.log(name="phase", value="1", _host="wn7")) == 2
    (event,) = ns.logged()
    assert (event.type, event.job, event.user, event.source, event.host) == (
        "UserTag", JOB, OWNER, "Application", "wn7")
    assert event.fields == {"name": "phase", "value": "1"}
    assert app(event.seqcode) == 1


def test_a_repeated_call_has_the_first_answer_and_no_second_effect(ns: Ns) -> None:
    first = ns.log(name="phase", value="1")
    assert ns.log(name="phase", value="1") == first
    assert len(ns.logged()) == 1


def test_codes_go_on_whether_they_are_handed_over_or_not(ns: Ns) -> None:
    code = ns.log("key-one-1", name="a", value="1")
    code = ns.log("key-two-2", name="a", value="2", _sequence=code)
    ns.log("key-three", name="a", value="3", _sequence=CODE)
    assert [app(event.seqcode) for event in ns.logged()] == [1, 3, 4]


def test_a_prologue_may_log_before_the_start(ns: Ns) -> None:
    ns.log(attempt=2, name="a", value="1")
    assert len(ns.logged()) == 1


def test_an_attempt_that_is_over_says_nothing_more(ns: Ns) -> None:
    ns.change(store.put_attempt, store.Attempt("abc", 1, "nonce", 1.0, closed=2.0))
    with pytest.raises(NotAllowedNow):
        ns.log(name="a", value="1")
    ns.change(store.change_job, "abc", phase=store.ENDED)
    with pytest.raises(NotAllowedNow):
        ns.log(attempt=2, name="a", value="1")
    with pytest.raises(NoSuchJob):
        ns.log(job="other", name="a", value="1")


def test_bounds(ns: Ns, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadEvent):
        ns.log(name="a")
    with pytest.raises(SandboxTooLarge):
        ns.log(name="a", value="x" * payload_events.MAX_BYTES)
    for number in range(int(BURST) - 1):
        ns.log(f"key-{number:06}", name="a", value="1")
    with pytest.raises(Overloaded):
        ns.log("one-too-many", name="a", value="1")
    ns.shell.clock.advance(10.0)
    ns.log("one-too-many", name="a", value="1")
    count = sa.select(sa.func.count()).select_from(store.replies)
    kept = result(ns.shell.database.read(lambda conn: conn.scalar(count)))
    assert kept == BURST
