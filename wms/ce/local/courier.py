"""The courier of a local CE: one process that carries the calls of its wrappers over connections that stay open.

A worker node's curl is as dear as the rest of a short job. A wrapper writes `calls/<token>.<number>` (the place of a
curl configuration), rings the FIFO `bell` with that name, and reads "NUMBER EXIT CODE..." from the FIFO `answer` of its
job. Only the standard library, as it runs beside the service. Not here: who starts it, and reads what it says on
standard error (backend).
"""

from __future__ import annotations

import fcntl
import http.client
import os
import re
import select
import ssl
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple
from urllib.parse import urlsplit

__all__ = ["Section", "free", "main", "sections"]

THREADS = 8
LOOK_S = 30.0
"""Calls that rang no bell are looked for at least that often."""
MOST_BYTES = 16_000_000
UNKNOWN, FAILED, REFUSED = 2, 7, 22
"""Exit statuses, as curl has them: an option that we do not know, no answer, an answer of 400 or more."""
_OPTIONS = frozenset({"url", "output", "cacert", "max-time", "connect-timeout", "header", "data-binary", "upload-file",
                      "write-out"})
_CALL = re.compile(r"[A-Za-z0-9_-]{1,200}\.[0-9]{1,9}")
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t", "v": "\v"}


class Section(NamedTuple):
    """One transfer of a configuration."""

    url: str
    output: str
    cacert: str
    max_s: float
    headers: dict[str, str]
    data: str
    upload: str


def sections(text: str) -> Iterator[Section]:
    """The transfers of a curl configuration, as far as wrappers write such; raises ValueError for another."""
    options: dict[str, list[str]] = {}
    for line in [*text.splitlines(), "next"]:
        key, _, value = line.strip().partition(" = ")
        if key == "next":
            if options:
                yield _section(options)
            options = {}
        elif value:
            if key not in _OPTIONS:
                raise ValueError(f"the option {key} is not for a courier")
            plain = re.sub(r"\\(.)", lambda found: _ESCAPED.get(found[1], found[1]), value[1:-1])
            options.setdefault(key, []).append(plain)


def _section(options: dict[str, list[str]]) -> Section:
    def one(key: str, default: str = "") -> str:
        return options.get(key, [default])[0]

    if "url" not in options:
        raise ValueError("a transfer without a URL")
    headers = dict(header.split(": ", 1) for header in options.get("header", []) if ": " in header)
    return Section(one("url"), one("output"), one("cacert"), float(one("max-time", "60")), headers,
                   one("data-binary").removeprefix("@"), one("upload-file"))


class Line:
    """Connections of one thread, by server and authorities; each is used again until it breaks."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, str, str], http.client.HTTPConnection] = {}

    def carry(self, section: Section, place: str) -> int:
        """The status of the answer, which is written to the section's output; raises OSError or HTTPException."""
        url = urlsplit(section.url)
        authorities = _read(os.path.join(place, section.cacert)).decode() if section.cacert else ""
        key = url.scheme, url.netloc, authorities
        peer = self._open.pop(key, None)
        used = peer is not None
        if peer is None:
            peer = _connection(url.scheme, url.hostname or "", url.port, authorities)
        try:
            status = _exchange(peer, section, place)
        except (OSError, http.client.HTTPException):
            peer.close()
            if not used:  # it may only have been idle for too long
                raise
            return self.carry(section, place)
        self._open[key] = peer
        return status


def _connection(scheme: str, host: str, port: int | None, authorities: str) -> http.client.HTTPConnection:
    if scheme != "https":
        return http.client.HTTPConnection(host, port)
    context = ssl.create_default_context(cadata=authorities or None)
    return http.client.HTTPSConnection(host, port, context=context)


def _exchange(peer: http.client.HTTPConnection, section: Section, place: str) -> int:
    peer.timeout = section.max_s
    if peer.sock is not None:
        peer.sock.settimeout(section.max_s)
    path = urlsplit(section.url)
    target = path.path + (f"?{path.query}" if path.query else "")
    if section.upload:
        with open(os.path.join(place, section.upload), "rb") as body:
            size = os.fstat(body.fileno()).st_size
            peer.request("PUT", target, body, {**section.headers, "Content-Length": str(size)})
    elif section.data:
        peer.request("POST", target, _read(os.path.join(place, section.data)), section.headers)
    else:
        peer.request("GET", target, headers=section.headers)
    reply = peer.getresponse()
    _keep(reply, os.path.join(place, section.output) if section.output and reply.status < 400 else os.devnull)
    return reply.status


