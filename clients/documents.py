"""Results as the one JSON document of --json. Pure.

`result` is success, partial or failure; what concerns one job stands under its identifier, errors included.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from clients.show import Date, Record, state
from wms.errors import WmsError
from wms.operations import MatchList, Reason

if TYPE_CHECKING:
    from clients.api import Output
    from clients.collecting import Collected

Document = dict[str, Any]
_OF_NODES = frozenset({"children_states", "children_more", "node_name"})
NOBODY: Mapping[str, Reason] = {}


def result(done: int, wanted: int) -> str:
    """How much of what was asked for happened."""
    return "success" if done == wanted else "partial" if done else "failure"


def submitted(job: str, endpoint: str, warnings: Sequence[str], nodes: Mapping[str, str] | None = None) -> Document:
    """`nodes`: of a compound, identifiers by name; empty when they are too many to be listed."""
    document: Document = {"result": "success", "jobid": job, "endpoint": endpoint}
    if nodes is not None:
        document |= {"parent": job} | ({"children": dict(nodes)} if nodes else {})
    return {**document, "warnings": list(warnings)} if warnings else document


def matches(found: MatchList) -> Document:
    document: Document = {"result": "success", "ceid": [match.ce for match in found.ces],
                          "rank": [match.rank for match in found.ces]}
    checks = [{"check": check.check, "seen": check.seen, "refused": check.refused} for check in found.checks]
    more: Document = {"reason": found.reason} if found.reason else {}
    if found.clauses:
        more["clauses"] = [msgspec.structs.asdict(clause) for clause in found.clauses]
    if found.warnings:
        more["warnings"] = list(found.warnings)
    return {**document, "checks": checks, **more}


def of_jobs(found: Mapping[str, Document | WmsError]) -> Document:
    """`jobs` by identifier: what was done, or the `error`. When nothing was done the first error leads."""
    jobs = {job: {"error": one.record()} if isinstance(one, WmsError) else one for job, one in found.items()}
    errors = [one for one in found.values() if isinstance(one, WmsError)]
    outcome = result(len(found) - len(errors), len(found))
    head: Document = {"result": outcome}
    if outcome == "failure" and errors:
        head["error"] = errors[0].record()
    return {**head, "jobs": jobs}


def status(record: Record, date: Date, why: Mapping[str, Reason] = NOBODY) -> Document:
    """One job's status: the words of job-status, the time each state was entered, the whole `record`.

    `why` has by identifier the reasons of jobs and nodes that are not running.
    """
    exit_code = str(record.get("exit_code", 0)) if record.get("state") == "Done" else ""
    words = {"Current Status": state(record), "Exit code": exit_code,
             "Status Reason": record.get("reason", ""), "Destination": record.get("destination", ""),
             "Parent Job": record.get("parent_job", "")}
    entered = record.get("stateEnterTimes") or {}
    if "Submitted" in entered:
        words["Submitted"] = date(entered["Submitted"])
    kept = {name: value for name, value in record.items() if name not in _OF_NODES}
    reason = why.get(record.get("jobId", ""))
    detail = {} if reason is None else {"reason_detail": msgspec.to_builtins(reason)}
    return {**{name: value for name, value in words.items() if value}, **detail, **_nodes(record, date, why),
            "record": kept}


def _nodes(record: Record, date: Date, why: Mapping[str, Reason]) -> Document:
    """Of a compound the nodes that are shown, by name (the identifier where it is not known), and how many more."""
    if "children_states" not in record:
        return {}
    children = {child.get("node_name") or child["jobId"]: {"jobid": child["jobId"], **status(child, date, why)}
                for child in record["children_states"]}
    return {"children": children, "children not shown": record.get("children_more", 0)}


def output(found: Output) -> Document:
    """One job's output: where its files are, with sizes (bytes) and checksums."""
    document: Document = {"output_available": int(bool(found.files)), "outcome": found.outcome,
                          "location": found.directory if found.files else "None", "purged": found.purged,
                          "files": [{"name": file.name, "size": file.size, "sha256": file.sha256}
                                    for file in found.files]}
    if found.elsewhere:
        document["elsewhere"] = dict(found.elsewhere)
    return {**document, "warnings": list(found.warnings)} if found.warnings else document


def collected(found: Collected) -> Document:
    """The output of a compound: where the nodes' files are, and what is not there."""
    nodes: Document = {name: output(one) for name, one in found.nodes.items()}
    nodes |= {name: {"output_available": 1, "location": place.directory, "purged": True}
              for name, place in found.before.items()}
    nodes |= {name: {"error": error.record()} for name, error in found.lost.items()}
    document: Document = {"output_available": int(bool(found.received)), "outcome": found.outcome,
                          "location": found.directory if found.received else "None", "purged": found.purged,
                          "received": found.received, "nodes": found.number, "not ready": found.unfinished,
                          "failed": dict(found.failed), "children": nodes}
    return {**document, "warnings": list(found.warnings)} if found.warnings else document
