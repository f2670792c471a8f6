"""GLUE 2.0 from GLUE 1.3: what is exported is read back as the same, and is sound LDIF whatever the values are."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wm.supply.purchasers import files
from wms.ce.glue2 import MUST, document, entities, ldif
from wms.ce.published import QueueFacts, glue

SHORT = QueueFacts(
    host="ce.example.org", port=8443, queue="short", system="slurm", implementation="CREAM", version="1.16.1",
    manager="slurm", slots=64,
    free=3, running=5, waiting=2, response_s=60, max_wall_s=7200, max_running=100, max_slots_per_job=8,
    lrms_version="22.05.8", tags=("MPICH", "VO-atlas, 1+"), access_rules=("VO:atlas", "VOMS:/cms/Role=pilot"),
    machine={"GlueHostMainMemoryRAMSize": 4096, "GlueHostArchitecturePlatformType": "x86_64",
             "GlueHostOperatingSystemName": "Debian", "GlueHostNetworkAdapterOutboundIP": True})

CONTACTS = {"GlueCEInfoContactString", "GlobusResourceContactString", "CEid"}


def record(facts: QueueFacts = SHORT, **more: Any) -> dict[str, Any]:
    told = glue(facts)
    id = told["GlueCEUniqueID"].replace("jobmanager-", "cream-")
    return {**told, "GlueCEUniqueID": id, **more}


def test_what_is_exported_is_read_back_as_the_same() -> None:
    one = record()
    (back,) = files.directory(_records([one]), "x").purchase.ces
    assert back.id == one["GlueCEUniqueID"]
    same = [name for name in one if name in back.attributes and name not in CONTACTS]
    assert {name: back.attributes[name] for name in same} == {name: one[name] for name in same}
    assert {"GlueCEStateFreeJobSlots", "GlueCEPolicyMaxWallClockTime", "GlueCEAccessControlBaseRule",
            "GlueHostMainMemoryRAMSize", "GlueCEInfoLRMSVersion", "GlueHostApplicationSoftwareRunTimeEnvironment",
            "GlueHostNetworkAdapterOutboundIP", "GlueCEPolicyMaxCPUTime"} <= set(same)


def _records(told: list[dict[str, Any]]) -> Any:
    from wm.supply.purchasers.ldif import parse

    found, refused = parse(ldif(entities(told)))
    assert refused == []
    return found


def test_queues_of_a_host_share_service_endpoint_manager_and_machines() -> None:
    long = QueueFacts(**{name: getattr(SHORT, name) for name in SHORT.__struct_fields__} | {"queue": "long"})
    found = document(entities([record(), record(long), record()]))
    assert {kind: len(those) for kind, those in found.items()} == {
        "ComputingService": 1, "ComputingEndpoint": 1, "ComputingManager": 1, "ExecutionEnvironment": 1,
        "ApplicationEnvironment": 2, "ComputingShare": 2, "MappingPolicy": 2}
    share = found["ComputingShare"][0]
    assert (share["ServingState"], share["MaxWallTime"], share["MaxCPUTime"], share["Name"]) == (
        "production", 7200, 999_999_999, "short")
    assert share["EndpointForeignKey"] == [found["ComputingEndpoint"][0]["ID"]]
    assert found["MappingPolicy"][0]["Rule"] == ["VO:atlas", "VOMS:/cms/Role=pilot"]


def test_what_must_be_there_is_there_though_nobody_says_it() -> None:
    found = document(entities([{"GlueCEUniqueID": "strange", "GlueCEStateStatus": "Fine"},
                               {"GlueCEUniqueID": "a:x/y", "GlueVOViewLocalID": "cms"}]))
    assert set(found) == {"ComputingService", "ComputingEndpoint", "ComputingManager", "ExecutionEnvironment",
                          "ComputingShare"}
    assert [one["ID"] for one in found["ComputingShare"]] == ["strange", "a:x/y/cms"]
    assert {one["ServingState"] for one in found["ComputingShare"]} == {"closed"}
    machine = found["ExecutionEnvironment"][0]
    assert (machine["Platform"], machine["ConnectivityIn"], machine["MainMemorySize"]) == (
        "UNDEFINEDVALUE", MUST["GLUE2ExecutionEnvironmentConnectivityIn"], 999_999_999)


def test_our_own_words_and_odd_values() -> None:
    (share,) = document(entities([record(WmsSuccessRate=0.9, GlueCEPolicyPreemption=1, GlueCEStateRunningJobs=True,
                                         GlueCECapability=[], GlueCEInfoContactString="https://x/y",
                                         GlueCEPolicyMaxTotalJobs="many")]))["ComputingShare"]
    assert share["OtherInfo"] == ["WmsSuccessRate=0.9"]
    assert share["Preemption"] == "TRUE"
    assert "RunningJobs" not in share
    assert "MaxTotalJobs" not in share


@pytest.mark.parametrize(("value", "line"), [
    ("plain", "x: plain"), (" led", "x:: IGxlZA=="), ("ends ", "x:: ZW5kcyA="), ("ü", "x:: w7w="),
    ("a\nb", "x:: YQpi"), (":", "x:: Og=="), ("", "x: ")])
def test_values_that_would_be_read_otherwise_are_in_base64(value: str, line: str) -> None:
    from wms.ce.glue2 import _line

    assert _line("x", value) == line


@given(st.text(min_size=1, max_size=12), st.text(min_size=1, max_size=12))
@settings(max_examples=examples(60), deadline=None)
def test_no_value_makes_another_entry(tag: str, queue: str) -> None:
    text = ldif(entities([record(GlueHostApplicationSoftwareRunTimeEnvironment=[tag], GlueCEName=queue)]), "o=glue")
    assert text.count("\n\n") == len(entities([record(GlueHostApplicationSoftwareRunTimeEnvironment=[tag])]))
    assert all(line.isascii() for line in text.splitlines())


@pytest.mark.parametrize(("value", "dn"), [("a,b", "a\\,b"), ("#a", "\\#a"), (" a ", "\\ a\\ "), ("a\0", "a\\00")])
def test_names_are_escaped_in_dns(value: str, dn: str) -> None:
    from wms.ce.glue2 import _escaped

    assert _escaped(value) == dn
