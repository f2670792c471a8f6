"""What the tools of the bookkeeping print: statuses, lists of jobs, registrations, notices, figures."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clients import figures, lb_show, notifying, querying, upkeep
from tests.examples import examples
from wms.jobstatus import JobState
from wms.operations.figures import Statistics
from wms.operations.notifications import Notification
from wms.operations.upkeep import Loaded, Purged, Rejected

JOB = "https://lb.example:9000/"


def date(seconds: float) -> str:
    return f"at {seconds:g}"


def record(**fields: Any) -> dict[str, Any]:
    return {"state": "Done", "jobId": f"{JOB}a", "owner": "/CN=a", "done_code": 0, **fields}


def lines(**fields: Any) -> list[str]:
    return lb_show.status(record(**fields), date).splitlines()


def test_a_status_begins_with_what_matters():
    assert lines()[:3] == ["state : Done", f"jobId : {JOB}a", "owner : /CN=a"]


@pytest.mark.parametrize(("fields", "expected"), [
    ({}, "done_code : OK"), ({"done_code": 1}, "done_code : FAILED"), ({"done_code": None}, "done_code : "),
    ({"done_code": 7}, "done_code : 7"), ({"cancelling": True}, "cancelling : 1"), ({}, "resubmitted : 0"),
    ({}, "exit_code : 0"), ({"exit_code": 3}, "exit_code : 3"), ({}, "cpuTime : -1"), ({}, "reason : "),
    ({"stateEnterTime": 1.5}, "stateEnterTime : 1.500000"), ({}, "lastUpdateTime : 0.000000"),
    ({"extra": {"ft_src": "x"}}, "ft_src : x")])
def test_values_as_the_field_writes_them(fields: dict[str, Any], expected: str):
    assert expected in lines(**fields)


def test_times_of_all_states():
    shown = lines(stateEnterTimes={"Submitted": 1.0})
    at = shown.index("stateEnterTimes :")
    assert shown[at + 1:at + 3] == ["     Submitted  at 1", "       Waiting      - not available -"]
    assert not any("Undefined" in line or "Purged" in line for line in shown)


def test_lists_and_tables_below_their_names():
    shown = lines(possible_destinations=["a", "b"], user_tags={"x": "1"})
    at = shown.index("possible_destinations :")
    assert shown[at + 1:at + 3] == ["\ta", "\tb"]
    assert shown[shown.index("user_tags :") + 1] == '             x = "1"'


def test_only_compound_jobs_have_fields_of_children():
    assert not any(line.startswith("children") for line in lines())
    shown = lines(children_num=1, children_hist={"Running": 1}, children_states=[record(jobId=f"{JOB}b")])
    assert shown[shown.index("children_hist :") + 1] == "       Running  1"
    assert f"\tjobId : {JOB}b" in shown


@settings(max_examples=examples(60), deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(lb_show._FIELDS)), st.none() | st.text(max_size=5), max_size=5))
def test_any_field_may_be_missing_or_null(fields: dict[str, Any]):
    plain = {name: value for name, value in fields.items() if not name.startswith(("children", "state", "last"))
             and name not in ("user_tags", "done_code")}
    shown = lb_show.status(record(**plain), date)
    assert shown.startswith("state : Done\n")
    assert shown.endswith("\n")


def test_a_line_for_a_job():
    assert lb_show.job_line(record()) == f"{JOB}a .... Done OK"
    assert lb_show.job_line(record(done_code=-1)) == f"{JOB}a .... Done"
    assert lb_show.job_line({"jobId": f"{JOB}a"}) == f"{JOB}a .... Undefined"


def test_children_stand_below_their_parents_and_orphans_by_themselves():
    jobs = [record(jobId="c", parent_job="p"), record(jobId="o", parent_job="away"),
            record(jobId="p", jobtype="COLLECTION"), record(jobId="d", jobtype="DAG")]
    assert lb_show.user_jobs(jobs).splitlines() == [
        "      o .... Done OK", "COLL  p .... Done OK", " `-       c .... Done OK", "DAG   d .... Done OK", "",
        "Found 4 jobs"]


@settings(max_examples=examples(60), deadline=None)
@given(st.lists(st.sampled_from(["", *"abcdef"]), max_size=6))
def test_every_job_of_one_generation_is_told_once(parents: list[str]):
    jobs = [record(jobId=id, parent_job=parent if parent not in "abcdef"[:number + 1] else "")
            for number, (id, parent) in enumerate(zip("abcdef", parents, strict=False))]
    flat = [{**job, "parent_job": ""} if any(one["jobId"] == job["parent_job"] and one["parent_job"] for one in jobs)
            else job for job in jobs]
    told = lb_show.user_jobs(flat).splitlines()
    assert sorted(line.split()[-4] for line in told[:-2]) == sorted(job["jobId"] for job in flat)


def test_jobs_of_a_query():
    assert querying.jobs_text([record()], whole=False) == f"{JOB}a .... Done OK\n\nFound 1 jobs"
    assert querying.jobs_text([record()], whole=True).startswith("state : Done\n")
    assert querying.ids_text([record(), record(jobId="b")]) == f"{JOB}a\nb"


# -- registrations and notices ---------------------------------------------------------------------------

MADE = Notification("https://lb:9000/NOTIF:x", "/CN=a", "", (), (), 0.0, 60.0)


def test_a_registration():
    assert notifying.text(MADE) == "notification ID: https://lb:9000/NOTIF:x\nvalid: '1970-01-01 00:01:00' (60)"
    hook = msgspec.structs.replace(MADE, destination="https://h/", secret="ab")
    assert notifying.text(hook).splitlines()[2:] == ["destination: https://h/", "secret: ab"]


@settings(max_examples=examples(60), deadline=None)
@given(st.dictionaries(st.sampled_from("abc"), st.text(max_size=8)), st.lists(st.sampled_from("abcd"), min_size=1))
def test_a_notice_is_one_line_of_as_many_fields_as_were_asked_for(notice: dict[str, str], names: list[str]):
    line = notifying.fields(notice, names)
    assert "\n" not in line
    assert len(line.split("\t")) == len(names)


# -- figures and upkeep ----------------------------------------------------------------------------------

RATE = Statistics("rate", "ALL", 0.0, 60.0, 10, 30, 0.5, state="Running")


@pytest.mark.parametrize(("told", "head"), [
    (RATE, 'Average Running rate at "ALL": 0.5 jobs/s (30 jobs)'),
    (msgspec.structs.replace(RATE, kind="dwell", deviation=2.0),
     'Average time in Running at "ALL": 0.5 s, deviation 2 s (30 jobs)'),
    (msgspec.structs.replace(RATE, kind="duration", from_state="Running", to_state="Done OK"),
     'Average duration Running -> Done OK at "ALL": 0.5 s, deviation 0 s (30 jobs)')])
def test_a_figure_with_its_interval(told: Statistics, head: str):
    first, measured, resolution = figures.text(told).splitlines()
    assert first == head
    assert measured.startswith("  Measured from ")
    assert resolution == "  With resolution 10 s"


@pytest.mark.parametrize(("purged", "text", "status"), [
    (Purged("done", 2, 7, file="p.ulm"), "Purge: done\n2 jobs, 7 events\nevents kept in: p.ulm", 0),
    (Purged("dry run", 1, names=("a",), kept=1),
     "a\nPurge: dry run\n1 jobs, 0 events\n1 jobs got news meanwhile and stay", 0),
    (Purged("done", 1, problems={"b": {"message": "no"}}), "Purge: done\n1 jobs, 0 events\nb: no", 255),
    (Purged("done", problems={"b": {"message": "no"}}), "Purge: done\n0 jobs, 0 events\nb: no", 1),
    (Purged("failed", 1), "Purge: failed\n1 jobs, 0 events", 1)])
def test_a_purge_and_its_exit_status(purged: Purged, text: str, status: int):
    assert (upkeep.purge_text(purged), upkeep.purge_status(purged)) == (text, status)


def test_a_load():
    loaded = Loaded(5, 3, 1, 1, (Rejected(4, "no"),), "rejected.ulm")
    assert upkeep.load_text(loaded).splitlines() == [
        "5 events read: 3 stored, 1 were there, 1 rejected", "line 4: no",
        "all that were rejected, in the server's file: rejected.ulm"]


def test_states_have_the_numbers_of_the_field():
    states = list(JobState)
    assert figures.named([str(number) for number in range(1, 12)]) == states[1:]
    assert figures.named(["0", "12"]) == ["0", "12"]
