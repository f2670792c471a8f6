"""What is particular to ARC CEs, on a real A-REX: two-step submission, delegations, owners, an A-REX that goes away."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from benches_arc import Arex, arex, open_place
from ce_bench import Bench, opened, reaches, says, state, submit
from reactor_thread import run, started, until
from twisted.internet.task import deferLater

from tests.components import SCRIPTS, Start
from wms.ce import Backend, CeJob, CeState, Phase, Rejected, Submitted
from wms.ce.arc import answers
from wms.ce.arc.rest import Rest
from wms.ce.arc.settings import ArcSettings
from wms.ce.arc.wallet import Credential
from wms.errors import Unavailable
from wms.faults import Fault, judge
from wms.x509.proxy import certificates


def polled(check: Callable[[], bool]) -> None:
    """As `until`, for checks that ask the CE themselves."""
    while not check():
        run(after(0.2))


async def after(seconds: float) -> None:
    await deferLater(started(), seconds, lambda: None)


@pytest.fixture
def there(start: Start) -> Arex:
    return arex(start)


@pytest.fixture
def bench(there: Arex, workplace: Path) -> Iterator[Bench]:
    """Its jobs come under their owners."""
    place = open_place(workplace)
    made = Bench("arc", there.settings(place), place, there.start["ARC_QUEUES"])
    yield made
    made.close()


@pytest.fixture
def ce(bench: Bench) -> Backend:
    return bench.backend()


class People:
    """Jobs of alice and bob."""

    def __init__(self, bench: Bench, there: Arex) -> None:
        self._bench = bench
        self.proxies = {user: there.proxy(user) for user in ("alice", "bob")}

    def job(self, token: str, script: str, user: str = "alice", **more: Any) -> CeJob:
        return self._bench.job(token, script, **{"proxy": self.proxies[user], **more})


@pytest.fixture
def people(bench: Bench, there: Arex) -> People:
    return People(bench, there)


class Client:
    """A-REX as one of them sees it, without a backend."""

    def __init__(self, bench: Bench, proxy: bytes) -> None:
        settings = ArcSettings(**bench.settings)
        self._rest = Rest(settings, started(), Credential("test", proxy))

    def delegations(self) -> list[str]:
        return answers.delegations(run(self._rest.get("/delegations")).body)

    def jobs(self) -> list[str]:
        return answers.listed(run(self._rest.get("/jobs")).body)

    def names(self) -> list[str]:
        bodies = run(self._rest.jobs("info", self.jobs()))
        return [answers.activity(item).name for body in bodies for item in answers.items(body)]

    def knows(self, handle: str) -> bool:
        (item,) = answers.items(run(self._rest.jobs("status", [handle]))[0])
        return not item.unknown

    def close(self) -> None:
        run(self._rest.close())


@pytest.fixture
def clients(bench: Bench, people: People) -> Iterator[dict[str, Client]]:
    found = {user: Client(bench, proxy) for user, proxy in people.proxies.items()}
    yield found
    for client in found.values():
        client.close()


# -- submission --------------------------------------------------------------------------------------------

DYING = """
import json, os, signal, sys
from twisted.internet import reactor
from twisted.internet.defer import ensureDeferred
from wms.ce import CeJob, load
from wms.ce.arc.site import Site
settings, queue, script, proxy, field = sys.argv[1:]
change = Site.change
def dying(site, token, **fields):
    if field in fields:
        os.kill(os.getpid(), signal.SIGKILL)
    change(site, token, **fields)
Site.change = dying
async def main():
    ce = load("arc")(json.loads(settings), reactor)
    await ce.start()
    await ce.submit([CeJob("one", "https://wms.example.org:9000/one", script, queue, proxy=open(proxy, "rb").read())])
