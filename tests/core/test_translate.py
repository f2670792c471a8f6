"""What an observed end means: the wrapper's word first, and no success on the CE's word alone."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logmonitor.translate import (
    Cancelled,
    Failure,
    Success,
    accounted,
    as_cancelled,
    from_output,
    from_report,
    kept_back,
    last_word,
    used,
)
from wms.ce import Usage
from wms.operations import OutcomeReport
from wms.outcome import LAST_WORD, PHRASES


def report(**values: object) -> OutcomeReport:
    return OutcomeReport(**{"sequence_code": "", "exit_code": 0, **values})


@pytest.mark.parametrize(("given_report", "ending"), [
    (report(), Success(0, "Job terminated successfully")),
    (report(exit_code=3), Success(3, "Warning: job exit code != 0")),
    (report(failure="Cannot download x"), Failure("Cannot download x", retry=True)),
    (report(failure="/bin/x not found or unreadable"), Failure("/bin/x not found or unreadable", retry=False)),
    (report(failure="something new", exit_code=0), Failure("something new", retry=True))])
def test_the_wrappers_report(given_report: OutcomeReport, ending: object) -> None:
    assert from_report(given_report) == ending


@pytest.mark.parametrize(("output", "status", "reason", "ending"), [
    ("job exit status = 0\njw exit status = 0\n", 0, "", Success(0, "Job terminated successfully")),
    ("job exit status = 7\n", 1, "killed", Success(7, "Warning: job exit code != 0")),
    ("Job killed\n", 9, "over the limit", Failure("Job killed; the CE says: over the limit; wrapper exit status 9",
                                                 retry=False)),
    ("Cannot upload out\n", None, "", Failure("Cannot upload out", retry=True))])
def test_the_second_channel(output: str, status: int | None, reason: str, ending: object) -> None:
    assert from_output(output, status, reason) == ending


@given(st.sampled_from([0, 1, None]), st.text())
def test_the_ce_alone_never_makes_a_success(status: int | None, reason: str) -> None:
    ending = from_output("", status, reason)
    assert isinstance(ending, Failure)
    assert ending.retry
    assert ending.reason


@given(st.sampled_from(PHRASES), st.text(alphabet="ab \n"), st.text(alphabet="ab \n"))
def test_both_channels_agree_on_what_can_be_tried_again(phrase: tuple[str, str], before: str, after: str) -> None:
    text, kind = phrase
    said = from_output(before + "\n" + text + "\n" + after, None, "")
    told = from_report(report(failure=text))
    assert isinstance(said, Failure)
    assert isinstance(told, Failure)
    assert said.retry == told.retry == (kind == "resubmit")


def test_a_failure_of_a_job_the_user_gave_up_is_a_cancellation_and_a_success_stays_one() -> None:
    failed, ended = Failure("x"), Success(0, "y")
    assert as_cancelled(failed, True) == Cancelled()
    assert as_cancelled(failed, False) is failed
    assert as_cancelled(ended, True) is ended
    assert as_cancelled(Cancelled("z"), True) == Cancelled("z")


def line(**values: object) -> str:
    return LAST_WORD + msgspec.json.encode(report(**values)).decode() + "\n"


def test_a_report_on_standard_output_says_all_that_the_lost_one_would_have_said() -> None:
    told = report(exit_code=3, wall_s=2.5, cpu_user_s=1.0, max_rss_kb=7, notes=("a",), missing=("b",))
    output = f"job exit status = 3\n{line(**msgspec.structs.asdict(told))}jw exit status = 1\n"
    ending = from_output(output, 1, "")
    assert ending == Success(3, "Warning: job exit code != 0", told)
    assert {name: quantity for name, quantity, _ in accounted(ending, None)} == {
        "real": 2.5, "user": 1.0, "sys": 0.0, "max_rss": 7.0}


def test_the_last_report_counts_and_what_cannot_be_read_is_passed_over() -> None:
    failed = line(exit_code=0, failure="Cannot upload file://a into https://se/a (503)")
    broken = 'wms-outcome: {\nwms-outcome: {"exit_code":"x"}\n'
    ending = from_output(line(exit_code=0) + failed + broken, 1, "late")
    assert isinstance(ending, Failure)
    assert ending.reason == ("Cannot upload file://a into https://se/a (503); the CE says: late; "
                             "wrapper exit status 1")
    assert (ending.retry, ending.report) == (True, last_word(failed))
    gone = from_output(line(failure="Job killed by the jobwrapper because of user proxy expiration"), None, "")
    assert isinstance(gone, Failure)
    assert not gone.retry


def test_what_a_note_says_decides_nothing() -> None:
    assert isinstance(from_output(line(notes=("Cannot upload x", "Job killed")), None, ""), Success)


def test_the_wrappers_figures_come_before_those_of_the_ce() -> None:
    usage = Usage(wall_s=9.0)
    assert list(accounted(Success(0, ""), usage)) == [("real", 9.0, "s")]
    assert list(accounted(Cancelled(), usage)) == [("real", 9.0, "s")]
    assert next(accounted(Success(0, "", report(wall_s=1.0)), usage)) == ("real", 1.0, "s")


@given(st.text())
def test_any_output_has_a_verdict(output: str) -> None:
    assert isinstance(from_output(LAST_WORD + output, None, ""), Success | Failure)


def test_a_wrapper_without_a_payload_used_no_time() -> None:
    told = report(exit_code=-1, wall_s=1.0, bytes_in=5)
    assert list(accounted(Failure("x", report=told), None)) == [("bytes_in", 5.0, "B")]


def test_what_a_ce_accounted() -> None:
    assert list(used(None)) == []
    assert list(used(Usage(60.0, 0.0, 2048))) == [("real", 60.0, "s"), ("max_rss", 2048.0, "kB")]


@pytest.mark.parametrize(("reason", "said"), [("no scratch", "no scratch"), ("", "none given")])
def test_a_job_that_the_ce_keeps_back(reason: str, said: str) -> None:
    assert kept_back(reason) == Failure(f"Got a job held event, reason: {said}")
