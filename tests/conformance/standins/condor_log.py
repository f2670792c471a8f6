"""Writes events as HTCondor writes them to a job event log. Not here: when they happen."""

from __future__ import annotations

import time
from collections.abc import Callable

from wms.ce.condor.events import Event, Kind

__all__ = ["WRITTEN", "record"]


def _usage(seconds: float) -> str:
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    return f"Usr {days} {hours:02d}:{minutes:02d}:{seconds:02d}, Sys 0 00:00:00"


def _end(event: Event) -> str:
    if event.signal is None:
        return f"\t(1) Normal termination (return value {event.exit_code})\n"
    return f"\t(0) Abnormal termination (signal {event.signal})\n\t(0) No core file\n"


def _bytes(event: Event, which: str = "Run") -> str:
    return f"\t{event.sent}  -  {which} Bytes Sent By Job\n\t{event.received}  -  {which} Bytes Received By Job\n"


def _terminated(event: Event) -> str:
    usage = "".join(f"\t\t{_usage(seconds)}  -  {what} Usage\n" for what, seconds in (
        ("Run Remote", event.cpu_s), ("Run Local", 0), ("Total Remote", event.cpu_s), ("Total Local", 0)))
    table = ("\tPartitionable Resources :    Usage  Request Allocated \n"
             "\t   Cpus                 :                 1         1 \n"
             "\t   Disk (KB)            :       17       17  16705076 \n"
             "\t   Memory (MB)          :        0        1      1983 \n")
    return f"Job terminated.\n{_end(event)}{usage}{_bytes(event)}{_bytes(event, 'Total')}{table}"


def _evicted(event: Event) -> str:
    codes = f" Code {event.code} Subcode {event.subcode}" if event.code else ""
    what = "(0) Job terminated and was requeued" if event.requeued else "(0) CPU times"
    usage = f"\t{what}\n\t\t{_usage(event.cpu_s)}  -  Run Remote Usage\n\t\t{_usage(0)}  -  Run Local Usage\n"
    reason = f"\tReason: {event.reason}\n" if event.reason and not event.requeued else ""
    return f"Job was evicted.{codes}\n{usage}{_bytes(event)}{_end(event) if event.requeued else ''}{reason}"


def _held(event: Event) -> str:
    return f"Job was held.\n\t{event.reason or 'Reason unspecified'}\n\tCode {event.code} Subcode {event.subcode}\n"


def _with_reason(text: str) -> Callable[[Event], str]:
    return lambda event: text + "\n" + (f"\t{event.reason}\n" if event.reason else "")


WRITTEN: dict[Kind, Callable[[Event], str]] = {
    Kind.SUBMIT: lambda _: "Job submitted from host: <192.0.2.10:9618?addrs=192.0.2.10-9618&noUDP&sock=schedd_1_a>\n",
    Kind.EXECUTE: lambda event: "Job executing on host: <192.0.2.20:9618?addrs=192.0.2.20-9618>\n"
                                f"\tSlotName: {event.node}\n\tCondorScratchDir = \"/var/lib/condor/execute/dir_1\"\n"
                                "\tCpus = 1\n\tMemory = 2048\n",
    Kind.EVICTED: _evicted,
    Kind.TERMINATED: _terminated,
    Kind.IMAGE_SIZE: lambda event: "Image size of job updated: 4711\n\t1  -  MemoryUsage of job (MB)\n"
                                   f"\t{event.rss_kb}  -  ResidentSetSize of job (KB)\n",
    Kind.SHADOW_EXCEPTION: lambda event: f"Shadow exception!\n\t{event.reason}\n{_bytes(event)}",
    Kind.ABORTED: _with_reason("Job was aborted."),
    Kind.SUSPENDED: lambda _: "Job was suspended.\n\tNumber of processes actually suspended: 3\n",
    Kind.UNSUSPENDED: lambda _: "Job was unsuspended.\n",
    Kind.HELD: _held,
    Kind.RELEASED: _with_reason("Job was released."),
    Kind.DISCONNECTED: lambda event: f"Job disconnected, attempting to reconnect\n    {event.reason}\n"
                                     f"    Trying to reconnect to {event.node} <192.0.2.20:9618>\n",
    Kind.RECONNECTED: lambda event: f"Job reconnected to {event.node}\n    startd address: <192.0.2.20:9618>\n"
                                    "    starter address: <192.0.2.20:9618>\n",
    Kind.RECONNECT_FAILED: lambda event: f"Job reconnection failed\n    {event.reason}\n"
                                         "    Can not reconnect to slot1@node, rescheduling job\n",
    Kind.GRID_SUBMIT: lambda event: "Job submitted to grid resource\n"
                                    "    GridResource: condor ce.example.org ce.example.org:9619\n"
                                    f"    GridJobId: {event.resource}\n",
    Kind.GRID_RESOURCE_UP: lambda event: f"Grid Resource Back Up\n    GridResource: {event.resource}\n",
    Kind.GRID_RESOURCE_DOWN: lambda event: f"Detected Down Grid Resource\n    GridResource: {event.resource}\n",
    Kind.STATUS_UNKNOWN: lambda _: "The job's remote status is unknown\n",
    Kind.STATUS_KNOWN: lambda _: "The job's remote status is known again\n",
    Kind.STAGE_IN: lambda _: "Job is performing stage-in of input files\n",
    Kind.STAGE_OUT: lambda _: "Job is performing stage-out of output files\n",
}
"""The text of each kind that is written here, without the first words of its first line."""


def record(event: Event, *, old: bool = False) -> str:
    """One record with its end. `old`: the date as before version 8.9.8."""
    date = time.strftime("%m/%d %H:%M:%S" if old else "%Y-%m-%d %H:%M:%S", time.gmtime(event.seconds))
    return (f"{event.kind:03d} ({event.cluster:03d}.{event.proc:03d}.{event.subproc:03d}) {date} "
            f"{WRITTEN[event.kind](event)}...\n")
