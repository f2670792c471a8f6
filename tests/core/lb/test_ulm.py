"""ULM lines: nothing is lost on the way to a line and back, and what is wrong with a line has a code."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from lb_jobs import EVENTS, LM, told

from tests.examples import examples
from wms.errors import BadEvent
from wms.event import EVENT_TYPES, MAX_FIELDS, Event, validate
from wms.seqcode import START
from wms.ulm import Outcome, from_ulm, parse, seconds, to_ulm

DONE = told("Done", LM, START, 1234567890.123456, status_code="OK", exit_code=3)
LINE = to_ulm(DONE)
HARD = st.text(st.sampled_from('\n\r\t\x0b\x0c\x1c\x85\u2028\\"= n#é\U0001f600\x01\x7f{}'), min_size=1, max_size=12)


def outcome(line: str) -> tuple[int, str]:
    """The code of what is wrong with a line, and the key or field that is meant."""
    with pytest.raises(BadEvent) as caught:
        parse(line)
    return caught.value.details["lb_code"], caught.value.details["field"]


@given(EVENTS, HARD, st.integers(-(1 << 63), (1 << 63) - 1), st.floats(0, 9e9))
@settings(deadline=None, max_examples=examples(150))
def test_any_event_survives_the_way_to_a_line_and_back(made: Event, text: str, priority: int, arrived: float) -> None:
    strings = {field.name: text for field in EVENT_TYPES[made.type].fields if field.kind == "string"}
    made = validate(msgspec.structs.replace(made, user=text, host=text, instance=text, priority=priority,
                                            arrived=arrived, fields={**made.fields, **strings}))
    line = to_ulm(made)
    assert line.count("\n") == 1
    assert parse(line) == (made, ())
    assert parse(line.replace("\n", "\r\n")) == (made, ())


@given(st.text(max_size=60))
@example('DATE="')
@example("A=\\\nB=1")
def test_any_text_is_refused_with_a_code(text: str) -> None:
    assert outcome(text)[0] in list(Outcome)


@given(st.integers(0, len(LINE) - 2))
def test_a_line_that_was_cut_is_no_event_or_lacks_what_may_be_missing(at: int) -> None:
    try:
        found = parse(LINE[:at]).event.type
    except BadEvent as error:
        found = error.details["lb_code"]
    assert found in ("Done", Outcome.BROKEN, Outcome.INCOMPLETE, Outcome.MISUSE)


@pytest.mark.parametrize(("old", "new", "code", "field"), [
    ('"OK"', '"OK', Outcome.BROKEN, ""), ("PROG=", "PR-OG=", Outcome.BROKEN, ""),
    ('"Done"', '"Novel"', Outcome.UNDEFINED_EVENT, "DG.EVNT"),
    ("DG.EVNT=", "DG.EVENT=", Outcome.INCOMPLETE, "DG.EVNT"),
    ("DG.JOBID=", "DG.JOB=", Outcome.INCOMPLETE, "DG.JOBID"), ('HOST="host"', "HOST=", Outcome.INCOMPLETE, "HOST"),
    ('STATUS_CODE="OK"', 'STATUS_CODE=""', Outcome.INCOMPLETE, "DG.DONE.STATUS_CODE"),
    ("DG.USER=", "HOST=", Outcome.DUPLICATE_KEY, "HOST"), ("LVL=SYSTEM", "LVL=A lvl=A", Outcome.DUPLICATE_KEY, "LVL"),
    ("DG.USER=", "DG.MATCH.DEST_ID=", Outcome.MISUSE, "DG.MATCH.DEST_ID"),
    ('EXIT_CODE="3"', 'EXIT_CODE="three"', Outcome.MISUSE, "exit_code"),
    ('"OK"', '"GREAT"', Outcome.MISUSE, "status_code"), ("LVL=SYSTEM", "LVL=LOUD", Outcome.MISUSE, "level"),
    ("PRIORITY=0", "PRIORITY=1.5", Outcome.MISUSE, "DG.PRIORITY"), ("DATE=2009", "DATE=", Outcome.MISUSE, "DATE"),
    ("DATE=20090213", "DATE=20090231", Outcome.MISUSE, "DATE"), ("https:", "http:", Outcome.MISUSE, "job"),
])
def test_the_outcomes_have_codes(old: str, new: str, code: Outcome, field: str) -> None:
    assert old in LINE
    assert outcome(LINE.replace(old, new, 1)) == (code, field)


def test_the_codes_are_those_of_the_original() -> None:
    assert [outcome.value for outcome in Outcome] == [1401, 1402, 1403, 1404, 1405, 1406]


def test_too_many_fields_are_broken() -> None:
    assert outcome(" ".join(f"X{number}=1" for number in range(MAX_FIELDS + 1)) + " " + LINE) == (
        Outcome.BROKEN, "fields")


def test_unknown_keys_are_counted_and_those_of_the_loggers_are_known() -> None:
    found = parse(LINE.rstrip("\n") + ' dg.lllid="17" DG.TYPE=command novel=1 DG.DONE.NOVEL="x" DG.ARRIVED=\n')
    assert (found.event, sorted(found.extra)) == (DONE, ["DG.DONE.NOVEL", "NOVEL"])


def test_values_need_no_quotes_and_may_be_empty_where_they_are_optional() -> None:
    empty = ' DG.DONE.REASON= DG.SRC_INSTANCE="" LVL= \n'
    assert parse(LINE.replace('"', "").replace("LVL=SYSTEM ", "").replace("\n", empty)) == (DONE, ())


def test_any_escape_stands_for_its_character_but_n() -> None:
    line = to_ulm(told("Abort", LM, reason="REASON"))
    for written, meant in {r"a\nb": "a\nb", r"a\\nb": "a\\nb", r"\"\t\\": '"t\\'}.items():
        assert from_ulm(line.replace('"REASON"', f'"{written}"')
                        ).fields["reason"] == meant


def test_dates() -> None:
    assert seconds("20090213233130.5") == 1234567890.5
    assert seconds("19700101000000") == 0.0
    for wrong in ("2009021323313", "20091313000000", "20090213233130.1234567", "now"):
        with pytest.raises(BadEvent):
            seconds(wrong)
