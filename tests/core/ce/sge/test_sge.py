"""Grid Engine: what 8.1.9 printed, with what its manual says beyond that, and what it is asked for."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wms.ce import CeJob, Phase, Usage
from wms.ce.batch.dialect import Refusal, Row, Said
from wms.ce.batch.sge import Sge
from wms.ce.batch.sge_words import kilobytes, phase_of, seconds
from wms.ce.published import QueueFacts

SGE = Sge()
MOST = QueueFacts(host="ce.example.org", queue="", system="sge", implementation="wms")


def recorded(name: str) -> str:
    return (Path(__file__).parent / name).read_text()


def lines(**more: object) -> list[str]:
    job = CeJob("one", "https://wms.example.org:9000/one", "#!/bin/sh\n", "all.q", **more)  # type: ignore[arg-type]
    return SGE.directives(job, "wms-1-one", "/a b/log")


# -- jobs --------------------------------------------------------------------------------------------------


def test_jobs_that_are_listed() -> None:
    found = SGE.rows(recorded("jobs.xml"))
    assert found.rows == {row.handle: row for row in [
        Row("1", Phase.RUNNING, "default", 1, "localhost"), Row("3", Phase.RUNNING, "default", 2, "wn2.example.org"),
        Row("5", Phase.QUEUED, "default", 5), Row("2", Phase.HELD, "", 1, reason="held (hqw)")]}
    assert len(found.odd) == 1


def test_names_are_found_with_their_handles() -> None:
    assert ("wms-2", "2") in SGE.found(recorded("jobs.xml"))


@pytest.mark.parametrize(("state", "phase"), [
    ("r", Phase.RUNNING), ("t", Phase.RUNNING), ("Rr", Phase.RUNNING), ("dr", Phase.RUNNING), ("hr", Phase.RUNNING),
    ("qw", Phase.QUEUED), ("Rq", Phase.QUEUED), ("hqw", Phase.HELD), ("Eqw", Phase.HELD), ("Ehqw", Phase.HELD),
    ("s", Phase.HELD), ("S", Phase.HELD), ("T", Phase.HELD), ("z", Phase.ENDED), ("dqw", Phase.RUNNING)])
def test_states(state: str, phase: Phase) -> None:
    found = phase_of(state)
    assert found is not None
    assert found[0] is phase
    assert (state in found[1]) is (phase is Phase.HELD)


@pytest.mark.parametrize("state", ["", "y", "r!"])
def test_no_states(state: str) -> None:
    assert phase_of(state) is None


@given(st.text(max_size=100), st.integers(0, 3000))
def test_any_text_is_read(text: str, at: int) -> None:
    for name, read in (("jobs.xml", SGE.rows), ("accounts.txt", SGE.past)):
        whole = recorded(name)
        assert all(handle == row.handle for handle, row in read(whole[:at] + text + whole[at:]).rows.items())


def test_accounts() -> None:
    ends = {handle: (row.exit_status, row.cancelled, row.reason, row.usage, row.cpus, row.node)
            for handle, row in SGE.past(recorded("accounts.txt")).rows.items()}
    over = "time limit reached, or that of CPU time or memory (qmaster enforced h_rt, h_cpu, or h_vmem limit)"
    node = "wn7.example.org"
    assert ends == {
        "1": (3, False, "", Usage(3.0, 0.013, 4500), 1, "localhost"),
        "12": (None, False, over, Usage(120.0, 100.0, 20480), 4, node),
        "13": (None, True, "", Usage(5.0), 1, node),
        "14": (None, False, "the CE could not run it (failed 26: opening input/output file)", Usage(), 1, node),
    }


@pytest.mark.parametrize(("text", "size"), [
    ("4.395KB", 4500), ("4400", 4400), ("0.000B", 0), ("1M", 1 << 20), ("-", 0)])
def test_sizes(text: str, size: int) -> None:
    assert kilobytes(text) == size


@pytest.mark.parametrize(("text", "time"), [("3s", 3), ("0.5s", 0.5), ("12", 12), ("1:02:03", 3723), ("00:02:00", 120),
                                            ("INFINITY", 0), ("", 0)])
def test_times(text: str, time: float) -> None:
    assert seconds(text) == time


# -- what is asked -----------------------------------------------------------------------------------------


def test_limits_and_places() -> None:
    assert {"#$ -S /bin/sh", "#$ -notify", "#$ -r n", "#$ -N wms-1-one", "#$ -q all.q", "#$ -o '/a b/log'",
            "#$ -l h_rt=90", "#$ -l mem_free=512M", "#$ -l exclusive=true"} \
        <= set(lines(wall_s=90, memory_mb=512, whole_nodes=True))


@pytest.mark.parametrize(("more", "parallel"), [
    ({}, []), ({"cpus": 4}, ["#$ -pe smp* 4"]), ({"cpus": 4, "hosts": 2}, ["#$ -pe * 4"]),
    ({"cpus": 4, "hosts": 1}, ["#$ -pe smp* 4"]), ({"cpus": 4, "hosts": 2, "smp": 2}, ["#$ -pe smp* 4"])])
def test_several_cpus(more: dict[str, int], parallel: list[str]) -> None:
    assert [line for line in lines(**more) if "-pe" in line] == parallel


def test_commands() -> None:
    assert Sge("", ["-P", "grid"]).submit() == ["qsub", "-terse", "-P", "grid"]
    assert SGE.search(["n"]) == SGE.listing() == ["qstat", "-u", "*", "-r", "-xml"]
    assert SGE.history(["1", "2"])[3:] == ["qacct", "1", "2"]
    assert SGE.cancel(["1", "2"]) == [["qdel", "1", "2"]]
    assert SGE.facts()[0] == ["qstat", "-g", "c"]


@pytest.mark.parametrize(("stdout", "handle"), [("12\n", "12"), ("", ""), ("12 x", ""), ("-1", "")])
def test_handles(stdout: str, handle: str) -> None:
    assert SGE.handle(stdout) == handle


@pytest.mark.parametrize(("said", "meaning"), [
    ('Unable to run job: Job was rejected because job requests unknown queue "nosuch"\nExiting.', Refusal.FINAL),
    ('Unable to run job: unknown resource "bad"\nExiting.', Refusal.FINAL),
    ('job rejected: the requested parallel environment "no" does not exist', Refusal.FINAL),
    ("error: commlib error: got select error (Connection refused)\nUnable to run job: unable to send message to "
     'qmaster using port 1 on host "localhost": got send error.\nExiting.', Refusal.SILENT),
    ("Unable to run job: job rejected: Only 10 jobs are allowed per user (current job count: 10)", Refusal.NOW),
    ("anything", Refusal.NOW)])
def test_refusals(said: str, meaning: Refusal) -> None:
    assert SGE.refusal(said) is meaning


@pytest.mark.parametrize(("stdout", "harmless"), [
    ('root has deleted job 2\ndenied: job "77" does not exist\n', True),
    ("root has registered the job 5 for deletion\njob 6 is already in deletion\n", True),
    ("anna - you do not have the necessary privileges to delete the job \"5\"\n", False)])
def test_cancels_that_fail(stdout: str, harmless: bool) -> None:
    assert SGE.harmless(Said(1, stdout, "")) is harmless


# -- queues ------------------------------------------------------------------------------------------------


def test_queues() -> None:
    said = [recorded("queues.txt"), recorded("definitions.txt"), recorded("hosts.txt"), "SGE 8.1.9\nusage: qstat\n"]
    rows = {"1": Row("1", Phase.RUNNING, "default"), "2": Row("2", Phase.QUEUED, "short")}
    default, short, disabled, leaving = SGE.queues(said, rows, MOST)
    assert (default.slots, default.free, default.running, default.waiting, default.max_wall_s) == (2, 1, 1, 0, 0)
    assert (short.slots, short.free, short.waiting, short.max_wall_s, short.max_cpu_s) == (2, 0, 1, 120, 3600)
    assert default.lrms_version == "8.1.9"
    assert default.machine == {"GlueHostMainMemoryRAMSize": 7680, "GlueHostArchitectureSMPSize": 2}
    assert [queue.status for queue in (default, disabled, leaving)] == ["Production", "Queueing", "Draining"]
    assert (disabled.slots, disabled.free, leaving.free) == (0, 0, 0)


def test_a_cluster_that_says_nothing() -> None:
    assert SGE.queues(["", "", "", ""], {}, MOST) == []
