"""The tools of the bookkeeping as people type them, against a running service: answers, refusals, exit statuses."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pytest
from deployment import PATIENCE_S, Deployment, free_ports, until
from people import Person, owner, someone

from clients.commands import PROGRAMS
from wms.jobid import JobId
from wms.ulm import from_ulm

ID = r"https://localhost:\d+/[\w-]{22}"
CODE = r"UI=\d{6}:NS=\d{10}:WM=\d{6}:BH=\d{10}:JSS=\d{6}:LM=\d{6}:LRMS=\d{6}:APP=\d{6,}:LBS=\d{6}"
SPECIAL = 'a "quoted\\ \\" name'
TOOLS = sorted(names[0] for module, names in PROGRAMS.items() if names[0].startswith("lb-"))


@pytest.fixture(scope="module")
def service(pattern: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    with pattern.copy(tmp_path_factory.mktemp("tools") / "wms") as made:
        made.configure(lb={"max_jobs": 7, "max_events": 7}, interlogger={"retry_s": 0.5})
        made.start("lb", "interlogger")
        yield made


@pytest.fixture(scope="module")
def user(service: Deployment) -> Person:
    return owner(service, service.directory / "home")


@pytest.fixture(scope="module")
def bob(service: Deployment) -> Person:
    return someone(service, service.directory / "bob", "bob")


def place(user: Person) -> str:
    return user.service.addresses()["WMS_LB"].removeprefix("https://")


def registered(user: Person, *words: str) -> str:
    """A new job."""
    return str(user.sees("lb-job-reg", "--json", *words).document["jobid"])


def log(user: Person, job: str, source: str, type: str, *words: str, code: str = "") -> str:
    """An event that is at the server afterwards; the next code."""
    coded = ("-c", code) if code else ()
    return user.sees("lb-logevent", "-p", "-s", source, "-e", type, "-j", job, *coded, *words).out.strip()


def begun(user: Person) -> tuple[str, str]:
    """A new job and its sequence code."""
    told = user.sees("lb-job-reg", "--json").document
    return told["jobid"], told["seqcode"]


def record(user: Person, job: str, *words: str) -> dict[str, Any]:
    found: dict[str, Any] = user.sees("lb-job-status", "--json", *words, job).document["jobs"][job]
    return found


def dn(user: Person) -> str:
    return str(record(user, registered(user))["owner"])


def is_refused(user: Person, code: str, program: str, *words: str, status: int = 1, answers: str = "",
               **environment: str) -> str:
    """Refused once with this code; what is said."""
    plain = user.types(program, *words, answers=answers, **environment)
    assert (plain.status, plain.err.count("**** Error: ")) == (status, 1), plain
    assert plain.err.startswith(f"**** Error: {code} ****\n"), plain.err
    return plain.err


# -- registering and looking -----------------------------------------------------------------------------


def test_a_registration_says_how_to_go_on(user: Person):
    ran = user.sees("glite-lb-job_reg", "-m", place(user), "-s", "userinterface", "-x", "-X", "/tmp/sock")
    found = re.fullmatch(rf'new jobid: ({ID})\n\nEDG_JOBID="({ID})"\nEDG_WL_SEQUENCE="{CODE}"\n', ran.out)
    assert found is not None, ran.out
    assert found[1] == found[2]
    again = user.sees("lb-job-reg", "-j", found[1])
    assert "new jobid" not in again.out
    assert record(user, found[1])["jobtype"] == "SIMPLE"


@pytest.mark.parametrize(("option", "jobtype"), [("-c", "CREAM"), ("-v", "VIRTUAL_MACHINE")])
def test_jobs_of_other_kinds(user: Person, option: str, jobtype: str):
    assert record(user, registered(user, option))["jobtype"] == jobtype


@pytest.mark.parametrize(("options", "name", "jobtype"), [
    ((), "EDG_WL_DAG_JOBID", "DAG"), (("-C", "-S"), "EDG_WL_COLLECTION_JOBID", "COLLECTION")])
def test_children_of_a_compound_job(user: Person, options: tuple[str, ...], name: str, jobtype: str):
    out = user.sees("lb-job-reg", "-n", "3", "-e", "seed", *options).out
    (parent,) = re.findall(f'^{name}="({ID})"$', out, re.MULTILINE)
    children = re.findall(rf'^EDG_WL_SUB_JOBID\[(\d)\]="({ID})"$', out, re.MULTILINE)
    assert children == [(str(index), str(JobId.parse(parent).subjob("seed", index))) for index in range(3)]
    found = record(user, parent, "--fullhist")
    assert (found["jobtype"], found["children_num"], found["children_hist"]) == (jobtype, 3, {"Submitted": 3})
    assert {child["jobId"] for child in found["children_states"]} == {child for _, child in children}
    events = user.sees("lb-job-log", "--json", children[0][1]).document["events"]
    assert [event["source"] for event in events] == (["LBServer", "UserInterface"] if options else ["LBServer"])
    assert "children_states" not in record(user, parent, "--nochildrenstates", "--fasthist")


def test_a_registration_with_everything(user: Person):
    parent = registered(user, "-C", "-n", "1")
    user.writes("job.jdl", '[ Executable = "/bin/true"; ]')
    found = record(user, registered(user, "-l", "job.jdl", "-P", parent, "-s", "NetworkServer"))
    assert (found["jdl"], found["parent_job"]) == ('[ Executable = "/bin/true"; ]', parent)


def test_exclusive_registrations(user: Person):
    job = registered(user, "-E")
    is_refused(user, "LB_JOB_EXISTS", "lb-job-reg", "-E", "-j", job)


def test_a_registration_that_makes_no_sense(user: Person):
    is_refused(user, "UI_ARG_MISMATCH", "lb-job-reg", "-C", status=2)
    is_refused(user, "UI_ARG_EXCLUSIVE", "lb-job-reg", "-c", "-v", status=2)
    assert "LRMS" in is_refused(user, "UI_ARG_MISMATCH", "lb-job-reg", "-s", "nobody", status=2)
    is_refused(user, "UI_JDL_FILE_MISSING", "lb-job-reg", "-l", "nowhere.jdl")
    is_refused(user, "UI_WRONG_JOBID_FORMAT", "lb-job-reg", "-j", "nonsense")


def test_every_field_of_a_status(user: Person):
    job = registered(user)
    lines = user.sees("glite-lb-job_status", "-x", "/tmp/sock", job).out.splitlines()
    assert lines[:3] == ["state : Submitted", f"jobId : {job}", f"owner : {dn(user)}"]
    assert "jobtype : SIMPLE" in lines
    assert "cancelling : 0" in lines
    assert lines[lines.index("stateEnterTimes :") + 2] == "       Waiting      - not available -"
    assert user.sees("lb-job-status", "-x", job).out.startswith("state : Submitted\n")
    every = user.sees("lb-job-status", "-all", "--json").document["jobs"]
    assert job in every


def test_some_of_the_jobs_and_none(user: Person):
    job = registered(user)
    nowhere = job.rpartition("/")[0] + "/" + "A" * 22
    some = user.types("lb-job-status", job, nowhere)
    assert (some.status, some.out.count("jobId : "), some.err.count("NS_NO_SUCH_JOB")) == (255, 1, 1)
    both = user.types("lb-job-status", "--json", job, nowhere)
    assert (both.status, both.err, both.document["result"]) == (255, "", "partial")
    is_refused(user, "NS_NO_SUCH_JOB", "lb-job-status", nowhere)
    is_refused(user, "UI_WRONG_JOBID_FORMAT", "lb-job-status", "nonsense")
    is_refused(user, "UI_ARG_MISS", "lb-job-status", status=2)


def test_my_jobs_as_a_tree(user: Person, service: Deployment):
    carol = someone(service, service.directory / "carol", "carol")
    is_refused(carol, "LB_NOTHING_FOUND", "lb-user-jobs")
    single, parent = registered(carol), registered(carol, "-C", "-n", "9")
    last = str(JobId.parse(parent).subjob(None, 8))
    until(lambda: carol.types("lb-job-status", last).status == 0, "the last child")
    lines = carol.sees("glite-lb-user_jobs").out.splitlines()
    below = lines.index(f"COLL  {parent} .... Submitted")
    assert all(re.fullmatch(rf" `-       {ID} \.\.\.\. Submitted", line) for line in lines[below + 1:below + 10])
    assert f"      {single} .... Submitted" in lines
    assert lines[-1] == "Found 11 jobs"
    assert len(carol.sees("lb-user-jobs", "--json").document["jobs"]) == 11
    few = carol.sees("lb-user-jobs", "-J", "2")
    assert few.out.endswith("Found 2 jobs\n")
    assert "**** Warning: LB_TOO_MANY_RESULTS ****\nThere are more than these 2" in few.err
    assert carol.sees("lb-user-jobs", "--json", GLITE_WMS_QUERY_JOBS_LIMIT="3").document["more"] is True


# -- events ----------------------------------------------------------------------------------------------


def test_events_go_in_and_come_out(user: Person):
    job, code = begun(user)
    following = log(user, job, "Application", "UserTag", "--name", "phase", "--value", SPECIAL, code=code)
    assert re.fullmatch(CODE, following)
    lines = user.sees("glite-lb-job_log", "-x", job).out.splitlines()
    events = [from_ulm(line) for line in lines]
    assert [event.type for event in events] == ["RegJob", "UserTag"]
    assert events[1].fields["value"] == SPECIAL
    assert record(user, job)["user_tags"] == {"phase": SPECIAL}
    told = user.sees("lb-job-log", "--json", job).document
    assert (told["result"], [one["type"] for one in told["events"]]) == ("success", ["RegJob", "UserTag"])
    done = subprocess.run(user.service.command("lb-fold", "-"), input="\n".join(lines), text=True,
                          capture_output=True, check=True)
    assert json.loads(done.stdout)["user_tags"] == {"phase": SPECIAL}


def test_a_log_that_is_not_there_is_asked_for_again(user: Person):
    job = registered(user)
    nowhere = job.rpartition("/")[0] + "/" + "B" * 22
    is_refused(user, "NS_NO_SUCH_JOB", "lb-job-log", nowhere)
    began = time.monotonic()
    user.is_refused("NS_NO_SUCH_JOB", "lb-job-log", "-r", "1", "-d", "1", nowhere)
    assert time.monotonic() - began >= 1


def test_a_sandbox_is_a_job_of_its_own(user: Person):
    job = registered(user)
    ran = user.sees("glite-lb-register_sandbox", "-j", job, "-i", "-f", "gsiftp://a/x", "-t", "gsiftp://b/x")
    found = re.fullmatch(rf'GLITE_LB_ISB_JOBID="(https://localhost:\d+/FT:[\w-]{{22}})"\nGLITE_LB_ISB_SEQUENCE="{CODE}"'
                         rf'\nGLITE_WMS_SEQUENCE_CODE="({CODE})"\n', ran.out)
    assert found is not None, ran.out
    assert record(user, job)["isb_transfer"] == found[1]
    transfer = record(user, found[1])
    assert (transfer["jobtype"], transfer["extra"]["ft_src"]) == ("FILE_TRANSFER", "gsiftp://a/x")
    parts = user.sees("lb-register-sandbox", "-j", job, "-o", "-n", "2", "-c", found[2], "--json").document
    assert record(user, job)["osb_transfer"] == parts["jobid"]
    assert [record(user, part)["parent_job"] for part in parts["children"]] == [parts["jobid"]] * 2
    is_refused(user, "UI_ARG_EXCLUSIVE", "lb-register-sandbox", "-j", job, "-i", "-o", "-n", "1", status=2)
    is_refused(user, "UI_ARG_MISS", "lb-register-sandbox", "-j", job, "-i", "-f", "gsiftp://a", status=2)


# -- queries ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def family(user: Person) -> tuple[str, list[str]]:
    """A collection of nine, the first of which runs."""
    told = user.sees("lb-job-reg", "--json", "-C", "-n", "9").document
    log(user, told["children"][0], "LogMonitor", "Running", "--node", "wn1")
    return told["jobid"], told["children"]


def test_conditions_from_everywhere(user: Person, family: tuple[str, list[str]]):
    parent, children = family
    lines = f"parent_job = {parent}\nstatus = running status = done\n"
    line = f"{children[0]} .... Running\n\nFound 1 jobs\n"
    assert user.sees("lb-query", answers=lines).out == line
    assert user.sees("glite-lb-query_ext", "-", "-P", "-p", "/tmp/sock", answers=lines).out == line
    user.writes("conditions", lines)
    assert user.sees("lb-query", "conditions").out == line
    assert user.sees("lb-query", "-i", "conditions").out == line
    assert user.sees("lb-query", "-q", f"parent_job={parent}&status=running|=done").out == line
    assert user.sees("lb-query", "--no-states", "conditions").out == children[0] + "\n"
    assert user.sees("lb-query", "-s", "conditions").out.startswith(f"state : Running\njobId : {children[0]}\n")
    (found,) = user.sees("lb-query", "--json", "-C", "conditions").document["jobs"]
    assert (found["jobId"], found["state"]) == (children[0], "Running")


def test_all_pages_a_limit_and_what_to_do_about_it(user: Person, family: tuple[str, list[str]]):
    words = ("lb-query", "-q", f"parent_job={family[0]}")
    assert user.sees(*words).out.endswith("Found 9 jobs\n")
    eight = user.sees(*words, "-J", "8")
    assert eight.out.endswith("Found 8 jobs\n")
    assert "LB_TOO_MANY_RESULTS" in eight.err
    assert user.sees(*words, GLITE_WMS_QUERY_JOBS_LIMIT="2").out.endswith("Found 2 jobs\n")
    assert user.sees(*words, EDG_WL_QUERY_JOBS_LIMIT="2").out.endswith("Found 2 jobs\n")
    assert user.sees(*words, "-J", "0", GLITE_WMS_QUERY_JOBS_LIMIT="2").out.endswith("Found 9 jobs\n")
    is_refused(user, "LB_TOO_MANY_RESULTS", *words, "-J", "2", "-r", "none")
    is_refused(user, "LB_TOO_MANY_RESULTS", *words, "-J", "2", GLITE_WMS_QUERY_RESULTS="None")
    everything = user.sees("lb-query", "-q", f"parent_job={family[0]}&owner=", "-J", "2", "-r", "all", "--json")
    assert len(everything.document["jobs"]) == 9
    is_refused(user, "UI_ARG_MISMATCH", *words, GLITE_WMS_QUERY_RESULTS="some", status=2)
    is_refused(user, "UI_CONFIG_ATTRIBUTE", *words, GLITE_WMS_QUERY_JOBS_LIMIT="many", status=2)


def test_events_by_conditions(user: Person, family: tuple[str, list[str]]):
    parent, children = family
    lines = f"parent_job = {parent}\n\nevent_type = Running\n"
    (line,) = user.sees("lb-query", "-e", answers=lines).out.splitlines()
    assert from_ulm(line).fields["node"] == "wn1"
    user.writes("about", "event_type = running")
    (found,) = user.sees("lb-query", "-w", "about", "-q", f"jobid={children[0]}", "--json").document["events"]
    assert (found["type"], found["job"]) == ("Running", children[0])
    words = ("lb-query", "-e", "-q", f"parent_job={parent}", "--json")
    assert len(user.sees(*words).document["events"]) == 10
    assert len(user.sees(*words, GLITE_WMS_QUERY_EVENTS_LIMIT="4").document["events"]) == 4
    assert len(user.sees(*words, "-E", "3", GLITE_WMS_QUERY_EVENTS_LIMIT="4").document["events"]) == 3
    is_refused(user, "UI_ARG_EXCLUSIVE", "lb-query", "-w", "-", status=2)


@pytest.mark.parametrize(("lines", "code", "where"), [
    ("status = running\n", "LB_NO_INDEX", "owner"),
    ("owner = \"\"\nstatus : running\n", "UI_ARG_MISMATCH", "part 2, character 7"),
    ("owner = \"\"\nstatus = sleeping\n", "UI_ARG_MISMATCH", "part 2, character 1"),
    ("jobid = nonsense\n", "UI_ARG_MISMATCH", "not a job identifier: 'nonsense'"),
    ("no_such_tag = x\n", "LB_NOTHING_FOUND", "as far as you may see")])
def test_bad_conditions_say_where(user: Person, lines: str, code: str, where: str):
    assert where in is_refused(user, code, "lb-query", answers=lines)


def test_other_bad_queries(user: Person):
    assert "character 8" in is_refused(user, "UI_ARG_MISMATCH", "lb-query", "-q", "owner=&colour=red").replace(
        "part 2, character 7", "character 8")
    is_refused(user, "UI_READ_FILE", "lb-query", "nowhere")
    (user.home / "binary").write_bytes(b"\xff\xfe")
    assert "not UTF-8" in is_refused(user, "UI_READ_FILE", "lb-query", "binary")


# -- which server, and how long --------------------------------------------------------------------------


def test_variables_name_the_server(user: Person):
    (closed,) = free_ports(1)
    job, here, away = registered(user), place(user), f"localhost:{closed}"
    nowhere = {"WMS_LB": f"https://{away}", "WMS_ENDPOINT": f"https://{away}"}
    for name in ("GLITE_WMS_QUERY_SERVER", "GLITE_LB_QUERY_SERVER", "EDG_WL_QUERY_SERVER"):
        user.sees("lb-query", "-q", f"jobid={job}", **nowhere, **{name: here})
    user.sees("lb-query", "-q", f"jobid={job}", "-m", here, **nowhere, GLITE_WMS_QUERY_SERVER=away)
    assert away in is_refused(user, "LB_API_OPEN", "lb-query", "-q", "owner=", GLITE_WMS_QUERY_SERVER=away)
    user.sees("lb-job-status", job, GLITE_WMS_QUERY_SERVER=away)
    is_refused(user, "LB_API_OPEN", "lb-job-status", job, GLITE_WMS_QUERY_SERVER=away,
               GLITE_WMS_QUERY_SERVER_OVERRIDE="yes")
    elsewhere = job.replace(here, away)
    is_refused(user, "LB_API_OPEN", "lb-job-status", elsewhere)
    is_refused(user, "UI_CONFIG_ATTRIBUTE", "lb-query", "-q", "owner=", "-m", "http://x", status=2)


def test_a_server_that_does_not_answer_is_given_up(user: Person):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"localhost:{silent.getsockname()[1]}"
        for program, variable in (("lb-query", "GLITE_WMS_QUERY_TIMEOUT"), ("lb-query", "EDG_WL_QUERY_TIMEOUT")):
            said = user.is_refused("LB_API_OPEN", program, "-q", "owner=", "-m", address, **{variable: "0.3"})
            assert "no connection within 0.3 s" in said
        said = user.is_refused("LB_API_OPEN", "lb-notify", "list", "-m", address, GLITE_WMS_NOTIF_TIMEOUT="0.2")
        assert "no connection within 0.2 s" in said
    is_refused(user, "UI_CONFIG_ATTRIBUTE", "lb-user-jobs", GLITE_WMS_QUERY_TIMEOUT="soon", status=2)
    is_refused(user, "UI_CONFIG_ATTRIBUTE", "lb-notify", "list", EDG_WL_NOTIF_TIMEOUT="soon", status=2)


def test_without_a_good_proxy(user: Person, service: Deployment):
    is_refused(user, "UI_PROXY_NOT_FOUND", "lb-user-jobs", X509_USER_PROXY="/nowhere")
    late = someone(service, service.directory / "late", "late", made=time.time() - 7200, life_s=3600)
    is_refused(late, "UI_PROXY_EXPIRED", "lb-notify", "list")


def test_a_reader_that_goes_away(user: Person):
    registered(user, "-C", "-n", "1500")
    for words in (("lb-query", "-q", "owner="), ("lb-job-status", "--all"), ("lb-job-reg", "-C", "-n", "3000")):
        command = " ".join(f"'{word}'" for word in user.service.command(words[0], *words[1:]))
        done = subprocess.run(["sh", "-c", f"{command} | head -1"], text=True, capture_output=True, check=False,
                              cwd=user.home, env={**user.service.environment(), "X509_USER_PROXY": str(user.proxy)},
                              timeout=PATIENCE_S)
        assert (len(done.stdout.splitlines()), done.stderr) == (1, "")


# -- others ----------------------------------------------------------------------------------------------


def test_who_may_read_is_the_owners_to_say(user: Person, bob: Person):
    job, him = registered(user), dn(bob)
    is_refused(bob, "NS_NOT_OWNER", "lb-job-status", job)
    ran = user.sees("glite-lb-change_acl", job, him)
    assert ran.out == f"The access list of {job} has been changed.\n"
    assert record(bob, job)["owner"] == dn(user)
    assert bob.sees("lb-job-log", job).out
    user.sees("lb-change-acl", "-d", job, him)
    is_refused(bob, "NS_NOT_OWNER", "lb-job-status", job)
    user.sees("lb-change-acl", "-d", "-r", job, him)
    record(bob, job)
    assert user.sees("lb-change-acl", "--remove", "--json", job, him).document == {"result": "success", "jobid": job}
    is_refused(bob, "NS_NOT_OWNER", "lb-job-log", job)
    is_refused(user, "UI_ARG_MISMATCH", "lb-change-acl", "-r", job, him)
    bob.is_refused("NS_NOT_OWNER", "lb-change-acl", job, him)
    is_refused(user, "UI_WRONG_JOBID_FORMAT", "lb-change-acl", "nonsense", him)


def test_tags_of_somebody_else(user: Person, bob: Person):
    job, him = registered(user), dn(bob)
    words = ("lb-logevent", "-p", "-s", "Application", "-e", "UserTag", "-j", job, "--name", "by", "--value", "bob")
    user.sees("lb-change-acl", "-p", "tag", job, him)
    user.sees("lb-change-acl", "-g", job, "/dteam/prod")
    bob.sees(*words)
    rights = record(user, job)
    assert rights["user_tags"] == {"by": "bob"}
    assert "fqan:/dteam/prod" in rights["acl"]


# -- notifications ---------------------------------------------------------------------------------------


class Listener:
    """`lb-notify receive`, whose lines are read as they come."""

    def __init__(self, user: Person, id: str, *words: str) -> None:
        command = user.service.command("lb-notify", "receive", id, *words)
        environment = {**user.service.environment(), "X509_USER_PROXY": str(user.proxy)}
        self.process = subprocess.Popen(command, env=environment, cwd=user.home, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, preexec_fn=_interruptible)
        self._left = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.process.kill()
        self.process.communicate()

    def line(self) -> str:
        assert self.process.stdout is not None
        while b"\n" not in self._left:
            assert select.select([self.process.stdout], [], [], PATIENCE_S)[0], "waited for a notice"
            piece = os.read(self.process.stdout.fileno(), 1 << 16)
            assert piece, "no more notices"
            self._left += piece
        line, _, self._left = self._left.partition(b"\n")
        return line.decode()

    def end(self, number: int) -> tuple[int, str]:
        """Its exit status and what it said, after this signal."""
        self.process.send_signal(number)
        _out, err = self.process.communicate(timeout=PATIENCE_S)
        return self.process.returncode, err.decode()


def _interruptible() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def new(user: Person, *words: str) -> str:
    return str(user.sees("lb-notify", "new", "--json", *words).document["id"])


def test_notices_come_while_a_job_moves_and_none_twice(user: Person):
    job, code = begun(user)
    id = new(user, "-j", job, "-c")
    with Listener(user, id) as listener:
        code = log(user, job, "NetworkServer", "Accepted", "--from", "UserInterface", "--from_host", "ui", code=code)
        assert listener.line().split("\t")[1:] == [job, "Waiting"]
        code = log(user, job, "LogMonitor", "Running", "--node", "wn1", code=code)
        assert listener.line().split("\t")[1:] == [job, "Running"]
        assert listener.end(signal.SIGINT) == (130, "\ninterrupted\n")
    log(user, job, "LogMonitor", "Done", "--status_code", "OK", "--exit_code", "3", code=code)
    again = user.sees("lb-notify", "receive", id, "--json", "-i", "1")
    (notice,) = map(json.loads, again.out.splitlines())
    assert (notice["stateName"], notice["jobid"], notice["exitCode"]) == ("Done", job, 3)
    assert user.sees("lb-notify", "receive", id, "-i", "1").out == ""


def test_what_a_killed_listener_heard_comes_again(user: Person):
    job = registered(user)
    id = new(user, "-j", job, "-T", "-J")
    with Listener(user, id, "-f", "stateName, jobid") as listener:
        log(user, job, "LogMonitor", "Running", "--node", "wn1")
        log(user, job, "WorkloadManager", "Abort", "--reason", "x")
        assert listener.line() == f"Aborted\t{job}"
        assert listener.end(signal.SIGKILL)[0] == -signal.SIGKILL
    assert user.sees("lb-notify", "receive", id, "-i", "1", "-f", "stateName").out == "Aborted\n"


def test_a_listener_is_told_when_another_takes_its_place(user: Person):
    job = registered(user)
    id = new(user, "-j", job)
    with Listener(user, id) as first:
        log(user, job, "LogMonitor", "Running", "--node", "wn1")
        first.line()
        with Listener(user, id) as second:
            assert first.process.wait(PATIENCE_S) == 1
            assert "LB_NOTIFY_TAKEN" in first.process.stderr.read().decode()
            log(user, job, "WorkloadManager", "Abort", "--reason", "x")
            second.line()


def test_a_listener_survives_the_server(user: Person, pattern: Deployment, workplace: Path):
    with pattern.copy(workplace / "wms") as made:
        alone = owner(made, made.directory / "home")
        first = made.start("lb", "interlogger")
        id = new(alone, "-O")
        with Listener(alone, id, "-i", "60", "-r") as listener:
            one = registered(alone)
            assert listener.line().split("\t")[1] == one
            first.terminate()
            made.start("lb", "interlogger")
            two = registered(alone)
            assert listener.line().split("\t")[1] == two
            assert listener.end(signal.SIGINT)[0] == 130


def test_the_life_of_a_registration(user: Person):
    ran = user.sees("glite-lb-notify", "new", "-O", "-S", "Running,Done", "-t", "600", "-s", "/tmp/sock")
    found = re.fullmatch(r"notification ID: (https://localhost:\d+/NOTIF:[\w-]+)\n"
                         r"valid: '\d{4}-\d\d-\d\d \d\d:\d\d:\d\d' \((\d+)\)\n", ran.out)
    assert found is not None, ran.out
    id, valid = found[1], float(found[2])
    assert 0 < valid - time.time() <= 601
    longer = user.sees("lb-notify", "refresh", id, "-t", "3600", "--json").document
    assert longer["valid_until"] > valid + 1000
    changed = user.sees("lb-notify", "change", id, "-v", "dteam", "-n", "ns1", "-n", "ns2", "--json").document
    assert [[one["attribute"] for one in group] for group in changed["conditions"]] == [
        ["network_server", "network_server"], ["jdl_attr"]]
    assert user.sees("lb-notify", "bind", id, "--json").document["destination"] == ""
    assert f"notification ID: {id}\n" in user.sees("lb-notify", "list").out
    assert id in [one["id"] for one in user.sees("lb-notify", "list", "--json").document["notifications"]]
    assert user.sees("lb-notify", "drop", id).out == f"{id} is dropped.\n"
    is_refused(user, "LB_NO_SUCH_NOTIFICATION", "lb-notify", "drop", id)
    is_refused(user, "LB_NO_SUCH_NOTIFICATION", "lb-notify", "receive", id)


def test_registrations_of_others_and_elsewhere(user: Person, bob: Person):
    id = new(user, "-O", "-B", "-H", "-N")
    assert bob.types("lb-notify", "drop", id).status == 1
    assert bob.types("lb-notify", "receive", id).status == 1
    assert bob.sees("lb-notify", "list").out == "You have no registrations.\n"
    (closed,) = free_ports(1)
    away = f"localhost:{closed}"
    is_refused(user, "LB_API_OPEN", "lb-notify", "new", "-O", GLITE_WMS_NOTIF_SERVER=away)
    is_refused(user, "LB_API_OPEN", "lb-notify", "receive", f"https://{away}/NOTIF:x")
    user.sees("lb-notify", "list", EDG_WL_NOTIF_SERVER=place(user), WMS_LB=f"https://{away}")


@pytest.mark.parametrize(("code", "words", "status"), [
    ("UI_ARG_MISS", ("new",), 2), ("UI_ARG_MISMATCH", ("new", "-j", "nonsense"), 1),
    ("UI_ARG_MISMATCH", ("new", "-S", "Sleeping"), 1), ("UI_ARG_MISMATCH", ("new", "-O", "-a", "0.0.0.0:9"), 1),
    ("UI_ARG_MISMATCH", ("refresh", "https://localhost:1/"), 2), ("UI_ARG_MISS", ("drop",), 2)])
def test_bad_words_about_notifications(user: Person, code: str, words: tuple[str, ...], status: int):
    is_refused(user, code, "lb-notify", *words, status=status)


# -- upkeep and figures ----------------------------------------------------------------------------------


def test_purge_dump_and_load(user: Person):
    job, other = registered(user), registered(user)
    log(user, job, "LogMonitor", "Done", "--status_code", "OK", "--exit_code", "0")
    dumped = user.sees("glite-lb-dump", "-f", "20200101000000", "-t", "NOW", "-o", "all.ulm")
    (number,) = re.findall(r"UTC: (\d+)\n", dumped.out)
    assert len((user.home / "all.ulm").read_text().splitlines()) == int(number)
    user.writes("ids", f"###Submitted Job Ids###\n{job}\n")
    before = record(user, job)
    assert user.sees("lb-purge", "-r", "-l", "-j", "ids").out == f"{job}\nPurge: dry run\n1 jobs, 0 events\n"
    purged = user.sees("glite-lb-purge", "-x", "-l", "--jobid-file", "ids", "--json").document
    assert (purged["result"], purged["state"], purged["names"], purged["events"]) == ("success", "done", [job], 2)
    is_refused(user, "LB_JOB_PURGED", "lb-job-status", job)
    is_refused(user, "LB_JOB_EXISTS", "lb-job-reg", "-E", "-j", job)
    user.writes("ids", f"{job}\n{other}\n")
    some = user.types("lb-purge", "-j", "ids", "--json")
    assert (some.status, some.document["result"], list(some.document["problems"])) == (255, "partial", [job])
    user.writes("ids", f"{job}\n")
    assert user.types("lb-purge", "-j", "ids").status == 1
    assert user.sees("lb-purge", "--progress", "--json").document["state"] == "done"
    loaded = user.sees("glite-lb-load", "-f", "all.ulm", "--json").document
    assert (loaded["events"], loaded["rejected"], loaded["stored"] >= 3) == (int(number), 0, True)
    after = record(user, job)
    assert {key: after[key] for key in before if key != "version"} == {
        key: before[key] for key in before if key != "version"}
    there = user.sees("lb-load", "--there", "-f", purged["file"]).out
    assert there == "2 events read: 0 stored, 2 were there, 0 rejected\n"


def test_a_log_with_bad_lines_is_loaded_in_part(user: Person):
    job = registered(user)
    good = user.sees("lb-job-log", job).out
    ran = user.types("lb-load", "-f", "-", answers=good + "nonsense\n")
    assert ran.status == 255
    assert "\nline 2: " in ran.out
    assert user.types("lb-load", "-f", "-", "--json", answers="nonsense\n").document["result"] == "partial"


def test_upkeep_that_makes_no_sense(user: Person, bob: Person):
    assert "'3x' is no age" in is_refused(user, "UI_ARG_MISMATCH", "lb-purge", "-a", "3x", status=2)
    is_refused(user, "UI_ARG_MISMATCH", "lb-purge", "-r", "-t", "-1", status=2)
    is_refused(user, "UI_READ_FILE", "lb-purge", "-j", "nowhere")
    user.writes("bad", "# ids\nnonsense\n")
    assert "line 2" in is_refused(user, "UI_BAD_INPUT_FILE", "lb-purge", "-j", "bad")
    is_refused(user, "UI_NO_JOBID", "lb-purge", "-j", "-")
    is_refused(user, "UI_WRITE_FILE", "lb-dump", "-o", "/nowhere/x")
    is_refused(user, "UI_ARG_MISMATCH", "lb-dump", "-f", "yesterday")
    is_refused(user, "UI_READ_FILE", "lb-load", "-f", "nowhere")
    bob.writes("bad", "x")
    is_refused(bob, "LB_NOT_PERMITTED", "lb-purge", "-r")
    is_refused(bob, "WMS_POLICY", "lb-dump")
    is_refused(bob, "WMS_POLICY", "lb-load", "-f", "bad")


def test_rates_and_durations(user: Person):
    job, code = begun(user)
    code = log(user, job, "WorkloadManager", "Match", "--dest_id", "ce.example:2119/q", code=code)
    code = log(user, job, "LogMonitor", "Running", "--node", "wn1", code=code)
    log(user, job, "LogMonitor", "Done", "--status_code", "OK", "--exit_code", "0", code=code)
    (rate,) = user.sees("lb-stats", "ALL", "Running", "--json").document["statistics"]
    assert (rate["kind"], rate["samples"] >= 1) == ("rate", True)
    shown = user.sees("glite-lb-stats-duration-fromto", "ALL", "5", "6", "0").out
    assert re.fullmatch(r'Average duration Running -> Done OK at "ALL": \S+ s, deviation \S+ s \(\d+ jobs\)\n'
                        r"  Measured from .+ to .+\n  With resolution \d+ s\n", shown), shown
    assert len(user.sees("lb-stats", "-n", "60", "--json").document["statistics"]) == 6
    assert user.sees("lb-stats", "-d", "ALL", "Running").out.startswith("Average time in Running")
    names = user.sees("lb-stats", "-l").out.splitlines()
    assert names == user.sees("lb-stats", "-l", "--json").document["destinations"]
    assert "ce.example:2119/q" in names


@pytest.mark.parametrize(("code", "words", "status"), [
    ("UI_ARG_MISMATCH", ("ALL", "Sleeping"), 1), ("UI_ARG_MISMATCH", ("ALL", "Running", "Submitted"), 1),
    ("LB_NOTHING_FOUND", ("nowhere", "Running"), 1), ("UI_ARG_MISMATCH", ("ALL", "1", "2", "3"), 2),
    ("UI_ARG_EXCLUSIVE", ("-d", "ALL"), 2), ("UI_ARG_MISMATCH", ("-n", "0", "ALL"), 2)])
def test_figures_that_are_not_there(user: Person, code: str, words: tuple[str, ...], status: int):
    is_refused(user, code, "lb-stats", *words, status=status)


# -- all of them -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("code", "words", "status"), [
    ("NS_NO_SUCH_JOB", ("lb-job-status", "{nowhere}"), 1), ("NS_NO_SUCH_JOB", ("lb-job-log", "{nowhere}"), 1),
    ("LB_NO_INDEX", ("lb-query", "-q", "status=done"), 1), ("UI_ARG_MISS", ("lb-job-status",), 2),
    ("LB_NO_SUCH_NOTIFICATION", ("lb-notify", "receive", "{nowhere}"), 1),
    ("UI_ARG_MISMATCH", ("lb-purge", "-a", "3x"), 2), ("UI_READ_FILE", ("lb-load", "-f", "nowhere"), 1),
    ("UI_WRITE_FILE", ("lb-dump", "-o", "/nowhere/x"), 1), ("LB_NOTHING_FOUND", ("lb-stats", "nowhere", "5"), 1),
    ("NS_NO_SUCH_JOB", ("lb-change-acl", "{nowhere}", "/CN=x"), 1), ("UI_WRONG_OPT", ("lb-user-jobs", "--colour"), 2),
    ("UI_ARG_MISMATCH", ("lb-job-reg", "-s", "nobody"), 2),
    ("NS_NO_SUCH_JOB", ("lb-register-sandbox", "-j", "{nowhere}", "-i", "-n", "1"), 1)])
def test_a_refusal_as_json_is_one_document(user: Person, code: str, words: tuple[str, ...], status: int):
    nowhere = f"https://{place(user)}/{'C' * 22}"
    ran = user.types(*(word.format(nowhere=nowhere) for word in words), "--json")
    assert (ran.status, ran.err, ran.document["result"]) == (status, "", "failure")
    assert ran.document["error"]["code"] == code


@pytest.mark.parametrize("tool", TOOLS)
def test_help_is_short_work(user: Person, tool: str):
    """`-h` and `--help` say the same, and load nothing that talks to a service."""
    (module,) = (module for module, names in PROGRAMS.items() if names[0] == tool)
    words = [sys.executable, "-X", "importtime", "-m", f"clients.commands.{module}"]
    asked = subprocess.run([*words, "--help"], text=True, capture_output=True, check=True)
    assert asked.stdout.startswith(f"Usage: {tool} ")
    assert user.sees(tool, "-h").out == asked.stdout
    loaded = {line.rpartition("|")[2].strip() for line in asked.stderr.splitlines()}
    assert not loaded & {"twisted", "sqlalchemy", "ssl", "cryptography", "http.client", "jinja2"}
