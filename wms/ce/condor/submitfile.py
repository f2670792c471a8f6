"""The submit description of jobs of one shape, and the expressions that find them again. Pure.

Every value that comes from a job is reduced to characters that mean nothing to HTCondor. Not here: who reads it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from wms.ce import CeJob
from wms.ce.condor.settings import CondorQueue, CondorSettings

__all__ = ["FILES", "LAUNCHER", "Files", "Shape", "account", "by_handles", "by_installation", "by_tokens",
           "describe", "label", "shape_of"]


class Files(NamedTuple):
    """Names of the files of a job, in its directory and in its scratch directory on the worker node."""

    wrapper: str = "wms_wrapper"
    proxy: str = "wms_proxy"
    token: str = "wms_token"
    output: str = "wms_output"


FILES = Files()

LAUNCHER = f"""#!/bin/sh
# Starts the wrapper of a WMS job in the scratch directory that HTCondor made for it.
exec 2>&1
cd "${{_CONDOR_SCRATCH_DIR:-.}}" || exit 125
here=$(pwd)
: "${{PATH:=/usr/local/bin:/usr/bin:/bin}}" "${{HOME:=$here}}"
export PATH HOME
if [ -f {FILES.proxy} ]; then
    chmod 600 {FILES.proxy}
    X509_USER_PROXY=$here/{FILES.proxy}
    export X509_USER_PROXY
fi
if [ -f {FILES.token} ]; then
    chmod 600 {FILES.token}
    BEARER_TOKEN_FILE=$here/{FILES.token}
    export BEARER_TOKEN_FILE
fi
exec /bin/sh ./{FILES.wrapper}
"""
"""The executable of all jobs: with one executable the jobs of a submission are one cluster."""

_UNSAFE = re.compile(r"[^A-Za-z0-9_:/.=@+-]")
_AGAIN = "JobStatus == 1 && NumJobStarts =!= undefined && NumJobStarts > 0"
_WALL = ("JobStatus == 2 && WmsWallSeconds > 0 && JobCurrentStartDate =!= undefined"
         " && time() - JobCurrentStartDate > WmsWallSeconds")
_CPU = ("JobStatus == 2 && WmsCpuSeconds > 0 && RemoteUserCpu =!= undefined && RemoteSysCpu =!= undefined"
        " && RemoteUserCpu + RemoteSysCpu > WmsCpuSeconds")
_ONCE = "MY.NumJobStarts =?= undefined || MY.NumJobStarts == 0"
_KEEP_S = 864_000
"""A spooled job that ended waits so long to be fetched: ten days, as HTCondor has it."""


class Shape(NamedTuple):
    """What jobs of one submission have in common. Seconds, megabytes; 0 is no limit."""

    queue: str
    wall_s: int
    cpu_s: int
    memory_mb: int
    cpus: int
    whole_nodes: bool
    proxy: bool
    token: bool
    user: str


def shape_of(job: CeJob, queue: CondorQueue, by_owner: bool) -> Shape:
    return Shape(job.queue, _least(job.wall_s, queue.max_wall_s), _least(job.cpu_s, queue.max_cpu_s), job.memory_mb,
                 max(1, job.cpus, job.smp), job.whole_nodes, bool(job.proxy), bool(job.bearer),
                 account(job.owner) if by_owner else "")


def _least(asked: int, most: int) -> int:
    """The smaller of two limits, where 0 is none."""
    return min(asked, most) if asked and most else asked or most


def label(text: str) -> str:
    """Text as a word without meaning to HTCondor, for people to read: other characters as %XX of UTF-8; never empty."""
    return _UNSAFE.sub(lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode("utf-8", "replace")),
                       text) or "-"


def account(owner: str) -> str:
    """An owner's name as one of the accounting: letters, digits, '_' and '-'."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", owner).strip("_")[-64:]


def describe(settings: CondorSettings, shape: Shape, jobs: Sequence[CeJob], log: str) -> str:
    """The submit file: one cluster, one item a job, in this order. `log`: path of the event log, empty for none."""
    queue = settings.queues[shape.queue]
    lines = [*_what(settings, log), *_files(settings, shape), *_needs(settings, shape, queue),
             *_policy(settings), *_attributes(settings, shape, queue),
             *_admins(settings.commands), *_admins(queue.commands)]
    items = [f"{job.token} {label(job.job)} {label(job.owner)}" for job in jobs]
    return "\n".join([*lines, "queue wms_token, wms_job, wms_owner from (", *items, ")", ""])


