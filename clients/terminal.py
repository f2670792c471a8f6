"""A conversation with an interactive job: what it prints comes here, what is typed here goes there.

Both ways have places, so a lost connection loses and repeats nothing. Not the options of the command.
"""

from __future__ import annotations

import base64
import http.client
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from io import BytesIO
from queue import Empty, SimpleQueue
from threading import Condition, Thread
from typing import TYPE_CHECKING, Any

import msgspec

from clients.transport import Connection
from wms.errors import NotAllowedNow, RemoteError, Unavailable
from wms.jobid import JobId
from wms.operations import OPERATIONS
from wms.operations.sessions import InputEnd, Position

if TYPE_CHECKING:
    from clients.api import Client

AGAIN_S = 1.0
LONG_S = 86_400.0
BLOCK = 4096
DETACH = b"~."
QUESTION = "\nd: detach, c: cancel the job, Enter: go on ? "

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Ended:
    """How it ended: the job is over (`outcome`), another terminal came, or the user left."""

    outcome: str = ""
    taken: bool = False
    cancel: bool = False


class Keyboard:
    """Sends what is read from a file descriptor to the attempt that runs, each byte once, from a thread of its own."""

    def __init__(self, connection: Connection, unique: str, source: int, say: Say) -> None:
        self._connection, self._unique, self._source, self._say = connection, unique, source, say
        self._changed = Condition()
        self._attempt = self._at = 0
        self._answers: SimpleQueue[str] = SimpleQueue()
        self._asked = False
        self.interactive = os.isatty(source)
        self.left = False

    def start(self) -> None:
        Thread(target=self._run, daemon=True).start()

    def attempt(self, number: int, typed: int) -> None:
        """This attempt runs and has had so much input; said again of the same, it changes nothing."""
        with self._changed:
            if number != self._attempt:
                self._attempt, self._at = number, typed
                self._changed.notify_all()

    def ask(self, question: str) -> str:
        """The next line is the answer, not input of the job."""
        while not self._answers.empty():
            self._answers.get()
        self._asked = True
        self._say(question)
        while True:
            try:
                return self._answers.get(timeout=AGAIN_S)
            except Empty:
                continue

    def _run(self) -> None:
        fresh = True
        while data := self._read():
            if self._asked:
                self._asked = False
                self._answers.put(data.decode(errors="replace").strip())
            elif self.interactive and fresh and data.startswith(DETACH):
                self.left = True
                return
            else:
                self._deliver(partial(self._typed, data))
                fresh = data.endswith(b"\n")
        self._answers.put("d")
        ended = 0
        while True:
            ended = self._deliver(self._closed, other_than=ended)

    def _read(self) -> bytes:
        try:
            return os.read(self._source, BLOCK)
        except OSError:
            return b""

    def _deliver(self, send: Callable[[int, int], int], other_than: int = 0) -> int:
        """Until it has arrived at an attempt that runs (and is another one); the number of the attempt."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._attempt not in (0, other_than))
                attempt, at = self._attempt, self._at
            try:
                have = send(attempt, at)
            except Unavailable:
                time.sleep(AGAIN_S)
            except RemoteError as refused:
                if refused.code != NotAllowedNow.code:
                    self._say(refused.message)
                    return attempt
                self._over(attempt)
            else:
                with self._changed:
                    if self._attempt == attempt:
                        self._at = have
                return attempt

    def _over(self, attempt: int) -> None:
        """This attempt reads no more: another may come."""
        with self._changed:
            if self._attempt == attempt:
                self._changed.wait_for(lambda: self._attempt != attempt)

    def _typed(self, data: bytes, attempt: int, at: int) -> int:
        reply: Position = self._connection.upload(
            OPERATIONS["ns.session_input"], BytesIO(data), len(data), sha256(data).hexdigest(),
            unique=self._unique, number=attempt, offset=at)
        return reply.have

    def _closed(self, attempt: int, at: int) -> int:
        self._connection.call(OPERATIONS["ns.session_close"], InputEnd(at), unique=self._unique, number=attempt)
        return at


class Terminal:
    """The user's end. `show` gets what the job prints, `say` sentences for the user."""

    def __init__(self, ns: Connection, job: str, show: Callable[[bytes], None], say: Say, *,
                 from_now: bool = False, source: int = 0) -> None:
        self._ns = _another(ns)
        self._unique, self._show, self._say = JobId.parse(job).unique, show, say
        self._attempt, self._at = 0, "end" if from_now else "0"
        self._met = self._waits = False
        self.keyboard = Keyboard(_another(ns), self._unique, source, say)

    def run(self) -> Ended:
        """Until the end of the job or of the conversation. Raises what the service refuses at first."""
        self.keyboard.start()
        while True:
            try:
                ended = self._listen()
            except KeyboardInterrupt:
                ended = self._interrupted()
            except (OSError, Unavailable, http.client.HTTPException) as lost:
                if not self._met:
                    raise
                self._say(f"[the connection is lost, trying again: {lost}]")
                time.sleep(AGAIN_S)
                ended = None
            self._ns.close()
            if ended is not None:
                return ended

    def _interrupted(self) -> Ended | None:
        if not self.keyboard.interactive:
            return Ended()
        try:
            answer = self.keyboard.ask(QUESTION)
        except KeyboardInterrupt:
            return Ended()
        return {"d": Ended(), "c": Ended(cancel=True)}.get(answer[:1].lower())

    def _listen(self) -> Ended | None:
        for line in self._lines():
            self._met = True
            if self.keyboard.left:
                return Ended()
            if not line.strip() and not self._attempt and not self._waits:
                self._waits = True
                self._say("[waiting for the job to start]")
            if line.strip() and (ended := self._take(msgspec.json.decode(line))) is not None:
                return ended
        return None

    def _lines(self) -> Iterator[bytes]:
        query = {"attempt": str(self._attempt), "at": self._at}
        return self._ns.lines(OPERATIONS["ns.session_output"], LONG_S, query=query, unique=self._unique)

    def _take(self, told: dict[str, Any]) -> Ended | None:
        if "attempt" in told:
            self._begin(told)
        elif "data" in told:
            data = base64.b64decode(told["data"])
            self._at = str(told["at"] + len(data))
            self._show(data)
        elif "over" in told:
            return Ended(told["over"])
        elif "taken" in told:
            return Ended(taken=True)
        return None

    def _begin(self, told: dict[str, Any]) -> None:
        if self._attempt and told["attempt"] != self._attempt:
            self._say(f"[the job starts again: attempt {told['attempt']}]")
        if told["attempt"] != self._attempt:
            self._attempt, self._at = told["attempt"], str(told["at"])
        self.keyboard.attempt(told["attempt"], told["typed"])


def _another(ns: Connection) -> Connection:
    """A connection of its own to the same service."""
    return Connection(ns.host, ns.port, ns.credential, ns.request_s, ns.trace)


def to_screen(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def attach(client: Client, ns: Connection, job: str, show: Callable[[bytes], None], say: Say, *,
           from_now: bool = False) -> tuple[Ended, dict[str, Any]]:
    """Talk with a job; how that ended and, when the job is over, its last status."""
    ended = Terminal(ns, job, show, say, from_now=from_now).run()
    if ended.cancel:
        client.cancel(job)
    return ended, [*client.watch(job)][-1] if ended.outcome else {}

