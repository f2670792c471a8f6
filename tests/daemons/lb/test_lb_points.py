"""The 24 things that matter most about Logging & Bookkeeping: a test for each, named after it."""

from __future__ import annotations

import base64
import hashlib
import random

import msgspec
import sqlalchemy as sa
from book_builders import JANE, START_TIME, Book, story, url

from lb import store
from lb.state.machine import Verdict, fold, step
from wms.event import Event, Source, event
from wms.jobid import JobId
from wms.jobstatus import DoneCode, JobState, WrapperStatus
from wms.seqcode import START, SequenceCode
from wms.ulm import from_ulm, to_ulm

LM, LRMS, WM, NS = Source.LOG_MONITOR, Source.LRMS, Source.WORKLOAD_MANAGER, Source.NETWORK_SERVER


def told(type: str, source: Source, code: SequenceCode, at: float = START_TIME + 500, unique: str = "job",
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
    late = told("Match", WM, code(ns=3, wm=1), dest_id="ce2.example/short")
    after, verdict = step(record, late)
    assert (verdict, after.state) == (Verdict.LATE, JobState.DONE)
    assert after.possible_destinations == [*record.possible_destinations, "ce2.example/short"]


def test_point_4_really_running_elects_the_attempt_and_a_deep_resubmission_resets() -> None:
    """Two attempts; the payload of the first runs, so what the second says is of a bad branch."""
    before = story(length=8)
    elected = fold([*before, told("ReallyRunning", LRMS, code(ns=3, wm=2, jss=1, lm=1, lrms=2))])
    assert (elected.payload_running, elected.state) == (True, JobState.RUNNING)
    other, verdict = step(elected, told("Match", WM, code(ns=3, wm=3), dest_id="ce2.example/q"))
    assert (verdict, other.destination) == (Verdict.LATE, "ce.example/long")
    again, _ = step(elected, told("Resubmission", WM, code(ns=3, wm=4), result="WILLRESUB", reason="lost"))
    assert (again.payload_running, again.possible_destinations, again.branch_tag_seqcode) == (False, [], None)


def test_point_5_done_of_the_wrapper_is_not_done() -> None:
    running = story(length=8)
    record = fold([*running, told("Done", LRMS, code(ns=3, wm=2, jss=1, lm=1, lrms=3), status_code="OK", exit_code=0)])
    assert (record.state, record.jw_status) == (JobState.RUNNING, WrapperStatus.DONE)
    assert fold([*running, told("Done", LM, code(ns=3, wm=2, jss=1, lm=2), status_code="OK", exit_code=0)]
                ).state is JobState.DONE


def test_point_6_how_it_ended_is_the_done_code_and_cancelled_is_a_state_of_its_own() -> None:
    running, ended = story(length=8), code(ns=3, wm=2, jss=1, lm=2)
    failed = fold([*running, told("Done", LM, ended, status_code="FAILED", reason="lost", exit_code=1)])
    assert (failed.state, failed.done_code, failed.exit_code) == (JobState.DONE, DoneCode.FAILED, 0)
    cancelled = fold([*running, told("Done", LM, ended, status_code="CANCELLED", exit_code=0)])
    assert (cancelled.state, cancelled.done_code) == (JobState.CANCELLED, DoneCode.CANCELLED)
    aborted = fold([*running, told("Abort", LM, ended, reason="given up")])
    assert aborted.state is JobState.ABORTED
    cleared = fold([*story(), told("Clear", NS, code(ns=9), reason="TIMEOUT")])
    assert cleared.state is JobState.CLEARED


def test_point_7_terminal_states_absorb_but_for_the_abort_of_the_workload_manager_and_collections() -> None:
    cleared = fold([*story(), told("Clear", NS, code(ns=9), reason="USER")])
    assert step(cleared, told("Running", LRMS, code(ns=10), node="wn9"))[0].state is JobState.CLEARED
    assert step(cleared, told("Abort", LM, code(ns=10), reason="no"))[0].state is JobState.CLEARED
    assert step(cleared, told("Abort", WM, code(), reason="yes"))[0].state is JobState.ABORTED
    first = told("RegJob", NS, code(ns=1), jobtype="COLLECTION", nsubjobs=2, ns="ns.example")
    collection = fold([first, told("Abort", NS, code(ns=2), reason="no")])
    moved = told("CollectionState", Source.LB_SERVER, code(ns=2, lbs=1), state="Running", histogram="Running=1",
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


def test_point_24_an_event_costs_one_row_and_a_job_one(book: Book) -> None:
    """No row of a field, no copy of a state: what a job keeps on disk is its events and one record."""
    book.ingest(story())
    assert len(book.rows(sa.select(store.events))) == len(story())
    assert len(book.rows(sa.select(store.jobs))) == 1


def test_every_event_of_the_story_survives_its_text_form() -> None:
    assert [from_ulm(to_ulm(one)) for one in story()] == story()
