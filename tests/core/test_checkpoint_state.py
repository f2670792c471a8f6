"""States of checkpointable jobs: the same as ClassAd and as lines, and only what is one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ns.checkpoint_state import State, from_lines, from_text, initial, to_lines, to_text
from wms.errors import JdlError, Refused
from wms.jdl.described import described

JOB = "https://lb.example.org:9000/rIBubkFFKhnSQ6CjiLUY8Q"
lines = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\0\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"),
                max_size=20)
values = st.one_of(st.booleans(), st.integers(-2**63, 2**63 - 1), st.floats(allow_nan=False, allow_infinity=False),
                   lines)
names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,10}", fullmatch=True)


@st.composite
def states(draw: st.DrawFn) -> State:
    steps = tuple(draw(st.lists(lines, max_size=5)))
    data = draw(st.dictionaries(names, st.lists(values, min_size=1, max_size=3).map(tuple), max_size=4))
    unique = {name.lower(): (name, found) for name, found in data.items()}
    return State(steps, draw(st.integers(0, len(steps))), dict(unique.values()))


def kinds(state: State) -> list[type]:
    return [type(value) for found in state.data.values() for value in found]


@given(states())
def test_both_forms_lose_nothing(state: State) -> None:
    for again in (from_lines(to_lines(state)), from_text(to_text(state, JOB))):
        assert again == state
        assert kinds(again) == kinds(state)


def test_the_first_state_is_that_of_the_description() -> None:
    plain = 'Executable = "/bin/true"; JobType = "Checkpointable"; '
    assert initial(described(plain + "JobSteps = 3; CurrentStep = 1;")) == State(("0", "1", "2"), 1)
    assert initial(described(plain + 'JobSteps = {"a", "b"};')) == State(("a", "b"), 0)
    given_state = 'JobSteps = 2; JobState = [ JobSteps = {"x"}; CurrentStep = 1; UserData = [ n = {1, 2}; s = "a" ] ];'
    assert initial(described(plain + given_state)) == State(("x",), 1, {"n": (1, 2), "s": ("a",)})


def test_a_state_of_steps_by_number() -> None:
    assert from_text("[ JobSteps = 2; CurrentStep = 2 ]") == State(("0", "1"), 2)
    assert from_text("[ StateId = 1 ]") == State()


@pytest.mark.parametrize(("text", "what"), [
    ("[ JobSteps = true ]", "JobSteps is a number or a list of labels"),
    ("[ JobSteps = {1} ]", "JobSteps is a number or a list of labels"),
    ("[ CurrentStep = 1 ]", "CurrentStep is from 0 to 0"),
    ('[ CurrentStep = "x" ]', "CurrentStep is from 0 to 0"),
    ("[ UserData = 5 ]", "UserData is a record"),
    ("[ UserData = [ a = {} ] ]", "UserData.a: not texts, numbers or truth values"),
    ("[ UserData = [ a = [ b = 1 ] ] ]", "UserData.a: not texts, numbers or truth values"),
])
def test_what_is_no_state(text: str, what: str) -> None:
    with pytest.raises(Refused, match=what):
        from_text(text)


def test_only_a_record_is_a_state() -> None:
    job = 'Executable = "/bin/true"; JobType = "Checkpointable"; JobState = [ JobSteps = 1 ].JobSteps;'
    with pytest.raises((JdlError, Refused)):
        initial(described(job))


@pytest.mark.parametrize("text", [
    "current x\n", "current -1\n", "current 1\n", "current 99999999999\n", "q name 5\n", "i name x\n", "b name yes\n",
    "r name inf\n", "r name x\n", "i 5name 1\n", "i  1\n", f"i {'n' * 129} 1\n", f"i name {'1' * 30}\n", "i n-m 1\n",
])
def test_lines_that_say_nothing(text: str) -> None:
    with pytest.raises(Refused):
        from_lines(text)


@given(st.text(max_size=60))
def test_any_text_is_lines_of_a_state_or_refused(text: str) -> None:
    try:
        from_lines(text)
    except Refused as refusal:
        assert "cannot be used" in refusal.message  # noqa: PT017


def test_what_cannot_go_to_a_worker_node() -> None:
    for state in (State(("a\nb",)), State(data={"a": ("x\0",)}), State(data={"a b": (1,)})):
        with pytest.raises(Refused):
            to_lines(state)
