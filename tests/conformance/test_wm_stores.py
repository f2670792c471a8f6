"""Statements of the Workload Manager on every database it may live in: the same rows, room for all that may come."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any, TypeVar

import msgspec
import pytest
import sqlalchemy as sa
from database_places import SHARED

from wm import lane_store, store
from wm.broker import SITE_REQUIREMENTS
from wm.compounds import arrivals, pump
from wm.compounds import store as compounds
from wm.compounds.progress import Change, Colour
from wm.lane_store import LaneRow
from wm.lanes import Lanes, request_of
from wm.matching.request import site
from wm.ordering.shares import Use
from wm.recovery import burials
from wm.recovery import store as looking
from wm.recovery.black_holes import Rules
from wm.recovery.dwell import Life
from wm.recovery.memories import Attempt, Memories
from wm.turn import Turns
from wm.usage import Usage
from wms.config import Wm
from wms.database import make_engine, metadata
from wms.messages.submission import Buried, NodeJob, Submit, SubmitCompound, SubmitNodes
from wms.seqcode import START

pytest_plugins = ["databases"]
T = TypeVar("T")
NOW = 1_700_000_000.0
OWNER = "/DC=org/CN=" + "Žofie Ångström " * 67
"""A name of nearly 1,024 characters, of two bytes where they are not ASCII."""
VO = "v" * 255
LANE = LaneRow("l" * 32, "c" * 64, VO, OWNER[:1024], 2**31 - 1, -2**31, lazy=True)
BIG = 2**31 - 1


@pytest.fixture(params=SHARED)
def kind(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@pytest.fixture
def engine(empty_url: str) -> Iterator[sa.Engine]:
    made = make_engine(empty_url)
    metadata.create_all(made)
    yield made
    made.dispose()


@pytest.fixture
def conn(engine: sa.Engine) -> Iterator[sa.Connection]:
    with engine.begin() as conn:
        yield conn


def submit(unique: str, parent: str = "", node: int = -1, at: float = NOW, jdl: str = "[ Executable = \"/bin/é\"; ]",
           owner: str = OWNER) -> Submit:
    return Submit(f"https://lb.example:9000/{unique}", jdl, owner, VO, (), "cred", NOW + 1e6, str(START), at, (),
                  parent, node)


def waiting(conn: sa.Connection, *uniques: str, lane: str = "", **told: Any) -> None:
    store.add(conn, [(submit(unique, **told), str(START)) for unique in uniques], NOW)
    for unique in uniques:
        store.change(conn, unique, lane=lane, decision=lane and "d")


def place(conn: sa.Connection, unique: str, ce: str = "ce.example:2119/batch", at: float = NOW, **told: Any) -> None:
    store.change(conn, unique, phase=store.PLACED, ce=ce, placed_at=at, due=at, **told)


# -- jobs ------------------------------------------------------------------------------------------------


def test_a_job_comes_back_as_it_was_put(conn: sa.Connection) -> None:
    waiting(conn, "a", parent="whole", node=999_999)
    store.change(conn, "a", reason="ž" * 100_000, previous="\n".join(["ce.example"] * 5_000), ce="x" * 255,
                 due=float("inf"), site_faults=BIG)
    row = store.find(conn, "https://lb.example:9000/a")
    assert row is not None
    assert row.request() == submit("a", "whole", 999_999)
    assert (row.reason, row.ce, row.due, row.site_faults) == ("ž" * 100_000, "x" * 255, float("inf"), BIG)
    assert (row.cancelled, row.parent, row.node, row.submitted) == (False, "whole", 999_999, NOW)
    assert store.find(conn, "https://lb.example:9000/b") is None


def test_what_is_due_comes_in_order_and_what_is_known_is_not_unknown(conn: sa.Connection) -> None:
    waiting(conn, "c", "a", "b")
    store.change_many(conn, [{"id": "a", "due": NOW - 1, "reason": "é"}, {"id": "c", "due": NOW + 1, "reason": ""}])
    assert [row.id for row in store.due(conn, NOW, 10)] == ["a", "b"]
    assert [row.id for row in store.due(conn, NOW, 1)] == ["a"]
    assert [one.job[-1] for one in store.unknown(conn, [submit("d"), submit("a"), submit("d")])] == ["d"]


def test_who_still_waits_is_told_of_as_many_as_are_asked_for(conn: sa.Connection) -> None:
    waiting(conn, "a", "b", "c")
    place(conn, "b")
    store.change(conn, "c", cancelled=True)
    form = store.find(conn, "x/a")
    assert form is not None
    rows = [form, *(form._replace(id=f"n{k}") for k in range(70_000)), form._replace(id="b"), form._replace(id="c")]
    assert store.still_waiting(conn, rows) == {("a", 1)}
    assert store.still_waiting(conn, []) == set()


def test_jobs_that_were_over_long_ago_are_forgotten(conn: sa.Connection) -> None:
    waiting(conn, "a", "b", "c")
    for unique, due in (("a", NOW - 1), ("b", NOW)):
        store.change(conn, unique, phase=store.OVER, due=due)
    assert (store.forget(conn, NOW), store.forget(conn, NOW)) == (1, 0)
    assert store.find(conn, "x/a") is None
    assert store.find(conn, "x/b") is not None


# -- lanes -----------------------------------------------------------------------------------------------


def test_a_lane_is_written_once_and_holds_the_greatest_there_may_be(conn: sa.Connection) -> None:
    other = LANE._replace(id="m", priority=-2**31, wish=2**31 - 1, lazy=False, owner="/CN=a", vo="")
    lane_store.add(conn, [LANE, other])
    lane_store.add(conn, [LANE])
    lane_store.add(conn, [])
    waiting(conn, "a", "b", at=NOW + 5, lane=LANE.id)
    waiting(conn, "c", at=NOW + 1, lane=LANE.id)
    waiting(conn, "d", at=NOW, lane="m")
    place(conn, "d")
    store.add(conn, [(submit("new", at=NOW + 9), str(START))], NOW, LANE.id)
    assert lane_store.backlogs(conn) == [lane_store.Backlog(LANE, 3, NOW + 1)]
    found = lane_store.heads(conn, {LANE.id: 2, "m": 5})
    assert {lane: [job.id for job in jobs] for lane, jobs in found.items()} == {LANE.id: ["c", "a"], "m": []}
    assert lane_store.placed(conn) == [lane_store.Placed("", "/CN=a", "ce.example:2119/batch", 1, NOW)]
    assert lane_store.still_placed(conn, ["a", "d", "x"] * 1_000) == {"d"}


def test_lanes_without_jobs_are_forgotten_and_jobs_are_loosened(conn: sa.Connection) -> None:
    lane_store.add(conn, [LANE, LANE._replace(id="empty")])
    waiting(conn, "a", "b", lane=LANE.id)
    place(conn, "b")
    lane_store.loosen(conn, [LANE.id, "nothing"], NOW - 7)
    assert [(row.lane, row.due) for row in (store.find(conn, "x/a"), store.find(conn, "x/b")) if row] == [
        ("", NOW - 7), (LANE.id, NOW)]
    assert lane_store.forget(conn) == 1
    assert looking.class_of(conn, LANE.id) == LANE.cls
    assert looking.class_of(conn, "empty") == ""


def test_a_lane_is_written_although_its_first_transaction_was_undone(engine: sa.Engine) -> None:
    lanes = Lanes(Wm(), site(SITE_REQUIREMENTS, "wms.example"), lambda _submit, _now: Life(float("inf"), float("inf")))
    with engine.connect() as conn:
        lanes.write(conn, [LANE])
        conn.rollback()
    with engine.begin() as conn:
        lanes.write(conn, [LANE])
        waiting(conn, "a", lane=LANE.id)
        assert [one.row for one in lane_store.backlogs(conn)] == [LANE]


@pytest.mark.parametrize("priority", [10**14, -10**14, 2**63 - 1])
def test_no_priority_of_a_user_is_too_great_for_the_table(conn: sa.Connection, priority: int) -> None:
    lanes = Lanes(Wm(), site(SITE_REQUIREMENTS, "wms.example"), lambda _submit, _now: Life(float("inf"), float("inf")))
    waiting(conn, "a", jdl=f'[ Executable = "/bin/a"; Priority = {priority}; ]')
    job = store.due(conn, NOW, 1)[0]
    lanes.write(conn, [row := lanes.row(request_of(job, job.request()))])
    assert row.wish * priority > 0


# -- use -------------------------------------------------------------------------------------------------


def test_use_is_replaced_and_what_is_old_is_forgotten(conn: sa.Connection) -> None:
    lane_store.put_uses(conn, {(VO, OWNER[:1024]): Use(1.5, NOW), ("cms", "/CN=b"): Use(1e300, NOW - 1)})
    lane_store.put_uses(conn, {(VO, OWNER[:1024]): Use(2.5, NOW + 1)})
    assert lane_store.uses(conn, [(VO, OWNER[:1024]), ("cms", "/CN=x")]) == {(VO, OWNER[:1024]): Use(2.5, NOW + 1)}
    assert lane_store.uses(conn, []) == {}
    assert len(lane_store.uses(conn)) == 2
    assert lane_store.forget_uses(conn, NOW) == 1
    assert list(lane_store.uses(conn)) == [(VO, OWNER[:1024])]


def test_a_long_name_of_any_script_has_its_use_counted(conn: sa.Connection) -> None:
    """As long as they may be, and hard to compress: the name is ASCII, that of the VO is what a user wrote."""
    chance = random.Random(1)
    owner = "/CN=" + "".join(chr(chance.randrange(33, 127)) for _ in range(1_020))
    vo = "".join(chr(chance.randrange(0x20000, 0x2a000)) for _ in range(255))
    lane_store.put_uses(conn, {(vo, owner): Use(1.0, NOW)})
    lane_store.add(conn, [LANE._replace(vo=vo, owner=owner)])
    assert lane_store.uses(conn, [(vo, owner)]) == {(vo, owner): Use(1.0, NOW)}


def test_ends_of_jobs_are_used_slots(conn: sa.Connection) -> None:
    waiting(conn, "a", "b")
    place(conn, "a", at=NOW - 100)
    with Turns("wms.example", [Usage(3600.0).follow, pump.follow]).begin(conn, NOW) as turn:
        for unique in "ab":
            job = store.find(conn, f"x/{unique}")
            assert job is not None
            turn.finish(job, "Done")
    assert lane_store.uses(conn) == {(VO, OWNER): Use(100.0, NOW)}


# -- compounds -------------------------------------------------------------------------------------------


DIAMOND = ((0, 1), (0, 2), (1, 3), (2, 3), (3, 4))


def compound(kind: str, number: int, edges: tuple[tuple[int, int], ...] = (), most: int = 0) -> SubmitCompound:
    return SubmitCompound("https://lb.example:9000/whole", kind, number, OWNER, VO, str(START), NOW, edges, most)


def unfolded(conn: sa.Connection) -> None:
    compounds.add(conn, compound("dag", 5, DIAMOND), str(START), NOW)
    compounds.unfold(conn, "whole", 0, [0, 1, 1], DIAMOND[:4])
    compounds.unfold(conn, "whole", 3, [2, 1], DIAMOND[4:])
    compounds.unfold(conn, "whole", 5, [0], ())
    compounds.unfold(conn, "other", 0, [0, 1], ((0, 1),))


def colours(conn: sa.Connection) -> str:
    found = conn.execute(sa.select(compounds.nodes.c.colour).where(
        compounds.nodes.c.compound == "whole").order_by(compounds.nodes.c.node))
    return " ".join(colour for (colour,) in found)


def test_a_compound_comes_back_as_it_was_put(conn: sa.Connection) -> None:
    compounds.add(conn, compound("collection", 1_000_000, most=2**40), str(START), NOW)
    compounds.count(conn, "whole", {"next": 3, "released": 0})
    compounds.count(conn, "whole", {"next": 4, "failed": 1})
    compounds.count(conn, "whole", {"done": 0})
    compounds.change(conn, "whole", reason="é" * 10_000)
    row = compounds.find(conn, "whole")
    assert row is not None
    assert (row.number, row.next, row.released, row.failed, row.reason) == (1_000_000, 7, 0, 1, "é" * 10_000)
    assert row.most_running >= row.number
    assert compounds.find(conn, "other") is None
    assert list(compounds.of(conn, ["other", "whole"])) == ["whole"]


def test_compounds_are_due_once_touched_until_they_are_over(conn: sa.Connection) -> None:
    compounds.add(conn, compound("collection", 3), str(START), NOW)
    compounds.change(conn, "whole", due=NOW + 60)
    assert compounds.due(conn, NOW, 5) == []
    compounds.touch(conn, ["whole", "other"], NOW)
    compounds.touch(conn, [], NOW)
    assert compounds.due(conn, NOW, 5) == ["whole"]
    compounds.change(conn, "whole", due=NOW + 60)
    compounds.touch_all(conn, NOW)
    assert compounds.due(conn, NOW, 5) == ["whole"]
    compounds.change(conn, "whole", phase=compounds.OVER, due=NOW - 5)
    compounds.touch(conn, ["whole"], NOW)
    compounds.touch_all(conn, NOW)
    assert compounds.due(conn, NOW, 5) == []
    assert (compounds.forget(conn, NOW), compounds.forget(conn, NOW)) == ("whole", None)


def test_a_dag_goes_on_by_its_edges(conn: sa.Connection) -> None:
    unfolded(conn)
    assert compounds.releasable(conn, "whole", 9) == [0, 5]
    compounds.paint(conn, "whole", [0, 5], Colour.GREY)
    assert compounds.children(conn, "whole", [0, 3]) == [(0, 1), (0, 2), (3, 4)]
    compounds.apply(conn, "whole", Change({0: Colour.GREEN}, {1: 1, 2: 1}, frozenset()))
    assert compounds.releasable(conn, "whole", 1) == [1]
    compounds.paint(conn, "whole", [1, 2], Colour.GREY)
    compounds.apply(conn, "whole", Change({1: Colour.GREEN, 2: Colour.RED}, {3: 1}, frozenset({3, 5})))
    assert compounds.doomed(conn, "whole", 9) in ([3, 4], [4, 3])
    assert compounds.doomed(conn, "whole", 1) == [3]
    assert compounds.unsent(conn, "whole", 9) == [3, 4]
    assert colours(conn) == "green green red doomed white grey"
    compounds.paint(conn, "whole", [], Colour.RED)
    compounds.doom(conn, "whole", [])
    compounds.change(conn, "whole", phase=compounds.OVER, due=NOW - 5)
    assert compounds.forget(conn, NOW) == "whole"
    assert colours(conn) == ""
    assert compounds.releasable(conn, "other", 5) == [0]


def test_a_long_chain_is_doomed_to_its_end(conn: sa.Connection) -> None:
    compounds.unfold(conn, "whole", 0, [0] + [1] * 299, [(k, k + 1) for k in range(299)])
    compounds.doom(conn, "whole", [0])
    assert len(compounds.doomed(conn, "whole", 5_000)) == 300
    assert len(compounds.doomed(conn, "whole", 50)) == 50


def test_jobs_of_a_compound(conn: sa.Connection) -> None:
    for node in range(4):
        waiting(conn, f"n{node}", parent="whole", node=node)
    waiting(conn, "x", parent="other", node=0)
    place(conn, "n1")
    store.change(conn, "n2", cancelled=True)
    assert compounds.waiting(conn, "whole") == 3
    assert compounds.known(conn, ["n0", "n3", "n9"]) == {0, 3}
    assert {job.id for job in compounds.live(conn, "whole", store.WAITING, 9)} == {"n0", "n3"}
    assert [job.id for job in compounds.live(conn, "whole", store.PLACED, 9)] == ["n1"]


def test_nodes_arrive_and_are_counted_once(conn: sa.Connection) -> None:
    compounds.add(conn, compound("collection", 3), str(START), NOW)
    compounds.count(conn, "whole", {"next": 3})
    message = SubmitNodes("https://lb.example:9000/whole", OWNER, VO, (), "cred", NOW + 1e6, NOW, (
        NodeJob("https://lb.example:9000/n0", 0, "[]"), NodeJob("https://lb.example:9000/n1", 1, "[]"),
        NodeJob("https://lb.example:9000/n2", 2, "", refused="no such file: é")))
    turns = Turns("wms.example", [pump.follow])
    for expected in (2, 0):
        with turns.begin(conn, NOW) as turn:
            new = arrivals.nodes(turn, message)
            store.add(conn, [(one, str(START)) for one in store.unknown(conn, new)], NOW)
        assert len(new) == expected
        message = msgspec.structs.replace(message, nodes=message.nodes[:2])
    row = compounds.find(conn, "whole")
    assert row is not None
    assert row.counts._asdict() == {"number": 3, "sent": 3, "arrived": 3, "done": 0, "failed": 1, "cancelled": 0}


# -- recovery --------------------------------------------------------------------------------------------


def test_memories_are_the_same_in_table_and_memory(conn: sa.Connection) -> None:
    ce, rules = "c" * 255, Rules(failures=2, fast_s=100.0, rest_s=900.0)
    lane_store.add(conn, [LANE])
    waiting(conn, "a", "b", "c", lane=LANE.id)
    for unique in "abc":
        place(conn, unique, ce, NOW + 50)
    here, there = Memories(rules), Memories(rules)
    for unique in "ab":
        here.failed(conn, Attempt(ce, LANE.cls, unique), 1.0, NOW)
    assert {job.id for job in looking.placed_due(conn, NOW, 9)} == {"a", "b", "c"}
    there.load(conn)
    assert there.blocked(LANE.cls, NOW) == here.blocked(LANE.cls, NOW) == {ce}
    there.placed(conn, [Attempt(ce, LANE.cls, "t" * 64)], NOW + 900)
    there.failed(conn, Attempt(ce, LANE.cls, "t" * 64), 1.0, NOW + 901)
    here.load(conn)
    assert here.get(ce, LANE.cls) == there.get(ce, LANE.cls)
    here.succeeded(conn, [Attempt(ce, LANE.cls, "a"), Attempt(ce, "", "b")])
    there.forget(conn, NOW)
    assert not there.holds_against(ce)


def test_placed_jobs_are_looked_at_when_it_is_time(conn: sa.Connection) -> None:
    lane_store.add(conn, [LANE])
    waiting(conn, "a", "b", "c")
    for unique, at, lane in (("a", NOW - 2, ""), ("b", NOW - 1, LANE.id), ("c", NOW + 9, LANE.id)):
        place(conn, unique, at=at, lane=lane)
    due = looking.placed_due(conn, NOW, 9)
    assert [job.id for job in due] == ["a", "b"]
    looking.look_again(conn, [(due[0]._replace(placed_at=0.0), NOW + 60), (due[1], NOW + 60)], NOW)
    assert looking.placed_due(conn, NOW, 9) == []
    looking.look_now(conn, "ce.example:2119/batch", LANE.cls, NOW)
    assert {(job.id, job.placed_at) for job in looking.placed_due(conn, NOW, 9)} == {("b", NOW - 1), ("c", NOW + 9)}
    looking.look_now(conn, "ce.example:2119/batch", "", NOW)
    assert ("a", NOW) in {(job.id, job.placed_at) for job in looking.placed_due(conn, NOW, 9)}


ENDING = (burials.Fate.REFUSE, burials.Fate.ABORT, burials.Fate.FINISH, burials.Fate.NODES)


@pytest.mark.parametrize("record", sorted(name for name, fate in burials.FATES.items() if fate in ENDING))
def test_a_burial_ends_what_waits_for_the_message(conn: sa.Connection, record: str) -> None:
    compounds.add(conn, compound("collection", 2), str(START), NOW)
    compounds.count(conn, "whole", {"next": 2})
    waiting(conn, "a")
    place(conn, "a")
    fate = burials.FATES[record]
    about = "whole" if fate is burials.Fate.NODES else "new" if fate is burials.Fate.REFUSE else "a"
    with Turns("wms.example", [pump.follow, Usage(60.0).follow]).begin(conn, NOW) as turn:
        burials.handle(turn, Buried("topic", f"https://lb.example:9000/{about}", record, "é" * 5_000, 1, str(START),
                                    nodes=(0, 1)))
    job, row = store.find(conn, "x/a"), compounds.find(conn, "whole")
    assert job is not None
    assert row is not None
    assert (job.phase == store.OVER) == (about == "a")
    assert (row.failed == 2) == (about == "whole")


def test_what_is_encoded_is_decoded(conn: sa.Connection) -> None:
    """Bytes of any kind in the columns that hold messages."""
    waiting(conn, "a")
    form = bytes(range(256))
    store.change(conn, "a", submit=form)
    row = store.find(conn, "x/a")
    assert row is not None
    assert row.submit == form


# -- two writers -----------------------------------------------------------------------------------------


def together(engine: sa.Engine, work: Callable[[sa.Connection, random.Random], T]) -> list[T]:
    """Two threads with transactions of their own, many times; what each gave. Raises what either raises."""
    barrier = Barrier(2, timeout=30.0)

    def rounds(seed: int) -> list[T]:
        chance, found = random.Random(seed), list[T]()
        for _ in range(20):
            barrier.wait()
            with engine.begin() as conn:
                found.append(work(conn, chance))
        return found

    with ThreadPoolExecutor(2) as threads:
        return [one for part in [threads.submit(rounds, seed) for seed in (1, 2)] for one in part.result()]


def some(chance: random.Random, names: Sequence[str]) -> list[str]:
    return chance.sample(names, len(names) // 2)


def test_two_that_place_the_same_jobs_place_each_once(engine: sa.Engine) -> None:
    names = [f"j{k:02}" for k in range(60)]
    with engine.begin() as conn:
        waiting(conn, *names)
        rows = {row.id: row for row in store.due(conn, NOW, 100)}

    def place_some(conn: sa.Connection, chance: random.Random) -> list[str]:
        mine = [id for id, _attempt in store.still_waiting(conn, [rows[name] for name in some(chance, names)])][:4]
        store.change_many(conn, [{"id": id, "phase": store.PLACED} for id in mine])
        return mine

    placed = [id for part in together(engine, place_some) for id in part]
    assert sorted(placed) == names


def test_two_that_write_the_same_lanes_and_uses_do_not_wait_for_each_other_for_ever(engine: sa.Engine) -> None:
    names = [f"n{k:02}" for k in range(40)]
    with engine.begin() as conn:
        lane_store.put_uses(conn, {("vo", name): Use(0.0, NOW) for name in names})

    def write(conn: sa.Connection, chance: random.Random) -> None:
        lane_store.add(conn, [LANE._replace(id=name) for name in some(chance, names)])
        who = [("vo", name) for name in some(chance, names)]
        past = lane_store.uses(conn, who)
        lane_store.put_uses(conn, {one: Use(past[one].used + 1, NOW) for one in who})

    together(engine, write)
    with engine.connect() as conn:
        assert sum(use.used for use in lane_store.uses(conn).values()) == 40 * 20
        assert conn.scalar(sa.select(sa.func.count()).select_from(lane_store.lanes)) == 40


def test_two_that_count_ends_of_the_same_compounds_lose_none(engine: sa.Engine) -> None:
    names = [f"c{k}" for k in range(10)]
    with engine.begin() as conn:
        for name in names:
            compounds.add(conn, msgspec.structs.replace(compound("collection", 99), job=f"x/{name}"), str(START), NOW)

    def count(conn: sa.Connection, chance: random.Random) -> int:
        here = compounds.of(conn, some(chance, names))
        for row in here.values():
            pump.count_ends(conn, row, {0: "Done"})
        compounds.touch(conn, list(here), NOW)
        return len(here)

    ends = sum(together(engine, count))
    with engine.connect() as conn:
        assert sum(row.done for row in compounds.of(conn, names).values()) == ends
