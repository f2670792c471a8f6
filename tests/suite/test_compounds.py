"""Compounds through all daemons: stories of nodes, throttles, failures, cancellations, rescues."""

from __future__ import annotations

import tempfile
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ns import files, store
from tests.suite.compounds import at_ce, dag, node, run, shape, states, submit, sweep, throttled
from tests.suite.world import HandCe, World
from wms.errors import NotAllowedNow, NotFound, OutputNotReady
from wms.jobid import JobId
from wms.operations import File, PurgeRequest
from wms.operations.compounds import RescueRequest

DIAMOND = [(0, 1), (0, 2), (1, 3), (2, 3), (3, 4)]


def test_a_collection_is_done_with_its_nodes(world: World) -> None:
    job = submit(world, sweep(4))
    assert states(world, job, 4) == ["Scheduled"] * 4
    for index in range(4):
        run(world, node(job, index), exit_code=index)
    world.advance(3)
    assert states(world, job, 4) == ["Done"] * 4
    assert world.state(job) == "Done"
    page = world.call("ns.nodes", job=job)
    assert (page.number, page.cursor) == (4, "")
    assert [(one.node, one.name, one.job, one.outcome, one.attempt) for one in page.nodes] == [
        (k, f"Node_{k}", node(job, k), "Done", 1) for k in range(4)]
    world.call("ns.purge", PurgeRequest(), job=job)
    assert world.state(job) == "Cleared"
    world.advance(5)
    assert world.messages() == []


def test_a_node_starts_when_its_parents_are_done(world: World) -> None:
    job = submit(world, dag(5, DIAMOND))
    assert (world.state(job), at_ce(world, job, 5)) == ("Running", [0])
    for index, after in ((0, [1, 2]), (2, [1]), (1, [3]), (3, [4]), (4, [])):
        run(world, node(job, index))
        world.advance(1)
        assert at_ce(world, job, 5) == after
    assert world.state(job) == "Done"
    assert world.history(job) == ["RegJob", "Accepted", "EnQueued", "DeQueued", "Match", "EnQueued", "Running", "Done"]


def test_a_failure_stops_only_what_depends_on_it(world: World) -> None:
    job = submit(world, dag(6, DIAMOND))
    run(world, node(job, 0))
    world.advance(1)
    run(world, node(job, 1), failure="of no account")
    world.advance(1)
    assert states(world, job, 6) == ["Done", "Aborted", "Scheduled", "Aborted", "Aborted", "Scheduled"]
    assert world.status(node(job, 4))["reason"] == "parents have aborted"
    assert world.state(job) == "Running"
    run(world, node(job, 2))
    run(world, node(job, 5))
    world.advance(1)
    status = world.status(job)
    assert (status["state"], status["reason"]) == ("Aborted", "DAG completed with failed jobs")


def test_a_node_that_is_cancelled_dooms_its_children(world: World) -> None:
    job = submit(world, dag(4, [(0, 1), (1, 2)]))
    world.call("ns.cancel", job=node(job, 0))
    world.advance(10)
    assert states(world, job, 4) == ["Cancelled", "Aborted", "Aborted", "Scheduled"]


def test_at_most_so_many_run_at_once(world: World) -> None:
    job = submit(world, dag(7, [], "max_running_nodes = 2;"))
    for done in range(7):
        assert at_ce(world, job, 7) == [k for k in (done, done + 1) if k < 7]
        run(world, node(job, done))
        world.advance(1)
    assert world.state(job) == "Done"


def test_nodes_without_a_place_hold_back_the_others_until_they_have_one(tmp_path: Path) -> None:
    world = throttled(tmp_path, 3)
    world.ce.silent = True
    world.advance(90)
    job = submit(world, sweep(10))
    world.advance(400, step=20)
    assert states(world, job, 10) == ["Waiting"] * 3 + ["Submitted"] * 7
    world.ce.silent = False
    world.advance(330, step=10)
    assert at_ce(world, job, 10) == list(range(10))
    world.close()


@pytest.mark.parametrize("description", [sweep(6), dag(6, DIAMOND)], ids=["flat", "dag"])
@pytest.mark.parametrize("begun", [0, 1, 2])
def test_a_compound_is_cancelled_with_all_that_is_left(world: World, description: str, begun: int) -> None:
    job = submit(world, description, settle=begun > 0)
    if begun == 2:
        world.start_payload(world.token(node(job, 0)))
    world.call("ns.cancel", job=job)
    world.advance(20)
    assert states(world, job, 6) == ["Cancelled"] * 6
    assert world.state(job) == "Cancelled"
    assert world.messages() == []


def test_what_is_done_stays_done_when_the_rest_is_cancelled(world: World) -> None:
    job = submit(world, dag(3, [(0, 1), (1, 2)]))
    run(world, node(job, 0))
    world.advance(1)
    world.call("ns.cancel", job=job)
    world.advance(20)
    assert (world.state(job), *states(world, job, 3)) == ("Cancelled", "Done", "Cancelled", "Cancelled")


def test_a_compound_that_expires_ends_what_was_not_released(world: World) -> None:
    soon = int(world.clock.seconds()) + 50
    job = submit(world, dag(4, [(0, 1), (1, 2)], f"ExpiryTime = {soon};"))
    world.start_payload(world.token(node(job, 0)))
    world.advance(60)
    assert states(world, job, 4) == ["Running", "Aborted", "Aborted", "Scheduled"]
    assert world.status(node(job, 1))["reason"] == "request expired"
    run(world, node(job, 0))
    run(world, node(job, 3))
    world.advance(2)
    assert world.status(job)["reason"] == "request expired"


