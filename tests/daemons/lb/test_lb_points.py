"""The 24 things that matter most about Logging & Bookkeeping: a test for each, named after it."""

from __future__ import annotations

import base64
import hashlib
import random

import msgspec
import pytest
import sqlalchemy as sa
from book_builders import JANE, JOHN, START_TIME, Book, settled, story, url
from notification_builders import OWNED, Subscriber, Told, condition, short

from lb import store
from lb.access.policy import parse_policy
from lb.access.rights import Action, View, policy_of, view
from lb.state.machine import Verdict, fold, step
from wms.config import Settings, split_address
from wms.errors import NoSuchNotification, NotAuthorized
from wms.event import Event, Source, event
from wms.identity import Identity
from wms.jobid import JobId
from wms.jobstatus import DoneCode, JobState, WrapperStatus
from wms.seqcode import START, SequenceCode
from wms.ulm import from_ulm, to_ulm

LM, LRMS, WM, NS = Source.LOG_MONITOR, Source.LRMS, Source.WORKLOAD_MANAGER, Source.NETWORK_SERVER


def told_by(type: str, source: Source, code: SequenceCode, at: float = START_TIME + 500, unique: str = "job",
         user: str = JANE, **fields: object) -> Event:
    return event(type, url(unique), source, code, at, "host.example", user, **fields)


def code(**counters: int) -> SequenceCode:
    return START._replace(**counters)


def test_point_1_the_state_is_a_pure_function_of_the_events(book: Book) -> None:
    """Lost, late and doubled events do not break the result, whoever stores them in whatever order."""
    events = story()
    book.ingest(events)
    whole = book.contents()
    other = Book()
    arriving = [*events, *events[2:5]]
    random.Random(4).shuffle(arriving)
    for one in arriving:
        other.ingest([one])
    assert other.contents() == whole
    for lost in range(1, len(events) - 1):
        assert fold([*events[:lost], *events[lost + 1:]]).state is JobState.DONE


def test_point_2_order_is_logical_and_not_by_the_clock() -> None:
    """The clock of the Log Monitor's host is an hour behind: its later code counts."""
    events = story()
    behind = msgspec.structs.replace(events[-1], timestamp=START_TIME - 3600)
    assert fold([*events[:-1], behind]).state is JobState.DONE
    assert SequenceCode(ns=2) > SequenceCode(ns=1, wm=9)


def test_point_3_late_events_do_not_move_the_state_but_tell() -> None:
    record = fold(story())
    late = told_by("Match", WM, code(ns=3, wm=1), dest_id="ce2.example/short")
    after, verdict = step(record, late)
    assert (verdict, after.state) == (Verdict.LATE, JobState.DONE)
    assert after.possible_destinations == [*record.possible_destinations, "ce2.example/short"]


def test_point_4_really_running_elects_the_attempt_and_a_deep_resubmission_resets() -> None:
    """Two attempts; the payload of the first runs, so what the second says is of a bad branch."""
    before = story(length=8)
    elected = fold([*before, told_by("ReallyRunning", LRMS, code(ns=3, wm=2, jss=1, lm=1, lrms=2))])
    assert (elected.payload_running, elected.state) == (True, JobState.RUNNING)
    other, verdict = step(elected, told_by("Match", WM, code(ns=3, wm=3), dest_id="ce2.example/q"))
    assert (verdict, other.destination) == (Verdict.LATE, "ce.example/long")
    again, _ = step(elected, told_by("Resubmission", WM, code(ns=3, wm=4), result="WILLRESUB", reason="lost"))
    assert (again.payload_running, again.possible_destinations, again.branch_tag_seqcode) == (False, [], None)


def test_point_5_done_of_the_wrapper_is_not_done() -> None:
    running = story(length=8)
    wrapper = code(ns=3, wm=2, jss=1, lm=1, lrms=3)
    record = fold([*running, told_by("Done", LRMS, wrapper, status_code="OK", exit_code=0)])
    assert (record.state, record.jw_status) == (JobState.RUNNING, WrapperStatus.DONE)
    assert fold([*running, told_by("Done", LM, code(ns=3, wm=2, jss=1, lm=2), status_code="OK", exit_code=0)]
                ).state is JobState.DONE


def test_point_6_how_it_ended_is_the_done_code_and_cancelled_is_a_state_of_its_own() -> None:
    running, ended = story(length=8), code(ns=3, wm=2, jss=1, lm=2)
    failed = fold([*running, told_by("Done", LM, ended, status_code="FAILED", reason="lost", exit_code=1)])
    assert (failed.state, failed.done_code, failed.exit_code) == (JobState.DONE, DoneCode.FAILED, 0)
    cancelled = fold([*running, told_by("Done", LM, ended, status_code="CANCELLED", exit_code=0)])
    assert (cancelled.state, cancelled.done_code) == (JobState.CANCELLED, DoneCode.CANCELLED)
    aborted = fold([*running, told_by("Abort", LM, ended, reason="given up")])
    assert aborted.state is JobState.ABORTED
    cleared = fold([*story(), told_by("Clear", NS, code(ns=9), reason="TIMEOUT")])
    assert cleared.state is JobState.CLEARED


