"""Whose fault it was: the table against messages as wrappers, batch systems and CEs say them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wms.faults import FAULTS, UNKNOWN, VERSION, Fault, Judgement, judge, owned
from wms.outcome import PHRASES

FOLDER = Path(__file__).parent / "faults"


def corpus() -> list[tuple[str, str, Judgement]]:
    found = []
    for path in sorted(FOLDER.glob("*.txt")):
        for line in path.read_text().splitlines():
            if line and not line.startswith("#"):
                verdict, _, text = line.partition(" | ")
                owner, again = verdict.split()
                assert again in ("again", "never"), line
                found.append((path.stem, text, Judgement(Fault(owner), again == "again")))
    return found


CORPUS = corpus()


@pytest.mark.parametrize(("source", "text", "expected"), CORPUS, ids=[f"{c[0]}-{n}" for n, c in enumerate(CORPUS)])
def test_every_message_has_its_owner(source: str, text: str, expected: Judgement) -> None:
    assert judge(text) == expected, text


def test_the_corpus_is_large_and_every_row_of_the_table_is_needed_by_it() -> None:
    assert len(CORPUS) >= 80
    texts = [text for _, text, _ in CORPUS]
    idle = [row.pattern for row in FAULTS if not any(re.search(row.pattern, text, re.I | re.S) for text in texts)]
    assert idle == []


@pytest.mark.parametrize(("phrase", "kind"), PHRASES)
def test_the_wrappers_phrases_are_judged_as_the_log_monitor_judges_them(phrase: str, kind: str) -> None:
    assert judge(phrase).again == (kind == "resubmit")
    assert judge(f"x {phrase} y") == judge(phrase)


def test_an_unknown_sentence_is_the_sites_and_another_attempt_may_help() -> None:
    assert judge("the moon is in the wrong phase") == UNKNOWN == Judgement(Fault.SITE, True)
    assert judge("") == UNKNOWN


@given(st.text())
@settings(max_examples=examples(100), deadline=None)
def test_any_text_has_an_owner_and_only_users_pay_for_what_is_theirs(text: str) -> None:
    judgement = judge(text)
    assert judgement.counts == (judgement.owner in (Fault.USER, Fault.CREDENTIAL))
    assert judgement.again or judgement.counts


def test_only_the_beginning_of_a_long_text_counts() -> None:
    assert judge("x" * 10_000 + "proxy expired") == UNKNOWN


def test_an_event_that_tells_of_a_failure_says_who_owns_it_and_by_which_table() -> None:
    assert owned("worker node lost (NODE_FAIL)") == {"fault": "site", "taxonomy": VERSION}
    assert owned("") == {}
