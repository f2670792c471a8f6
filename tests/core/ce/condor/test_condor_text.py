"""Submit files, constraints, answers and published facts; HTCondor's own parser and ClassAds judge what we write."""

from __future__ import annotations

from typing import Any

import classad2
import htcondor2
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wms.ce import CeJob
from wms.ce.condor import answers
from wms.ce.condor.facts import facts, our_schedd
from wms.ce.condor.settings import CondorQueue, CondorSettings, problems
from wms.ce.condor.submitfile import (
    account,
    by_handles,
    by_installation,
    by_tokens,
    describe,
    label,
    shape_of,
)

SETTINGS = CondorSettings(spool="/spool", installation="h:/spool")
text = st.text(max_size=40) | st.sampled_from([
    "$(Cluster)", "$$(Arch)", "$ENV(HOME)", "a\nqueue\n", '"', "\\", ") #", "'"])
tokens = st.from_regex(r"[A-Za-z0-9_-]{1,20}", fullmatch=True)


def job(token: str = "t", **more: Any) -> CeJob:
    return CeJob(token, more.pop("job", "https://h:1/x"), "true", more.pop("queue", "default"), **more)


def described(settings: CondorSettings, *jobs: CeJob, log: str = "/spool/events/1.log") -> list[dict[str, str]]:
    """The jobs as HTCondor's parser reads them: commands in small letters, expanded."""
    shape = shape_of(jobs[0], settings.queues[jobs[0].queue], settings.by_owner)
    submit = htcondor2.Submit(describe(settings, shape, jobs, log))
    found = []
    for item in submit.itemdata():
        for name, value in item.items():
            submit[name] = value
        found.append({name.lower(): submit.expand(name) for name in submit})
    return found


@settings(max_examples=examples(60), deadline=None)
@given(jobs=st.lists(st.builds(job, tokens, job=text, owner=text), min_size=1, max_size=4), installation=text)
def test_no_name_can_add_a_line_or_a_macro(jobs: list[CeJob], installation: str) -> None:
    given_settings = msgspec.structs.replace(SETTINGS, installation=installation, by_owner=True)
    found = described(given_settings, *jobs)
    assert [one["my.wmstoken"] for one in found] == [f'"{job.token}"' for job in jobs]
    assert [one["my.wmsowner"] for one in found] == [f'"{label(job.owner)}"' for job in jobs]
    assert [one["initialdir"] for one in found] == [f"/spool/jobs/{job.token}" for job in jobs]
    assert {name for one in found for name in one} == {*described(given_settings, jobs[0])[0]}


@settings(max_examples=examples(200), deadline=None)
@given(text=text)
def test_a_label_is_one_word_that_means_nothing(text: str) -> None:
    assert label(text)
    assert not set(label(text)) & set(" \t\n\r\"'\\$(),#;")
    assert account(text).replace("_", "").replace("-", "").isalnum() or not account(text).strip("_-")


def test_a_submission() -> None:
    (found,) = described(SETTINGS, job(wall_s=90, memory_mb=100, cpus=2, smp=3, proxy=b"p", bearer=b"b"))
    assert (found["universe"], found["executable"]) == ("vanilla", "/spool/launcher")
    assert (found["request_cpus"], found["request_memory"]) == ("3", "100")
    assert found["x509userproxy"] == "/spool/jobs/t/wms_proxy"
    assert found["transfer_input_files"] == "wms_wrapper, wms_token"
    assert found["transfer_output_files"] == '""'
    assert (found["log"], found["my.wmswallseconds"]) == ("/spool/events/1.log", "90")
    assert "leave_in_queue" not in found


def test_a_spooled_submission_for_a_router() -> None:
    queue = CondorQueue(remote_queue="long", requirements="HasCvmfs", max_wall_s=100, max_cpu_s=50,
                        accounting_group="group_x", commands={"+Extra": "1"})
    far = msgspec.structs.replace(SETTINGS, spool_files=True, routed=True, queues={"default": queue}, by_owner=True)
    (found,) = described(far, job(wall_s=600, memory_mb=100, whole_nodes=True, owner="/CN=Jane Doe"), log="")
    assert found["my.remote_queue"] == '"long"'
    assert [found[f"my.{name}"] for name in ("xcount", "maxmemory", "maxwalltime", "wantwholenode", "extra")] == [
        "1", "100", "2", "True", "1"]
    assert (found["requirements"], found["accounting_group"]) == ("HasCvmfs", "group_x")
    assert (found["accounting_group_user"], found["my.wmscpuseconds"]) == ("CN_Jane_Doe", "50")
    assert "log" not in found
    ad = classad2.ClassAd({"JobStatus": 4})
    assert classad2.ExprTree(found["leave_in_queue"]).eval(ad) is True


