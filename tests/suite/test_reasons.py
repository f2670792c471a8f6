"""Why a job is not running: each code reached through all daemons."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
from twisted.internet.defer import Deferred

from tests.suite.compounds import node, submit
from tests.suite.world import BOB, HandCe, World
from wms.errors import NoSuchJob, NotAuthorized, Refused
from wms.operations import Asked, File, ListMatchRequest, ReasonsRequest, RegisterRequest

CE = "hand.example.org:2119/jobmanager-hand-q"
LOST_NODE = "Job has been terminated (got SIGTERM)"
READS = 'Executable = "/bin/true"; InputData = {"lfn:/grid/x"}; DataAccessProtocol = "gsiftp";'
DIAMOND = ('[ Type = "dag"; Nodes = [ a = [ Description = [ Executable = "/bin/a" ] ]; '
           'b = [ Description = [ Executable = "/bin/b" ] ]; c = [ Description = [ Executable = "/bin/c" ] ]; '
           'Dependencies = { { { a, b }, c } } ]; %s ]')
SWEEP = ('Executable = "/bin/true"; JobType = "Parametric"; Parameters = 5; ParameterStart = 0; ParameterStep = 1; '
         'Arguments = "_PARAM_"; %s')
LAZY = 'Executable = "/bin/true"; LazyMatching = true;'


Make = Callable[..., World]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[World] = []

    def world(manager: str = "expiry_s: 6000", **more: Any) -> World:
        made.append(World(tmp_path, manager=manager, **more))
        return made[-1]

    yield world
    for one in made:
        one.close()


def told(world: World, job: str, **more: Any) -> tuple[str, str]:
    """The code and the sentence, as they are asked for alone and with others."""
    found = world.call("ns.reason", job=job, **more)
    assert found.job.rsplit("/", 1)[-1] == job.rsplit("/", 1)[-1]
    return found.code, found.sentence


# -- waiting for a match ---------------------------------------------------------------------------------


def test_no_match(make: Make) -> None:
    world = make()
    job = world.submit('Executable = "/bin/true"; Requirements = other.GlueCEInfoTotalCPUs > 100;')
    found, now = world.call("ns.reason", job=job), world.kit.now()
    assert (found.job, found.code, found.state) == (job, "no_match", "Waiting")
    assert found.sentence == "No match among 1 CE: without `other.GlueCEInfoTotalCPUs > 100`: 1 more CE."
    clause = next(clause for clause in found.clauses if clause.without)
    assert (clause.clause, clause.seen, clause.left) == ("`other.GlueCEInfoTotalCPUs > 100`", 1, 0)
    assert found.at == now
    assert now <= found.next_try <= now + 5
    assert found.details["until"] == now + 6000
    listed = world.call("ns.list_match", ListMatchRequest(
        'Executable = "/bin/true"; Requirements = other.GlueCEInfoTotalCPUs > 100;', explain=True))
    assert listed.clauses == found.clauses


def test_nothing_is_known(make: Make) -> None:
    world = make(ce=HandCe(silent=True))
    assert told(world, world.submit()) == (
        "no_resources", "No CE is known now: the information system has no usable entry.")


def test_a_lazy_job_waits_for_a_slot(make: Make) -> None:
    world = make()
    first, second = world.submit(LAZY), world.submit(LAZY)
    assert world.state(first) == "Scheduled"
    assert told(world, second) == ("no_slot", "1 CE would match, but none has a free slot.")
    world.advance(60)
    assert world.call("ns.reason", job=second).at > world.kit.now() - 60


@pytest.mark.parametrize(("quota", "code", "sentence"), [
    ("'vo:*': 1", "quota_vo", "1 CE would match, but VO dteam has as many jobs placed as its quota allows: 1."),
    ("'user:*': 1", "quota_user", "1 CE would match, but you have as many jobs placed as your quota allows: 1."),
    ("'ce:*': 1", "quota_ce", "1 CE would match, but each has as many jobs as its quota allows."),
])
def test_quotas(make: Make, quota: str, code: str, sentence: str) -> None:
    world = make(f"expiry_s: 6000, quotas: {{{quota}}}")
    jdl = 'Executable = "/bin/true"; VirtualOrganisation = "dteam";'
    world.submit(jdl)
    assert told(world, world.submit(jdl)) == (code, sentence)


def test_set_aside_and_the_pause_before_the_next_attempt(make: Make) -> None:
    world = make("expiry_s: 6000, black_hole_failures: 2")
    victims = [world.submit(), world.submit()]
    for job in victims:
        world.finish_payload(world.token(job), failure=LOST_NODE)
    world.advance(5)
    job = world.submit()
    code, sentence = told(world, job)
    assert (code, sentence[:96]) == ("set_aside", "1 CE would match, but such jobs failed there again and again; "
                                     "one tries again in 15 min.")
    assert world.call("ns.reason", job=job).details["set_aside"] == [CE]


def test_the_pause_before_the_next_attempt(make: Make) -> None:
    world = make()
    job = world.submit()
    for _ in range(2):
        world.finish_payload(world.token(job), failure=LOST_NODE)
        world.advance(2)
    found = world.call("ns.reason", job=job)
    assert found.code == "retry_delay"
    assert found.sentence.startswith("The next attempt is made in ")
    assert found.sentence.endswith(f"s: the last attempt failed: {LOST_NODE}.")
    assert found.next_try > world.kit.now()


# -- data ------------------------------------------------------------------------------------------------


@dataclass
class Stocked(World):
    """A world with a catalogue in a file."""

    catalogue: str = ""

    def born(self) -> None:
        information = msgspec.structs.replace(self.settings.information, catalogues={
            "own": {"kind": "static", "file": self.catalogue}})
        self.settings = msgspec.structs.replace(self.settings, information=information)
        super().born()


@pytest.fixture
def catalogue(tmp_path: Path) -> Path:
    return tmp_path / "catalogue.yaml"


@pytest.fixture
def stocked(tmp_path: Path, catalogue: Path) -> Iterator[Stocked]:
    world = Stocked(tmp_path, catalogue=str(catalogue))
    yield world
    world.close()


def test_a_catalogue_that_does_not_answer(stocked: Stocked) -> None:
    code, sentence = told(stocked, stocked.submit(READS))
    assert code == "catalogue"
    assert sentence.startswith("A data catalogue does not say where lfn:/grid/x is: catalogue own: ")


def test_no_access_to_the_data(stocked: Stocked, catalogue: Path) -> None:
    catalogue.write_text("lfn:/grid/x: [srm://se.example.org/data/x]")
    assert told(stocked, stocked.submit(READS)) == (
        "no_data", "No match among 1 CE: no CE that is left has access to lfn:/grid/x.")


# -- before and after ------------------------------------------------------------------------------------


def registered(world: World, **more: Any) -> str:
    request = RegisterRequest(**{"jdl": 'Executable = "/bin/true";', "delegation": "p", **more})
    return str(world.call("ns.register", request).job)


def test_not_started(make: Make) -> None:
    world = make()
    jdl = 'Executable = "a.sh"; InputSandbox = {"a.sh", "b.dat"};'
    files = tuple(File(name, 1, "0" * 64) for name in ("a.sh", "b.dat"))
    job = registered(world, jdl=jdl, files=files)
    assert told(world, job) == ("not_started", "The job is not started: a.sh and b.dat have not arrived here.")
    assert told(world, registered(world)) == ("registered", "The job is registered, but it was not started.")


def test_at_a_ce_running_and_over(make: Make) -> None:
    world = make()
    job = world.submit()
    world.advance(180)
    assert told(world, job) == ("in_queue_of_ce", f"The job has been at {CE} for 3 min, with about 0 s before a new "
                                "one would start.")
    world.start_payload(world.token(job))
    assert told(world, job) == ("running", "The job is running.")
    world.call("ns.cancel", job=job)
    assert told(world, job) == ("cancelling", "The job is being cancelled.")
    world.advance(60)
    assert told(world, job) == ("over", "The job is over: Cancelled.")


def test_the_workload_manager_is_away(make: Make) -> None:
    world = make()
    job = world.submit('Executable = "/bin/true"; Requirements = false;')
    manager = next(daemon for daemon in world.suite.daemons if daemon.name == "wm")
    world.result(manager.stop())
    found: list[Any] = []
    Deferred.fromCoroutine(world.begin("ns.reason", job=job)).addBoth(found.append)
    assert not found
    world.advance(3)
    assert (found[0].code, found[0].at > 0) == ("wm_away", True)


# -- nodes -----------------------------------------------------------------------------------------------


def test_a_node_waits_for_its_parents_by_their_names(make: Make) -> None:
    world = make()
    dag = submit(world, DIAMOND % "")
    assert told(world, node(dag, 2), query={"parent": dag}) == (
        "waiting_for_parents", "The node waits for a and b, which are not done.")
    world.start_payload(world.token(node(dag, 0)))
    world.finish_payload(world.token(node(dag, 0)))
    world.advance(5)
    assert told(world, node(dag, 2), query={"parent": dag}) == (
        "waiting_for_parents", "The node waits for b, which is not done.")
    assert told(world, dag) == ("compound", "Of 3 nodes, 1 is over, 1 is on the way and 1 still to be released.")


def test_a_node_is_throttled(make: Make) -> None:
    world = make("expiry_s: 6000, max_idle_nodes: 2")
    sweep = submit(world, SWEEP % "max_running_nodes = 2;")
    assert told(world, node(sweep, 4), query={"parent": sweep}) == (
        "throttled", "As many nodes of the compound are on their way as its max_running_nodes allows: 2.")
    idle = submit(world, SWEEP % "Requirements = other.GlueCEInfoTotalCPUs > 100;")
    assert told(world, node(idle, 4), query={"parent": idle}) == (
        "throttled_idle", "As many nodes of the compound wait for a CE as the site lets wait at once: 2.")
    assert told(world, node(idle, 0), query={"parent": idle})[0] == "no_match"


def test_nodes_of_a_compound_that_is_not_started_wait_for_that(make: Make) -> None:
    world = make()
    dag = registered(world, jdl=DIAMOND % "")
    assert told(world, node(dag, 1), query={"parent": dag}) == (
        "registered", "The job is registered, but it was not started.")


# -- who may ask, and how much ---------------------------------------------------------------------------


def test_only_the_owner_is_told(make: Make) -> None:
    world = make()
    job, other = world.submit(), world.submit(user=BOB)
    with pytest.raises(NotAuthorized):
        world.call("ns.reason", job=job, user=BOB)
    with pytest.raises(NoSuchJob):
        world.call("ns.reason", job=job + "x")
    with pytest.raises(NoSuchJob):
        world.call("ns.reason", job=job + "x", query={"parent": job})
    asked = ReasonsRequest((Asked(job), Asked(other), Asked(job + "x")))
    assert [found.job for found in world.call("ns.reasons", asked).reasons] == [job]


def test_many_are_told_at_once_and_too_many_are_refused(make: Make) -> None:
    world = make()
    waiting = [world.submit('Executable = "/bin/true"; Requirements = other.GlueCEInfoTotalCPUs > 100;')
               for _ in range(3)]
    sweep = submit(world, SWEEP % "max_running_nodes = 2;")
    asked = [Asked(job) for job in (*waiting, world.submit())] + [Asked(node(sweep, k), sweep) for k in range(5)]
    found = world.call("ns.reasons", ReasonsRequest(tuple(asked))).reasons
    assert [one.job for one in found] == [one.job for one in asked]
    assert [one.code for one in found] == ["no_match"] * 3 + ["in_queue_of_ce"] * 3 + ["throttled"] * 3
    with pytest.raises(Refused):
        world.call("ns.reasons", ReasonsRequest((Asked(waiting[0]),) * 101))
