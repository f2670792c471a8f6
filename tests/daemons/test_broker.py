"""The broker on SQLite: lanes, order of hand-over, what is logged, restarts, quotas."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from shell import Shell, result

from wm import store
from wm.broker import Broker
from wm.recovery.credential_ends import CredentialEnds
from wm.recovery.memories import Memories
from wm.recovery.retries import Retries
from wm.requests import Requests
from wm.supply.purchasers import Entry, Purchase
from wm.supply.supermarket import EMPTY, Kind, Snapshot, Source, Supermarket
from wm.tables import jobs, lanes, usage
from wm.turn import Turns
from wm.usage import Usage
from wms.database import metadata
from wms.messages import decode
from wms.messages.attempts import Run
from wms.messages.submission import NodeJob, Submit, SubmitCompound, SubmitNodes
from wms.queue import Message
from wms.seqcode import START
from wms.service import Kit
from wms.x509.authority import make_authority

FREE = "GlueCEStateFreeJobSlots"


@dataclass
class Shelf:
    """A market that the test fills."""

    snapshot: Snapshot = EMPTY
    resources: dict[str, dict[str, Any]] = field(default_factory=dict)

    async def current(self) -> Snapshot:
        return self.snapshot

    def say(self, now: float, **ces: dict[str, Any]) -> None:
        self.resources |= ces
        entries = tuple(Entry(f"{id}.org:2119/jobmanager-local-q", {"GlueCEStateStatus": "Production", **told}, "local",
                              "q") for id, told in self.resources.items())
        self.snapshot = Supermarket().updated(Source("s", Kind.STATIC), Purchase(entries), now).snapshot(
            now, self.snapshot)


class Desk:
    """A broker with its tables; a new one is a restart."""

    def __init__(self, shell: Shell, settings: str) -> None:
        shell.settings = settings
        metadata.create_all(shell.database.engine)
        self.shell, self.shelf = shell, Shelf()
        self.kit: Kit = shell.kit()
        self.turns = Turns(self.kit.host, [Usage(self.kit.settings.wm.half_life_s).follow])
        self.broker = self.born()

    def born(self) -> Broker:
        self.broker = Broker(self.kit, self.shelf, self.turns, Memories())  # type: ignore[arg-type]
        return self.broker

    def submit(self, *names: str, jdl: str = "", owner: str = "/CN=a", vo: str = "atlas", credential: str = "c",
               ends: float = 2e9) -> None:
        now = self.kit.now()
        new = [Submit(f"https://lb:9000/{name}", f'Executable = "/bin/true"; Requirements = true; Rank = 0; {jdl}',
                      owner, vo, (), credential, ends, str(START), now + number / 1e3)
               for number, name in enumerate(names)]
        result(self.kit.database.transact(store.add, [(one, one.sequence_code) for one in new], now))

    def arrive(self, *texts: str, first: int = 0) -> None:
        """Nodes of a compound, all alike, named by their numbers."""
        now, parent = self.kit.now(), "https://lb:9000/parent"
        whole = SubmitCompound(parent, "collection", 100, "/CN=a", "atlas", str(START), now)
        nodes = tuple(NodeJob(f"https://lb:9000/{first + n}", first + n, text) for n, text in enumerate(texts))
        released = SubmitNodes(parent, "/CN=a", "atlas", (), "c", 2e9, now, nodes, alike=True)
        requests = Requests(self.turns, Retries(self.kit.settings.wm, Memories(), self.kit.rng), self.broker.lanes,
                            CredentialEnds(self.broker.credentials))
        messages = [Message(n, "wm", parent, msgspec.json.encode(one), now, 1)
                    for n, one in enumerate([whole, released])]
        result(self.kit.database.transact(requests.handle, messages, now))

    def work(self) -> list[str]:
        """The jobs that this hands over, in their order."""
        before = len(self.runs())
        result(self.broker.work())
        return [f"{run.job[-1]}@{run.ce[0]}" for run in self.runs()[before:]]

    def runs(self) -> list[Run]:
        found = [decode(row.body) for row in self.shell.rows() if row.topic == "jobadapter"]
        return [run for run in found if isinstance(run, Run)]

    def pending(self) -> list[str]:
        events = [event for row in self.shell.rows() if row.topic == "lb" for event in msgspec.json.decode(row.body)]
        return [event["fields"]["reason"] for event in events if event["type"] == "Pending"]

    def rows(self, table: sa.Table = jobs) -> list[Any]:
        return list(result(self.kit.database.read(lambda conn: conn.execute(sa.select(table)).all())))

    def finish(self, id: str) -> None:
        def end(conn: sa.Connection) -> None:
            job = store.find(conn, id)
            assert job is not None
            with self.turns.begin(conn, self.kit.now()) as turn:
                turn.finish(job, "Done")

        result(self.kit.database.transact(end))


@pytest.fixture
def shell() -> Iterator[Shell]:
    shell = Shell()
    yield shell
    shell.close()


def test_eager_jobs_go_at_once(shell: Shell) -> None:
    desk = Desk(shell, "")
    desk.shelf.say(0.0, a={})
    desk.submit("1", "2")
    assert desk.work() == ["1@a", "2@a"]
    assert desk.work() == []
    assert {(row.phase, row.placed_at) for row in desk.rows()} == {("placed", 0.0)}


def test_a_slot_that_appears_goes_to_the_oldest_and_each_slot_once(shell: Shell) -> None:
    desk = Desk(shell, "wm: {lazy: true}")
    desk.shelf.say(0.0, a={FREE: 0})
    desk.submit("1", "2", "3")
    assert desk.work() == []
    assert desk.pending() == ["no free slot: all 1 computing elements that match are busy"] * 3
    shell.advance(1.0)
    desk.shelf.say(1.0, a={FREE: 1})
    assert desk.work() == ["1@a"]
    shell.advance(1.0)
    desk.shelf.say(2.0, a={FREE: 1})
    assert desk.work() == []
    desk.finish("1")
    assert desk.work() == ["2@a"]
    assert len(desk.pending()) == 3


def test_jobs_of_the_same_kind_share_a_lane_and_a_restart_forgets_nothing(shell: Shell) -> None:
    desk = Desk(shell, "wm: {lazy: true}")
    desk.submit("1", jdl='Arguments = "x";')
    desk.submit("2", jdl='Arguments = "y";')
    desk.work()
    assert len({row.lane for row in desk.rows()}) == len(desk.rows(lanes)) == 1
    desk.born()
    desk.shelf.say(0.0, a={FREE: 1})
    assert desk.work() == ["1@a"]
    assert [state.settled for state in desk.broker.lanes.states.values()] == [1]


def test_another_question_of_the_site_makes_other_lanes(shell: Shell) -> None:
    desk = Desk(shell, "wm: {lazy: true}")
    desk.submit("1")
    desk.work()
    before = {row.lane for row in desk.rows()}
    shell.settings = "wm: {lazy: true, requirements: 'other.x =?= 1'}"
    desk.kit = shell.kit()
    desk.born()
    desk.shelf.say(0.0, a={"x": 2}, b={"x": 1})
    assert desk.work() == ["1@b"]
    assert before != {row.lane for row in desk.rows()}
    result(desk.kit.database.transact(desk.broker.lanes.forget))
    assert {row.id for row in desk.rows(lanes)} == {row.lane for row in desk.rows()}


def test_a_quota_holds_until_a_job_ends_and_use_is_counted(shell: Shell) -> None:
    desk = Desk(shell, "wm: {quotas: {'user:*': 1}}")
    shell.advance(100.0)
    desk.shelf.say(0.0, a={})
    desk.submit("1", "2", jdl="CpuNumber = 2; ")
    desk.shelf.say(0.0, a={"GlueCEInfoTotalCPUs": 8})
    assert desk.work() == ["1@a"]
    assert desk.pending() == ["the quota user:* is used up; 1 computing elements match"]
    shell.advance(50.0)
    desk.finish("1")
    assert desk.work() == ["2@a"]
    assert [tuple(row) for row in desk.rows(usage)] == [("atlas", "/CN=a", 100.0, 150.0)]


def test_a_job_that_waits_too_long_or_names_a_ce_that_nobody_knows_ends(shell: Shell) -> None:
    desk = Desk(shell, "wm: {expiry_s: 60}")
    desk.shelf.say(0.0, a={})
    desk.submit("1", jdl="LazyMatching = true;")
    desk.shelf.say(0.0, a={FREE: 0})
    desk.submit("2", jdl='SubmitTo = "z.org:2119/jobmanager-local-q";')
    desk.work()
    assert {row.id: row.phase for row in desk.rows()} == {"1": "waiting", "2": "over"}
    shell.advance(60.0)
    desk.work()
    assert [row.reason for row in desk.rows() if row.id == "1"] == [
        "request expired; no free slot: all 1 computing elements that match are busy"]


def test_a_waiting_job_ends_with_its_credential_as_renewed(shell: Shell, tmp_path: Path) -> None:
    desk = Desk(shell, f"{{state_dir: {tmp_path}, wm: {{lazy: true}}}}")
    shell.advance(1.7e9)
    now = desk.kit.now()
    desk.submit("1", "2", ends=now + 50)
    desk.submit("3", ends=now + 50, credential="renewed")
    desk.work()
    path = desk.kit.credentials.path("renewed")
    path.parent.mkdir(parents=True)
    path.write_bytes(make_authority(now, serial=1, kind="ec").certificate)
    shell.advance(49.0)
    desk.work()
    assert {row.phase for row in desk.rows()} == {"waiting"}
    shell.advance(1.0)
    desk.work()
    assert {row.id: row.phase for row in desk.rows()} == {"1": "over", "2": "over", "3": "waiting"}
    assert [row.reason.partition(":")[0] for row in desk.rows()][:2] == ["proxy expired"] * 2
    assert [state.settled for state in desk.broker.lanes.states.values()] == [1]
    assert desk.rows()[2].due > now + 86_000


def test_more_jobs_than_one_round_takes(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wm.broker.BATCH", 4)
    desk = Desk(shell, "wm: {lazy: true}")
    desk.shelf.say(0.0, a={FREE: 0})
    for name in "123456789":
        desk.submit(name)
        shell.advance(1.0)
    assert desk.work() == []
    desk.shelf.say(9.0, a={FREE: 6})
    assert desk.work() == [f"{n}@a" for n in range(1, 7)]


def test_nodes_that_are_alike_are_in_a_lane_as_they_arrive(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(shell, "wm: {lazy_vos: [atlas], priorities: {atlas: 3}, expiry_s: 60}")
    desk.shelf.say(0.0, a={FREE: 0})
    desk.arrive(*(f'Rank = 0; Arguments = "{n}"; Executable = "/bin/a";' for n in range(3)))
    assert [(row.priority, row.lazy, row.vo) for row in desk.rows(lanes)] == [(3, True, "atlas")]
    assert {row.lane for row in desk.rows()} == {row.id for row in desk.rows(lanes)}
    monkeypatch.setattr("wm.lanes.described", lambda _text: pytest.fail("read again"))
    assert desk.work() == []
    assert [state.settled for state in desk.broker.lanes.states.values()] == [3]
    desk.arrive("unread = ;", first=3)
    desk.work()
    assert [state.settled for state in desk.broker.lanes.states.values()] == [4]
    shell.advance(1.0)
    desk.shelf.say(1.0, a={FREE: 2})
    assert desk.work() == ["0@a", "1@a"]
    shell.advance(60.0)
    desk.work()
    assert sorted(row.phase for row in desk.rows()) == ["over", "over", "placed", "placed"]
    assert [state.settled for state in desk.broker.lanes.states.values()] == []


def test_nodes_that_expire_tell_it(shell: Shell) -> None:
    desk = Desk(shell, "wm: {lazy: true}")
    desk.arrive('Executable = "/bin/a"; ExpiryTime = 50;')
    desk.work()
    shell.advance(49.0)
    desk.work()
    assert [row.phase for row in desk.rows()] == ["waiting"]
    shell.advance(1.0)
    desk.work()
    assert [row.phase for row in desk.rows()] == ["over"]


def test_nodes_that_cannot_be_read_end(shell: Shell) -> None:
    desk = Desk(shell, "")
    desk.arrive("Rank = ;")
    assert {row.lane for row in desk.rows()} == {""}
    desk.work()
    assert [row.phase for row in desk.rows()] == ["over"]


def test_a_restart_counts_those_that_are_settled(shell: Shell) -> None:
    desk = Desk(shell, "wm: {lazy: true}")
    desk.arrive('Executable = "/bin/a"; Rank = 0;', 'Executable = "/bin/b"; Rank = 0;')
    desk.work()
    desk.born()
    desk.arrive('Executable = "/bin/c"; Rank = 0;', first=2)
    desk.shelf.say(0.0, a={FREE: 0})
    desk.work()
    assert [state.settled for state in desk.broker.lanes.states.values()] == [3]
    shell.advance(1.0)
    desk.shelf.say(1.0, a={FREE: 9})
    assert desk.work() == ["0@a", "1@a", "2@a"]


def test_the_slot_of_a_job_that_is_gone_goes_to_another_at_once(shell: Shell) -> None:
    desk = Desk(shell, "wm: {lazy: true}")
    desk.shelf.say(0.0, a={FREE: 0})
    desk.submit("1")
    desk.submit("2", jdl="Priority = -1;")
    desk.work()
    result(desk.kit.database.transact(store.change, "1", phase=store.OVER))
    shell.advance(1.0)
    desk.shelf.say(1.0, a={FREE: 1})
    assert desk.work() == ["2@a"]
    assert desk.broker.lanes.states == {}


def test_who_was_about_to_go_and_does_not_is_told_why(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wm.broker.BATCH", 2)
    desk = Desk(shell, "wm: {lazy: true}")
    desk.shelf.say(0.0, a={FREE: 0})
    desk.submit("1", "2")
    desk.work()
    shell.advance(1.0)
    desk.shelf.say(1.0, a={FREE: 3})
    desk.submit("3", "4")
    assert desk.work() == ["1@a", "2@a", "3@a"]
    assert len(desk.pending()) == 2
    shell.advance(60.0)
    desk.shelf.say(61.0, a={FREE: 0})
    desk.work()
    assert len(desk.pending()) == 3
    assert [state.settled for state in desk.broker.lanes.states.values()] == [1]


def test_a_job_that_cannot_be_read_ends_and_stops_no_other(shell: Shell) -> None:
    desk = Desk(shell, "")
    desk.shelf.say(0.0, a={})
    desk.submit("1", jdl="Rank = ;")
    desk.submit("2")
    assert desk.work() == ["2@a"]
    assert {row.id: row.phase for row in desk.rows()} == {"1": "over", "2": "placed"}


def test_every_decision_can_be_listened_to(shell: Shell) -> None:
    desk, heard = Desk(shell, ""), list[Any]()
    desk.broker.decided.append(heard.append)
    desk.shelf.say(0.0, a={})
    desk.submit("1")
    desk.work()
    assert [(len(one.inputs.lanes), len(one.outcome.placements), one.news) for one in heard] == [
        (1, 1, True), (0, 0, False)]
    assert [row.decision for row in desk.rows()] == [heard[0].inputs.id]
