"""PBS in the words of its documentation: what OpenPBS and Torque print, what they are asked for."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wms.ce import CeJob, Phase, Usage
from wms.ce.batch.dialect import Refusal, Row, Said
from wms.ce.batch.pbs import Pbs, records
from wms.ce.batch.pbs_words import exit_status, kilobytes
from wms.ce.published import QueueFacts

PBS = Pbs()
MOST = QueueFacts(host="ce.example.org", queue="", system="pbs", implementation="wms")


def recorded(name: str) -> str:
    return (Path(__file__).parent / f"{name}.txt").read_text()


def job(**more: object) -> CeJob:
    return CeJob("one", "https://wms.example.org:9000/one", "#!/bin/sh\n", "workq", **more)  # type: ignore[arg-type]


# -- jobs --------------------------------------------------------------------------------------------------


def test_jobs_of_openpbs() -> None:
    found = PBS.rows(recorded("openpbs_jobs"))
    server = "pbs.example.org"
    assert found.rows == {row.handle: row for row in [
        Row(f"101.{server}", Phase.RUNNING, "workq", 4, "node01"),
        Row(f"102.{server}", Phase.QUEUED, "workq"),
        Row(f"103.{server}", Phase.HELD, "workq",
            reason="held by its user, by the system: job held, too many failed attempts to run"),
        Row(f"104.{server}", Phase.HELD, "workq", 64,
            reason="held: Can Never Run: Insufficient amount of resource: ncpus (R: 64 A: 8 T: 8)"),
        Row(f"105.{server}", Phase.HELD, "workq", 1, "node01", "held: suspended"),
        Row(f"106.{server}", Phase.RUNNING, "workq", 1, "node01"),
        Row(f"107[].{server}", Phase.RUNNING, "workq"),
    ]}
    assert found.odd == [f"108.{server}"]


def test_ends_of_openpbs() -> None:
    rows = PBS.past(recorded("openpbs_history")).rows
    ends = {row.handle.partition(".")[0]: (row.exit_status, row.cancelled, row.reason, row.usage)
            for row in rows.values()}
    assert all(row.phase is Phase.ENDED for row in rows.values())
    assert ends == {
        "201": (0, False, "", Usage(360605.0, 600.0, 102400)),
        "202": (None, False, "", Usage(3.0, 0.0, 0)),
        "203": (None, True, "cancelled at the CE, not by the service", Usage(9.0)),
        "204": (None, False, "time limit reached (walltime)", Usage(125.0)),
        "205": (None, False, "the CE could not run it (Exit_status -3): job held, too many failed attempts to run "
                             "and terminated", None),
        "206": (None, True, "cancelled at the CE, not by the service", None),
        "207": (None, False, "moved to another server by the CE", None),
    }
    assert rows["206.pbs.example.org"].detail == "Exit_status unknown"


def test_jobs_of_torque() -> None:
    rows = PBS.rows(recorded("torque_jobs")).rows
    assert rows["301.torque.example.org"] == Row("301.torque.example.org", Phase.ENDED, "batch", 3, "wn01",
                                                 detail="Exit_status 0", exit_status=0, usage=Usage(10.0, 1.0, 3684))
    assert rows["302.torque.example.org"].exit_status is None


def test_torque_answers_a_question_about_history_in_xml() -> None:
    assert PBS.past("<Data><Job><Job_Id>301.t</Job_Id><job_state>C</job_state></Job></Data>\n") == ({}, [])


def test_names_are_found_with_their_handles() -> None:
    assert ("wms-0a1b2c3d-held", "103.pbs.example.org") in PBS.found(recorded("openpbs_jobs"))


def test_nobody_takes_the_place_of_another_job() -> None:
    forged = "Job Id: 1.s\n    job_state = R\nJob Id: 1.s\n    job_state = F\n    job_state = Q\n"
    assert PBS.rows(forged).rows["1.s"].phase is Phase.RUNNING


@given(st.text(max_size=200), st.sampled_from(["openpbs_jobs", "openpbs_history"]), st.integers(0, 3000))
def test_any_text_is_read(text: str, name: str, at: int) -> None:
    whole = recorded(name)
    for said in (text, whole[:at] + text + whole[at:]):
        assert all(handle == row.handle for handle, row in PBS.rows(said).rows.items())


@pytest.mark.parametrize(("code", "status"), [
    ("0", 0), ("3", 3), ("255", 255), ("256", None), ("271", None), ("-29", None), ("", None), ("x", None)])
def test_exit_status(code: str, status: int | None) -> None:
    assert exit_status(code) == status


@pytest.mark.parametrize(("text", "size"), [
    ("1234kb", 1234), ("2gb", 2 << 20), ("1MB", 1024), ("2048b", 2), ("4096", 4), ("100kw", 800), ("", 0),
    ("1.5gb", 0)])
def test_sizes(text: str, size: int) -> None:
    assert kilobytes(text) == size


@pytest.mark.parametrize(("comment", "reason"), [
    ("... and exceeded resource mem", "out of memory"), ("... and exceeded resource cput", "CPU time limit reached"),
    ("job killed: walltime 10 exceeded limit 1", "time limit reached (walltime)")])
def test_a_limit_may_be_told_in_the_comment_only(comment: str, reason: str) -> None:
    said = f"Job Id: 1.s\n    job_state = F\n    Exit_status = 271\n    comment = {comment}\n"
    assert PBS.rows(said).rows["1.s"].reason == reason


# -- what is asked -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("more", "nodes"), [
    ({}, ""), ({"cpus": 4}, "1:ppn=4"), ({"cpus": 4, "hosts": 2}, "2:ppn=2"), ({"cpus": 5, "hosts": 2}, "2:ppn=3"),
    ({"cpus": 8, "smp": 4}, "2:ppn=4"), ({"cpus": 2, "hosts": 1, "smp": 4}, "1:ppn=4"),
    ({"whole_nodes": True}, "1:ppn=1#excl")])
def test_cpus_and_hosts(more: dict[str, int], nodes: str) -> None:
    lines = [line for line in PBS.directives(job(**more), "n", "/l") if "nodes" in line]
    assert lines == ([f"#PBS -l nodes={nodes}"] if nodes else [])


def test_limits_and_places() -> None:
    lines = Pbs("srv").directives(job(wall_s=90, memory_mb=512), "wms-1-one", "/a b/log")
    assert {"#PBS -N wms-1-one", "#PBS -q workq@srv", "#PBS -o '/a b/log'", "#PBS -l walltime=90", "#PBS -l mem=512mb",
            "#PBS -r n", "#PBS -j oe"} <= set(lines)


def test_commands() -> None:
    other = Pbs("srv", ["-A", "grid"])
    assert other.submit() == ["qsub", "-A", "grid"]
    assert [PBS.listing(), other.listing(), other.search(["n"])] == [["qstat", "-f"], *[["qstat", "-f", "@srv"]] * 2]
    assert other.history(["1.s"])[3:] == ["qstat", "1.s@srv"]
    assert PBS.cancel(["1.s", "2.s"]) == [["qdel", "1.s", "2.s"]]
    assert other.facts() == [["qstat", "-Q", "-f", "@srv"], ["pbsnodes", "-a", "-s", "srv"],
                             ["qstat", "-B", "-f", "@srv"]]
    assert PBS.facts()[1] == ["pbsnodes", "-a"]


@pytest.mark.parametrize(("stdout", "handle"), [
    ("123.pbs.example.org\n", "123.pbs.example.org"), ("7[].s\n", "7[].s"), ("", ""), ("-x.s", ""), ("12", ""),
    ("a\n1.s\n", "")])
def test_handles(stdout: str, handle: str) -> None:
    assert PBS.handle(stdout) == handle


@pytest.mark.parametrize(("said", "meaning"), [
    ("qsub: Unknown queue", Refusal.FINAL), ("qsub: Job exceeds queue and/or server resource limits", Refusal.FINAL),
    ("qsub: Access to queue is denied", Refusal.FINAL), ("qsub: Unauthorized Request ", Refusal.FINAL),
    ("qsub: would exceed queue generic's per-user limit", Refusal.NOW), ("qsub: Queue is not enabled", Refusal.NOW),
    ("qsub: Maximum number of jobs already in queue for user", Refusal.NOW), ("something else", Refusal.NOW),
    ("Connection refused\nqsub: cannot connect to server pbs (errno=15010)", Refusal.SILENT),
    ("No route to host\nqsub: cannot connect to server aqua (errno=15010)", Refusal.SILENT)])
def test_refusals(said: str, meaning: Refusal) -> None:
    assert PBS.refusal(said) is meaning


@pytest.mark.parametrize(("stderr", "harmless"), [
    ("qdel: Unknown Job Id 5.s\n", True), ("qdel: Job has finished 5.s\n", True),
    ("qdel: nonexistent job id: 1\nqdel: Unknown Job Id Error 5.s", False),
    ("qdel: Request invalid for state of job 5.s", True), ("qdel: Unauthorized Request  5.s", False)])
def test_cancels_that_fail(stderr: str, harmless: bool) -> None:
    assert PBS.harmless(Said(153, "", stderr)) is harmless


# -- queues ------------------------------------------------------------------------------------------------


def test_queues_of_openpbs() -> None:
    said = [recorded("openpbs_queues"), recorded("openpbs_nodes"), recorded("server")]
    rows = {str(n): Row(str(n), phase, "workq") for n, phase in enumerate([Phase.RUNNING, Phase.QUEUED, Phase.HELD])}
    workq, qexp, closed, stopped, draining = PBS.queues(said, rows, MOST)
    assert (workq.queue, workq.slots, workq.free, workq.running, workq.waiting) == ("workq", 10, 0, 1, 1)
    assert (workq.lrms_version, workq.response_s) == ("20.0.1", 60)
    assert workq.machine == {"GlueHostMainMemoryRAMSize": 8000, "GlueHostArchitectureSMPSize": 2}
    assert (qexp.slots, qexp.free, qexp.max_wall_s, qexp.max_cpu_s, qexp.max_running) == (3, 3, 3600, 7200, 12)
    assert [queue.status for queue in (qexp, closed, stopped, draining)] \
        == ["Production", "Closed", "Queueing", "Draining"]
    assert (closed.free, stopped.free, draining.free) == (0, 0, 0)


def test_queues_of_torque() -> None:
    said = ["Queue: batch\n    enabled = True\n    started = True\n", recorded("torque_nodes"), ""]
    (batch,) = PBS.queues(said, {}, MOST)
    assert (batch.slots, batch.free, batch.lrms_version) == (4, 1, "")
    assert batch.machine["GlueHostMainMemoryRAMSize"] == 7982


def test_a_queue_without_nodes_runs_nothing() -> None:
    (batch,) = PBS.queues(["Queue: batch\n    enabled = True\n    started = True\n", "", ""], {}, MOST)
    assert (batch.status, batch.slots, batch.machine["GlueHostMainMemoryRAMSize"]) == ("Queueing", 0, 0)


def test_a_node_that_does_not_tell_its_cpus() -> None:
    said = ["Queue: q\n    enabled = True\n    started = True\n", "n\n     state = free\n", ""]
    (batch,) = PBS.queues(said, {}, MOST)
    assert batch.slots == 0


def test_records_are_those_of_one_kind() -> None:
    assert records("    a = b\nQueue: q\n    a = b\n  no\n", "Queue") == [("q", {"a": "b"})]
