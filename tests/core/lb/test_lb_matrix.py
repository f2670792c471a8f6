"""The executed transition matrix, every cell: what the original did, but for what was decided otherwise."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from lb_jobs import BH, JC, LM, LRMS, NS, UI, WM, told
from lb_matrix import COLUMNS, ROWS

from lb.state.machine import Record, Verdict, step
from wms.event import EVENT_TYPES, Source
from wms.jobstatus import JobState
from wms.seqcode import START

SHORT = {"UI": UI, "NS": NS, "WM": WM, "BH": BH, "JC": JC, "LM": LM, "LRMS": LRMS, "APP": Source.APPLICATION,
         "LBS": Source.LB_SERVER}
STATES = {state.value[:2]: state for state in JobState if state.value != "Cancelled"} | {
    "Ca": JobState.CANCELLED, "RR": JobState.RUNNING}
MARKS = {"": Verdict.OK, "!": Verdict.LATE, "~": Verdict.IGNORED, "?": Verdict.SUSPECT}

# what was decided against the original, by (type, source, result): cells that replace the executed ones
DECIDED = {
    # killed by the wrapper is Done with done code FAILED, not half of it
    ("Done", LM, "KILLED"): "Do Do Do Do Do Do Do Cl! Ab! Ca!",
    # the wrapper carries a code from before the transfer: folded in order, the transfer must not pull the
    # attempt back that already runs
    ("Transfer", JC, "OK"): "Re Re Re Re Ru! Ru! Do! Cl! Ab! Ca!",
}


def after(record: Record, type: str, source: Source, **fields: str) -> Record:
    code = (record.last_seqcode or START).advanced(source)
    return step(record, told(type, source, code, **fields))[0]


def bases() -> dict[str, Record]:
    """The job in every state, by a chain of events; the WM counter is 5 on the way to the CE."""
    made = {"Su": after(Record(), "RegJob", UI)}
    made["Wa"] = after(made["Su"], "Accepted", NS)
    ready = made["Wa"]
    for type in ("DeQueued", "HelperCall", "Match", "HelperReturn"):
        ready = after(ready, type, WM)
    made["Re"] = after(ready, "EnQueued", WM, result="OK")
    made["Sc"] = after(made["Re"], "Transfer", LM, result="OK")
    made["Ru"] = after(made["Sc"], "Running", LRMS)
    made["RR"] = after(made["Ru"], "ReallyRunning", LM, wn_seq=str(made["Ru"].last_seqcode))
    made["Do"] = after(made["Ru"], "Done", LM, status_code="OK")
    made["Cl"] = after(made["Do"], "Clear", NS)
    made["Ab"] = after(made["Ru"], "Abort", JC)
    made["Ca"] = after(made["Ru"], "Done", LM, status_code="CANCELLED")
    return made


BASES = bases()


def events(text: str) -> Iterator[tuple[str, Source, str]]:
    for name, sources, said in re.findall(r"(\w+)\[([\w,]+)\](?:\(([\w/]+)\))?", text):
        for source in sources.split(","):
            for result in said.split("/"):
                yield name, SHORT[source], result


CASES = [(*key, cells) for cells, text in ROWS for key in events(text)]


@pytest.mark.parametrize("column", COLUMNS)
def test_every_base_is_in_its_state(column):
    assert BASES[column].state is STATES[column]


@pytest.mark.parametrize(("type", "source", "result", "cells"), CASES)
def test_cell(type, source, result, cells):
    cells = DECIDED.get((type, source, result), cells)
    said = {"state": result} if type == "CollectionState" else {
        field.name: result for field in EVENT_TYPES[type].results if result}
    for column, cell in zip(COLUMNS, cells.split(), strict=True):
        base = BASES[column]
        code = base.last_seqcode.advanced(source)
        wn_seq = {"wn_seq": str(BASES["Ru"].last_seqcode)} if type == "ReallyRunning" else {}
        record, verdict = step(base, told(type, source, code, **said, **wn_seq))
        assert (record.state, verdict) == (STATES[cell[:2]], MARKS[cell[2:]]), f"from {column}"


@pytest.mark.parametrize(("type", "source", "result", "cells"), CASES)
def test_nothing_counts_before_the_registration(type, source, result, cells):
    said = {} if type == "CollectionState" else {
        field.name: result for field in EVENT_TYPES[type].results if result}
    record, verdict = step(Record(), told(type, source, START, **said))
    assert (record.state, verdict) == (JobState.UNDEFINED, Verdict.UNREGISTERED)


def test_every_decision_is_about_a_cell_of_the_matrix():
    assert DECIDED.keys() <= {case[:3] for case in CASES}
