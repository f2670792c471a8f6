"""Requests that are none, are two, do not end, or say nothing."""

from __future__ import annotations

from uuid import uuid4

from tests.gallery.case import Ask, Asks, Case
from tests.gallery.house import House, key

BAD, MISUSE = "NS_BAD_REQUEST", "UI_ARG_MISMATCH"
ALICE = "CN=alice"
HEAD = "POST /ns/v1/jobs HTTP/1.1\r\nHost: localhost\r\n"
TRUE = b'{"jdl": "[Executable = \\"/bin/true\\";]", "delegation": "main"}'
FALSE = b'{"jdl": "[Executable = \\"/bin/false\\";]", "delegation": "main"}'


def raw(text: str | bytes, *, leaves: bool = False) -> Asks:
    content = text.encode("latin-1") if isinstance(text, str) else text
    return lambda h: Ask(credential=h.alice, raw=content, leaves=leaves)


def registering(body: bytes, *headers: tuple[str, str]) -> Asks:
    return lambda h: Ask("POST", "/ns/v1/jobs", body, (*key(), *headers), h.alice)


def reused(h: House) -> Ask:
    """The key of another request."""
    same = (("Idempotency-Key", uuid4().hex),)
    h.must(Ask("POST", "/ns/v1/jobs", TRUE, same, h.alice))
    return Ask("POST", "/ns/v1/jobs", FALSE, same, h.alice)


def keyed(value: str) -> Asks:
    return lambda h: Ask("POST", "/ns/v1/jobs", TRUE, (("Idempotency-Key", value),), h.alice)


CASES = (
    Case("two lengths", 400, BAD, raw(HEAD + "Content-Length: 2\r\nContent-Length: 40\r\n\r\n{}")),
    Case("length and chunks", 400, BAD, raw(HEAD + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")),
    Case("chunks twice", 400, BAD,
         raw(HEAD + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n")),
    Case("chunks of no size", 400, BAD, raw(HEAD + "Transfer-Encoding: chunked\r\n\r\nxyz\r\n\r\n")),
    Case("length that is no number", 400, BAD, raw(HEAD + "Content-Length: 0x2\r\n\r\n{}")),
    Case("length less than nothing", 400, BAD, raw(HEAD + "Content-Length: -1\r\n\r\n")),
    Case("header on two lines", 400, BAD, raw(HEAD + "X: a\r\n b\r\n\r\n")),
    Case("header with a bare line feed", 400, BAD, raw(HEAD + "X: a\nContent-Length: 2\r\n\r\n")),
    Case("header with a bare return", 400, BAD, raw(HEAD + "X: a\rb\r\n\r\n")),
    Case("header with a null", 400, BAD, raw(HEAD + "X: a\0b\r\n\r\n")),
    Case("header without a colon", 400, BAD, raw(HEAD + "nothing\r\n\r\n")),
    Case("header with a blank before the colon", 400, BAD, raw(HEAD + "Content-Length : 2\r\n\r\n{}")),
    Case("address of 100 kB", 400, BAD, raw("GET /" + "x" * 100_000 + " HTTP/1.1\r\n\r\n")),
    Case("10,000 headers", 400, BAD, raw(HEAD + "X: y\r\n" * 10_000 + "\r\n")),
    Case("header of 20 kB", 400, BAD, raw(HEAD + "X: " + "y" * 20_000 + "\r\n\r\n")),
    Case("HTTP 0.9", 400, BAD, raw("GET /ns/v1/version\r\n")),
    Case("HTTP 2 by force", 400, BAD, raw("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")),
    Case("no HTTP at all", 400, BAD, raw(b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n")),
    Case("address with a blank", 400, BAD,
         raw("GET /ns/v1/version HTTP/1.1 HTTP/1.1\r\nX: y\r\n\r\n")),
    Case("left in the header", 0, BAD, raw(HEAD, leaves=True), below="nobody is there to be answered"),
    Case("left in the body", 0, BAD, raw(HEAD + "Content-Length: 100\r\n\r\n{", leaves=True),
         below="nobody is there to be answered"),
    Case("unknown method", 405, "NS_NOT_FOUND", lambda h: Ask("BREW", credential=h.alice)),
    Case("method that is not for this address", 405, "NS_NOT_FOUND",
         lambda h: Ask("DELETE", "/ns/v1/jobs", credential=h.alice)),
    Case("trace", 405, "NS_NOT_FOUND", lambda h: Ask("TRACE", credential=h.alice)),
    Case("address of nothing", 404, "NS_NOT_FOUND", lambda h: Ask(path="/ns/nothing", credential=h.alice)),
    Case("address of another host", 404, "NS_NOT_FOUND",
         lambda h: Ask(path="http://example.org/ns/v1/version", credential=h.alice)),
    Case("body over the limit", 413, "NS_SANDBOX_TOO_LARGE", lambda h: Ask(
        "POST", "/ns/v1/match", b'{"jdl": "' + b"x" * 4_000_000 + b'"}', credential=h.alice), ALICE),
    Case("body said to be over all limits", 413, "NS_SANDBOX_TOO_LARGE",
         raw(HEAD + "Expect: 100-continue\r\nContent-Length: 99999999999\r\n\r\n")),
    Case("body nested 100,000 deep", 400, MISUSE, registering(b"[" * 100_000), ALICE),
    Case("body nested within a field", 400, MISUSE, registering(
        b'{"jdl": "x", "delegation": "d", "extra": ' + b'{"a":' * 50_000 + b"}"), ALICE),
    Case("body that is no JSON", 400, MISUSE,
         registering(b"<job/>", ("Content-Type", "text/xml")), ALICE),
    Case("body that is no UTF-8", 400, MISUSE, registering(b'{"jdl": "\xff\xfe"}'), ALICE),
    Case("body with a number for a text", 400, MISUSE, registering(b'{"jdl": 1, "delegation": "main"}'), ALICE),
    Case("description nested 100,000 deep", 400, "UI_JDL_WRONG_SYNTAX", registering(
        b'{"jdl": "[a = ' + b"(" * 20_000 + b'];", "delegation": "main"}'), ALICE),
    Case("page of another site has an event logged", 403, "NS_FOREIGN_PAGE", lambda h: Ask(
        "POST", "/lb/v1/events", headers=(("Origin", "https://example.org"), ("Content-Type", "text/plain")),
        credential=h.alice), ALICE),
    Case("page of nobody knows which site submits", 403, "NS_FOREIGN_PAGE",
         registering(TRUE, ("Origin", "null")), ALICE),
    Case("no key of idempotency", 400, MISUSE, lambda h: Ask("POST", "/ns/v1/jobs", TRUE, credential=h.alice), ALICE),
    Case("key of idempotency too long", 400, MISUSE, keyed("x" * 129), ALICE),
    Case("key of idempotency of another request", 409, "NS_IDEMPOTENCY_KEY_REUSED", reused, ALICE),
    Case("too many parameters", 400, MISUSE, lambda h: Ask(
        path="/lb/v1/jobs?" + "&".join(f"a{n}=1" for n in range(60)), credential=h.alice), ALICE),
    Case("parameter that is no number", 400, MISUSE,
         lambda h: Ask(path="/lb/v1/jobs?limit=many", credential=h.alice), ALICE),
)
