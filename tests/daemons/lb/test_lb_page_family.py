"""The page of a collection: its children, how many are in which state, and what the flags of its URL ask for."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from book_builders import JANE, JOHN, START_TIME, Book, settled, story, url
from outline import Outline, page

from lb.keeper import keep
from lb.service import followers
from wms.event import Event, Source, event
from wms.jobid import JobId
from wms.seqcode import SequenceCode

NUMBER = 60


def child(index: int) -> str:
    return JobId.parse(url("all")).subjob("WMPROXY", index).unique


def registration(number: int = NUMBER, jobtype: str = "COLLECTION") -> Event:
    return event("RegJob", url("all"), Source.NETWORK_SERVER, SequenceCode(ns=1), START_TIME, "h", JANE, ns="ns",
                 jobtype=jobtype, nsubjobs=number, seed="WMPROXY", jdl="[]")


def told(index: int, owner: str = JANE, length: int = 10) -> list[Event]:
    first, *others = story(child(index), owner, length=length)
    return [msgspec.structs.replace(first, fields={**first.fields, "parent": url("all")}), *others]


def ingest(book: Book, events: list[Event]) -> None:
    settled(book.database.transact(keep, events, book.clock.seconds(), followers(book.kit)))


@pytest.fixture
def family(book: Book) -> Book:
    """Child 0 has not been heard of, 1 runs, 2 is Done, 3 is another's."""
    ingest(book, [registration()])
    ingest(book, [*told(1, length=8), *told(2), *told(3, JOHN)])
    return book


def test_the_page_has_a_histogram_and_the_children(family: Book) -> None:
    outline = Outline(page(family, "all").body)
    parts = {str(found["class"]) for found in outline.of("rect")}
    assert {"f-Running", "f-Done", "f-Submitted"} <= parts
    assert [text for text in outline.texts["span"] if text.isdecimal()] == ["57", "1", "2"]
    assert {f"/{child(1)}", f"/{child(2)}"} <= set(outline.links())
    assert f"/{child(3)}" not in outline.links()


def test_children_of_a_state(family: Book) -> None:
    outline = Outline(page(family, "all", state="running").body)
    assert [row[:2] for row in outline.rows if row[0] == child(1)] == [[child(1), "Running"]]
    assert f"/{child(2)}" not in outline.links()
    assert "Sub-jobs that are Running" in outline.texts["h2"]


def test_many_children_come_page_by_page(book: Book) -> None:
    ingest(book, [registration()])
    for index in range(NUMBER):
        ingest(book, told(index, length=2))
    seen: list[str] = []
    query: dict[str, str] = {}
    while True:
        outline = Outline(page(book, "all", **query).body)
        seen += [row[0] for row in outline.rows if row[0] != "Job" and len(row) == 5 and row[1] == "Waiting"]
        following = outline.of("a", rel="next")
        if not following:
            break
        query = {"cursor": str(following[0]["href"]).partition("cursor=")[2].partition("#")[0].replace("%3D", "=")}
    assert len(seen) == NUMBER
    assert set(seen) == {child(index) for index in range(NUMBER)}


def record(book: Book, **query: str) -> dict[str, Any]:
    return msgspec.json.decode(page(book, "all", json="", **query).body)


def test_json_has_the_stored_histogram(family: Book) -> None:
    assert record(family)["children_hist"] == {"Unknown": 57, "Running": 1, "Done": 2}
    assert "children" not in record(family)


def test_flags_ask_for_more(family: Book) -> None:
    assert record(family, flags="childhist_thorough")["children_hist"] == {"Submitted": 57, "Running": 1, "Done": 2}
    assert set(record(family, flags="children")["children"]) == {url(child(1)), url(child(2))}
    states = record(family, flags="childstat")["children_states"]
    assert {state["state"] for state in states} == {"Running", "Done"}
    both = record(family, flags="children+childstat+no_states")
    assert set(both) == {"jobId", "children"}
    assert "children" not in record(family, flags="childstat children no_jobs")


def test_an_owner_may_be_anonymous(family: Book) -> None:
    owner = record(family, flags="anonymized")["owner"]
    assert len(owner) == 64
    assert JANE not in page(family, "all", flags="anonymized").body.decode()


def test_an_unknown_flag_or_state_is_refused(family: Book) -> None:
    assert page(family, "all", flags="childrens").status == 400
    assert page(family, "all", state="Lost").status == 400
    assert page(family, "all", cursor="?").status == 400


def test_a_child_leads_to_its_parent(family: Book) -> None:
    assert "/all" in Outline(page(family, child(1)).body).links()


def test_a_large_collection_shows_its_classes(book: Book) -> None:
    ingest(book, [registration(1_000_000)])
    ingest(book, told(2))
    outline = Outline(page(book, "all").body)
    assert [text for text in outline.texts["span"] if text in ("1M", "1")] == ["1", "1M"]
    assert "others" in " ".join(outline.texts["li"])


def test_a_dag_has_a_page_too(book: Book) -> None:
    ingest(book, [registration(3, "DAG")])
    assert "Sub-jobs" in Outline(page(book, "all").body).texts["h2"]
