"""Decisions in their tables: written beside the broker's work, within their room, and made again from there."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from shell import Shell, result
from test_broker import Desk

from wm import store as jobs
from wm.matching.inputs import Decision
from wm.replay import keeping as keeping_module
from wm.replay import report, store
from wm.replay.keeping import Keeping
from wm.replay.shelves import chain_of
from wm.tables import decisions, snapshots
from wms.errors import NotFound, Refused
from wms.messages.submission import Submit
from wms.seqcode import START


class Archive:
    """A broker whose decisions are kept."""

    def __init__(self, shell: Shell, settings: str = "") -> None:
        self.shell = shell
        self.desk = Desk(shell, settings)
        self.engine = shell.database.engine
        self.keeping = self.born()

    def born(self) -> Keeping:
        """A process that begins here."""
        broker = self.desk.born()
        self.keeping = Keeping(self.desk.kit, broker.site, broker.rules)
        broker.decided.append(self.keeping.heard)
        return self.keeping

    def place(self, *names: str, requirements: str = "true", rank: str = "0") -> None:
        now = self.desk.kit.now()
        jdl = f'Executable = "/bin/true"; Requirements = {requirements}; Rank = {rank};'
        new = [Submit(f"https://lb:9000/{name}", jdl, "/CN=a", "atlas", (), "c", 2e9, str(START), now)
               for name in names]
        result(self.desk.kit.database.transact(jobs.add, [(one, one.sequence_code) for one in new], now))
        self.desk.work()
        result(self.keeping.stop())

    def rows(self, table: sa.Table) -> list[Any]:
        return list(result(self.desk.kit.database.read(lambda conn: conn.execute(sa.select(table)).all())))

    def decision(self, job: str) -> str:
        return next(str(row.decision) for row in self.desk.rows() if row.id == job)

    def replayed(self, **named: Any) -> tuple[dict[str, Any], int]:
        told = report.replay(self.engine, as_json=True, **named)
        return msgspec.json.decode(told.text), told.status


@pytest.fixture
def shell() -> Iterator[Shell]:
    shell = Shell()
    yield shell
    shell.close()


@pytest.fixture
def archive(shell: Shell) -> Archive:
    found = Archive(shell)
    found.desk.shelf.say(0.0, a={"x": 1}, b={"x": 2})
    return found


def test_a_decision_is_made_again(archive: Archive) -> None:
    archive.place("1", "2", rank="other.x")
    found, status = archive.replayed(job="https://lb:9000/1")
    assert (found["result"], status, found["ces"]) == ("same", 0, 2)
    ((lane,),) = [found["lanes"]]
    assert (lane["placed"], lane["waits"]) == ({"b.org:2119/jobmanager-local-q": 2}, None)
    assert archive.replayed(id=found["id"][:12])[0] == {**found, "lane": ""}


def test_a_waiting_job_names_the_decision_by_which_it_waits(archive: Archive) -> None:
    archive.place("1", requirements="other.x > 5")
    first = archive.decision("1")
    archive.place("2", requirements="other.x > 5")
    assert archive.decision("2") == first
    archive.place("3")
    assert archive.decision("3") != first
    found, _ = archive.replayed(job="2")
    assert [lane["waits"]["why"] for lane in found["lanes"]] == ["no match"]
    assert len(archive.rows(decisions)) == 2


def test_decisions_share_what_did_not_change(archive: Archive) -> None:
    for number in range(4):
        archive.desk.shelf.say(float(number), a={"x": number // 2})
        archive.place(str(number))
    kept = sorted(archive.rows(snapshots), key=lambda row: row.digest)
    assert [row.size == len(row.content) for row in kept] == [True, True]
    assert len({chain_of(row.digest) for row in kept}) == 1
    assert len(archive.rows(decisions)) == 4
    for row in archive.rows(decisions):
        assert archive.replayed(id=row.id)[1] == 0


def test_another_process_begins_with_a_snapshot_in_full(archive: Archive) -> None:
    archive.place("1")
    archive.born()
    archive.place("2")
    assert len(archive.rows(snapshots)) == 1
    archive.desk.shelf.say(1.0, c={})
    archive.born()
    archive.place("3")
    assert len({chain_of(row.digest) for row in archive.rows(snapshots)}) == 2
    assert archive.replayed(job="3")[1] == 0


def test_the_oldest_go_and_what_is_left_can_be_made_again(shell: Shell) -> None:
    archive = Archive(shell, "{wm: {decisions_bytes: 6000}}")
    rng = random.Random(1)
    for number in range(40):
        archive.desk.shelf.say(float(number), **{rng.choice("abcdef"): {"x": rng.randbytes(40).hex()}})
        archive.shell.clock.advance(1.0)
        archive.place(str(number))
        used = result(archive.desk.kit.database.read(store.used))
        assert used <= 6000
    left = {row.id for row in archive.rows(decisions)}
    assert 2 < len(left) < 40
    assert {archive.decision(str(number)) for number in range(40 - len(left), 40)} == left
    assert all(archive.replayed(id=id)[1] == 0 for id in left)
    with pytest.raises(NotFound, match="no decision"):
        archive.replayed(job="0")


def test_where_there_is_no_room_nothing_is_kept(shell: Shell) -> None:
    for room in (0, 10):
        archive = Archive(shell, f"{{wm: {{decisions_bytes: {room}}}}}")
        archive.desk.shelf.say(0.0, a={})
        archive.place(f"{room}")
        assert (archive.rows(decisions), archive.rows(snapshots)) == ([], [])


def test_a_snapshot_that_somebody_took_away_is_written_again(archive: Archive) -> None:
    archive.place("1")
    result(archive.desk.kit.database.transact(lambda conn: conn.execute(snapshots.delete())))
    archive.place("2")
    assert archive.replayed(job="2")[1] == 0
    result(archive.desk.kit.database.transact(lambda conn: conn.execute(snapshots.delete())))
    with pytest.raises(NotFound, match="not kept"):
        archive.replayed(job="2")


def test_a_writer_that_lags_loses_the_oldest(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping_module, "MOST", 2)
    heard: list[Decision] = []
    archive.desk.broker.decided[:] = [heard.append]
    for number in range(3):
        archive.place(str(number))
    for one in [decision for decision in heard if decision.news]:
        archive.keeping.heard(one)
    result(archive.keeping.stop())
    assert (archive.keeping.kept, archive.keeping.lost) == (2, 1)
    assert archive.keeping.progress()["bytes"] == result(archive.desk.kit.database.read(store.used))


def test_a_difference_is_named_and_is_the_exit_status(archive: Archive) -> None:
    archive.place("1", rank="other.x")
    (row,) = archive.rows(decisions)
    other = row.outcome.replace(b"b.org", b"a.org")
    result(archive.desk.kit.database.transact(lambda conn: conn.execute(decisions.update().values(outcome=other))))
    found, status = archive.replayed(id=row.id)
    assert (status, found["result"]) == (1, "different")
    assert found["difference"].startswith("placement 1: 1 of lane ")
    assert "it is another: placement 1" in report.replay(archive.engine, id=row.id).text


def test_a_file_is_enough(archive: Archive, tmp_path: Any) -> None:
    archive.place("1", rank="other.x")
    path = str(tmp_path / "decision")
    first = report.replay(archive.engine, id=archive.decision("1"), target=path, verbose=True)
    again = report.replay(None, source=path, verbose=True)
    assert again == first
    assert "2 match" in again.text
    assert again.text.splitlines()[-1] == "Made again, it is the same to the last bit."
    with pytest.raises(Refused, match="Cannot read"):
        report.replay(None, source=str(tmp_path / "none"))
    with pytest.raises(Refused, match="Cannot write"):
        report.replay(archive.engine, job="1", target=str(tmp_path / "no" / "where"))


def test_the_list(archive: Archive) -> None:
    archive.place("1", requirements="other.x > 5")
    archive.place("2")
    lines = report.decisions(archive.engine).text.splitlines()
    assert [line.split()[-2:] for line in lines[1:]] == [["1", "1"], ["0", "1"]]
    found = msgspec.json.decode(report.decisions(archive.engine, job="1", as_json=True).text)
    assert [one["id"] for one in found["decisions"]] == [archive.decision("1")]
    with pytest.raises(NotFound, match="does not know"):
        report.decisions(archive.engine, job="9")
    archive.desk.submit("3")
    with pytest.raises(NotFound, match="Nothing was decided"):
        report.decisions(archive.engine, job="3")