def _what(settings: CondorSettings, log: str) -> Iterator[str]:
    yield f"universe = {'grid' if settings.grid_resource else 'vanilla'}"
    if settings.grid_resource:
        yield f"grid_resource = {settings.grid_resource}"
    yield f"executable = {settings.spool}/launcher"
    yield "transfer_executable = True"
    yield f"initialdir = {settings.spool}/jobs/$(wms_token)"
    if log:
        yield f"log = {log}"
        yield "log_xml = False"
    yield f"output = {FILES.output}"
    yield "stream_output = False"
    yield "getenv = False"
    yield "notification = Never"


def _files(settings: CondorSettings, shape: Shape) -> Iterator[str]:
    yield "should_transfer_files = YES"
    yield "when_to_transfer_output = ON_EXIT"
    yield f"transfer_input_files = {', '.join([FILES.wrapper, *([FILES.token] if shape.token else [])])}"
    yield 'transfer_output_files = ""'
    if shape.proxy:
        yield f"x509userproxy = {settings.spool}/jobs/$(wms_token)/{FILES.proxy}"


def _needs(settings: CondorSettings, shape: Shape, queue: CondorQueue) -> Iterator[str]:
    yield f"request_cpus = {shape.cpus}"
    if shape.memory_mb:
        yield f"request_memory = {shape.memory_mb}"
    if settings.routed or settings.grid_resource:
        if queue.requirements:
            yield f"requirements = {queue.requirements}"
    else:
        yield f"requirements = ({queue.requirements}) && ({_ONCE})" if queue.requirements else f"requirements = {_ONCE}"
    if queue.accounting_group:
        yield f"accounting_group = {queue.accounting_group}"
    if shape.user:
        yield f"accounting_group_user = {shape.user}"


def _policy(settings: CondorSettings) -> Iterator[str]:
    yield f"periodic_remove = ({_AGAIN}) || ({_WALL}) || ({_CPU})"
    yield "on_exit_remove = True"
    yield "on_exit_hold = False"
    yield "want_graceful_removal = True"
    yield f"job_max_vacate_time = {settings.vacate_s}"
    if settings.lease_s:
        yield f"job_lease_duration = {settings.lease_s}"
    if settings.spool_files:
        yield (f"leave_in_queue = JobStatus == 4 && (CompletionDate =?= undefined || CompletionDate == 0"
               f" || time() - CompletionDate < {_KEEP_S})")


def _attributes(settings: CondorSettings, shape: Shape, queue: CondorQueue) -> Iterator[str]:
    yield '+WmsToken = "$(wms_token)"'
    yield '+WmsJob = "$(wms_job)"'
    yield '+WmsOwner = "$(wms_owner)"'
    yield f'+WmsInstallation = "{label(settings.installation)}"'
    yield f'+WmsQueue = "{label(shape.queue)}"'
    yield f"+WmsWallSeconds = {shape.wall_s}"
    yield f"+WmsCpuSeconds = {shape.cpu_s}"
    yield f'+JobBatchName = "wms {label(settings.installation)}"'
    if settings.routed or settings.grid_resource:
        yield from _routing(shape, queue)


def _routing(shape: Shape, queue: CondorQueue) -> Iterator[str]:
    """What the router of an HTCondor-CE goes by."""
    yield f"+xcount = {shape.cpus}"
    if shape.memory_mb:
        yield f"+maxMemory = {shape.memory_mb}"
    if shape.wall_s:
        yield f"+maxWallTime = {-(-shape.wall_s // 60)}"
    if queue.remote_queue:
        yield f'+remote_queue = "{queue.remote_queue}"'
    if shape.whole_nodes:
        yield "+WantWholeNode = True"


def _admins(commands: dict[str, str]) -> Iterator[str]:
    for name, value in commands.items():
        yield f"{name} = {value}"


# -- constraints -------------------------------------------------------------------------------------------


def by_installation(installation: str) -> str:
    """All jobs of ours, without the copies that a job router makes of them. `=?=` heeds case, `==` does not."""
    return f'WmsInstallation =?= "{label(installation)}" && RoutedFromJobId =?= undefined'


def by_tokens(installation: str, tokens: Collection[str]) -> str:
    """These jobs. Tokens are made of letters, digits, '_' and '-'."""
    listed = ",".join(tokens)
    return f'{by_installation(installation)} && stringListMember(WmsToken, "{listed}")'


def by_handles(handles: Collection[str]) -> str:
    """Jobs by cluster.proc: what an index finds first."""
    pairs = (handle.split(".") for handle in handles)
    return " || ".join(f"(ClusterId == {int(cluster)} && ProcId == {int(proc)})" for cluster, proc in pairs)
