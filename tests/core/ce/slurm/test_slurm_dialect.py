"""The dialect of Slurm: what 22.05 really printed, and what nobody should print."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wms.ce import CeJob, Phase, Usage
from wms.ce.batch.dialect import Refusal, Row, Said
from wms.ce.batch.slurm import Slurm
from wms.ce.batch.slurm_words import SILENT, exit_status, phase_of, refusal, seconds
from wms.ce.published import QueueFacts
from wms.faults import Fault, judge

SLURM = Slurm()
MOST = QueueFacts(host="ce.example.org", queue="", system="slurm", implementation="x")


def recorded(name: str) -> str:
    return Path(__file__).with_name(name).read_text()


def test_a_list_of_squeue() -> None:
    rows, odd = SLURM.rows(recorded("squeue.txt"))
    assert not odd
    assert {handle: row.phase for handle, row in rows.items()} == {
        "8_[1-3]": Phase.QUEUED, "6": Phase.HELD, "4": Phase.ENDED, "1": Phase.ENDED, "5": Phase.ENDED,
        "2": Phase.ENDED, "3": Phase.ENDED, "7": Phase.QUEUED}
    assert rows["6"].reason == "held: JobHeldUser"
    assert rows["2"] == Row("2", Phase.ENDED, "short", 1, "n1", "", "FAILED (NonZeroExitCode)")
    assert (rows["4"].cancelled, rows["4"].reason) == (True, "cancelled at the CE, not by the service")
    assert (rows["7"].queue, rows["7"].cpus) == ("short,main", 16)


def test_a_list_of_another_cluster_has_a_heading() -> None:
    rows, odd = SLURM.rows("CLUSTER: rec\n" + recorded("squeue.txt"))
    assert (len(rows), odd) == (8, [])


def test_accounts_of_sacct() -> None:
    rows, odd = SLURM.past(recorded("sacct.txt"))
    assert not odd
    assert [rows[handle].exit_status for handle in "123"] == [0, 7, None]
    assert rows["5"].usage == Usage(6.0, 0.029, 3192)
    assert (rows["4"].cancelled, rows["4"].node) == (True, "")


def test_queues_of_sinfo() -> None:
    said = [recorded("sinfo.txt"), recorded("version.txt")]
    main, short = SLURM.queues(said, SLURM.rows(recorded("squeue.txt")).rows, MOST)
    assert (main.queue, main.slots, main.free, main.running, main.waiting) == ("main", 8, 0, 0, 2)
    assert (main.max_wall_s, short.max_wall_s, main.lrms_version) == (36000, 120, "22.05.8")
    assert main.machine == {"GlueHostMainMemoryRAMSize": 4000, "GlueHostArchitectureSMPSize": 8}


@pytest.mark.parametrize(("avail", "cpus", "status", "free"), [
    ("up", "2/6/0/8", "Production", 6), ("down", "0/8/0/8", "Queueing", 0), ("drain", "2/6/0/8", "Draining", 0),
    ("inact", "0/8/0/8", "Closed", 0), ("up", "0/0/8/8", "Queueing", 0), ("new", "0/8/0/8", "Closed", 0),
])
def test_the_state_of_a_partition(avail: str, cpus: str, status: str, free: int) -> None:
    (queue,) = SLURM.queues([f"p|{avail}|infinite|{cpus}|8+|4000+|1\nodd\n", ""], {}, MOST)
    assert (queue.status, queue.free, queue.max_wall_s, queue.lrms_version) == (status, free, 0, "")


def test_nodes_of_several_kinds_are_one_queue() -> None:
    (queue,) = SLURM.queues(["p|up|10:00|1/7/0/8|8|4000|1\np|up|10:00|0/4/0/4|4|?|1\n", "slurm 23.02"],
                            {"1": Row("1", Phase.RUNNING, "p")}, MOST)
    assert (queue.slots, queue.free, queue.running) == (12, 11, 1)
    assert queue.machine["GlueHostArchitectureSMPSize"] == 4


ODD = ["1|RUNNING|p|1|n1", "1|DREAMING|p|1|n1|None", "1|RUNNING|p|many|n1|None", "slurm_load_jobs error"]


@pytest.mark.parametrize("line", ODD)
def test_what_cannot_be_read_is_told(line: str) -> None:
    assert SLURM.rows(f"{line}\n\n2|RUNNING|p|1|n1|None\n") == ({"2": Row("2", Phase.RUNNING, "p", 1, "n1", "",
                                                                         "RUNNING (None)")}, [line])


@pytest.mark.parametrize("line", ["1|RUNNING", "1|DREAMING|0:0|p|1|n|1|0|"])
def test_accounts_that_cannot_be_read_are_told(line: str) -> None:
    assert SLURM.past(line) == ({}, [line])


def test_accounts_without_figures() -> None:
    (row,) = SLURM.past("1|COMPLETED|0:0|p||n|||").rows.values()
    assert (row.cpus, row.usage) == (1, Usage())


@given(st.text())
def test_no_text_confuses_the_readers(text: str) -> None:
    for listing in (SLURM.rows(text), SLURM.past(text)):
        assert set(listing.odd) <= set(text.splitlines())
    SLURM.queues([text, text], {}, MOST)
    SLURM.found(text)
    assert SLURM.handle(text) == "" or SLURM.handle(text).isdecimal()


@pytest.mark.parametrize(("text", "expected"), [
    ("10:00", 600), ("1:02:03", 3723), ("1-00:00:00", 86400), ("infinite", 0), ("00:00.029", 0.029), ("", 0), ("7", 7),
])
def test_times(text: str, expected: float) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize(("code", "status"), [("0:0", 0), ("7:0", 7), ("0:9", None), ("", None), ("x:0", None)])
def test_exit_codes(code: str, status: int | None) -> None:
    assert exit_status(code) == status


@pytest.mark.parametrize(("state", "owner"), [
    ("TIMEOUT", Fault.USER), ("OUT_OF_MEMORY", Fault.USER), ("NODE_FAIL", Fault.SITE), ("PREEMPTED", Fault.SITE),
    ("BOOT_FAIL", Fault.SITE), ("CANCELLED by 1000", Fault.SITE), ("DEADLINE", Fault.SITE), ("REVOKED", Fault.SITE),
])
def test_ends_have_words_by_which_they_are_judged(state: str, owner: Fault) -> None:
    found = phase_of(state, "None")
    assert found is not None
    assert (found[0], judge(found[1]).owner) == (Phase.ENDED, owner)


@pytest.mark.parametrize("reason", ["JobHeldUser", "JobHeldAdmin", "DependencyNeverSatisfied", "PartitionTimeLimit",
                                    "launch failed requeued held", "AssocMaxCpuPerJobLimit"])
def test_waiting_for_ever_is_being_held(reason: str) -> None:
    assert phase_of("PENDING", reason) == (Phase.HELD, f"held: {reason}")
    assert phase_of("PENDING", "Priority") == (Phase.QUEUED, "")


@pytest.mark.parametrize(("said", "meaning"), [
    ("sbatch: error: Batch job submission failed: Invalid partition name specified", Refusal.FINAL),
    ("sbatch: error: Batch job submission failed: More processors requested than permitted", Refusal.FINAL),
    ("sbatch: error: Batch job submission failed: Node count specification invalid", Refusal.FINAL),
    ("Batch job submission failed: Requested time limit is invalid (missing or exceeds some limit)", Refusal.FINAL),
    ("sbatch: error: Memory specification can not be satisfied", Refusal.FINAL),
    ("Batch job submission failed: Requested node configuration is not available", Refusal.FINAL),
    ("sbatch: error: Batch job submission failed: Invalid feature specification", Refusal.FINAL),
    ("Batch job submission failed: Invalid account or account/partition combination specified", Refusal.FINAL),
    ("Batch job submission failed: Invalid qos specification", Refusal.FINAL),
    ("Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)", Refusal.NOW),
    ("sbatch: error: QOSMaxSubmitJobPerUserLimit", Refusal.NOW),
    ("sbatch: error: something new", Refusal.NOW),
    ("Batch job submission failed: Unable to contact slurm controller (connect failure)", Refusal.SILENT),
    ("Batch job submission failed: Socket timed out on send/recv operation", Refusal.SILENT),
])
def test_refusals(said: str, meaning: Refusal) -> None:
    assert SLURM.refusal(said) is refusal(said) is meaning


def test_silence_is_silence() -> None:
    assert all(refusal(f"x {words.upper()} y") is Refusal.SILENT for words in SILENT)
    assert SLURM.silent == SILENT


# -- what it is asked --------------------------------------------------------------------------------------


def job(**more: object) -> CeJob:
    return CeJob("t", "https://wms.example.org:9000/t", "true", **{"queue": "main", **more})  # type: ignore[arg-type]


def test_a_job_with_every_limit() -> None:
    asked = job(wall_s=61, memory_mb=512, cpus=4, hosts=2, smp=2, whole_nodes=True)
    assert SLURM.directives(asked, "wms-x-t", "/s/%j") == [
        "#SBATCH --partition=main", "#SBATCH --job-name=wms-x-t",
        "#SBATCH --comment='wms-x-t https://wms.example.org:9000/t'", "#SBATCH --output=/s/%%j",
        "#SBATCH --open-mode=append", "#SBATCH --time=2", "#SBATCH --mem=512M", "#SBATCH --ntasks=4",
        "#SBATCH --nodes=2", "#SBATCH --mincpus=2", "#SBATCH --no-requeue", "#SBATCH --mail-type=NONE",
        "#SBATCH --exclusive"]


def test_a_job_without_limits_leaves_them_to_the_site() -> None:
    lines = "\n".join(SLURM.directives(job(), "n", "/l"))
    assert not any(f"--{option}" in lines for option in ("time", "mem", "ntasks", "nodes", "mincpus", "exclusive"))


@given(st.text(), st.text())
def test_no_word_of_a_job_becomes_an_option(queue: str, url: str) -> None:
    plain = SLURM.directives(job(), "n", "/l")
    lines = SLURM.directives(CeJob("t", url, "true", queue or "q"), "n", "/l")
    assert len(lines) == len(plain)
    options = [shlex.split(line.removeprefix("#SBATCH ")) for line in lines]
    assert [words[0].partition("=")[0] for words in options] == \
        [line.split()[1].partition("=")[0] for line in plain]
    assert all(len(words) == 1 for words in options)


def test_commands_name_the_cluster_and_carry_the_options() -> None:
    there = Slurm("two", ["--account=grid"])
    assert there.submit() == ["sbatch", "--parsable", "--clusters=two", "--account=grid"]
    assert there.cancel(["1", "2"]) == [["scancel", "--quiet", "--clusters=two", "1", "2"]]
    assert there.search(["a", "b"])[-3:] == ["--name=a,b", "-o", "%i|%j"]
    assert not any("name" in word for word in there.search([]))
    assert there.listing()[0] == "squeue"
    assert there.history(["1", "2"])[4:6] == ["-j", "1,2"]
    assert [command[0] for command in there.facts()] == ["sinfo", "sinfo"]


def test_handles() -> None:
    assert [SLURM.handle(said) for said in ("12\n", "12;two\n", "12 x", "no", "")] == ["12", "12", "12", "", ""]
    assert SLURM.found("12|wms-x-t\nx\n13|wms-x-u|v\n") == [("wms-x-t", "12"), ("wms-x-u|v", "13")]


@pytest.mark.parametrize(("words", "harmless"), [
    ("", True), ("scancel: error: Kill job error on job id 9: Invalid job id specified\n", True),
    ("scancel: error: Kill job error on job id 9: Access/permission denied\n", False)])
def test_cancelling_what_is_over_is_no_failure(words: str, harmless: bool) -> None:
    assert SLURM.harmless(Said(1, "", words)) is harmless
