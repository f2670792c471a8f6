"""The commands as a user types them, against a running service; layouts are those of the tutorial."""

from __future__ import annotations

import re
import shutil
import stat
from collections.abc import Iterator
from configparser import ConfigParser
from pathlib import Path

import pytest
from deployment import REPOSITORY, Deployment
from people import Person, owner

from clients.files import make_shared
from clients.ids import HEADER
from wms.jobid import JobId

ID = r"https://localhost:\d+/[\w-]{22}"
DATE = r"[A-Z][a-z]{2} [A-Z][a-z]{2} \d{1,2} \d\d:\d\d:\d\d \d{4}"
TRUE = 'Executable = "/bin/true";'
ECHO = 'Executable = "/bin/echo"; Arguments = "hello"; StdOutput = "out"; OutputSandbox = {"out"};'
COMMANDS = ("submit", "status", "cancel", "output", "list-match", "logging-info")


@pytest.fixture(scope="module")
def service(pattern: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    with pattern.copy(tmp_path_factory.mktemp("cli") / "wms") as made:
        made.start()
        yield made


@pytest.fixture(scope="module")
def user(service: Deployment) -> Person:
    """In a directory with the examples."""
    person = owner(service, service.directory / "home")
    shutil.copytree(REPOSITORY / "examples", person.home, dirs_exist_ok=True)
    return person


@pytest.fixture(scope="module")
def ce(user: Person) -> str:
    """The one computing element."""
    (found,) = user.sees("job-list-match", "--json", "test.jdl").document["ceid"]
    return str(found)


@pytest.fixture(scope="module")
def finished(user: Person) -> str:
    """A job that is done and stays so."""
    return done(user, user.submits(ECHO))


def done(user: Person, job: str) -> str:
    """The job, over."""
    user.sees("job-status", "--watch", job)
    return job


def status(user: Person, job: str) -> dict[str, object]:
    found: dict[str, object] = user.sees("job-status", "--json", job).document["jobs"][job]
    return found


def submitted(text: str) -> str:
    """The identifier in the tutorial's block, which is all there is."""
    found = re.fullmatch("=" * 20 + "glite-job-submit Success " + "=" * 21
                         + " The job has been successfully submitted to the Network Server."
                           " Use glite-job-status command to check job current status."
                           rf" Your job identifier \(edg_jobId\) is: - ({ID})"
                           r"(?: The edg_jobId has been saved in the following file: \S+)? " + "=" * 62, text)
    assert found is not None, text
    return found[1]


# -- the tutorial ----------------------------------------------------------------------------------------


def test_the_tutorial_from_submission_to_output(user: Person, ce: str, tmp_path: Path):
    job = submitted(user.sees("glite-job-submit", "test.jdl").flat)
    done(user, job)
    shown = user.sees("glite-job-status", job)
    assert re.fullmatch(
        re.escape("*" * 61 + f" BOOKKEEPING INFORMATION: Printing status info for the Job: {job} ")
        + r"Current Status: Done \(Success\) Exit code: 0 Status Reason: Job terminated successfully "
        + rf"Destination: {re.escape(ce)} reached on: {DATE} " + re.escape("*" * 61), shown.flat), shown.out
    fetched = user.sees("glite-job-output", "--dir", str(tmp_path), job)
    here = tmp_path / JobId.parse(job).unique
    assert fetched.flat == ("Retrieving files from host localhost " + "*" * 65 + " JOB GET OUTPUT OUTCOME "
                            f"Output sandbox files for the job: - {job} "
                            f"have been successfully retrieved and stored in the directory: {here}")
    assert (here / "std.out").read_text().startswith("Hello from ")
    assert (here / "std.err").read_text() == "This line goes to the standard error\n"
    assert status(user, job)["Current Status"] == "Cleared"


def test_the_list_of_computing_elements(user: Person, ce: str):
    shown = user.sees("glite-job-list-match", "test.jdl", "--vo", "dteam")
    port = user.service.addresses()["WMS_ENDPOINT"].rpartition(":")[2]
    assert shown.flat == (f"Connecting to host localhost, port {port} "
                          "Selected Virtual Organisation name (from --vo option): dteam " + "*" * 69
                          + " COMPUTING ELEMENT IDs LIST"
                            " The following CE(s) matching your job requirements have been found: "
                          + ce + " " + "*" * 70)


def test_a_cancellation_asks_first(user: Person):
    job = user.submits("sleeps.jdl")
    for answer in ("n\n", "\n", ""):
        refused = user.types("glite-job-cancel", job, answers=answer)
        assert (refused.status, "UI_SKIP_QUESTION" in refused.err) == (1, True)
    assert "Cancelling" not in user.sees("job-status", job).out
    shown = user.sees("glite-job-cancel", job, answers="y\n")
    assert shown.flat == ("Are you sure you want to remove specified job(s)? [y/n]n : " + "=" * 19
                          + " glite-job-cancel Success" + "=" * 20 + " The cancellation request has been successfully"
                            f" submitted for the following job(s) - {job} " + "=" * 59)
    assert status(user, done(user, job))["Current Status"] == "Cancelled"
    user.is_refused("NS_JOB_CANCEL_NOT_ALLOWED", "job-cancel", "--noint", job)
    user.is_refused("NS_JOB_OUTPUT_NOT_ALLOWED", "job-output", job)


def test_a_list_of_jobs_is_a_menu(user: Person, finished: str):
    jobs = [finished, *(user.submits(TRUE) for _ in range(2))]
    user.writes("jobs.list", "\n".join([HEADER, *jobs]))
    shown = user.sees("glite-job-status", "-i", "jobs.list", answers="1,3\n")
    assert shown.flat.startswith("-" * 99 + f" 1 : {jobs[0]} 2 : {jobs[1]} 3 : {jobs[2]} a : all q : quit "
                                 "Choose one or more edg_jobId(s) in the list - [1-3]all:")
    assert [f"for the Job: {job}" in shown.out for job in jobs] == [True, False, True]
    every = user.sees("job-status", "--noint", "-i", "jobs.list")
    assert re.findall(f"for the Job: ({ID})", every.out) == jobs
    assert user.sees("job-status", "-i", "jobs.list", answers="\n").out.count("for the Job: ") == 3
    again = user.sees("job-status", "-i", "jobs.list", answers="4\n1-2\n")
    assert re.findall(f"for the Job: ({ID})", again.out) == jobs[:2]
    left = user.types("job-status", "-i", "jobs.list", answers="q\n")
    assert (left.status, "for the Job" in left.out) == (1, False)


# -- job-submit ------------------------------------------------------------------------------------------


def test_a_description_from_standard_input(user: Person):
    assert submitted(user.sees("job-submit", "-", answers=TRUE).flat)
    with_files = 'Executable = "test.sh"; InputSandbox = {"test.sh"}; StdOutput = "o"; OutputSandbox = {"o"};'
    assert submitted(user.sees("job-submit", "-", answers=with_files).flat)


def test_identifiers_are_appended_to_the_file_of_output(user: Person):
    first, second = (user.sees("job-submit", "-o", "ids", "test.jdl") for _ in range(2))
    jobs = [submitted(ran.flat) for ran in (first, second)]
    assert (user.home / "ids").read_text() == "\n".join([HEADER, *jobs, ""])
    assert f"The edg_jobId has been saved in the following file:\n{user.home}/ids\n" in first.out


def test_a_job_for_one_computing_element(user: Person, ce: str):
    job = submitted(user.sees("job-submit", "-r", ce, "test.jdl").flat)
    assert status(user, done(user, job))["Destination"] == ce


def test_nomsg_prints_the_identifier_and_nothing_else(user: Person):
    ran = user.sees("job-submit", "--nomsg", "test.jdl")
    assert re.fullmatch(f"{ID}\n", ran.out)
    assert ran.err == ""


def test_json_is_one_document(user: Person):
    ran = user.sees("job-submit", "--json", "test.jdl")
    assert ran.err == ""
    assert re.fullmatch(ID, ran.document["jobid"])
    assert ran.document == {"result": "success", "jobid": ran.document["jobid"],
                            "endpoint": user.service.addresses()["WMS_ENDPOINT"]}


def test_a_configuration_file_names_the_service_and_the_virtual_organisation(user: Person):
    place = user.service.addresses()["WMS_ENDPOINT"].removeprefix("https://")
    user.writes("ui.conf", f'[ NSAddresses = "{place}"; LBAddresses = "{place}"; VirtualOrganisation = "dteam"; ]')
    nothing = {"WMS_ENDPOINT": "", "WMS_LB": ""}
    shown = user.sees("job-list-match", "--config", "ui.conf", "test.jdl", **nothing)
    assert "Selected Virtual Organisation name (from --config option): dteam" in shown.out
    job = submitted(user.sees("job-submit", "--config", "ui.conf", "test.jdl", **nothing).flat)
    record = status(user, job)["record"]
    assert isinstance(record, dict)
    assert 'VirtualOrganisation = "dteam"' in record["jdl"]


# -- the examples ----------------------------------------------------------------------------------------


def test_pi_brings_its_result_home(user: Person, tmp_path: Path):
    job = done(user, user.submits("pi.jdl"))
    found = user.sees("job-output", "--json", "--dir", str(tmp_path), job).document["jobs"][job]
    assert {file["name"] for file in found["files"]} == {"pi.out", "pi.err", "result.txt"}
    assert re.match(r"pi = 3\.\d+ ", Path(found["location"], "result.txt").read_text())
    assert 'at the quarter circle on' in Path(found["location"], "pi.out").read_text()
    assert (found["outcome"], found["purged"]) == ("Done", True)


def test_output_that_goes_elsewhere_is_there_and_that_is_said(user: Person, tmp_path: Path):
    place = tmp_path / "away" / "o u t"
    jdl = f'''Executable = "/bin/echo"; Arguments = "hello"; StdOutput = "out"; StdError = "err";
        OutputSandbox = {{"out", "err"}}; OutputSandboxDestURI = {{"file://{place}", "errors"}};'''
    job = done(user, user.submits(jdl))
    fetched = user.sees("job-output", "--dir", str(tmp_path), job)
    assert f"- out went to file://{tmp_path}/away/o%20u%20t" in fetched.out
    assert place.read_text() == "hello\n"
    assert [file.name for file in (tmp_path / JobId.parse(job).unique).iterdir()] == ["errors"]


def test_a_program_that_fails_is_done_and_says_how(user: Person):
    job = done(user, user.submits("fails.jdl"))
    shown = user.sees("job-status", job).flat
    assert "Current Status: Done (Exit Code !=0) Exit code: 3 Status Reason: Warning: job exit code != 0" in shown
    assert user.sees("job-output", "--dir", "failed", job).status == 0
    assert (user.home / "failed" / JobId.parse(job).unique / "fails.out").read_text() == "about to fail\n"


def test_a_job_that_nobody_can_take_waits_and_says_why(user: Person):
    job = user.submits("nowhere.jdl")
    with user.client() as client:
        waiting = client.one_status(job)
        while not waiting.get("reason"):
            waiting = client.one_status(job, wait_s=10, newer_than=waiting["version"])
    assert waiting["state"] == "Waiting"
    assert "other.GlueCEInfoTotalCPUs > 100000" in waiting["reason"]
    user.sees("job-cancel", "--noint", job)
    assert status(user, done(user, job))["Current Status"] == "Cancelled"


def test_a_job_that_sleeps_is_running_and_its_output_not_ready(user: Person):
    job = user.submits("sleeps.jdl")
    with user.client() as client:
        for seen in client.watch(job):
            if seen["state"] == "Running":
                break
    user.is_refused("NS_JOB_OUTPUT_NOT_READY", "job-output", job)
    user.sees("job-cancel", "--noint", job)
    assert status(user, done(user, job))["Current Status"] == "Cancelled"


# -- job-status, job-logging-info ------------------------------------------------------------------------


def test_one_unknown_job_among_others_is_a_part_of_the_answer(user: Person, finished: str):
    unknown = finished[:-22] + "A" * 22
    ran = user.types("job-status", finished, unknown)
    assert ran.status == 255
    assert f"for the Job: {finished}" in ran.out
    assert "**** Error: NS_NO_SUCH_JOB ****" in ran.err
    document = user.types("job-status", "--json", finished, unknown).document
    assert document["result"] == "partial"
    assert document["jobs"][finished]["Current Status"] == "Done (Success)"
    assert document["jobs"][unknown]["error"]["code"] == "NS_NO_SUCH_JOB"
    user.is_refused("NS_NO_SUCH_JOB", "job-status", unknown)
    user.is_refused("NS_NO_SUCH_JOB", "job-logging-info", unknown)


def test_all_my_jobs_by_state(user: Person, finished: str):
    shown = user.sees("job-status", "--all", "--status", "Done", "-v", "0").out
    assert finished in shown
    assert set(re.findall(r"Current Status: +(\w+)", shown)) == {"Done"}


@pytest.mark.parametrize("level", [0, 1, 2, 3])
def test_what_was_logged_of_a_job(user: Person, finished: str, level: int):
    shown = user.sees("job-logging-info", "-v", str(level), finished).out
    assert shown.splitlines()[:4] == ["*" * 70, "LOGGING INFORMATION:", "", f"Printing info for the Job : {finished}"]
    events = re.findall(r"^Event: (\w+)" if level else r"^ - (\w+)", shown, re.MULTILINE)
    assert (events[0], events[-1], events.count("Done")) == ("RegJob", "Done", 2)
    assert ("Seqcode" in shown) == (level == 3)


def test_events_can_be_chosen_and_saved(user: Person, finished: str):
    ran = user.sees("job-logging-info", "--event", "Match", "--event", "RegJob", "-o", "events", finished)
    assert str(user.home / "events") in ran.out
    assert re.findall(r"^Event: (\w+)", (user.home / "events").read_text(), re.MULTILINE) == ["RegJob", "Match"]


# -- job-output, job-list-match --------------------------------------------------------------------------


def test_output_is_given_once(user: Person, tmp_path: Path):
    job = done(user, user.submits(ECHO))
    for _ in range(2):
        user.sees("job-output", "--nopurge", "--noint", "--dir", str(tmp_path), job)
    user.sees("job-output", "--noint", "--dir", str(tmp_path), job)
    user.is_refused("NS_JOB_OUTPUT_RETRIEVED", "job-output", "--noint", "--dir", str(tmp_path), job)
    assert (tmp_path / JobId.parse(job).unique / "out").read_text() == "hello\n"


def test_files_that_are_there_are_not_overwritten_unasked(user: Person, tmp_path: Path):
    job = done(user, user.submits(ECHO))
    here = tmp_path / JobId.parse(job).unique
    here.mkdir()
    (here / "out").write_text("mine")
    refused = user.types("job-output", "--dir", str(tmp_path), job, answers="n\n")
    assert (refused.status, (here / "out").read_text()) == (1, "mine")
    assert user.types("job-output", "--dir", str(tmp_path), job, answers="y\n").status == 0
    assert (here / "out").read_text() == "hello\n"


def test_output_without_a_directory_goes_to_the_usual_place(user: Person):
    job = done(user, user.submits(ECHO))
    here = Path("/tmp/jobOutput") / JobId.parse(job).unique
    try:
        assert user.sees("job-output", job).out.endswith(f"in the directory:\n{here}\n")
        assert (here / "out").read_text() == "hello\n"
    finally:
        shutil.rmtree(here, ignore_errors=True)


def test_the_usual_place_is_for_everybody(tmp_path: Path):
    place = tmp_path / "jobOutput"
    for _ in range(2):
        make_shared(str(place))
        assert stat.filemode(place.stat().st_mode) == "drwxrwxrwt"


def test_a_job_without_output_says_so(user: Person):
    job = done(user, user.submits(TRUE))
    assert "No output files to be retrieved for the job:" in user.sees("job-output", "--dir", "none", job).out
    assert not (user.home / "none").exists()


def test_matching_for_a_chosen_computing_element_makes_no_sense(user: Person, ce: str):
    user.writes("pinned.jdl", f'{TRUE} SubmitTo = "{ce}";')
    message = user.is_refused("NS_OPERATION_NOT_ALLOWED", "job-list-match", "pinned.jdl")
    assert "Forcing CEId for job-list-match does not make sense." in message


def test_nothing_that_matches_is_an_answer(user: Person):
    shown = user.sees("job-list-match", "nowhere.jdl")
    assert "No Computing Element matching your job requirements has been found!" in shown.out
    assert user.sees("job-list-match", "--json", "nowhere.jdl").document["ceid"] == []


# -- names -----------------------------------------------------------------------------------------------


def test_every_command_has_the_names_of_the_field(user: Person):
    setup = ConfigParser()
    setup.read(REPOSITORY / "setup.cfg")
    names = [line.partition("=")[0].strip() for line in setup["options.entry_points"]["console_scripts"].splitlines()]
    assert {f"{prefix}job-{name}" for name in COMMANDS for prefix in ("", "glite-")} <= set(names)
    assert {"glite-job-get-output", "glite-job-get-logging-info"} <= set(names)
    for name in names:
        if "job-" in name:
            assert "WMS User Interface version" in user.sees(name, "--version").out
