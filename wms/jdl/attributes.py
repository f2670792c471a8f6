"""The table of JDL attributes: type, job types, check and meaning of each; and the reserved names.

Checks, help and reference derive from it. Rules between attributes are in description.
"""

from __future__ import annotations

import difflib
from typing import Final, NamedTuple

from wms.jdl.forms import (
    DATA,
    HOST,
    IMAGE,
    INTEGERS,
    NOT_ZERO,
    POSITIVE,
    STEPS,
    STRINGS,
    URI,
    Check,
    at_least,
    known_as,
    matching,
    one_of,
)
from wms.jdl.forms import KINDS as KINDS

JOB_TYPES: Final[dict[str, str]] = {
    "N": "Normal", "I": "Interactive", "M": "MPICH", "C": "Checkpointable", "P": "Partitionable",
    "R": "Parametric", "K": "Collection", "D": "DAG",
}
JOB: Final = "NIMCPR"
EVERY: Final = JOB + "KD"
class JdlAttribute(NamedTuple):
    """One row. `kind`: s string, S string or list of strings, i integer, d real, b boolean, e expression,
    ad record, L list, A record or list of records, N integer or list, * anything. `jobs` and `mandatory`
    are letters of JOB_TYPES; `default` is JDL text; `check` says what is wrong with a value of the kind.
    """

    name: str
    kind: str
    jobs: str
    doc: str
    check: Check | None = None
    mandatory: str = ""
    default: str = ""


