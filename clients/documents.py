"""Results as the one JSON document of --json. Pure.

`result` is success, partial or failure; what concerns one job stands under its identifier, errors included.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from clients.show import Date, Record, state
from wms.errors import WmsError
from wms.operations import MatchList

if TYPE_CHECKING:
    from clients.api import Output

Document = dict[str, Any]


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
    return {**document, "checks": checks, **({"reason": found.reason} if found.reason else {})}


def of_jobs(found: Mapping[str, Document | WmsError]) -> Document:
    """`jobs` by identifier: what was done, or the `error`. When nothing was done the first error leads."""
    jobs = {job: {"error": one.record()} if isinstance(one, WmsError) else one for job, one in found.items()}
    errors = [one for one in found.values() if isinstance(one, WmsError)]
    outcome = result(len(found) - len(errors), len(found))
    head: Document = {"result": outcome}
    if outcome == "failure" and errors:
        head["error"] = errors[0].record()
    return {**head, "jobs": jobs}


def status(record: Record, date: Date) -> Document:
    """One job's status: the words of job-status, the time each state was entered, the whole `record`."""
    exit_code = str(record.get("exit_code", 0)) if record.get("state") == "Done" else ""
    words = {"Current Status": state(record), "Exit code": exit_code,
             "Status Reason": record.get("reason", ""), "Destination": record.get("destination", ""),
             "Parent Job": record.get("parent_job", "")}
    entered = record.get("stateEnterTimes") or {}
    if "Submitted" in entered:
        words["Submitted"] = date(entered["Submitted"])
    return {**{name: value for name, value in words.items() if value}, "record": dict(record)}


def output(found: Output) -> Document:
    """One job's output: where its files are, with sizes (bytes) and checksums."""
    document: Document = {"output_available": int(bool(found.files)), "outcome": found.outcome,
                          "location": found.directory if found.files else "None", "purged": found.purged,
                          "files": [{"name": file.name, "size": file.size, "sha256": file.sha256}
                                    for file in found.files]}
    return {**document, "warnings": list(found.warnings)} if found.warnings else document
