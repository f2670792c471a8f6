"""Records as text for people, in the layouts of the `glite-job-*` commands. Pure; nothing is printed here.

The documents of --json are `clients.documents`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from clients import show_nodes
from wms.operations import Clause, MatchList

Record = Mapping[str, Any]
Date = Callable[[float], str]  # epoch seconds -> "Fri Aug  1 12:21:35 2003"

_LONG = frozenset({"jdl", "matched_jdl", "condor_jdl", "rsl", "stateEnterTimes", "history", "children_hist", "acl"})
_SHOWN_ABOVE = frozenset({"state", "jobId", "reason", "destination", "node_name", "children_states", "children_more"})
_DATES = frozenset({"stateEnterTime", "lastUpdateTime"})


# -- job-submit, job-cancel ------------------------------------------------------------------------------


def submitted(job: str, saved: str = "") -> str:
    """The block of job-submit; `saved` is the file that now holds the identifier."""
    lines = ["=" * 20 + "glite-job-submit Success " + "=" * 21,
             "The job has been successfully submitted to the Network Server.",
             "Use glite-job-status command to check job current status.",
             "Your job identifier (edg_jobId) is:", f"- {job}"]
    if saved:
        lines += ["The edg_jobId has been saved in the following file:", saved]
    return "\n".join([*lines, "=" * 62])


def cancelled(jobs: Iterable[str]) -> str:
    return "\n".join(["=" * 19 + " glite-job-cancel Success" + "=" * 20,
                      "The cancellation request has been successfully submitted for the following job(s)",
                      *(f"- {job}" for job in jobs), "=" * 59])


# -- job-output ------------------------------------------------------------------------------------------


def fetched(job: str, directory: str, files: int, elsewhere: Mapping[str, str] = {}) -> str:
    """The block of one job's output; without files there is no directory. `elsewhere` is not here."""
    lines = ["*" * 65, "JOB GET OUTPUT OUTCOME"]
    sent = [f"- {name} went to {place}" for name, place in elsewhere.items()]
    if not files:
        return "\n".join([*lines, "No output files to be retrieved for the job:", f"- {job}", *sent])
    return "\n".join([*lines, "Output sandbox files for the job:", f"- {job}",
                      "have been successfully retrieved and stored in the directory:", directory, *sent])


# -- job-list-match --------------------------------------------------------------------------------------


def matches(found: MatchList, *, rank: bool, explain: bool) -> str:
    """The block of job-list-match, or the fixed sentence when nothing matches."""
    checks = (clauses_table(found.clauses) or checks_table(found)) if explain else []
    if not found.ces:
        lines = ["*" * 69, "No Computing Element matching your job requirements has been found!"]
        reason = [found.reason] if found.reason else []
        return "\n".join([*lines, *reason, *checks, "*" * 70])
    head = [f"{'*CEId*':<60}     *Rank*"] if rank else []
    rows = [f"{match.ce:<60}     {match.rank:g}" if rank else match.ce for match in found.ces]
    return "\n".join(["*" * 69, "COMPUTING ELEMENT IDs LIST",
                      "The following CE(s) matching your job requirements have been found:",
                      *head, *rows, *checks, "*" * 70])


def clauses_table(clauses: Sequence[Clause]) -> list[str]:
    """What each clause leaves of the CEs it sees, one a line, then what it costs."""
    if not clauses:
        return []
    costs = [f"Without {one.clause}: {one.without} more CE{'' if one.without == 1 else 's'}."
             for one in clauses if one.without]
    return [f"{'CEs':>8} {'left':>8}  clause",
            *(f"{one.seen:>8} {one.left:>8}  {_clause(one)}" for one in clauses), *costs]


def _clause(one: Clause) -> str:
    counts = ((one.undefined, "undefined"), (one.errors, "error"))
    how = [f"{what} on {number}" for number, what in counts if number]
    whose = [] if one.whose == "user" else [one.whose]
    return one.clause + (f" ({', '.join([*whose, *how])})" if whose or how else "")


def checks_table(found: MatchList) -> list[str]:
    """How each check narrowed the set of CEs, one a line."""
    if not found.checks:
        return []
    return [f"{'check':<40} {'CEs':>8} {'refused':>8}",
            *(f"{check.check:<40} {check.seen:>8} {check.refused:>8}" for check in found.checks)]


# -- job-status ------------------------------------------------------------------------------------------


def state(status: Record) -> str:
    """The state in words: Done says how."""
    name = str(status.get("state", "Undefined"))
    if name != "Done":
        return name
    code, exit_code = status.get("done_code", -1), status.get("exit_code", 0)
    how = {1: "Failed", 2: "Cancelled"}.get(code) or ("Exit Code !=0" if exit_code else "Success")
    return f"Done ({how})"


def moved(status: Record) -> str:
    """The state, of a compound with the number of its nodes in each state."""
    nodes = show_nodes.histogram(status)
    return f"{state(status)}  ({nodes})" if nodes else state(status)


