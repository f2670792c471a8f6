"""PBS: the dialect of qsub, qstat -f, qdel and pbsnodes of OpenPBS, PBS Professional (from 13) and Torque (from 4).

The text form, which all of them have and which is sound whatever a job is called. Not here: the words (pbs_words).
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from wms.ce import CeJob, Phase, Usage
from wms.ce.batch.dialect import Listing, Refusal, Row, Said
from wms.ce.batch.pbs_words import NOTHING_LEFT, SILENT, STATES, ending, exit_status, held, kilobytes, refusal
from wms.ce.batch.slurm_words import seconds
from wms.ce.published import QueueFacts

__all__ = ["Pbs", "records"]

_HANDLE = re.compile(r"\d+(?:\[\d*\])?\.[A-Za-z0-9_.-]+", re.ASCII)
_PAST = 'qstat -x -f "$@"; exit 0'
_STATUS = {(True, True): "Production", (True, False): "Queueing", (False, True): "Draining", (False, False): "Closed"}
"""`enabled` and `started` of a queue: takes jobs, runs jobs."""

_DOWN = re.compile(r"down|offline|unknown|stale|maintenance|provisioning")

Record = Mapping[str, str]


class Pbs:
    """A `Dialect`. `cluster` is a server other than the default one; `options` go to each qsub."""

    system = "pbs"
    variable = "PBS_JOBID"
    warning = ""
    silent: Sequence[str] = SILENT

    def __init__(self, cluster: str = "", options: Sequence[str] = ()) -> None:
        self._server = f"@{cluster}" if cluster else ""
        self._options = list(options)

    # -- submission --------------------------------------------------------------------------------------

    def directives(self, job: CeJob, name: str, log: str) -> list[str]:
        """Hosts and their CPUs in the form that both families read."""
        asked = {"walltime": job.wall_s, "mem": job.memory_mb and f"{job.memory_mb}mb", "nodes": _nodes(job)}
        limits = [f"-l {name}={value}" for name, value in asked.items() if value]
        flags = ["-j oe", "-m n", "-r n", f"-N {name}", f"-q {shlex.quote(job.queue + self._server)}"]
        return [f"#PBS {line}" for line in (*flags, f"-o {shlex.quote(log)}", *limits)]

    def submit(self) -> list[str]:
        return ["qsub", *self._options]

    def handle(self, stdout: str) -> str:
        return found[0] if (found := _HANDLE.fullmatch(stdout.strip())) else ""

    def refusal(self, said: str) -> Refusal:
        return refusal(said)

    def search(self, names: Sequence[str]) -> list[str]:
        """Names cannot be asked for, several at a time."""
        return self.listing()

    def found(self, stdout: str) -> list[tuple[str, str]]:
        return [(record.get("Job_Name", ""), handle) for handle, record in records(stdout, "Job Id")]

    # -- what becomes of them ----------------------------------------------------------------------------

    def listing(self) -> list[str]:
        """Torque shows jobs that are over for `keep_completed` seconds, OpenPBS at once in its history only."""
        return ["qstat", "-f", *([self._server] if self._server else [])]

    def rows(self, stdout: str) -> Listing:
        found = [(handle, _row(handle, record)) for handle, record in records(stdout, "Job Id")]
        return Listing({handle: row for handle, row in found if row is not None},
                       [handle for handle, row in found if row is None])

    def history(self, handles: Sequence[str]) -> list[str]:
        """OpenPBS with `job_history_enable`; one that is unknown must not hide the others."""
        return ["sh", "-c", _PAST, "qstat", *(handle + self._server for handle in handles)]

    def past(self, stdout: str) -> Listing:
        """Torque answers `-x` in XML with what it lists anyway."""
        return self.rows(stdout)

    def cancel(self, handles: Sequence[str]) -> list[list[str]]:
        """PBS itself sends TERM, waits for the queue's kill_delay, and kills all processes of the job."""
        return [["qdel", *(handle + self._server for handle in handles)]]

    def harmless(self, said: Said) -> bool:
        return all(NOTHING_LEFT.search(line) for line in said.stderr.strip().splitlines())

    # -- what it offers ----------------------------------------------------------------------------------

    def facts(self) -> list[list[str]]:
        server = ["-s", self._server[1:]] if self._server else []
        ask = [self._server] if self._server else []
        return [["qstat", "-Q", "-f", *ask], ["pbsnodes", "-a", *server], ["qstat", "-B", "-f", *ask]]

    def queues(self, said: Sequence[str], rows: Mapping[str, Row], most: QueueFacts) -> list[QueueFacts]:
        """All nodes serve all queues, as far as is told here; a queue of its own may have a limit of CPUs."""
        nodes = [node for name, record in _stanzas(said[1]) if (node := _node(record)) is not None]
        version = next((record.get("pbs_version", "") for _, record in records(said[2], "Server")), "")
        known = msgspec.structs.replace(most, lrms_version=version)
        return [_queue(name, record, nodes, rows, known) for name, record in records(said[0], "Queue")]


def records(stdout: str, kind: str) -> list[tuple[str, Record]]:
    """What `-f` prints: `KIND: NAME`, then lines `    ATTRIBUTE = VALUE`, folded before a tab.

    The first of several of one name counts.
    """
    found: dict[str, dict[str, str]] = {}
    record: dict[str, str] = {}
    for line in re.sub(r"\n\t", "", stdout).splitlines():
        if line.startswith(f"{kind}: "):
            record = {}
            found.setdefault(line[len(kind) + 2 :].strip(), record)
        elif (entry := re.match(r"    (\S+) = (.*)", line)) is not None:
            record.setdefault(entry[1], entry[2].strip())
    return list(found.items())


