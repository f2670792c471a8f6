"""Jobs of many kinds in a database in memory, and questions of every form about them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from lb.access.rights import Action, Policy, Rule, policy_of
from lb.queries.condition_values import Asked
from lb.queries.conditions import EVENTS, JOBS, Condition, Conditions, Table, condition, grouped
from lb.queries.search import Sight
from wms.event import Event, Source, event
from wms.identity import Identity
from wms.seqcode import START

NOW = 1_700_000_000.0
PEOPLE = ("/CN=Jane", "/CN=John", "/CN=Ann/Email=a@x")
CES = ("ce1/long", "ce2/short")
ASKED = Asked(PEOPLE[0], NOW + 1000)
ENDS: Sequence[tuple[Source, str, dict[str, object]]] = (
    (Source.LOG_MONITOR, "Done", {"status_code": "OK", "exit_code": 3}),
    (Source.LOG_MONITOR, "Done", {"status_code": "FAILED", "reason": "lost"}),
    (Source.LOG_MONITOR, "Done", {"status_code": "CANCELLED"}),
    (Source.WORKLOAD_MANAGER, "Abort", {"reason": "no"}),
    (Source.NETWORK_SERVER, "Clear", {"reason": "USER"}),
)


def url(number: int) -> str:
    return f"https://lb.example:9000/j{number}"


def told(number: int, owner: str, ce: str, steps: int, end: int, tag: str, parent: int, jobtype: str) -> list[Event]:
    """The events of one job: registered, perhaps matched, running, tagged and ended."""
    registered: dict[str, object] = {"ns": "ns.example", "jobtype": jobtype,
                                     "jdl": f'[ VirtualOrganisation = "vo{number % 2}"; N = {number} ]'}
    if parent != number:
        registered["parent"] = url(parent)
    script = [(Source.NETWORK_SERVER, "RegJob", registered), (Source.WORKLOAD_MANAGER, "Match", {"dest_id": ce}),
              (Source.LRMS, "Running", {"node": "wn"}),
              (Source.APPLICATION, "UserTag", {"name": "Step", "value": tag}), ENDS[end]][:steps]
    code, found = START, []
    for index, (source, kind, fields) in enumerate(script):
        code = code.advanced(source)
        found.append(event(kind, url(number), source, code, NOW + 10 * (number // 2) + index, f"host{number % 3}",
                           owner, **fields))  # type: ignore[arg-type]
    return found


job = st.tuples(st.sampled_from(PEOPLE), st.sampled_from(CES), st.integers(1, 5), st.integers(0, len(ENDS) - 1),
                st.sampled_from(["1", "2", "10", "x" * 300]), st.integers(0, 3), st.sampled_from(["SIMPLE", "CONDOR"]))
histories = st.lists(job, max_size=12).map(lambda rows: [told(number, *row) for number, row in enumerate(rows)])

one_of = st.sampled_from
_texts = {
    "owner": one_of([*PEOPLE, "", "/CN=Ann/emailAddress=a@x"]), "destination": one_of([*CES, ""]),
    "location": one_of(["none", "", "LRMS/worknode/wn"]), "usertag": one_of(["1", "2", "x" * 300]),
    "jdl_attr": one_of(["vo0", "3"]), "network_server": one_of(["ns.example", ""]),
    "host": one_of(["host0", "host1"]), "instance": st.just(""), "chkpt_tag": st.just("x")}
_kinds: dict[str, st.SearchStrategy[Any]] = {
    "job": st.integers(0, 12).map(url), "state": one_of(["Submitted", "Running", "Done", "Aborted", "Cleared"]),
    "int": st.integers(-1, 3), "done": st.integers(-1, 2), "bool": st.booleans(), "vmstate": st.just("RUNNING"),
    "time": st.integers(-5, 70).map(lambda seconds: NOW + seconds), "jobtype": one_of(["SIMPLE", "CONDOR"]),
    "level": one_of(["SYSTEM", "DEBUG"]), "source": one_of(["LRMS", "LogMonitor", "NetworkServer"]),
    "eventtype": one_of(["Done", "Running", "RegJob"])}
_names = {"tag": st.just("step"), "state": one_of(["Running", "Done"]), "": st.just(""),
          "attribute": one_of(["N", "virtualorganisation"])}


@st.composite
def groups(draw: st.DrawFn, table: Table) -> tuple[Condition, ...]:
    row = table[draw(st.sampled_from(sorted({row.name for row in table.values()})))]
    name, values = draw(_names[row.needs]), _texts.get(row.name, _kinds.get(row.kind, st.just("")))
    signs = st.sampled_from([sign for sign in row.operators.split() if sign != "changed"])
    return tuple(condition(table, row.name, draw(signs), draw(values), draw(values), name, asked=ASKED)
                 for _ in range(draw(st.integers(1, 3))))


def questions(table: Table) -> st.SearchStrategy[Conditions]:
    return st.lists(groups(table), max_size=3).map(grouped)


job_questions, event_questions = questions(JOBS), questions(EVENTS)
EVERYTHING = policy_of(super_users=[PEOPLE[0]])
HIDING = policy_of({Action.READ_ANONYMIZED: (Rule((PEOPLE[1],)),),
                    Action.STATUS_FOR_MONITORING: (Rule((PEOPLE[2],)),)})


def sight(who: str = PEOPLE[0], policy: Policy = EVERYTHING) -> Sight:
    return Sight(Identity(who, not_after=NOW * 2), policy, b"salt")
