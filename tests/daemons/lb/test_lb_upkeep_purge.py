"""Purge: old jobs go in two phases, families together, nothing that is not on disk; what is left are zombies."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from book_builders import JANE, START_TIME, settled, story, url
from family_builders import ABORTED, CANCELLED, CLEARED, DONE, NS, RUNNING, Told, child, lives, registered, told
from upkeep_builders import ADMIN, Shelf, filled

from lb import marks, zombies
from lb.tables import histograms, tags
from lb.upkeep import archive, purge, purger
from lb.upkeep.archive import Growing
from lb.upkeep.purge_rules import Ages, limits
from wms.errors import NotAllowedNow, Refused, TooManyResults
from wms.identity import canonical_dn
from wms.operations.upkeep import Purge

DAY = 86400.0
ALL: dict[str, Any] = {"cleared_s": 0.0, "aborted_s": 0.0, "cancelled_s": 0.0, "done_s": 0.0, "other_s": 0.0}


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    made = Shelf(tmp_path)
    yield made
    made.database.close()


def tell(shelf: Shelf, *stories: Any) -> None:
    """To the running daemon."""
    with shelf.running():
        for one in stories:
            shelf.log(one)
    shelf.clock.advance(2000)


def family(shelf: Shelf, *news: Any, number: int = 3, unique: str = "parent") -> None:
    tell(shelf, registered(number, unique), *(lives(index, *news, unique=unique) for index in range(number)))


def test_a_purge_by_age_takes_what_is_older_than_the_age_of_its_state(shelf: Shelf) -> None:
    tell(shelf, told("cleared", 0, *REG, CLEARED), told("aborted", 0, *REG, ABORTED),
         told("cancelled", 0, *REG, CANCELLED), told("done", 0, *REG, DONE), told("running", 0, *REG, RUNNING))
    shelf.clock.advance(4 * DAY)
    assert shelf.purge(names=True).names == (url("cleared"),)
    shelf.clock.advance(4 * DAY)
    assert shelf.purge().jobs == 3
    assert shelf.purge(cleared_s=-2.0).jobs == 2
    assert shelf.purge(done_s=DAY, cleared_s=-2.0, aborted_s=-2.0, cancelled_s=-2.0).jobs == 1
    assert shelf.purge(other_s=DAY, cleared_s=-2.0, aborted_s=-2.0, cancelled_s=-2.0).jobs == 1
    shelf.clock.advance(30 * DAY)
    assert shelf.purge().jobs == 5
    assert len(shelf.uniques()) == 5


REG: tuple[Told, ...] = ((NS, "RegJob", {"jobtype": "SIMPLE", "ns": "ns.example", "jdl": "[]"}),)


@pytest.mark.parametrize("age", [-3.0, -0.5, float("nan"), float("inf")])
def test_what_is_no_age_is_refused(shelf: Shelf, age: float) -> None:
    with pytest.raises(Refused):
        shelf.purge(other_s=age)


def test_point_21_a_purge_is_a_dump_and_then_a_deletion(shelf: Shelf) -> None:
    filled(shelf)
    before = shelf.everything()
    done = shelf.purge(really=True, names=True, **ALL)
    assert (done.state, done.jobs, done.events, done.kept) == ("done", len(before["jobs"]), len(before["events"]), 0)
    assert len(done.names) == done.jobs
    assert (shelf.contents(), shelf.event_rows(), shelf.rows(sa.select(tags)), shelf.rows(sa.select(histograms))) == (
        [], set(), [], [])
    registered = [row["job"] for row in before["jobs"] if row["type"]]
    assert shelf.zombies() == sorted(registered)
    with shelf.running():
        assert shelf.load(file=done.file).rejected == 0
    assert shelf.everything() == before
    assert shelf.zombies() == []


def test_without_really_nothing_happens(shelf: Shelf) -> None:
    shelf.ingest(story("a"))
    before = shelf.everything()
    assert shelf.purge(names=True, **ALL).names == (url("a"),)
    assert shelf.everything() == before
    assert archive.listing(archive.directory(shelf.kit.settings)) == []
    assert shelf.do("lb.purge_progress").state == "none"


def test_a_purge_without_a_dump(shelf: Shelf) -> None:
    shelf.ingest(story("a"))
    done = shelf.purge(really=True, dump=False, **ALL)
    assert (done.jobs, done.file, shelf.uniques(), shelf.zombies()) == (1, "", [], ["a"])


# -- families --------------------------------------------------------------------------------------------


def test_a_family_goes_together(shelf: Shelf) -> None:
    family(shelf, RUNNING, DONE)
    assert shelf.purge(really=True, **ALL).jobs == 4
    assert shelf.uniques() == []


def test_one_child_that_is_not_old_enough_keeps_all(shelf: Shelf) -> None:
    family(shelf, RUNNING, DONE)
    tell(shelf, told(child(1), 10 * DAY, *REG, RUNNING, ABORTED))
    shelf.clock.advance(5 * DAY)
    assert shelf.purge(really=True, **{**ALL, "aborted_s": DAY}).jobs == 0
    shelf.clock.advance(10 * DAY)
    assert shelf.purge(really=True, **{**ALL, "aborted_s": DAY}).jobs == 4


def test_an_orphan_goes_alone(shelf: Shelf) -> None:
    """Its parent was never here, or is gone."""
    tell(shelf, lives(0, RUNNING, DONE, unique="nobody"))
    assert shelf.purge(really=True, **ALL).jobs == 1


def test_a_job_whose_parent_has_no_children_is_an_orphan(shelf: Shelf) -> None:
    tell(shelf, told("simple", 0, *REG), lives(0, DONE, unique="simple"))
    assert shelf.purge(really=True, cleared_s=-2.0, aborted_s=-2.0, done_s=0.0, other_s=-2.0).jobs == 1


def test_generations_go_together(shelf: Shelf) -> None:
    tell(shelf, registered(1, "top"), registered(2, "middle", parent=url("top")),
         lives(0, DONE, unique="middle"), lives(1, RUNNING, unique="middle"))
    young = {**ALL, "done_s": -2.0}
    assert shelf.purge(really=True, **young).jobs == 0
    assert shelf.purge(really=True, **ALL).jobs == 5


def test_a_large_family_goes_in_portions_parents_first(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    family(shelf, RUNNING, DONE, number=11)
    monkeypatch.setattr(purger, "PORTION", 4)
    buried: list[list[str]] = []
    bury = purge.bury

    def watched(conn: sa.Connection, groups: Any, now: float, told: Any) -> purge.Gone:
        buried.append([job.unique for group in groups for job in group])
        return bury(conn, groups, now, told)

    monkeypatch.setattr(purge, "bury", watched)
    assert shelf.purge(really=True, **ALL).jobs == 12
    assert buried[0][0] == "parent"
    assert max(map(len, buried)) == 4


def test_parents_in_a_circle_come_to_an_end(shelf: Shelf) -> None:
    tell(shelf, registered(1, "a", parent=url("b")), registered(1, "b", parent=url("a")))
    assert shelf.purge(really=True, **ALL).jobs == 0
    assert shelf.purge(really=True, jobs=(url("a"), url("b"))).jobs == 0


# -- by name ---------------------------------------------------------------------------------------------


def test_jobs_by_name_go_whatever_their_age(shelf: Shelf) -> None:
    family(shelf, RUNNING)
    tell(shelf, story("a"), story("b"))
    names = (url("a"), url("parent"), url(child(0)), url("none"), "nonsense", "https://other:9000/a")
    done = shelf.purge(really=True, jobs=names)
    assert (done.jobs, shelf.uniques()) == (5, ["b"])
    assert {name: problem["code"] for name, problem in done.problems.items()} == {
        url("none"): "NS_NO_SUCH_JOB", "nonsense": "UI_WRONG_JOBID_FORMAT", "https://other:9000/a": "NS_NO_SUCH_JOB"}


def test_a_child_goes_only_with_its_parent(shelf: Shelf) -> None:
    family(shelf, DONE)
    done = shelf.purge(really=True, jobs=(url(child(0)),))
    assert (done.jobs, done.problems[url(child(0))]["details"]) == (0, {"parent": "parent"})


def test_too_many_names_are_refused(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, max_jobs=2)
    with pytest.raises(TooManyResults):
        shelf.purge(jobs=(url("a"), url("b"), url("c")))
    shelf.database.close()


# -- interruptions ---------------------------------------------------------------------------------------


def doomed(shelf: Shelf) -> list[list[purge.Doomed]]:
    old = limits(Ages(0, 0, 0, 0, 0), shelf.clock.seconds())
    page = settled(shelf.database.read(purge.roots, old, purge.FIRST))
    return [[job] for job in page.roots]


def test_killed_between_the_phases_a_purge_loses_nothing(shelf: Shelf) -> None:
    """Phase one is on disk, phase two never came: the whole purge is done again."""
    tell(shelf, story("a"), story("b"))
    before = shelf.everything()
    file = Growing(archive.directory(shelf.kit.settings), "purge-1.ulm", hidden=False)
    settled(shelf.database.read(purge.write, doomed(shelf), file))
    file.close()
    done = shelf.purge(really=True, **ALL)
    assert (done.jobs, shelf.uniques()) == (2, [])
    for name in ("purge-1.ulm", done.file):
        shelf.load(file=name)
    assert shelf.everything() == before


def test_a_purge_that_was_killed_goes_on_at_the_next_start(shelf: Shelf) -> None:
    """It had written half of a line when the machine went away."""
    tell(shelf, story("a"), story("b"))
    before = shelf.everything()
    plan = purger.Plan(limits(Ages(0, 0, 0, 0, 0), shelf.clock.seconds()))
    running = purger.Purged("running", file="purge-1.ulm", began=START_TIME)
    standing = purger.Standing(plan, running, shelf.kit.instance, START_TIME)
    settled(shelf.database.transact(purger._save, standing))
    file = Growing(archive.directory(shelf.kit.settings), "purge-1.ulm", hidden=False)
    settled(shelf.database.read(purge.write, doomed(shelf), file))
    file.write(b"DATE=2023111422")
    file.close()
    with shelf.running():
        pass
    found = shelf.do("lb.purge_progress")
    assert (found.state, found.jobs, shelf.uniques(), shelf.zombies()) == ("done", 2, [], ["a", "b"])
    assert shelf.load(file="purge-1.ulm").rejected == 0
    assert shelf.everything() == before


def test_a_job_that_gets_news_between_the_phases_stays_with_its_family(shelf: Shelf) -> None:
    tell(shelf, story("a", length=9), story("b"))
    groups = doomed(shelf)
    shelf.ingest(story("a")[9:])
    gone = settled(shelf.database.transact(purge.bury, [groups[0] + groups[1]], 0.0))
    assert (gone.gone, gone.kept, shelf.uniques()) == ([], 2, ["a", "b"])
    gone = settled(shelf.database.transact(purge.bury, groups, 0.0))
    assert (len(gone.gone), gone.kept, shelf.uniques()) == (1, 1, ["a"])


def test_a_purge_that_is_spread_rests_and_can_be_watched(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(purger, "PORTION", 1)
    tell(shelf, story("a"), story("b"))
    with shelf.running():
        started = shelf.purge(really=True, background=True, target_s=100.0, **ALL)
        assert (started.status, b'"state":"running"' in started.body) == (202, True)
        assert shelf.do("lb.purge_progress").jobs == 1
        with pytest.raises(NotAllowedNow):
            shelf.purge(really=True, **ALL)
        shelf.clock.advance(50)
        assert shelf.do("lb.purge_progress").jobs == 2
        shelf.clock.advance(50)
        assert shelf.do("lb.purge_progress").state == "done"


def test_who_asks_in_the_foreground_waits_for_the_end(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(purger, "PORTION", 1)
    tell(shelf, story("a"), story("b"))
    with shelf.running():
        asked = shelf.ask("lb.purge", dn=ADMIN, body=Purge(really=True, target_s=100.0, **ALL))
        assert not asked.called
        shelf.clock.advance(50)
        shelf.clock.advance(50)
        assert settled(asked).state == "done"


def test_a_daemon_that_stops_leaves_the_rest_to_the_next_start(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(purger, "PORTION", 1)
    tell(shelf, story("a"), story("b"), story("c"))
    with shelf.running():
        shelf.purge(really=True, background=True, target_s=1000.0, **ALL)
    assert len(shelf.uniques()) == 2
    with shelf.running():
        shelf.clock.advance(1000)
        shelf.clock.advance(1000)
    assert (shelf.do("lb.purge_progress").state, shelf.uniques()) == ("done", [])


def test_a_disk_that_is_full_ends_the_purge_and_nothing_is_deleted(shelf: Shelf) -> None:
    tell(shelf, story("a"))
    folder = archive.directory(shelf.kit.settings)
    folder.parent.mkdir(exist_ok=True)
    folder.write_text("no directory")
    done = shelf.purge(really=True, **ALL)
    assert (done.state, shelf.uniques(), shelf.zombies()) == ("failed", ["a"], [])


def test_a_purge_of_a_process_that_is_gone_is_not_waited_for(shelf: Shelf) -> None:
    tell(shelf, story("a"))
    plan = purger.Plan(limits(Ages(0, 0, 0, 0, 0), shelf.clock.seconds()))
    standing = purger.Standing(plan, purger.Purged("running"), "another host", shelf.clock.seconds())
    settled(shelf.database.transact(purger._save, standing))
    with pytest.raises(NotAllowedNow):
        shelf.purge(really=True, **ALL)
    shelf.clock.advance(3601)
    assert shelf.purge(really=True, **ALL).state == "done"


def test_the_server_does_not_purge_beside_another_purge(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, purge_period_s=DAY)
    shelf.ingest(story("a"))
    with shelf.running():
        shelf.clock.advance(32 * DAY - 60)
        plan = purger.Plan(limits(Ages(0, 0, 0, 0, 0), 0.0))
        standing = purger.Standing(plan, purger.Purged("running"), "another host", shelf.clock.seconds())
        settled(shelf.database.transact(purger._save, standing))
        shelf.ingest(story("b"))
        shelf.clock.advance(60)
        assert shelf.uniques() == ["b"]
        shelf.clock.advance(DAY)
        assert shelf.uniques() == []
    shelf.database.close()


def test_the_server_purges_by_itself(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, purge_period_s=DAY)
    shelf.ingest(story("a"))
    with shelf.running():
        assert shelf.uniques() == ["a"]
        shelf.clock.advance(32 * DAY)
        assert (shelf.uniques(), shelf.zombies()) == ([], ["a"])
    shelf.database.close()


# -- zombies ---------------------------------------------------------------------------------------------


def test_a_zombie_is_known_until_it_is_registered_again(shelf: Shelf) -> None:
    tell(shelf, story("a"), story("b"))
    shelf.purge(really=True, **ALL)
    with shelf.database.engine.connect() as conn:
        found = zombies.find(conn, "a")
        assert found is not None
        assert found == ("a", "lb.example:9000", canonical_dn(JANE), shelf.clock.seconds())
        assert zombies.find(conn, "c") is None
        assert zombies.known(conn, ["a", "b", "c"]) == {"a", "b"}
    tell(shelf, story("a")[1:3])
    assert shelf.zombies() == ["a", "b"]
    tell(shelf, story("a")[:1])
    assert shelf.zombies() == ["b"]


def test_marks_are_replaced(shelf: Shelf) -> None:
    with shelf.database.engine.begin() as conn:
        assert marks.get(conn, "x") == ""
        for value in ("1", "2"):
            marks.put(conn, "x", value)
        assert marks.get(conn, "x") == "2"
