"""Credentials of waiting and running jobs through all daemons: how they reach payloads, what is said when they are too
short, and that their end ends every job once, whatever crashes or comes first.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis.stateful import rule

from ns.delegation_rows import Delegation, put
from tests.suite.compounds import node, submit
from tests.suite.test_crashes import TERMINAL, Life, drive
from tests.suite.test_crashes import end as run_to_its_end
from tests.suite.world import ALICE, Crash, HandCe, World
from wms import queue
from wms.ce import Phase
from wms.credentials import TOKEN
from wms.database import metadata
from wms.errors import NotAllowedNow, Unavailable
from wms.faults import Fault, judge
from wms.messages.credentials import CredentialEnded, ProxyRenewed
from wms.messages.topics import JOBADAPTER, WM
from wms.operations import RegisterRequest
from wms.tokens.held import Held
from wms.x509.authority import make_authority

REASON = "proxy expired: it ended at 2023-11-14T22:13:20Z, myproxy.example.org does not answer"
ONE = 'Executable = "/bin/true";'
NOWHERE = ONE + " Requirements = other.GlueCEInfoTotalCPUs > 1000;"
COLLECTION = '[ Type = "collection"; Nodes = { %s }; ]'
DIAMOND = ('[ Type = "dag"; Nodes = [ a = [ Description = [ Executable = "/bin/a" ] ]; '
           'b = [ Description = [ Executable = "/bin/b" ] ]; c = [ Description = [ Executable = "/bin/c" ] ]; ]; '
           'Dependencies = { { { a, b }, c } }; ]')
ACCESS, REFRESH = "aaaa.access.zzzz", "rrrr-refresh-zzzz"
Make = Callable[..., World]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[World] = []

    def world(manager: str = "expiry_s: 900000", **more: Any) -> World:
        made.append(World(tmp_path, manager=manager, **more))
        return made[-1]

    yield world
    for one in made:
        one.close()


def ended(world: World, *jobs: str, reason: str = REASON) -> None:
    """Proxy Renewal gives up."""
    world.database.transact(queue.put, WM, CredentialEnded(world.credentials[ALICE], jobs, reason),
                            now=world.clock.seconds())


def delegated(world: World, life_s: float, kind: str = "certificate") -> None:
    """What Alice delegated goes on for so long."""
    credential = world.credentials[ALICE]
    row = Delegation(credential, "p", ALICE, world.clock.seconds() + life_s, kind)
    world.database.transact(put, row)


def with_token(world: World, life_s: float = 90_000.0, refresh_token: str = "") -> None:
    """Alice delegated a token instead."""
    delegated(world, life_s, "token")
    credentials, id = world.kit.credentials, world.credentials[ALICE]
    credentials.remove(id)
    credentials.write(id, Held("https://issuer.example.org", ACCESS, world.clock.seconds() + life_s,
                               refresh_token).encode(), TOKEN)


def renewed(world: World, kind: str) -> None:
    world.database.transact(queue.put, JOBADAPTER, ProxyRenewed(world.credentials[ALICE], (), 0.0, kind),
                            now=world.clock.seconds())
    world.advance(1)


def is_over(world: World, job: str, reason: str = REASON) -> None:
    """Aborted once with that reason, and nothing of it is left."""
    status = world.status(job)
    assert (status["state"], status["reason"]) == ("Aborted", reason)
    assert world.history(job).count("Abort") == 1
    assert "Resubmission" not in world.history(job)
    assert world.token(job) == ""


# -- the end of a credential -----------------------------------------------------------------------------


def test_a_job_that_waits_ends_with_the_reason(make: Make) -> None:
    world = make()
    job = world.submit(NOWHERE)
    ended(world, job)
    is_over(world, job)
    assert world.messages() == []


def test_a_job_in_the_queue_of_a_ce_ends_and_its_payload_never_starts(make: Make) -> None:
    world = make()
    job = world.submit()
    token = world.token(job)
    ended(world, job)
    world.advance(5)
    is_over(world, job)
    with pytest.raises(NotAllowedNow):
        world.start_payload(token)
    world.advance(5)
    assert (world.state(job), world.messages()) == ("Aborted", [])


def test_a_running_job_ends_its_payload_is_killed_and_its_last_word_does_not_count(make: Make) -> None:
    world = make()
    job = world.submit(ONE + " RetryCount = 3; ShallowRetryCount = 3;")
    token = world.token(job)
    world.start_payload(token)
    ended(world, job)
    world.advance(1)
    assert world.ce.states[token].phase == Phase.ENDED
    world.finish_payload(token)
    world.advance(60, step=5)
    is_over(world, job)
    assert world.messages() == []
    assert world.call("ns.reason", job=job).code == "over"


def test_an_end_that_came_first_counts(make: Make) -> None:
    world = make()
    job = world.submit()
    token = world.token(job)
    world.start_payload(token)
    manager = next(daemon for daemon in world.suite.daemons if daemon.name == "wm")
    world.result(manager.stop())
    ended(world, job)
    world.finish_payload(token)
    world.advance(5)
    world.reborn()
    world.advance(60, step=5)
    assert (world.state(job), world.messages()) == ("Done", [])
    assert "Abort" not in world.history(job)


def test_a_report_that_is_later_does_not(make: Make) -> None:
    world = make()
    job = world.submit()
    token = world.token(job)
    world.start_payload(token)
    monitor = next(daemon for daemon in world.suite.daemons if daemon.name == "logmonitor")
    world.result(monitor.stop())
    ended(world, job)
    world.finish_payload(token)
    world.reborn()
    world.advance(60, step=5)
    is_over(world, job)
    assert world.messages() == []


def test_a_job_that_is_being_cancelled_is_cancelled(make: Make) -> None:
    world = make()
    job = world.submit()
    world.start_payload(world.token(job))
    world.call("ns.cancel", job=job)
    ended(world, job)
    world.advance(60, step=5)
    assert (world.state(job), world.messages()) == ("Cancelled", [])


def test_an_attempt_that_the_ce_did_not_take_yet_never_reaches_it(make: Make) -> None:
    world = make()
    adapter = next(daemon for daemon in world.suite.daemons if daemon.name == "jobadapter")
    world.result(adapter.stop())
    job = world.submit()
    ended(world, job)
    world.advance(5)
    world.reborn()
    world.advance(60, step=5)
    is_over(world, job)
    assert (world.ce.submissions, world.messages()) == (0, [])


def test_a_credential_that_goes_on_by_now_ends_nothing(make: Make) -> None:
    world = make()
    waiting, running = world.submit(NOWHERE), world.submit()
    world.start_payload(world.token(running))
    world.kit.credentials.write(world.credentials[ALICE],
                                make_authority(world.clock.seconds(), serial=1, kind="ec").certificate)
    ended(world, waiting, running)
    world.advance(60, step=5)
    assert [world.state(job) for job in (waiting, running)] == ["Waiting", "Running"]
    assert world.messages() == []


@pytest.mark.parametrize(("said", "reason"), [
    ("the issuer does not answer", "credential expired: the issuer does not answer"),
    ("", "credential expired"), ("token expired: refused", "token expired: refused")])
def test_the_reason_says_whose_fault_it_is(make: Make, said: str, reason: str) -> None:
    world = make()
    waiting, running = world.submit(NOWHERE), world.submit()
    world.start_payload(world.token(running))
    ended(world, waiting, running, "lb.example.org/nobody-knows-it", reason=said)
    world.advance(10)
    for job in (waiting, running):
        is_over(world, job, reason)
    assert judge(reason).owner is Fault.CREDENTIAL


@pytest.mark.parametrize("kind", ["proxy", "token"])
def test_the_reason_says_what_expired(make: Make, kind: str) -> None:
    world = make()
    job = world.submit(NOWHERE)
    if kind == "token":
        with_token(world, 300.0, REFRESH)
    else:
        world.kit.credentials.write(world.credentials[ALICE],
                                    make_authority(world.clock.seconds() - 4e8, serial=1, kind="ec").certificate)
    world.advance(310, step=10)
    ended(world, job, reason="nobody tried to renew it")
    is_over(world, job, f"{kind} expired: nobody tried to renew it")


def test_told_twice_is_told_once(make: Make) -> None:
    world = make()
    waiting, running = world.submit(NOWHERE), world.submit()
    world.start_payload(world.token(running))
    ended(world, waiting, running, running)
    ended(world, running, waiting, reason="proxy expired: once more")
    world.advance(60, step=5)
    for job in (waiting, running):
        is_over(world, job)
    assert world.messages() == []


@pytest.mark.parametrize("commits", range(14))
@pytest.mark.parametrize("where", ["waiting", "queued", "running"])
def test_after_a_crash_before_any_commit_it_ends_once_and_no_payload_goes_on(
        make: Make, commits: int, where: str) -> None:
    world = make()
    job = world.submit(NOWHERE if where == "waiting" else ONE)
    if where == "running":
        world.start_payload(world.token(job))
    world.crash_after(commits)
    with suppress(Crash, AssertionError):
        ended(world, job)
        world.advance(4)
    world.reborn()
    ended(world, job)
    world.advance(90, step=10)
    is_over(world, job)
    assert world.messages() == []
    assert sum(world.payloads.values()) <= 1


@pytest.mark.parametrize("commits", range(14))
def test_a_crash_while_it_ends_and_its_report_is_on_its_way_leaves_one_end(make: Make, commits: int) -> None:
    world = make()
    job = world.submit()
    token = world.token(job)
    world.start_payload(token)
    world.crash_after(commits)
    with suppress(Crash, AssertionError):
        ended(world, job)
        run_to_its_end(world, token)
        world.advance(4)
    world.reborn()
    with suppress(NotAllowedNow):
        world.finish_payload(token)
    drive(world)
    history = world.history(job)
    assert world.state(job) in ("Aborted", "Done", "Cleared")
    assert history.count("Abort") == (world.state(job) == "Aborted")
    assert world.messages() == []


class Ending(Life):
    """The life of the crash tests, in which credentials end too."""

    @rule(job=Life.jobs)
    def credential_ends(self, job: str) -> None:
        self._quietly(lambda: ended(self.world, job))

    def teardown(self) -> None:
        """A job that pauses before its next attempt has no message on its way: so time goes on until all are over."""
        self.world.ce.unreachable = False
        self.world.reborn()
        for _ in range(20):
            drive(self.world)
            if all(self.world.state(job) in TERMINAL for job in self.submitted):
                break
            self.world.advance(60, step=5)
        assert all(self.world.history(job).count("Abort") <= 1 for job in self.submitted)
        super().teardown()


Ending.TestCase.settings = settings(max_examples=4, stateful_step_count=25, deadline=None,
                                    suppress_health_check=list(HealthCheck))
TestEnding = Ending.TestCase


# -- compounds -------------------------------------------------------------------------------------------


def test_all_nodes_of_a_collection_end_also_those_that_were_not_released(make: Make) -> None:
    world = make("expiry_s: 900000, max_idle_nodes: 2")
    nowhere = "[ " + NOWHERE + " ]"
    job = submit(world, COLLECTION % ", ".join(["[ " + ONE + " ]"] * 2 + [nowhere] * 5))
    world.advance(10)
    world.start_payload(world.token(node(job, 0)))
    assert [world.state(node(job, k)) for k in range(7)] == ["Running", "Scheduled", "Waiting", "Waiting"] + [
        "Submitted"] * 3
    ended(world, job)
    world.advance(60, step=5)
    for index in range(7):
        status = world.status(node(job, index))
        assert (status["state"], status["reason"]) == ("Aborted", REASON), index
    assert world.state(job) == "Aborted"
    assert world.messages() == []


def test_a_large_collection_ends_a_portion_at_a_time(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wm.recovery.credential_ends.PORTION", 2)
    world = make()
    job = submit(world, COLLECTION % ", ".join(["[ " + ONE + " ]"] * 5))
    world.advance(5)
    ended(world, job)
    world.advance(60, step=5)
    assert {world.status(node(job, index))["reason"] for index in range(5)} == {REASON}
    assert (world.state(job), world.messages()) == ("Aborted", [])


def test_the_children_of_a_dag_are_not_released(make: Make) -> None:
    world = make()
    dag = submit(world, DIAMOND)
    world.start_payload(world.token(node(dag, 0)))
    ended(world, dag)
    world.advance(60, step=5)
    for index in range(3):
        assert world.state(node(dag, index)) == "Aborted"
    assert world.status(node(dag, 2))["reason"] in (REASON, "parents have aborted")
    status = world.status(dag)
    assert (status["state"], status["reason"]) == ("Aborted", REASON)
    assert (world.ce.submissions, world.messages()) == (2, [])


@pytest.mark.parametrize("commits", range(0, 24, 2))
def test_a_compound_ends_once_whatever_crashes(make: Make, commits: int) -> None:
    world = make("expiry_s: 900000, max_idle_nodes: 2")
    job = submit(world, COLLECTION % ", ".join(["[ " + ONE + " ]"] * 2 + ["[ " + NOWHERE + " ]"] * 3))
    world.start_payload(world.token(node(job, 0)))
    world.crash_after(commits)
    with suppress(Crash, AssertionError):
        ended(world, job)
        world.advance(5)
    world.reborn()
    ended(world, job)
    world.advance(120, step=10)
    for index in range(5):
        one = node(job, index)
        assert (world.state(one), world.history(one).count("Abort")) == ("Aborted", 1)
    assert (world.state(job), world.messages()) == ("Aborted", [])
    assert all(state.phase == Phase.ENDED for state in world.ce.states.values())


# -- on the way to the payload ---------------------------------------------------------------------------


def test_a_renewed_proxy_reaches_the_running_job(make: Make) -> None:
    world = make()
    job = world.submit()
    token = world.token(job)
    assert (world.ce.jobs[token].proxy, world.ce.jobs[token].bearer) == (b"proxy of " + ALICE.encode(), b"")
    assert "wms_bear" not in world.ce.jobs[token].script
    world.kit.credentials.write(world.credentials[ALICE], b"a fresh proxy")
    renewed(world, "certificate")
    assert world.ce.outputs == {f"{token}.proxy": "a fresh proxy"}


def test_a_job_with_a_token_has_no_proxy_and_gets_each_new_token(make: Make) -> None:
    world = make()
    with_token(world, refresh_token=REFRESH)
    job = world.submit()
    token = world.token(job)
    assert (world.ce.jobs[token].proxy, world.ce.jobs[token].bearer) == (b"", ACCESS.encode())
    assert "\nwms_bear\n" in world.ce.jobs[token].script
    assert not any(secret in world.ce.jobs[token].script for secret in (ACCESS, REFRESH))
    world.start_payload(token)
    held = Held.decode(world.kit.credentials.read(world.credentials[ALICE], TOKEN))
    fresh = msgspec.structs.replace(held, access_token="bbbb.access.zzzz")
    world.kit.credentials.write(world.credentials[ALICE], fresh.encode(), TOKEN)
    renewed(world, "token")
    assert world.ce.outputs == {f"{token}.token": "bbbb.access.zzzz"}
    world.finish_payload(token)
    world.advance(30, step=5)
    assert (world.state(job), stored(world, ACCESS, REFRESH, "bbbb.access")) == ("Done", [])


@dataclass
class AwayCe(HandCe):
    """One that does not answer the next renewals; it notes how many jobs each call is about."""

    away: int = 0
    calls: list[int] = field(default_factory=list)

    async def renew(self, tokens: Collection[str], proxy: bytes, bearer: bytes = b"") -> None:
        self.calls.append(len(tokens))
        if self.away:
            self.away -= 1
            raise Unavailable("the CE is being restarted")
        await HandCe.renew(self, tokens, proxy, bearer)


def test_a_ce_that_is_away_gets_it_later_and_the_others_do_not_wait(make: Make) -> None:
    away, here = AwayCe(name="away", away=3), AwayCe(name="here")
    world = make(ce=away, others={"here": here})
    jobs = [world.submit(ONE + f' Requirements = other.GlueCEName == "q" && RegExp("{name}", other.GlueCEUniqueID);')
            for name in ("away", "here")]
    at_away, at_here = (world.token(job) for job in jobs)
    world.kit.credentials.write(world.credentials[ALICE], b"fresh")
    renewed(world, "certificate")
    assert (away.outputs, here.outputs) == ({}, {f"{at_here}.proxy": "fresh"})
    assert world.messages()
    world.advance(30)
    assert away.outputs == {f"{at_away}.proxy": "fresh"}
    assert world.messages() == []


def test_a_ce_that_stays_away_is_not_asked_for_ever(make: Make) -> None:
    ce = AwayCe(away=10**6)
    world = make(ce=ce)
    job = world.submit()
    renewed(world, "certificate")
    world.advance(2 * 3600, step=30)
    assert 10 < len(ce.calls) < 40
    assert world.state(job) == "Scheduled"


def test_many_jobs_get_it_in_portions(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobadapter.service.RENEWED", 2)
    ce = AwayCe()
    world = make(ce=ce)
    tokens = [world.token(world.submit()) for _ in range(5)]
    renewed(world, "certificate")
    assert (ce.calls, len(ce.outputs)) == ([2, 2, 1], len(tokens))


def stored(world: World, *secrets: str) -> list[str]:
    """Tables that hold one of them."""
    with world.engine.connect() as conn:
        found = {table.name: str(conn.execute(sa.select(table)).all()) for table in metadata.sorted_tables}
    assert "/bin/true" in found["ns_jobs"]
    return [name for name, text in found.items() if any(secret in text for secret in secrets)]


def test_a_renewal_of_a_credential_that_is_gone_brings_nothing(make: Make) -> None:
    world = make()
    world.submit()
    world.kit.credentials.remove(world.credentials[ALICE])
    renewed(world, "certificate")
    renewed(world, "token")
    assert (world.ce.outputs, world.messages()) == ({}, [])


@pytest.mark.parametrize("content", [b"-", b"{}", b"\xff"])
def test_a_credential_that_cannot_be_read_ends_the_job_at_once(make: Make, content: bytes) -> None:
    world = make()
    adapter = next(daemon for daemon in world.suite.daemons if daemon.name == "jobadapter")
    world.result(adapter.stop())
    with_token(world)
    job = world.submit(ONE + " RetryCount = 3;")
    world.kit.credentials.write(world.credentials[ALICE], content, TOKEN)
    world.reborn()
    world.advance(5)
    assert world.state(job) == "Aborted"
    assert "cannot open the delegated credential" in world.status(job)["reason"]


# -- at a match ------------------------------------------------------------------------------------------

NEEDS_2_H = ONE + " Requirements = other.GlueCEPolicyMaxWallClockTime >= 120 || true;"
SHORT = "credential too short: it ends in 1.00 h and cannot be renewed, but the job may need 2.00 h"


def test_an_owner_is_warned_once_that_the_credential_may_end_before_the_job(make: Make) -> None:
    world = make()
    delegated(world, 3600.0)
    job = world.submit(NEEDS_2_H + " ShallowRetryCount = 3;")
    world.advance(2)
    status = world.status(job)
    assert (status["state"], status["user_tags"]["credential_warning"]) == ("Scheduled", SHORT)
    world.finish_payload(world.token(job), failure="Cannot download the input", report=False)
    world.advance(30, step=5)
    assert world.history(job).count("Match") == 2
    assert [event for event in world.history(job) if event == "UserTag"] == ["UserTag"]


def test_where_the_site_says_so_the_job_ends_with_both_figures(make: Make) -> None:
    world = make("expiry_s: 900000, short_credentials: abort")
    delegated(world, 3600.0)
    job, short = world.submit(NEEDS_2_H), world.submit()
    world.advance(2)
    status = world.status(job)
    assert (status["state"], status["reason"]) == ("Aborted", SHORT)
    assert (world.state(short), world.history(short).count("UserTag")) == ("Scheduled", 0)
    assert world.messages() == []


@pytest.mark.parametrize("mode", ["warn", "abort"])
def test_a_credential_that_is_renewed_holds_nobody_back(make: Make, mode: str) -> None:
    world = make(f"expiry_s: 900000, short_credentials: {mode}")
    delegated(world, 3600.0)
    job = world.submit(NEEDS_2_H + ' MyProxyServer = "myproxy.example.org";')
    with_token(world, 3600.0, REFRESH)
    other = world.submit(NEEDS_2_H)
    world.advance(2)
    assert [world.state(one) for one in (job, other)] == ["Scheduled"] * 2
    assert world.history(job).count("UserTag") + world.history(other).count("UserTag") == 0


# -- why it waits ----------------------------------------------------------------------------------------


def test_a_job_that_was_not_started_in_time_is_told_of_its_credential(make: Make) -> None:
    world = make()
    delegated(world, 400.0)
    job = str(world.call("ns.register", RegisterRequest(ONE, "p")).job)
    told = world.call("ns.reason", job=job)
    assert (told.code, told.sentence) == ("registered", "The job is registered, but it was not started.")
    delegated(world, -1.0)
    told = world.call("ns.reason", job=job)
    assert (told.code, told.sentence) == ("credential", "The job is not started, and its credential has ended.")
    delegated(world, 4000.0)
    assert world.call("ns.reason", job=job).code == "registered"
