"""`wmsd decisions` and `wmsd replay` as an administrator types them: no daemon runs."""

from __future__ import annotations

import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from wm.matching.board import Board
from wm.matching.inputs import Decision, Inputs, Rules, decide
from wm.matching.request import SITE, Request
from wm.ordering.order import Lane
from wm.replay import store
from wm.replay.records import Scribe
from wm.replay.shelves import shelved
from wm.supply.purchasers import Entry, Purchase
from wm.supply.supermarket import Kind, Source, Supermarket
from wms.database import make_engine
from wms.jdl.described import described

JDL = 'Executable = "/bin/true"; Rank = other.x;'
SAME = "Made again, it is the same to the last bit."


def wmsd(configuration: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "wms.daemon", "--config", configuration, *arguments],
                          text=True, capture_output=True, timeout=60, check=False)


def decision() -> Decision:
    entries = tuple(Entry(f"{id}.org:1/q", {"GlueCEStateStatus": "Production", "x": x})
                    for id, x in (("a", 1), ("b", 2)))
    snapshot = Supermarket().updated(Source("s", Kind.STATIC), Purchase(entries), 0.0).snapshot(0.0)
    request = Request("https://lb:9000/j", described(JDL), "/CN=a", (), "atlas", jdl=JDL)
    inputs, board = Inputs((Lane("l", "c", "atlas", "/CN=a"),), 1_700_000_000.0, 7), Board(SITE)
    board.show(snapshot)
    return Decision(inputs, {"l": request}, snapshot, decide(inputs, Rules(), board, lambda _: board.fit("c", request)))


@pytest.fixture
def configuration(tmp_path: Path) -> Path:
    """Of a database in which one decision is kept."""
    path = tmp_path / "wms.yaml"
    path.write_text(f"state_dir: {tmp_path}")
    assert wmsd(path, "migrate").returncode == 0
    made = decision()
    shelf, content = shelved(made.snapshot, None)
    record, outcome = Scribe(SITE, Rules()).packed(made)
    engine = make_engine(f"sqlite:///{tmp_path}/wms.sqlite")
    with engine.begin() as conn:
        store.put(conn, [store.Kept(made.inputs.id, made.inputs.now, shelf.name, zlib.compress(record), outcome,
                                    content=zlib.compress(content))])
    engine.dispose()
    return path


def test_a_decision_is_listed_and_made_again_here_and_elsewhere(configuration: Path, tmp_path: Path) -> None:
    listed = wmsd(configuration, "decisions").stdout.splitlines()
    assert [line.split() for line in listed[1:]] == [[decision().inputs.id, "2023-11-14", "22:13:20", "1", "0"]]
    file = str(tmp_path / "decision")
    here = wmsd(configuration, "replay", decision().inputs.id[:8], "--verbose", "--export", file)
    assert (here.returncode, here.stderr, here.stdout.splitlines()[-1]) == (0, "", SAME)
    assert Path(file).stat().st_mode & 0o777 == 0o600
    (tmp_path / "elsewhere.yaml").write_text(f"state_dir: {tmp_path}/elsewhere")
    elsewhere = wmsd(tmp_path / "elsewhere.yaml", "replay", "--from", file, "--verbose")
    assert (elsewhere.returncode, elsewhere.stdout) == (0, here.stdout)


@pytest.mark.parametrize(("words", "status", "sentence"), [
    (("replay", "9"), 1, "wmsd: There is no decision 9."), (("replay",), 2, "Name one decision"),
    (("replay", "--from", "wms.yaml"), 1, "wmsd: "), (("replay", "--job", "x"), 1, "does not know the job x")])
def test_what_cannot_be_made_again_is_one_sentence(configuration: Path, words: tuple[str, ...], status: int,
                                                   sentence: str) -> None:
    done = wmsd(configuration, *words)
    assert (done.returncode, done.stdout) == (status, "")
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