def _keep(reply: http.client.HTTPResponse, path: str) -> None:
    with open(path, "wb") as out:
        while piece := reply.read(1 << 18):
            out.write(piece)


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read(MOST_BYTES)


class Courier:
    """The calls below the spool `root`. One that is carried stands in `carried`, until its wrapper has its answer."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._lines = threading.local()
        self._pool = ThreadPoolExecutor(THREADS)

    def resume(self) -> None:
        """What a courier that died was carrying waits again; its wrapper may have the answer, and another call here."""
        for name in os.listdir(f"{self._root}/carried"):
            os.rename(f"{self._root}/carried/{name}", f"{self._root}/calls/{name}")
        self.begin(self.waiting())

    def begin(self, calls: Iterable[str]) -> None:
        for call in calls:
            if _CALL.fullmatch(call):
                self._pool.submit(self._one, call)

    def waiting(self) -> list[str]:
        """All that waits, whether or not its bell was heard."""
        return os.listdir(f"{self._root}/calls")

    def _one(self, call: str) -> None:
        carried = f"{self._root}/carried/{call}"
        try:
            path = _read(f"{self._root}/calls/{call}").decode("utf-8", "surrogateescape")
            if not (path.startswith("/") and path.endswith("\n")):
                return  # just being written: its bell will ring
            os.rename(f"{self._root}/calls/{call}", carried)
        except FileNotFoundError:
            return  # another thread has it
        token, _, number = call.rpartition(".")
        try:
            self._answer(token, f"{number} {self._carried(path[:-1])}\n")
        except OSError as error:  # the job is gone, or nobody is there to hear it
            print(f"{call}: {error}", file=sys.stderr, flush=True)
        os.unlink(carried)

    def _carried(self, path: str) -> str:
        """What curl would say: its exit status, then the status of each transfer up to the first that failed."""
        line = getattr(self._lines, "line", None) or Line()
        self._lines.line = line
        place, codes = os.path.join(os.path.dirname(path), "../work"), []
        try:
            transfers = list(sections(_read(path).decode("utf-8", "surrogateescape")))
        except ValueError:
            return str(UNKNOWN)
        for section in transfers:
            try:
                codes.append(line.carry(section, place))
            except (OSError, http.client.HTTPException, ValueError):
                codes.append(0)
            if not 0 < codes[-1] < 400:
                return " ".join([str(REFUSED if codes[-1] else FAILED), *(f"{code:03d}" for code in codes)])
        return " ".join(["0", *(f"{code:03d}" for code in codes)])

    def _answer(self, token: str, text: str) -> None:
        """Into the FIFO that the wrapper holds open; nobody may be there any more."""
        answer = os.open(f"{self._root}/jobs/{token}/answer", os.O_WRONLY | os.O_NONBLOCK)
        try:
            os.write(answer, text.encode())
        finally:
            os.close(answer)


def free(root: str) -> bool:
    """Has this spool no courier?"""
    lock = os.open(f"{root}/courier", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False
    finally:
        os.close(lock)


def main(root: str) -> None:
    """Carry calls until standard input ends, which is held by who started this; at once if there is a courier."""
    lock = os.open(f"{root}/courier", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    bell = os.open(f"{root}/bell", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    courier = Courier(root)
    courier.resume()
    heard, looked = b"", time.monotonic()
    while True:
        ready, _, _ = select.select([bell, 0], [], [], LOOK_S)
        if 0 in ready and not os.read(0, 1):
            os._exit(0)  # calls on their way are carried again
        heard += os.read(bell, 65536) if bell in ready else b""
        *calls, heard = heard.split(b"\n")
        courier.begin(call.decode("ascii", "replace") for call in calls)
        if time.monotonic() - looked >= LOOK_S:
            courier.begin(courier.waiting())
            looked = time.monotonic()


if __name__ == "__main__":
    main(sys.argv[1])
