"""The operations on compound jobs: their nodes, their rescue, and what wrappers of nodes fetch from elsewhere."""

from __future__ import annotations

from wms.operations.row import Operation, Record, ns


class NodeInfo(Record, frozen=True):
    """A released node; `outcome` is empty until it is over, `attempt` the one whose output counts (0 none)."""

    node: int
    name: str
    job: str
    outcome: str = ""
    attempt: int = 0


class NodePage(Record, frozen=True):
    """Released nodes of a compound of `number`, by index; `cursor` is empty after the last."""

    number: int
    nodes: tuple[NodeInfo, ...]
    cursor: str = ""


class RescueRequest(Record, frozen=True):
    """`delegation`: the credential of the new compound; empty: the one of the old."""

    delegation: str = ""


class Rescued(Record, frozen=True):
    """The new compound of `nodes` nodes; `kept` of the old one are done and stay as they are."""

    job: str
    nodes: int
    kept: int


ROWS: tuple[Operation, ...] = (
    ns("nodes", "GET", "/jobs/{unique}/nodes", "owner", "The released nodes of a compound job, a page at a time.",
        reply=NodePage, query=("cursor", "limit")),
    ns("rescue", "POST", "/jobs/{unique}/rescue", "owner",
        "Submit those nodes of an ended compound job again that are not done.",
        request=RescueRequest, reply=Rescued, idempotency_key=True, action="submit"),
    ns("attempt_shared", "GET", "/attempts/{unique}/{attempt}/shared/{name}", "attempt",
        "An input file of the compound that the job is a node of.", stream="down"),
    ns("attempt_related", "GET", "/attempts/{unique}/{attempt}/nodes/{node}/{name}", "attempt",
        "An output file of another node of the same compound.", stream="down"),
)
