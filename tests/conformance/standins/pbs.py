"""A tiny PBS for tests: qsub, qstat, qdel and pbsnodes in the formats of OpenPBS, for one host of two CPUs.

Its first argument is the command it is to be; its state is below PBS_STANDIN. Jobs are real processes in sessions of
their own; whoever changes something starts what fits. Jobs that are over stay in the history. Not here: other servers.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

PLACE = Path(os.environ["PBS_STANDIN"])
SERVER, CPUS, KILL_DELAY_S, START_S = "pbs.example.org", 2, 1.0, 20.0
QUEUES = {"workq": "", "short": "00:02:00"}
Job = dict[str, Any]


@contextmanager
def jobs() -> Iterator[list[Job]]:
    """All of them, in order, written back."""
    with open(PLACE / "lock", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        file = PLACE / "jobs.json"
        found: list[Job] = json.loads(file.read_text()) if file.exists() else []
        yield found
        schedule(found)
        file.with_suffix(".new").write_text(json.dumps(found))
        file.with_suffix(".new").rename(file)


def schedule(found: list[Job]) -> None:
    """First come first served: a large job that waits lets nobody pass."""
    free = CPUS - sum(job["cpus"] for job in found if job["state"] in "RE")
    for job in found:
        if job["state"] == "Q":
            if job["cpus"] > free:
                return
            free -= job["cpus"]
            job["state"], job["started"] = "R", time.time()
            subprocess.Popen([sys.executable, __file__, "run", job["id"]], start_new_session=True,
                             stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def by_id(found: list[Job], name: str) -> Job | None:
    return next((job for job in found if job["id"] == name), None)


def run(name: str) -> None:
    """The mother of one job: its script, its limit of time, its end."""
    with jobs() as found:
        job = dict(by_id(found, name) or {})
    environment = {"PATH": "/usr/bin:/bin", "HOME": "/", "PBS_JOBID": name, "PBS_STANDIN": str(PLACE)}
    place = job["log"] if Path(job["log"]).parent.is_dir() else os.devnull  # it keeps what it cannot deliver
    with open(place, "ab") as log:
        child = subprocess.Popen(["/bin/sh", PLACE / f"{name}.script"], start_new_session=True, env=environment,
                                 stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    with jobs() as found:
        (by_id(found, name) or {})["pid"] = child.pid
    with suppress(subprocess.TimeoutExpired):
        child.wait(job["walltime"] or None)
    late = child.poll() is None
    if late:
        end(child.pid)
    status = child.wait()
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    with jobs() as found:
        done = by_id(found, name) or {}
        done.update(state="F", ended=time.time(), status=-29 if late else status if status >= 0 else 256 - status)


def end(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGTERM)
        until = time.monotonic() + KILL_DELAY_S
        while time.monotonic() < until:
            os.killpg(pid, 0)
            time.sleep(0.02)
        os.killpg(pid, signal.SIGKILL)


# -- commands --------------------------------------------------------------------------------------------


def fail(words: str, status: int) -> int:
    print(words, file=sys.stderr)
    return status


def qsub(arguments: list[str]) -> int:
    script = Path(arguments[-1]).read_text()
    asked: dict[str, str] = {}
    for line in re.findall(r"^#PBS (.*)$", script, re.MULTILINE):
        words = shlex.split(line)
        key, _, value = words[1].partition("=") if words[0] == "-l" else (words[0], "", words[1])
        asked[key] = value
    if asked["-q"] not in QUEUES:
        return fail("qsub: Unknown queue", 170)
    shape = re.fullmatch(r"(\d+):ppn=(\d+)(#excl)?", asked.get("nodes", "1:ppn=1"))
    assert shape is not None
    if int(shape[1]) > 1 or int(shape[2]) > CPUS:
        return fail("qsub: Job exceeds queue and/or server resource limits", 188)
    with jobs() as found:
        name = f"{len(found) + 1}.{SERVER}"
        (PLACE / f"{name}.script").write_text(script)
        found.append({"id": name, "name": asked["-N"], "queue": asked["-q"], "log": asked["-o"], "state": "Q",
                      "walltime": int(asked.get("walltime", 0)), "cpus": CPUS if shape[3] else int(shape[2]), "pid": 0})
    print(name)
    return 0


def clock(seconds: float) -> str:
    return f"{int(seconds) // 3600:02}:{int(seconds) // 60 % 60:02}:{int(seconds) % 60:02}"


def shown(job: Job) -> str:
    pairs = {"Job_Name": job["name"], "Job_Owner": "grid@login.example.org", "job_state": job["state"],
             "queue": job["queue"], "server": SERVER, "Hold_Types": "n", "Resource_List.ncpus": job["cpus"]}
    if "started" in job:
        pairs |= {"exec_host": f"{os.uname().nodename}/0*{job['cpus']}",
                  "resources_used.walltime": clock(job.get("ended", time.time()) - job["started"]),
                  "resources_used.cput": "00:00:00", "resources_used.mem": "1024kb"}
    if job["state"] == "F":
        pairs |= {"substate": 91 if job.get("deleted") else 93 if job["status"] else 92, "Exit_status": job["status"]}
    pairs["Variable_List"] = "PBS_O_HOME=/home/grid,PBS_O_LOGNAME=grid,\n\tPBS_O_PATH=/usr/bin:/bin"
    return f"Job Id: {job['id']}\n" + "".join(f"    {name} = {value}\n" for name, value in pairs.items()) + "\n"


def qstat(arguments: list[str]) -> int:
    flags = {word for word in arguments if word.startswith("-")}
    names = [word for word in arguments if not word.startswith("-")]
    if "-B" in flags:
        print(f"Server: {SERVER}\n    server_state = Active\n    pbs_version = 20.0.1\n")
    elif "-Q" in flags:
        for queue, limit in QUEUES.items():
            print(f"Queue: {queue}\n    queue_type = Execution\n    enabled = True\n    started = True")
            print(f"    resources_max.walltime = {limit}\n" if limit else "")
    else:
        with jobs() as found:
            wanted = [job for job in found if (job["id"] in names) or (not names and job["state"] != "F")]
            unknown = [name for name in names if by_id(found, name) is None]
        sys.stdout.write("".join(map(shown, wanted)))
        for name in unknown:
            fail(f"qstat: Unknown Job Id {name}", 153)
        return 153 if unknown else 0
    return 0


def qdel(arguments: list[str]) -> int:
    status, pids = 0, []
    with jobs() as found:
        for name in arguments:
            job = by_id(found, name)
            if job is None or job["state"] == "F":
                status = fail(f"qdel: {'Unknown Job Id' if job is None else 'Job has finished'} {name}", 153)
            elif job["state"] == "Q":
                job.update(state="F", deleted=True, status=271)
            else:
                job["deleted"] = True
                pids.append(job["id"])
    if pids:
        subprocess.Popen([sys.executable, __file__, "end", *pids], start_new_session=True, stdin=subprocess.DEVNULL,
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return status


def end_all(names: list[str]) -> None:
    for name in names:
        if pid := begun(name):
            end(pid)


def begun(name: str) -> int:
    """The job's first process; 0 if there is none even after a while."""
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        with jobs() as found:
            if pid := (by_id(found, name) or {"pid": 0})["pid"]:
                return int(pid)
        time.sleep(0.02)
    return 0


def pbsnodes() -> int:
    with jobs() as found:
        busy = sum(job["cpus"] for job in found if job["state"] in "RE")
    print(f"{os.uname().nodename}\n     state = free\n     pcpus = {CPUS}\n     resources_available.mem = 8192000kb\n"
          f"     resources_available.ncpus = {CPUS}\n     resources_assigned.ncpus = {busy}\n")
    return 0


def main(command: str, arguments: list[str]) -> int:
    if command in ("qsub", "qstat", "qdel"):
        return {"qsub": qsub, "qstat": qstat, "qdel": qdel}[command](arguments)
    if command == "pbsnodes":
        return pbsnodes()
    if command == "run":
        run(arguments[0])
    else:
        end_all(arguments)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
