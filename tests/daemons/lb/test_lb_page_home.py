"""The root of the service: the caller's jobs by family, by state, by query; in three forms, page by page."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest
from book_builders import JANE, JOHN, START_TIME, Book, story, url
from outline import Outline, home
from test_lb_page_family import NUMBER, child, ingest, registration, told

from lb.pages import page_query
from lb.state import embryos


def jobs(book: Book, number: int) -> None:
    for index in range(number):
        book.ingest(story(f"job{index:03}", at=START_TIME + index))


def rows(outline: Outline) -> list[str]:
    return [row[0] for row in outline.rows[1:]]


def pages(book: Book, **query: str) -> Iterator[Outline]:
    while True:
        outline = Outline(home(book, **query).body)
        yield outline
        following = outline.of("a", rel="next")
        if not following:
            return
        asked = parse_qs(urlsplit(str(following[0]["href"])).query)
        query = {**query, **{name: values[0] for name, values in asked.items()}}


def test_all_jobs_page_by_page_newest_first(book: Book) -> None:
    jobs(book, 25)
    book.ingest(story("other", JOHN))
    seen = [rows(outline) for outline in pages(book, limit="10")]
    assert [len(some) for some in seen] == [10, 10, 5]
    assert list(chain.from_iterable(seen)) == [f"job{index:03}" for index in reversed(range(25))]


def test_children_stand_below_their_parents(book: Book) -> None:
    ingest(book, [registration()])
    for index in range(8):
        ingest(book, told(index, length=8))
    book.ingest(story("zz", at=START_TIME + 500))
    found = rows(Outline(home(book).body))
    assert found[:2] == ["zz", "all"]
    assert set(found[3:8]) <= {child(index) for index in range(8)}
    assert found[8:] == ["all 60 sub-jobs"]
    assert "8 Running" in found[2]


def test_a_page_that_passes_over_too_many_children_goes_on(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_query, "PASSED_OVER", 1)
    ingest(book, [registration()])
    for index in range(6):
        later = told(index)
        ingest(book, [msgspec.structs.replace(one, timestamp=one.timestamp + 1 + index) for one in later])
    book.ingest(story("zz", at=START_TIME - 500))
    seen = [rows(outline) for outline in pages(book, limit="2")]
    assert seen[:2] == [["Nothing on this page."]] * 2
    assert [seen[2][0], seen[2][-1]] == ["all", "zz"]
    assert len(seen) == 3


def test_children_of_one_registration_are_passed_over_at_once(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_query, "PASSED_OVER", 1)
    parent = registration()
    births, _rest = embryos.births(embryos.expansions([parent], [parent])[0], NUMBER)
    ingest(book, [parent])
    ingest(book, births)
    book.ingest(story("zz", at=START_TIME - 500))
    first, second, *others = (rows(outline) for outline in pages(book, limit="3"))
    assert first == ["Nothing on this page."]
    assert [second[0], second[-1], others] == ["all", "zz", []]


def test_jobs_of_a_state(book: Book) -> None:
    book.ingest([*story("a"), *story("b", length=8)])
    outline = Outline(home(book, state="running").body)
    assert rows(outline) == ["b"]
    assert [option for option in outline.of("option") if "selected" in option] == [{"selected": None}]


def test_no_jobs_is_a_page_that_says_so(book: Book) -> None:
    assert home(book).status == 404
    assert b"You have no jobs here." in home(book).body
    assert b"None of your jobs is Ready." in home(book, state="Ready").body
    assert home(book, text="").body.decode().splitlines()[:2] == ["Error=404", "Code=LB_NOTHING_FOUND"]
    assert msgspec.json.decode(home(book, json="").body)["code"] == "LB_NOTHING_FOUND"


def test_text_for_scripts(book: Book) -> None:
    jobs(book, 3)
    ids = ",".join(url(f"job{index:03}") for index in (2, 1, 0))
    assert home(book, text="").body.decode() == f"User_jobs={ids}\nUser_subject={JANE}\n"
    assert home(book, text="", flags="no_jobs").body.decode().startswith("User_states=Done,Done,Done\n")
    assert home(book, text="", limit="2").body.decode().splitlines()[-1].startswith("Cursor=")


def test_json_for_programs(book: Book) -> None:
    jobs(book, 3)
    record = msgspec.json.decode(home(book, json="", limit="2").body)
    assert [job["jobId"] for job in record["jobs"]] == [url("job002"), url("job001")]
    assert "jdl" not in record["jobs"][0]
    more = msgspec.json.decode(home(book, json="", cursor=record["cursor"], flags="no_states").body)
    assert more == {"jobs": [url("job000")], "subject": JANE}


def test_what_is_asked_wrongly_is_refused_in_the_form_asked_for(book: Book) -> None:
    assert home(book, state="Lost").status == 400
    assert home(book, limit="many", json="").content_type == "application/json"
    assert home(book, cursor="no").status == 400
    assert home(book, dn=None).status == 401


def test_a_query_by_form_and_by_hand(book: Book) -> None:
    book.ingest([*story("a"), *story("b", length=8), *story("c", JOHN)])
    assert rows(Outline(home(book, query="owner=&status=Running|=Ready").body)) == ["b"]
    assert home(book, query="owner=", status="Done", json="").status == 200
    outline = Outline(home(book, query=f"destination=ce.example/long&owner={JANE}").body)
    assert set(rows(outline)) == {"a", "b"}
    assert outline.of("input")[0]["value"] == f"destination=ce.example/long&owner={JANE}"


def test_a_query_comes_page_by_page_too(book: Book) -> None:
    jobs(book, 25)
    seen = [rows(outline) for outline in pages(book, query="owner=&status=Done", limit="10")]
    assert list(chain.from_iterable(seen)) == [f"job{index:03}" for index in reversed(range(25))]


def test_a_query_that_finds_nothing_or_cannot_be_answered(book: Book) -> None:
    book.ingest(story("c", JOHN))
    assert home(book, query="destination=ce.example/long").status == 404
    assert home(book, query="status=Running").status == 400
    assert b"LB_NO_INDEX" in home(book, query="status=Running", text="").body
    assert b"cannot ask for" in home(book, query="weather=fine").body


def test_a_page_of_100_jobs_is_small(book: Book) -> None:
    for index in range(100):
        book.ingest(story(f"{index:03}_YCjYvCX1MG9Y5dv7X2g", at=START_TIME + index))
    assert len(home(book).body) < 60_000