ATTRIBUTES: Final[tuple[JdlAttribute, ...]] = (
    JdlAttribute("Type", "s", EVERY, "what is described: Job, DAG or Collection",
                 one_of("Job", "DAG", "Collection"), default='"Job"'),
    JdlAttribute("JobType", "S", JOB, "kind of job, or a list of kinds to combine", default='"Normal"'),
    JdlAttribute("Executable", "s", JOB, "program: in the InputSandbox, or an absolute path on the node",
                 mandatory=JOB),
    JdlAttribute("Arguments", "s", JOB, "arguments of the program, one string"),
    JdlAttribute("StdInput", "s", "NMCPR", "file that becomes standard input"),
    JdlAttribute("StdOutput", "s", "NIMCPR", "file that takes standard output; of an interactive job: all output"),
    JdlAttribute("StdError", "s", "NMCPR", "file that takes standard error"),
    JdlAttribute("InputSandbox", "S", EVERY, "files copied to the worker node before the job"),
    JdlAttribute("InputSandboxBaseURI", "s", EVERY, "base of InputSandbox entries without scheme", URI),
    JdlAttribute("InputSandboxDestFileName", "L", EVERY, "names of InputSandbox files in the job", STRINGS),
    JdlAttribute("OutputSandbox", "S", EVERY, "files copied back after the job"),
    JdlAttribute("OutputSandboxDestURI", "S", EVERY, "where each OutputSandbox file goes"),
    JdlAttribute("OutputSandboxBaseDestURI", "s", EVERY, "directory where OutputSandbox files go",
                 matching(r"(gsiftp|https?)://\S+", "gsiftp://<address> or https://<address>")),
    JdlAttribute("Prologue", "s", JOB, "program run before the job counts as started"),
    JdlAttribute("PrologueArguments", "s", JOB, "arguments of the Prologue"),
    JdlAttribute("Epilogue", "s", JOB, "program run after the job, before its output is copied"),
    JdlAttribute("EpilogueArguments", "s", JOB, "arguments of the Epilogue"),
    JdlAttribute("Environment", "S", EVERY, "variables of the job, NAME=value each",
                 matching(r"(?s)[A-Za-z_][A-Za-z0-9_]*=.*", "<variable>=<value>")),
    JdlAttribute("Container", "s", JOB, "image the Executable runs in: a file of the InputSandbox, an absolute path on "
                 "the node, docker://, oras:// or library://", IMAGE),
    JdlAttribute("ContainerBinds", "S", JOB, "more of the node that its Container sees, <source>[:<target>[:ro]] each",
                 matching(r"/[^:,\x00-\x1f\x7f]*(:/[^:,\x00-\x1f\x7f]*(:r[ow])?)?", "<source>[:<target>[:ro]]")),
    JdlAttribute("InputData", "S", JOB, "logical files the job reads; they influence matching", DATA),
    JdlAttribute("StageInputData", "b", JOB, "copy the InputData into the working directory before the job",
                 default="false"),
    JdlAttribute("DataAccessProtocol", "S", JOB, "protocols the job can read its data with"),
    JdlAttribute("DataRequirements", "A", JOB, "InputData by catalogue"),
    JdlAttribute("DataCatalog", "s", JOB, "data catalogue to use"),
    JdlAttribute("StorageIndex", "s", JOB, "storage index to use"),
    JdlAttribute("ReplicaCatalog", "s", JOB, "obsolete; accepted and ignored"),
    JdlAttribute("OutputSE", "s", JOB, "storage element for output; the CE must be bound to it"),
    JdlAttribute("OutputData", "A", JOB, "output files to store and register"),
    JdlAttribute("Requirements", "e", EVERY, "condition a computing element must meet",
                 default='other.GlueCEStateStatus == "Production"'),
    JdlAttribute("Rank", "e", EVERY, "preference among matching computing elements; the highest wins",
                 default="-other.GlueCEStateEstimatedResponseTime"),
    JdlAttribute("FuzzyRank", "b", EVERY, "draw among computing elements by weight of Rank", default="false"),
    JdlAttribute("fuzzy_factor", "d", EVERY, "how strongly FuzzyRank prefers the better", default="1"),
    JdlAttribute("VirtualOrganisation", "s", EVERY, "virtual organisation of the user"),
    JdlAttribute("RetryCount", "i", JOB, "resubmissions after the program has started", at_least(0),
                 default="3"),
    JdlAttribute("ShallowRetryCount", "i", JOB, "resubmissions before the program has started; -1 is none",
                 at_least(-1), default="3"),
    JdlAttribute("DefaultNodeRetryCount", "i", "KDR", "RetryCount of nodes without their own", at_least(0)),
    JdlAttribute("DefaultNodeShallowRetryCount", "i", "KDR", "ShallowRetryCount of nodes without their own",
                 at_least(-1)),
    JdlAttribute("MyProxyServer", "s", EVERY, "credential store; turns renewal on", HOST),
    JdlAttribute("HLRLocation", "s", EVERY, "accounting server",
                 matching(r"[^:\s]+:\d+:.+|", "<host>:<port>:<subject>")),
    JdlAttribute("JobProvenance", "s", EVERY, "provenance server", HOST),
    JdlAttribute("LBAddress", "s", EVERY, "bookkeeping server to use", HOST),
    JdlAttribute("CpuNumber", "i", "NMR", "CPUs of the job", POSITIVE),
    JdlAttribute("NodeNumber", "i", "NMR", "the same as CpuNumber", POSITIVE),
    JdlAttribute("WholeNodes", "b", EVERY, "whole worker nodes only", default="false"),
    JdlAttribute("SMPGranularity", "i", EVERY, "least cores of a host", POSITIVE),
    JdlAttribute("HostNumber", "i", EVERY, "hosts to spread over", POSITIVE),
    JdlAttribute("JobSteps", "N", "CP", "number of steps, or their labels", STEPS, mandatory="P"),
    JdlAttribute("CurrentStep", "i", "CP", "first step", at_least(0), default="0"),
    JdlAttribute("JobState", "ad", "C", "state to start from"),
    JdlAttribute("StepWeight", "L", "P", "relative weight of each step", INTEGERS),
    JdlAttribute("Prejob", "ad", "P", "job run before the partitions"),
    JdlAttribute("Postjob", "ad", "P", "job run after the partitions"),
    JdlAttribute("Parameters", "N", "R", "bound, or list of values", mandatory="R"),
    JdlAttribute("ParameterStart", "i", "R", "first value", default="0"),
    JdlAttribute("ParameterStep", "i", "R", "distance of values", NOT_ZERO, default="1"),
    JdlAttribute("Nodes", "A", "KD", "the jobs of a compound", mandatory="KD"),
    JdlAttribute("Dependencies", "L", "D", "which nodes wait for which"),
    JdlAttribute("max_running_nodes", "i", "KDR", "nodes running at once",
                 at_least(1, "'max_running_nodes' has to be an integer > 0")),
    JdlAttribute("NodeName", "s", EVERY, "name of a node, unique in its compound"),
    JdlAttribute("File", "s", EVERY, "path of the JDL of a node"),
    JdlAttribute("node_type", "s", "D", "language of the nodes",
                 known_as("node_type not valid ({})", "edg-jdl"), default='"edg-jdl"'),
    JdlAttribute("node_retry_count", "i", "D", "the same as RetryCount of nodes", at_least(0)),
    JdlAttribute("NodesCollocation", "b", "KDR", "all nodes on one computing element", default="false"),
    JdlAttribute("SignificantAttributes", "L", "KDR", "accepted: nodes that match alike are found without it", STRINGS),
    JdlAttribute("PerusalFileEnable", "b", EVERY, "let output be read while the job runs", default="false"),
    JdlAttribute("PerusalTimeInterval", "i", EVERY, "seconds between two readings", at_least(0)),
    JdlAttribute("PerusalFilesDestURI", "s", EVERY, "where the readings go", URI),
    JdlAttribute("AllowZippedISB", "b", EVERY, "send the InputSandbox as an archive", default="false"),
    JdlAttribute("ZippedISB", "S", EVERY, "archives of the InputSandbox"),
    JdlAttribute("ExpiryTime", "d", EVERY, "epoch seconds when an unmatched job is aborted", at_least(0)),
    JdlAttribute("Priority", "i", EVERY, "which of the same user's jobs goes first; the highest", default="0"),
    JdlAttribute("LazyMatching", "b", EVERY, "wait in the service for a free slot; absent: as the site says"),
    JdlAttribute("ShortDeadlineJob", "b", JOB, "only queues for short jobs", default="false"),
    JdlAttribute("EnableWmsFeedback", "b", JOB, "the job may be moved while it waits", default="false"),
    JdlAttribute("UserTags", "ad", EVERY, "names and values recorded with the job"),
    JdlAttribute("UserContact", "S", EVERY, "who is told", matching(r"[^@\s]+@[^@\s]+", "<user>@<host>")),
    JdlAttribute("NotificationType", "S", EVERY, "of what UserContact is told"),
    JdlAttribute("SubmitTo", "s", JOB, "computing element to use without matching",
                 matching(r"[^\s/:]+:\d+/\S+|", "<full-hostname>:<port>/jobmanager-<service>-<queue>")),
    JdlAttribute("lrms_type", "s", "M", "batch system the computing element must have"),
    JdlAttribute("ListenerHost", "s", "I", "host of the listener of an interactive job"),
    JdlAttribute("ListenerPort", "i", "I", "port of the listener; refused for other jobs", at_least(1)),
    JdlAttribute("ListenerPipeName", "s", "I", "pipes of the listener"),
    *(JdlAttribute(name, "*", EVERY, "reserved; accepted and ignored")
      for name in ("MoveToCE", "CeMatch", "CE_Rank", "Ces", "ExitCode", "CreationTime", "ValidityTime")),
    JdlAttribute("PartitionNumber", "i", "P", "number of partitions wished", POSITIVE),
    JdlAttribute("glite_wl_ui_DagNodeName", "s", EVERY, "the same as NodeName"),
)

