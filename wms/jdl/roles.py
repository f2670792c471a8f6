"""Who fills in and who acts on each attribute of a job description.

For the reference, and for the test that no attribute is promised and then forgotten. Not its meaning.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

ADDED: Final[Mapping[str, str]] = {
    "client": "VirtualOrganisation MyProxyServer HLRLocation Requirements Rank RetryCount ShallowRetryCount "
              "DefaultNodeRetryCount DefaultNodeShallowRetryCount ExpiryTime SubmitTo lrms_type NodeName",
    "NS": "Type VirtualOrganisation",
}
"""By component, what it writes into a description whose user did not."""

USED: Final[Mapping[str, str]] = {
    "client": "InputSandbox InputSandboxDestFileName OutputSandbox Prejob Postjob PerusalFileEnable Nodes File",
    "NS": "Type JobType Executable InputSandbox InputSandboxDestFileName OutputSandbox VirtualOrganisation "
          "MyProxyServer ExpiryTime UserTags PerusalFileEnable JobSteps CurrentStep JobState "
          "Nodes Dependencies File NodeName glite_wl_ui_DagNodeName node_type node_retry_count "
          "DefaultNodeRetryCount DefaultNodeShallowRetryCount max_running_nodes NodesCollocation "
          "Parameters ParameterStart ParameterStep StepWeight PartitionNumber Prejob Postjob SignificantAttributes",
    "WM": "Requirements Rank FuzzyRank fuzzy_factor RetryCount ShallowRetryCount SubmitTo ExpiryTime Priority "
          "LazyMatching ShortDeadlineJob EnableWmsFeedback InputData DataAccessProtocol DataRequirements DataCatalog "
          "StorageIndex OutputSE CpuNumber NodeNumber WholeNodes SMPGranularity HostNumber lrms_type "
          "NodesCollocation",
    "job adapter": "OutputSandboxDestURI OutputSandboxBaseDestURI Executable "
                   "Arguments StdInput StdOutput StdError InputSandbox OutputSandbox Environment Prologue "
                   "PrologueArguments Epilogue EpilogueArguments OutputData OutputSE HLRLocation JobType CpuNumber "
                   "NodeNumber WholeNodes SMPGranularity HostNumber PerusalFileEnable PerusalTimeInterval "
                   "Container ContainerBinds StageInputData InputData DataAccessProtocol",
}
"""By component, what it acts on."""

IGNORED: Final = (
    "InputSandboxBaseURI ReplicaCatalog JobProvenance LBAddress "
    "PerusalFilesDestURI AllowZippedISB ZippedISB UserContact NotificationType ListenerHost ListenerPort "
    "ListenerPipeName MoveToCE CeMatch CE_Rank Ces ExitCode CreationTime ValidityTime")
"""Checked and kept, and usable in Requirements and Rank as any attribute, but nothing acts on them."""


def added_by(name: str) -> tuple[str, ...]:
    return tuple(who for who, names in ADDED.items() if name in names.split())


def used_by(name: str) -> tuple[str, ...]:
    """Components; empty for an attribute that nothing acts on."""
    return tuple(who for who, names in USED.items() if name in names.split())
