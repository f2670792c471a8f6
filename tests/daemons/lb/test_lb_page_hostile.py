"""Whatever jobs and their users are called, a page stays a page: no markup, no script, no address but our own."""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha256
from urllib.parse import urlsplit

import msgspec
import pytest
from book_builders import START_TIME, Book, story, url
from outline import Outline, home, page

from wms.event import Source, event
from wms.httpd import Page
from wms.seqcode import SequenceCode

HOSTILE = (
    "<script>alert(1)</script>", "javascript:alert(document.cookie)", "\"><img src=x onerror=alert(1)>",
    "' onmouseover='alert(1)", "{{ 7 * 7 }}{% include '/etc/passwd' %}", "</style><style>*{display:none}",
    "\u202etxt.exe\u202c \u05d0\u05d1\u05d2", "x" * 200_000, "a\r\nSet-Cookie: b=c",
    "&lt;b&gt;", "\u0001\ufffe\U0001f600")


@pytest.fixture(params=HOSTILE, ids=range(len(HOSTILE)))
def text(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def hostile(text: str, unique: str = "a") -> list:  # type: ignore[type-arg]
    """A job that says this wherever its user or the sites may say something."""
    events = story(unique)
    said = {"RegJob": {"jdl": text, "ns": text}, "Match": {"dest_id": text}, "Running": {"node": text},
            "Done": {"reason": text, "status_code": "FAILED", "exit_code": -1}}
    changed = [msgspec.structs.replace(one, fields={**one.fields, **said.get(one.type, {})}) for one in events]
    tag = event("UserTag", url(unique), Source.APPLICATION, SequenceCode(ns=1), START_TIME + 50, text[:200],
                events[0].user, name=text[:200], value=text)
    return [*changed, tag]


def assert_harmless(found: Page) -> None:
    outline = Outline(found.body)
    body = found.body.decode()
    assert [tag for tag, _ in outline.attributes if tag in ("img", "iframe", "object", "base")] == []
    assert len(outline.of("style")) == 1
    assert len(outline.of("script")) <= 1
    assert not any(name.startswith("on") or name == "style" for _tag, attributes in outline.attributes
                   for name in attributes)
    for link in [str(found.get("href")) for _tag, found in outline.attributes if "href" in found]:
        assert urlsplit(link).scheme in ("", "data")
        assert not link.startswith("//")
    assert "49" not in re.findall(r"\b49\b", body)
    assert len(found.body) < 150_000


def test_the_page_of_a_hostile_job(book: Book, text: str) -> None:
    book.ingest(hostile(text))
    assert_harmless(page(book))


def test_a_list_with_a_hostile_job(book: Book, text: str) -> None:
    book.ingest(hostile(text))
    found = home(book)
    assert_harmless(found)
    assert len(found.body) < 20_000


def test_a_hostile_query_and_address(book: Book, text: str) -> None:
    assert_harmless(home(book, query=text[:3000]))
    assert_harmless(page(book, text[:3000]))
    assert_harmless(home(book, state=text[:3000]))
    assert_harmless(home(book, stats="", destination=text[:3000]))


def test_a_text_for_scripts_has_no_line_of_somebody_else(book: Book) -> None:
    book.ingest(hostile("x\nStatus=Cleared\r\nowner=/CN=Mallory"))
    keys = [line.partition("=")[0] for line in page(book, text="").body.decode().splitlines()]
    assert len(set(keys)) == len(keys)


def test_the_policy_of_a_page_admits_our_own_style_and_script_only(book: Book) -> None:
    book.ingest(story("a"))
    for found in (page(book), home(book), home(book, stats="")):
        headers = dict(found.headers)
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        body = found.body.decode()
        for tag in ("style", "script"):
            for text in re.findall(f"<{tag}>(.*?)</{tag}>", body, re.DOTALL):
                assert f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'" in policy
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Cache-Control"] == "no-store"


def test_no_page_needs_anything_from_elsewhere(book: Book) -> None:
    book.ingest(story("a"))
    for found in (page(book), home(book), home(book, stats=""), home(book, types=""), page(book, "nobody")):
        assert not re.search(rb"""(src|href)=["']?https?:|@import|url\(""", found.body)
