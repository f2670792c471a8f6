"""The spool of the local CE: which job stands where, as files that several processes may use at once.

A job is `jobs/<token>/`; one marker of it stands in `queue/`, then `running/`, then `ended/`. Whoever creates
`jobs/<token>/claim` decides its fate, once: the payload's own runner, or who cancels it before it runs.
Not here: processes and time.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import msgspec

from wms.ce import CeJob

__all__ = ["OUTPUT_BYTES", "Claim", "Ended", "Limits", "Spool"]

OUTPUT_BYTES = 65536
"""How much of the end of a wrapper's output is kept for the reader."""

_OUTPUT_CEILING = 16 * OUTPUT_BYTES


class Limits(msgspec.Struct, frozen=True):
    """What is kept of a `CeJob` beside its script; seconds and megabytes, 0 for none."""

    job: str
    queue: str
    wall_s: int
    cpu_s: int
    memory_mb: int
    cpus: int = 1


class Claim(NamedTuple):
    """The runner of a payload: process id, kernel start time (ticks since boot). (0, 0): nobody any more."""

    pid: int
    started: int


class Ended(NamedTuple):
    """How it ended: exit status of the wrapper, None if nobody knows, and a reason if it was not its own."""

    status: int | None
    reason: str


class Spool:
    """Files below one root. Methods that change markers want `locked()` around them."""

    def __init__(self, root: str) -> None:
        self.root = os.path.abspath(root)
        self.jobs, self.queue, self.running, self.ended, self.scratch, self.calls, self.carried = (
            f"{self.root}/{name}" for name in ("jobs", "queue", "running", "ended", "scratch", "calls", "carried"))

    def prepare(self) -> None:
        """Make the directories, remove what a crash left half done."""
        for place in (self.root, self.jobs, self.queue, self.running, self.ended, self.scratch, self.calls,
                      self.carried):
            Path(place).mkdir(mode=0o700, parents=True, exist_ok=True)
        with self.locked():
            for name in os.listdir(self.scratch):
                shutil.rmtree(f"{self.scratch}/{name}", ignore_errors=True)
            self.prune()

    def offer_courier(self) -> None:
        """From now on wrappers that begin call through a courier."""
        with suppress(FileExistsError):
            os.mkfifo(f"{self.root}/bell", 0o600)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Alone among all processes that use this spool; held for milliseconds."""
        lock = os.open(f"{self.root}/lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    # -- the way of a job --------------------------------------------------------------------------------

    def add(self, job: CeJob, order: str) -> None:
        """Take a job in unless its token is here already. `order` sorts it among the waiting."""
        if os.path.lexists(f"{self.jobs}/{job.token}"):
            return
        place = self._scratch(job.token)
        limits = Limits(job.job, job.queue, job.wall_s, job.cpu_s, job.memory_mb, job.cpus)
        _write(f"{place}/script", job.script.encode())
        _write(f"{place}/limits", msgspec.json.encode(limits))
        for name, content in _credentials(job.proxy, job.bearer):
            _write(f"{place}/{name}", content)
        os.mkfifo(f"{place}/answer", 0o600)
        _write(f"{self.queue}/{order}.{job.token}", b"")
        os.rename(place, f"{self.jobs}/{job.token}")

    def _scratch(self, token: str) -> str:
        """A new directory, whatever a crash left there."""
        place = f"{self.scratch}/{token}"
        try:
            os.mkdir(place, 0o700)
        except FileExistsError:
            shutil.rmtree(place)
            os.mkdir(place, 0o700)
        return place

    def prune(self) -> None:
        """Drop markers without a job: what is left of a submitter or a cleaner that died."""
        here = self.tokens()
        for token, marker in self.waiting().items():
            if token not in here:
                _unlink(f"{self.queue}/{marker}")
        for place in (self.running, self.ended):
            for token in set(os.listdir(place)) - here:
                _unlink(f"{place}/{token}")

    def place(self, token: str, marker: str) -> bool:
        """Move a marker of the queue to `running`; False if its job is not to be started, or has been."""
        if self.claimed(token) or not os.path.exists(f"{self.jobs}/{token}"):
            _unlink(f"{self.queue}/{marker}")
            return False
        try:
            os.rename(f"{self.queue}/{marker}", f"{self.running}/{token}")
        except FileNotFoundError:
            return False
        return True

    def take_claim(self, token: str) -> bool:
        """Claim a job for nobody, so that no runner will ever start it; False if somebody has it."""
        try:
            with open(f"{self.jobs}/{token}/claim", "x") as claim:
                claim.write("0 0\n")
        except (FileExistsError, FileNotFoundError):
            return False
        return True

    def end(self, token: str, reason: str) -> None:
        """Record an end that no runner can record; one recorded before stands."""
        try:
            with open(f"{self.ended}/{token}", "x") as record:
                record.write(f"- {reason}\n")
        except FileExistsError:
            return

    def forget(self, token: str, marker: str | None) -> None:
        """Remove everything of a token."""
        try:
            os.rename(f"{self.jobs}/{token}", f"{self.scratch}/{token}.gone")
        except FileNotFoundError:
            pass
        markers = [f"{self.running}/{token}", f"{self.ended}/{token}"]
        for path in [*markers, *([f"{self.queue}/{marker}"] if marker else [])]:
            _unlink(path)
        _remove(f"{self.scratch}/{token}.gone")

    # -- what stands where -------------------------------------------------------------------------------

    def tokens(self) -> set[str]:
        return set(os.listdir(self.jobs))

    def anyone_waits(self) -> bool:
        with os.scandir(self.queue) as markers:
            return next(markers, None) is not None

    def waiting(self) -> dict[str, str]:
        """Token -> marker, first come first."""
        return {marker.partition(".")[2]: marker for marker in sorted(os.listdir(self.queue))}

    def placed(self) -> set[str]:
        """Tokens that were given a slot; those that have ended stay among them until `live` is asked."""
        return set(os.listdir(self.running))

    def live(self) -> set[str]:
        """Tokens that hold a slot. The slots of ended jobs become free. Only under the lock."""
        placed = self.placed()
        over = {token for token in placed if os.path.exists(f"{self.ended}/{token}")}
        for token in over:
            _unlink(f"{self.running}/{token}")
        return placed - over

    def finished(self) -> set[str]:
        return set(os.listdir(self.ended))

    # -- one job -----------------------------------------------------------------------------------------

    def claimed(self, token: str) -> bool:
        return os.path.exists(f"{self.jobs}/{token}/claim")

    def claim(self, token: str) -> Claim | None:
        """Who runs it; None: nobody yet, or the runner is just writing it down."""
        pid, _, started = _read(f"{self.jobs}/{token}/claim").decode().partition(" ")
        return Claim(int(pid), int(started)) if started.endswith("\n") else None

    def limits(self, token: str) -> Limits | None:
        text = _read(f"{self.jobs}/{token}/limits")
        return msgspec.json.decode(text, type=Limits) if text else None

    def outcome(self, token: str) -> Ended | None:
        """None while it has not ended, or its end is just being written."""
        status, _, reason = _read(f"{self.ended}/{token}").decode().partition(" ")
        if not (reason or status).endswith("\n"):
            return None
        own = "" if status == "-" else self.doom(token)
        return Ended(None if status == "-" else int(status), reason.strip() or own)

    def condemn(self, token: str, reason: str) -> None:
        """Note why it is to be ended; the first reason stands."""
        try:
            with open(f"{self.jobs}/{token}/doom", "x") as doom:
                doom.write(reason)
        except (FileExistsError, FileNotFoundError):
            return

    def doom(self, token: str) -> str:
        """Why somebody ended it, or ""."""
        return _read(f"{self.jobs}/{token}/doom").decode()

    def age_of_doom(self, token: str, now: float) -> float | None:
        """Seconds since it was condemned; None if it was not."""
        return _age(f"{self.jobs}/{token}/doom", now)

    def age_of_claim(self, token: str, now: float) -> float | None:
        """Seconds since its runner began; None if none did."""
        return _age(f"{self.jobs}/{token}/claim", now)

    def set_credentials(self, token: str, proxy: bytes, bearer: bytes) -> None:
        """Replace the credential files atomically, if the job is here; one that is not given stays."""
        place = f"{self.jobs}/{token}"
        for name, content in _credentials(proxy, bearer):
            try:
                _write(f"{place}/{name}.new", content)
                os.rename(f"{place}/{name}.new", f"{place}/{name}")
            except FileNotFoundError:  # the job is gone, or goes
                return

    def output(self, token: str) -> bytes:
        """The last `OUTPUT_BYTES` of what the wrapper said; empty for an unknown token."""
        return _end_of(f"{self.jobs}/{token}/output")

    def shorten(self, token: str) -> None:
        """Keep the file of a talkative wrapper small. It appends, so the file may be emptied under it."""
        path = f"{self.jobs}/{token}/output"
        try:
            if os.stat(path).st_size <= _OUTPUT_CEILING:
                return
        except FileNotFoundError:
            return
        kept = _end_of(path)
        file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_TRUNC | os.O_CLOEXEC)
        try:
            os.write(file, kept)
        finally:
            os.close(file)


def _credentials(proxy: bytes, bearer: bytes) -> list[tuple[str, bytes]]:
    """Names and contents of the files of a job that has these."""
    return [(name, content) for name, content in (("proxy", proxy), ("token", bearer)) if content]


def _write(path: str, content: bytes) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        while content:
            content = content[os.write(file, content) :]
    finally:
        os.close(file)


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return b""


def _end_of(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - OUTPUT_BYTES))
            return file.read(OUTPUT_BYTES)
    except FileNotFoundError:
        return b""


def _age(path: str, now: float) -> float | None:
    try:
        return now - os.stat(path).st_mtime
    except FileNotFoundError:
        return None


def _remove(directory: str) -> None:
    """Files of its own first, by their names: most have nothing else."""
    with suppress(OSError):
        for name in os.listdir(directory):
            os.unlink(f"{directory}/{name}")
        os.rmdir(directory)
        return
    shutil.rmtree(directory, ignore_errors=True)


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
