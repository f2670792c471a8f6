"""Sources of events and sequence codes: the logical clock of a job, nine counters compared left to right.

For naming components and ordering events; not for wall-clock time.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import NamedTuple

from wms.errors import BadSequenceCode


class Source(StrEnum):
    """The component that says something about a job."""

    USER_INTERFACE = "UserInterface"
    NETWORK_SERVER = "NetworkServer"
    WORKLOAD_MANAGER = "WorkloadManager"
    BIG_HELPER = "BigHelper"
    JOB_CONTROLLER = "JobController"
    LOG_MONITOR = "LogMonitor"
    LRMS = "LRMS"
    APPLICATION = "Application"
    LB_SERVER = "LBServer"
    CREAM_INTERFACE = "CREAMInterface"
    CREAM_EXECUTOR = "CREAMExecutor"
    PBS_CLIENT = "PBSClient"
    PBS_SERVER = "PBSServer"
    PBS_MOM_SUPERIOR = "PBSMomSuperior"
    PBS_MOM = "PBSMom"
    PBS_SCHEDULER = "PBSScheduler"
    CLOUD_MANAGER = "CloudManager"
    VM_MANAGER = "VMManager"
    VM_SYSTEM = "VMSystem"

    @property
    def code(self) -> int:
        """Number of the source on the wire of old clients, from 1."""
        return _NUMBERS[self]

    @property
    def component(self) -> str | None:
        """Name of its counter in a sequence code; None for components that have none."""
        return _COUNTERS.get(self)


class SequenceCode(NamedTuple):
    """Nine counters; tuples compare as the code does. `str()` is the wire form."""

    ui: int = 0
    ns: int = 0
    wm: int = 0
    bh: int = 0
    jss: int = 0
    lm: int = 0
    lrms: int = 0
    app: int = 0
    lbs: int = 0

    def __str__(self) -> str:
        return _WIRE % self

    @classmethod
    def parse(cls, text: str) -> SequenceCode:
        """Reads the wire form; codes of old clients lack the last counter. Raises BadSequenceCode."""
        found = _FORM.fullmatch(text)
        if found is None:
            raise BadSequenceCode(f"not a sequence code: {text[:200]!r}")
        return cls._make(map(int, found.groups("0")))

    def advanced(self, source: Source) -> SequenceCode:
        """The code after one more event of `source`: its own counter + 1, the others carried."""
        name = source.component
        return self if name is None else self._replace(**{name: getattr(self, name) + 1})


START = SequenceCode()
_NUMBERS = {source: number for number, source in enumerate(Source, 1)}
_COUNTERS = dict(zip(Source, SequenceCode._fields, strict=False))
_WIRE = "UI=%06d:NS=%010d:WM=%06d:BH=%010d:JSS=%06d:LM=%06d:LRMS=%06d:APP=%06d:LBS=%06d"
_FORM = re.compile(
    r"UI=(\d{1,10}):NS=(\d{1,10}):WM=(\d{1,10}):BH=(\d{1,10}):JSS=(\d{1,10}):LM=(\d{1,10})"
    r":LRMS=(\d{1,10}):APP=(\d{1,10})(?::LBS=(\d{1,10}))?", re.ASCII)