reactor.callWhenRunning(lambda: ensureDeferred(main()))
reactor.run()
"""


@pytest.mark.parametrize("noting", ["handle", "whole"])
def test_a_submitter_that_dies_before_it_notes_what_the_ce_did_starts_no_second_payload(
        bench: Bench, people: People, clients: dict[str, Client], noting: str) -> None:
    """`handle`: the CE has the description and waits for files; `whole`: it has the files too."""
    job = people.job("one", f"echo x >>{bench.place}/starts; exit 6")
    proxy = bench.place / "alice.pem"
    proxy.write_bytes(job.proxy)
    before = set(clients["alice"].jobs())
    died = subprocess.run([sys.executable, "-c", DYING, json.dumps(bench.settings), bench.queue, job.script,
                           str(proxy), noting], check=False)
    assert died.returncode == -signal.SIGKILL
    (left,) = set(clients["alice"].jobs()) - before
    ce = bench.backend()
    (verdict,) = submit(ce, job)
    assert isinstance(verdict, Submitted)
    assert (verdict.handle == left) == (noting == "whole")
    reaches(ce, ["one"], Phase.ENDED)
    assert state(ce, "one").exit_status == 6
    assert (bench.place / "starts").read_text() == "x\n"
    run(ce.clean(["one"]))
    polled(lambda: not set(clients["alice"].jobs()) - before)


def test_what_only_the_ce_knows_under_our_mark_is_found_and_can_be_cleaned(
        bench: Bench, people: People, clients: dict[str, Client]) -> None:
    before = set(clients["alice"].jobs())
    ce = bench.backend()
    submit(ce, people.job("one", "sleep 1000"))
    (handle,) = set(clients["alice"].jobs()) - before
    (bench.place / "spool" / "jobs" / "one").unlink()
    assert state(ce, "one").phase is Phase.LOST
    assert run(ce.known()) == ["one"]
    run(ce.clean(["one"]))
    assert run(ce.known()) == []
    polled(lambda: not clients["alice"].knows(handle))


def test_an_expired_proxy_is_refused_and_nobody_else_suffers(ce: Backend, people: People, there: Arex) -> None:
    old = people.job("old", "true", proxy=there.proxy("alice", 60.0, ago_s=120.0))
    verdicts = submit(ce, old, people.job("none", "true", proxy=b""), people.job("good", "true", "bob"))
    assert [type(verdict) for verdict in verdicts] == [Rejected, Rejected, Submitted]
    assert isinstance(verdicts[0], Rejected)
    assert judge(verdicts[0].reason).owner is Fault.CREDENTIAL
    assert run(ce.known()) == ["good"]


# -- owners and delegations --------------------------------------------------------------------------------


def test_thirty_jobs_have_one_delegation_which_goes_with_the_last(
        bench: Bench, ce: Backend, people: People, clients: dict[str, Client]) -> None:
    before = set(clients["alice"].delegations())
    tokens = [f"t{n}" for n in range(30)]
    verdicts = submit(ce, *(people.job(token, f"echo x >>{bench.place}/starts") for token in tokens))
    submit(ce, people.job("bobs", "true", "bob"))
    assert all(isinstance(verdict, Submitted) for verdict in verdicts)
    (made,) = set(clients["alice"].delegations()) - before
    reaches(ce, tokens, Phase.ENDED)
    assert set(clients["alice"].delegations()) - before == {made}
    assert not clients["bob"].knows(verdicts[0].handle)  # type: ignore[union-attr]
    run(ce.clean(tokens))
    polled(lambda: not set(clients["alice"].delegations()) - before)
    until(lambda: len(list(Path(bench.settings["spool"], "credentials").iterdir())) == 1)
    assert run(ce.known()) == ["bobs"]
    assert (bench.place / "starts").read_text() == 30 * "x\n"


def test_a_running_job_gets_the_fresh_proxy_as_its_file_and_the_delegation_is_renewed_in_its_place(
        bench: Bench, ce: Backend, people: People, clients: dict[str, Client], there: Arex) -> None:
    """ARC 6.17 renews what it keeps of a delegation; what jobs that have begun got of it stays old."""
    gate = bench.gate()
    old, fresh = there.proxy("alice", 7200.0), there.proxy("alice", 36_000.0)
    before = set(clients["alice"].delegations())
    submit(ce, people.job("one", f'echo here; read -r line <{gate}; cat "$X509_USER_PROXY"', proxy=old))
    delegations = set(clients["alice"].delegations()) - before
    says(ce, "one", "here")
    assert end_of(fresh) not in kept_ends(there)
    run(ce.renew(["one"], fresh))
    assert end_of(fresh) in kept_ends(there)
    with opened(gate, 1):
        reaches(ce, ["one"], Phase.ENDED)
    assert run(ce.output("one")) == "here\n" + fresh.decode()
    assert set(clients["alice"].delegations()) - before == delegations


def end_of(pem: bytes) -> datetime:
    return certificates(pem)[0].not_valid_after_utc


def kept_ends(there: Arex) -> set[datetime]:
    """When the delegations end that A-REX keeps."""
    store = Path(there.printed["CA_DIR"]).parent / "control" / "delegations"
    found = [path.read_bytes() for path in store.rglob("*") if path.is_file()]
    return {end_of(content) for content in found if content.startswith(b"-----BEGIN CERTIFICATE")}


def test_a_delegation_that_the_ce_has_lost_is_made_again(
        bench: Bench, ce: Backend, people: People, clients: dict[str, Client]) -> None:
    before = set(clients["alice"].delegations())
    submit(ce, people.job("one", "true"))
    (first,) = set(clients["alice"].delegations()) - before
    (note,) = Path(bench.settings["spool"], "delegations").iterdir()
    note.write_text(note.read_text().replace(first, "0123456789ab"))
    submit(ce, people.job("two", "true"))
    (second,) = set(clients["alice"].delegations()) - before - {first}
    assert second in note.read_text()


def test_those_that_wait_and_those_that_run_are_killed(bench: Bench, ce: Backend, people: People) -> None:
    submit(ce, people.job("runs", "sleep 1000", cpus=2))
    reaches(ce, ["runs"], Phase.RUNNING)
    submit(ce, people.job("waits", f"echo x >{bench.place}/started", "bob"))
    assert state(ce, "waits").phase is Phase.QUEUED
    run(ce.cancel(["waits", "never"]))
    reaches(ce, ["waits"], Phase.ENDED)
    run(ce.cancel(["runs"]))
    reaches(ce, ["runs"], Phase.ENDED)
    assert [(found.exit_status, found.reason) for found in run(ce.status(["waits", "runs"])).values()] == 2 * [
        (None, "cancelled")]
    assert not (bench.place / "started").exists()


# -- an A-REX that goes away -------------------------------------------------------------------------------


def test_while_the_interface_is_away_nothing_fails_and_then_all_goes_on(
        bench: Bench, ce: Backend, people: People, there: Arex) -> None:
    gate, directory = bench.gate(), Path(there.printed["CA_DIR"]).parent
    submit(ce, people.job("one", f"echo here; read -r line <{gate}; exit 4"))
    says(ce, "one", "here")
    pid = int((directory / "run" / "arex-ws.proc").read_text().split()[0])
    os.kill(pid, signal.SIGKILL)
    until(lambda: not Path(f"/proc/{pid}/cmdline").exists() or not Path(f"/proc/{pid}/cmdline").read_bytes())
    for asked in (ce.status(["one"]), ce.submit([people.job("two", "true")]), ce.describe(), ce.output("one"),
                  ce.known()):
        with pytest.raises(Unavailable):
            run(asked)
    subprocess.run([SCRIPTS / "arc.sh", "up", directory], env={**os.environ, **there.start}, check=True,
                   stdout=subprocess.DEVNULL)
    assert isinstance(submit(ce, people.job("two", "true"))[0], Submitted)
    with opened(gate, 1):
        reaches(ce, ["one", "two"], Phase.ENDED)
    ends = [(found.exit_status, found.reason) for found in run(ce.status(["one", "two"])).values()]
    assert ends == [(4, ""), (0, "")]


def test_a_credential_that_ends_leaves_the_states_as_they_were_seen(
        bench: Bench, ce: Backend, people: People) -> None:
    submit(ce, people.job("one", "true"), people.job("two", "true", "bob"))
    reaches(ce, ["one", "two"], Phase.ENDED)
    for note in Path(bench.settings["spool"], "credentials").iterdir():
        kept = json.loads(note.read_text())
        note.write_text(json.dumps({**kept, "not_after": 1.0}))
    assert state(ce, "one").exit_status == 0
    after: CeState = run(bench.backend().status(["one"]))["one"]
    assert (after.phase, after.reason) == (Phase.QUEUED, "the CE cannot be asked: the proxy has expired")
