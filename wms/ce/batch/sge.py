"""Grid Engine: the dialect of qsub, qstat, qacct, qdel and qconf. Written against 8.1.9 (Son of Grid Engine).

Lists are read piece by piece, not as XML: names of jobs may make it invalid, but cannot hold a '/'. Not here: its words
(sge_words).
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Iterator, Mapping, Sequence

import msgspec

from wms.ce import CeJob, Phase, Usage
from wms.ce.batch.dialect import Listing, Refusal, Row, Said
from wms.ce.batch.sge_words import NOTHING_LEFT, SILENT, ending, kilobytes, phase_of, refusal, seconds
from wms.ce.published import QueueFacts

__all__ = ["Sge"]

_JOB = re.compile(r"<job_list\b.*?</job_list>", re.DOTALL)
_PAST = 'for job do qacct -j "$job"; done 2>/dev/null; exit 0'


class Sge:
    """A `Dialect`. `options` go to each qsub; `cluster` is an SGE_CELL, which the environment names, too."""

    system = "sge"
    variable = "JOB_ID"
    warning = "USR2"
    silent: Sequence[str] = SILENT

    def __init__(self, cluster: str = "", options: Sequence[str] = ()) -> None:
        self._options = list(options)

    # -- submission --------------------------------------------------------------------------------------

    def directives(self, job: CeJob, name: str, log: str) -> list[str]:
        """Several CPUs need a parallel environment: any, or, on one host, one whose name begins with `smp`."""
        memory = job.memory_mb and f"{job.memory_mb}M"
        asked = {"h_rt": job.wall_s, "mem_free": memory, "exclusive": "true" if job.whole_nodes else ""}
        limits = [f"-l {name}={value}" for name, value in asked.items() if value]
        together = job.hosts == 1 or job.smp > 1 or not job.hosts
        parallel = [f"-pe {'smp*' if together else '*'} {job.cpus}"] if job.cpus > 1 else []
        place = [f"-q {shlex.quote(job.queue)}", f"-o {shlex.quote(log)}"]
        return [f"#$ {line}" for line in (*_FLAGS, f"-N {name}", *place, *limits, *parallel)]

    def submit(self) -> list[str]:
        return ["qsub", "-terse", *self._options]

    def handle(self, stdout: str) -> str:
        return text if re.fullmatch(r"[0-9]+", text := stdout.strip()) else ""

    def refusal(self, said: str) -> Refusal:
        return refusal(said)

    def search(self, names: Sequence[str]) -> list[str]:
        """Names cannot be asked for, several at a time."""
        return self.listing()

    def found(self, stdout: str) -> list[tuple[str, str]]:
        return [(_text(piece, "JB_name"), _text(piece, "JB_job_number")) for piece in _JOB.findall(stdout)]

    # -- what becomes of them ----------------------------------------------------------------------------

    def listing(self) -> list[str]:
        return ["qstat", "-u", "*", "-r", "-xml"]

    def rows(self, stdout: str) -> Listing:
        found = [(piece, _listed(piece)) for piece in _JOB.findall(stdout)]
        return Listing({row.handle: row for _, row in found if row is not None},
                       [piece for piece, row in found if row is None])

    def history(self, handles: Sequence[str]) -> list[str]:
        """qacct takes one job at a time; one that is unknown must not hide the others."""
        return ["sh", "-c", _PAST, "qacct", *handles]

    def past(self, stdout: str) -> Listing:
        rows = [row for record in _accounts(stdout) if (row := _accounted(record)) is not None]
        return Listing({row.handle: row for row in rows})

    def cancel(self, handles: Sequence[str]) -> list[list[str]]:
        """Grid Engine itself sends USR2 (`-notify`), waits for the queue's `notify`, and kills all processes."""
        return [["qdel", *handles]]

    def harmless(self, said: Said) -> bool:
        return all(NOTHING_LEFT.search(line) for line in f"{said.stdout}\n{said.stderr}".splitlines() if line.strip())

    # -- what it offers ----------------------------------------------------------------------------------

    def facts(self) -> list[list[str]]:
        return [["qstat", "-g", "c"], ["qconf", "-sq", "*"], ["qhost"], ["qstat", "-help"]]

    def queues(self, said: Sequence[str], rows: Mapping[str, Row], most: QueueFacts) -> list[QueueFacts]:
        version = said[3].partition("\n")[0].split()[-1:] or [""]
        known = msgspec.structs.replace(most, lrms_version=version[0], machine={**_hosts(said[2]), **most.machine})
        limits = {record.get("qname", ""): record for record in _definitions(said[1])}
        return [_queue(line.split(), limits, rows.values(), known) for line in said[0].splitlines()[2:] if line.strip()]


