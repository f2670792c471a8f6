"""The names of what computing elements publish: the attributes of GLUE 1.3, and what the broker derives from them.

A site may publish more. Not what the values mean.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

DRAINED: Final = "WmsDrained"
"""Only a CE that is drained has it: why. What names of Wms begin with is said by the broker itself."""
PUBLISHED_STATUS: Final = "WmsPublishedStatus"
PUBLISHED_RESPONSE: Final = "WmsPublishedResponseTime"
"""What a CE publishes where GlueCEStateStatus and GlueCEStateEstimatedResponseTime are not its own word."""
OWN_PREFIX: Final = "wms"
RESPONSE: Final = "GlueCEStateEstimatedResponseTime"
MEASURED_JOBS, MEASURED_QUEUE, MEASURED_90 = "WmsMeasuredJobs", "WmsMeasuredQueueTime", "WmsMeasuredQueueTime90"
MEASURED_ENDS, SUCCESS = "WmsMeasuredEnds", "WmsSuccessRate"
"""What the broker measured itself, old jobs counting less: jobs that began, their mean time in the queue and what nine
of ten stayed below (s); ends of attempts that were not the user's doing, and the good part of them (0 to 1)."""
_GROUPS: Final[Mapping[str, str]] = {
    "GlueCE": "UniqueID Name HostingCluster Capability ImplementationName ImplementationVersion "
              "InformationServiceURL AccessControlBaseRule JobGlobalID",
    "GlueCEInfo": "LRMSType LRMSVersion GRAMVersion HostName GatekeeperPort JobManager ContactString TotalCPUs "
                  "ApplicationDir DataDir DefaultSE",
    "GlueCEState": "Status TotalJobs RunningJobs WaitingJobs WorstResponseTime EstimatedResponseTime FreeCPUs "
                   "FreeJobSlots",
    "GlueCEPolicy": "MaxWallClockTime MaxCPUTime MaxTotalJobs MaxRunningJobs MaxWaitingJobs Priority "
                    "AssignedJobSlots MaxObtainableWallClockTime MaxObtainableCPUTime MaxSlotsPerJob Preemption",
    "GlueCESEBind": "GroupCEUniqueID GroupSEUniqueID CEUniqueID SEUniqueID CEAccesspoint MountInfo Weight",
    "GlueVOView": "LocalID",
    "GlueCluster": "UniqueID Name TmpDir WNTmpDir Service",
    "GlueSubCluster": "UniqueID Name TmpDir WNTmpDir PhysicalCPUs LogicalCPUs",
    "GlueHost": "UniqueID Name ApplicationSoftwareRunTimeEnvironment",
    "GlueHostArchitecture": "PlatformType SMPSize",
    "GlueHostProcessor": "Vendor Model Version ClockSpeed InstructionSet OtherDescription CacheL1 CacheL1I CacheL1D "
                         "CacheL2 LoadLast1Min LoadLast5Min LoadLast15Min",
    "GlueHostSMPLoad": "Last1Min Last5Min Last15Min",
    "GlueHostMainMemory": "RAMSize RAMAvailable VirtualSize VirtualAvailable",
    "GlueHostOperatingSystem": "Name Release Version",
    "GlueHostBenchmark": "SI00 SF00",
    "GlueHostNetworkAdapter": "Name IPAddress MTU InboundIP OutboundIP",
    "GlueSite": "UniqueID",
    "": "LRMSType GlobusResourceContactString QueueName CEid PurchasedBy CloseStorageElements CloseOutputSECheck "
        "DataAccessCost storage GLUE2",
    "Wms": "Drained PublishedStatus MeasuredQueueTime MeasuredQueueTime90 MeasuredJobs SuccessRate MeasuredEnds "
           "PublishedResponseTime",
}
NAMES: Final[Mapping[str, str]] = {
    (prefix + name).casefold(): prefix + name for prefix, names in _GROUPS.items() for name in names.split()}
"""Of a CE with its cluster and its worker nodes: the name by its lower-case form."""


def known(name: str) -> bool:
    return name.casefold() in NAMES


@lru_cache(maxsize=256)
def nearest(name: str) -> str:
    """The known name that is most like it, "" if none is."""
    close = difflib.get_close_matches(name.casefold(), NAMES, n=1, cutoff=0.75)
    return NAMES[close[0]] if close else ""
