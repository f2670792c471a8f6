"""Pages as a reader without a browser: text of elements, attributes, and whether the markup is sound."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

from book_builders import JANE, Book

from wms.httpd import Page

VOID = frozenset({"meta", "link", "input", "br"})
IN_DRAWINGS = frozenset({"line", "rect"})


class Outline(HTMLParser):
    """Text of each element by tag; fails on markup that does not close."""

    def __init__(self, markup: bytes) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: dict[str, list[str]] = {}
        self.attributes: list[tuple[str, dict[str, str | None]]] = []
        self.rows: list[list[str]] = []
        self.feed(markup.decode())
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in IN_DRAWINGS
        self.attributes.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and data.strip():
            self.texts.setdefault(self.open[-1], []).append(data.strip())
            if any(tag in self.open for tag in ("td", "th")):
                self.rows[-1][-1] += data.strip()

    def of(self, tag: str, **wanted: str) -> list[dict[str, str | None]]:
        """The attributes of these elements."""
        return [attributes for name, attributes in self.attributes
                if name == tag and all(attributes.get(key) == value for key, value in wanted.items())]

    def links(self) -> list[str]:
        return [str(found["href"]) for found in self.of("a")]


def page(book: Book, unique: str = "a", *, dn: str | None = JANE, accept: str = "text/html,*/*",
         **query: str) -> Page:
    """The identifier of a job as a URL."""
    return answered(book, "lb.page", unique=unique, dn=dn, accept=accept, query=query)


def home(book: Book, *, dn: str | None = JANE, accept: str = "text/html,*/*", **query: str) -> Page:
    """The root of the service."""
    return answered(book, "lb.home", dn=dn, accept=accept, query=query)


def answered(book: Book, name: str, **asked: Any) -> Page:
    found = book.answer(name, **asked)
    assert isinstance(found, Page)
    return found
