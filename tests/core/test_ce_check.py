"""The check of a CE: its script is sound in every shell, and what is printed and seen has the right meaning."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wms.ce.check import (
    EXIT_STATUS,
    FAILS,
    OK,
    PROBES,
    UNKNOWN,
    cancelled,
    clock,
    exit_status,
    long_job,
    on_the_node,
    printed,
    states,
    ticks,
)
from wms.ce.check import (
    test_job as job_text,
)
from wms.operations.ces import CheckReport, Probe

ALL = """WMS-CHECK begin 1700000010
some motd
WMS-CHECK proxy 800
WMS-CHECK token 23
WMS-CHECK tool curl
WMS-CHECK tool apptainer
WMS-CHECK cvmfs atlas.cern.ch
WMS-CHECK outbound curl 200
WMS-CHECK renewed 4
WMS-CHECK end 1700000020
"""
NODE = ("proxy", "token", "renewal", "tools", "containers", "cvmfs", "outbound")


def node(text: str, *, bearer: bool = True, renewed: str = "") -> dict[str, str]:
    return {one.name: one.result for one in on_the_node(printed(text), bearer, renewed)}


def test_the_table_names_each_probe_once() -> None:
    assert len({row.name for row in PROBES}) == len(PROBES)
    assert set(NODE) <= {row.name for row in PROBES}
    assert all(row.about.endswith(".") and row.bound_s > 0 for row in PROBES)


@pytest.mark.parametrize("shell", ["dash", "bash", "busybox"])
def test_the_job_runs_in_every_shell(shell: str, tmp_path: Path) -> None:
    (tmp_path / "proxy").write_text("a proxy")
    (tmp_path / "job").write_text(job_text("https://127.0.0.1:9/it's", "CA").replace("90", "1"))
    (tmp_path / "sleep").write_text("#!/bin/sh\necho fresh >proxy\n")
    (tmp_path / "sleep").chmod(0o755)
    words = [shell, "sh", "job"] if shell == "busybox" else [shell, "job"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False, env={
        "PATH": f"{tmp_path}:/usr/bin:/bin", "X509_USER_PROXY": "proxy"})
    assert done.returncode == EXIT_STATUS
    said = printed(done.stdout)
    assert (said["proxy"], said["token"], said["renewed"]) == (["7"], ["0"], ["1"])
    assert "end" in said
    assert not (tmp_path / ".wms-check-ca.pem").exists()
    assert node(done.stdout) | {"containers": "", "cvmfs": ""} == {
        "proxy": OK, "token": FAILS, "renewal": OK, "tools": OK, "containers": "", "cvmfs": "", "outbound": FAILS}


@pytest.mark.parametrize("script", [job_text("https://x/", "CA"), long_job()])
def test_scripts_are_clean(script: str) -> None:
    done = subprocess.run(["shellcheck", "-s", "sh", "-"], input=script, capture_output=True, text=True, timeout=60,
                          check=False)
    assert done.stdout == ""


def test_all_that_works_is_ok() -> None:
    assert node(ALL) == dict.fromkeys(NODE, OK)


@pytest.mark.parametrize(("line", "name", "result"), [
    ("WMS-CHECK proxy 800\n", "proxy", FAILS), ("WMS-CHECK token 23\n", "token", FAILS),
    ("WMS-CHECK tool curl\n", "tools", FAILS), ("WMS-CHECK tool apptainer\n", "containers", UNKNOWN),
    ("WMS-CHECK cvmfs atlas.cern.ch\n", "cvmfs", UNKNOWN), ("WMS-CHECK outbound curl 200\n", "outbound", UNKNOWN),
    ("WMS-CHECK renewed 4\n", "renewal", FAILS)])
def test_what_is_not_said_does_not_work(line: str, name: str, result: str) -> None:
    assert node(ALL.replace(line, "")) == {**dict.fromkeys(NODE, OK), name: result}


def test_other_things_that_can_be() -> None:
    assert node("nothing") == dict.fromkeys(NODE, UNKNOWN)
    assert node(ALL, bearer=False)["token"] == UNKNOWN
    assert node(ALL, renewed="It refuses.")["renewal"] == FAILS
    nothing = ALL.replace("proxy 800", "proxy 0").replace("WMS-CHECK renewed 4\n", "")
    assert node(nothing)["renewal"] == UNKNOWN
    assert node(ALL.replace("curl 200", "curl 60 no CA"))["outbound"] == FAILS
    assert node(ALL.replace("cvmfs atlas.cern.ch", "cvmfs "))["cvmfs"] == OK


@given(st.text())
def test_any_output_is_read(text: str) -> None:
    for values in printed(text).values():
        assert all(value.isprintable() and len(value) <= 300 for value in values)


@pytest.mark.parametrize(("begin", "result"), [
    ("1000", OK), ("1010", OK), ("1040", OK), ("960", OK), ("1100", FAILS), ("900", FAILS), ("", UNKNOWN)])
def test_the_clock_is_between_submission_and_running(begin: str, result: str) -> None:
    assert clock(begin, 1000.0, 1012.0).result == result


def test_states_need_an_end_and_a_run() -> None:
    assert states({"QUEUED": 0.2, "RUNNING": 3, "ENDED": 9}, "").sentence == (
        "QUEUED after 0 s, RUNNING after 3 s, ENDED after 9 s.")
    assert states({"ENDED": 9}, "").result == UNKNOWN
    assert states({"QUEUED": 1}, "It waits").sentence == "It waits (QUEUED after 1 s)."
    assert states({}, "Nothing").result == FAILS


def test_exit_statuses_and_cancellations() -> None:
    assert [exit_status(*one).result for one in ((EXIT_STATUS, ""), (None, ""), (0, "lost"), (1, ""))] == [
        OK, UNKNOWN, FAILS, FAILS]
    assert [cancelled(*one).result for one in ((3, 5, 5), (0, 0, 0), (3, 5, 6))] == [OK, UNKNOWN, FAILS]
    assert ticks("WMS-CHECK tick 0\nx\nWMS-CHECK tick 1\n") == 2


def test_a_check_is_good_when_it_has_ended_and_nothing_fails() -> None:
    works, fails = Probe("answers", "ok", "It answers."), Probe("cancel", "fails", "It goes on.")
    assert CheckReport("ce", 1.0, 2.0, (works,)).good
    assert not CheckReport("ce", 1.0, 0.0, (works,)).good
    assert not CheckReport("ce", 1.0, 2.0, (works, fails)).good
