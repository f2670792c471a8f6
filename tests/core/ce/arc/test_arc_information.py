"""What an ARC CE publishes, as recorded from ARC 6.17, becomes records of queues."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from wms.ce.arc.information import shares
from wms.ce.published import QueueFacts, glue
from wms.glue import known

RECORDED = (Path(__file__).parent / "recorded" / "info.json").read_bytes()


def document(share: Any, **manager: Any) -> bytes:
    return msgspec.json.encode({"Domains": {"AdminDomain": {"Services": [{"ComputingService": {
        "ComputingShare": share, "ComputingManager": manager}}]}}})


def read(body: bytes) -> list[QueueFacts]:
    return shares(body, "ce.example.org", 443, ["VO-test-1"], ["VO:test"])


def test_a_recorded_document_is_one_queue() -> None:
    (facts,) = read(RECORDED)
    assert (facts.id, facts.status, facts.system) == ("ce.example.org:443/jobmanager-arc-fork", "Production", "fork")
    assert (facts.version, facts.lrms_version, facts.slots, facts.free) == ("6.17.0", "0.9", 2, 1)
    assert (facts.running, facts.waiting, facts.max_running) == (1, 2, 1)
    assert facts.machine["GlueHostOperatingSystemRelease"] == "debian"
    assert (facts.tags, facts.access_rules) == (("VO-test-1",), ("VO:test",))
    assert [name for name in glue(facts) if not known(name)] == []


def test_limits_policies_and_environments_are_told() -> None:
    share = {"Name": "grid", "MappingQueue": "long", "MaxWallTime": "3600", "MaxCPUTime": "1800",
             "EstimatedAverageWaitingTime": "60", "MaxSlotsPerJob": "8", "ServingState": "draining",
             "MappingPolicy": [{"Rule": ["vo:atlas", "vo: cms", "odd", 3]}, "odd"]}
    environments = {"ApplicationEnvironment": [{"AppName": "ROOT", "AppVersion": "6"}, {"AppName": "ENV/PROXY"}, {}]}
    (facts,) = read(document(share, ApplicationEnvironments=environments, ProductName="SLURM"))
    assert (facts.queue, facts.max_wall_s, facts.max_cpu_s, facts.max_slots_per_job) == ("long", 3600, 1800, 8)
    assert (facts.status, facts.response_s, facts.system) == ("Draining", 60, "slurm")
    assert facts.access_rules == ("VO:atlas", "VO:cms", "VO:test")
    assert facts.tags == ("ROOT-6", "ENV/PROXY", "VO-test-1")


def test_several_shares_are_several_queues_and_odd_ones_none() -> None:
    facts = read(document([{"Name": "a"}, {"Name": "b", "ServingState": "closed"}, "odd"]))
    assert [(one.queue, one.status) for one in facts] == [("a", "Production"), ("b", "Closed")]


@pytest.mark.parametrize("body", [b"", b"{}", b'{"Domains": []}', b'{"ComputingService": "x"}'])
def test_nothing_published_is_no_queue(body: bytes) -> None:
    assert read(body) == []
