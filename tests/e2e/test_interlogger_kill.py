"""Loggers, interlogger and server are killed while events are logged: each acknowledged event arrives exactly once.

WMS_KILL_SEED chooses the victims; it is printed, set it to have the same ones again.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from deployment import Deployment, until

from clients import site

SEED = int(os.environ.get("WMS_KILL_SEED") or time.time_ns() % 1_000_000)
EVERY_S = 0.7
KILLS = 12
VICTIMS = ("lb", "interlogger")
TYPED = 12
"""Events that each job has logged by the command; the writers log as many as they can."""
PATIENCE_S = 60.0
WRITER = """
import itertools, sys, time
from wms.event import event
from wms.jobid import JobId
from wms.seqcode import SequenceCode
from wms.spool import append
from wms.ulm import to_ulm
directory, job, user, first = *sys.argv[1:4], int(sys.argv[4])
for number in itertools.count(first):
    print("try", number, flush=True)
    code = SequenceCode(app=number)
    line = to_ulm(event("UserTag", job, "Application", code, time.time(), "here", user, name="w", value=str(number)))
    append(directory, JobId.parse(job), [line])
    print("ack", number, flush=True)
    time.sleep(0.005)
"""
"""Logs one event after the other through the library until it is killed, and says what it does."""


class Logged:
    """What was tried and what was acknowledged, as values of tags."""

    def __init__(self) -> None:
        self.tried: set[str] = set()
        self.acknowledged: set[str] = set()


def typing(deployment: Deployment, job: str, said: Logged) -> None:
    """The command again and again, each time with the code that the last one printed."""
    code = ""
    for number in range(TYPED):
        value = f"typed {number}"
        said.tried.add(value)
        done = deployment.run("lb-logevent", "-s", "Application", "-e", "UserTag", "-j", job, "--name", "t",
                              "--value", value, *(("-c", code) if code else ()))
        if done.returncode == 0:
            said.acknowledged.add(value)
            code = done.stdout.strip()


def writing(deployment: Deployment, job: str, user: str, said: Logged, ended: Event, chance: random.Random) -> None:
    """One writer after the other, each killed at some moment."""
    first = 1
    spool = str(deployment.site.state / "lb-spool")
    while not ended.is_set():
        with subprocess.Popen([sys.executable, "-c", WRITER, spool, job, user, str(first)], text=True,
                              stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            begun = [process.stdout.readline(), process.stdout.readline()]
            ended.wait(chance.random())
            process.send_signal(signal.SIGKILL)
            for line in [*begun, *process.stdout.read().splitlines()]:
                verb, _, number = line.strip().partition(" ")
                {"try": said.tried, "ack": said.acknowledged}[verb].add(number)
                first = int(number) + 1


def killing(deployment: Deployment, ended: Event, chance: random.Random, victims: Counter[str]) -> None:
    running: dict[str, Any] = {name: deployment.running[index] for index, name in enumerate(VICTIMS)}
    while victims.total() < KILLS or not ended.is_set():
        time.sleep(EVERY_S * (0.5 + chance.random()))
        name = chance.choice(VICTIMS)
        running[name].kill()
        running[name] = deployment.spawn(name)
        victims[name] += 1
    for process in running.values():
        process.wait_ready()


def new_job(deployment: Deployment, port: str, unique: str) -> str:
    job = f"https://{site.site_host()}:{port}/{unique}"
    deployment.ok("lb-logevent", "-s", "UserInterface", "-e", "RegJob", "-j", job, "--jobtype", "SIMPLE", "--ns", "ns",
                  "-c", "UI=0:NS=0:WM=0:BH=0:JSS=0:LM=0:LRMS=0:APP=0", "-p")
    return job


@pytest.fixture
def ready(deployment: Deployment) -> Deployment:
    """LB and an interlogger that tries again soon, as processes of their own."""
    deployment.configure(interlogger={"retry_s": 0.5, "scan_s": 1.0})
    for name in VICTIMS:
        deployment.start(name)
    return deployment


def spooled(deployment: Deployment) -> list[str]:
    return [path.name for path in (deployment.site.state / "lb-spool").glob("dglogd.log.*")]


def tags(deployment: Deployment, job: str) -> list[dict[str, Any]]:
    with deployment.client() as client:
        return [event for event in client.events(job) if event["type"] == "UserTag"]


@pytest.mark.timeout(3 * PATIENCE_S)
def test_what_was_acknowledged_arrives_exactly_once_and_in_order(ready: Deployment,
                                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    print(f"WMS_KILL_SEED={SEED}")
    monkeypatch.setattr(Deployment, "environment", environment_with_spool)
    chance, port = random.Random(SEED), ready.addresses()["WMS_LB"].rpartition(":")[2]
    jobs = {new_job(ready, port, f"job{number}"): Logged() for number in range(4)}
    user = tags_owner(ready, next(iter(jobs)))
    ended, over, victims = Event(), Event(), Counter[str]()
    typists = [Thread(target=typing, args=(ready, job, said)) for job, said in list(jobs.items())[:2]]
    writers = [Thread(target=writing, args=(ready, job, user, said, ended, random.Random(chance.random())))
               for job, said in list(jobs.items())[2:]]
    killer = Thread(target=killing, args=(ready, over, chance, victims))
    for thread in (*typists, *writers, killer):
        thread.start()
    for thread in typists:
        thread.join()
    ended.set()
    for thread in writers:
        thread.join()
    over.set()
    killer.join()
    print(f"killed {dict(victims)}; acknowledged {[len(said.acknowledged) for said in jobs.values()]}")

    until(lambda: not spooled(ready), "the spool to become empty", PATIENCE_S)
    for job, said in jobs.items():
        found = tags(ready, job)
        values = Counter(event["fields"]["value"] for event in found)
        assert said.acknowledged
        assert said.acknowledged <= set(values) <= said.tried
        assert set(values.values()) == {1}
        arrivals = [event["arrived"] for event in sorted(found, key=lambda event: str(event["seqcode"]))]
        assert arrivals == sorted(arrivals)
    assert not list((ready.site.state / "lb-spool" / "quarantine").iterdir())
    assert victims.keys() == set(VICTIMS)
    assert not [line for process in ready.running for line in process.lines() if "traceback" in line]


def environment_with_spool(deployment: Deployment, **more: str) -> dict[str, str]:
    """What a shell on this host has."""
    return {**deployment.shell(), **deployment.addresses(), "WMS_STATE_DIR": str(deployment.site.state), **more}


def tags_owner(deployment: Deployment, job: str) -> str:
    with deployment.client() as client:
        return str(client.one_status(job)["owner"])


def test_an_interlogger_ships_what_was_logged_before_it_was_started(deployment: Deployment) -> None:
    deployment.start("lb")
    spool = deployment.site.state / "lb-spool"
    spool.mkdir()
    port = deployment.addresses()["WMS_LB"].rpartition(":")[2]
    job = f"https://{site.site_host()}:{port}/before"
    for words in (("-s", "UserInterface", "-e", "RegJob", "--jobtype", "SIMPLE", "--ns", "ns"),
                  ("-s", "Application", "-e", "UserTag", "--name", "a", "--value", "b")):
        deployment.ok("lb-logevent", "-j", job, "--spool", str(spool), *words)
    assert spooled(deployment)
    shipping = deployment.start("interlogger")
    until(lambda: not spooled(deployment), f"the spool to become empty: {shipping.log}")
    assert [event["fields"]["value"] for event in tags(deployment, job)] == ["b"]
    assert Path(spool, "interlogger.lock").exists()