def test_point_7_terminal_states_absorb_but_for_the_abort_of_the_workload_manager_and_collections() -> None:
    cleared = fold([*story(), told_by("Clear", NS, code(ns=9), reason="USER")])
    assert step(cleared, told_by("Running", LRMS, code(ns=10), node="wn9"))[0].state is JobState.CLEARED
    assert step(cleared, told_by("Abort", LM, code(ns=10), reason="no"))[0].state is JobState.CLEARED
    assert step(cleared, told_by("Abort", WM, code(), reason="yes"))[0].state is JobState.ABORTED
    first = told_by("RegJob", NS, code(ns=1), jobtype="COLLECTION", nsubjobs=2, ns="ns.example")
    collection = fold([first, told_by("Abort", NS, code(ns=2), reason="no")])
    moved = told_by("CollectionState", Source.LB_SERVER, code(ns=2, lbs=1), state="Running", histogram="Running=1",
                 child=url("c"), child_event="Running")
    assert step(collection, moved)[0].state is JobState.RUNNING


def test_point_9_ids_of_sub_jobs_can_be_computed() -> None:
    parent = JobId.parse(url("snPegp1YMJcnS22yF5pFlg"))
    digest = hashlib.md5(b"snPegp1YMJcnS22yF5pFlg,WMPROXY,7", usedforsecurity=False).digest()
    assert parent.subjob("WMPROXY", 7).unique == base64.urlsafe_b64encode(digest).decode().rstrip("=")
    assert len({parent.subjob(None, index).unique for index in range(1000)}) == 1000


def test_point_11_a_repeated_event_is_success_and_changes_nothing(book: Book) -> None:
    book.ingest(story())
    before = (book.contents(), book.event_rows())
    again = book.ingest(story())
    assert (again.stored, again.duplicates, again.refused) == (0, len(story()), [])
    assert (book.contents(), book.event_rows()) == before


def test_point_15_the_identifier_is_a_url_that_works(book: Book) -> None:
    book.ingest(story())
    text = book.answer("lb.page", unique="job", query={"text": ""}).body.decode()
    assert f"Job={url('job')}\n" in text
    assert "Status=Done\n" in text
    assert "history=" in book.answer("lb.page", unique="job", query={"text": "", "flags": "history"}).body.decode()
    assert book.answer("lb.page", unique="unknown", query={"text": ""}).status == 404
    assert book.answer("lb.page", unique="job", query={"text": ""}, dn=None).status == 401


def test_point_13_the_well_known_port_is_9000() -> None:
    """One port takes questions and events alike."""
    assert split_address(Settings().lb.listen)[1] == 9000
    assert JobId.parse("https://lb.example/unique") == JobId.parse("https://lb.example:9000/unique")


def test_point_14_who_has_logged_reads_what_was_logged(book: Book) -> None:
    """The daemons' events are part of their transactions; a question waits for those that are on their way."""
    with book.running():
        book.log(story())
        waiting = book.ask("lb.status", unique="job")
        book.clock.pump([0.1] * 20)
        assert settled(waiting)["state"] == "Done"


def test_point_19_a_registration_is_told_what_concerns_it_until_it_ends(book: Book) -> None:
    jane, told = Subscriber(book), Told(book)
    changes = jane.new((*OWNED, condition("status", "changed")))
    ends = jane.new(OWNED, flags=("terminal",), validity_s=1e9)
    assert ends.valid_until == book.clock.seconds() + book.kit.settings.lb.notify_max_s
    told([*story(), *story("other", owner=JOHN)])
    told([told_by("Clear", NS, code(ns=9), reason="USER")])
    assert jane.states(changes) == ["Submitted", "Waiting", "Ready", "Scheduled", "Running", "Done", "Cleared"]
    assert jane.states(ends) == ["Cleared"]
    book.clock.advance(book.kit.settings.lb.notify_max_s + 1)
    with pytest.raises(NoSuchNotification):
        jane.answer("lb.notification", id=short(changes))


def test_point_20_a_job_is_its_owners_and_those_whom_he_or_the_policy_lets_in(book: Book) -> None:
    book.ingest(story())
    with pytest.raises(NotAuthorized):
        book.answer("lb.status", unique="job", dn=JOHN)
    book.ingest([told_by("ChangeACL", Source.USER_INTERFACE, code(ui=1), user_id=JOHN, user_id_type="DN",
                         permission="READ", permission_type="ALLOW", operation="ADD")])
    assert book.answer("lb.status", unique="job", dn=JOHN)["state"] == "Done"
    policy = policy_of(parse_policy("READ_ANONYMIZED: [{subject: '.*'}]"))
    assert view(policy, Identity("/CN=anybody", not_after=1e12), fold(story())) is View.ANONYMOUS
    assert not policy.permits(Action.REGISTER_JOBS, Identity(JOHN, not_after=1e12))


def test_point_24_an_event_costs_one_row_and_a_job_one(book: Book) -> None:
    """No row of a field, no copy of a state: what a job keeps on disk is its events and one record."""
    book.ingest(story())
    assert len(book.rows(sa.select(store.events))) == len(story())
    assert len(book.rows(sa.select(store.jobs))) == 1


def test_every_event_of_the_story_survives_its_text_form() -> None:
    assert [from_ulm(to_ulm(one)) for one in story()] == story()
