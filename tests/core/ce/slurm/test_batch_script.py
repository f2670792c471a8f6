"""The script that a batch system gets, and what is made of spool and list together."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wms.ce import CeJob, CeState, Phase
from wms.ce.batch import programs
from wms.ce.batch.dialect import Row
from wms.ce.batch.reading import Entry, told
from wms.ce.batch.script import Place, job_script

WORDS = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=30)


def spool(place: Path, token: str = "t") -> Path:
    for name in ("known", "ended", "cancelled"):
        (place / name).mkdir(exist_ok=True)
    (place / "jobs" / token).mkdir(parents=True)
    (place / "jobs" / token / "script").write_text('printf "%s\\n" "$WORD"; exit 3\n')
    return place


def run(place: Path, **more: str) -> int:
    text = job_script(CeJob("t", "j", "", "q"), Place(str(place)), ["#X a\nb"], "HANDLE", more)
    return subprocess.run(["sh", "-c", text], env={"PATH": "/usr/bin:/bin", "HANDLE": "12"}, check=False).returncode


def test_it_runs_the_wrapper_once_and_writes_down_its_end(tmp_path: Path) -> None:
    place = spool(tmp_path)
    assert run(place, WORD="hello") == 3
    assert (place / "jobs/t/output").read_text() == "hello\n"
    assert (place / "ended/t").read_text().split()[0] == "3"
    assert (place / "known/t").read_text() == "12 \n"
    assert run(place, WORD="again") == 0
    assert (place / "jobs/t/output").read_text() == "hello\n"


def test_it_starts_nothing_that_was_cancelled_or_cleaned(tmp_path: Path) -> None:
    place = spool(tmp_path)
    (place / "cancelled/t").touch()
    assert (run(place), (place / "ended/t").exists()) == (0, False)
    assert run(tmp_path / "elsewhere") == 0


def test_a_warning_of_the_system_is_a_term_and_leaves_nobody(tmp_path: Path) -> None:
    place = spool(tmp_path)
    (place / "jobs/t/script").write_text(
        "trap 'echo last word; exit 7' TERM\nsetsid sh -c 'echo $$ >left; exec sleep 1000' &\n"
        "while [ ! -s left ]; do :; done; kill -s USR2 0; while :; do sleep 0.05; done\n")
    text = job_script(CeJob("t", "j", "", "q"), Place(str(place)), [], "HANDLE", {}, "USR2")
    done = subprocess.run(["sh", "-c", text], env={"PATH": "/usr/bin:/bin"}, check=False, start_new_session=True)
    assert done.returncode == 7
    assert (place / "jobs/t/output").read_text() == "last word\n"
    left = Path("/proc", (place / "jobs/t/left").read_text().strip(), "stat")
    assert not left.exists() or left.read_text().rpartition(")")[2].split()[0] in "ZX"


@settings(max_examples=examples(20))
@given(WORDS)
def test_values_of_the_site_are_values(tmp_path_factory: pytest.TempPathFactory, word: str) -> None:
    place = spool(tmp_path_factory.mktemp("it's a $(place) `x`"))
    run(place, **{"WORD": word, "not a name": "x"})
    assert (place / "jobs/t/output").read_bytes() == f"{word}\n".encode()


@pytest.mark.parametrize("name", programs.__all__)
def test_programs_are_clean(name: str) -> None:
    checked = subprocess.run(["shellcheck", "-s", "sh", "-"], input=getattr(programs, name), text=True,
                             capture_output=True, check=False)
    assert checked.stdout == ""


def test_the_job_script_is_clean() -> None:
    text = job_script(CeJob("t", "j", "", "q"), Place("/a b", "me"), [], "HANDLE", {"A": "b c"})
    checked = subprocess.run(["shellcheck", "-s", "sh", "-"], input=text, text=True, capture_output=True, check=False)
    assert checked.stdout == ""


LIVE, OVER = Row("1", Phase.RUNNING, node="n1"), Row("1", Phase.ENDED, node="n1", detail="COMPLETED (None)")
HERE = Entry("1", present=True)
DONE = Entry("1", status=4, node="w", ended=True, present=True)
WELL = Entry("1", status=0, node="w", ended=True, present=True)
BACK = Entry("1", present=True, cancelled=True)
TIMEOUT = Row("1", Phase.ENDED, reason="time limit")
TAKEN = Row("1", Phase.ENDED, reason="by somebody", cancelled=True, exit_status=0)


@pytest.mark.parametrize(("entry", "row", "state"), [
    (None, LIVE, CeState("t", Phase.LOST, reason="this CE does not know it")),
    (Entry("1"), LIVE, CeState("t", Phase.LOST, reason="this CE does not know it")),
    (HERE, LIVE, CeState("t", Phase.RUNNING, "1", node="n1")),
    (HERE, None, CeState("t", Phase.LOST, "1", reason="the batch system does not know the job 1")),
    (DONE, LIVE, CeState("t", Phase.RUNNING, "1", node="n1")),
    (WELL, LIVE, CeState("t", Phase.ENDED, "1", 0, "w")),
    (DONE, OVER, CeState("t", Phase.ENDED, "1", 4, "w")),
    (DONE, None, CeState("t", Phase.ENDED, "1", 4, "w")),
    (DONE, TIMEOUT, CeState("t", Phase.ENDED, "1", 4, "w", "time limit")),
    (HERE, OVER, CeState("t", Phase.ENDED, "1", None, "n1", "the job script left no status; COMPLETED (None)")),
    (HERE, TAKEN, CeState("t", Phase.ENDED, "1", 0, "", "by somebody")),
    (BACK, TAKEN, CeState("t", Phase.ENDED, "1", 0, "", "cancelled")),
    (BACK, None, CeState("t", Phase.ENDED, "1", None, "", "cancelled")),
    (BACK, TIMEOUT, CeState("t", Phase.ENDED, "1", None, "", "time limit")),
    (BACK, LIVE, CeState("t", Phase.RUNNING, "1", node="n1")),
])
def test_spool_and_list_together(entry: Entry | None, row: Row | None, state: CeState) -> None:
    assert told("t", entry, row, "1") == state


def test_a_token_that_was_never_handed_over() -> None:
    assert told("t", HERE, None, "").reason == "stopped before it was handed over"
