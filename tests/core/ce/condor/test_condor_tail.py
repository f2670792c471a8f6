"""Following event logs: growing, emptied, replaced, removed, and large ones piece by piece."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from twisted.internet.task import Clock

from tests.conformance.standins.condor_log import record
from wms.ce import Phase
from wms.ce.condor import logtail
from wms.ce.condor.events import Event, Kind
from wms.ce.condor.logtail import LogTail


def text(kind: Kind, proc: int = 0, cluster: int = 1) -> str:
    return record(Event(kind=kind, cluster=cluster, proc=proc, seconds=1.0, node="slot1@wn", exit_code=3))


def phases(tail: LogTail) -> dict[str, Phase]:
    tail.read()
    return {handle: seen.phase for handle, seen in tail.seen.items()}


@pytest.fixture
def tail(tmp_path: Path) -> LogTail:
    return LogTail(tmp_path, Clock(), lambda: None)


def write(path: Path, words: str) -> None:
    with open(path, "a") as log:
        log.write(words)


def test_logs_grow(tail: LogTail, tmp_path: Path) -> None:
    assert phases(tail) == {}
    write(tmp_path / "1.log", text(Kind.SUBMIT) + text(Kind.EXECUTE)[:30])
    write(tmp_path / "other", text(Kind.SUBMIT, 7))
    assert phases(tail) == {"1.0": Phase.QUEUED}
    write(tmp_path / "1.log", text(Kind.EXECUTE)[30:])
    write(tmp_path / "2.log", text(Kind.SUBMIT, cluster=2))
    assert phases(tail) == {"1.0": Phase.RUNNING, "2.0": Phase.QUEUED}


def test_a_log_that_was_emptied_or_replaced_is_read_anew(tail: LogTail, tmp_path: Path) -> None:
    write(tmp_path / "1.log", text(Kind.SUBMIT) + text(Kind.EXECUTE))
    assert phases(tail) == {"1.0": Phase.RUNNING}
    os.truncate(tmp_path / "1.log", 0)
    write(tmp_path / "1.log", text(Kind.SUBMIT, 5))
    assert phases(tail) == {"1.5": Phase.QUEUED}
    write(tmp_path / "new", text(Kind.SUBMIT, 6) * 9)
    os.replace(tmp_path / "new", tmp_path / "1.log")
    assert phases(tail) == {"1.6": Phase.QUEUED}
    (tmp_path / "1.log").unlink()
    assert phases(tail) == {}


def test_large_logs_are_taken_in_piece_by_piece(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logtail, "_CHUNK", 100)
    monkeypatch.setattr(logtail, "_AT_ONCE", 1000)
    told: list[int] = []
    tail = LogTail(tmp_path, Clock(), lambda: told.append(1))
    for name in ("1.log", "2.log"):
        write(tmp_path / name, "".join(text(Kind.SUBMIT, n, int(name[0])) for n in range(30)))
    assert 0 < len(phases(tail)) < 30
    before = -1
    while len(told) > before:
        before = len(told)
        tail.read()
    assert len(tail.seen) == 60