def test_a_submission_through_our_own_schedd_to_another() -> None:
    grid = msgspec.structs.replace(SETTINGS, grid_resource="condor ce.example.org ce.example.org:9619", lease_s=0)
    (found,) = described(grid, job())
    assert (found["universe"], found["grid_resource"]) == ("grid", "condor ce.example.org ce.example.org:9619")
    assert "requirements" not in found
    assert "job_lease_duration" not in found


POLICIES = [
    ({"JobStatus": 1}, False), ({"JobStatus": 1, "NumJobStarts": 0}, False),
    ({"JobStatus": 1, "NumJobStarts": 1}, True),
    ({"JobStatus": 2, "NumJobStarts": 1}, False), ({"JobStatus": 2, "WmsWallSeconds": 60}, False),
    ({"JobStatus": 2, "WmsWallSeconds": 60, "JobCurrentStartDate": 1}, True),
    ({"JobStatus": 2, "WmsWallSeconds": 60, "JobCurrentStartDate": 10**11}, False),
    ({"JobStatus": 2, "WmsCpuSeconds": 60, "RemoteUserCpu": 50.0}, False),
    ({"JobStatus": 2, "WmsCpuSeconds": 60, "RemoteUserCpu": 50.0, "RemoteSysCpu": 11.0}, True),
]


@pytest.mark.parametrize(("values", "removed"), POLICIES)
def test_what_removes_a_job_is_never_undefined(values: dict[str, Any], removed: bool) -> None:
    """An undefined policy puts a job on hold."""
    expression = described(SETTINGS, job())[0]["periodic_remove"]
    ad = classad2.ClassAd({"WmsWallSeconds": 0, "WmsCpuSeconds": 0, "NumJobStarts": 0, **values})
    assert classad2.ExprTree(expression).eval(ad) is removed


def test_a_job_that_ran_matches_no_slot_again() -> None:
    queue = msgspec.structs.replace(SETTINGS, queues={"default": CondorQueue(requirements="TARGET.X == 1")})
    for given_settings, target in ((SETTINGS, {}), (queue, {"X": 1})):
        expression = classad2.ExprTree(described(given_settings, job())[0]["requirements"])
        assert [expression.eval(classad2.ClassAd(ad), classad2.ClassAd(target)) for ad in (
            {}, {"NumJobStarts": 0}, {"NumJobStarts": 1})] == [True, True, False]


def test_a_proxy_alone_and_no_token() -> None:
    assert "x509userproxy" not in described(SETTINGS, job(bearer=b"x"))[0]
    assert described(SETTINGS, job(proxy=b"x"))[0]["transfer_input_files"] == "wms_wrapper"


@settings(max_examples=examples(100), deadline=None)
@given(ours=st.lists(tokens, min_size=1, max_size=5), other=tokens, installation=text)
def test_constraints_find_exactly_our_jobs(ours: list[str], other: str, installation: str) -> None:
    ad = classad2.ClassAd({"WmsInstallation": label(installation), "WmsToken": other, "ClusterId": 5, "ProcId": 0})
    assert classad2.ExprTree(by_tokens(installation, ours)).eval(ad) is (other in ours)
    assert classad2.ExprTree(by_installation(installation)).eval(ad) is True
    assert classad2.ExprTree(by_installation(installation + "x")).eval(ad) is False
    routed = classad2.ClassAd({**dict(ad), "RoutedFromJobId": "5.0"})
    assert classad2.ExprTree(by_installation(installation)).eval(routed) is False
    assert classad2.ExprTree(by_handles(["4.0", "5.0"])).eval(ad) is True
    assert classad2.ExprTree(by_handles(["5.1"])).eval(ad) is False


# -- settings ----------------------------------------------------------------------------------------------


def test_good_settings_have_no_problems() -> None:
    queue = CondorQueue(requirements='OpSysAndVer == "Debian12"', commands={"+Flavour": '"x"', "rank": "Memory"})
    assert problems(msgspec.structs.replace(SETTINGS, schedd="s@ap.example.org", pool="cm.example.org:9618",
                                            queues={"a-1.b": queue})) == []


@pytest.mark.parametrize("more", [
    {"spool": "relative"}, {"spool": "/a b"}, {"spool": "/a$(x)"}, {"schedd": "-all"}, {"pool": "a b"},
    {"grid_resource": "a\nb"}, {"commands": {"Queue": "1"}}, {"commands": {"a b": "1"}}, {"commands": {"rank": "1\\"}},
    {"queues": {"a b": CondorQueue()}}, {"queues": {"a": CondorQueue(requirements="x\ny")}},
    {"queues": {"a": CondorQueue(remote_queue='a"b')}}, {"queues": {"a": CondorQueue(commands={"log": "x"})}},
])
def test_bad_settings(more: dict[str, Any]) -> None:
    assert len(problems(msgspec.structs.replace(SETTINGS, **more))) == 1


