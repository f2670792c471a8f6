"""docs/reference/states.md: the state diagram and the rules behind it, from lb.state.transitions."""

from __future__ import annotations

from collections.abc import Mapping

from docs.markdown import code, codes, page, table
from lb.state.middleware import CONDOR, CREAM, FILE_TRANSFER, FILE_TRANSFER_COLLECTION, PBS, VM
from lb.state.rules import ANY, Rule, Table, Verdict
from lb.state.transitions import GLITE, diagram
from wms.event import Source
from wms.jobstatus import TERMINAL, JobState

HEAD = ("event", "source", "result", "new state", "changes if accepted", "changes always", "remarks")
OTHERS: Mapping[str, Table] = {
    "CREAM": CREAM, "PBS": PBS, "Condor": CONDOR, "file transfers": FILE_TRANSFER,
    "collections of file transfers": FILE_TRANSFER_COLLECTION, "virtual machines": VM}
REMARKS = {
    "late_when_running": "late when the job runs or is done",
    "late_in_attempt": "late when this attempt runs or is done", "never_late": "never late",
    "after_failure": "also when the attempt has failed",
    "wrapper_may_follow": "events of the wrapper may follow", "keeps_clock": "keeps the job's sequence code",
    "computed": "of the children: late only when the job itself is settled"}
INTRODUCTION = """
The state of a job is a pure fold over its events in the order of their sequence codes: neither the order nor the
repetition of arrivals matters. The first registration counts before everything. An event is *late* when the job is
over, when its attempt was given up, or when something newer of the job has been heard; a late event changes only
what the column *changes always* names. Of several rows that fit, the one with the event's own source wins, then the
one with its own result. `SUSPECT` events are kept and change nothing, `IGNORED` ones change only what *changes always*
names. What the names in the columns do is in `lb.state.parts`, `lb.state.places` and `lb.state.branches`.
"""


def text() -> str:
    states = [(str(state.code), state.value, "yes" if state in TERMINAL else "") for state in JobState]
    others = [part for name, rules in OTHERS.items()
              for part in (f"## Rules of {name}", table(HEAD, _rows(_named(rules))))]
    return page("Job states", "lb.state.transitions", INTRODUCTION, "## Diagram", f"```mermaid\n{diagram()}```",
                "## States", table(("code", "state", "final"), states),
                "## Rules of grid jobs", table(HEAD, _rows(GLITE)), *others)


def _named(rules: Table) -> Table:
    """The rows of a table that do anything; its other events are stored and change nothing."""
    return {key: rule for key, rule in rules.items() if rule != Rule(never_late=True)}


def _rows(rules: Table) -> list[tuple[str, ...]]:
    return [(code(name), _open(source), _open(result), rule.state.value if rule.state else "",
             codes(rule.moves.split()), codes(rule.tells.split()), _remarks(rule))
            for (name, source, result), rule in rules.items()]


def _open(value: str) -> str:
    return "any" if value == ANY else value.value if isinstance(value, Source) else value


def _remarks(rule: Rule) -> str:
    said = [] if rule.verdict is Verdict.OK else [rule.verdict.value]
    said += [f"if {code(rule.needs)}, else SUSPECT"] if rule.needs else []
    return "; ".join(said + [words for name, words in REMARKS.items() if getattr(rule, name)])