def statuses(found: Sequence[Record], level: int, date: Date, *, nodes: bool = True,
             why: Mapping[str, str] | None = None) -> str:
    """The block of job-status for the jobs that were found; `why` says by identifier why one is not running."""
    blocks = ["\n".join(_status(status, level, date, nodes, why or {})) for status in found]
    rule = "*" * 61
    return "\n".join(f"{rule}\nBOOKKEEPING INFORMATION:\n\n{block}\n{rule}" for block in blocks)


def _status(status: Record, level: int, date: Date, nodes: bool, why: Mapping[str, str]) -> list[str]:
    lines = [f"Printing status info for the Job: {status.get('jobId', '')}", *_summary(status, level, date)]
    if level >= 1 and (sentence := why.get(status.get("jobId", ""))):
        lines.append(f"{'Why not running:':<20}{sentence}")
    if level >= 2:
        lines += ["---", *_attributes(status, level, date), "---"]
    below = status.get("children_states") or ()
    if nodes and below:
        lines += show_nodes.nodes(status, (_status(child, level, date, nodes, why) for child in map(_of_parent, below)))
    return lines


def _of_parent(child: Record) -> Record:
    """A node as it is shown below its parent."""
    return {name: value for name, value in child.items() if name != "parent_job"}


def _summary(status: Record, level: int, date: Date) -> list[str]:
    rows = [("Current Status:", state(status))]
    if level >= 1:
        rows += _details(status, date)
    return [f"{label:<20}{value}" for label, value in rows]


def _details(status: Record, date: Date) -> list[tuple[str, str]]:
    entered = status.get("stateEnterTime", 0.0)
    rows = [("Exit code:", str(status.get("exit_code", 0)))] if state(status) in _WITH_EXIT_CODE else []
    if nodes := show_nodes.histogram(status):
        rows.append(("Nodes:", f"{status['children_num']} ({nodes})"))
    rows.append(("Status Reason:", status.get("reason") or "unavailable"))
    if status.get("fault"):
        rows.append(("Failure owned by:", status["fault"]))
    if status.get("destination"):
        rows.append(("Destination:", status["destination"]))
    if entered:
        rows.append(("reached on:", date(entered)))
    if status.get("cancelling"):
        rows.append(("Cancelling:", status.get("cancelReason") or "requested"))
    if status.get("state") not in _OVER:
        rows += [("Credential:", word) for name in _CREDENTIAL_TAGS if (word := status.get("user_tags", {}).get(name))]
    if status.get("parent_job"):
        rows.append(("Parent Job:", status["parent_job"]))
    return rows


_OVER = frozenset({"Done", "Cleared", "Aborted", "Cancelled", "Purged"})
_CREDENTIAL_TAGS = ("credential_warning", "proxy_renewal")
"""What the service tells an owner of the credential of a job."""
_WITH_EXIT_CODE = frozenset({"Done (Success)", "Done (Exit Code !=0)"})


def _attributes(status: Record, level: int, date: Date) -> list[str]:
    hidden = _SHOWN_ABOVE if level >= 3 else _SHOWN_ABOVE | _LONG
    return [_attribute(name, date(value) if name in _DATES else value)
            for name, value in status.items() if name not in hidden and value not in ("", None, [], {})]


def _attribute(name: str, value: object) -> str:
    label = name[:1].upper() + name[1:].replace("_", " ")
    return f"- {label:<27}=    {_plain(value)}"


def _plain(value: object) -> object:
    """As people write it: whole numbers without a point, words of a list between commas."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list) and all(isinstance(word, str) for word in value):
        return ", ".join(value)
    return value


# -- job-logging-info ------------------------------------------------------------------------------------

_LEVEL_1 = ("source", "timestamp", "destination", "result", "dest_id")
_LEVEL_3 = frozenset({"job", "jdl", "classad", "level", "seqcode", "priority"})


def events(job: str, found: Sequence[Record], level: int, date: Date) -> str:
    """The block of job-logging-info for one job."""
    blocks = [f" - {event['type']}" if level == 0 else _event(event, level, date) for event in found]
    return "\n".join(["*" * 70, "LOGGING INFORMATION:", "", f"Printing info for the Job : {job}", " ",
                      *blocks, "*" * 70])


def _event(event: Record, level: int, date: Date) -> str:
    rows = {**{name: value for name, value in event.items() if name not in ("type", "fields")},
            **event.get("fields", {})}
    names = [name for name in (*_LEVEL_1, *sorted(set(rows) - set(_LEVEL_1)))
             if name in rows and rows[name] not in ("", None) and _shown(name, level)]
    lines = [_attribute(name, date(rows[name]) if name in ("timestamp", "arrived") else rows[name])
             for name in names]
    return "\n".join(["\t---", f"Event: {event['type']}", *lines])


def _shown(name: str, level: int) -> bool:
    return name in _LEVEL_1 or (level >= 2 and name not in _LEVEL_3) or level >= 3