def given_output(world: World, job: str, name: str) -> None:
    """A file that the running payload has left, as its wrapper would send it."""
    id, content = JobId.parse(job).unique, b"result"
    target = files.place(str(world.directory), id, store.OUTPUT, 1, name)
    target.parent.mkdir(parents=True)
    target.write_bytes(content)
    world.result_of(world.database.transact(store.put_output, id, 1, File(name, len(content), "f" * 64)))


def test_a_node_reads_the_output_of_its_parent(world: World) -> None:
    job = submit(world, dag(3, [(0, 1), (0, 2)], reads={1: [0]}))
    token = world.token(node(job, 0))
    world.start_payload(token)
    given_output(world, node(job, 0), "out")
    world.finish_payload(token)
    world.advance(1)
    child, parent = node(job, 1), JobId.parse(node(job, 0)).unique
    assert f"nodes/{parent}/out" in world.ce.jobs[world.token(child)].script
    reply = world.call("ns.attempt_related", job=child, attempt=1, node=parent, name="out")
    assert Path(reply.path).read_bytes() == b"result"
    with pytest.raises(NotFound):
        world.call("ns.attempt_related", job=child, attempt=1, node=parent, name="other")
    with pytest.raises(NotAllowedNow):
        world.call("ns.purge", PurgeRequest({"out": "f" * 64}), job=node(job, 0))


def test_a_node_of_another_compound_is_not_read(world: World) -> None:
    job, other = submit(world, dag(1, [])), submit(world, dag(1, []))
    token = world.token(node(other, 0))
    world.start_payload(token)
    given_output(world, node(other, 0), "out")
    world.finish_payload(token)
    stranger = JobId.parse(node(other, 0)).unique
    with pytest.raises(NotFound):
        world.call("ns.attempt_related", job=node(job, 0), attempt=1, node=stranger, name="out")


def test_a_node_whose_parent_left_no_output_is_aborted_with_the_reason(world: World) -> None:
    job = submit(world, dag(4, [(0, 1), (1, 2)], reads={1: [0]}))
    run(world, node(job, 0))
    world.advance(1)
    assert states(world, job, 4) == ["Done", "Aborted", "Aborted", "Scheduled"]
    assert world.status(node(job, 1))["reason"] == "InputSandbox: node 0 has no output file out"


def test_a_rescue_runs_what_is_not_done(world: World) -> None:
    job = submit(world, dag(5, DIAMOND))
    with pytest.raises(NotAllowedNow):
        world.call("ns.rescue", RescueRequest(), job=job)
    run(world, node(job, 0))
    world.advance(1)
    run(world, node(job, 2))
    run(world, node(job, 1), failure="of no account")
    world.advance(2)
    key = "the-rescuers-key"
    rescued = world.call("ns.rescue", RescueRequest(), job=job, key=key)
    assert (rescued.nodes, rescued.kept) == (3, 2)
    assert world.call("ns.rescue", RescueRequest(), job=job, key=key) == rescued
    for index in range(3):
        assert at_ce(world, rescued.job, 3) == [index]
        run(world, node(rescued.job, index))
        world.advance(1)
    assert (world.state(rescued.job), world.state(job)) == ("Done", "Aborted")
    with pytest.raises(NotAllowedNow):
        world.call("ns.rescue", RescueRequest(), job=rescued.job)


def test_a_rescued_node_reads_the_output_of_the_one_that_was_done_before(world: World) -> None:
    job = submit(world, dag(2, [(0, 1)], reads={1: [0]}))
    token, parent = world.token(node(job, 0)), JobId.parse(node(job, 0)).unique
    world.start_payload(token)
    given_output(world, node(job, 0), "out")
    world.finish_payload(token)
    world.advance(1)
    run(world, node(job, 1), failure="of no account")
    world.advance(1)
    child = node(world.call("ns.rescue", RescueRequest(), job=job).job, 0)
    world.advance(1)
    assert Path(world.call("ns.attempt_related", job=child, attempt=1, node=parent, name="out").path).exists()


def test_the_output_of_a_compound_is_not_ready_before_its_last_node(world: World) -> None:
    job = submit(world, sweep(2))
    run(world, node(job, 0))
    world.advance(1)
    with pytest.raises(OutputNotReady):
        world.call("ns.purge", PurgeRequest(), job=job)


def test_memory_does_not_grow_with_the_number_of_nodes(tmp_path: Path) -> None:
    """All are ended in portions; nothing of them is kept in this process."""
    def peak(number: int) -> int:
        with tempfile.TemporaryDirectory(dir=tmp_path) as place:
            world = throttled(Path(place), 50, HandCe(silent=True))
            job = submit(world, sweep(number), settle=False)
            tracemalloc.start()
            world.call("ns.cancel", job=job)
            world.advance(10)
            found = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            assert world.state(node(job, number - 1)) == "Cancelled"
            world.close()
            return found

    peak(10)
    assert peak(1500) < 1.5 * peak(600)


@given(st.integers(1, 7).flatmap(lambda n: st.tuples(st.just(n), st.sets(
    st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)).filter(lambda edge: edge[0] < edge[1]), max_size=9))),
    st.data(), st.integers(0, 3))
@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_dag_ends_as_its_nodes_do(graph: tuple[int, set[tuple[int, int]]], data: st.DataObject,
                                      running: int) -> None:
    number, edges = graph
    with tempfile.TemporaryDirectory() as place:
        world = World(Path(place))
        job = submit(world, dag(number, sorted(edges), f"max_running_nodes = {running};" if running else ""))
        while here := at_ce(world, job, number):
            assert not running or len(here) <= running
            chosen = data.draw(st.sampled_from(here))
            run(world, node(job, chosen), failure=data.draw(st.sampled_from(["", "", "of no account"])))
            world.advance(6)
        assert shape(world, job, number, edges) == []
        world.close()
