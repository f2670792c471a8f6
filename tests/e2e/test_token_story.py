"""The whole way of somebody without a certificate: a login, jobs whose tokens are renewed while they run, the logout.

And of one whose issuer takes the login back, while daemons are killed.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from deployment import NAMES, Deployment, Wmsd, belonging_to, until
from people import Person, TokenHolder, ca_of, someone, token_holder
from test_kill import SEED

from tests.issuer import Issuer
from tests.suite.leaks import files, found

SHORT_S, SHORTER_S, RENEWED_S = 30.0, 22.0, 600.0
VICTIMS = ("proxyrenewal", "ns", "wm", "jobadapter")
SLEEPS = "sleep 4712"
LOOKS = """#!/bin/sh
# Prints the end of the token now, makes the file $1, prints it again once there is another token; then its issuer.
claim() { cut -d. -f2 "$BEARER_TOKEN_FILE" | tr _- /+ | base64 -d 2>/dev/null | grep -o "\\"$1\\":[^,}]*"; }
cp "$BEARER_TOKEN_FILE" first
claim exp
echo begun >>"$1"
n=0
while cmp -s first "$BEARER_TOKEN_FILE"; do
    n=$((n + 1))
    [ $n -lt 300 ] || exit 9
    sleep 0.2
done
claim exp
claim iss
echo "token in the environment: ${BEARER_TOKEN:-none}"
"""


@pytest.fixture
def issuer(deployment: Deployment) -> Iterator[Issuer]:
    """An issuer of short tokens whose refresh tokens may be shared."""
    with Issuer(ca_of(deployment), rotates_refresh=False, lifetime_s=SHORT_S) as served:
        deployment.configure(tokens={"issuers": {served.url: {"vo": "local"}}}, ns={"min_proxy_s": 0.0},
                             proxyrenewal={"period_s": 1.0, "grace_s": 1.0})
        yield served


def log_in(person: TokenHolder, issuer: Issuer, subject: str) -> None:
    """`wms login`, approved with a browser elsewhere."""
    process = person.begins("wms", "login", "--issuer", issuer.url, "--client-id", "laptop")
    assert process.stdout is not None
    code = re.search(r"the code (\S+)$", process.stdout.readline().strip())
    assert code is not None
    issuer.approve(code[1], subject)
    assert process.wait(60) == 0
    process.communicate()


def arrives(service: Deployment, home: Path, issuer: Issuer, subject: str) -> TokenHolder:
    """Somebody who has just logged in and finds short tokens long enough."""
    person = token_holder(service, home)
    log_in(person, issuer, subject)
    person.writes("client.conf", "[ DefaultTokenValidity = 0; ]")
    person.writes("looks.sh", LOOKS)
    return person


def submits_looks(person: Person, mark: Path) -> str:
    return person.submits(f"""[ Executable = "looks.sh"; Arguments = "{mark}"; InputSandbox = {{"looks.sh"}};
        StdOutput = "out"; StdError = "err"; OutputSandbox = {{"out", "err"}}; ]""", "--config", "client.conf")


def fetched(person: Person, job: str, issuer: Issuer) -> tuple[int, int]:
    """(exp before, exp after) as the payload printed them; everything else must be in order."""
    person.sees("job-output", "--dir", "got", job)
    (out,) = (person.home / "got").rglob("out")
    assert (out.parent / "err").read_text() == ""
    first, second, third, fourth = out.read_text().splitlines()
    assert (third, fourth) == (f'"iss":"{issuer.url}"', "token in the environment: none")
    return tuple(int(line.removeprefix('"exp":')) for line in (first, second))  # type: ignore[return-value]


def test_somebody_logs_in_and_a_running_job_gets_fresh_tokens(deployment: Deployment, issuer: Issuer, tmp_path: Path):
    jane = someone(deployment, tmp_path / "certified", "jane")
    dn = jane.sees("wms", "proxy", "info", "-identity").out.strip()
    policy = deployment.directory / "policy.yaml"
    policy.write_bytes(msgspec.yaml.encode({"owners": [
        {"owner": dn, "is": [{"issuer": issuer.url, "subject": "jane"}]}]}))
    deployment.configure(policy=str(policy))
    without = deployment.start(*(name for name in NAMES if name != "proxyrenewal"))
    same = arrives(deployment, tmp_path / "jane", issuer, "jane")
    issuer.lifetime_s = RENEWED_S
    job = submits_looks(same, tmp_path / "looks")
    for person in (same, jane):
        assert job in person.sees("job-status", "--all", "--noint").out
    reader = token_holder(deployment, tmp_path / "reader", issuer.mint(sub="jane", scope="compute.read"))
    assert job in reader.sees("job-status", job).out
    reader.writes("job.jdl", '[ Executable = "/bin/true"; ]')
    assert "compute.create" in reader.is_refused("WMS_TOKEN_SCOPE", "job-submit", "job.jdl")
    reader.is_refused("WMS_TOKEN_SCOPE", "job-cancel", "--noint", job)
    until((tmp_path / "looks").exists, "the payload to look at its token")
    renewal = deployment.start("proxyrenewal")
    jane.sees("job-status", "--watch", job)
    before, after = fetched(jane, job, issuer)
    assert before + RENEWED_S / 2 < after
    secrets = {**{f"refresh {n}": token.encode() for n, token in enumerate(issuer.refresh_tokens)},
               "access": same.proxy.read_bytes()}
    assert "Removed " in same.sees("wms", "logout").out
    same.is_refused("WMS_TOKEN_NOT_FOUND", "job-status", job)
    same.is_refused("WMS_TOKEN_NOT_FOUND", "wms", "token", "info")
    for process in (without, renewal):
        process.terminate()
    assert found(secrets, [*files(deployment.site.state, "credentials", "ce"),
                           *files(deployment.directory / "log"), *files(same.home)]) == []


@pytest.mark.timeout(200)
def test_tokens_are_renewed_and_revoked_logins_end_their_jobs_whoever_is_killed(deployment: Deployment, issuer: Issuer,
                                                                                tmp_path: Path):
    print(f"WMS_KILL_SEED={SEED}")
    deployment.two_ports()
    daemons = deployment.start_apart()
    daemons["proxyrenewal"].kill()
    begun = {name: tmp_path / name for name in ("renewed", "revoked")}
    alice = arrives(deployment, tmp_path / "alice", issuer, "alice")
    job = submits_looks(alice, begun["renewed"])
    issuer.lifetime_s = SHORTER_S
    carol = arrives(deployment, tmp_path / "carol", issuer, "carol")
    lost = carol.submits(f"""[ Executable = "/bin/sh"; RetryCount = 3;
        Arguments = "-c 'echo begun >>{begun['revoked']}; {SLEEPS}'"; ]""", "--config", "client.conf")
    issuer.revoke(next(token for token, of in issuer.refresh_tokens.items() if of["sub"] == "carol"))
    issuer.lifetime_s = RENEWED_S
    until(lambda: all(path.exists() for path in begun.values()), "the payloads to begin")
    daemons["proxyrenewal"] = deployment.start("proxyrenewal")
    kill_some(deployment, daemons, 5)
    alice.sees("job-status", "--watch", job)
    before, after = fetched(alice, job, issuer)
    assert before + RENEWED_S / 2 < after
    with deployment.client() as client:
        until(lambda: client.one_status(lost).get("state") == "Aborted", "the job without a login to end")
        status, events = client.one_status(lost), Counter(event["type"] for event in client.events(lost))
    assert "token expired: the credential of the job ended " in str(status["reason"])
    assert "could not be renewed" in str(status["reason"])
    assert "invalid_grant" in str(status["reason"])
    assert "cannot be renewed" in str(status["user_tags"]["proxy_renewal"])
    assert (events["Abort"], events["Resubmission"]) == (1, 0)
    assert 1 <= events["UserTag"] <= 2, "told at once, and once more before the end"
    until(lambda: not any(SLEEPS in command for command in belonging_to(deployment.directory).values()),
          "the payload to be ended, which is asked for with the end of its job")
    assert [path.read_text() for path in begun.values()] == ["begun\n", "begun\n"]
    until(lambda: not deployment.queue(), "the queue to become empty, with nothing buried")


def kill_some(service: Deployment, daemons: dict[str, Wmsd], number: int) -> None:
    """Kill that many daemons one after the other and start each again."""
    chance = random.Random(SEED)
    for _ in range(number):
        victim = chance.choice(VICTIMS)
        daemons[victim].kill()
        daemons[victim] = service.start(victim)
