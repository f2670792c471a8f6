"""Slurm: the dialect of sbatch, squeue, sacct, scancel and sinfo. Written against 22.05, with nothing newer.

Lists of jobs have no field that a user may write: names and comments can hold newlines. Not here: its words.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping, Sequence

from wms.ce import CeJob, Usage
from wms.ce.batch import slurm_facts
from wms.ce.batch.dialect import Listing, Refusal, Row, Said
from wms.ce.batch.slurm_words import SILENT, exit_status, phase_of, refusal, seconds
from wms.ce.published import QueueFacts

__all__ = ["Slurm"]

_LIST = "%i|%T|%P|%C|%N|%r"
_PAST = "JobIDRaw,State,ExitCode,Partition,AllocCPUS,NodeList,ElapsedRaw,TotalCPU,MaxRSS"
_URL = re.compile(r"[A-Za-z0-9:/._-]{1,200}")
_SIZES = {"": 1 / 1024, "K": 1, "M": 1024, "G": 1024 ** 2, "T": 1024 ** 3}


class Slurm:
    """A `Dialect`. `cluster` is one of those that -M knows, "" for the one; `options` go to each sbatch."""

    system = "slurm"
    variable = "SLURM_JOB_ID"
    warning = ""
    silent: Sequence[str] = SILENT

    def __init__(self, cluster: str = "", options: Sequence[str] = ()) -> None:
        self._cluster = [f"--clusters={cluster}"] if cluster else []
        self._options = list(options)

    # -- submission --------------------------------------------------------------------------------------

    def directives(self, job: CeJob, name: str, log: str) -> list[str]:
        """Minutes and megabytes, rounded up; comments only of characters that need no care."""
        comment = f"{name} {job.job}" if _URL.fullmatch(job.job) else name
        asked = {
            "partition": job.queue, "job-name": name, "comment": comment, "output": log.replace("%", "%%"),
            "open-mode": "append", "time": -(-job.wall_s // 60), "mem": job.memory_mb and f"{job.memory_mb}M",
            "ntasks": job.cpus if job.cpus > 1 else 0, "nodes": job.hosts, "mincpus": job.smp,
        }
        lines = [f"--{option}={shlex.quote(str(value))}" for option, value in asked.items() if value]
        flags = ["--no-requeue", "--mail-type=NONE", *(["--exclusive"] if job.whole_nodes else [])]
        return [f"#SBATCH {line}" for line in (*lines, *flags)]

    def submit(self) -> list[str]:
        return ["sbatch", "--parsable", *self._cluster, *self._options]

    def handle(self, stdout: str) -> str:
        """`ID` or `ID;CLUSTER`."""
        found = re.match(r"\d+(?=;|\s|$)", stdout.strip(), re.ASCII)
        return found[0] if found else ""

    def refusal(self, said: str) -> Refusal:
        return refusal(said)

    def search(self, names: Sequence[str]) -> list[str]:
        only = [f"--name={','.join(names)}"] if names else []
        return ["squeue", "-h", "-a", "-t", "all", *self._cluster, *only, "-o", "%i|%j"]

    def found(self, stdout: str) -> list[tuple[str, str]]:
        """Where names were asked for, only jobs whose whole name is one of them are in the list."""
        pairs = (line.partition("|") for line in stdout.splitlines())
        return [(name, handle) for handle, bar, name in pairs if bar and handle.isdecimal()]

    # -- what becomes of them ----------------------------------------------------------------------------

    def listing(self) -> list[str]:
        return ["squeue", "-h", "-a", "-t", "all", *self._cluster, "-o", _LIST]

    def rows(self, stdout: str) -> Listing:
        return _listing(stdout, _listed)

    def history(self, handles: Sequence[str]) -> list[str]:
        return ["sacct", "-n", "-P", *self._cluster, "-j", ",".join(handles), "-o", _PAST]

    def past(self, stdout: str) -> Listing:
        """A job is a line, its steps are others, `ID.batch`: the largest memory among them is the job's."""
        lines = stdout.splitlines()
        memory: dict[str, int] = {}
        for fields in (line.split("|") for line in lines):
            owner = fields[0].partition(".")[0]
            memory[owner] = max(memory.get(owner, 0), _kilobytes(fields[-1]))
        jobs = "\n".join(line for line in lines if "." not in line.partition("|")[0])
        return _listing(jobs, lambda fields: _accounted(fields, memory))

    def cancel(self, handles: Sequence[str]) -> list[list[str]]:
        """Slurm itself sends TERM, waits for its KillWait, and kills all processes of the job."""
        return [["scancel", "--quiet", *self._cluster, *handles]]

    def harmless(self, said: Said) -> bool:
        lines = said.stderr.strip().splitlines()
        return all(re.search(r"invalid job id|already complet", line, re.IGNORECASE) for line in lines)

    # -- what it offers ----------------------------------------------------------------------------------

    def facts(self) -> list[list[str]]:
        return [["sinfo", "-h", *self._cluster, "-o", slurm_facts.FORMAT], ["sinfo", "-V"]]

    def queues(self, said: Sequence[str], rows: Mapping[str, Row], most: QueueFacts) -> list[QueueFacts]:
        return slurm_facts.queues(said, rows.values(), most)


def _listing(stdout: str, read: Callable[[list[str]], Row | None]) -> Listing:
    lines = [line for line in stdout.splitlines() if line.strip() and not line.startswith("CLUSTER: ")]
    found = [(line, read(line.split("|"))) for line in lines]
    return Listing({row.handle: row for _, row in found if row is not None},
                   [line for line, row in found if row is None])


def _listed(fields: list[str]) -> Row | None:
    if len(fields) != 6:
        return None
    handle, state, queue, cpus, node, reason = fields
    meaning = phase_of(state, reason)
    if meaning is None or not cpus.isdecimal():
        return None
    return Row(handle, meaning[0], queue, int(cpus), node, meaning[1], f"{state} ({reason})", _is_cancelled(state))


def _accounted(fields: list[str], memory: Mapping[str, int]) -> Row | None:
    if len(fields) != 9:
        return None
    handle, state, code, queue, cpus, node, wall, cpu, _ = fields
    meaning = phase_of(state, "")
    if meaning is None:
        return None
    usage = Usage(float(wall) if wall.isdecimal() else 0.0, seconds(cpu), memory.get(handle, 0))
    return Row(handle, meaning[0], queue, int(cpus) if cpus.isdecimal() else 1, node.replace("None assigned", ""),
               meaning[1], f"{state} {code}", _is_cancelled(state), exit_status(code), usage)


def _is_cancelled(state: str) -> bool:
    return state.startswith("CANCELLED")


def _kilobytes(text: str) -> int:
    """`1234K`, `12.50M`; a number alone is bytes; 0 for nothing."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([KMGT]?)", text, re.ASCII)
    return int(float(found[1]) * _SIZES[found[2]]) if found else 0
