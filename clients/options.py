"""What submit and list-match make of their argument and options: the JDL text, and attributes put into it."""

from __future__ import annotations

import os
import sys
import time

from clients import choosing, moments
from clients.errors import ArgumentsExclusive, ArgumentWrong, BadInputFile, JdlFileMissing
from clients.session import Session
from clients.submission import Delegation
from wms.errors import JdlError, UnknownResource
from wms.jdl.ast import Ad, Node, node


def read_jdl(path: str) -> tuple[str, str, str]:
    """(text, name for messages, directory of its relative files) of a JDL file, or of standard input (-)."""
    if path == "-":
        return sys.stdin.read(), "<standard input>", os.getcwd()
    try:
        with open(path, encoding="utf-8") as file:
            return file.read(), path, os.path.dirname(os.path.abspath(path))
    except UnicodeDecodeError:
        raise JdlFileMissing(f"The JDL file {path} is not UTF-8 text.", path=path) from None
    except OSError as error:
        raise JdlFileMissing(f"The last argument is not a valid path to a JDL file: {path}: {error.strerror}",
                             path=path) from None


def node_attributes(resource: str) -> dict[str, Node]:
    """Attributes that options put into the nodes of a compound."""
    return {"SubmitTo": node(_checked_ce(resource))} if resource else {}


def _checked_ce(ce: str) -> str:
    if "/" not in ce or any(char.isspace() for char in ce):
        raise UnknownResource(f"not the identifier of a CE: {ce!r}", hint="HOST:PORT/jobmanager-TYPE-QUEUE")
    return ce


def delegation(session: Session, name: str, anew: bool) -> Delegation:
    """Which delegated credential; without an option the configured one, else this credential's own."""
    if name and anew:
        raise ArgumentsExclusive("--delegationid and --autm-delegation exclude each other.")
    if anew:
        return Delegation.anew()
    configured = name or session.settings.delegation
    return Delegation.named(configured) if configured else Delegation()


def jdl_attributes(session: Session, *, resource: str = "", input_file: str = "", lrms: str = "",
                   valid: str = "", until: str = "", state_file: str = "") -> dict[str, Node]:
    """Attributes that options put into the description, over what it says itself."""
    if resource and input_file:
        raise ArgumentsExclusive("--resource and --input exclude each other.")
    if valid and until:
        raise ArgumentsExclusive("--valid and --to exclude each other.")
    if lrms and not (resource or input_file):
        raise ArgumentWrong("--lrms needs --resource or --input.")
    ce = choosing.one_ce(session, input_file) if input_file else resource
    if ce:
        _checked_ce(ce)
    state = {"JobState": read_state(state_file)} if state_file else {}
    found: dict[str, str | int] = {"SubmitTo": ce, "lrms_type": lrms}
    if valid or until:
        now = time.time()
        found["ExpiryTime"] = moments.after(valid, now) if valid else moments.deadline(until, now)
    return {**{name: node(value) for name, value in found.items() if value}, **state}


def read_state(path: str) -> Ad:
    """The state of a checkpointable job in a file; raises BadInputFile."""
    from wms.jdl.parser import parse

    try:
        ad = parse(choosing.read(path), path)
    except JdlError as error:
        raise BadInputFile(f"invalid input file : {path}: {error.message}", path=path) from None
    if "CurrentStep" not in ad or "JobSteps" not in ad:
        raise BadInputFile(f"invalid input file : {path}: it holds no state of a job",
                           hint="Save one with: job-get-chkpt -o FILE JOBID", path=path)
    return ad
