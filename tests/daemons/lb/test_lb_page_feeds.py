"""Feeds of the caller's jobs: what is in them, for how long, and in both formats."""

from __future__ import annotations

from xml.etree import ElementTree as xml

import pytest
from book_builders import JANE, JOHN, START_TIME, Book, story, url
from outline import answered

from lb.pages.feeds import ATOM, ATOM_TYPE, RSS_TYPE
from wms.errors import Unauthenticated

NOW = START_TIME + 1000
RECENT = NOW - 200


def guids(body: bytes) -> list[str]:
    """Of the entries of either format."""
    root = xml.fromstring(body)
    if root.tag == "rss":
        return [found.text or "" for found in root.iter("guid")]
    return [entry.findtext(f"{{{ATOM}}}id") or "" for entry in root.iter(f"{{{ATOM}}}entry")]


@pytest.fixture
def jobs(book: Book) -> Book:
    book.ingest([*story("done", at=RECENT), *story("runs", at=RECENT, length=8), *story("his", JOHN, at=RECENT),
                 *story("old", at=NOW - 3700)])
    return book


@pytest.mark.parametrize(("name", "type"), [("lb.rss", RSS_TYPE), ("lb.atom", ATOM_TYPE)])
def test_a_feed_has_the_recent_jobs_of_the_caller(jobs: Book, name: str, type: str) -> None:
    finished, running = answered(jobs, name, feed="finished"), answered(jobs, name, feed="running")
    assert (finished.content_type, guids(finished.body)) == (type, [url("done") + "#Done"])
    assert guids(running.body) == [url("runs") + "#Running"]
    assert guids(answered(jobs, name, feed="aborted").body) == []
    assert guids(answered(jobs, name, feed="running", dn=JOHN).body) == []


@pytest.mark.parametrize("name", ["lb.rss_query", "lb.atom_query"])
def test_the_feed_of_a_query(jobs: Book, name: str) -> None:
    found = answered(jobs, name, query={"query": f"owner={JANE}&status=Done|=Running"})
    assert set(guids(found.body)) == {url("done") + "#Done", url("runs") + "#Running"}
    assert answered(jobs, name, query={"query": "nonsense"}).status == 400
    assert answered(jobs, name, query={}).status == 400


def test_a_feed_knows_its_address(jobs: Book) -> None:
    channel = xml.fromstring(answered(jobs, "lb.rss", feed="finished").body).find("channel")
    assert channel is not None
    assert channel.findtext("link") == "https://lb.example:9000/RSS:finished"
    atom = xml.fromstring(answered(jobs, "lb.atom_query", query={"query": "owner="}).body)
    assert atom.findtext(f"{{{ATOM}}}id") == "https://lb.example:9000/Atom:?query=owner%3D"


def test_virtual_machines_have_feeds(jobs: Book) -> None:
    assert guids(answered(jobs, "lb.rss", feed="runningVM").body) == []
    assert guids(answered(jobs, "lb.rss", feed="doneVM").body) == []


def test_there_is_no_other_feed(jobs: Book) -> None:
    found = answered(jobs, "lb.rss", feed="<all>", accept="text/html")
    assert found.status == 404
    assert b"<all>" not in found.body
    assert answered(jobs, "lb.rss", feed="finished", dn=None).status == Unauthenticated.status
