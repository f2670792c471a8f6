"""Settings of an HTCondor CE: a pool behind the schedd of this host, a remote schedd, or an HTCondor-CE.

Checked here: nothing of them can break the line of a submit file. Not here: what they mean to it (submitfile).
"""

from __future__ import annotations

import re
from typing import Annotated

import msgspec
from msgspec import Meta

from wms.ce.hosts.settings import HostSettings

__all__ = ["CondorQueue", "CondorSettings", "problems"]

_PATH = re.compile(r"/[A-Za-z0-9_./@+-]*")
_NAME = re.compile(r"(\+|MY\.)?[A-Za-z_][A-Za-z0-9_.]*")
_ADDRESS = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:@-]*|")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")

OURS = frozenset({
    "executable", "arguments", "args", "transfer_executable", "initialdir", "log", "log_xml", "output", "error",
    "should_transfer_files", "when_to_transfer_output", "transfer_input_files", "transfer_output_files", "queue",
    "x509userproxy", "use_x509userproxy", "periodic_remove", "leave_in_queue", "on_exit_remove", "on_exit_hold", "hold",
    "requirements", "universe", "grid_resource", "include", "if", "else", "elif", "endif",
    "input",
})
"""Commands that are written by us: settings of their own stand for some."""


class CondorQueue(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What jobs of one queue say to HTCondor: it has no queues itself.

    `requirements`: of the slot. `constraint`: which slots are counted as the queue's, empty for all of the pool.
    `remote_queue`: the queue of the batch system behind an HTCondor-CE. `commands`: more submit commands, `+Name` for
    an attribute of the job. Limits in seconds, 0 for none; they hold for jobs that ask for more or for nothing.
    """

    requirements: str = ""
    constraint: str = ""
    accounting_group: str = ""
    remote_queue: str = ""
    commands: dict[str, str] = {}
    max_wall_s: Annotated[int, Meta(ge=0)] = 0
    max_cpu_s: Annotated[int, Meta(ge=0)] = 0


class CondorSettings(HostSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of one HTCondor CE.

    `schedd` and `pool`: names as for `-name` and `-pool`; empty: the schedd and the pool of the host. `spool_files`:
    files are sent to the schedd and fetched from it, for one that does not see our spool. `routed`: it is an
    HTCondor-CE, whose router writes the requirements. `grid_resource`: jobs go there through our own schedd.
    `proxy`, `token_file`, `token_dir`, `methods`: who we are to the schedd. `by_owner`: jobs are accounted to their
    owners within the queue's accounting group. `poll_s`: events of jobs are checked against the queue so often.
    `vacate_s`: between TERM and KILL. `history_scan`: jobs of the history that are looked at for one, 0 for all.
    """

    spool: str
    host: str = ""
    port: int = 9619
    schedd: str = ""
    pool: str = ""
    spool_files: bool = False
    routed: bool = False
    grid_resource: str = ""
    condor_config: str = ""
    proxy: str = ""
    token_file: str = ""
    token_dir: str = ""
    methods: str = ""
    by_owner: bool = False
    commands: dict[str, str] = {}
    queues: dict[str, CondorQueue] = msgspec.field(default_factory=lambda: {"default": CondorQueue()})
    installation: str = ""
    lease_s: Annotated[int, Meta(ge=0)] = 2400
    vacate_s: Annotated[int, Meta(ge=0)] = 60
    jobs_per_log: Annotated[int, Meta(ge=1)] = 1000
    jobs_per_submission: Annotated[int, Meta(ge=1)] = 500
    poll_s: Annotated[float, Meta(ge=0.0)] = 120.0
    timeout_s: Annotated[float, Meta(gt=0.0)] = 60.0
    history_scan: Annotated[int, Meta(ge=0)] = 0
    tags: list[str] = []
    access_rules: list[str] = []
    backend: str = "htcondor"

    @property
    def has_log(self) -> bool:
        """Does the schedd write the event log where we can read it?"""
        return not self.spool_files


def problems(settings: CondorSettings) -> list[str]:
    """What is wrong with them, each in a sentence."""
    return [*_wrong_places(settings), *_wrong_commands("commands", settings.commands),
            *(problem for name, queue in settings.queues.items() for problem in _wrong_queue(name, queue))]


def _wrong_places(settings: CondorSettings) -> list[str]:
    found = [] if _PATH.fullmatch(settings.spool) else [f"spool {settings.spool!r} is no plain absolute path"]
    for name in ("schedd", "pool"):
        if not _ADDRESS.fullmatch(getattr(settings, name)):
            found.append(f"{name} {getattr(settings, name)!r} is no name of a daemon")
    return found + _wrong_value("grid_resource", settings.grid_resource)


def _wrong_queue(name: str, queue: CondorQueue) -> list[str]:
    found = [] if re.fullmatch(r"[A-Za-z0-9_.-]+", name) else [f"queue {name!r} is no plain name"]
    for field in ("requirements", "constraint", "accounting_group", "remote_queue"):
        found += _wrong_value(f"queues.{name}.{field}", getattr(queue, field))
    if queue.remote_queue and '"' in queue.remote_queue:
        found.append(f"queues.{name}.remote_queue has a quote")
    return [*found, *_wrong_commands(f"queues.{name}.commands", queue.commands)]


def _wrong_commands(where: str, commands: dict[str, str]) -> list[str]:
    found = []
    for name, value in commands.items():
        if not _NAME.fullmatch(name) or name.lower() in OURS:
            found.append(f"{where}: {name!r} cannot be set there")
        found += _wrong_value(f"{where}.{name}", value)
    return found


def _wrong_value(where: str, value: str) -> list[str]:
    """A value is one line, and does not go on in the next."""
    if _CONTROL.search(value) or value.rstrip().endswith("\\"):
        return [f"{where} is not one whole line"]
    return []
