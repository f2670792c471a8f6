"""The job identifier as a URL: the same facts as a page, as text and as JSON, and refusals that say why."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from book_builders import JANE, JOHN, STORY, Book, story, url
from outline import Outline, page

from wms.event import Source, event
from wms.jobstatus import JobStatus
from wms.seqcode import SequenceCode
from wms.ulm import from_ulm

TEXT = """\
Job=https://lb.example:9000/a
cream_id=
parent_job=
Status=Done
job_type=SIMPLE
jw_status=DONE
owner=/DC=org/CN=Jane
payload_owner=
condorId=
globusId=
localId=
reason=it ended
stateEnterTime=1700000090.000000
lastUpdateTime=1700000090.000000
expectUpdate=NO
expectFrom=
location=none
destination=ce.example/long
ce_node=wn1.example
resubmitted=NO
cancelling=NO
cancelReason=
cpuTime=-1
done_code=0
exit_code=3
input_sandbox=
output_sandbox=
acl=
user_tags="step=<b>1</b>"
payload_running=NO
possible_destinations="ce.example/long"
possible_ce_nodes="wn1.example"
suspended=NO
suspend_reason=
failure_reasons=
remove_from_proxy=NO
ui_host=ui.example
user_fqans=""
jdl=[ Executable = "a" ]
rsl=7
"""


def test_the_text_has_every_key_in_the_known_order(book: Book) -> None:
    book.ingest(story("a"))
    found = page(book, text="")
    assert (found.body.decode(), found.content_type) == (TEXT, "text/plain; charset=utf-8")


def test_the_history_as_text_can_be_read_again(book: Book) -> None:
    book.ingest(story("a"))
    lines = page(book, text="", flags="classadd+history").body.decode().splitlines()
    history = [line.removeprefix("history=").replace("\\\\", "\\")
               for line in lines if line.startswith("history=")]
    assert [msgspec.structs.replace(from_ulm(line), arrived=0.0) for line in history] == story("a")
    assert [line for line in lines if not line.startswith("history=")] == TEXT.splitlines()


def test_a_collection_shows_its_children(book: Book) -> None:
    code = SequenceCode(ns=1)
    book.ingest([event("RegJob", url("a"), Source.NETWORK_SERVER, code, 1.7e9, "h", JANE, ns="ns",
                       jobtype="COLLECTION", nsubjobs=3, seed="WMPROXY", jdl="[\n]")])
    lines = page(book, text="").body.decode().splitlines()
    assert lines[4:9] == [
        "job_type=COLLECTION", "seed=WMPROXY", "children_num=3", "children_hist=Unknown=3",
        "subjob_failed=NO"]
    assert lines[-2] == "jdl=[\\n]"


@pytest.mark.parametrize(("accept", "query"), [
    ("application/json", {}), ("text/html", {"json": ""}), ("", {"json": "", "text": ""})])
def test_json_by_parameter_or_by_header(book: Book, accept: str, query: dict[str, str]) -> None:
    book.ingest(story("a"))
    found = page(book, accept=accept, **query)
    assert found.content_type == "application/json"
    record = msgspec.json.decode(found.body)
    assert record == book.answer("lb.status", unique="a")
    assert msgspec.convert(record, JobStatus).state == "Done"


def test_json_with_history(book: Book) -> None:
    book.ingest(story("a"))
    record = msgspec.json.decode(page(book, json="", flags="history").body)
    assert record["history"] == list(book.answer("lb.events", unique="a").events)


def test_plain_text_by_header(book: Book) -> None:
    book.ingest(story("a"))
    assert page(book, accept="text/plain").body.decode() == TEXT
    assert page(book, accept="*/*").content_type.startswith("text/html")


def test_the_page_tells_what_happened(book: Book) -> None:
    book.ingest(story("a"))
    outline = Outline(page(book).body)
    assert outline.texts["code"] == [url("a")]
    assert outline.texts["title"] == [
        "Done – a", "Submitted, 10.0 s, from 2023-11-14 22:13:20", "Waiting, 30.0 s, from 2023-11-14 22:13:30",
        "Ready, 20.0 s, from 2023-11-14 22:14:00", "Scheduled, 10.0 s, from 2023-11-14 22:14:20",
        "Running, 20.0 s, from 2023-11-14 22:14:30", "Done, 15 min 10 s, from 2023-11-14 22:14:50",
        "Attempt 1 at ce.example/long: OK"]
    facts = dict(zip(outline.texts["dt"], outline.texts["dd"], strict=True))
    assert (facts["Destination"], facts["Outcome"], facts["Exit code"]) == ("ce.example/long", "OK", "3")
    assert facts["step"] == "<b>1</b>"


def test_the_page_lists_attempts_and_events(book: Book) -> None:
    book.ingest(story("a"))
    head, attempt, _head, *events = Outline(page(book).body).rows
    assert dict(zip(head, attempt, strict=True)) == {
        "#": "1", "Computing element": "ce.example/long", "Outcome": "OK, exit 3", "Why": "it ended",
        "Worker node": "wn1.example", "Chosen (UTC)": "2023-11-14 22:13:50", "Started": "22:14:30",
        "Ended": "22:14:50"}
    assert [event[2] for event in events] == [type for _source, type, _fields in STORY]


def test_nothing_a_user_wrote_becomes_markup(book: Book) -> None:
    book.ingest(story("a"))
    body = page(book).body.decode()
    assert "<b>" not in body
    assert "&lt;b&gt;1&lt;/b&gt;" in body


def test_a_page_renews_itself_while_something_may_happen(book: Book) -> None:
    book.ingest([*story("a", length=5), *story("b")])
    working, done = Outline(page(book).body), Outline(page(book, "b").body)
    assert working.of("html", **{"data-live": "/lb/v1/jobs/a/live"})
    assert working.of("meta", **{"http-equiv": "refresh"})
    assert done.of("html", **{"data-live": "/lb/v1/jobs/b/live"})
    assert not done.of("meta", **{"http-equiv": "refresh"})


def test_a_job_that_has_ended_needs_no_script(book: Book) -> None:
    *before, done = story("a")
    book.ingest([*before, msgspec.structs.replace(done, fields={"status_code": "CANCELLED", "exit_code": -1})])
    outline = Outline(page(book).body)
    assert not outline.of("script")
    assert "data-live" not in outline.of("html")[0]


def test_a_failure_has_its_colour_and_long_values_are_cut(book: Book) -> None:
    *before, done = story("a")
    reason = "x" * 1000
    book.ingest([*before, msgspec.structs.replace(
        done, fields={"status_code": "FAILED", "exit_code": -1, "reason": reason})])
    body = page(book).body.decode()
    assert 'class="state b-Failed big"' in body
    assert "Done (failed)" in body
    assert "x" * 200 + " …" in body


REFUSALS: list[tuple[dict[str, Any], int, str]] = [
    ({"dn": None}, 401, "NS_AUTHENTICATION"),
    ({"dn": JOHN}, 403, "NS_NOT_OWNER"),
    ({"unique": "<nobody>"}, 404, "NS_NO_SUCH_JOB"),
]


@pytest.mark.parametrize(("who", "status", "code"), REFUSALS)
def test_a_refusal_says_why_in_the_form_asked_for(
        book: Book, who: dict[str, Any], status: int, code: str) -> None:
    book.ingest(story("a"))
    html, text, json = page(book, **who), page(book, **who, text=""), page(book, **who, json="")
    assert [html.status, text.status, json.status] == [status] * 3
    assert Outline(html.body).texts["p"]
    assert text.body.decode().splitlines()[:2] == [f"Error={status}", f"Code={code}"]
    assert msgspec.json.decode(json.body)["code"] == code
    assert b"<nobody>" not in html.body