BY_NAME: Final[dict[str, JdlAttribute]] = {row.name.lower(): row for row in ATTRIBUTES}

RESERVED: Final = frozenset({
    "lb_sequence_code", "x509userproxy", "certificatesubject", "voms_fqan", "inputsandboxpath",
    "outputsandboxpath", "wmpinputsandboxbaseuri", "perusallistfileuri", "jdl_original", "delegation_id",
    "defaultrank", "replanscount", "ce_id", "ceinfohostname", "ceapplicationdir", "queuename",
    "globusresourcecontactstring", "sitename", "sitegatekeeper", "cerequirements", "reallyrunningtoken",
    "rslarguments", "globusrsl", "universe", "grid_type", "grid_resource", "globusscheduler", "mwversion",
    "jobstatus", "abortedreason", "matchstatus", "cancelstatus", "transferstatus", "failurereason",
    "sandboxfile",
})
RESERVED_PREFIXES: Final = ("edg_", "periodic_", "remote_", "transfer_")
_LONGEST = max(len(row.name) for row in ATTRIBUTES) + 4


def reserved(name: str) -> bool:
    """Is this a name that only the system may write?"""
    return name.lower() in RESERVED or name.lower().startswith(RESERVED_PREFIXES)


def meant(name: str) -> str | None:
    """The known attribute that an unknown name is probably a misspelling of."""
    if len(name) > _LONGEST:
        return None
    close = difflib.get_close_matches(name.lower(), BY_NAME, n=1, cutoff=0.82)
    return BY_NAME[close[0]].name if close else None
