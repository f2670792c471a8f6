"""The table of event types and the check of events against it; ULM lines that tell the same."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lb_jobs import EVENTS, JOB, LM, NS, TEXT, required, told

from tests.examples import examples
from wms.errors import BadEvent
from wms.event import (
    EVENT_TYPES,
    MAX_FIELDS,
    MAX_TEXT,
    Event,
    Source,
    duplicate_key,
    event,
    event_type,
    result,
    validate,
)
from wms.jobid import JobId
from wms.jobstatus import TERMINAL, JobState, JobType
from wms.seqcode import START
from wms.ulm import from_ulm, to_ulm

DONE = told("Done", LM, START, 1234567890.123456, status_code="OK", exit_code=3)


def refused(make, *args, **fields):
    """The field that a refusal names."""
    with pytest.raises(BadEvent) as caught:
        make(*args, **fields)
    return caught.value.details["field"]


# -- the table -------------------------------------------------------------------------------------------


def test_every_type_has_its_own_code_and_fields_of_known_kinds():
    rows = EVENT_TYPES.values()
    assert len({row.code for row in rows}) == len(rows)
    for row in rows:
        assert EVENT_TYPES[row.name] is row
        for field in row.fields:
            assert field.kind in ("string", "int", "float", "jobid", "enum")
            assert (field.kind == "enum") == bool(field.choices)
        assert set(row.results) <= set(row.fields)
        assert all(field.choices and not field.optional for field in row.results)


@pytest.mark.parametrize(("name", "code", "fields"), [
    ("RegJob", 17, "jdl ns parent jobtype nsubjobs seed wms_dn"),
    ("Done", 10, "status_code reason exit_code fault taxonomy"),
    ("CREAMResume", 313, "status_code reason"), ("PBSError", 115, "error_desc"),
    ("VMDone", 508, "status_code usage"),
])
def test_rows(name, code, fields):
    row = EVENT_TYPES[name]
    assert (row.code, [field.name for field in row.fields]) == (code, fields.split())


def test_a_type_is_found_in_any_case():
    assert event_type("ReallyRunning") is event_type("REALLYRUNNING")
    assert refused(event_type, "Nonsense") == "type"


@pytest.mark.parametrize("name", sorted(EVENT_TYPES))
def test_the_least_an_event_must_say_is_enough_and_nothing_less(name):
    least = required(name)
    made = event(name, JOB, NS, START, 1.0, "h", **least)
    assert made.fields.keys() >= least.keys()
    for missing in least:
        assert refused(event, name, JOB, NS, START, 1.0, "h", **{**least, missing: ""}) == missing


# -- making and checking ---------------------------------------------------------------------------------


def test_values_are_brought_to_their_kind():
    made = event("regjob", JobId("LB", 9000, "x"), Source.NETWORK_SERVER, START, 1.00000049, "h", ns="n",
                 jobtype="simple", nsubjobs="3", parent=JobId("lb", 9000, "p"), seed=None, jdl="")
    assert made == Event("RegJob", "https://lb:9000/x", "NetworkServer", str(START), 1.0, "h", fields={
        "ns": "n", "jobtype": "SIMPLE", "nsubjobs": 3, "parent": "https://lb:9000/p"})


def test_null_defaults_are_filled_in():
    assert told("Done", LM).fields == {"status_code": "OK", "exit_code": -1}


def test_enumerations_and_keywords_can_be_used():
    made = event("Accepted", JOB, NS, START, 1.0, "h", from_=Source.USER_INTERFACE, from_host="ui")
    assert made.fields == {"from": "UserInterface", "from_host": "ui"}
    usage = event("ResourceUsage", JOB, LM, START, 1.0, "h", resource="r", quantity="2.5", unit="s")
    assert usage.fields["quantity"] == 2.5


@pytest.mark.parametrize(("field", "value"), [
    ("type", "Nonsense"), ("job", "not a job"), ("source", "Nobody"), ("seqcode", "UI=1"),
    ("timestamp", -1.0), ("timestamp", float("nan")), ("timestamp", float("inf")), ("timestamp", 1e300),
    ("host", ""), ("host", "a\0"), ("host", 5), ("user", "\ud800"), ("level", "LOUD"), ("arrived", -1.0),
    ("priority", 1 << 70), ("priority", True),
    ("instance", "x" * (MAX_TEXT + 1)), ("instance", "ß" * (MAX_TEXT // 2 + 1)),
    ("fields", {str(number): "x" for number in range(MAX_FIELDS + 1)}),
])
def test_what_is_wrong_is_named(field, value):
    changed = msgspec.structs.replace(DONE, **{field: value})
    assert refused(validate, changed) == field


@pytest.mark.parametrize(("type", "field", "value"), [
    ("Done", "exit_code", "x"), ("Done", "exit_code", True), ("Done", "exit_code", 1.5),
    ("Done", "exit_code", []), ("Done", "exit_code", 1 << 63), ("Done", "exit_code", "9" * 5000),
    ("Done", "status_code", "GREAT"), ("Done", "reason", ["x"]), ("Done", "reason", 5),
    ("Done", "nonsense", "x"), ("ResourceUsage", "quantity", "much"),
    ("ResourceUsage", "quantity", float("inf")),
    ("ResourceUsage", "quantity", None), ("ResourceUsage", "quantity", {}),
    ("ResourceUsage", "quantity", 10**400), ("Sandbox", "transfer_job", "here"), ("Match", "dest_id", None),
])
def test_wrong_values_are_named(type, field, value):
    assert refused(event, type, JOB, NS, START, 1.0, "h", **{**required(type), field: value}) == field


def test_from_the_network_unknown_fields_are_dropped():
    more = msgspec.structs.replace(DONE, fields={**DONE.fields, "novel": {"deep": 1}})
    assert validate(more) == DONE


def test_codes_of_other_middlewares_are_taken_as_they_are():
    assert told("CREAMStart", Source.CREAM_INTERFACE, "no_seqcodes").seqcode == "no_seqcodes"
    assert refused(event, "CREAMStart", JOB, Source.CREAM_INTERFACE, "", 1.0, "h") == "seqcode"


@given(EVENTS)
@settings(deadline=None)
def test_a_valid_event_stays_as_it_is(made):
    assert validate(made) == made
    assert msgspec.json.decode(msgspec.json.encode(made), type=Event) == made


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just([])
ANYTHING = st.builds(
    Event, type=st.sampled_from(sorted(EVENT_TYPES)), job=st.just(JOB) | st.text(max_size=5),
    source=st.sampled_from([source.value for source in Source]), seqcode=st.just(str(START)),
    timestamp=st.floats(), host=st.text(max_size=5), fields=st.fixed_dictionaries({}, optional=dict.fromkeys(
        sorted({field.name for row in EVENT_TYPES.values() for field in row.fields}), SCALARS)))


@given(ANYTHING)
@settings(deadline=None, max_examples=examples(100))
def test_anything_that_is_no_event_is_refused_or_made_one(anything):
    try:
        made = validate(anything)
    except BadEvent:
        return
    assert validate(made) == made


def test_the_result_of_an_event():
    assert result(DONE) == "OK"
    assert result(told("Pending", NS)) == ""
    assert result(told("CREAMStore", Source.CREAM_INTERFACE)) == "CMDSTART/START"


def test_repetitions_have_one_key_and_other_events_another():
    again = msgspec.structs.replace(DONE, arrived=5.0, priority=1, fields={"status_code": "FAILED"})
    assert duplicate_key(again) == duplicate_key(DONE)
    for field, value in {"job": JOB + "2", "type": "Abort", "source": "LRMS", "host": "other",
                         "level": "DEBUG", "timestamp": DONE.timestamp + 1e-6, "user": "/CN=x",
                         "seqcode": "UI=1"}.items():
        assert duplicate_key(msgspec.structs.replace(DONE, **{field: value})) != duplicate_key(DONE)


# -- ULM -------------------------------------------------------------------------------------------------


def test_a_line():
    assert to_ulm(DONE) == (
        'DATE=20090213233130.123456 HOST="host" PROG=edg-wms LVL=SYSTEM DG.PRIORITY=0 DG.SOURCE="LogMonitor" '
        f'DG.EVNT="Done" DG.JOBID="{JOB}" DG.SEQCODE="{START}" DG.USER="/DC=org/CN=Jane" '
        'DG.DONE.STATUS_CODE="OK" DG.DONE.EXIT_CODE="3"\n')


@given(EVENTS, st.floats(0, 4e9))
@settings(deadline=None)
def test_lines_tell_all_of_an_event(made, arrived):
    made = validate(msgspec.structs.replace(made, arrived=arrived))
    line = to_ulm(made)
    assert line.count("\n") == 1
    assert from_ulm(line) == made


def test_what_nobody_is_known_to_have_said():
    nobody = msgspec.structs.replace(DONE, user="", instance="here")
    assert "DG.USER" not in to_ulm(nobody)
    assert from_ulm(to_ulm(nobody)) == nobody


def test_keys_may_come_in_any_case_and_order_and_unknown_ones_are_dropped():
    pairs = to_ulm(DONE).strip().split(" ")
    lowered = [pair.partition("=")[0].lower() + "=" + pair.partition("=")[2] for pair in pairs]
    line = "  " + "\t".join(reversed(lowered))
    assert from_ulm(line + ' dg.lllid=17 DG.TYPE="command"  ') == DONE


def test_what_may_be_missing():
    line = to_ulm(DONE)
    for left_out in ("PROG=edg-wms ", "LVL=SYSTEM ", "DG.PRIORITY=0 "):
        line = line.replace(left_out, "")
    assert from_ulm(line.replace(".123456", "")).fields == DONE.fields


@pytest.mark.parametrize(("old", "new"), [
    ("DG.EVNT=", "DG.NOT="), ('"Done"', '"Novel"'), ("HOST=", "NOHOST="), ('HOST="host"', 'HOST=""'),
    ("DATE=20090213233130.123456", "DATE=yesterday"), ("DATE=2009", "DATE=0001"),
    ("DATE=200902", "DATE=200913"), ("PROG=", "PROG"),
    ("PRIORITY=0", "PRIORITY=high"), ("LVL=SYSTEM", "LVL=SYSTEM lvl=DEBUG"), ('"OK"', '"OK'),
    ('"LogMonitor"', '"Log"Monitor"'), ("STATUS_CODE", "STATUS"), ('"OK"', r'"O\K'), ("PROG=", "a-b="),
])
def test_broken_lines(old, new):
    line = to_ulm(DONE)
    assert old in line
    with pytest.raises(BadEvent):
        from_ulm(line.replace(old, new))


def test_a_line_has_a_bounded_number_of_fields():
    more = " ".join(f"X{number}=1" for number in range(MAX_FIELDS))
    with pytest.raises(BadEvent):
        from_ulm(f"{more} {to_ulm(DONE)}")


@given(TEXT)
def test_any_text_is_a_line_or_refused(text):
    with pytest.raises(BadEvent):
        from_ulm(text)


# -- states ----------------------------------------------------------------------------------------------


def test_states_have_their_codes():
    assert [state.code for state in JobState] == list(range(12))
    assert [state.value for state in JobState if state.terminal] == [
        "Cleared", "Aborted", "Cancelled", "Purged"]
    assert {state for state in JobState if state.terminal} == TERMINAL


def test_composite_jobs_have_children():
    assert {kind.value for kind in JobType if kind.composite} == {
        "DAG", "COLLECTION", "FILE_TRANSFER_COLLECTION"}
