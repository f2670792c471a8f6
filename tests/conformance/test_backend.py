"""What every computing element backend must do, run against each one of the registry with real processes.

A new backend brings a bench: something that makes a backend on a CE that lives as long as the test.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from reactor_thread import run, started, until
from twisted.internet.defer import ensureDeferred

from wms.ce import BACKENDS, Backend, CeJob, CeState, Phase, Rejected, Submitted, load
from wms.ce.local.spool import Spool
from wms.errors import ConfigError


@dataclass
class Bench:
    """One CE of `slots` slots, with as many backends on it as a test wants."""

    make: Callable[[], Backend]
    place: Path
    made: list[Backend]

    def backend(self) -> Backend:
        backend = run(self._started())
        self.made.append(backend)
        return backend

    async def _started(self) -> Backend:
        backend = self.make()
        await backend.start()
        return backend

    def stop(self, backend: Backend) -> None:
        self.made.remove(backend)
        run(backend.stop())

    def close(self) -> None:
        for backend in self.made:
            run(backend.clean(run(backend.known())))
            run(backend.stop())


def local(place: Path, slots: int) -> Callable[[], Backend]:
    settings = {"spool": str(place / "spool"), "slots": slots, "host": "ce.example.org", "poll_s": 0.1,
                "grace_s": 0.3, "tags": ["VO-test-1"],
                "queues": {"default": {}, "short": {"max_wall_s": 120}}}
    return lambda: load("local")(settings, started())


BENCHES = {"local": local}


def test_every_backend_has_a_bench() -> None:
    assert set(BENCHES) == set(BACKENDS)


def test_an_unknown_backend_is_a_configuration_error() -> None:
    with pytest.raises(ConfigError, match="cray"):
        load("cray")


@pytest.fixture(params=sorted(BENCHES))
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    made = Bench(BENCHES[request.param](tmp_path, 2), tmp_path, [])
    yield made
    made.close()


@pytest.fixture
def ce(bench: Bench) -> Backend:
    return bench.backend()


def job(token: str, script: str, **more: Any) -> CeJob:
    return CeJob(token, f"https://wms.example.org:9000/{token}", f"#!/bin/sh\n{script}\n", "default", **more)


def submit(ce: Backend, *jobs: CeJob) -> list[Submitted | Rejected]:
    return run(ce.submit(jobs))


def state(ce: Backend, token: str) -> CeState:
    return run(ce.status([token]))[token]


def reaches(ce: Backend, tokens: Collection[str], phase: Phase) -> None:
    until(lambda: all(s.phase is phase for s in blocking(ce, tokens)))


def blocking(ce: Backend, tokens: Collection[str]) -> list[CeState]:
    """Statuses from inside the reactor thread: a local question is answered at once."""
    found: list[CeState] = []
    _ = ensureDeferred(ce.status(tokens)).addCallback(lambda states: found.extend(states.values()))
    return found or [CeState("", Phase.LOST)]


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def appears(path: Path) -> int:
    """The number a payload writes into a file."""
    until(lambda: path.exists() and path.read_text().endswith("\n"))
    return int(path.read_text())


# -- submission --------------------------------------------------------------------------------------------


def test_a_payload_runs_and_its_exit_status_is_known(ce: Backend) -> None:
    (verdict,) = submit(ce, job("one", "echo hello; exit 3"))
    reaches(ce, ["one"], Phase.ENDED)
    assert isinstance(verdict, Submitted)
    assert state(ce, "one") == CeState("one", Phase.ENDED, verdict.handle, 3, state(ce, "one").node)
    assert state(ce, "one").node
    assert run(ce.output("one")) == "hello\n"
    assert run(ce.known()) == ["one"]


def test_the_same_token_never_starts_a_second_payload(ce: Backend, tmp_path: Path) -> None:
    twice = job("one", f"echo x >>{tmp_path}/starts")
    first = submit(ce, twice, twice)
    again = submit(ce, twice)
    reaches(ce, ["one"], Phase.ENDED)
    assert submit(ce, twice) == again == first[:1] == first[1:]
    reaches(ce, ["one"], Phase.ENDED)
    assert (tmp_path / "starts").read_text() == "x\n"


def test_what_cannot_run_is_rejected_for_good_and_the_rest_goes_on(ce: Backend) -> None:
    wrong = CeJob("two", "https://h:1/x", "true", "no-such-queue")
    verdicts = submit(ce, wrong, job("../three", "true"), job("one", "true"))
    reaches(ce, ["one"], Phase.ENDED)
    assert [type(v) for v in verdicts] == [Rejected, Rejected, Submitted]
    assert all(v.permanent for v in verdicts if isinstance(v, Rejected))
    assert run(ce.known()) == ["one"]


def test_status_is_one_question_about_many_and_unknown_tokens_are_lost(ce: Backend) -> None:
    tokens = [f"t{n}" for n in range(10)]
    submit(ce, *(job(token, f"exit {n}") for n, token in enumerate(tokens)))
    reaches(ce, tokens, Phase.ENDED)
    states = run(ce.status([*tokens, "never"]))
    assert [states[token].exit_status for token in tokens] == list(range(10))
    assert states["never"].phase is Phase.LOST


# -- slots -------------------------------------------------------------------------------------------------


def test_no_more_run_than_there_are_slots_and_the_first_come_first(ce: Backend, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    tokens = ["a", "b", "c", "d"]
    submit(ce, *(job(token, f"read -r line <{gate}") for token in tokens))
    reaches(ce, ["a", "b"], Phase.RUNNING)
    assert [s.phase for s in run(ce.status(["c", "d"])).values()] == [Phase.QUEUED, Phase.QUEUED]
    (record,) = [r for r in run(ce.describe()) if r["GlueCEName"] == "default"]
    assert (record["GlueCEStateRunningJobs"], record["GlueCEStateWaitingJobs"]) == (2, 2)
    assert record["GlueCEStateFreeCPUs"] == 0
    open_until_ended(ce, gate, tokens)


def test_a_job_of_two_cpus_takes_two_slots_and_keeps_its_place_in_the_queue(ce: Backend, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    line = f"read -r line <{gate}"
    submit(ce, job("one", line), job("two", line, cpus=2), job("small", line))
    reaches(ce, ["one"], Phase.RUNNING)
    assert [s.phase for s in run(ce.status(["two", "small"])).values()] == [Phase.QUEUED, Phase.QUEUED]
    run(ce.cancel(["one"]))
    reaches(ce, ["two"], Phase.RUNNING)
    assert [run(ce.describe())[0][f"GlueCEState{name}"] for name in ("FreeJobSlots", "RunningJobs", "WaitingJobs")] \
        == [0, 1, 1]
    assert state(ce, "small").phase is Phase.QUEUED
    open_until_ended(ce, gate, ["two", "small"])


def test_whole_nodes_leave_no_slot_to_others(ce: Backend, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    line = f"read -r line <{gate}"
    submit(ce, job("whole", line, whole_nodes=True), job("other", line))
    reaches(ce, ["whole"], Phase.RUNNING)
    assert state(ce, "other").phase is Phase.QUEUED
    open_until_ended(ce, gate, ["whole", "other"])


@pytest.mark.parametrize("more", [{"cpus": 3}, {"hosts": 2, "cpus": 2}, {"smp": 3}])
def test_more_cpus_than_the_ce_has_are_refused_for_good(ce: Backend, more: dict[str, int]) -> None:
    (verdict,) = submit(ce, job("large", "true", **more))
    assert isinstance(verdict, Rejected)
    assert verdict.permanent


def open_until_ended(ce: Backend, gate: Path, tokens: Collection[str]) -> None:
    """Holds the gate open for writing, one line for each payload."""
    writer = os.open(gate, os.O_RDWR)
    os.write(writer, b"go\n" * len(tokens))
    reaches(ce, tokens, Phase.ENDED)
    os.close(writer)


def test_the_published_facts_are_glue(ce: Backend) -> None:
    default, short = run(ce.describe())
    assert default["GlueCEUniqueID"] == "ce.example.org:2119/jobmanager-local-default"
    assert default["GlueCEInfoTotalCPUs"] == default["GlueCEStateFreeCPUs"] == 2
    assert default["GlueCEStateStatus"] == "Production"
    assert default["GlueCEPolicyMaxWallClockTime"] == 999_999_999
    assert short["GlueCEPolicyMaxWallClockTime"] == 2
    assert default["GlueHostApplicationSoftwareRunTimeEnvironment"] == ["VO-test-1"]
    assert default["GlueHostMainMemoryRAMSize"] > 0


# -- ends --------------------------------------------------------------------------------------------------


def test_cancel_ends_children_of_children_even_in_sessions_of_their_own(ce: Backend, tmp_path: Path) -> None:
    inner = f"echo $$ >{tmp_path}/inner; exec sleep 1000"
    script = f"setsid sh -c '{inner}' & sh -c 'echo $$ >{tmp_path}/child; sleep 1000 & wait'; wait"
    submit(ce, job("one", script))
    pids = [appears(tmp_path / "inner"), appears(tmp_path / "child")]
    run(ce.cancel(["one"]))
    reaches(ce, ["one"], Phase.ENDED)
    until(lambda: all(map(gone, pids)))
    assert state(ce, "one").reason == "cancelled"
    run(ce.cancel(["one", "never"]))
    assert state(ce, "one").reason == "cancelled"


def test_a_payload_that_ignores_the_polite_signal_is_killed(ce: Backend, tmp_path: Path) -> None:
    submit(ce, job("one", f"trap '' TERM; echo $$ >{tmp_path}/pid; while :; do sleep 1; done"))
    pid = appears(tmp_path / "pid")
    run(ce.cancel(["one"]))
    reaches(ce, ["one"], Phase.ENDED)
    assert gone(pid)


def test_a_wrapper_may_say_a_last_word_when_it_is_cancelled(ce: Backend, tmp_path: Path) -> None:
    script = f"trap 'echo last word; exit 7' TERM; sleep 1000 & echo 1 >{tmp_path}/up; wait"
    submit(ce, job("one", script))
    appears(tmp_path / "up")
    run(ce.cancel(["one"]))
    reaches(ce, ["one"], Phase.ENDED)
    assert (state(ce, "one").exit_status, run(ce.output("one"))) == (7, "last word\n")


def test_a_waiting_payload_that_is_cancelled_never_starts(ce: Backend, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    submit(ce, *(job(t, f"read -r line <{gate}") for t in "ab"), job("late", f"echo 1 >{tmp_path}/started"))
    run(ce.cancel(["late"]))
    assert state(ce, "late") == CeState("late", Phase.ENDED, state(ce, "late").handle, None,
                                        state(ce, "late").node, "cancelled")
    open_until_ended(ce, gate, ["a", "b"])
    submit(ce, job("after", "true"))
    reaches(ce, ["after"], Phase.ENDED)
    assert not (tmp_path / "started").exists()


def test_the_wall_time_limit_ends_a_payload_and_says_so(ce: Backend) -> None:
    submit(ce, job("one", "sleep 1000", wall_s=1))
    reaches(ce, ["one"], Phase.ENDED)
    assert "wall time limit of 1 s" in state(ce, "one").reason


def test_the_limits_of_cpu_and_memory_reach_the_payload(ce: Backend) -> None:
    submit(ce, job("one", "ulimit -t; ulimit -v", cpu_s=77, memory_mb=512))
    reaches(ce, ["one"], Phase.ENDED)
    assert run(ce.output("one")) == "77\n524288\n"


def test_a_runner_that_is_killed_leaves_an_end_without_a_status(ce: Backend, tmp_path: Path) -> None:
    submit(ce, job("one", f"echo $$ >{tmp_path}/pid; echo $PPID >{tmp_path}/runner; sleep 1000"))
    pid, runner = appears(tmp_path / "pid"), appears(tmp_path / "runner")
    os.kill(runner, signal.SIGKILL)
    reaches(ce, ["one"], Phase.ENDED)
    assert (state(ce, "one").exit_status, state(ce, "one").reason) == (None, "vanished")
    until(lambda: gone(pid))


# -- files -------------------------------------------------------------------------------------------------


def test_clean_forgets_the_token_and_its_files(ce: Backend) -> None:
    submit(ce, job("one", "echo x"), job("two", "true"))
    reaches(ce, ["one", "two"], Phase.ENDED)
    run(ce.clean(["one", "never"]))
    assert (state(ce, "one").phase, run(ce.output("one")), run(ce.known())) == (Phase.LOST, "", ["two"])


def test_clean_ends_what_still_runs(ce: Backend, tmp_path: Path) -> None:
    submit(ce, job("one", f"echo $$ >{tmp_path}/pid; sleep 1000"))
    pid = appears(tmp_path / "pid")
    run(ce.clean(["one"]))
    until(lambda: gone(pid))
    assert state(ce, "one").phase is Phase.LOST


def test_renew_replaces_the_proxy_of_a_live_payload(ce: Backend, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    script = f"""cd "${{X509_USER_PROXY%/*}}"
        cat "$X509_USER_PROXY"; read -r line <{gate}; cat "$X509_USER_PROXY"; stat -c %a proxy"""
    submit(ce, job("one", script, proxy=b"old\n"), job("two", "true", proxy=b"old\n"))
    reaches(ce, ["one"], Phase.RUNNING)
    until(lambda: (tmp_path / "gate").exists())
    reaches(ce, ["two"], Phase.ENDED)
    writer = os.open(gate, os.O_RDWR)
    until(lambda: "old" in "".join(output(ce, "one")))
    run(ce.renew(["one", "two", "never"], b"new\n"))
    os.write(writer, b"go\n")
    reaches(ce, ["one"], Phase.ENDED)
    os.close(writer)
    assert run(ce.output("one")) == "old\nnew\n600\n"


def test_a_token_is_a_private_file_that_the_payload_finds_and_that_is_renewed(ce: Backend, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    script = f"""echo "${{X509_USER_PROXY-no proxy}} ${{BEARER_TOKEN-no value}}"; cat "$BEARER_TOKEN_FILE"
        read -r line <{gate}; cat "$BEARER_TOKEN_FILE"; stat -c %a "$BEARER_TOKEN_FILE" """
    submit(ce, job("one", script, bearer=b"old\n"))
    reaches(ce, ["one"], Phase.RUNNING)
    writer = os.open(gate, os.O_RDWR)
    until(lambda: "old" in "".join(output(ce, "one")))
    run(ce.renew(["one", "never"], b"", b"new\n"))
    os.write(writer, b"go\n")
    reaches(ce, ["one"], Phase.ENDED)
    os.close(writer)
    assert run(ce.output("one")) == "no proxy no value\nold\nnew\n600\n"


def test_only_what_is_given_is_renewed(ce: Backend, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    submit(ce, job("one", f'echo here; read -r line <{gate}; cat "$X509_USER_PROXY" "$BEARER_TOKEN_FILE"',
                   proxy=b"proxy\n", bearer=b"token\n"))
    writer = os.open(gate, os.O_RDWR)
    until(lambda: "here" in "".join(output(ce, "one")))
    run(ce.renew(["one"], b"newer proxy\n"))
    os.write(writer, b"go\n")
    reaches(ce, ["one"], Phase.ENDED)
    os.close(writer)
    assert run(ce.output("one")) == "here\nnewer proxy\ntoken\n"


def test_a_job_without_credentials_has_no_files_of_them(ce: Backend) -> None:
    submit(ce, job("one", 'echo "${X509_USER_PROXY-none} ${BEARER_TOKEN_FILE-none}"'))
    reaches(ce, ["one"], Phase.ENDED)
    assert run(ce.output("one")) == "none none\n"


def test_credentials_go_with_the_job(ce: Backend, tmp_path: Path) -> None:
    submit(ce, job("one", f'echo "$X509_USER_PROXY $BEARER_TOKEN_FILE" >{tmp_path}/places; sleep 1000',
                   proxy=b"proxy", bearer=b"token"))
    until(lambda: (tmp_path / "places").exists() and (tmp_path / "places").read_text().endswith("\n"))
    places = [Path(name) for name in (tmp_path / "places").read_text().split()]
    assert [place.read_bytes() for place in places] == [b"proxy", b"token"]
    run(ce.clean(["one"]))
    run(ce.renew(["one"], b"late", b"late"))
    assert [place.exists() for place in places] == [False, False]
    assert run(ce.known()) == []


def output(ce: Backend, token: str) -> list[str]:
    found: list[str] = []
    _ = ensureDeferred(ce.output(token)).addCallback(found.append)
    return found


def test_the_output_is_the_end_of_what_was_said(ce: Backend) -> None:
    submit(ce, job("one", "seq 1 400000; echo last"))
    reaches(ce, ["one"], Phase.ENDED)
    text = run(ce.output("one"))
    assert len(text) == 65536
    assert text.endswith("400000\nlast\n")


# -- several processes, and what a crash leaves --------------------------------------------------------------


def test_a_restart_finds_running_payloads_and_starts_none_again(bench: Bench, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    before = bench.backend()
    submit(before, *(job(t, f"echo {t} >>{tmp_path}/starts; read -r line <{gate}") for t in "abc"))
    reaches(before, ["a", "b"], Phase.RUNNING)
    bench.stop(before)
    after = bench.backend()
    phases = [s.phase for s in run(after.status("abc")).values()]
    assert phases == [Phase.RUNNING, Phase.RUNNING, Phase.QUEUED]
    submit(after, job("a", "exit 9"))
    open_until_ended(after, gate, "abc")
    assert sorted((tmp_path / "starts").read_text().split()) == ["a", "b", "c"]
    assert [s.exit_status for s in run(after.status("abc")).values()] == [0, 0, 0]


DYING_SUBMITTER = """
import os, signal, sys
from twisted.internet import reactor
from twisted.internet.defer import ensureDeferred
from wms.ce import CeJob, load
async def main():
    ce = load("local")({"spool": sys.argv[1], "slots": 2}, reactor)
    await ce.start()
    await ce.submit([CeJob("one", "j", sys.argv[2], "default")])
    os.kill(os.getpid(), signal.SIGKILL)
