"""The heartbeat is written after real work of the database, and systemd hears of it."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from shell import Shell, result

from wms import beat
from wms.errors import Unavailable
from wms.heartbeat import BEAT_S, Heartbeat
from wms.service import Daemon, Ticker
from wms.systemd import notify, watchdog_s


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    made = Shell(settings=f"state_dir: {tmp_path}")
    yield made
    made.close()


def test_progress_and_queues_are_written_every_two_seconds(shell: Shell, tmp_path: Path) -> None:
    async def work() -> None: ...

    daemon = Daemon("wm", [Ticker(shell.kit(), "match", 100, work)])
    heartbeat = Heartbeat(shell.kit(), "suite", [daemon])
    path = beat.beat_path(str(tmp_path), "suite")
    shell.put("wm", 1, 2)
    result(daemon.start())
    result(heartbeat.ticker.start())
    first = beat.read(path)
    assert first is not None
    assert (first.ready, first.time, first.pid) == (False, 0.0, os.getpid())
    assert first.daemons == {"wm": {"Ticker:match": {"done": 1, "failed": 0, "last": 0.0}}}
    assert first.queues == [{"topic": "wm", "waiting": 2, "buried": 0, "oldest": 0.0}]
    result(heartbeat.ready())
    shell.advance(BEAT_S)
    later = beat.read(path)
    assert later is not None
    assert (later.ready, later.time, later.started) == (True, BEAT_S, 0.0)
    result(daemon.stop())
    result(heartbeat.ticker.stop())
    heartbeat.remove()
    heartbeat.remove()
    assert beat.read(path) is None


def test_a_process_whose_database_fails_falls_silent(shell: Shell, tmp_path: Path) -> None:
    heartbeat = Heartbeat(shell.kit(), "suite", [])
    result(heartbeat.ticker.start())

    def refuse(_conn: object) -> None:
        raise OSError

    shell.database.before_commit = refuse
    shell.advance(10 * BEAT_S, steps=10)
    last = beat.read(heartbeat.path)
    assert last is not None
    assert last.time == 0.0
    shell.database.before_commit = None
    shell.advance(BEAT_S)
    again = beat.read(heartbeat.path)
    assert again is not None
    assert again.time == 11 * BEAT_S
    result(heartbeat.ticker.stop())


def test_a_process_that_listens_outlives_a_database_that_goes_away(shell: Shell) -> None:
    heartbeat = Heartbeat(shell.kit(), "suite", [])
    result(heartbeat.ticker.start())

    def refuse(_conn: object) -> None:
        raise Unavailable("The database does not answer.")

    shell.database.before_commit = refuse
    result(heartbeat.ready())
    shell.database.before_commit = None
    shell.advance(BEAT_S)
    found = beat.read(heartbeat.path)
    assert found is not None
    assert found.ready
    result(heartbeat.ticker.stop())


def test_what_is_no_heartbeat_is_none(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("{")
    assert beat.read(tmp_path / "x.json") is None


@pytest.mark.parametrize("abstract", [False, True])
def test_systemd_hears_when_it_listens(tmp_path: Path, abstract: bool) -> None:
    address = f"@wms-test-{os.getpid()}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(address.replace("@", "\0"))
        assert notify("READY=1", {"NOTIFY_SOCKET": address})
        assert listener.recv(100) == b"READY=1"
    assert not notify("READY=1", {"NOTIFY_SOCKET": str(tmp_path / "nobody")})
    assert not notify("READY=1", {})


def test_the_watchdog_is_petted_twice_in_its_time() -> None:
    assert watchdog_s({"WATCHDOG_USEC": "30000000"}) == 15.0
    assert [watchdog_s({"WATCHDOG_USEC": text}) for text in ("", "0", "x")] == [None] * 3
    assert watchdog_s({}) is None
