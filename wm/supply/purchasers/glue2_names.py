"""The table from GLUE 2 to the GLUE 1.3 names that users write. Pure data with its few conversions.

Not which objects of GLUE 2 belong together (glue2).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

Convert: TypeAlias = Callable[[Any], Any]
"""A value of GLUE 2 (None: not published) as GLUE 1.3 has it; None: not published."""

NONE: Final = 999_999_999
"""What both schemas publish for "no limit"."""
STATES: Final = {"production": "Production", "queueing": "Queueing", "draining": "Draining", "closed": "Closed"}


def _as_is(value: Any) -> Any:
    return value


def _text(value: Any) -> Any:
    return None if value is None else str(value)


def _lower(value: Any) -> Any:
    return None if value is None else str(value).casefold()


def _number(value: Any) -> Any:
    return value if type(value) is int else None


def _minutes(value: Any) -> Any:
    """From seconds."""
    return None if type(value) is not int else NONE if value >= NONE else value // 60


def _state(value: Any) -> Any:
    return STATES.get(str(value).casefold())


def _truth(value: Any) -> Any:
    return value if isinstance(value, bool) else None


def _flag(value: Any) -> Any:
    return int(value) if isinstance(value, bool) else None


def _list(value: Any) -> Any:
    return value if isinstance(value, list) else None


_COMPUTING = ("Computing", "Share"), ("Computing", "Manager"), ("Computing", "Endpoint"), ("ExecutionEnvironment",)
_SHARE, _MANAGER, _ENDPOINT, _HOST = _COMPUTING

NAMES: Final[tuple[tuple[str, tuple[str, ...], Convert], ...]] = (
    ("GlueCEName", (*_SHARE, "MappingQueue"), _text),
    ("GlueCEStateStatus", (*_SHARE, "ServingState"), _state),
    ("GlueCEStateFreeJobSlots", (*_SHARE, "FreeSlots"), _number),
    ("GlueCEStateFreeCPUs", (*_SHARE, "FreeSlots"), _number),
    ("GlueCEStateRunningJobs", (*_SHARE, "RunningJobs"), _number),
    ("GlueCEStateWaitingJobs", (*_SHARE, "WaitingJobs"), _number),
    ("GlueCEStateTotalJobs", (*_SHARE, "TotalJobs"), _number),
    ("GlueCEStateEstimatedResponseTime", (*_SHARE, "EstimatedAverageWaitingTime"), _number),
    ("GlueCEStateWorstResponseTime", (*_SHARE, "EstimatedWorstWaitingTime"), _number),
    ("GlueCEPolicyMaxCPUTime", (*_SHARE, "MaxCPUTime"), _minutes),
    ("GlueCEPolicyMaxWallClockTime", (*_SHARE, "MaxWallTime"), _minutes),
    ("GlueCEPolicyMaxRunningJobs", (*_SHARE, "MaxRunningJobs"), _number),
    ("GlueCEPolicyMaxWaitingJobs", (*_SHARE, "MaxWaitingJobs"), _number),
    ("GlueCEPolicyMaxTotalJobs", (*_SHARE, "MaxTotalJobs"), _number),
    ("GlueCEPolicyMaxSlotsPerJob", (*_SHARE, "MaxSlotsPerJob"), _number),
    ("GlueCEPolicyPreemption", (*_SHARE, "Preemption"), _flag),
    ("GlueCEPolicyAssignedJobSlots", (*_MANAGER, "TotalSlots"), _number),
    ("GlueCEInfoTotalCPUs", (*_MANAGER, "TotalLogicalCPUs"), _number),
    ("GlueCEInfoLRMSType", (*_MANAGER, "ProductName"), _lower),
    ("GlueCEInfoJobManager", (*_MANAGER, "ProductName"), _lower),
    ("GlueCEInfoLRMSVersion", (*_MANAGER, "ProductVersion"), _as_is),
    ("GlueCEInfoApplicationDir", (*_MANAGER, "ApplicationDir"), _text),
    ("GlueSubClusterPhysicalCPUs", (*_MANAGER, "TotalPhysicalCPUs"), _number),
    ("GlueSubClusterLogicalCPUs", (*_MANAGER, "TotalLogicalCPUs"), _number),
    ("GlueSubClusterTmpDir", (*_MANAGER, "TmpDir"), _text),
    ("GlueSubClusterWNTmpDir", (*_MANAGER, "ScratchDir"), _text),
    ("GlueCEImplementationName", (*_ENDPOINT, "ImplementationName"), _text),
    ("GlueCEImplementationVersion", (*_ENDPOINT, "ImplementationVersion"), _as_is),
    ("GlueCEInfoContactString", (*_ENDPOINT, "URL"), _text),
    ("GlueCECapability", (*_ENDPOINT, "Capability"), _list),
    ("GlueHostArchitecturePlatformType", (*_HOST, "Platform"), _text),
    ("GlueHostArchitectureSMPSize", (*_HOST, "LogicalCPUs"), _number),
    ("GlueHostProcessorModel", (*_HOST, "CPUModel"), _text),
    ("GlueHostProcessorVendor", (*_HOST, "CPUVendor"), _text),
    ("GlueHostProcessorClockSpeed", (*_HOST, "CPUClockSpeed"), _number),
    ("GlueHostMainMemoryRAMSize", (*_HOST, "MainMemorySize"), _number),
    ("GlueHostMainMemoryVirtualSize", (*_HOST, "VirtualMemorySize"), _number),
    ("GlueHostOperatingSystemName", (*_HOST, "OSName"), _text),
    ("GlueHostOperatingSystemRelease", (*_HOST, "OSVersion"), _as_is),
    ("GlueHostNetworkAdapterInboundIP", (*_HOST, "ConnectivityIn"), _truth),
    ("GlueHostNetworkAdapterOutboundIP", (*_HOST, "ConnectivityOut"), _truth),
)
"""GLUE 1.3 name, where GLUE 2 has it, how the value is converted."""

BENCHMARKS: Final[Mapping[str, str]] = {
    "specint2000": "GlueHostBenchmarkSI00", "specfp2000": "GlueHostBenchmarkSF00"}
INTERFACES: Final[Mapping[str, str]] = {
    "org.glite.ce.cream": "cream", "org.nordugrid.arcrest": "nordugrid", "org.nordugrid.gridftpjob": "nordugrid",
    "org.ogf.glue.emies.activitycreation": "nordugrid", "org.opensciencegrid.htcondorce": "htcondorce"}
"""Beginning of the name of an interface that takes jobs -> what stands for it in a CE id."""
PORTS: Final[Mapping[str, int]] = {"https": 443, "http": 80, "gsiftp": 2811, "ldap": 389}
PREFIXES: Final = (
    "glue2computingendpoint", "glue2computingshare", "glue2computingmanager", "glue2computingservice",
    "glue2executionenvironment", "glue2applicationenvironment", "glue2benchmark", "glue2endpoint", "glue2share",
    "glue2manager", "glue2service", "glue2resource", "glue2entity")
LISTS: Final = frozenset(name.casefold() for name in (
    "GLUE2EntityOtherInfo", "GLUE2EndpointCapability", "GLUE2EndpointInterfaceExtension", "GLUE2EndpointWSDL",
    "GLUE2EndpointSupportedProfile", "GLUE2EndpointSemantics", "GLUE2EndpointTrustedCA",
    "GLUE2ShareEndpointForeignKey", "GLUE2ShareResourceForeignKey", "GLUE2ComputingEndpointJobDescription",
    "GLUE2ComputingShareTag", "GLUE2ComputingShareComputingEndpointForeignKey",
    "GLUE2ComputingShareExecutionEnvironmentForeignKey", "GLUE2ComputingManagerNetworkInfo",
    "GLUE2ExecutionEnvironmentNetworkInfo"))
