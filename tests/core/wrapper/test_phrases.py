"""Every last word that a wrapper can have is one that is known: what follows from it, and whose fault it is."""

from __future__ import annotations

import re

import pytest
from test_wrapper import EXAMPLES

from jobadapter.wrapper import render
from wms.faults import Fault, judge
from wms.outcome import classify

USER, SITE, NETWORK, CREDENTIAL = Fault.USER, Fault.SITE, Fault.NETWORK, Fault.CREDENTIAL
OWNERS: dict[str, tuple[Fault, str]] = {
    "# not found or unreadable": (USER, "abort"),
    "# not found or unreadable (#)": (USER, "abort"),
    "# not found or unreadable in the container": (USER, "abort"),
    "# failed with error #": (USER, "resubmit"),
    "# failed: # not found": (USER, "resubmit"),
    "Job has been terminated (got SIG#)": (SITE, "resubmit"),
    "Job killed by the jobwrapper because of user proxy expiration": (CREDENTIAL, "abort"),
    "Cannot create directory #": (SITE, "resubmit"),
    "Working directory not writable": (SITE, "resubmit"),
    "No *ftp or http command found: it takes curl, python3 or GNU wget": (SITE, "resubmit"),
    "Cannot find mpirun": (SITE, "resubmit"),
    "Cannot copy the working directory to another host": (SITE, "resubmit"),
    "Cannot find apptainer or singularity": (SITE, "resubmit"),
    "Cannot find the container image #": (SITE, "resubmit"),
    "Cannot run the container: a colon or comma in the path of the directory": (SITE, "resubmit"),
    "Cannot run the container (status #): #": (SITE, "resubmit"),
    "Cannot download # (#)": (NETWORK, "resubmit"),
    "Cannot download # from # (#)": (NETWORK, "resubmit"),
    "Cannot take shallow resubmission token #/start (#)": (NETWORK, "resubmit"),
    "Cannot upload file://# into #/output/# (#)": (NETWORK, "resubmit"),
    "Cannot upload file://# into # (#)": (NETWORK, "resubmit"),
}
"""By reason, `#` for what differs: its owner, and what the Log Monitor does about it."""

_SAID = re.compile(r"""(?:wms_fatal|wms_trapped) (?:'([^']*)'|"((?:[^"\\]|\\.)*)")""")
_VALUE = re.compile(r"\$\{\w+:\+[^}]*\}|\$\{[^}]*\}|\$\([^)]*\)|\$\w+|\$1")


def sayings() -> set[str]:
    """All reasons in the text of wrappers of every kind, `#` for what they are filled with."""
    found = set[str]()
    for example in EXAMPLES.values():
        for single, double in _SAID.findall(render(example)):
            text = single or double
            if text not in ("$1", "$wms_caught"):
                found.add(re.sub("#[#/]*#", "#", _VALUE.sub("#", text)))
    return found


def generic(reason: str) -> str:
    """With the names of a job's own files and programs left out."""
    for ending in (" not found or unreadable", " not found"):
        if reason.endswith(ending):
            before = reason.removesuffix(ending)
            return f"# failed: #{ending}" if " failed: " in before else f"#{ending}"
    return re.sub(r"^(prologue|epilogue) failed with", "# failed with", reason)


def test_every_reason_is_in_the_table_and_the_table_has_no_other() -> None:
    found = {generic(reason) for reason in sayings()}
    assert found == set(OWNERS)


@pytest.mark.parametrize("reason", OWNERS)
def test_owner_and_consequence(reason: str) -> None:
    filled = "prologue" + reason[1:] if reason.startswith("# failed") else reason
    filled = filled.replace("#", "x")
    owner, kind = OWNERS[reason]
    assert (judge(filled).owner, classify(filled).kind) == (owner, kind)
    assert judge(filled).again == (kind == "resubmit")