def _stanzas(stdout: str) -> Iterator[tuple[str, Record]]:
    """What pbsnodes prints: a name at the margin, then indented `ATTRIBUTE = VALUE`."""
    for text in re.split(r"\n(?=\S)", stdout.strip("\n")):
        name, _, rest = text.partition("\n")
        yield name.strip(), dict(re.findall(r"^\s+(\S+) = (.*)$", rest, re.MULTILINE))


# -- jobs ------------------------------------------------------------------------------------------------


def _nodes(job: CeJob) -> str:
    """`nodes=HOSTS:ppn=CPUS`; "" for one CPU anywhere."""
    each = max(job.smp, -(-job.cpus // job.hosts) if job.hosts else 0)
    hosts = job.hosts or (-(-job.cpus // job.smp) if job.smp else 1)
    each = each or job.cpus
    if hosts * each == 1 and not job.whole_nodes:
        return ""
    return f"{hosts}:ppn={each}{'#excl' if job.whole_nodes else ''}"


def _row(handle: str, record: Record) -> Row | None:
    state = record.get("job_state", "")
    phase = STATES.get(state)
    if phase is None or not _HANDLE.fullmatch(handle):
        return None
    code = record.get("Exit_status", record.get("exit_status", ""))
    reason, detail, cancelled, status, usage = "", "", False, None, None
    if phase is Phase.ENDED:
        reason, cancelled = ending(state, code, record.get("substate", ""), record.get("comment", ""))
        detail, status, usage = f"Exit_status {code or 'unknown'}", exit_status(code), _usage(record)
    elif why := held(state, record.get("Hold_Types", ""), record.get("comment", "")):
        phase, reason = Phase.HELD, why
    node = re.split(r"[/+:]", record.get("exec_host", ""))[0]
    return Row(handle, phase, record.get("queue", ""), _cpus(record), node, reason, detail, cancelled, status, usage)


def _cpus(record: Record) -> int:
    """Of OpenPBS told in all; Torque repeats the form of `-l nodes`."""
    if (told := record.get("Resource_List.ncpus", "")).isdecimal():
        return max(1, int(told))
    parts = record.get("Resource_List.nodes", "").partition("#")[0].split("+")
    hosts = [(re.match(r"\d+", part), re.search(r"ppn=(\d+)", part)) for part in parts]
    return max(1, sum(int(n[0] if n else 1) * int(ppn[1] if ppn else 1) for n, ppn in hosts))


def _usage(record: Record) -> Usage | None:
    used = {name: record.get(f"resources_used.{name}", "") for name in ("walltime", "cput", "mem")}
    if not any(used.values()):
        return None
    return Usage(seconds(used["walltime"]), seconds(used["cput"]), kilobytes(used["mem"]))


# -- queues ----------------------------------------------------------------------------------------------


class _Node(msgspec.Struct, frozen=True):
    cpus: int
    busy: int
    memory_mb: int


def _node(record: Record) -> _Node | None:
    """None for one that runs nothing now."""
    if _DOWN.search(record.get("state", "down").lower()):
        return None
    names = ("resources_available.ncpus", "pcpus", "np")
    cpus = next((int(record[name]) for name in names if record.get(name, "").isdecimal()), 0)
    memory = record.get("resources_available.mem", "") or _physical(record.get("status", ""))
    return _Node(cpus, min(cpus, _busy(record)), kilobytes(memory) // 1024)


def _physical(status: str) -> str:
    return found[1] if (found := re.search(r"physmem=(\w+)", status)) else ""


def _busy(record: Record) -> int:
    """Assigned CPUs of OpenPBS; Torque names the CPUs of each job: `0/12.server, 1-3/13.server`."""
    if (assigned := record.get("resources_assigned.ncpus", "")).isdecimal():
        return int(assigned)
    spans = re.findall(r"(\d+)(?:-(\d+))?(?=[\d,-]*/)", record.get("jobs", ""))
    return sum(int(last or first) - int(first) + 1 for first, last in spans)


def _queue(name: str, record: Record, nodes: Sequence[_Node], rows: Mapping[str, Row], most: QueueFacts) -> QueueFacts:
    mine = [row for row in rows.values() if row.queue == name]
    running = sum(row.phase is Phase.RUNNING for row in mine)
    waiting = sum(row.phase is Phase.QUEUED for row in mine)
    limit = record.get("resources_available.ncpus", "")
    slots = min(sum(node.cpus for node in nodes), int(limit) if limit.isdecimal() else 1 << 30)
    idle = min(slots, sum(node.cpus - node.busy for node in nodes))
    status = _STATUS[record.get("enabled") == "True", record.get("started") == "True"]
    status = "Queueing" if status == "Production" and not slots else status
    free = idle if status == "Production" and not waiting else 0
    most_running = record.get("max_running", "")
    machine = {"GlueHostMainMemoryRAMSize": min((node.memory_mb for node in nodes), default=0),
               "GlueHostArchitectureSMPSize": min((node.cpus for node in nodes), default=0)}
    return msgspec.structs.replace(
        most, queue=name, status=status, slots=slots, free=free, running=running, waiting=waiting,
        response_s=0 if free else 60 * (1 + waiting // max(1, slots)),
        max_wall_s=int(seconds(record.get("resources_max.walltime", ""))),
        max_cpu_s=int(seconds(record.get("resources_max.cput", ""))),
        max_running=int(most_running) if most_running.isdecimal() else most.max_running,
        machine={**machine, **most.machine})
