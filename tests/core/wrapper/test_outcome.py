"""Verdicts on what a wrapper said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wms.outcome import FILE_MISSING, NOTHING_USEFUL, PHRASES, Outcome, classify


@pytest.mark.parametrize(("phrase", "kind"), PHRASES)
def test_every_phrase_decides_wherever_it_stands(phrase: str, kind: str) -> None:
    text = f"Sequence code: UI=1\nLM_log_done_begin\n x {phrase} y\nLM_log_done_end\njob exit status = 0\n"
    assert classify(text) == Outcome(kind, -1, f"x {phrase} y")  # type: ignore[arg-type]


@given(st.permutations(PHRASES))
def test_the_first_phrase_of_the_table_wins_in_any_order_of_the_text(phrases: list[tuple[str, str]]) -> None:
    assert classify("\n".join(phrase for phrase, _ in phrases)).reason == PHRASES[0][0]


@pytest.mark.parametrize(("text", "outcome"), [
    ("job exit status = 0\njw exit status = 0\n", Outcome("done", 0, "Job terminated successfully")),
    ("job exit status = 137\n", Outcome("done", 137, "Warning: job exit code != 0")),
    ("job exit status = -1", Outcome("done", -1, "Warning: job exit code != 0")),
    ("jw exit status = 0\n", Outcome("done", -1, "Job terminated, its exit code is not known")),
    ("", Outcome("resubmit", -1, NOTHING_USEFUL)),
    ("Sequence code: UI=1\nslurmstepd: error\n", Outcome("resubmit", -1, NOTHING_USEFUL)),
    ("the job exit status = 0\n", Outcome("resubmit", -1, NOTHING_USEFUL)),
    (None, Outcome("resubmit", -1, FILE_MISSING)),
])  # fmt: skip
def test_other_texts(text: str | None, outcome: Outcome) -> None:
    assert classify(text) == outcome


def test_a_note_decides_nothing() -> None:
    text = "job exit status = 3\nNote: Cannot read or missing file Job killed\njw exit status = 0\n"
    assert classify(text) == Outcome("done", 3, "Warning: job exit code != 0")


@given(st.text())
def test_any_text_gets_a_verdict(text: str) -> None:
    assert classify(text).kind in {"done", "resubmit", "abort"}
