"""The output of a compound job: each node's files in a directory of its name, whatever is ready now.

Called again it goes on: what has arrived is not fetched again, what was given up is known by the map of the nodes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from clients import compounds
from clients.api import Client, Output
from clients.files import make_directory
from clients.session import save
from wms.errors import OutputNotAllowed, OutputNotReady, OutputRetrieved, RemoteError, WmsError
from wms.operations import OutputList
from wms.operations.compounds import NodeInfo
from wms.sandbox import check_name

MAP = "ids_nodes.map"
MOST_NAMED = 10
_NOWHERE = "-"
_CANCELLED, _DONE, _DAG = "Cancelled", "Done", "DAG"


class Place(NamedTuple):
    """A node whose output is here, and the directory."""

    job: str
    directory: str


@dataclass(slots=True)
class Collected:
    """What there is of a compound of `number` nodes; `outcome` is empty while it goes on.

    `nodes` were fetched now, `before` are those that were fetched and given up earlier, `lost` those whose
    output can not be had, `open` the names of nodes that are not over, `failed` the outcomes of those not done.
    """

    job: str
    directory: str
    number: int
    outcome: str = ""
    nodes: dict[str, Output] = field(default_factory=dict)
    before: dict[str, Place] = field(default_factory=dict)
    lost: dict[str, WmsError] = field(default_factory=dict)
    open: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    purged: bool = False
    warnings: tuple[str, ...] = ()

    @property
    def received(self) -> int:
        """How many nodes' output is here."""
        return len(self.nodes) + len(self.before)

    @property
    def unfinished(self) -> int:
        """How many nodes are not over."""
        over = self.received + len(self.lost) + len(self.failed.keys() - self.nodes)
        return 0 if self.outcome else self.number - over

    def problems(self) -> list[WmsError]:
        """What is missing, an error each."""
        missing = [_not_ready(self)] if self.unfinished else []
        return [*missing, *self.lost.values()]


def collect(client: Client, job: str, directory: str, number: int, *, purge: bool) -> Collected:
    """Fetch what is ready into `directory`. A node that cannot be fetched is one of `lost`; raises what stops all."""
    whole = _whole(client, job)
    found = Collected(job, directory, number, whole.outcome if whole else "")
    given_up = read_map(directory, job)
    give_up = purge and _may_give_up(client, found)
    try:
        for info in compounds.released(client, job):
            _collect_node(client, found, info, given_up, purge=give_up)
    finally:
        _write_map(found, given_up)
    if found.outcome == _CANCELLED and not found.received:
        raise OutputNotAllowed("The job has been cancelled.", job=job)
    if found.outcome and found.outcome != _DONE:
        found.failed |= dict.fromkeys(_never_ran(client, found), "did not run")
    if found.outcome == _DONE and give_up and not found.lost:
        found.warnings += client.purge(job, ())
        found.purged = not found.warnings
    return found


def _whole(client: Client, job: str) -> OutputList | None:
    """What the service says of the compound itself; None while it goes on. Nodes of a cancelled one may be done."""
    try:
        return client.output_list(job)
    except RemoteError as refused:
        if refused.code == OutputNotReady.code:
            return None
        if refused.code == OutputRetrieved.code or client.one_status(job).get("state") != _CANCELLED:
            raise
        return OutputList(job, _CANCELLED, ())


def _may_give_up(client: Client, found: Collected) -> bool:
    """Nodes of a DAG need each other's output until it is Done; of a compound that failed all is kept for a rescue."""
    if found.outcome:
        return found.outcome == _DONE
    return bool(client.one_status(found.job).get("jobtype") != _DAG)


def _collect_node(client: Client, found: Collected, info: NodeInfo, given_up: dict[str, Place], *, purge: bool) -> None:
    name = check_name(info.name)
    if not (info.outcome or found.outcome):
        found.open.append(name)
        return
    if info.outcome not in (_DONE, ""):
        found.failed[name] = info.outcome
    if info.outcome == _CANCELLED:
        return
    directory = os.path.join(found.directory, name)
    try:
        output = client.output(info.job, directory, purge=purge)
    except RemoteError as refused:
        if refused.code == OutputRetrieved.code and name in given_up:
            found.before[name] = given_up[name]
        else:
            refused.message = f"{name}: {refused.message}"
            found.lost[name] = refused
        return
    if output.files or name not in found.failed:
        found.nodes[name] = output
    found.warnings += tuple(f"{name}: {warning}" for warning in output.warnings)


def _never_ran(client: Client, found: Collected) -> Iterator[str]:
    """Names of the nodes that were not released before the compound was over, as far as they can be told."""
    if found.number > compounds.MOST_SHOWN:
        return
    known = {*found.nodes, *found.before, *found.lost, *found.failed}
    record = {**client.one_status(found.job), "children_num": found.number}
    yield from (name for name in compounds.names(client, record, found.number) if name and name not in known)


def _not_ready(found: Collected) -> WmsError:
    named = found.open[:MOST_NAMED]
    more = f" and {found.unfinished - len(named)} more" if found.unfinished > len(named) else ""
    which = f": {', '.join(named)}{more}" if named else ""
    return OutputNotReady(f"{found.unfinished} of {found.number} nodes are not done yet{which}.", job=found.job,
                          hint="Fetch the output again when they are: what is here is not fetched twice.")


# -- the map of the nodes --------------------------------------------------------------------------------


def read_map(directory: str, job: str) -> dict[str, Place]:
    """The nodes of a compound that were received, by name; none if the map is of something else."""
    try:
        with open(os.path.join(directory, MAP), encoding="utf-8") as file:
            head, *lines = file.read().split("\n")
    except (OSError, UnicodeDecodeError):
        return {}
    rows = [line.split(" ", 2) for line in lines if line.count(" ") >= 2]
    return {name: Place(id, place) for name, id, place in rows} if head == job else {}


def _write_map(found: Collected, before: dict[str, Place]) -> None:
    """The map names what is here, now and before; where nothing is here there is none."""
    rows = before | {name: Place(output.job, output.directory if output.files else _NOWHERE)
                     for name, output in found.nodes.items()}
    if rows:
        make_directory(found.directory)
        lines = [f"{name} {place.job} {place.directory}" for name, place in rows.items()]
        save(os.path.join(found.directory, MAP), "\n".join([found.job, *lines, ""]))
