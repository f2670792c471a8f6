"""Events over HTTPS: what is stored, what is refused and why, and that the answer is about what is on disk."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from book_builders import HOST, JANE, JOHN, PORT, START_TIME, Book, settled, story, url
from twisted.internet.defer import Deferred
from twisted.logger import globalLogPublisher

from lb import zombies
from lb.access import intake
from lb.access.denials import Gate
from lb.access.rights import Action
from lb.rows import from_row
from lb.service import make
from lb.tables import events as event_table
from lb.zombies import Zombie
from wms.capability import Capability
from wms.errors import ConfigError, NoSuchJob, NotAuthorized, NotPermitted, Refused, SandboxTooLarge
from wms.event import Event, Source, event
from wms.httpd import Call
from wms.identity import Identity
from wms.operations import OPERATIONS
from wms.operations.logging import LastCode, Logged
from wms.seqcode import START, SequenceCode
from wms.ulm import to_ulm

ADMIN = "/DC=org/CN=Root"
EXCLUSIVE = 64


def served(book: Book, **settings: Any) -> Book:
    """The same database with other settings of LB."""
    lb = msgspec.structs.replace(book.kit.settings.lb, **settings)
    book.kit = dataclasses.replace(book.kit, settings=msgspec.structs.replace(book.kit.settings, lb=lb))
    book.daemon = make(book.kit)
    return book


def call(name: str, body: bytes = b"", *, dn: str | None = JANE, token: str = "", query: dict[str, str] | None = None,
         **params: str) -> Call:
    who = None if dn is None else Identity(dn, not_after=START_TIME * 2)
    shown = Capability(token, 1, START_TIME * 2) if token else None
    return Call(OPERATIONS[name], params, query or {}, who, (), shown, None, "", BytesIO(body), len(body), "", "", "")


def answer(book: Book, asked: Call) -> Any:
    return settled(Deferred.fromCoroutine(book.daemon.operations[asked.operation.name](asked)))  # type: ignore[arg-type]


def lines(events: Sequence[Event]) -> bytes:
    return b"\n".join(map(msgspec.json.encode, events))


def post(book: Book, events: Sequence[Event], **more: Any) -> Logged:
    found = answer(book, call("lb.log", lines(events), **more))
    assert isinstance(found, Logged)
    return found


def codes(found: Logged) -> list[tuple[int, str, bool]]:
    return [(line.line, line.code, line.permanent) for line in found.refused]


def tag(unique: str = "job", value: str = "1", at: float = START_TIME + 500, **more: Any) -> Event:
    return event("UserTag", url(unique), Source.APPLICATION, START, at, "host", name="step", value=value, **more)


def change(operation: str = "ADD", id: str = JOHN, permission: str = "READ", at: float = START_TIME + 600,
           type: str = "ALLOW") -> Event:
    return event("ChangeACL", url("job"), Source.USER_INTERFACE, START, at, "host", user_id=id, user_id_type="DN",
                 permission=permission, permission_type=type, operation=operation)


def registration(unique: str = "job", user: str = "", priority: int = 0, at: float = START_TIME) -> Event:
    return event("RegJob", url(unique), Source.USER_INTERFACE, START.advanced(Source.USER_INTERFACE), at, "host",
                 user, priority=priority, ns="ns", jobtype="SIMPLE")


def stored(book: Book) -> list[Event]:
    rows = book.rows(sa.select(event_table).order_by(event_table.c.job, event_table.c.number))
    return [from_row(row, url("job")) for row in rows]


def status(book: Book, dn: str = JANE, unique: str = "job", **more: Any) -> dict[str, Any]:
    return answer(book, call("lb.status", dn=dn, unique=unique, **more))  # type: ignore[no-any-return]


@contextmanager
def logged() -> Iterator[list[dict[str, Any]]]:
    found: list[dict[str, Any]] = []
    globalLogPublisher.addObserver(found.append)
    try:
        yield found
    finally:
        globalLogPublisher.removeObserver(found.append)


# -- bodies ----------------------------------------------------------------------------------------------


def test_a_batch_is_stored_and_its_job_is_there(book: Book) -> None:
    assert post(book, story()) == Logged(10, 0)
    assert status(book)["state"] == "Done"
    assert {event.arrived for event in stored(book)} == {START_TIME + 1000}


def test_ulm_and_json_are_told_apart_line_by_line(book: Book) -> None:
    events = story()
    body = to_ulm(events[0]).encode() + b"\n# a remark\r\n" + lines(events[1:3]) + b"\r\n\n" + b"".join(
        to_ulm(event).encode() for event in events[3:])
    assert answer(book, call("lb.log", body)) == Logged(10, 0)
    assert status(book)["version"] == 10


@pytest.mark.parametrize("body", [b"", b"\n", b"# nothing"])
def test_nothing_is_stored_of_nothing(book: Book, body: bytes) -> None:
    assert answer(book, call("lb.log", body)) == Logged(0, 0)


def test_bad_lines_are_refused_alone(book: Book) -> None:
    good = story(length=2)
    body = b"\n".join([b"{", lines(good[:1]), b"DATE=1", b'{"type": "RegJob"}', b"DATE=20200101000000 X=\"1",
                       b"\xff", lines(good[1:]), b"[" * 100_000, b'{"fields": ' + b"[" * 100_000])
    found = answer(book, call("lb.log", body))
    assert (found.stored, codes(found)) == (2, [
        (n, "LB_EVENT_FORMAT", True) for n in (1, 3, 4, 5, 6, 8, 9)])
    assert [line.lb_code for line in found.refused][:2] == [1401, 1403]
    assert all(line.reason for line in found.refused)
    assert book.refusals() == []


def test_a_body_has_limits(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "MAX_BYTES", 10_000)
    monkeypatch.setattr(intake, "MAX_LINES", 3)
    assert post(book, story(length=3)).stored == 3
    with pytest.raises(SandboxTooLarge) as many:
        post(book, story(length=5))
    assert many.value.details == {"limit": 3}
    with pytest.raises(SandboxTooLarge) as large:
        answer(book, call("lb.log", b" " * 10_001))
    assert large.value.details == {"limit": 10_000}


def test_a_large_body_is_read_beside_the_reactor(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "SMALL", 10)
    assert post(book, story()) == Logged(10, 0)


# -- once, whatever happens ------------------------------------------------------------------------------


def test_duplicates_are_success(book: Book) -> None:
    assert post(book, [*story(), *story()]) == Logged(10, 10)
    assert post(book, story()) == Logged(0, 10)
    assert post(book, [*story(), tag()]) == Logged(1, 10)


def test_an_exclusive_registration_sent_again_is_success(book: Book) -> None:
    first = registration(priority=EXCLUSIVE)
    assert post(book, [first]) == Logged(1, 0)
    assert post(book, [first]) == Logged(0, 1)
    assert codes(post(book, [registration(priority=EXCLUSIVE, at=START_TIME + 1)])) == [(1, "LB_JOB_EXISTS", True)]
    assert codes(post(book, [first], dn=JOHN)) == [(1, "NS_NOT_OWNER", True)]
    assert post(book, [registration(at=START_TIME + 2)]) == Logged(1, 0)


def test_an_entry_taken_away_twice_by_the_same_event_is_success(book: Book) -> None:
    remove = change("REMOVE", at=START_TIME + 700)
    post(book, [*story(), change()])
    assert post(book, [remove]) == Logged(1, 0)
    assert post(book, [remove]) == Logged(0, 1)
    assert codes(post(book, [change("REMOVE", at=START_TIME + 701)])) == [(1, "UI_ARG_MISMATCH", True)]


def test_who_waits_for_the_job_is_answered(book: Book) -> None:
    post(book, story(length=3))
    answers: list[Any] = []
    asked = call("lb.status", unique="job", query={"wait_s": "30", "newer_than": "3"})
    waiting = Deferred.fromCoroutine(book.daemon.operations["lb.status"](asked))  # type: ignore[arg-type]
    waiting.addCallback(answers.append)
    assert answers == []
    post(book, [tag()])
    assert [found["version"] for found in answers] == [4]


# -- who ------------------------------------------------------------------------------------------------


def test_the_user_is_the_caller_whatever_a_line_says(book: Book) -> None:
    post(book, [story()[0], *story(owner=JOHN)[1:]])
    post(book, [event("Match", url("job"), Source.WORKLOAD_MANAGER, START, START_TIME, "host", JANE, dest_id="x")],
         dn=JOHN)
    assert [event.user for event in stored(book)] == [JANE] * 10 + [JOHN]


def test_strangers_log_what_services_log_and_no_more(book: Book) -> None:
    post(book, story())
    match = event("Match", url("job"), Source.WORKLOAD_MANAGER, START, START_TIME, "host", dest_id="x")
    found = post(book, [tag(), match, change()], dn=JOHN)
    assert (found.stored, codes(found)) == (1, [(1, "NS_NOT_OWNER", True), (3, "NS_NOT_OWNER", True)])


def test_a_token_logs_for_the_owner_of_its_job(book: Book) -> None:
    post(book, [*story("job", length=7), *story("other", length=7)])
    running = event("Running", url("job"), Source.LRMS, START, START_TIME, "wn", node="wn")
    match = event("Match", url("job"), Source.WORKLOAD_MANAGER, START, START_TIME, "wn", dest_id="x")
    found = post(book, [running, tag(), tag("other"), match, change()], dn=None, token=url("job"))
    assert (found.stored, codes(found)) == (2, [
        (3, "NS_NOT_OWNER", True), (4, "LB_NOT_PERMITTED", True), (5, "LB_NOT_PERMITTED", True)])
    assert {event.user for event in stored(book)} == {JANE}


def test_the_server_and_administrators_forward_events_of_others(book: Book) -> None:
    served(book, super_users=(ADMIN,))
    assert post(book, story(), dn=ADMIN) == Logged(10, 0)
    assert status(book)["owner"] == JANE
    found = post(book, [msgspec.structs.replace(tag(), user=JOHN), msgspec.structs.replace(tag(), user=JANE)], dn=ADMIN)
    assert (found.stored, codes(found)) == (1, [(1, "NS_NOT_OWNER", True)])


def test_only_with_the_right_a_job_is_registered_for_another(book: Book, tmp_path: Path) -> None:
    assert codes(post(book, [registration(user=JOHN)])) == [(1, "NS_NOT_OWNER", True)]
    policy = tmp_path / "policy.yaml"
    policy.write_text(f'REGISTER_JOBS: [{{subject: "{JANE}"}}]\nREGISTER_FOREIGN: [{{subject: "{JANE}"}}]\n')
    served(book, policy=str(policy))
    assert post(book, [registration(user=JOHN)]) == Logged(1, 0)
    assert status(book, JOHN)["owner"] == JOHN


def test_nobody_slips_a_job_into_the_collection_of_another(book: Book) -> None:
    family = event("RegJob", url("family"), Source.USER_INTERFACE, START, START_TIME, "host", ns="ns",
                   jobtype="COLLECTION", nsubjobs=2)
    child = event("RegJob", url("child"), Source.USER_INTERFACE, START, START_TIME, "host", ns="ns", jobtype="SIMPLE",
                  parent=url("family"))
    post(book, [family])
    assert codes(post(book, [child], dn=JOHN)) == [(1, "NS_NOT_OWNER", True)]
    assert post(book, [child]).stored == 1


# -- access lists and payloads ---------------------------------------------------------------------------


def test_a_reader_reads_until_the_entry_is_taken_away(book: Book) -> None:
    post(book, story())
    with pytest.raises(NotAuthorized):
        status(book, JOHN)
    post(book, [change()])
    found = status(book, JOHN)
    assert found["acl"] == ('<?xml version="1.0"?><gacl version="0.9.0"><entry><cred><auri>dn:/DC=org/CN=John</auri>'
                            "</cred><allow><read/></allow></entry></gacl>")
    assert found["access_rights"] == [f"READ ALLOW DN {JOHN}"]
    assert found["state"] == "Done"
    assert codes(post(book, [tag()], dn=JOHN)) == [(1, "NS_NOT_OWNER", True)]
    post(book, [change("REMOVE", at=START_TIME + 700)])
    with pytest.raises(NotAuthorized):
        status(book, JOHN)
    assert "acl" not in status(book)


def test_a_tagger_tags_and_does_not_read(book: Book) -> None:
    post(book, [*story(length=3), change(permission="TAG")])
    assert post(book, [tag(value="7")], dn=JOHN) == Logged(1, 0)
    assert status(book)["user_tags"] == {"step": "7"}
    with pytest.raises(NotAuthorized):
        status(book, JOHN)


def test_a_payload_changes_hands_within_one_batch(book: Book) -> None:
    grant = event("GrantPayloadOwnership", url("job"), Source.USER_INTERFACE, START, START_TIME + 300, "host", JANE,
                  payload_owner=JOHN)
    take = event("TakePayloadOwnership", url("job"), Source.APPLICATION, START, START_TIME + 301, "host", JOHN)
    served(book, super_users=(ADMIN,))
    assert post(book, [*story(), grant, take, msgspec.structs.replace(tag(), user=JOHN)], dn=ADMIN).stored == 13
    found = status(book, JOHN)
    assert (found["payload_owner"], found["owner"]) == (JOHN, JANE)
    assert codes(post(book, [change()], dn=JOHN)) == [(1, "NS_NOT_OWNER", True)]


# -- jobs that are not registered ------------------------------------------------------------------------


def test_events_without_a_registration_are_refused_for_good(book: Book) -> None:
    assert codes(post(book, story()[1:3])) == [(1, "NS_NO_SUCH_JOB", True), (2, "NS_NO_SUCH_JOB", True)]
    assert stored(book) == []


def test_a_registration_first_in_the_batch_is_enough(book: Book) -> None:
    assert post(book, [*story("a"), *story("b")[1:], *story("c")]).stored == 20


def test_what_may_still_be_on_its_way_is_to_be_sent_again(book: Book) -> None:
    book.log(story(length=1))
    assert codes(post(book, [tag()])) == [(1, "NS_NO_SUCH_JOB", False)]
    with book.running():
        assert post(book, [tag()]) == Logged(1, 0)
        assert codes(post(book, [tag("other")])) == [(1, "NS_NO_SUCH_JOB", True)]


def test_grey_jobs_are_kept_and_hidden_until_somebody_registers_them(book: Book) -> None:
    served(book, grey_jobs=True)
    assert post(book, story()[1:], dn=JOHN).stored == 9
    with pytest.raises(NoSuchJob):
        status(book, JOHN)
    assert post(book, story()[:1]).stored == 1
    assert status(book)["version"] == 10


def test_jobs_of_other_servers_are_refused(book: Book) -> None:
    other = msgspec.structs.replace(tag(), job=f"https://{HOST}:{PORT + 1}/job")
    found = post(book, [*story(length=1), other])
    assert (found.stored, codes(found)) == (1, [(2, "NS_NO_SUCH_JOB", True)])
    assert "does not match server address" in found.refused[0].reason


def test_purged_jobs(book: Book) -> None:
    settled(book.database.transact(zombies.add, [Zombie("job", f"{HOST}:{PORT}", JANE, START_TIME)]))
    assert codes(post(book, [tag()])) == [(1, "LB_JOB_PURGED", True)]
    assert codes(post(book, [registration(priority=EXCLUSIVE)])) == [(1, "LB_JOB_EXISTS", True)]
    assert post(book, [registration()]) == Logged(1, 0)


def test_purged_jobs_may_be_forgotten_for_exclusive_registrations(book: Book) -> None:
    served(book, exclusive_zombies=False)
    settled(book.database.transact(zombies.add, [Zombie("job", f"{HOST}:{PORT}", JANE, START_TIME)]))
    assert post(book, [registration(priority=EXCLUSIVE)]) == Logged(1, 0)


def test_an_identifier_that_cannot_be_kept_is_refused(book: Book) -> None:
    found = post(book, [registration("x" * 300), registration("a")])
    assert (found.stored, codes(found)) == (1, [(1, "LB_EVENT_FORMAT", True)])


# -- the policy ------------------------------------------------------------------------------------------


def test_denials_are_logged_and_counted(book: Book, tmp_path: Path) -> None:
    policy = tmp_path / "policy"
    policy.write_text('resource "LB" { action "REGISTER_JOBS" { rule permit { subject = ".*" } } }')
    served(book, policy=str(policy))
    with logged() as records:
        found = post(book, story())
    assert (found.stored, {line.code for line in found.refused}) == (1, {"LB_NOT_PERMITTED"})
    denials = [(record["caller"], record["action"], record["job"], record["number"])
               for record in records if "action" in record]
    assert sorted(denials) == [(JANE, "LOG_CE_EVENTS", url("job"), 2), (JANE, "LOG_GENERAL_EVENTS", url("job"), 1),
                               (JANE, "LOG_WMS_EVENTS", url("job"), 6)]


def test_the_policy_is_read_again_when_its_file_changes(book: Book, tmp_path: Path) -> None:
    policy = tmp_path / "policy"
    policy.write_text("REGISTER_JOBS: [{subject: .*}]")
    served(book, policy=str(policy))
    assert post(book, story()).stored == 1

    def write(text: str, seconds: int) -> None:
        policy.write_text(text)
        os.utime(policy, (seconds, seconds))
        book.clock.advance(1.5)

    write("LOG_GENERAL_EVENTS: [{subject: .*}]", 1)
    assert post(book, [tag()]).stored == 1
    with logged() as records:
        write("LOG_GENERAL: ", 2)
        assert post(book, [tag(value="2", at=START_TIME + 501)]).stored == 1
        policy.unlink()
        book.clock.advance(1.5)
        assert post(book, [tag(value="3", at=START_TIME + 502)]).stored == 1
    assert ["problems" in record for record in records if "policy" in record["log_format"]] == [True, True]
    assert "there is no action LOG_GENERAL" in str(records)
    write("READ_ALL: [{subject: .*}]", 3)
    assert status(book, JOHN)["owner"] == JANE


@pytest.mark.parametrize("text", ["NOTHING: []", None])
def test_a_server_does_not_start_with_a_policy_it_cannot_read(book: Book, tmp_path: Path, text: str | None) -> None:
    policy = tmp_path / "policy"
    if text is not None:
        policy.write_text(text)
    with pytest.raises(ConfigError, match="policy"):
        served(book, policy=str(policy))


def test_a_monitor_sees_a_state_and_no_events(book: Book, tmp_path: Path) -> None:
    policy = tmp_path / "policy"
    policy.write_text('STATUS_FOR_MONITORING: [{subject: "/CN=mon"}]\nREAD_ANONYMIZED: [{subject: "/CN=study"}]')
    post(book, story())
    served(book, policy=str(policy))
    seen = status(book, "/CN=mon")
    assert (seen["state"], seen["destination"], "owner" in seen, "reason" in seen) == (
        "Done", "ce.example/long", False, False)
    assert answer(book, call("lb.events", dn="/CN=mon", unique="job")).events == ()
    events = answer(book, call("lb.events", dn="/CN=study", unique="job")).events
    owner = status(book, "/CN=study")["owner"]
    assert len(owner) == 64
    assert {event["user"] for event in events} == {owner}
    with pytest.raises(NotAuthorized):
        status(book, JOHN)


# -- sequence codes --------------------------------------------------------------------------------------


def last_code(book: Book, **more: Any) -> LastCode:
    found = answer(book, call("lb.sequence_code", unique="job", **more))
    assert isinstance(found, LastCode)
    return found


def test_a_logger_goes_on_from_the_last_code(book: Book) -> None:
    post(book, story(length=5))
    code = START._replace(ns=3, wm=2)
    assert last_code(book) == LastCode(url("job"), str(code))
    assert SequenceCode.parse(last_code(book, query={"source": "application"}).next) == code._replace(app=1)
    assert last_code(book, dn=None, token=url("job")).code == str(code)


def test_a_code_is_told_to_those_who_may_log_or_read(book: Book, tmp_path: Path) -> None:
    post(book, story())
    assert last_code(book, dn=JOHN).code
    policy = tmp_path / "policy"
    policy.write_text("")
    served(book, policy=str(policy))
    assert last_code(book).code
    with pytest.raises(NotAuthorized):
        last_code(book, dn=JOHN)
    with pytest.raises(NotAuthorized):
        last_code(book, dn=None, token=url("other"))


def test_codes_of_nothing_and_of_nobody(book: Book) -> None:
    with pytest.raises(NoSuchJob):
        last_code(book)
    with pytest.raises(Refused):
        last_code(book, query={"source": "me"})


def test_the_gate_tells_who_may_do_what(book: Book) -> None:
    gate = Gate(served(book, super_users=(ADMIN,)).kit)
    gate.require(Action.PURGE, Identity(ADMIN, not_after=9e9))
    with pytest.raises(NotPermitted):
        gate.require(Action.PURGE, Identity(JANE, not_after=9e9), "a job")
    assert gate.counts == {"PURGE": 1}
