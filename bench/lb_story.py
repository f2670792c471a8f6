"""What benchmarks of Logging & Bookkeeping log: jobs that go well, twenty events each, from eight producers.

Not a test, and nothing is measured here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import msgspec

from wms.event import Event, Source, event
from wms.eventlog import decode_events
from wms.jobid import JobId
from wms.seqcode import START

PRODUCERS = 8
NOW = 1.7e9
HOST = "wms.example.org"
OWNER = "/DC=org/DC=example/O=Particle Physics/CN=Grace Example"
CE = "ce.example.org:8443/slurm-long"
JDL = """[ Executable = "/bin/sh"; Arguments = "run.sh 1000 events.root"; StdOutput = "out"; StdError = "err";
  InputSandbox = { "run.sh", "config.yaml" }; OutputSandbox = { "out", "err", "events.root" };
  Requirements = other.GlueCEStateStatus == "Production" && other.GlueCEPolicyMaxCPUTime > 720;
  Rank = - other.GlueCEStateEstimatedResponseTime; RetryCount = 3; ShallowRetryCount = 3;
  VirtualOrganisation = "example" ]"""

_raw = msgspec.json.Decoder(list[msgspec.Raw]).decode

STORY: tuple[tuple[Source, str, dict[str, Any]], ...] = (
    (Source.NETWORK_SERVER, "RegJob", {"jdl": JDL, "ns": f"https://{HOST}:9000", "jobtype": "SIMPLE"}),
    (Source.NETWORK_SERVER, "Accepted", {"from": "UserInterface", "from_host": "ui.example.org"}),
    (Source.NETWORK_SERVER, "EnQueued", {"queue": "wm", "result": "OK"}),
    (Source.WORKLOAD_MANAGER, "DeQueued", {"queue": "wm"}),
    (Source.WORKLOAD_MANAGER, "Match", {"dest_id": CE}),
    (Source.WORKLOAD_MANAGER, "EnQueued", {"queue": "jobadapter", "result": "OK"}),
    (Source.JOB_CONTROLLER, "DeQueued", {"queue": "jobadapter"}),
    (Source.JOB_CONTROLLER, "Transfer", {
        "destination": "LRMS", "dest_host": "ce.example.org", "job": "4711", "result": "OK",
        "dest_jobid": "4711"}),
    (Source.LOG_MONITOR, "Accepted", {"from": "JobController", "from_host": HOST, "local_jobid": "4711"}),
    (Source.LOG_MONITOR, "Transfer", {
        "destination": "LRMS", "dest_host": "ce.example.org", "job": "4711", "result": "OK"}),
    (Source.LRMS, "Running", {"node": "wn042.example.org"}),
    (Source.LRMS, "ReallyRunning", {}),
    (Source.APPLICATION, "UserTag", {"name": "progress", "value": "10 %"}),
    (Source.APPLICATION, "UserTag", {"name": "progress", "value": "90 %"}),
    (Source.LRMS, "ResourceUsage", {"resource": "real", "quantity": 3605.2, "unit": "s"}),
    (Source.LRMS, "ResourceUsage", {"resource": "user", "quantity": 3511.7, "unit": "s"}),
    (Source.LRMS, "ResourceUsage", {"resource": "sys", "quantity": 12.1, "unit": "s"}),
    (Source.LRMS, "Done", {"status_code": "OK", "exit_code": 0}),
    (Source.LOG_MONITOR, "Done", {
        "status_code": "OK", "exit_code": 0, "reason": "Job terminated successfully"}),
    (Source.NETWORK_SERVER, "Clear", {"reason": "USER"}),
)


def story(job: JobId, now: float, step_s: float = 1.0) -> list[Event]:
    """The events of a job, `step_s` apart; users and their tools give their name, daemons none."""
    code, events = START, []
    for index, (source, type, fields) in enumerate(STORY):
        code = code.advanced(source)
        user = OWNER if source in (Source.NETWORK_SERVER, Source.APPLICATION) else ""
        events.append(event(type, str(job), source, code, now + index * step_s, HOST, user, **fields))
    return events


class Shape(NamedTuple):
    """How jobs advance: `together` of them at a time, by `at_once` events (a divisor of twenty) in a batch.

    Unless said otherwise a batch is as large as those of the interlogger and of the daemons' outboxes.
    """

    together: int = 250
    at_once: int = 2

    @property
    def batch(self) -> int:
        return self.together * self.at_once


def batches(producer: int, n: int, now: float, shape: Shape, address: tuple[str, int] = (HOST, 9000)
            ) -> Iterator[list[Event]]:
    """`n` events of one producer; all happened in the minute before `now`, so that they count in the statistics."""
    rng = Random(f"{producer} {shape}")
    for begin in range(0, n // len(STORY), shape.together):
        number = min(shape.together, n // len(STORY) - begin)
        group = [story(JobId.make(*address, rng.randbytes(16)), now - 60.0, 2.0) for _job in range(number)]
        for at in range(0, len(STORY), shape.at_once):
            yield [one for job in group for one in job[at:at + shape.at_once]]


def prepared(folder: Path, n: int, now: float, shape: Shape = Shape(), address: tuple[str, int] = (HOST, 9000)
             ) -> list[Path]:
    """The batches of all producers, about `n` events in all, one a line in a file for each producer."""
    each = n // PRODUCERS // len(STORY) * len(STORY)
    files = [folder / f"{producer}.json" for producer in range(PRODUCERS)]
    for producer, file in enumerate(files):
        with file.open("wb") as lines:
            lines.writelines(msgspec.json.encode(batch) + b"\n"
                             for batch in batches(producer, each, now, shape, address))
    return files


def read(file: Path) -> Iterator[Sequence[Event]]:
    """The batches again, one at a time: what is measured is not the memory of those who produce."""
    with file.open("rb") as lines:
        yield from map(decode_events, lines)


def bodies(file: Path) -> Iterator[bytes]:
    """The batches as they go over the network, an event a line."""
    with file.open("rb") as lines:
        yield from (b"\n".join(_raw(line)) for line in lines)
