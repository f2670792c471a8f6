"""Files with names that lead elsewhere, of other sizes or contents than announced."""

from __future__ import annotations

import json
from typing import Any

from tests.gallery.case import Ask, Asks, Case
from tests.gallery.house import DATA, House, key

PATH, LARGE, MISSING = "NS_SANDBOX_PATH", "NS_SANDBOX_TOO_LARGE", "NS_NOT_FOUND"
ALICE = "CN=alice"
NAMES = {"to climb": "../x", "with a root": "/etc/passwd", "with a null": "a\0b", "with a line end": "a\nb",
         "of 300 characters": "x" * 300, "that is the directory": "..", "that is empty": "", "with a path": "a/b"}


def file(name: str = "data", size: int = 1, **more: Any) -> dict[str, Any]:
    return {"name": name, "size": size, "sha256": "0" * 64, **more}


def registering(*files: dict[str, Any]) -> Asks:
    body = json.dumps({"jdl": '[Executable = "/bin/true";]', "delegation": "main", "files": files}).encode()
    return lambda h: Ask("POST", "/ns/v1/jobs", body, key(), h.alice)


def uploading(name: str, content: bytes) -> Asks:
    return lambda h: Ask("PUT", f"/ns/v1/jobs/{h.waiting}/input/{name}", content, credential=h.alice)


def putting(name: str, content: bytes, **headers: str) -> Asks:
    """An output file, from the wrapper."""
    def asks(h: House) -> Ask:
        shown = (("Authorization", f"Bearer {h.capability(h.running)}"), *headers.items())
        return Ask("PUT", f"/ns/v1/attempts/{h.running}/1/output/{name}", content, shown)

    return asks


def fetching(name: str) -> Asks:
    return lambda h: Ask(path=f"/ns/v1/jobs/{h.done}/output/{name}", credential=h.alice)


CASES = (
    *(Case(f"file registered {what}", 400, PATH, registering(file(name)), ALICE) for what, name in NAMES.items()),
    Case("file registered twice", 400, PATH, registering(file("a"), file("a")), ALICE),
    Case("file registered too large", 413, LARGE, registering(file(size=10_000_001)), ALICE),
    Case("files registered too large together", 413, LARGE,
         registering(file("a", 5_000_000), file("b", 5_000_001)), ALICE),
    Case("file registered with less than nothing", 413, LARGE, registering(file(size=-1)), ALICE),
    Case("upload to climb", 404, MISSING, uploading("..%2F..%2Fetc%2Fpasswd", DATA), ALICE),
    Case("upload in other letters", 404, MISSING, uploading("DATA", DATA), ALICE),
    Case("upload with a null", 404, MISSING, uploading("data%00", DATA)),
    Case("upload of other bytes", 422, "NS_FILE_TRANSFER", uploading("data", b"54321"), ALICE),
    Case("upload of more bytes", 413, LARGE, uploading("data", DATA + b"6"), ALICE),
    Case("upload of fewer bytes", 413, LARGE, uploading("data", DATA[:-1]), ALICE),
    Case("upload of very many bytes", 413, LARGE, lambda h: Ask(
        "PUT", f"/ns/v1/jobs/{h.waiting}/input/data", credential=h.alice, raw=(
            f"PUT /ns/v1/jobs/{h.waiting}/input/data HTTP/1.1\r\nHost: localhost\r\n"
            "Content-Length: 99999999999\r\n\r\n").encode())),
    Case("output to climb", 400, PATH, putting("..%2F..%2Fetc%2Fpasswd", DATA)),
    Case("output with a line end", 400, PATH, putting("a%0Ab", DATA)),
    Case("output of 300 characters", 400, PATH, putting("x" * 300, DATA)),
    Case("output larger than all may be", 413, LARGE, putting("big", b"x" * 1001)),
    Case("output with another checksum", 422, "NS_FILE_TRANSFER",
         putting("out", b"y", Digest="sha-256=" + "0" * 64)),
    Case("fetched to climb", 404, MISSING, fetching("..%2F..%2Fcapability.key"), ALICE),
    Case("fetched with a root", 404, MISSING, fetching("%2Fetc%2Fpasswd"), ALICE),
)
