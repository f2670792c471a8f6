"""What a CE publishes of a queue, by the names of GLUE 1.3."""

from __future__ import annotations

from wms.ce.published import NONE, QueueFacts, glue
from wms.glue import known

PLAIN = QueueFacts(host="ce.example.org", queue="long", system="slurm", implementation="wms-batch")


def test_a_queue_is_a_ce_with_its_id() -> None:
    record = glue(PLAIN)
    assert record["GlueCEUniqueID"] == record["CEid"] == "ce.example.org:2119/jobmanager-slurm-long"
    assert record["GlobusResourceContactString"] == "ce.example.org:2119/jobmanager-slurm"
    assert record["GlueCEPolicyMaxWallClockTime"] == NONE
    assert "GlueCEAccessControlBaseRule" not in record


def test_limits_are_minutes_and_only_those_that_exist_are_published() -> None:
    facts = QueueFacts(host="h", queue="q", system="slurm", implementation="x", max_wall_s=3600, max_slots_per_job=4,
                       slots=16, response_s=60, access_rules=("VO:cms",), lrms_version="22.05")
    record = glue(facts)
    assert (record["GlueCEPolicyMaxWallClockTime"], record["GlueCEPolicyMaxSlotsPerJob"]) == (60, 4)
    assert (record["GlueCEPolicyMaxRunningJobs"], record["GlueCEStateWorstResponseTime"]) == (16, 120)
    assert record["GlueCEAccessControlBaseRule"] == ["VO:cms"]
    assert "GlueCEPolicyMaxWaitingJobs" not in record


def test_every_name_is_one_of_glue() -> None:
    facts = QueueFacts(host="h", queue="q", system="s", implementation="x", max_waiting=1, max_total=2,
                       max_slots_per_job=1, lrms_version="1", access_rules=("VO:x",))
    assert [name for name in glue(facts) if not known(name)] == []
