"""LDIF of the same computing elements in GLUE 1.3 and in GLUE 2, for directories and parsers under test."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

GRID = "mds-vo-name=local,o=grid"
GLUE = "GLUE2GroupID=grid,o=glue"


@dataclass(frozen=True)
class Queue:
    """A queue of a CREAM-like CE on a cluster of its own name."""

    host: str = "ce.example.org"
    name: str = "short"
    site: str = "SITE-A"
    rules: Sequence[str] = ("VO:atlas", "VO:cms")
    tags: Sequence[str] = ("MPICH", "VO-atlas-1")
    ses: Mapping[str, str] = field(default_factory=lambda: {"se.example.org": "/data"})
    state: str = "Production"
    free: int = 3
    running: int = 5
    waiting: int = 2
    response_s: int = 60
    cpu_min: int = 2880
    wall_min: int = 4320
    cpus: int = 64
    ram_mb: int = 4096

    @property
    def id(self) -> str:
        return f"{self.host}:8443/cream-slurm-{self.name}"


def entry(dn: str, classes: Sequence[str], **attributes: Any) -> str:
    """One entry of LDIF; lists have several values."""
    lines = [f"dn: {dn}", *(f"objectClass: {name}" for name in classes)]
    for name, values in attributes.items():
        lines += [f"{name}: {value}" for value in (values if isinstance(values, list | tuple) else [values])]
    return "\n".join(lines) + "\n\n"


VERSION = {"GlueSchemaVersionMajor": 1, "GlueSchemaVersionMinor": 3}


def glue13(*queues: Queue) -> str:
    """The queues with their sites, clusters and bindings in GLUE 1.3."""
    return "".join(dict.fromkeys(text for queue in queues for text in _glue13(queue)))


def _glue13(queue: Queue) -> Iterator[str]:
    host, base = queue.host, f"mds-vo-name={queue.site},{GRID}"
    yield entry(base, ["MDS"], **{"mds-vo-name": queue.site})
    yield entry(f"GlueClusterUniqueID={host},{base}", ["GlueClusterTop", "GlueCluster", "GlueInformationService",
                                                       "GlueKey", "GlueSchemaVersion"],
                GlueClusterUniqueID=host, GlueClusterName=host, GlueForeignKey=f"GlueSiteUniqueID={queue.site}",
                **VERSION)
    yield entry(f"GlueSubClusterUniqueID={host},GlueClusterUniqueID={host},{base}",
                ["GlueClusterTop", "GlueSubCluster", "GlueHostArchitecture", "GlueHostOperatingSystem",
                 "GlueHostMainMemory", "GlueHostProcessor", "GlueHostBenchmark", "GlueHostApplicationSoftware",
                 "GlueHostNetworkAdapter", "GlueInformationService", "GlueKey", "GlueSchemaVersion"],
                GlueSubClusterUniqueID=host, GlueSubClusterName=host, GlueChunkKey=f"GlueClusterUniqueID={host}",
                GlueHostMainMemoryRAMSize=queue.ram_mb, GlueHostMainMemoryVirtualSize=2 * queue.ram_mb,
                GlueHostOperatingSystemName="Debian", GlueHostOperatingSystemRelease=12,
                GlueHostArchitecturePlatformType="amd64", GlueHostArchitectureSMPSize=8, GlueHostBenchmarkSI00=2000,
                GlueHostProcessorModel="Xeon", GlueHostProcessorClockSpeed=2400,
                GlueHostNetworkAdapterInboundIP="FALSE", GlueHostNetworkAdapterOutboundIP="TRUE",
                GlueSubClusterLogicalCPUs=queue.cpus, GlueSubClusterPhysicalCPUs=queue.cpus,
                GlueHostApplicationSoftwareRunTimeEnvironment=list(queue.tags), **VERSION)
    yield entry(f"GlueCEUniqueID={queue.id},{base}",
                ["GlueCETop", "GlueCE", "GlueCEAccessControlBase", "GlueCEInfo", "GlueCEPolicy", "GlueCEState",
                 "GlueInformationService", "GlueKey", "GlueSchemaVersion"],
                GlueCEUniqueID=queue.id, GlueCEName=queue.name, GlueCEHostingCluster=host, GlueCEInfoHostName=host,
                GlueCEInfoLRMSType="slurm", GlueCEInfoLRMSVersion="22.05.8", GlueCEInfoJobManager="slurm",
                GlueCEInfoGatekeeperPort=8443, GlueCEInfoTotalCPUs=queue.cpus,
                GlueCEInfoContactString=f"https://{host}:8443/ce-cream/services",
                GlueCEImplementationName="CREAM", GlueCEImplementationVersion="1.16.1",
                GlueCEStateStatus=queue.state, GlueCEStateFreeCPUs=queue.free, GlueCEStateFreeJobSlots=queue.free,
                GlueCEStateRunningJobs=queue.running, GlueCEStateWaitingJobs=queue.waiting,
                GlueCEStateTotalJobs=queue.running + queue.waiting,
                GlueCEStateEstimatedResponseTime=queue.response_s, GlueCEStateWorstResponseTime=2 * queue.response_s,
                GlueCEPolicyMaxWallClockTime=queue.wall_min, GlueCEPolicyMaxCPUTime=queue.cpu_min,
                GlueCEPolicyMaxRunningJobs=1000, GlueCEPolicyMaxTotalJobs=2000, GlueCEPolicyAssignedJobSlots=queue.cpus,
                GlueCEAccessControlBaseRule=list(queue.rules),
                GlueForeignKey=f"GlueClusterUniqueID={host}", **VERSION)
    yield entry(f"GlueCESEBindGroupCEUniqueID={queue.id},{base}", ["GlueGeneralTop", "GlueCESEBindGroup",
                                                                   "GlueSchemaVersion"],
                GlueCESEBindGroupCEUniqueID=queue.id, GlueCESEBindGroupSEUniqueID=list(queue.ses), **VERSION)
    for se, mount in queue.ses.items():
        yield entry(f"GlueCESEBindSEUniqueID={se},GlueCESEBindGroupCEUniqueID={queue.id},{base}",
                    ["GlueGeneralTop", "GlueCESEBind", "GlueSchemaVersion"],
                    GlueCESEBindSEUniqueID=se, GlueCESEBindCEUniqueID=queue.id, GlueCESEBindCEAccesspoint=mount,
                    **VERSION)


def view(queue: Queue, rule: str, name: str, **state: Any) -> str:
    """A view of a queue in GLUE 1.3: those whom the rule names have another state."""
    return entry(f"GlueVOViewLocalID={name},GlueCEUniqueID={queue.id},mds-vo-name={queue.site},{GRID}",
                 ["GlueCETop", "GlueVOView", "GlueCEInfo", "GlueCEState", "GlueCEAccessControlBase", "GlueCEPolicy",
                  "GlueKey", "GlueSchemaVersion"],
                 GlueVOViewLocalID=name, GlueCEAccessControlBaseRule=rule,
                 GlueChunkKey=f"GlueCEUniqueID={queue.id}", **state, **VERSION)


def storage(se: str, site: str = "SITE-A", close: Sequence[str] = (), **areas: int) -> str:
    """An SE in GLUE 1.3 with an area for each VO, by available space (kB)."""
    base = f"GlueSEUniqueID={se},mds-vo-name={site},{GRID}"
    key = {"GlueChunkKey": f"GlueSEUniqueID={se}", **VERSION}
    texts = [entry(base, ["GlueSETop", "GlueSE", "GlueInformationService", "GlueKey", "GlueSchemaVersion"],
                   GlueSEUniqueID=se, GlueSEName=f"disk of {site}", GlueSEArchitecture="disk", GlueSESizeTotal=100,
                   GlueForeignKey=f"GlueSiteUniqueID={site}", **VERSION)]
    for vo, space in areas.items():
        texts.append(entry(f"GlueSALocalID={vo},{base}", ["GlueSATop", "GlueSA", "GlueSAPolicy", "GlueSAState",
                                                          "GlueSAAccessControlBase", "GlueKey", "GlueSchemaVersion"],
                           GlueSALocalID=vo, GlueSAPath=f"/data/{vo}", GlueSAStateAvailableSpace=space,
                           GlueSAStateUsedSpace=7, GlueSAAccessControlBaseRule=f"VO:{vo}", **key))
    for kind, port in (("gsiftp", 2811), ("https", 443)):
        texts.append(entry(f"GlueSEAccessProtocolLocalID={kind},{base}",
                           ["GlueSETop", "GlueSEAccessProtocol", "GlueKey", "GlueSchemaVersion"],
                           GlueSEAccessProtocolLocalID=kind, GlueSEAccessProtocolType=kind,
                           GlueSEAccessProtocolPort=port, GlueSEAccessProtocolVersion="1.0.0", **key))
    texts.append(entry(f"GlueSEControlProtocolLocalID=srm,{base}",
                       ["GlueSETop", "GlueSEControlProtocol", "GlueKey", "GlueSchemaVersion"],
                       GlueSEControlProtocolLocalID="srm", GlueSEControlProtocolType="SRM",
                       GlueSEControlProtocolEndpoint=f"httpg://{se}:8446/srm", GlueSEControlProtocolVersion="2.2.0",
                       **key))
    return "".join(texts)


def glue2(*queues: Queue) -> str:
    """The same queues in GLUE 2: a service a host, a share a queue."""
    return "".join(dict.fromkeys(text for queue in queues for text in _glue2(queue)))


def _glue2(queue: Queue) -> Iterator[str]:
    host, service, manager = queue.host, f"urn:{queue.host}", f"urn:{queue.host}:manager"
    base = f"GLUE2DomainID={queue.site},{GLUE}"
    here = f"GLUE2ServiceID={service},{base}"
    yield entry(base, ["GLUE2Domain", "GLUE2AdminDomain"], GLUE2DomainID=queue.site)
    yield entry(here, ["GLUE2Entity", "GLUE2Service", "GLUE2ComputingService"], GLUE2ServiceID=service,
                GLUE2ServiceType="org.glite.ce.CREAM", GLUE2ServiceQualityLevel="production",
                GLUE2ServiceAdminDomainForeignKey=queue.site)
    yield entry(f"GLUE2EndpointID={service}:cream,{here}", ["GLUE2Entity", "GLUE2Endpoint", "GLUE2ComputingEndpoint"],
                GLUE2EndpointID=f"{service}:cream", GLUE2EndpointURL=f"https://{host}:8443/ce-cream/services",
                GLUE2EndpointInterfaceName="org.glite.ce.CREAM", GLUE2EndpointQualityLevel="production",
                GLUE2EndpointHealthState="ok", GLUE2EndpointServingState="production",
                GLUE2EndpointImplementationName="CREAM", GLUE2EndpointImplementationVersion="1.16.1",
                GLUE2EndpointServiceForeignKey=service, GLUE2ComputingEndpointComputingServiceForeignKey=service)
    yield entry(f"GLUE2ManagerID={manager},{here}", ["GLUE2Entity", "GLUE2Manager", "GLUE2ComputingManager"],
                GLUE2ManagerID=manager, GLUE2ManagerProductName="Slurm", GLUE2ManagerProductVersion="22.05.8",
                GLUE2ManagerServiceForeignKey=service, GLUE2ComputingManagerComputingServiceForeignKey=service,
                GLUE2ComputingManagerTotalLogicalCPUs=queue.cpus, GLUE2ComputingManagerTotalPhysicalCPUs=queue.cpus,
                GLUE2ComputingManagerTotalSlots=queue.cpus)
    at = f"GLUE2ManagerID={manager},{here}"
    yield entry(f"GLUE2ResourceID={service}:hosts,{at}", ["GLUE2Entity", "GLUE2Resource",
                                                          "GLUE2ExecutionEnvironment"],
                GLUE2ResourceID=f"{service}:hosts", GLUE2ResourceManagerForeignKey=manager,
                GLUE2ExecutionEnvironmentComputingManagerForeignKey=manager,
                GLUE2ExecutionEnvironmentPlatform="amd64", GLUE2ExecutionEnvironmentMainMemorySize=queue.ram_mb,
                GLUE2ExecutionEnvironmentVirtualMemorySize=2 * queue.ram_mb, GLUE2ExecutionEnvironmentOSFamily="linux",
                GLUE2ExecutionEnvironmentOSName="Debian", GLUE2ExecutionEnvironmentOSVersion="12",
                GLUE2ExecutionEnvironmentLogicalCPUs=8, GLUE2ExecutionEnvironmentCPUModel="Xeon",
                GLUE2ExecutionEnvironmentCPUClockSpeed=2400, GLUE2ExecutionEnvironmentConnectivityIn="FALSE",
                GLUE2ExecutionEnvironmentConnectivityOut="TRUE")
    for tag in queue.tags:
        yield entry(f"GLUE2ApplicationEnvironmentID={tag},{at}", ["GLUE2Entity", "GLUE2ApplicationEnvironment"],
                    GLUE2ApplicationEnvironmentID=tag, GLUE2ApplicationEnvironmentAppName=tag,
                    GLUE2ApplicationEnvironmentComputingManagerForeignKey=manager)
    yield entry(f"GLUE2BenchmarkID={service}:si00,{at}", ["GLUE2Entity", "GLUE2Benchmark"],
                GLUE2BenchmarkID=f"{service}:si00", GLUE2BenchmarkType="specint2000", GLUE2BenchmarkValue="2000",
                GLUE2BenchmarkComputingManagerForeignKey=manager)
    for se, mount in queue.ses.items():
        yield entry(f"GLUE2ToStorageServiceID={service}:{se},{here}", ["GLUE2Entity", "GLUE2ToStorageService"],
                    GLUE2ToStorageServiceID=f"{service}:{se}", GLUE2ToStorageServiceLocalPath=mount,
                    GLUE2ToStorageServiceRemotePath="/", GLUE2ToStorageServiceComputingServiceForeignKey=service,
                    GLUE2ToStorageServiceStorageServiceForeignKey=se)
    share = f"{service}:{queue.name}"
    yield entry(f"GLUE2ShareID={share},{here}", ["GLUE2Entity", "GLUE2Share", "GLUE2ComputingShare"],
                GLUE2ShareID=share, GLUE2EntityName=queue.name, GLUE2ComputingShareMappingQueue=queue.name,
                GLUE2ShareServiceForeignKey=service, GLUE2ShareResourceForeignKey=f"{service}:hosts",
                GLUE2ShareEndpointForeignKey=f"{service}:cream",
                GLUE2ComputingShareComputingServiceForeignKey=service,
                GLUE2ComputingShareComputingEndpointForeignKey=f"{service}:cream",
                GLUE2ComputingShareExecutionEnvironmentForeignKey=f"{service}:hosts",
                GLUE2ComputingShareServingState=queue.state.lower(), GLUE2ComputingShareFreeSlots=queue.free,
                GLUE2ComputingShareRunningJobs=queue.running, GLUE2ComputingShareWaitingJobs=queue.waiting,
                GLUE2ComputingShareTotalJobs=queue.running + queue.waiting,
                GLUE2ComputingShareEstimatedAverageWaitingTime=queue.response_s,
                GLUE2ComputingShareEstimatedWorstWaitingTime=2 * queue.response_s,
                GLUE2ComputingShareMaxWallTime=60 * queue.wall_min, GLUE2ComputingShareMaxCPUTime=60 * queue.cpu_min,
                GLUE2ComputingShareMaxRunningJobs=1000, GLUE2ComputingShareMaxTotalJobs=2000)
    yield entry(f"GLUE2PolicyID={share}:policy,GLUE2ShareID={share},{here}",
                ["GLUE2Entity", "GLUE2Policy", "GLUE2MappingPolicy"], GLUE2PolicyID=f"{share}:policy",
                GLUE2PolicyScheme="basic", GLUE2PolicyRule=list(queue.rules),
                GLUE2PolicyUserDomainForeignKey="everybody", GLUE2MappingPolicyShareForeignKey=share)
