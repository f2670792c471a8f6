"""The table of JDL attributes: type, job types, check and meaning of each; and the reserved names.

Checks, help and reference derive from it. Rules between attributes are in description.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from typing import Any, Final, NamedTuple, TypeAlias

from wms.jdl.values import Value

Check: TypeAlias = Callable[[Any], str | None]

JOB_TYPES: Final[dict[str, str]] = {
    "N": "Normal", "I": "Interactive", "M": "MPICH", "C": "Checkpointable", "P": "Partitionable",
    "R": "Parametric", "K": "Collection", "D": "DAG",
}
JOB: Final = "NIMCPR"
EVERY: Final = JOB + "KD"
MISSING: Final = "Jdl mandatory attribute is missing"


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


def wrong_value(what: str) -> str:
    return f"wrong value caught for attribute ({what})"


def wrong_format(form: str) -> str:
    return f"wrong format caught for attribute. The right format is: '{form}'"


def _at_least(least: int, message: str = "") -> Check:
    return lambda value: None if value >= least else message or wrong_value(f"must be at least {least}")


def _one_of(*names: str) -> Check:
    known, listed = {name.lower() for name in names}, ", ".join(names)
    return lambda value: None if value.lower() in known else wrong_value(f"{value}; known: {listed}")


def _matching(expression: str, form: str) -> Check:
    pattern = re.compile(expression)

    def check(value: Any) -> str | None:
        texts = value if isinstance(value, list) else [value]
        return None if all(pattern.fullmatch(text) for text in texts) else wrong_format(form)

    return check


def _step(value: Any) -> str | None:
    return None if value else ("JDL Attribute ParameterStep must be different from zero, "
                               "division by zero not allowed")


def _steps(value: Any) -> str | None:
    if isinstance(value, list):
        return None if value and all(type(item) is str for item in value) else wrong_value("a list of labels")
    return _positive(value)


def _integers(value: Any) -> str | None:
    return None if all(type(item) is int for item in value) else wrong_value("a list of integers")


def _strings(value: Any) -> str | None:
    return None if all(type(item) is str for item in value) else wrong_value("a list of strings")


_positive = _at_least(1, "value must be greater than 0")
_host = _matching(r"[A-Za-z0-9.-]+(:\d{1,5})?|\[[0-9a-fA-F:]+\](:\d{1,5})?|", "<host>[:<port>]")
_uri = _matching(r"[a-zA-Z][a-zA-Z0-9+.-]*://[^\s\x00-\x1f]+", "<protocol>://<address>")
_data = _matching(r"(lfn|guid|si-lfn|si-guid|lds|query):[^\x00-\x1f]+", "lfn:<name> or guid:<id>")

ATTRIBUTES: Final[tuple[JdlAttribute, ...]] = (
    JdlAttribute("Type", "s", EVERY, "what is described: Job, DAG or Collection",
                 _one_of("Job", "DAG", "Collection"), default='"Job"'),
    JdlAttribute("JobType", "S", JOB, "kind of job, or a list of kinds to combine", default='"Normal"'),
    JdlAttribute("Executable", "s", JOB, "program: in the InputSandbox, or an absolute path on the node",
                 mandatory=JOB),
    JdlAttribute("Arguments", "s", JOB, "arguments of the program, one string"),
    JdlAttribute("StdInput", "s", "NMCPR", "file that becomes standard input"),
    JdlAttribute("StdOutput", "s", "NIMCPR", "file that takes standard output; of an interactive job: all output"),
    JdlAttribute("StdError", "s", "NMCPR", "file that takes standard error"),
    JdlAttribute("InputSandbox", "S", EVERY, "files copied to the worker node before the job"),
    JdlAttribute("InputSandboxBaseURI", "s", EVERY, "base of InputSandbox entries without scheme", _uri),
    JdlAttribute("InputSandboxDestFileName", "L", EVERY, "names of InputSandbox files in the job", _strings),
    JdlAttribute("OutputSandbox", "S", EVERY, "files copied back after the job"),
    JdlAttribute("OutputSandboxDestURI", "S", EVERY, "where each OutputSandbox file goes"),
    JdlAttribute("OutputSandboxBaseDestURI", "s", EVERY, "directory where OutputSandbox files go",
                 _matching(r"(gsiftp|https?)://\S+", "gsiftp://<address> or https://<address>")),
    JdlAttribute("Prologue", "s", EVERY, "program run before the job counts as started"),
    JdlAttribute("PrologueArguments", "s", EVERY, "arguments of the Prologue"),
    JdlAttribute("Epilogue", "s", EVERY, "program run after the job, before its output is copied"),
    JdlAttribute("EpilogueArguments", "s", EVERY, "arguments of the Epilogue"),
    JdlAttribute("Environment", "S", EVERY, "variables of the job, NAME=value each",
                 _matching(r"(?s)[A-Za-z_][A-Za-z0-9_]*=.*", "<variable>=<value>")),
    JdlAttribute("InputData", "S", JOB, "logical files the job reads; they influence matching", _data),
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
    JdlAttribute("RetryCount", "i", JOB, "resubmissions after the program has started", _at_least(0),
                 default="3"),
    JdlAttribute("ShallowRetryCount", "i", JOB, "resubmissions before the program has started; -1 is none",
                 _at_least(-1), default="3"),
    JdlAttribute("DefaultNodeRetryCount", "i", "KDR", "RetryCount of nodes without their own", _at_least(0)),
    JdlAttribute("DefaultNodeShallowRetryCount", "i", "KDR", "ShallowRetryCount of nodes without their own",
                 _at_least(-1)),
    JdlAttribute("MyProxyServer", "s", EVERY, "credential store; turns renewal on", _host),
    JdlAttribute("HLRLocation", "s", EVERY, "accounting server",
                 _matching(r"[^:\s]+:\d+:.+|", "<host>:<port>:<subject>")),
    JdlAttribute("JobProvenance", "s", EVERY, "provenance server", _host),
    JdlAttribute("LBAddress", "s", EVERY, "bookkeeping server to use", _host),
    JdlAttribute("CpuNumber", "i", "NMR", "CPUs of the job", _positive),
    JdlAttribute("NodeNumber", "i", "NMR", "the same as CpuNumber", _positive),
    JdlAttribute("WholeNodes", "b", EVERY, "whole worker nodes only", default="false"),
    JdlAttribute("SMPGranularity", "i", EVERY, "least cores of a host", _positive),
    JdlAttribute("HostNumber", "i", EVERY, "hosts to spread over", _positive),
    JdlAttribute("JobSteps", "N", "CP", "number of steps, or their labels", _steps, mandatory="P"),
    JdlAttribute("CurrentStep", "i", "CP", "first step", _at_least(0), default="0"),
    JdlAttribute("JobState", "ad", "C", "state to start from"),
    JdlAttribute("StepWeight", "L", "P", "relative weight of each step", _integers),
    JdlAttribute("Prejob", "ad", "P", "job run before the partitions"),
    JdlAttribute("Postjob", "ad", "P", "job run after the partitions"),
    JdlAttribute("Parameters", "N", "R", "bound, or list of values", mandatory="R"),
    JdlAttribute("ParameterStart", "i", "R", "first value", default="0"),
    JdlAttribute("ParameterStep", "i", "R", "distance of values", _step, default="1"),
    JdlAttribute("Nodes", "A", "KD", "the jobs of a compound", mandatory="KD"),
    JdlAttribute("Dependencies", "L", "D", "which nodes wait for which"),
    JdlAttribute("max_running_nodes", "i", "D", "nodes running at once",
                 _at_least(1, "'max_running_nodes' has to be an integer > 0")),
    JdlAttribute("NodeName", "s", EVERY, "name of a node, unique in its compound"),
    JdlAttribute("File", "s", EVERY, "path of the JDL of a node"),
    JdlAttribute("node_type", "s", "D", "obsolete", _one_of("edg-jdl"), default='"edg-jdl"'),
    JdlAttribute("node_retry_count", "i", "D", "the same as RetryCount of nodes", _at_least(0)),
    JdlAttribute("NodesCollocation", "b", "KDR", "all nodes on one computing element", default="false"),
    JdlAttribute("SignificantAttributes", "L", "KDR", "attributes whose equality makes nodes one", _strings),
    JdlAttribute("PerusalFileEnable", "b", EVERY, "let output be read while the job runs", default="false"),
    JdlAttribute("PerusalTimeInterval", "i", EVERY, "seconds between two readings", _at_least(0)),
    JdlAttribute("PerusalFilesDestURI", "s", EVERY, "where the readings go", _uri),
    JdlAttribute("AllowZippedISB", "b", EVERY, "send the InputSandbox as an archive", default="false"),
    JdlAttribute("ZippedISB", "S", EVERY, "archives of the InputSandbox"),
    JdlAttribute("ExpiryTime", "d", EVERY, "epoch seconds when an unmatched job is aborted", _at_least(0)),
    JdlAttribute("Priority", "i", EVERY, "which of the same user's jobs goes first; the highest", default="0"),
    JdlAttribute("LazyMatching", "b", EVERY, "wait in the service for a free slot; absent: as the site says"),
    JdlAttribute("ShortDeadlineJob", "b", JOB, "only queues for short jobs", default="false"),
    JdlAttribute("EnableWmsFeedback", "b", JOB, "the job may be moved while it waits", default="false"),
    JdlAttribute("UserTags", "ad", EVERY, "names and values recorded with the job"),
    JdlAttribute("UserContact", "S", EVERY, "who is told", _matching(r"[^@\s]+@[^@\s]+", "<user>@<host>")),
    JdlAttribute("NotificationType", "S", EVERY, "of what UserContact is told"),
    JdlAttribute("SubmitTo", "s", JOB, "computing element to use without matching",
                 _matching(r"[^\s/:]+:\d+/\S+|", "<full-hostname>:<port>/jobmanager-<service>-<queue>")),
    JdlAttribute("lrms_type", "s", "M", "batch system"),
    JdlAttribute("ListenerHost", "s", "I", "host of the listener of an interactive job"),
    JdlAttribute("ListenerPort", "i", "I", "port of the listener", _at_least(1)),
    JdlAttribute("ListenerPipeName", "s", "I", "pipes of the listener"),
    *(JdlAttribute(name, "*", EVERY, "accepted and ignored")
      for name in ("MoveToCE", "CeMatch", "CE_Rank", "Ces", "ExitCode", "CreationTime", "ValidityTime")),
    JdlAttribute("PartitionNumber", "i", "P", "number of partitions wished", _positive),
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


def wrong_type(row: JdlAttribute, value: Value) -> str | None:
    """What is wrong with the type of a value, or None."""
    if _OF_KIND[row.kind](value):
        return None
    if isinstance(value, list) and row.kind in ("s", "i", "d", "b", "e"):
        return "the attribute cannot be of list type"
    return f"wrong type caught for attribute ({KINDS[row.kind]} expected)"


KINDS: Final[dict[str, str]] = {
    "s": "string", "S": "string or list of strings", "i": "integer", "d": "number", "b": "boolean",
    "e": "expression", "ad": "record", "L": "list", "A": "record or list of records",
    "N": "integer or list", "*": "anything",
}
_OF_KIND: Final[dict[str, Callable[[Value], bool]]] = {
    "s": lambda value: isinstance(value, str),
    "S": lambda value: isinstance(value, str) or _all(value, str),
    "i": lambda value: type(value) is int,
    "d": lambda value: type(value) in (int, float),
    "b": lambda value: isinstance(value, bool),
    "e": lambda value: not isinstance(value, str | list | dict),
    "ad": lambda value: isinstance(value, dict),
    "L": lambda value: isinstance(value, list),
    "A": lambda value: isinstance(value, dict) or _all(value, dict),
    "N": lambda value: type(value) is int or isinstance(value, list),
    "*": lambda value: True,
}


def _all(value: Value, kind: type) -> bool:
    return isinstance(value, list) and all(isinstance(item, kind) for item in value)
