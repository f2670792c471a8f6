"""What `transact` and `read` promise, on every database: groups, savepoints, faults, closing."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa
from database_places import SHARED, Place, Turns, counter
from twisted.internet.defer import Deferred

from wms import queue
from wms import wakeups as waking
from wms.database import GROUP_MAX, RETRY_DELAYS_S, Database
from wms.engine import is_passing, make_engine, reason
from wms.errors import Unavailable

pytest_plugins = ["databases"]
shared = pytest.mark.parametrize("kind", SHARED)


def count(conn: sa.Connection) -> int:
    return int(conn.execute(sa.select(counter.c.n)).scalar_one())


def add(conn: sa.Connection, step: int = 1) -> int:
    """Reads, computes and writes, as stores do."""
    new = int(conn.execute(sa.select(counter.c.n).with_for_update()).scalar_one()) + step
    conn.execute(counter.update().values(n=new))
    return new


def fail(conn: sa.Connection) -> None:
    """Leaves traces, then breaks."""
    add(conn, 1000)
    queue.put(conn, "trace", {}, now=0)
    raise KeyError("mine")


def no_such_table(conn: sa.Connection) -> None:
    conn.execute(sa.text("INSERT INTO nowhere VALUES (1)"))


class Gate:
    """A unit that holds the writer until opened, so that what is asked meanwhile forms one group."""

    def __init__(self) -> None:
        self.reached, self.opened = threading.Event(), threading.Event()

    def unit(self, _conn: sa.Connection) -> None:
        self.reached.set()
        assert self.opened.wait(60)


def together(database: Database, turns: Turns, units: list[Any]) -> list[Any]:
    """Outcomes of units that are committed as one group, exceptions as values."""
    gate = Gate()
    first = database.transact(gate.unit)
    asked = [database.transact(unit) for unit in units]
    gate.opened.set()
    turns.result(first)
    return [turns.outcome(done) for done in asked]


def commits(database: Database) -> list[None]:
    """One item is added at every commit from now on."""
    seen: list[None] = []
    database.before_commit = lambda _conn: seen.append(None)
    return seen


def test_a_result_is_there_after_the_commit(database: Database, place: Place, turns: Turns) -> None:
    assert turns.result(database.transact(add, step=3)) == 3
    other = database if place.kind == "sqlite-memory" else place.database()
    assert turns.result(other.read(count)) == 3


def test_a_unit_that_raises_leaves_nothing(database: Database, turns: Turns) -> None:
    woken: list[Any] = []
    database.on_messages(woken.append)
    with pytest.raises(KeyError, match="mine"):
        turns.result(database.transact(fail))
    with pytest.raises(sa.exc.DBAPIError):
        turns.result(database.transact(no_such_table))
    assert turns.result(database.transact(add)) == 1
    assert turns.result(database.read(queue.depths)) == []
    assert woken == []


def test_only_the_topics_put_are_woken(database: Database, turns: Turns) -> None:
    woken: list[Any] = []
    database.on_messages(woken.append)
    turns.result(database.transact(add))
    turns.result(database.transact(lambda conn: queue.put_many(conn, "none", [], now=0)))
    assert woken == []
    turns.result(database.transact(queue.put, "here", {}, now=0))
    assert woken == [{"here"}]


@shared
def test_those_who_wait_share_a_commit_and_get_their_own_results_in_order(database: Database, turns: Turns) -> None:
    seen, gate, settled = commits(database), Gate(), list[int]()
    first = database.transact(gate.unit)
    asked: list[Deferred[None]] = [database.transact(add).addCallback(settled.append)
                                   for _ in range(GROUP_MAX + 50)]
    gate.opened.set()
    turns.result(first)
    for done in asked:
        turns.result(done)
    assert settled == list(range(1, GROUP_MAX + 51))
    assert len(seen) == 3, "the gate, a full group, the rest"


@shared
def test_one_bad_unit_does_not_hurt_its_companions(database: Database, place: Place, turns: Turns) -> None:
    woken: list[Any] = []
    database.on_messages(woken.append)
    outcomes = together(database, turns, [
        add, fail, lambda conn: queue.put(conn, "good", {}, now=0), no_such_table, add])
    assert [outcomes[0], outcomes[2], outcomes[4]] == [1, None, 2]
    assert isinstance(outcomes[1], KeyError)
    assert isinstance(outcomes[3], sa.exc.DBAPIError)
    assert turns.result(place.database().read(count)) == 2
    assert [depth.topic for depth in turns.result(database.read(queue.depths))] == ["good"]
    assert woken == [{"good"}]


@shared
def test_no_update_is_lost_among_eight_writers(place: Place) -> None:
    engines = [place.database().engine for _ in range(8)]

    def work(engine: sa.Engine) -> None:
        for _ in range(25):
            with engine.begin() as conn:
                add(conn)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, engines))
    with engines[0].connect() as conn:
        assert count(conn) == 200


@shared
def test_reads_go_on_beside_a_writer_and_see_one_snapshot(database: Database, turns: Turns) -> None:
    gate = Gate()
    turns.result(database.transact(add))
    writing = database.transact(lambda conn: (add(conn), gate.unit(conn)))
    assert gate.reached.wait(60)
    assert turns.result(database.read(count)) == 1, "what is not committed is not seen"
    between = threading.Event()

    def twice(conn: sa.Connection) -> tuple[int, int]:
        before = count(conn)
        between.set()
        assert committed.wait(60)
        return before, count(conn)

    committed = threading.Event()
    reading = database.read(twice)
    assert between.wait(60)
    gate.opened.set()
    turns.result(writing)
    committed.set()
    assert turns.result(reading) == (1, 1)
    assert turns.result(database.read(count)) == 2


def test_a_closed_database_refuses(database: Database, turns: Turns) -> None:
    database.close()
    for done in (database.transact(add), database.read(count)):
        with pytest.raises(Unavailable, match="closed"):
            turns.result(done)


@shared
def test_closing_finishes_what_has_begun_and_refuses_what_waits(database: Database, place: Place,
                                                               turns: Turns) -> None:
    gate = Gate()
    begun = database.transact(lambda conn: (add(conn), gate.unit(conn)))
    waiting = database.transact(add)
    assert gate.reached.wait(60)
    gate.opened.set()
    database.close()
    assert isinstance(turns.outcome(waiting), Unavailable)
    turns.result(begun)
    assert turns.result(place.database().read(count)) == 1


# -- faults of the database --------------------------------------------------------------------------------


def test_which_faults_pass_by_themselves() -> None:
    def fault(kind: type[sa.exc.DBAPIError], invalidated: bool = False, **attributes: Any) -> sa.exc.DBAPIError:
        orig = Exception()
        orig.__dict__.update(attributes)
        return kind("", None, orig, connection_invalidated=invalidated)

    operational, integrity = sa.exc.OperationalError, sa.exc.IntegrityError
    passing = [fault(operational), fault(operational, sqlite_errorcode=13), fault(operational, sqlstate="08006"),
               fault(operational, sqlite_errorcode=5 | 1 << 8), fault(operational, sqlstate="40P01"),
               fault(sa.exc.InterfaceError, invalidated=True)]
    lasting = [fault(integrity), fault(operational, sqlite_errorcode=1), fault(operational, sqlstate="42P01"),
               KeyError(), None]
    assert [is_passing(error) for error in passing] == [True] * len(passing)
    assert [is_passing(error) for error in lasting] == [False] * len(lasting)


def limit_pages(database: Database, more: int | None) -> None:
    """Let the SQLite file of every pooled connection grow by `more` pages only (None: freely)."""
    def limit(connection: Any, *_: object) -> None:
        now = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count={2**30 if more is None else now + more}")

    sa.event.listen(database.engine, "checkout", limit)


@pytest.mark.parametrize("kind", ["sqlite-file"])
def test_a_full_disk_reaches_all_callers_after_growing_delays_and_the_next_one_works(
        database: Database, turns: Turns) -> None:
    def big(conn: sa.Connection) -> None:
        queue.put(conn, "big", "x" * 1_000_000, now=0)

    limit_pages(database, 2)
    outcomes = together(database, turns, [add, big, add])
    assert [type(outcome) for outcome in outcomes] == [Unavailable] * 3
    assert "full" in str(outcomes[0])
    assert turns.waits == pytest.approx(RETRY_DELAYS_S)
    assert sorted(turns.waits) == turns.waits
    limit_pages(database, None)
    assert turns.result(database.transact(add)) == 1
    turns.result(database.transact(big))


@pytest.mark.parametrize("kind", ["sqlite-file"])
def test_a_fault_that_passes_is_not_seen(database: Database, turns: Turns) -> None:
    limit_pages(database, 2)
    turns.callLater(sum(RETRY_DELAYS_S[:2]), limit_pages, database, None)
    turns.result(database.transact(queue.put, "big", "x" * 1_000_000, now=0))
    assert turns.result(database.read(queue.depths))[0].topic == "big"


@pytest.mark.parametrize("kind", ["sqlite-file"])
def test_closing_while_a_group_waits_for_its_next_try(database: Database, turns: Turns) -> None:
    limit_pages(database, 2)
    done = database.transact(queue.put, "big", "x" * 1_000_000, now=0)
    while not turns.getDelayedCalls():
        turns.turn()
    database.close()
    assert isinstance(turns.outcome(done), Unavailable)


def test_inline_nothing_is_tried_again(tmp_path: Any) -> None:
    turns = Turns()
    database = Database(f"sqlite:///{tmp_path}/no/such/directory.sqlite", turns, inline=True)
    assert isinstance(turns.outcome(database.transact(add)), Unavailable)
    assert isinstance(turns.outcome(database.read(count)), Unavailable)
    database.close()


def backend(conn: sa.Connection) -> int:
    return int(conn.execute(sa.text("SELECT pg_backend_pid()")).scalar_one())


def terminate(other: Database, pid: int) -> None:
    """Kill a server process and wait until it is gone."""
    with other.engine.begin() as conn:
        assert conn.execute(sa.text("SELECT pg_terminate_backend(:pid, 10000)"), {"pid": pid}).scalar()


@pytest.mark.parametrize("kind", ["postgresql"])
def test_work_goes_on_after_the_connection_was_lost(database: Database, place: Place, turns: Turns) -> None:
    other = place.database()
    terminate(other, turns.result(database.transact(backend)))
    assert turns.result(database.transact(add)) == 1
    terminate(other, turns.result(database.read(backend)))
    assert turns.result(database.read(count)) == 1


@pytest.mark.parametrize("kind", ["postgresql"])
def test_a_group_whose_connection_is_lost_runs_again(database: Database, place: Place, turns: Turns) -> None:
    other, runs = place.database(), list[int]()

    def dies_once(conn: sa.Connection) -> None:
        runs.append(backend(conn))
        if len(runs) == 1:
            terminate(other, runs[0])

    outcomes = together(database, turns, [add, dies_once, add])
    assert outcomes == [1, None, 2]
    assert len(runs) == 2
    assert turns.waits == [RETRY_DELAYS_S[0]]


@pytest.mark.parametrize("kind", ["postgresql"])
def test_a_connection_lost_in_the_second_pass_is_a_fault_of_the_group(database: Database, place: Place,
                                                                     turns: Turns) -> None:
    other, runs = place.database(), list[int]()

    def dies_second(conn: sa.Connection) -> None:
        runs.append(backend(conn))
        if len(runs) == 2:
            terminate(other, runs[1])

    outcomes = together(database, turns, [add, dies_second, fail, add])
    assert (outcomes[0], outcomes[1], outcomes[3]) == (1, None, 2)
    assert isinstance(outcomes[2], KeyError)


@pytest.mark.parametrize("kind", ["postgresql"])
def test_a_commit_of_unknown_outcome_is_not_tried_again(database: Database, place: Place, turns: Turns) -> None:
    other = place.database()

    def die(conn: sa.Connection) -> None:
        database.before_commit = None
        terminate(other, backend(conn))

    database.before_commit = die
    with pytest.raises(Unavailable, match="unknown"):
        turns.result(database.transact(add))
    assert turns.waits == []
    assert turns.result(database.transact(add)) == 1


@pytest.mark.parametrize("kind", ["postgresql"])
def test_topics_without_number_are_notified(database: Database, turns: Turns) -> None:
    def many(conn: sa.Connection) -> None:
        for n in range(300):
            queue.put(conn, f"{'t' * 50}{n}", {}, now=0)

    turns.result(database.transact(many))
    assert len(turns.result(database.read(queue.depths))) == 300


@pytest.mark.parametrize("kind", ["postgresql"])
def test_a_commit_of_another_process_is_heard_even_after_the_listener_was_cut_off(
        place: Place, turns: Turns, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waking, "RECONNECT_S", 0.01)
    here, there, woken = place.database(), place.database(), list[Any]()
    here.on_messages(woken.append)
    part = waking.wakeups(here, turns)
    turns.result(Deferred.fromCoroutine(part.start()))

    def heard(times: int) -> Any:
        while len(woken) < times:
            turns.turn()
        return woken[-1]

    assert heard(1) is waking.EVERYTHING, "what was put before is not missed"
    turns.result(there.transact(queue.put, "wm", {}, now=0))
    assert heard(2) == {"wm"}
    with there.engine.connect() as conn:
        terminate(there, conn.execute(sa.text("SELECT pid FROM pg_stat_activity WHERE query LIKE 'LISTEN%'"
                                              " AND datname = current_database()")).scalar_one())
    assert heard(3) is waking.EVERYTHING, "nor what was put while nobody listened"
    turns.result(there.transact(queue.put, "lb", {}, now=0))
    assert heard(4) == {"lb"}
    turns.result(Deferred.fromCoroutine(part.stop()))


def test_what_a_database_says_is_told_without_the_statement() -> None:
    engine = make_engine("sqlite://")
    with engine.connect() as conn, pytest.raises(sa.exc.OperationalError) as raised:
        conn.execute(sa.text("SELECT :secret FROM nowhere"), {"secret": "said by others"})
    engine.dispose()
    assert reason(raised.value) == "no such table: nowhere"
    assert reason(ValueError("two\nlines")) == "two lines"