reactor.callWhenRunning(lambda: ensureDeferred(main()))
reactor.run()
"""


def test_local_payloads_outlive_a_daemon_that_is_killed(bench: Bench, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    script = f"echo x >>{tmp_path}/starts; read -r line <{gate}; exit 6"
    died = subprocess.run([sys.executable, "-c", DYING_SUBMITTER, str(tmp_path / "spool"), script])
    assert died.returncode == -signal.SIGKILL
    ce = bench.backend()
    assert state(ce, "one").phase is Phase.RUNNING
    open_until_ended(ce, gate, ["one"])
    assert (state(ce, "one").exit_status, (tmp_path / "starts").read_text()) == (6, "x\n")


def test_an_end_while_nobody_looks_is_found_later(bench: Bench, tmp_path: Path) -> None:
    before = bench.backend()
    submit(before, job("one", f"echo $PPID >{tmp_path}/runner; exit 4"))
    bench.stop(before)
    runner = appears(tmp_path / "runner")
    until(lambda: gone(runner))
    assert state(bench.backend(), "one").exit_status == 4


def test_two_backends_share_one_ce(bench: Bench, tmp_path: Path) -> None:
    submitter, observer = bench.backend(), bench.backend()
    woken: list[int] = []
    observer.watch(lambda: woken.append(1))
    tokens = [f"t{n}" for n in range(20)]
    submit(submitter, *(job(token, f"echo {token} >>{tmp_path}/starts") for token in tokens))
    reaches(observer, tokens, Phase.ENDED)
    until(lambda: bool(woken))
    assert sorted((tmp_path / "starts").read_text().split()) == sorted(tokens)
    run(observer.clean(tokens))
    assert run(submitter.status(["t0"]))["t0"].phase is Phase.LOST


def test_no_zombie_is_left(ce: Backend) -> None:
    tokens = [f"t{n}" for n in range(5)]
    submit(ce, *(job(token, "true") for token in tokens))
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


def test_local_a_submitter_that_died_between_writing_and_starting(bench: Bench, tmp_path: Path) -> None:
    """Each stop on the way of a submission, as a crash leaves it: the next backend goes on from there."""
    spool = Spool(str(tmp_path / "spool"))
    spool.prepare()
    spool.add(job("written", f"echo written >>{tmp_path}/starts"), "0001")
    spool.add(job("placed", f"echo placed >>{tmp_path}/starts"), "0002")
    spool.place("placed", "0002.placed")
    Path(spool.queue, "0003.halfway").touch()
    Path(spool.scratch, "halfway").mkdir()
    ce = bench.backend()
    assert state(ce, "halfway").phase is Phase.LOST
    submit(ce, job("halfway", f"echo halfway >>{tmp_path}/starts"))
    reaches(ce, ["written", "placed", "halfway"], Phase.ENDED)
    assert sorted((tmp_path / "starts").read_text().split()) == ["halfway", "placed", "written"]
