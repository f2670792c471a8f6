"""A CE to try a backend on, and what tests do with one. Not here: which there are (benches).

A file `benches_NAME.py` makes a bench from the test's fixtures; it may start something real for the session.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from reactor_thread import run, started, until
from twisted.internet.task import deferLater

from wms.ce import Backend, CeJob, CeState, Phase, Rejected, Submitted, load


class Can(StrEnum):
    """What not every CE can. A test names what it needs (`needs`) and is run on those that can."""

    SLOTS = "the bench has two slots on one host, given first come first served"
    ORDER = "a large job keeps its place before a small one that was submitted with it"
    WHOLE_NODES = "a job may have its host alone"
    CHECKS_SIZE = "a job too large for the CE is refused when it is submitted"
    LIMITS_OF_SECONDS = "wall time limits are kept to the second"
    ULIMITS = "limits of CPU time and memory are those of processes"
    SESSIONS = "cancelled processes are found in sessions of their own"
    RUNNER = "a payload's parent is a process of this host whose death is seen"
    SURE_KILL = "who ignores the polite signal is ended by the other one, though who started it is gone by then"
    ORPHANS = "a payload whose runner was killed is ended"
    LAST_WORD = "a cancelled wrapper may go on to say something, and exits with its own status"
    RENEWS = "files of credentials are replaced under a live payload"
    FILES = "a payload's credentials are files of this host until the job is cleaned"
    EXIT_STATUS = "the wrapper's exit status is known"
    STRAYS = "what only the CE has is known, and can be cancelled"
    SPOOL = "what is submitted is first written below the directory `writes` of its spool, on this host"
    WAKES = "says when something has changed"


class Kind(NamedTuple):
    """How a bench of one backend is made: from the test's fixtures and a directory that payloads may write to."""

    open: Callable[[pytest.FixtureRequest, Path], Bench]
    can: frozenset[Can]


needs = pytest.mark.needs
EVERYTHING = frozenset(Can)


@dataclass
class Bench:
    """One CE, with as many backends on it as a test wants. `ce_id` is the GLUE id of its first queue.

    `kind` and `settings` are what the registry's factory takes, so that other processes can have one too.
    """

    kind: str
    settings: dict[str, Any]
    place: Path
    queue: str = "default"
    ce_id: str = ""
    tags: tuple[str, ...] = ("VO-test-1",)
    writes: str = "jobs"
    made: list[Backend] = field(default_factory=list)

    def backend(self) -> Backend:
        backend = run(self._started())
        self.made.append(backend)
        return backend

    async def _started(self) -> Backend:
        backend = load(self.kind)(self.settings, started())
        await backend.start()
        return backend

    def stop(self, backend: Backend) -> None:
        self.made.remove(backend)
        run(backend.stop())

    def close(self) -> None:
        for backend in self.made:
            run(backend.clean(run(backend.known())))
            run(backend.stop())

    def job(self, token: str, script: str, **more: Any) -> CeJob:
        return CeJob(token, f"https://wms.example.org:9000/{token}", f"#!/bin/sh\n{script}\n", self.queue, **more)

    def gate(self) -> Path:
        """A fifo that payloads read from, to go on when the test says so."""
        gate = self.place / "gate"
        os.mkfifo(gate)
        gate.chmod(0o666)
        return gate


def last_word(status: int, up: str = "true") -> str:
    """A payload that does `up`, and after TERM, however often, says its last word and exits with the status."""
    return (f"trap 'trap \"\" TERM; kill $! 2>/dev/null; echo last word; exit {status}' TERM; {up}; "
            "while :; do sleep 1000 & wait; done")


def submit(ce: Backend, *jobs: CeJob) -> list[Submitted | Rejected]:
    return run(ce.submit(jobs))


def state(ce: Backend, token: str) -> CeState:
    return run(ce.status([token]))[token]


def reaches(ce: Backend, tokens: Collection[str], phase: Phase) -> None:
    """Ask until all are there. The test's own time limit is the only one."""

    async def poll() -> None:
        while not all(found.phase is phase for found in (await ce.status(tokens)).values()):
            await deferLater(started(), 0.02, lambda: None)

    run(poll())


def offers(ce: Backend, free: int) -> list[dict[str, Any]]:
    """Ask until so many slots are free in its first queue, those of jobs of before may be late; all it publishes."""

    async def poll() -> list[dict[str, Any]]:
        while (told := await ce.describe())[0]["GlueCEStateFreeCPUs"] < free:
            await deferLater(started(), 0.1, lambda: None)
        return told

    return run(poll())


def holds(ce: Backend, tokens: Collection[str]) -> None:
    """Ask until it holds these, and no others."""

    async def poll() -> None:
        while await ce.known() != sorted(tokens):
            await deferLater(started(), 0.1, lambda: None)

    run(poll())


def says(ce: Backend, token: str, text: str) -> None:
    """Ask until the output has the text."""

    async def poll() -> None:
        while text not in await ce.output(token):
            await deferLater(started(), 0.02, lambda: None)

    run(poll())


@contextmanager
def opened(gate: Path, times: int) -> Iterator[None]:
    """Lets so many through, as long as the gate is held."""
    writer = os.open(gate, os.O_RDWR)
    try:
        os.write(writer, b"go\n" * times)
        yield
    finally:
        os.close(writer)


def open_until_ended(ce: Backend, gate: Path, tokens: Collection[str]) -> None:
    with opened(gate, len(tokens)):
        reaches(ce, tokens, Phase.ENDED)


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def appears(path: Path) -> int:
    """The number a payload writes into a file."""
    until(lambda: path.exists() and path.read_text().endswith("\n"))
    return int(path.read_text())
