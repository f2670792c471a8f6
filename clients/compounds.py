"""Compound jobs looked at: their nodes by name, how many are in each state, and the statuses of the first of them.

How they are shown is `clients.show`; their output is fetched by `clients.collecting`.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from clients.settings import Place
from wms.errors import JdlError, NoSuchJob, WmsError
from wms.jdl.compounds.expansion import expansion
from wms.jobid import JobId
from wms.operations import OPERATIONS
from wms.operations.compounds import NodeInfo, NodePage, Rescued, RescueRequest

if TYPE_CHECKING:
    from clients.api import Client, Status

MOST_SHOWN = 1000
MOST_COUNTED = 100_000
"""More nodes are not counted every second: the histogram that is kept knows fewer states."""
AT_ONCE = 500


def with_nodes(client: Client, record: Status, most: int = MOST_SHOWN) -> Status:
    """The status of a compound with the histogram of its nodes, and the first of them as `children_states`.

    Each of these has its `node_name`; `children_more` is how many there are besides.
    """
    number = record["children_num"]
    states = _states(client, record, min(number, most))
    return counted(client, record) | {"children_states": states, "children_more": number - len(states)}


def counted(client: Client, record: Status) -> Status:
    """The status of a compound with its nodes counted by state."""
    id = JobId.parse(record["jobId"])
    found = client.at(Place(id.host, id.port)).call(
        OPERATIONS["lb.histogram"], query={"thorough": "1"}, unique=id.unique)
    return {**record, "children_hist": found.histogram}


def watched(client: Client, record: Status) -> Status:
    """The same for somebody who looks again and again."""
    return counted(client, record) if record["children_num"] <= MOST_COUNTED else record


def _states(client: Client, record: Status, most: int) -> list[Status]:
    parent = JobId.parse(record["jobId"])
    ids = [str(parent.subjob(record.get("seed") or None, index)) for index in range(most)]
    found: dict[str, Status | WmsError] = {}
    for start in range(0, most, AT_ONCE):
        found |= client.status(ids[start:start + AT_ONCE])
    told = names(client, record, most)
    return [{"node_name": name, **_known(id, found[id])} for name, id in zip(told, ids, strict=True)]


def _known(id: str, found: Status | WmsError) -> dict[str, Any]:
    """A node nobody spoke of yet is Submitted, as its compound is."""
    if isinstance(found, WmsError):
        state = "Submitted" if found.code == NoSuchJob.code else "Unknown"
        return {"state": state, "jobId": id, "reason": "" if state == "Submitted" else found.message}
    return found


def names(client: Client, record: Status, most: int) -> list[str]:
    """Names of the first nodes, by the description of their compound; "" where they cannot be known."""
    number = record["children_num"]
    if record.get("jdl"):
        try:
            whole = expansion(record["jdl"], number)
        except JdlError:
            return [""] * most
        return [whole.name(index) for index in range(most)] if whole.number == number else [""] * most
    try:
        known = {one.node: one.name for one in islice(released(client, record["jobId"]), most)}
    except WmsError:
        known = {}
    return [known.get(index, "") for index in range(most)]


# -- at the Network Server -------------------------------------------------------------------------------


def number(client: Client, job: str) -> int:
    """How many nodes a job has; 0 for a single one."""
    return int(_page(client, job, {"limit": "1"}).number)


def released(client: Client, job: str) -> Iterator[NodeInfo]:
    """The nodes of a compound that were released, by index."""
    query: dict[str, str] = {}
    while True:
        page = _page(client, job, query)
        yield from page.nodes
        if not page.cursor:
            return
        query = {"cursor": page.cursor}


def hinted(client: Client, job: str, error: WmsError) -> WmsError:
    """What the Network Server said of a job, with a hint if that is a node it has not heard of yet."""
    if error.code == NoSuchJob.code:
        found = client.status([job])[str(JobId.parse(job))]
        if not isinstance(found, WmsError) and found.get("parent_job"):
            error.message = "The node has not been released yet."
            error.hint = f"Its compound is {found['parent_job']}"
    return error


def _page(client: Client, job: str, query: dict[str, str]) -> NodePage:
    page: NodePage = client.network_server(job).call(OPERATIONS["ns.nodes"], query=query,
                                                     unique=JobId.parse(job).unique)
    return page


def rescue(client: Client, job: str) -> Rescued:
    """Submit the nodes that are not done again, with the credential the caller has now."""
    from clients.submission import delegated

    ns, key = client.network_server(job), uuid4().hex
    wanted = RescueRequest(client.credential.delegation)
    reply: Rescued = delegated(ns, lambda: ns.call(OPERATIONS["ns.rescue"], wanted, key=key,
                                                   unique=JobId.parse(job).unique))
    return reply
