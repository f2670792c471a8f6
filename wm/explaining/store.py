"""What the tables say of jobs and nodes that are asked about: statements that read and lock nothing."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import sqlalchemy as sa

from wm.compounds import store as compound_store
from wm.compounds.progress import Colour
from wm.compounds.store import Compound
from wm.store import Job
from wm.tables import compounds, edges, jobs, nodes
from wms.messages.questions import Explain, NodeOf


class Facts(NamedTuple):
    """By unique part; `colours` and `parents` (those that are not done) by compound and node of a DAG.

    `waiting` counts the jobs of a compound that wait for a match.
    """

    jobs: Mapping[str, Job]
    compounds: Mapping[str, Compound]
    colours: Mapping[tuple[str, int], str]
    parents: Mapping[tuple[str, int], list[int]]
    waiting: Mapping[str, int]


def facts(conn: sa.Connection, question: Explain) -> Facts:
    """All that is needed to answer, in few statements."""
    asked = [job.rsplit("/", 1)[-1] for job in (*question.jobs, *(one.job for one in question.nodes))]
    found = {row.id: Job(*row) for row in conn.execute(sa.select(jobs).where(jobs.c.id.in_(asked)))}
    homes = {one.parent for one in question.nodes}
    whole = {row.id: Compound(*row) for row in conn.execute(
        sa.select(compounds).where(compounds.c.id.in_({*asked, *homes} - found.keys())))}
    unreleased = [one for one in question.nodes if one.parent in whole]
    graph = [one for one in unreleased if whole[one.parent].has_edges]
    return Facts(found, whole, _colours(conn, graph), _parents(conn, graph),
                 {id: compound_store.waiting(conn, id) for id in sorted({one.parent for one in unreleased})})


def _here(column: sa.Column[str], number: sa.Column[int], asked: Collection[NodeOf]) -> sa.ColumnElement[bool]:
    return sa.or_(sa.false(), *(sa.and_(column == one.parent, number == one.node) for one in asked))


def _colours(conn: sa.Connection, asked: Sequence[NodeOf]) -> dict[tuple[str, int], str]:
    found = conn.execute(sa.select(nodes.c.compound, nodes.c.node, nodes.c.colour).where(
        _here(nodes.c.compound, nodes.c.node, asked)))
    return {(id, node): colour for id, node, colour in found}


def _parents(conn: sa.Connection, asked: Sequence[NodeOf]) -> dict[tuple[str, int], list[int]]:
    """The parents that are not done yet."""
    chosen = (sa.select(edges.c.compound, edges.c.child, edges.c.parent)
              .join(nodes, sa.and_(nodes.c.compound == edges.c.compound, nodes.c.node == edges.c.parent))
              .where(_here(edges.c.compound, edges.c.child, asked), nodes.c.colour != Colour.GREEN.value)
              .order_by(edges.c.parent))
    found: dict[tuple[str, int], list[int]] = {}
    for id, child, parent in conn.execute(chosen):
        found.setdefault((id, child), []).append(parent)
    return found