def test_spooled_jobs_have_no_log_here() -> None:
    assert SETTINGS.has_log
    assert not msgspec.structs.replace(SETTINGS, spool_files=True).has_log


# -- answers -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("stdout", "handles"), [
    ("12.0 - 12.2\n", ["12.0", "12.1", "12.2"]), ("12.0 - 12.0\n13.0 - 13.0\n", ["12.0", "13.0"]), ("", []),
    ("WARNING: x\n7.5 - 7.6\n", ["7.5", "7.6"]),
])
def test_ids_of_a_submission(stdout: str, handles: list[str]) -> None:
    assert answers.handles(stdout) == handles


def test_ads_as_json() -> None:
    assert answers.ads(b"") == answers.ads(b"\n[\n]\n") == []
    assert answers.ads(b'[\n{"A": 1, "B": "\tx\xff"}\n]\n') == [{"A": 1, "B": "\tx�"}]
    assert answers.handle_of({"ClusterId": 3, "ProcId": 4}) == "3.4"


@pytest.mark.parametrize("stdout", [b"{}", b"[1]", b"Error", b"[{]"])
def test_what_is_no_list_of_ads(stdout: bytes) -> None:
    with pytest.raises(ValueError, match=r"list of ads|Expecting"):
        answers.ads(stdout)


@pytest.mark.parametrize(("text", "verdict"), [
    ("ERROR: Can't find address of local schedd", "unavailable"),
    ("ERROR: Failed to connect to local queue manager AUTHENTICATE:1003:Failed to authenticate", "unavailable"),
    ("SECMAN:2007:Failed to end classad message", "unavailable"),
    ("ERROR: Number of submitted jobs would exceed MAX_JOBS_SUBMITTED", "later"),
    ("ERROR: Failed to commit job submission into the queue. ERROR: QMGMT: no", "unavailable"),
    ("ERROR: Failed to commit job submission into the queue. ERROR: request more memory", "refused"),
    ("ERROR: Executable file /x does not exist", "refused"),
])
def test_whose_an_error_of_a_submission_is(text: str, verdict: str) -> None:
    assert answers.verdict(text) == verdict


def test_words_are_one_line() -> None:
    assert answers.words(b"out", b" a\n  b\n") == "a b"
    assert (answers.words(b"out\n", b""), answers.words(b"", b"")) == ("out", "(no answer)")


# -- facts -------------------------------------------------------------------------------------------------

SCHEDD = {"Name": "ap", "Machine": "ap.example.org", "TotalRunningJobs": 7, "TotalIdleJobs": 9,
          "CondorVersion": "$CondorVersion: 25.0.3 2025-10-31 $", "MaxJobsRunning": 500, "MaxJobsPerOwner": 100}
BIG = {"SlotType": "Partitionable", "State": "Unclaimed", "TotalSlotCpus": 8, "Cpus": 5, "TotalSlotMemory": 16000,
       "Arch": "X86_64", "OpSysName": "AlmaLinux", "OpSysMajorVer": 9}
CUT = {"SlotType": "Dynamic", "State": "Claimed", "Cpus": 3}
FIXED = {"SlotType": "Static", "State": "Claimed", "Cpus": 1, "Memory": 2000}


def test_a_pool_is_published() -> None:
    found = facts(SETTINGS, "default", "ap.example.org", SCHEDD, [BIG, CUT, FIXED], [])
    assert (found.slots, found.free, found.running, found.waiting, found.status) == (9, 5, 7, 9, "Production")
    assert (found.lrms_version, found.max_running, found.max_total, found.max_slots_per_job) == ("25.0.3", 500, 100, 8)
    assert found.machine["GlueHostOperatingSystemName"] == "AlmaLinux"
    assert found.machine["GlueHostMainMemoryRAMSize"] == 16000
    assert found.response_s == 0


def test_our_own_jobs_are_counted_by_queue() -> None:
    two = msgspec.structs.replace(SETTINGS, queues={"a": CondorQueue(), "b": CondorQueue()}, routed=True)
    jobs = [{"JobStatus": status, "WmsQueue": queue} for status, queue in ((1, "a"), (2, "a"), (7, "a"), (1, "b"))]
    found = facts(two, "a", "h", None, [], jobs)
    assert (found.running, found.waiting, found.free, found.response_s) == (2, 1, 0, 120)
    assert (found.status, found.implementation, found.machine) == ("Closed", "HTCondor-CE", {})


def test_which_schedd_is_ours() -> None:
    other = {"Name": "x", "Machine": "x.example.org"}
    named = msgspec.structs.replace(SETTINGS, schedd="x")
    assert our_schedd(named, "ap.example.org", [SCHEDD, other]) == other
    assert our_schedd(SETTINGS, "ap.example.org", [other, SCHEDD]) == SCHEDD
    assert our_schedd(SETTINGS, "h", [other]) == other
    assert our_schedd(SETTINGS, "h", [other, SCHEDD]) is None
