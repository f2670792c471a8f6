"""What a node takes over from its compound, and what makes two nodes the same to matching.

Files are elsewhere (sandboxes), and so are names and edges.
"""

from __future__ import annotations

from typing import Final

from wms.errors import JdlInvalid
from wms.jdl.ast import Ad, Call, Name, Node, Select, node, walk
from wms.jdl.checks import job_letters
from wms.jdl.compounds.checking import collocated
from wms.jdl.compounds.model import Common
from wms.jdl.description import DEFAULTS, describe
from wms.jdl.evaluate import evaluate
from wms.jdl.reader import Reader

IF_ABSENT: Final = (
    "Requirements", "Rank", "FuzzyRank", "fuzzy_factor", "PerusalFileEnable", "PerusalTimeInterval",
    "SubmitTo", "ExpiryTime", "ShortDeadlineJob", "EnableWmsFeedback", "Priority", "LazyMatching",
)
FORCED: Final = ("MyProxyServer", "HLRLocation", "JobProvenance", "LBAddress")
RETRIES: Final = {"RetryCount": ("DefaultNodeRetryCount", "node_retry_count"),
                  "ShallowRetryCount": ("DefaultNodeShallowRetryCount",)}
NAMES: Final = ("NodeName", "glite_wl_ui_DagNodeName")
OF_THE_WHOLE: Final = ("NodesCollocation", "SignificantAttributes", "DefaultNodeRetryCount",
                       "DefaultNodeShallowRetryCount", "max_running_nodes", "node_type", "node_retry_count")
UNSEEN: Final = frozenset(name.lower() for name in (
    "Executable", "Arguments", "StdInput", "StdOutput", "StdError", "InputSandbox", "InputSandboxDestFileName",
    "OutputSandbox", "OutputSandboxDestURI", "OutputSandboxBaseDestURI", "Environment", "Prologue",
    "PrologueArguments", "Epilogue", "EpilogueArguments", "UserTags", "UserContact", "NotificationType", "NodeName",
    "JobSteps", "CurrentStep", "JobState"))
"""Attributes that matching does not look at unless Requirements or Rank name them."""
_FOR_NODES: Final = ("SubmitTo", "ShortDeadlineJob", "EnableWmsFeedback")
"""What means nothing but to the nodes that take it over, which are checked themselves."""
_NODES: Final = ("Nodes", "Dependencies")
_ONE_NODE: Final = {"D": Ad(), "K": node([{}])}


def common(root: Ad, shown: Ad, letters: str) -> Common:
    """The compound's own attributes, checked; `shown` is what of the record as given is checked.

    Raises JdlInvalid. The nodes stand aside: whoever reads them checks them.
    """
    aside = {"Nodes": _ONE_NODE[letters], **dict.fromkeys(("Dependencies", "max_running_nodes", *_FOR_NODES))}
    found = describe(shown.changed(aside))
    return Common(found.virtual_organisation, found.my_proxy_server, found.expiry_time,
                  tuple(dict.fromkeys((*root.warnings, *found.warnings))), root.changed({"Nodes": None}),
                  collocated(root))


def most_running(ad: Ad) -> int:
    """max_running_nodes, 0 when there is no limit; raises JdlInvalid."""
    written = ad.get("max_running_nodes")
    if written is None:
        return 0
    value = evaluate(written, ad)
    if type(value) is not int or value < 1:
        raise JdlInvalid("'max_running_nodes' has to be an integer > 0")
    return value


def inherited(own: Ad, root: Ad) -> dict[str, Node | None]:
    """The changes that make a node complete by itself: what it lacks and the compound has, or forbids."""
    changes: dict[str, Node | None] = {
        name: value for name in IF_ABSENT if name not in own and (value := root.get(name)) is not None}
    changes |= {name: root.get(name) for name in FORCED if name in own or name in root}
    if "VirtualOrganisation" in root:
        changes["VirtualOrganisation"] = root.get("VirtualOrganisation")
    for name, defaults in RETRIES.items():
        given = [value for default in defaults if (value := root.get(default)) is not None]
        if name not in own and given:
            changes[name] = given[0]
    return changes | {name: None for name in ("Type", *OF_THE_WHOLE) if name in own}


def letters_of(ad: Ad) -> str:
    """The types of a job or compound as letters of JOB_TYPES; wrong types are not said here."""
    return job_letters(_reader(ad))


def _reader(ad: Ad) -> Reader:
    return Reader(without_nodes(ad), DEFAULTS)


def without_nodes(root: Ad) -> Ad:
    """The compound as its nodes see it: what stands beside them, which may be many."""
    return root.changed(dict.fromkeys(_NODES))


def checked_letters(ad: Ad) -> str:
    """The same; raises JdlInvalid when a type is none."""
    reader = _reader(ad)
    letters = job_letters(reader)
    if reader.problems:
        raise JdlInvalid("\n".join(problem["message"] for problem in reader.problems), problems=reader.problems)
    return letters


def unseen_are_unread(ad: Ad) -> bool:
    """Does no attribute that matching sees refer to one it does not look at?"""
    return not any(_refers(value) for name, value in ad.attributes if name.lower() not in UNSEEN)


def _refers(tree: Node) -> bool:
    for part, _ in walk(tree):
        if isinstance(part, Name | Select) and part.name.lower() in UNSEEN:
            return True
        if isinstance(part, Call) and part.function.lower() == "eval":
            return True
    return False


class Likeness:
    """Finds out whether matching can tell any of the nodes it is shown from another."""

    def __init__(self) -> None:
        self.holds = True
        self._first: frozenset[tuple[str, Node]] | None = None

    def add(self, ad: Ad) -> None:
        if not self.holds:
            return
        seen = frozenset((name.lower(), value) for name, value in ad.attributes if name.lower() not in UNSEEN)
        if self._first is None:
            self._first, self.holds = seen, unseen_are_unread(ad)
        else:
            self.holds = seen == self._first