_FLAGS = ("-S /bin/sh", "-j y", "-m n", "-r n", "-notify")


def _text(piece: str, name: str) -> str:
    return found[1] if (found := re.search(rf"<{name}>([^<]*)</{name}>", piece)) else ""


def _listed(piece: str) -> Row | None:
    handle, state, slots = (_text(piece, name) for name in ("JB_job_number", "state", "slots"))
    meaning = phase_of(state)
    if meaning is None or not handle.isdecimal():
        return None
    queue, _, node = _text(piece, "queue_name").partition("@")
    asked = re.search(r"<hard_req_queue>([^<@]*)", piece)
    return Row(handle, meaning[0], queue or (asked[1] if asked else ""), int(slots) if slots.isdecimal() else 1, node,
               meaning[1])


def _accounts(stdout: str) -> Iterator[Mapping[str, str]]:
    """Records between lines of '=': a key of up to twelve characters, blanks, the value."""
    for text in re.split(r"^=+$", stdout, flags=re.MULTILINE):
        pairs = (line.split(None, 1) for line in text.splitlines() if line.strip())
        yield {pair[0]: pair[1].strip() if len(pair) > 1 else "" for pair in pairs}


def _accounted(record: Mapping[str, str]) -> Row | None:
    handle, status = record.get("jobnumber", ""), record.get("exit_status", "").partition(" ")[0]
    if not handle.isdecimal():
        return None
    failed, _, words = record.get("failed", "0").partition(":")
    usage = Usage(seconds(record.get("ru_wallclock", "")), seconds(record.get("cpu", "")),
                  kilobytes(record.get("ru_maxrss", "")))
    reason, own = ending(failed.strip(), words.strip())
    slots = record.get("slots", "")
    return Row(handle, Phase.ENDED, record.get("qname", ""), int(slots) if slots.isdecimal() else 1,
               record.get("hostname", ""), reason, f"exit_status {status or 'unknown'}, failed {failed.strip()}",
               bool(record.get("deleted_by", "NONE") != "NONE"), int(status) if own and status.isdecimal() else None,
               usage)


# -- queues ----------------------------------------------------------------------------------------------


def _definitions(stdout: str) -> Iterator[Mapping[str, str]]:
    for text in re.split(r"\n\s*\n", stdout):
        yield dict(re.findall(r"^(\S+)\s+(\S.*)$", text, re.MULTILINE))


def _hosts(stdout: str) -> Mapping[str, int]:
    """Of the smallest host of qhost: HOSTNAME ARCH NCPU ... MEMTOT ...; those that say nothing have a '-'."""
    lines = [line.split() for line in stdout.splitlines()]
    names = lines[0] if lines else []
    hosts = [dict(zip(names, line, strict=True)) for line in lines if len(line) == len(names)]
    cpus = [int(host["NCPU"]) for host in hosts if host.get("NCPU", "").isdecimal()]
    memory = [size // 1024 for host in hosts if (size := kilobytes(host.get("MEMTOT", "")) // 1024)]
    return {"GlueHostMainMemoryRAMSize": min(memory, default=0), "GlueHostArchitectureSMPSize": min(cpus, default=0)}


def _queue(
    line: Sequence[str], limits: Mapping[str, Mapping[str, str]], rows: Collection[Row], most: QueueFacts
) -> QueueFacts:
    """CLUSTER QUEUE, CQLOAD, USED, RES, AVAIL, TOTAL, aoACDS (no new jobs), cdsuE (disabled, unreachable, in error)."""
    name, used, free, total, unfit, broken = line[0], *(int(line[n]) for n in (2, 4, 5, 6, 7))
    mine = [row for row in rows if row.queue == name]
    running = sum(row.phase is Phase.RUNNING for row in mine)
    waiting = sum(row.phase is Phase.QUEUED for row in mine)
    slots = total - broken
    status = "Production" if slots - unfit > 0 else "Draining" if used else "Queueing"
    free = min(free, most.slots or free) if status == "Production" and not waiting else 0
    own = limits.get(name, {})
    return msgspec.structs.replace(
        most, queue=name, status=status, slots=slots, free=free, running=running, waiting=waiting,
        response_s=0 if free else 60 * (1 + waiting // max(1, slots)),
        max_wall_s=int(seconds(own.get("h_rt", ""))), max_cpu_s=int(seconds(own.get("h_cpu", ""))))
