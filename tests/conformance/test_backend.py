"""What every computing element backend must do, run against each one of the registry with real processes.

Here: submission, slots, what is published. A new backend brings a bench (benches.py).
"""

from __future__ import annotations

import msgspec
import pytest
from benches import BENCHES
from ce_bench import Bench, Can, needs, offers, open_until_ended, reaches, state, submit
from reactor_thread import run

from wms.ce import BACKENDS, Backend, Phase, Rejected, Submitted, load
from wms.errors import ConfigError


def test_every_backend_has_a_bench() -> None:
    assert set(BENCHES) == set(BACKENDS)


def test_an_unknown_backend_is_a_configuration_error() -> None:
    with pytest.raises(ConfigError, match="cray"):
        load("cray")


# -- submission --------------------------------------------------------------------------------------------


@needs(Can.EXIT_STATUS)
def test_a_payload_runs_and_its_exit_status_is_known(bench: Bench, ce: Backend) -> None:
    (verdict,) = submit(ce, bench.job("one", "echo hello; exit 3"))
    reaches(ce, ["one"], Phase.ENDED)
    found = state(ce, "one")
    assert isinstance(verdict, Submitted)
    assert (found.token, found.handle, found.exit_status, found.reason) == ("one", verdict.handle, 3, "")
    assert found.node
    assert run(ce.output("one")) == "hello\n"
    assert run(ce.known()) == ["one"]


def test_the_same_token_never_starts_a_second_payload(bench: Bench, ce: Backend) -> None:
    twice = bench.job("one", f"echo x >>{bench.place}/starts")
    first = submit(ce, twice, twice)
    again = submit(ce, twice)
    reaches(ce, ["one"], Phase.ENDED)
    assert submit(ce, twice) == again == first[:1] == first[1:]
    reaches(ce, ["one"], Phase.ENDED)
    assert (bench.place / "starts").read_text() == "x\n"


def test_what_cannot_run_is_rejected_for_good_and_the_rest_goes_on(bench: Bench, ce: Backend) -> None:
    wrong = msgspec.structs.replace(bench.job("two", "true"), queue="no-such-queue")
    verdicts = submit(ce, wrong, bench.job("../three", "true"), bench.job("one", "true"))
    reaches(ce, ["one"], Phase.ENDED)
    assert [type(v) for v in verdicts] == [Rejected, Rejected, Submitted]
    assert all(v.permanent for v in verdicts if isinstance(v, Rejected))
    assert run(ce.known()) == ["one"]


A_REX_MISSED = "(-1)"
"""What A-REX has instead of an exit status that it did not get from its batch system in time."""


@needs(Can.EXIT_STATUS)
def test_status_is_one_question_about_many_and_unknown_tokens_are_lost(bench: Bench, ce: Backend) -> None:
    tokens = [f"t{n}" for n in range(10)]
    submit(ce, *(bench.job(token, f"exit {n}") for n, token in enumerate(tokens)))
    reaches(ce, tokens, Phase.ENDED)
    states = run(ce.status([*tokens, "never"]))
    missed = {token for token in tokens if A_REX_MISSED in states[token].reason}
    assert len(missed) <= 1, states
    assert {token: states[token].exit_status for token in tokens if token not in missed} == {
        token: n for n, token in enumerate(tokens) if token not in missed}, states
    assert states["never"].phase is Phase.LOST


# -- slots -------------------------------------------------------------------------------------------------


@needs(Can.SLOTS)
def test_no_more_run_than_there_are_slots_and_the_first_come_first(bench: Bench, ce: Backend) -> None:
    gate = bench.gate()
    tokens = ["a", "b", "c", "d"]
    submit(ce, *(bench.job(token, f"read -r line <{gate}") for token in tokens))
    reaches(ce, ["a", "b"], Phase.RUNNING)
    assert [s.phase for s in run(ce.status(["c", "d"])).values()] == [Phase.QUEUED, Phase.QUEUED]
    record = run(ce.describe())[0]
    assert (record["GlueCEStateRunningJobs"], record["GlueCEStateWaitingJobs"]) == (2, 2)
    assert record["GlueCEStateFreeCPUs"] == 0
    open_until_ended(ce, gate, tokens)


@needs(Can.SLOTS, Can.ORDER)
def test_a_job_of_two_cpus_takes_two_slots_and_keeps_its_place_in_the_queue(bench: Bench, ce: Backend) -> None:
    gate = bench.gate()
    line = f"read -r line <{gate}"
    submit(ce, bench.job("one", line), bench.job("two", line, cpus=2), bench.job("small", line))
    reaches(ce, ["one"], Phase.RUNNING)
    assert [s.phase for s in run(ce.status(["two", "small"])).values()] == [Phase.QUEUED, Phase.QUEUED]
    run(ce.cancel(["one"]))
    reaches(ce, ["two"], Phase.RUNNING)
    assert [run(ce.describe())[0][f"GlueCEState{name}"] for name in ("FreeJobSlots", "RunningJobs", "WaitingJobs")] \
        == [0, 1, 1]
    assert state(ce, "small").phase is Phase.QUEUED
    open_until_ended(ce, gate, ["two", "small"])


@needs(Can.SLOTS, Can.WHOLE_NODES)
def test_whole_nodes_leave_no_slot_to_others(bench: Bench, ce: Backend) -> None:
    gate = bench.gate()
    line = f"read -r line <{gate}"
    submit(ce, bench.job("whole", line, whole_nodes=True), bench.job("other", line))
    reaches(ce, ["whole"], Phase.RUNNING)
    assert state(ce, "other").phase is Phase.QUEUED
    open_until_ended(ce, gate, ["whole", "other"])


@needs(Can.SLOTS, Can.CHECKS_SIZE)
@pytest.mark.parametrize("more", [{"cpus": 3}, {"hosts": 2, "cpus": 2}, {"smp": 3}])
def test_more_cpus_than_the_ce_has_are_refused_for_good(bench: Bench, ce: Backend, more: dict[str, int]) -> None:
    (verdict,) = submit(ce, bench.job("large", "true", **more))
    assert isinstance(verdict, Rejected)
    assert verdict.permanent


def test_the_published_facts_are_glue(bench: Bench, ce: Backend) -> None:
    record = offers(ce, 1)[0]
    assert record["GlueCEUniqueID"] == record["CEid"] == bench.ce_id
    assert record["GlueCEName"] == bench.queue
    assert record["GlueCEInfoTotalCPUs"] >= record["GlueCEStateFreeCPUs"] > 0
    assert record["GlueCEStateStatus"] == "Production"
    assert set(bench.tags) <= set(record["GlueHostApplicationSoftwareRunTimeEnvironment"])
    assert record["GlueHostMainMemoryRAMSize"] > 0


@needs(Can.SLOTS)
def test_queues_have_their_own_limits_and_share_the_slots(bench: Bench, ce: Backend) -> None:
    default, short = offers(ce, 2)
    assert default["GlueCEInfoTotalCPUs"] == 2
    assert (default["GlueCEPolicyMaxWallClockTime"], short["GlueCEPolicyMaxWallClockTime"]) == (999_999_999, 2)
