"""lb-fold as a person types it: files and pipes, both forms, exit statuses, and what is said of bad lines."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = (sys.executable, "-c", "from lb.upkeep.fold import main; main(prog_name='lb-fold')")
REGISTRATION = (
    'DATE=20231114221320.000000 HOST="ns.example" PROG=edg-wms LVL=SYSTEM DG.PRIORITY=0 DG.SOURCE="NetworkServer" '
    'DG.EVNT="RegJob" DG.JOBID="https://lb.example:9000/{unique}" '
    'DG.SEQCODE="UI=000000:NS=0000000001:WM=000000:BH=0000000000:JSS=000000:LM=000000:LRMS=000000:APP=000000" '
    'DG.USER="/DC=org/CN=Jane" DG.REGJOB.JDL="[ A = \\"x\\\\ny\\"; ]" DG.REGJOB.NS="ns.example" '
    'DG.REGJOB.JOBTYPE="{jobtype}"{more}')
RUNNING = (
    'DATE=20231114221330.000000 HOST="wn1" PROG=edg-wms LVL=SYSTEM DG.SOURCE=LRMS DG.EVNT=Running '
    "DG.JOBID=https://lb.example:9000/{unique} "
    "DG.SEQCODE=UI=000000:NS=0000000001:WM=000000:BH=0000000000:JSS=000000:LM=000000:LRMS=000001:APP=000000 "
    "DG.RUNNING.NODE=wn1.example")


def registration(unique: str, jobtype: str = "SIMPLE", more: str = "") -> str:
    return REGISTRATION.format(unique=unique, jobtype=jobtype, more=more)


def running(unique: str) -> str:
    return RUNNING.format(unique=unique)


def fold(*arguments: str, log: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *arguments], input=log, text=True, capture_output=True, timeout=60, check=False)


def test_each_job_is_a_line_of_json_sorted_by_identifier(tmp_path: Path) -> None:
    log = tmp_path / "events.ulm"
    log.write_text("\n".join(["# events", running("b"), registration("b"), registration("a"), running("b"), "", ""]))
    done = fold(str(log))
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert (done.returncode, done.stderr) == (0, "")
    assert [(one["jobId"], one["state"]) for one in found] == [
        ("https://lb.example:9000/a", "Submitted"), ("https://lb.example:9000/b", "Running")]
    assert found[0]["jdl"] == '[ A = "x\\ny"; ]'
    assert fold("-", log=log.read_text()).stdout == done.stdout
    assert fold("--json", "-", log=log.read_text().replace("\n", "\r\n")).stdout == done.stdout


def test_the_text_form() -> None:
    done = fold("--text", "-", log=registration("a"))
    assert done.stdout.startswith("Job=https://lb.example:9000/a\n")
    assert "Status=Submitted\n" in done.stdout


def test_bad_lines_are_told_and_the_rest_is_folded() -> None:
    good, broken = registration("a"), registration("a").replace('"RegJob"', '"Novel"')
    done = fold("-", log=f"{good}\nnonsense\n{broken}\n{running('a')} NOVEL=1\n")
    assert done.returncode == 1
    assert json.loads(done.stdout)["state"] == "Running"
    assert done.stderr.splitlines() == [
        "line 2: broken ULM at character 0 (1401)", "line 3: undefined event 'Novel' (1402)",
        "1 unknown keys were left out"]


def test_a_line_without_an_end_and_one_beyond_all_measure() -> None:
    done = fold("-", log="x" * (1 << 25) + "\n" + registration("a"))
    assert (done.returncode, len(done.stdout.splitlines()), len(done.stderr.splitlines())) == (1, 1, 1)


def test_children_of_a_registration_appear() -> None:
    log = registration("c", "COLLECTION", ' DG.REGJOB.NSUBJOBS="3" DG.REGJOB.SEED="S"')
    assert len(fold("-", log=log).stdout.splitlines()) == 4
    few = fold("--children", "1", "-", log=log)
    assert (len(few.stdout.splitlines()), few.stderr) == (2, "2 more children are registered that no event is about\n")


@pytest.mark.parametrize("number", [1_000_000_000, 9_999_999])
def test_a_registration_of_very_many_children_needs_no_more_memory(number: int) -> None:
    log = registration("c", "COLLECTION", f' DG.REGJOB.NSUBJOBS="{number}" DG.REGJOB.SEED="S"')
    done = subprocess.run([*COMMAND, "--children", "1000", "-"], input=log, text=True, capture_output=True, timeout=60,
                          check=True, preexec_fn=_small)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["children_num"] for one in found if one["jobtype"] == "COLLECTION"] == [number]
    assert len(found) == (1001 if number < 10_000_000 else 1)


def _small() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (300 << 20, 300 << 20))


def test_a_file_that_is_not_there() -> None:
    done = fold("/nowhere")
    assert (done.returncode, done.stdout) == (2, "")


def test_it_starts_without_a_server() -> None:
    start = [sys.executable, "-X", "importtime", "-c", "import lb.upkeep.fold"]
    loaded = subprocess.run(start, text=True, capture_output=True, timeout=60, check=True).stderr
    assert not {"twisted", "sqlalchemy", "jinja2"} & {line.rpartition("|")[2].strip() for line in loaded.splitlines()}
