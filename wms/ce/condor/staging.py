"""The spool of an HTCondor CE: what it remembers of each job, and the files that HTCondor reads and writes.

Several processes use it at once. Not here: HTCondor.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection
from pathlib import Path

import msgspec

from wms.ce import CeJob
from wms.ce.condor.submitfile import FILES, LAUNCHER
from wms.ce.ledger import Ledger
from wms.files import write_private

__all__ = ["OUTPUT_BYTES", "Entry", "Staging"]

OUTPUT_BYTES = 65536
"""How much of the end of a wrapper's output is read."""


class Entry(msgspec.Struct, frozen=True):
    """What is remembered of a token. `handle` is empty from the intention to the answer of condor_submit.

    `log`: name of its event log. `cancelled`: by us. `fetched`: its output was brought here.
    """

    handle: str = ""
    log: str = ""
    wall_s: int = 0
    cancelled: bool = False
    fetched: bool = False


class Staging:
    """`ledger`, `jobs/<token>/`, `events/`, `submit/` and the launcher, below one private directory."""

    def __init__(self, spool: str) -> None:
        self._root = Path(spool)
        self.events = self._root / "events"
        self.ledger = Ledger(self._root / "ledger", Entry)

    def prepare(self) -> None:
        for place in (self._root, self.events, self._root / "jobs", self._root / "submit"):
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.ledger.prepare()
        launcher = self._root / "launcher"
        if not launcher.exists() or launcher.read_text() != LAUNCHER:
            write_private(launcher, LAUNCHER.encode())
        launcher.chmod(0o755)

    def write_job(self, job: CeJob) -> None:
        place = self._root / "jobs" / job.token
        place.mkdir(mode=0o700, exist_ok=True)
        _write(place / FILES.wrapper, job.script.encode(), 0o700)
        for name, content in ((FILES.proxy, job.proxy), (FILES.token, job.bearer)):
            if content:
                _write(place / name, content, 0o600)

    def write_submission(self, name: str, text: str) -> Path:
        path = self._root / "submit" / name
        _write(path, text.encode(), 0o600)
        return path

    def renew(self, token: str, proxy: bytes, bearer: bytes) -> None:
        """Replace what the job has of these."""
        place = self._root / "jobs" / token
        for name, content in ((FILES.proxy, proxy), (FILES.token, bearer)):
            if content and (place / name).exists():
                write_private(place / name, content)

    def output(self, token: str) -> str:
        try:
            with open(self._root / "jobs" / token / FILES.output, "rb") as file:
                file.seek(max(0, os.fstat(file.fileno()).st_size - OUTPUT_BYTES))
                return file.read(OUTPUT_BYTES).decode("utf-8", "replace")
        except FileNotFoundError:
            return ""

    def forget(self, tokens: Collection[str], current_log: str) -> None:
        """Remove all of them, and event logs that tell of nobody any more."""
        for token in tokens:
            shutil.rmtree(self._root / "jobs" / token, ignore_errors=True)
        self.ledger.remove(tokens)
        logs = set(os.listdir(self.events)) - {current_log}
        if logs:
            needed = {entry.log for entry in self.ledger.find(list(self.ledger.tokens())).values()}
            for name in logs - needed:
                (self.events / name).unlink(missing_ok=True)


def _write(path: Path, content: bytes, mode: int) -> None:
    """Not yet anybody's: no more care than that nobody else may read it."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    with open(file, "wb") as opened:
        opened.write(content)
