"""What every CE backend must do when a payload is cancelled, reaches a limit or loses who runs it."""

from __future__ import annotations

import os
import signal
from contextlib import suppress

from ce_bench import Bench, Can, appears, gone, last_word, needs, open_until_ended, reaches, state, submit
from reactor_thread import run, until

from wms.ce import Backend, Phase


@needs(Can.SESSIONS)
def test_cancel_ends_children_of_children_even_in_sessions_of_their_own(bench: Bench, ce: Backend) -> None:
    inner = f"echo $$ >{bench.place}/inner; exec sleep 1000"
    script = f"setsid sh -c '{inner}' & sh -c 'echo $$ >{bench.place}/child; sleep 1000 & wait'; wait"
    submit(ce, bench.job("one", script))
    pids = [appears(bench.place / "inner"), appears(bench.place / "child")]
    run(ce.cancel(["one"]))
    reaches(ce, ["one"], Phase.ENDED)
    until(lambda: all(map(gone, pids)))
    assert state(ce, "one").reason == "cancelled"
    run(ce.cancel(["one", "never"]))
    assert state(ce, "one").reason == "cancelled"


@needs(Can.SURE_KILL)
def test_a_payload_that_ignores_the_polite_signal_is_killed(bench: Bench, ce: Backend) -> None:
    submit(ce, bench.job("one", f"trap '' TERM; echo $$ >{bench.place}/pid; while :; do sleep 1; done"))
    pid = appears(bench.place / "pid")
    run(ce.cancel(["one"]))
    reaches(ce, ["one"], Phase.ENDED)
    until(lambda: gone(pid))


@needs(Can.LAST_WORD)
def test_a_wrapper_may_say_a_last_word_when_it_is_cancelled(bench: Bench, ce: Backend) -> None:
    submit(ce, bench.job("one", last_word(7, f"echo 1 >{bench.place}/up")))
    appears(bench.place / "up")
    run(ce.cancel(["one"]))
    reaches(ce, ["one"], Phase.ENDED)
    assert (state(ce, "one").exit_status, set(run(ce.output("one")).splitlines())) == (7, {"last word"})


@needs(Can.SLOTS)
def test_a_waiting_payload_that_is_cancelled_never_starts(bench: Bench, ce: Backend) -> None:
    gate = bench.gate()
    submit(ce, *(bench.job(token, f"read -r line <{gate}") for token in "ab"),
           bench.job("late", f"echo 1 >{bench.place}/started"))
    run(ce.cancel(["late"]))
    reaches(ce, ["late"], Phase.ENDED)
    assert (state(ce, "late").exit_status, state(ce, "late").reason) == (None, "cancelled")
    open_until_ended(ce, gate, ["a", "b"])
    submit(ce, bench.job("after", "true"))
    reaches(ce, ["after"], Phase.ENDED)
    assert not (bench.place / "started").exists()


@needs(Can.LIMITS_OF_SECONDS)
def test_the_wall_time_limit_ends_a_payload_and_says_so(bench: Bench, ce: Backend) -> None:
    submit(ce, bench.job("one", "sleep 1000", wall_s=1))
    reaches(ce, ["one"], Phase.ENDED)
    assert "wall time limit of 1 s" in state(ce, "one").reason


@needs(Can.ULIMITS)
def test_the_limits_of_cpu_and_memory_reach_the_payload(bench: Bench, ce: Backend) -> None:
    submit(ce, bench.job("one", "ulimit -t; ulimit -v", cpu_s=77, memory_mb=512))
    reaches(ce, ["one"], Phase.ENDED)
    assert run(ce.output("one")) == "77\n524288\n"


@needs(Can.RUNNER)
def test_a_runner_that_is_killed_leaves_an_end_without_a_status(bench: Bench, ce: Backend) -> None:
    submit(ce, bench.job("one", f"echo $$ >{bench.place}/pid; echo $PPID >{bench.place}/runner; sleep 1000"))
    pid, runner = appears(bench.place / "pid"), appears(bench.place / "runner")
    os.kill(runner, signal.SIGKILL)
    reaches(ce, ["one"], Phase.ENDED)
    assert state(ce, "one").exit_status is None
    assert state(ce, "one").reason
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


@needs(Can.RUNNER, Can.ORPHANS)
def test_a_payload_ends_with_its_runner(bench: Bench, ce: Backend) -> None:
    submit(ce, bench.job("one", f"echo $$ >{bench.place}/pid; echo $PPID >{bench.place}/runner; sleep 1000"))
    pid, runner = appears(bench.place / "pid"), appears(bench.place / "runner")
    os.kill(runner, signal.SIGKILL)
    reaches(ce, ["one"], Phase.ENDED)
    until(lambda: gone(pid))
