"""The loop that renews, with renewers that the test answers for: places, timeouts, what happens meanwhile, crashes."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import Logger

from proxyrenewal import store
from proxyrenewal.kinds import Failed, Fresh
from proxyrenewal.registering import Registrations
from proxyrenewal.renewals import AGAIN_S, ASIDE_S, GATHER_S, Renewals, policy_of
from proxyrenewal.report import renewals
from proxyrenewal.schedule import HOPELESS, POLICY, Life, milestones
from proxyrenewal.store import Registration
from tests.daemons.shell import result
from wms import queue
from wms.config import parse
from wms.consumer import Consumer
from wms.credentials import PROXY, TOKEN
from wms.database import Database, make_engine, metadata
from wms.errors import Unavailable
from wms.eventlog import decode_events
from wms.identity import CERTIFICATE
from wms.identity import TOKEN as TOKEN_KIND
from wms.messages import decode
from wms.messages.credentials import CredentialEnded, Destroyed, ProxyRenewed, Redelegated, Register, Unregister
from wms.messages.topics import JOBADAPTER, LB, NS, PROXYRENEWAL, WM
from wms.service import Daemon, Kit

NOW, LIFE_S = 1_700_000_000.0, 43200.0
OWNER, SERVER = "/DC=org/CN=alice", "px.example.org"
OLD, NEW, NEWER = b"the old one", b"the new one", b"delegated anew"
Answer = Fresh | Failed | Exception


class Crash(BaseException):
    """The process dies before this commit."""


@dataclass
class Issuing:
    """Answers as the test says, at once unless `answer` gives a Deferred."""

    answer: Callable[[Registration], Answer | Awaitable[Answer]]
    asked: list[str] = field(default_factory=list)

    async def renew(self, entry: Registration, old: bytes, now: float) -> Fresh | Failed:
        self.asked.append(entry.credential)
        found = self.answer(entry)
        if isinstance(found, Awaitable):
            found = await found
        if isinstance(found, Exception):
            raise found
        return found


class Site:
    """Proxy Renewal alone: one life after another on one database."""

    def __init__(self, directory: Path, parallel: int = 4) -> None:
        self.settings = parse(f"{{state_dir: {directory}, proxyrenewal: {{parallel: {parallel}, period_s: 1000000}}}}")
        self.engine = make_engine("sqlite://")
        metadata.create_all(self.engine, [queue.messages, store.registrations, store.registered_jobs])
        self.clock = Clock()
        self.clock.advance(NOW)
        self.renewer = Issuing(lambda _: Fresh(NEW, self.clock.seconds() + LIFE_S))
        self.commits, self.logged = 0, list[Any]()
        self.before_commit: Callable[[], None] = lambda: None
        self.born()

    def born(self) -> None:
        for timer in list(self.clock.getDelayedCalls()):
            timer.cancel()
        self.database = Database("sqlite://", None, inline=True)
        self.database.engine = self.engine
        self.database.before_commit = self._commit
        self.kit = Kit(self.settings, self.database, self.clock, random.Random(3), {},
                       Logger(observer=self.logged.append), "wms.example.org", ("lb.example.org", 9000), b"s" * 32)
        self.renewals = Renewals(self.kit, {CERTIFICATE: self.renewer, TOKEN_KIND: self.renewer})
        handle = Registrations(self.kit, policy_of(self.kit)).handle
        self.daemon = Daemon("proxyrenewal", [
            self.renewals, Consumer(self.kit, PROXYRENEWAL, handle, after=self.renewals.poke)])
        result(self.daemon.start())

    def _commit(self, _conn: object) -> None:
        self.before_commit()
        self.commits += 1

    def crash(self, after: int = 0) -> None:
        """The process dies instead of making its next commit but `after`."""
        left = iter(range(after))

        def die() -> None:
            if next(left, None) is None:
                raise Crash

        self.before_commit = die

    def reborn(self) -> None:
        self.before_commit = lambda: None
        self.born()

    def close(self) -> None:
        result(self.daemon.stop())
        assert not self.clock.getDelayedCalls()
        self.database.close()
        self.engine.dispose()

    def tell(self, *messages: Any) -> None:
        self.database.transact(queue.put_many, PROXYRENEWAL, [("", one) for one in messages], now=self.clock.seconds())

    def register(self, credential: str = "c", job: str = "1", server: str = SERVER, life: float = LIFE_S,
                 kind: str = CERTIFICATE, **more: Any) -> None:
        path = self.kit.credentials.path(credential, TOKEN if kind == TOKEN_KIND else PROXY)
        if not path.exists():
            self.kit.credentials.write(credential, OLD, TOKEN if kind == TOKEN_KIND else PROXY)
        self.tell(Register(f"https://lb.example.org:9000/{job}", credential, OWNER, server,
                           self.clock.seconds() + life, kind, **more))

    def advance(self, seconds: float, steps: int = 1) -> None:
        self.clock.pump([seconds / steps] * steps + [GATHER_S + 0.01] * 2)

    def until(self, at: float) -> None:
        self.advance(at - self.clock.seconds())

    def entry(self, credential: str = "c") -> Registration | None:
        with self.engine.connect() as conn:
            return store.find(conn, credential)

    def known(self, credential: str = "c") -> Registration:
        found = self.entry(credential)
        assert found is not None
        return found

    def file(self, credential: str = "c") -> bytes:
        return self.kit.credentials.read(credential)

    def sent(self, topic: str) -> list[Any]:
        with self.engine.connect() as conn:
            rows = conn.execute(sa.select(queue.messages.c.body).where(queue.messages.c.topic == topic)
                                .order_by(queue.messages.c.id))
            return [(decode_events if topic == LB else decode)(body) for (body,) in rows]

    def words(self) -> list[tuple[str, str]]:
        """(job, value) of all tags."""
        return [(event.job.rsplit("/", 1)[-1], event.fields["value"]) for group in self.sent(LB) for event in group]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    made.close()


def due_at(site: Site, credential: str = "c") -> float:
    return site.known(credential).next_try


# -- success ---------------------------------------------------------------------------------------------


def test_a_renewal_happens_to_the_second_and_is_told(site: Site):
    site.register(job="1")
    site.register(job="2")
    at = due_at(site)
    site.until(at - 5)
    assert (site.renewer.asked, site.file()) == ([], OLD)
    site.until(at)
    found = site.known()
    assert site.file() == NEW
    assert (found.not_after, found.begins, found.renewals, found.failures) == (at + LIFE_S, at, 1, 0)
    told = ProxyRenewed("c", ("https://lb.example.org:9000/1", "https://lb.example.org:9000/2"), at + LIFE_S)
    assert site.sent(NS) == site.sent(JOBADAPTER) == [told]
    assert site.words() == [], "nobody was warned"
    assert site.renewals.progress()["done"] == 1
    site.until(due_at(site))
    assert site.known().renewals == 2


def test_a_token_is_renewed_in_its_own_file(site: Site):
    site.register(kind=TOKEN_KIND, life=3600, begins=NOW - 7200)
    site.advance(0)
    assert site.kit.credentials.read("c", TOKEN) == NEW
    assert not site.kit.credentials.path("c").exists()
    assert [one.kind for one in site.sent(NS)] == ["token"]


def test_outcomes_are_committed_together(site: Site):
    for number in range(300):
        site.register(f"c{number}", str(number), life=2000)
    site.commits = 0
    site.advance(1)
    assert len(site.sent(NS)) == len(set(site.renewer.asked)) == 300
    assert site.commits <= 3


def test_one_that_ends_no_later_is_a_failure(site: Site):
    site.register()
    site.renewer.answer = lambda entry: Fresh(NEW, entry.not_after)
    site.until(due_at(site))
    found = site.known()
    assert (site.file(), found.failures) == (OLD, 1)
    assert "would end no later" in found.last_error
    assert site.sent(NS) == []


# -- failures --------------------------------------------------------------------------------------------


def test_a_warning_goes_once_to_each_job_and_so_does_the_success_that_follows(site: Site):
    site.register(job="1")
    site.register(job="2")
    site.renewer.answer = lambda _: Failed("px.example.org: no")
    _, half, last = milestones(site.known().life)
    site.advance(half - NOW - 5, steps=200)
    assert site.words() == []
    assert site.known().failures > 2
    site.until(half)
    site.advance(last - half - 9, steps=50)
    assert [job for job, _ in site.words()] == ["1", "2"]
    site.until(last)
    site.renewer.answer = lambda _: Fresh(NEW, site.clock.seconds() + LIFE_S)
    site.advance(1900)
    words = site.words()
    assert [job for job, _ in words] == ["1", "2"] * 3
    assert [word.split(":")[0] for _, word in words] == ["failed"] * 4 + ["renewed"] * 2
    assert site.known().warned == 0


def test_a_final_refusal_is_told_at_once_and_never_tried_again(site: Site):
    site.register(kind=TOKEN_KIND, life=3600)
    site.renewer.answer = lambda _: Failed("revoked", final=True)
    at = due_at(site)
    site.until(at)
    assert [word for _, word in site.words()] == [
        "cannot be renewed: revoked; the credential ends 2023-11-14 23:13:20 UTC"]
    assert site.known().failures == HOPELESS
    site.advance(3600, steps=100)
    assert len(site.renewer.asked) == 1
    assert len(site.words()) == 2
    (ended,) = site.sent(WM)
    assert ended == CredentialEnded("c", ("https://lb.example.org:9000/1",), "the credential of the job ended "
                                    "2023-11-14 23:13:20 UTC and could not be renewed: revoked")
    assert site.entry() is None


def test_another_job_that_names_a_server_makes_it_renewable(site: Site):
    site.register(server="", life=3600)
    site.renewer.answer = lambda _: Failed("no server", final=True)
    site.until(due_at(site))
    site.renewer.answer = lambda _: Fresh(NEW, site.clock.seconds() + LIFE_S)
    site.tell(Register("https://lb.example.org:9000/2", "c", OWNER, SERVER, NOW + 3600))
    site.advance(1200, steps=10)
    assert site.file() == NEW


@pytest.mark.parametrize("error", [Unavailable("away"), OSError("disk"), RuntimeError("a mistake of ours")])
def test_an_error_of_any_kind_is_one_failure(site: Site, error: Exception):
    site.register()
    site.register("d", "2", life=LIFE_S + 1000)
    site.renewer.answer = lambda entry: error if entry.credential == "c" else Fresh(NEW, NOW + 9 * LIFE_S)
    site.until(max(due_at(site), due_at(site, "d")))
    site.advance(1)
    assert site.known().failures >= 1
    assert site.known("d").renewals == 1


def test_a_credential_whose_end_came_while_nobody_ran(site: Site):
    site.register()
    site.register("t", "2", kind=TOKEN_KIND, begins=NOW)
    result(site.daemon.stop())
    site.clock.advance(LIFE_S + 1000)
    site.born()
    site.advance(1)
    assert [one.credential for one in site.sent(WM)] == ["c"], "a proxy cannot be renewed after its end"
    assert "nobody tried to renew it in time" in site.sent(WM)[0].reason
    assert site.known("t").renewals == 1, "a token can"


def test_a_token_that_is_refused_after_its_end_ends(site: Site):
    site.register(kind=TOKEN_KIND, begins=NOW)
    result(site.daemon.stop())
    site.clock.advance(LIFE_S + 1000)
    site.renewer.answer = lambda _: Failed("away", silent=True)
    site.born()
    site.advance(1)
    assert "failed 1 times, the last time with: away" in site.sent(WM)[0].reason


# -- places ----------------------------------------------------------------------------------------------


def test_a_server_that_hangs_leaves_a_place_and_then_has_one(site: Site):
    hanging: list[Deferred[Answer]] = []

    def answer(entry: Registration) -> Answer | Awaitable[Answer]:
        if entry.myproxy == SERVER:
            return Fresh(NEW, NOW + LIFE_S)
        hanging.append(Deferred())
        return hanging[-1]

    site.renewer.answer = answer
    for number in range(20):
        site.register(f"dead{number}", f"d{number}", "dead.example.org", life=2000)
    site.advance(0.1)
    assert len(hanging) == 3
    for number in range(20):
        site.register(f"live{number}", f"l{number}", life=2000)
    site.advance(0.1)
    assert len(site.sent(NS)) == 20
    site.advance(66)
    assert [site.known(f"dead{number}").failures for number in range(3)] == [1] * 3
    assert "No answer within 65 s" in site.known("dead0").last_error
    assert len(hanging) == 4, "one at a time from now on"
    hanging[-1].callback(Fresh(NEW, NOW + LIFE_S))
    site.advance(0.1)
    assert len(hanging) == 7, "it has answered"
    for one in hanging[4:]:
        one.callback(Failed("no"))
    while len(hanging) < 20:
        hanging[-1].callback(Failed("no")) if not hanging[-1].called else site.advance(0.1)
    for one in hanging:
        if not one.called:
            one.callback(Failed("no"))
    site.advance(0.1)


# -- meanwhile -------------------------------------------------------------------------------------------


@dataclass
class Meanwhile:
    """A renewal that is under way."""

    site: Site
    answer: Deferred[Answer]

    def finish(self) -> None:
        self.answer.callback(Fresh(NEW, self.site.clock.seconds() + LIFE_S))
        self.site.advance(1)


@pytest.fixture
def meanwhile(site: Site) -> Meanwhile:
    site.register()
    answer: Deferred[Answer] = Deferred()
    site.renewer.answer = lambda _: answer
    site.until(due_at(site))
    assert site.renewer.asked == ["c"]
    return Meanwhile(site, answer)


def test_a_job_that_ends_meanwhile_is_not_registered_again(site: Site, meanwhile: Meanwhile):
    site.tell(Unregister("https://lb.example.org:9000/1"))
    meanwhile.finish()
    assert site.entry() is None
    assert site.sent(NS) == []


def test_a_credential_that_is_destroyed_meanwhile_stays_so(site: Site, meanwhile: Meanwhile):
    site.kit.credentials.remove("c")
    site.tell(Destroyed("c"))
    meanwhile.finish()
    assert not site.kit.credentials.path("c").exists()
    assert list(site.kit.credentials.directory.iterdir()) == []
    assert site.sent(NS) == site.sent(JOBADAPTER) == []
    assert [word.split(";")[0] for _, word in site.words()] == ["cannot be renewed: its owner took it back"]
    site.advance(LIFE_S, steps=100)
    assert "could not be renewed: its owner took it back" in site.sent(WM)[0].reason


def test_a_credential_that_is_delegated_anew_meanwhile_stays(site: Site, meanwhile: Meanwhile):
    site.kit.credentials.write("c", NEWER)
    now = site.clock.seconds()
    site.tell(Redelegated("c", now, now + 3000))
    meanwhile.finish()
    assert site.file() == NEWER
    assert (site.known().not_after, site.known().renewals) == (now + 3000, 0)
    assert site.sent(NS) == []
    assert [one.not_after for one in site.sent(JOBADAPTER)] == [now + 3000]


def test_one_that_is_delegated_anew_between_file_and_commit_stays(site: Site, meanwhile: Meanwhile):
    now = site.clock.seconds()
    meanwhile.answer.callback(Fresh(NEW, now + LIFE_S))
    assert site.file() == NEW, "in place, not yet committed"
    site.kit.credentials.write("c", NEWER)
    site.tell(Redelegated("c", now, now + 3000))
    site.advance(1)
    assert (site.file(), site.known().not_after) == (NEWER, now + 3000)
    assert site.sent(NS) == []


def test_a_newer_file_of_which_nobody_told_stays(site: Site, meanwhile: Meanwhile):
    site.kit.credentials.write("c", NEWER)
    meanwhile.finish()
    assert (site.file(), site.known().failures) == (NEWER, 0)
    site.renewer.answer = lambda _: Fresh(NEW, site.clock.seconds() + LIFE_S)
    site.advance(301)
    assert (site.file(), site.known().renewals) == (NEW, 1)


def test_who_delegates_anew_after_a_warning_is_told(site: Site):
    site.register(server="", life=3600)
    site.renewer.answer = lambda _: Failed("no server", final=True)
    site.until(due_at(site))
    now = site.clock.seconds()
    site.tell(Redelegated("c", now, now + LIFE_S), Redelegated("unknown", now, now + LIFE_S), Destroyed("unknown"))
    site.advance(1)
    assert site.words()[-1][1].startswith("delegated anew: the credential ends ")
    assert (site.known().failures, site.known().warned) == (0, 0)


# -- very many jobs --------------------------------------------------------------------------------------


def many(site: Site, number: int) -> None:
    site.kit.credentials.write("c", OLD)
    site.tell(*(Register(f"https://lb.example.org:9000/{one:05}", "c", OWNER, SERVER, NOW + 3600)
                for one in range(number)))
    site.advance(1, steps=10)


def test_very_many_jobs_are_told_in_portions_each_once(site: Site):
    many(site, 1200)
    site.renewer.answer = lambda _: Failed("no")
    half = milestones(site.known().life).half
    site.until(half - 5)
    site.commits = 0
    site.until(half)
    site.advance(61)
    assert [job for job, _ in site.words()] == [f"{one:05}" for one in range(1200)]
    assert [len(group) for group in site.sent(LB)] == [500, 500, 200]
    assert site.commits >= 3
    site.advance(3600, steps=200)
    assert [len(one.jobs) for one in site.sent(WM)] == [500, 500, 200]
    assert len({job for one in site.sent(WM) for job in one.jobs}) == 1200
    assert site.entry() is None


@pytest.mark.parametrize("commits", range(3))
def test_a_crash_between_portions_of_an_end_loses_and_doubles_nobody(site: Site, commits: int):
    many(site, 1200)
    site.renewer.answer = lambda _: Failed("no", final=True)
    site.advance(3500, steps=100)
    site.crash(commits)
    site.advance(300, steps=30)
    assert len(site.sent(WM)) < 3
    site.reborn()
    site.advance(200, steps=20)
    told = [job for one in site.sent(WM) for job in one.jobs]
    assert len(told) == len(set(told)) == 1200


# -- crashes ---------------------------------------------------------------------------------------------


def test_a_crash_after_the_file_is_in_place_renews_twice_and_tells_once(site: Site):
    site.register()
    at = due_at(site)
    site.crash()
    site.until(at)
    assert (site.file(), site.known().renewals) == (NEW, 0)
    site.reborn()
    site.advance(1)
    assert (len(site.renewer.asked), site.known().renewals) == (2, 1)
    assert len(site.sent(NS)) == len(site.sent(JOBADAPTER)) == 1


def test_what_a_killed_process_left_beside_the_place_is_removed(site: Site):
    site.register()
    site.kit.credentials.write("c", NEW, ".pem.fresh")
    site.reborn()
    assert [path.name for path in site.kit.credentials.directory.iterdir()] == ["c.pem"]


def test_outcomes_wait_for_a_database_that_is_away(site: Site):
    site.register()
    at = due_at(site)

    def away() -> None:
        raise sa.exc.OperationalError("COMMIT", {}, Exception("disk I/O error"), connection_invalidated=True)

    site.before_commit = away
    site.until(at)
    assert (site.file(), site.known().renewals) == (NEW, 0)
    site.before_commit = lambda: None
    site.advance(AGAIN_S + 1, steps=10)
    assert (len(site.renewer.asked), site.known().renewals) == (1, 1), "the outcome was kept, nobody was asked again"


def test_an_outcome_that_cannot_be_written_keeps_no_other_from_it(site: Site):
    site.register("bad", "1", life=2000)
    site.register("good", "2", life=2000)
    with site.engine.begin() as conn:
        conn.exec_driver_sql("CREATE TRIGGER broken BEFORE UPDATE ON registrations WHEN old.credential = 'bad' "
                             "BEGIN SELECT RAISE(ABORT, 'broken'); END")
    site.advance(1)
    assert site.known("good").renewals == 1
    assert site.renewer.asked.count("bad") == 1
    site.advance(ASIDE_S / 2, steps=10)
    assert site.renewer.asked.count("bad") == 1, "no busy loop"
    with site.engine.begin() as conn:
        conn.exec_driver_sql("DROP TRIGGER broken")
    site.renewals.poke()
    site.advance(ASIDE_S)
    site.renewals.poke()
    site.advance(1)
    assert site.known("bad").renewals == 1


def test_policy_is_that_of_the_settings(site: Site):
    site.settings = msgspec.structs.replace(site.settings, proxyrenewal=msgspec.structs.replace(
        site.settings.proxyrenewal, lifetime_s=7200.0, grace_s=5.0))
    site.reborn()
    assert policy_of(site.kit).grace_s == 5.0
    assert milestones(Life(CERTIFICATE, NOW, NOW + 7200), policy_of(site.kit)).first == NOW + 7200 - POLICY.limit_s


# -- what is said of it ----------------------------------------------------------------------------------


def test_the_report_lists_what_is_tried_next_and_what_went_wrong(site: Site):
    site.renewer.answer = lambda entry: Failed("px: no" if entry.myproxy else "no server", final=not entry.myproxy)
    site.register("fine", "1")
    site.register("ill", "2", life=2000)
    site.register("ill", "3", life=2000)
    site.register("lost", "4", server="", life=2050)
    site.advance(1)
    head, *lines = renewals(site.engine).text.splitlines()
    assert head.split()[:4] == ["CREDENTIAL", "KIND", "OWNER", "SERVER"]
    assert [line.split()[0] for line in lines] == ["ill", "lost", "fine"]
    assert lines[0].endswith("px: no")
    assert "never" in lines[1]
    assert lines[2].split()[-3:] == ["0", "0", "-"]
    found = msgspec.json.decode(renewals(site.engine, failing=True, number=1, as_json=True).text)["renewals"]
    wanted = ("credential", "jobs", "failures", "renewable")
    assert [tuple(one[name] for name in wanted) for one in found] == [("ill", 2, 1, True)]
    assert site.renewals.progress()["places"] == 0
