"""What every CE backend must do with several processes on one CE, and with what a crash leaves."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from benches_local import local
from ce_bench import Bench, Can, appears, gone, holds, needs, open_until_ended, reaches, state, submit
from reactor_thread import run, until

from wms.ce import Backend, Phase
from wms.ce.local.spool import Spool
from wms.errors import Unavailable


@needs(Can.SLOTS)
def test_a_restart_finds_running_payloads_and_starts_none_again(bench: Bench) -> None:
    gate, starts = bench.gate(), bench.place / "starts"
    before = bench.backend()
    submit(before, *(bench.job(t, f"echo {t} >>{starts}; read -r line <{gate}") for t in "abc"))
    reaches(before, ["a", "b"], Phase.RUNNING)
    bench.stop(before)
    after = bench.backend()
    phases = [s.phase for s in run(after.status("abc")).values()]
    assert phases == [Phase.RUNNING, Phase.RUNNING, Phase.QUEUED]
    submit(after, bench.job("a", "exit 9"))
    open_until_ended(after, gate, "abc")
    assert sorted(starts.read_text().split()) == ["a", "b", "c"]
    assert [s.exit_status for s in run(after.status("abc")).values()] == [0, 0, 0]


DYING_SUBMITTER = """
import json, os, signal, sys
from twisted.internet import reactor
from twisted.internet.defer import ensureDeferred
from wms.ce import CeJob, load
kind, settings, queue, script = sys.argv[1:]
async def main():
    ce = load(kind)(json.loads(settings), reactor)
    await ce.start()
    await ce.submit([CeJob("one", "https://wms.example.org:9000/one", script, queue)])
    os.kill(os.getpid(), signal.SIGKILL)
reactor.callWhenRunning(lambda: ensureDeferred(main()))
reactor.run()
"""


@needs(Can.EXIT_STATUS)
def test_payloads_outlive_a_daemon_that_is_killed(bench: Bench) -> None:
    gate, starts = bench.gate(), bench.place / "starts"
    script = f"#!/bin/sh\necho x >>{starts}; read -r line <{gate}; exit 6\n"
    died = subprocess.run([sys.executable, "-c", DYING_SUBMITTER, bench.kind, json.dumps(bench.settings), bench.queue,
                           script], check=False)
    assert died.returncode == -signal.SIGKILL
    ce = bench.backend()
    reaches(ce, ["one"], Phase.RUNNING)
    open_until_ended(ce, gate, ["one"])
    assert (state(ce, "one").exit_status, starts.read_text()) == (6, "x\n")


@needs(Can.EXIT_STATUS, Can.RUNNER)
def test_an_end_while_nobody_looks_is_found_later(bench: Bench) -> None:
    before = bench.backend()
    submit(before, bench.job("one", f"echo $PPID >{bench.place}/runner; exit 4"))
    bench.stop(before)
    runner = appears(bench.place / "runner")
    until(lambda: gone(runner))
    after = bench.backend()
    reaches(after, ["one"], Phase.ENDED)
    assert state(after, "one").exit_status == 4


@needs(Can.STRAYS)
def test_what_only_the_ce_has_is_known_and_ends_when_it_is_cancelled(bench: Bench, ce: Backend) -> None:
    """As after the spool was lost, or one came back that is older."""
    tokens = ["one", "two"]
    submit(ce, *(bench.job(token, f"echo $$ >{bench.place}/{token}; sleep 1000") for token in tokens))
    pids = [appears(bench.place / token) for token in tokens]
    shutil.rmtree(bench.settings["spool"])
    after = bench.backend()
    assert run(after.known()) == tokens
    run(after.cancel(tokens))
    until(lambda: all(map(gone, pids)))
    holds(after, [])


def test_two_backends_share_one_ce(bench: Bench) -> None:
    submitter, observer = bench.backend(), bench.backend()
    tokens = [f"t{n}" for n in range(20)]
    submit(submitter, *(bench.job(token, f"echo {token} >>{bench.place}/starts") for token in tokens))
    reaches(observer, tokens, Phase.ENDED)
    assert sorted((bench.place / "starts").read_text().split()) == sorted(tokens)
    run(observer.clean(tokens))
    assert run(submitter.status(["t0"]))["t0"].phase is Phase.LOST


@needs(Can.WAKES)
def test_a_change_wakes_who_watches(bench: Bench) -> None:
    submitter, observer = bench.backend(), bench.backend()
    woken: list[int] = []
    observer.watch(lambda: woken.append(1))
    submit(submitter, bench.job("one", "true"))
    until(lambda: bool(woken))


def test_no_zombie_is_left(bench: Bench, ce: Backend) -> None:
    tokens = [f"t{n}" for n in range(5)]
    submit(ce, *(bench.job(token, "true") for token in tokens))
    reaches(ce, tokens, Phase.ENDED)
    until(lambda: not zombies())


def zombies() -> list[int]:
    me = str(os.getpid())
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if fields[0] == "Z" and fields[1] == me:
            found.append(int(stat.parent.name))
    return found


def test_the_local_ce_after_a_submitter_that_died_between_writing_and_starting(tmp_path: Path) -> None:
    """Each stop on the way of a submission, as a crash leaves it: the next backend goes on from there."""
    bench, starts = local(tmp_path), tmp_path / "starts"
    spool = Spool(str(tmp_path / "spool"))
    spool.prepare()
    spool.add(bench.job("written", f"echo written >>{starts}"), "0001")
    spool.add(bench.job("placed", f"echo placed >>{starts}"), "0002")
    spool.place("placed", "0002.placed")
    Path(spool.queue, "0003.halfway").touch()
    Path(spool.scratch, "halfway").mkdir()
    ce = bench.backend()
    assert state(ce, "halfway").phase is Phase.LOST
    submit(ce, bench.job("halfway", f"echo halfway >>{starts}"))
    reaches(ce, ["written", "placed", "halfway"], Phase.ENDED)
    assert sorted(starts.read_text().split()) == ["halfway", "placed", "written"]
    bench.close()


@needs(Can.SPOOL)
def test_a_spool_that_cannot_be_written_only_makes_jobs_late(bench: Bench, ce: Backend) -> None:
    place, starts = Path(bench.settings["spool"]) / bench.writes, bench.place / "starts"
    away = place.with_name("away")
    jobs = [bench.job(token, f"echo {token} >>{starts}") for token in "ab"]
    place.rename(away)
    place.touch()
    with pytest.raises(Unavailable, match=r"spool .*cannot be (written|used)"):
        submit(ce, *jobs)
    place.unlink()
    away.rename(place)
    submit(ce, *jobs)
    reaches(ce, "ab", Phase.ENDED)
    assert sorted(starts.read_text().split()) == ["a", "b"]
