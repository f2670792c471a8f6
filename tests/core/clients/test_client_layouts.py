"""The layouts of the commands, compared with the printed ones of the field: the same words, the same rules."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest

from clients import documents, show
from wms.errors import NoSuchJob
from wms.jobstatus import JobState
from wms.operations import Check, Clause, Match, MatchList, Reason

JOB = "https://lxshare0234.cern.ch:9000/rIBubkFFKhnSQ6CjiLUY8Q"
CES = [f"adc0015.cern.ch:2119/jobmanager-lcgpbs-{queue}" for queue in ("infinite", "long", "short")]


def flat(text: str) -> str:
    """With every run of blanks and line ends as one blank."""
    return re.sub(r"\s+", " ", text).strip()


def date(epoch: float) -> str:
    return time.asctime(time.gmtime(epoch))


def status(**fields: Any) -> dict[str, Any]:
    return {"state": "Scheduled", "jobId": JOB, **fields}


SUBMITTED = f"""\
====================glite-job-submit Success =====================
The job has been successfully submitted to the Network Server.
Use glite-job-status command to check job current status.
Your job identifier (edg_jobId) is:
- {JOB}
=============================================================="""

CANCELLED = f"""\
=================== glite-job-cancel Success====================
The cancellation request has been successfully submitted for the following job(s)
- {JOB}
==========================================================="""

MATCHES = """\
*********************************************************************
COMPUTING ELEMENT IDs LIST
The following CE(s) matching your job requirements have been found:
adc0015.cern.ch:2119/jobmanager-lcgpbs-infinite
adc0015.cern.ch:2119/jobmanager-lcgpbs-long
adc0015.cern.ch:2119/jobmanager-lcgpbs-short
**********************************************************************"""

STATUS = f"""\
*************************************************************
BOOKKEEPING INFORMATION:
Printing status info for the Job: {JOB}
Current Status: Scheduled
Status Reason: unavailable
Destination: lxshare0277.cern.ch:2119/jobmanager-pbs-infinite
reached on: Fri Aug 1 12:21:35 2003"""

FETCHED = f"""\
*****************************************************************
JOB GET OUTPUT OUTCOME
Output sandbox files for the job:
- {JOB}
have been successfully retrieved and stored in the directory:
/tmp/jobOutput/snPegp1YMJcnS22yF5pFlg"""


def test_submit():
    assert show.submitted(JOB) == SUBMITTED


def test_submit_names_the_file_of_the_identifier_before_the_closing_rule():
    lines = show.submitted(JOB, "/home/u/ids").splitlines()
    assert lines[-2:] == ["/home/u/ids", "=" * 62]
    assert lines[:5] == SUBMITTED.splitlines()[:5]


def test_cancel():
    assert show.cancelled([JOB]) == CANCELLED


def test_list_match():
    found = MatchList(tuple(Match(ce, 1.0) for ce in CES))
    assert show.matches(found, rank=False, explain=False) == MATCHES


def test_list_match_with_ranks_keeps_the_ce_as_the_first_word():
    found = MatchList((Match(CES[0], -12.0),))
    row = show.matches(found, rank=True, explain=False).splitlines()[-2]
    assert row.split() == [CES[0], "-12"]


def test_list_match_without_a_match_says_so_and_why():
    text = show.matches(MatchList((), "no CE admits cms"), rank=False, explain=False)
    assert "No Computing Element matching your job requirements has been found!\nno CE admits cms" in text


def test_list_match_explains_with_a_row_for_each_check():
    found = MatchList((), checks=(Check("vo", 4, 3), Check("requirements", 1, 1)))
    rows = [line.split() for line in show.matches(found, rank=False, explain=True).splitlines()]
    assert ["vo", "4", "3"] in rows
    assert ["requirements", "1", "1"] in rows


def test_list_match_tells_what_each_clause_leaves_and_costs():
    clauses = (Clause("authorisation", "site", 4, 3), Clause("`other.X > 3`", "user", 3, 0, 2, undefined=1))
    text = show.matches(MatchList((), clauses=clauses), rank=False, explain=True)
    assert text.splitlines()[2:-1] == [
        "     CEs     left  clause", "       4        3  authorisation (site)",
        "       3        0  `other.X > 3` (undefined on 1)", "Without `other.X > 3`: 2 more CEs."]
    assert "clause" not in show.matches(MatchList((), clauses=clauses), rank=False, explain=False)
    document = documents.matches(MatchList((), clauses=clauses, warnings=("w",)))
    assert [one["without"] for one in document["clauses"]] == [0, 2]
    assert document["warnings"] == ["w"]


def test_status_says_why_a_job_is_not_running_but_not_at_level_0():
    record, why = status(state="Waiting"), {JOB: "No match among 3 CEs."}
    assert "Why not running:    No match among 3 CEs.\n" in show.statuses([record], 1, date, why=why)
    assert "No match" not in show.statuses([record], 0, date, why=why)
    told = documents.status(record, date, {JOB: Reason(JOB, "Waiting", "no_match", "No.", 1.0)})
    assert told["reason_detail"]["code"] == "no_match"


def test_status():
    text = show.statuses([status(destination="lxshare0277.cern.ch:2119/jobmanager-pbs-infinite",
                                 stateEnterTime=1059740495.0)], 1, date)
    assert flat(text).removesuffix(" " + "*" * 61) == flat(STATUS)
    assert "\nCurrent Status:     Scheduled\n" in text


def test_status_level_0_is_the_state_alone():
    text = show.statuses([status(reason="because", destination="ce")], 0, date)
    assert "because" not in text
    assert "Current Status:     Scheduled" in text


def test_status_level_2_adds_attributes_and_level_3_the_long_ones():
    record = status(owner="/CN=x", jdl="[]", lastUpdateTime=0.0, condorId="", stateEnterTime=1059740495.0)
    second, third = (show.statuses([record], level, date) for level in (2, 3))
    assert "- Owner                      =    /CN=x" in second
    assert "- StateEnterTime             =    Fri Aug  1 12:21:35 2003" in second
    assert "Jdl" not in second
    assert "- Jdl                        =    []" in third
    assert "CondorId" not in third


def test_status_of_a_compound_lists_its_nodes_unless_told_not_to():
    record = status(children_states=[status(jobId=JOB + "1", state="Cleared", parent_job=JOB)])
    assert show.statuses([record], 1, date).count("Current Status:     ") == 2
    assert "Nodes information" not in show.statuses([record], 1, date, nodes=False)


def test_status_tells_what_is_wrong_with_the_credential_of_a_job_that_is_not_over():
    tags = {"proxy_renewal": "failed: no answer", "phase": "2"}
    running = show.statuses([status(state="Running", user_tags=tags)], 1, date)
    assert "Credential:         failed: no answer\n" in running
    assert "Credential:" not in show.statuses([status(state="Aborted", user_tags=tags)], 1, date)
    assert "Credential:" not in show.statuses([status(state="Running", user_tags=tags)], 0, date)


def test_status_tells_a_cancellation_on_its_way():
    assert "Cancelling:         by user" in show.statuses([status(cancelling=True, cancelReason="by user")], 1, date)


@pytest.mark.parametrize(("fields", "words"), [
    ({"done_code": 0, "exit_code": 0}, "Done (Success)"),
    ({"done_code": 0, "exit_code": 3}, "Done (Exit Code !=0)"),
    ({"done_code": 1}, "Done (Failed)"),
    ({"done_code": 2}, "Done (Cancelled)"),
    ({}, "Done (Success)"),
])
def test_done_says_how(fields: dict[str, int], words: str):
    assert show.state(status(state="Done", **fields)) == words


def test_every_other_state_is_its_name():
    for state in set(JobState) - {JobState.DONE}:
        assert show.state({"state": state.value}) == state.value


def test_exit_code_is_told_only_where_the_program_ended():
    assert "Exit code:          3" in show.statuses([status(state="Done", done_code=0, exit_code=3)], 1, date)
    assert "Exit code" not in show.statuses([status(state="Done", done_code=1)], 1, date)


def test_output():
    assert show.fetched(JOB, "/tmp/jobOutput/snPegp1YMJcnS22yF5pFlg", 2) == FETCHED


def test_output_of_a_job_without_files_names_no_directory():
    assert show.fetched(JOB, "/x", 0).endswith(f"No output files to be retrieved for the job:\n- {JOB}")


EVENT = {"type": "Match", "job": JOB, "source": "WorkloadManager", "seqcode": "UI=1", "timestamp": 1059740495.0,
         "host": "wms.cern.ch", "fields": {"dest_id": "ce:2119/x", "reason": ""}}


def test_events_level_1():
    assert show.events(JOB, [EVENT], 1, date).splitlines()[5:-1] == [
        "\t---", "Event: Match",
        "- Source                     =    WorkloadManager",
        "- Timestamp                  =    Fri Aug  1 12:21:35 2003",
        "- Dest id                    =    ce:2119/x"]


def test_events_level_0_are_names_and_higher_levels_only_add():
    assert show.events(JOB, [EVENT], 0, date).splitlines()[5:-1] == [" - Match"]
    second, third = (set(show.events(JOB, [EVENT], level, date).splitlines()) for level in (2, 3))
    assert set(show.events(JOB, [EVENT], 1, date).splitlines()) < second < third
    assert any(line.startswith("- Host ") for line in second)
    assert any(line.startswith("- Seqcode ") for line in third - second)


# -- documents -------------------------------------------------------------------------------------------


def test_a_document_says_how_much_was_done():
    error = NoSuchJob("gone", job="b")
    assert documents.of_jobs({"a": {"x": 1}}) == {"result": "success", "jobs": {"a": {"x": 1}}}
    assert documents.of_jobs({"a": {"x": 1}, "b": error})["result"] == "partial"
    failed = documents.of_jobs({"b": error})
    assert failed["result"] == "failure"
    assert failed["error"] == error.record() == failed["jobs"]["b"]["error"]


def test_the_documents_of_submit_and_match():
    assert documents.submitted(JOB, "https://h:1", ()) == {
        "result": "success", "jobid": JOB, "endpoint": "https://h:1"}
    assert documents.submitted(JOB, "https://h:1", ("w",))["warnings"] == ["w"]
    assert documents.matches(MatchList((Match("ce", 2.0),))) == {
        "result": "success", "ceid": ["ce"], "rank": [2.0], "checks": []}
    assert documents.matches(MatchList((), "none", (Check("vo", 1, 1),))) == {
        "result": "success", "ceid": [], "rank": [], "reason": "none",
        "checks": [{"check": "vo", "seen": 1, "refused": 1}]}


def test_the_document_of_a_status_has_words_and_the_record():
    record = status(state="Done", done_code=0, exit_code=1, stateEnterTimes={"Submitted": 0.0}, reason="r")
    assert documents.status(record, date) == {
        "Current Status": "Done (Exit Code !=0)", "Exit code": "1", "Status Reason": "r",
        "Submitted": "Thu Jan  1 00:00:00 1970", "record": record}
