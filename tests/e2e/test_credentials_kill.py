"""Credentials of running jobs on a real service: a payload sees the new one, and is ended with the last one, whoever is
killed meanwhile.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from pathlib import Path

import pytest
from deployment import NAMES, Deployment, belonging_to, until
from people import owner, someone
from test_kill import PATIENCE_S, SEED, patient

LIFE_S = 40.0
JOBS = 6
SLOTS = 3
MOST_KILLS = 60
BETWEEN_S = (0.0, 4.0)
"""Between the readiness of a process and the end of another."""
PROGRAM = "sleep 1000"


@pytest.fixture
def service(deployment: Deployment) -> Deployment:
    """Its renewal looks every second."""
    deployment.configure(ns={"min_proxy_s": 0.0}, proxyrenewal={"period_s": 1.0, "grace_s": 1.0})
    return deployment


def test_a_running_payload_sees_the_proxy_that_is_delegated_again(service: Deployment, tmp_path: Path) -> None:
    service.start()
    person = owner(service, tmp_path / "alice")
    place = tmp_path / "places"
    with person.client() as client:
        client.delegate("again")
    name = service.jdl(
        f'echo "$X509_USER_PROXY" >{place}; cp "$X509_USER_PROXY" first; '
        'while cmp -s first "$X509_USER_PROXY"; do sleep 0.1; done; stat -c %a "$X509_USER_PROXY"; echo fresh')
    job = str(person.sees("job-submit", "--json", "--delegationid", "again", name).document["jobid"])
    until(lambda: place.exists() and place.read_text(), "the payload to begin")
    file = Path(place.read_text().strip())
    with person.client() as client:
        client.delegate("again")
    service.wait_state(job, "Done")
    with person.client() as client:
        assert client.output(job, str(tmp_path / "got")).outcome == "Done"
    assert (tmp_path / "got" / "out").read_text() == "600\nfresh\n"
    until(lambda: not file.exists(), "its files at the CE to be gone")


@pytest.mark.timeout(2 * PATIENCE_S)
def test_jobs_end_once_with_their_credential_whoever_is_killed(service: Deployment, tmp_path: Path) -> None:
    print(f"WMS_KILL_SEED={SEED}")
    patient(service)
    service.configure(ce={"local": {"backend": "local", "slots": SLOTS}})
    processes = service.start_apart()
    person = someone(service, tmp_path / "bob", "Bob", life_s=LIFE_S)
    ran = service.directory / "ran"
    ran.mkdir()
    text = Path(service.jdl(f"echo $$ >>{ran}/${{GLITE_WMS_JOBID##*/}}; {PROGRAM}")).read_text()
    with person.client() as client:
        jobs = [client.submit(text).job for _ in range(JOBS)]
    until(lambda: len(list(ran.iterdir())) == SLOTS, "the payloads to begin")
    chance, victims = random.Random(SEED), Counter[str]()
    while running(service):
        time.sleep(chance.uniform(*BETWEEN_S))
        victim = chance.choice(NAMES)
        processes[victim].kill()
        processes[victim] = service.start(victim)
        victims[victim] += 1
        assert victims.total() < MOST_KILLS, victims
    _all_ended(service, jobs)
    assert {path.read_text().count("\n") for path in ran.iterdir()} == {1}
    until(lambda: not service.queue(), "the queue to become empty, with nothing buried")


def running(service: Deployment) -> bool:
    """Is there a payload?"""
    return any(PROGRAM in command for command in belonging_to(service.directory).values())


def _all_ended(service: Deployment, jobs: list[str]) -> None:
    """Each once, with the reason; the administrator looks, as the owner's proxy has ended."""
    with service.client() as client:
        for job in jobs:
            until(lambda job=job: client.one_status(job).get("state") == "Aborted", f"{job} to end", PATIENCE_S)
            assert "expired" in str(client.one_status(job).get("reason"))
            assert [event["type"] for event in client.events(job)].count("Abort") == 1
