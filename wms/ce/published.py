"""What a CE publishes of one queue: a record of facts in, attributes of GLUE 1.3 out. Pure.

Not here: where the facts come from, nor their rendering in GLUE 2.0 (wms.ce.glue2).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

__all__ = ["NONE", "QueueFacts", "glue"]

NONE = 999_999_999
"""GLUE 1.3: no such limit."""


class QueueFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One queue of a CE. Limits in seconds, 0 for none; `slots` 0 is unknown.

    `system`: pbs, slurm, condor, arc, fork ...; `manager`: what stands in the id after `jobmanager-`. `status` is one
    of Production, Queueing (takes jobs, runs none), Draining (runs, takes none), Closed. `free` are slots that a job
    of ours could have now. `response_s`: how long a new job would wait, by the CE's own account. `machine` holds
    attributes of the worker nodes by their GLUE names.
    """

    host: str
    queue: str
    system: str
    implementation: str
    version: str = "1"
    lrms_version: str = ""
    port: int = 2119
    manager: str = ""
    status: str = "Production"
    slots: int = 0
    free: int = 0
    running: int = 0
    waiting: int = 0
    response_s: int = 0
    worst_response_s: int = 0
    max_wall_s: int = 0
    max_cpu_s: int = 0
    max_running: int = 0
    max_waiting: int = 0
    max_total: int = 0
    max_slots_per_job: int = 0
    priority: int = 1
    tags: tuple[str, ...] = ()
    access_rules: tuple[str, ...] = ()
    machine: Mapping[str, Any] = {}

    @property
    def id(self) -> str:
        """GlueCEUniqueID."""
        return f"{self.host}:{self.port}/jobmanager-{self.manager or self.system}-{self.queue}"


def glue(facts: QueueFacts) -> dict[str, Any]:
    """The queue as a CE in the sense of GLUE 1.3; times of policies in minutes, of states in seconds."""
    contact, _, _ = facts.id.rpartition("-" + facts.queue)
    return {
        "GlueHostNetworkAdapterOutboundIP": True,  # else no wrapper could call the service
        **facts.machine,
        "GlueCEUniqueID": facts.id,
        "GlueCEName": facts.queue,
        "GlueCEHostingCluster": facts.host,
        "GlueClusterUniqueID": facts.host,
        "GlueSubClusterUniqueID": facts.host,
        "GlueCEImplementationName": facts.implementation,
        "GlueCEImplementationVersion": facts.version,
        "GlueCEInfoHostName": facts.host,
        "GlueCEInfoGatekeeperPort": facts.port,
        "GlueCEInfoContactString": facts.id,
        "GlueCEInfoJobManager": facts.manager or facts.system,
        "GlueCEInfoLRMSType": facts.system,
        **({"GlueCEInfoLRMSVersion": facts.lrms_version} if facts.lrms_version else {}),
        "GlueCEInfoTotalCPUs": facts.slots,
        **_state(facts),
        **_policy(facts),
        **({"GlueCEAccessControlBaseRule": list(facts.access_rules)} if facts.access_rules else {}),
        "GlueHostApplicationSoftwareRunTimeEnvironment": list(facts.tags),
        "GlobusResourceContactString": contact,
        "LRMSType": facts.system,
        "QueueName": facts.queue,
        "CEid": facts.id,
    }


def _state(facts: QueueFacts) -> dict[str, Any]:
    return {
        "GlueCEStateStatus": facts.status,
        "GlueCEStateFreeCPUs": facts.free,
        "GlueCEStateFreeJobSlots": facts.free,
        "GlueCEStateRunningJobs": facts.running,
        "GlueCEStateWaitingJobs": facts.waiting,
        "GlueCEStateTotalJobs": facts.running + facts.waiting,
        "GlueCEStateEstimatedResponseTime": facts.response_s,
        "GlueCEStateWorstResponseTime": facts.worst_response_s or 2 * facts.response_s,
    }


def _policy(facts: QueueFacts) -> dict[str, Any]:
    limits = {"MaxWaitingJobs": facts.max_waiting, "MaxTotalJobs": facts.max_total,
              "MaxSlotsPerJob": facts.max_slots_per_job}
    return {
        "GlueCEPolicyMaxWallClockTime": _minutes(facts.max_wall_s),
        "GlueCEPolicyMaxObtainableWallClockTime": _minutes(facts.max_wall_s),
        "GlueCEPolicyMaxCPUTime": _minutes(facts.max_cpu_s),
        "GlueCEPolicyMaxObtainableCPUTime": _minutes(facts.max_cpu_s),
        "GlueCEPolicyAssignedJobSlots": facts.slots,
        "GlueCEPolicyPriority": facts.priority,
        "GlueCEPolicyMaxRunningJobs": facts.max_running or facts.slots,
        **{f"GlueCEPolicy{name}": limit for name, limit in limits.items() if limit},
    }


def _minutes(seconds: int) -> int:
    return seconds // 60 if seconds else NONE
