"""`wms ce` as an administrator types it: each daemon a process of its own, the local CE, real test jobs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from deployment import Deployment, until

from wms.ce.check import PROBES


@pytest.fixture(scope="module")
def service(pattern: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    with pattern.copy(tmp_path_factory.mktemp("ces") / "wms") as made:
        made.two_ports()
        made.start_apart()
        yield made


@pytest.fixture(scope="module")
def queue(service: Deployment) -> str:
    """The id of the one CE."""

    def known() -> list[dict[str, Any]]:
        return list(service.json("wms", "ce", "list")["ces"])

    return str(until(known, "the CE")[0]["id"])


def test_list_and_show_are_tables_for_people_and_documents_for_programs(service: Deployment, queue: str) -> None:
    heads, row = service.ok("wms", "ce", "list").splitlines()
    assert heads.split()[:2] == ["CE", "State"]
    assert row.split()[:4] == [queue, "Production", "2", "2"]
    shown = service.ok("wms", "ce", "show", queue)
    assert f"CE:        {queue}\n" in shown
    assert "Health:    condition answers" in shown
    assert any(line.split()[:3] == ["GlueCEStateStatus", "Production", "ce"] for line in shown.splitlines())
    (detail,) = service.json("wms", "ce", "show", "local")["ces"]
    assert {one["name"]: one["kind"] for one in detail["attributes"]}["GlueCEInfoTotalCPUs"] == "backend"


def test_glue_2_is_json_and_ldif(service: Deployment, queue: str) -> None:
    found = json.loads(service.ok("wms", "ce", "show", queue, "--glue2"))["glue2"]
    assert found["ComputingShare"][0]["ID"] == queue
    ldif = service.ok("wms", "ce", "list", "--ldif")
    assert ldif.startswith("dn: GLUE2GroupID=resource,o=glue\n")
    assert f"GLUE2ShareID: {queue}\n" in ldif


def test_what_is_unknown_or_not_allowed_has_its_code(service: Deployment, queue: str) -> None:
    for words in (("show", "nowhere"), ("drain", "nowhere", "--reason", "x"), ("resume", "nowhere"),
                  ("check", "nowhere")):
        done = service.run("wms", "ce", *words)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith("**** Error: UI_WRONG_RESOURCE_ID ****\n")
        refused = json.loads(service.run("wms", "ce", *words, "--json").stdout)
        assert (refused["result"], refused["error"]["code"]) == ("failure", "UI_WRONG_RESOURCE_ID")
    assert "--reason" in service.run("wms", "ce", "drain", queue).stderr


def test_drain_keeps_new_jobs_away_until_resume(service: Deployment, queue: str) -> None:
    assert service.ok("wms", "ce", "drain", "local", "--reason", "new disks") == f"local is drained.\n  {queue}\n"
    assert service.ok("wms", "ce", "list").splitlines()[1].split()[1] == "Draining"
    job = service.submit(service.jdl("echo hello"))

    def why() -> str:
        return str(service.json("job-status", job)["jobs"][job].get("reason_detail", {}).get("code", ""))

    until(lambda: why() == "drained", "the reason")
    assert f"no new jobs go to {queue} (new disks)" in service.ok("job-status", job)
    assert service.ok("wms", "ce", "resume", "local") == f"local is resumed.\n  {queue}\n"
    service.wait_state(job, "Done")
    assert "Draining" not in service.ok("wms", "ce", "list")


def test_a_check_says_what_works_with_a_real_job(service: Deployment) -> None:
    done = service.run("wms", "ce", "check", "local")
    results = {words[0]: words for line in done.stdout.splitlines() if (words := line.split())}
    assert done.returncode == 0, done.stdout + done.stderr
    assert "fails" not in results
    (queue,) = service.json("wms", "ce", "list", "local")["ces"]
    report = service.json("wms", "ce", "check", queue["id"])
    assert report["ce"] == "local", "an id is a queue of what is configured"
    found = {one["name"]: (one["result"], one["sentence"]) for one in report["probes"]}
    assert list(found) == [row.name for row in PROBES]
    assert report["good"] is True
    for name in ("answers", "submission", "once", "states", "output", "exit status", "proxy", "token", "renewal",
                 "tools", "outbound", "clock", "cancel", "clean"):
        assert found[name][0] == "ok", found[name]


def test_a_check_that_fails_drains_if_it_is_asked_to(service: Deployment) -> None:
    done = service.run("wms", "ce", "check", "local", "--queue", "none", "--drain")
    assert done.returncode == 1
    assert "fails   queue        There is no queue none." in done.stdout
    assert "local is drained" in done.stdout

    def drained() -> list[dict[str, str]]:
        return list(service.json("wms", "ce", "list")["drained"])

    assert until(drained, "the drain")[0]["reason"] == "its check failed: queue: There is no queue none."
    service.ok("wms", "ce", "resume", "local")


