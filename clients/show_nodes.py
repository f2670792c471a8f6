"""Compound jobs as text for people: their nodes in job-status, their output, their rescue. Pure.

What holds for every job is `clients.show`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from wms.jobstatus import JobState

if TYPE_CHECKING:
    from clients.collecting import Collected

Record = Mapping[str, Any]
_STATES = [state.value for state in JobState]


def histogram(status: Record) -> str:
    """How many nodes are in each state, in the order of the states; empty for a single job."""
    counts = status.get("children_hist") or {}
    return ", ".join(f"{counts[state]} {state}" for state in sorted(counts, key=_STATES.index))


def nodes(status: Record, lines: Iterable[list[str]]) -> list[str]:
    """The block of the nodes of a compound, of each its name and then its `lines`."""
    block = ["- Nodes information for: "]
    for child, told in zip(status["children_states"], lines, strict=True):
        name = [f"    {'Node Name:':<20}{child['node_name']}"] if child.get("node_name") else []
        block += ["", *name, *(f"    {line}" for line in told)]
    more = status.get("children_more", 0)
    return [*block, "", f"    {more} more nodes are not shown."] if more else block


def collected(found: Collected) -> str:
    """The block of job-output for a compound."""
    lines = ["*" * 65, "JOB GET OUTPUT OUTCOME"]
    if not any(output.files for output in found.nodes.values()) and not found.before:
        lines += ["No output files to be retrieved for the job:", f"- {found.job}"]
    else:
        lines += ["Output sandbox files for the DAG/Collection :", f"- {found.job}",
                  "have been successfully retrieved and stored in the directory:", found.directory]
    lines.append(f"Nodes received: {found.received} of {found.number}")
    lines += [f"Node {name}: {outcome}" for name, outcome in found.failed.items()]
    if found.failed and not found.purged and found.outcome:
        lines.append(f"Everything is kept on the service: job-rescue {found.job} runs again what is not done.")
    return "\n".join(lines)


def rescued(job: str, nodes: int, kept: int, saved: str = "") -> str:
    """The block of job-rescue; `saved` is the file that now holds the identifier."""
    lines = ["=" * 20 + "glite-job-rescue Success " + "=" * 21,
             f"Nodes submitted again: {nodes}. Nodes that are done and stay as they are: {kept}.",
             "Use glite-job-status command to check job current status.",
             "Your job identifier (edg_jobId) is:", f"- {job}"]
    if saved:
        lines += ["The edg_jobId has been saved in the following file:", saved]
    return "\n".join([*lines, "=" * 62])
