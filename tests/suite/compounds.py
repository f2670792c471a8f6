"""Compounds in a world: registered and started, their nodes run and looked at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from tests.suite.world import HandCe, World
from wms.ce import CeState, Phase
from wms.errors import NotAllowedNow
from wms.jobid import JobId
from wms.operations import RegisterRequest

SETTLED = {"Done", "Aborted", "Cancelled", "Cleared"}


def submit(world: World, jdl: str, *, settle: bool = True, key: str = "") -> str:
    """Register and start a compound without input files; its id."""
    job = str(world.call("ns.register", RegisterRequest(jdl, "p", start=True), key=key).job)
    if settle:
        world.advance(1)
    return job


def throttled(directory: Path, idle: int, ce: HandCe | None = None) -> World:
    """A world in which at most `idle` nodes of a compound wait for a match."""
    world = World(directory, ce or HandCe())
    wm = msgspec.structs.replace(world.settings.wm, max_idle_nodes=idle)
    world.settings = msgspec.structs.replace(world.settings, wm=wm)
    world.reborn()
    return world


def node(job: str, index: int) -> str:
    """The id of a node."""
    return str(JobId.parse(job).subjob(None, index))


def states(world: World, job: str, number: int) -> list[str]:
    return [world.state(node(job, index)) for index in range(number)]


def run(world: World, job: str, exit_code: int = 0, failure: str = "") -> None:
    """The payload of a job begins and ends, if it is still let."""
    token = world.token(job)
    try:
        if world.ce.states[token].phase == Phase.QUEUED:
            world.start_payload(token)
        world.finish_payload(token, exit_code, failure)
    except NotAllowedNow:
        world.ce.states[token] = CeState(token, Phase.ENDED, exit_status=1)


def at_ce(world: World, job: str, number: int) -> list[int]:
    """Indices of nodes that are at the computing element."""
    return [index for index in range(number) if world.token(node(job, index))]


def dag(number: int, edges: Sequence[tuple[int, int]], more: str = "",
        reads: Mapping[int, Sequence[int]] | None = None) -> str:
    """The description of a DAG of nodes n0, n1 ...; node k reads the output of the nodes reads[k]."""
    nodes = " ".join(_node(k, (reads or {}).get(k, ())) for k in range(number))
    pairs = ", ".join(f"{{n{parent}, n{child}}}" for parent, child in edges)
    return f'[ Type = "dag"; {more} Nodes = [ {nodes} dependencies = {{ {pairs} }}; ]; ]'


def _node(index: int, reads: Sequence[int]) -> str:
    files = ", ".join(f"root.nodes.n{parent}.description.OutputSandbox[0]" for parent in reads)
    sandbox = f"InputSandbox = {{ {files} }};" if reads else ""
    return (f'n{index} = [ description = [ Executable = "/bin/true"; OutputSandbox = {{"out"}}; RetryCount = 0; '
            f"ShallowRetryCount = 0; {sandbox} ]; ];")


def sweep(number: int) -> str:
    """The description of a parametric job."""
    return f'[ JobType = "Parametric"; Executable = "/bin/echo"; Arguments = "_PARAM_"; Parameters = {number}; ]'


def shape(world: World, job: str, number: int, edges: Iterable[tuple[int, int]]) -> list[str]:
    """What is wrong with a compound that has ended."""
    found = states(world, job, number)
    wrong = [f"node {k} is {state}" for k, state in enumerate(found) if state not in SETTLED]
    for k in range(number):
        ran = "Match" in world.history(node(job, k))
        may = all(found[parent] == "Done" for parent, child in edges if child == k)
        wrong += [f"node {k} ran: {ran}, its parents are done: {may}"] if ran != may else []
    good = found.count("Done") == number
    wrong += [] if (world.state(job) == "Done") == good else [f"the DAG is {world.state(job)} with {found}"]
    return wrong + [f"a message is left for {message.topic}" for message in world.messages()]


def finish(world: World, job: str, number: int, rounds: int = 100) -> None:
    """Run every payload to its end and let time pass until nothing is open."""
    for _ in range(rounds):
        for index in at_ce(world, job, number):
            run(world, node(job, index))
        world.advance(6)
        if not world.messages() and not at_ce(world, job, number):
            return
