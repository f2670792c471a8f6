"""What only Slurm shows: its deaths, its operators, its limits, several of it; on real ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from benches_slurm import Cluster, cluster
from ce_bench import Bench, last_word, open_until_ended, reaches, says, state, submit
from reactor_thread import run

from tests.components import Start
from tests.ports import free_ports
from wms.ce import Backend, Phase, Rejected, Submitted
from wms.errors import Unavailable
from wms.faults import Fault, judge


@pytest.fixture(scope="module")
def site(start: Start) -> Cluster:
    """Two nodes of eight CPUs, with accounts."""
    dbd, maria = map(str, free_ports(2))
    return cluster(start, "site", nodes=2, SLURM_CPUS="8", SLURM_PARTITIONS="main:600 short:2", SLURM_DBD="1",
                   SLURM_DBD_PORT=dbd, MARIADB_PORT=maria)


def bench_at(site: Cluster, place: Path, **more: Any) -> Bench:
    return Bench("slurm", {**site.settings(place), **more}, place, queue="main")


@pytest.fixture
def bench(site: Cluster, tmp_path: Path) -> Iterator[Bench]:
    made = bench_at(site, tmp_path)
    yield made
    made.close()


@pytest.fixture(scope="module")
def long_job(site: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    """It runs into its limit of a minute while other tests run."""
    bench = bench_at(site, tmp_path_factory.mktemp("long"))
    ce = bench.backend()
    submit(ce, bench.job("long", last_word(9), wall_s=1))
    yield ce
    bench.close()


@pytest.fixture(autouse=True)
def in_time(long_job: Backend) -> None:
    """The long job is there from the first test on."""


# -- deaths ------------------------------------------------------------------------------------------------


def submitted_by_one_who_dies(bench: Bench, sbatch: str, *jobs: Any) -> None:
    """Its sbatch is another program, which ends the submitter."""
    path = bench.place / "bin"
    path.mkdir()
    (path / "sbatch").write_text(f"#!/bin/sh\n{sbatch}\nkill -9 $PPID\n")
    (path / "sbatch").chmod(0o755)
    options = {"path": f"{path}:/usr/bin:/bin", "options": ["--hold"]}
    dying = Bench("slurm", {**bench.settings, **options}, bench.place)
    with pytest.raises(Unavailable):
        submit(dying.backend(), *jobs)
    dying.stop(dying.made[0])


def waiting(site: Cluster, bench: Bench) -> list[str]:
    """Handles of those of its jobs that wait."""
    pairs = (line.partition(" ") for line in site.command("squeue", "-h", "-t", "PD", "-o", "%i %o").splitlines())
    return [handle for handle, _, script in pairs if script.startswith(str(bench.place))]


def test_what_a_dead_submitter_handed_over_is_adopted(bench: Bench, site: Cluster) -> None:
    jobs = [bench.job(token, f"echo {token} >>{bench.place}/starts") for token in ("one", "two")]
    submitted_by_one_who_dies(bench, '/usr/bin/sbatch "$@"', *jobs)
    (handle,) = waiting(site, bench)
    ce = bench.backend()
    assert submit(ce, *jobs)[0] == Submitted("one", handle)
    assert state(ce, "one").phase is Phase.HELD
    site.command("scontrol", "release", handle)
    reaches(ce, ["one", "two"], Phase.ENDED)
    assert sorted((bench.place / "starts").read_text().split()) == ["one", "two"]


def test_what_a_dead_submitter_did_not_hand_over_is_handed_over_once(bench: Bench) -> None:
    job = bench.job("one", f"echo x >>{bench.place}/starts")
    submitted_by_one_who_dies(bench, ":", job)
    ce = bench.backend()
    assert (state(ce, "one").phase, run(ce.known())) == (Phase.LOST, ["one"])
    submit(ce, job)
    reaches(ce, ["one"], Phase.ENDED)
    assert (bench.place / "starts").read_text() == "x\n"


def test_what_a_dead_submitter_handed_over_can_be_cancelled(bench: Bench, site: Cluster) -> None:
    submitted_by_one_who_dies(bench, '/usr/bin/sbatch "$@"', bench.job("one", "true"))
    ce = bench.backend()
    run(ce.cancel(["one"]))
    assert state(ce, "one").reason == "cancelled"
    assert waiting(site, bench) == []


def test_a_handle_that_was_given_again_is_not_cancelled(bench: Bench, site: Cluster) -> None:
    """As by a controller that was killed before it had saved which jobs it has."""
    ce = bench.backend()
    submit(ce, bench.job("lost", "sleep 1000"), bench.job("other", "sleep 1000"))
    handles = {token: bench.place / "spool/known" / token for token in ("lost", "other")}
    site.command("scancel", handles["lost"].read_text().strip())
    reaches(ce, ["lost"], Phase.ENDED)
    handles["lost"].write_text(handles["other"].read_text())
    again = bench.backend()
    run(again.cancel(["lost"]))
    run(again.clean(["lost"]))
    assert state(again, "other").phase in (Phase.QUEUED, Phase.RUNNING)
    assert site.command("squeue", "-h", "-t", "PD,R", "-j", handles["other"].read_text().strip())


def test_a_second_start_of_a_token_runs_nothing(bench: Bench, site: Cluster) -> None:
    ce = bench.backend()
    submit(ce, bench.job("one", f"echo x >>{bench.place}/starts"))
    reaches(ce, ["one"], Phase.ENDED)
    site.command("sbatch", "--wait", f"{bench.place}/spool/jobs/one/batch")
    assert (bench.place / "starts").read_text() == "x\n"
    assert state(ce, "one").exit_status == 0


def test_a_controller_that_is_away_is_only_late(bench: Bench, site: Cluster) -> None:
    ce, gate = bench.backend(), bench.gate()
    submit(ce, bench.job("before", f"echo up; read -r line <{gate}; exit 5"))
    says(ce, "before", "up")
    site.stop("slurmctld")
    with pytest.raises(Unavailable):
        run(ce.status(["before"]))
    with pytest.raises(Unavailable):
        submit(ce, bench.job("during", "exit 6"))
    with pytest.raises(Unavailable):
        run(ce.describe())
    site.revive()
    submit(ce, bench.job("during", "exit 6"))
    open_until_ended(ce, gate, ["before", "during"])
    assert [state(ce, token).exit_status for token in ("before", "during")] == [5, 6]


# -- operators ---------------------------------------------------------------------------------------------


def test_a_job_that_is_held_says_so_and_goes_on_when_it_is_released(bench: Bench, site: Cluster) -> None:
    holding = bench_at(site, bench.place, options=["--hold"])
    ce = holding.backend()
    (verdict,) = submit(ce, bench.job("one", "exit 4"))
    assert isinstance(verdict, Submitted)
    found = state(ce, "one")
    assert (found.phase, found.reason, judge(found.reason).owner) == (Phase.HELD, "held: JobHeldUser", Fault.SITE)
    site.command("scontrol", "release", verdict.handle)
    reaches(ce, ["one"], Phase.ENDED)
    assert state(ce, "one").exit_status == 4
    holding.close()


def test_what_an_operator_cancels_is_not_the_users_fault(bench: Bench, site: Cluster) -> None:
    ce = bench.backend()
    (verdict,) = submit(ce, bench.job("one", "echo up; sleep 1000"))
    assert isinstance(verdict, Submitted)
    says(ce, "one", "up")
    site.command("scancel", verdict.handle)
    reaches(ce, ["one"], Phase.ENDED)
    reason = state(ce, "one").reason
    assert (reason, judge(reason).owner) == ("cancelled at the CE, not by the service", Fault.SITE)


def test_drained_nodes_and_closed_partitions_are_published(bench: Bench, site: Cluster) -> None:
    ce = bench.backend()
    before = facts(ce)["main"]
    assert (before["GlueCEStateStatus"], before["GlueCEInfoTotalCPUs"]) == ("Production", 16)
    site.command("scontrol", "update", "nodename=n2", "state=drain", "reason=x")
    site.command("scontrol", "update", "partition=short", "state=drain")
    after = facts(ce)
    assert after["main"]["GlueCEInfoTotalCPUs"] < 16
    assert after["short"]["GlueCEStateStatus"] == "Draining"
    site.command("scontrol", "update", "nodename=n2", "state=resume")
    site.command("scontrol", "update", "partition=short", "state=up")
    assert facts(ce)["short"]["GlueCEStateStatus"] == "Production"


def facts(ce: Backend) -> Mapping[str, Mapping[str, Any]]:
    return {record["GlueCEName"]: record for record in run(ce.describe())}


@pytest.mark.last
def test_the_wall_time_limit_ends_a_payload_and_lets_it_say_a_last_word(long_job: Backend) -> None:
    reaches(long_job, ["long"], Phase.ENDED)
    found = state(long_job, "long")
    assert (found.exit_status, set(run(long_job.output("long")).splitlines())) == (9, {"last word"})
    assert (judge(found.reason).owner, "time limit" in found.reason) == (Fault.USER, True)


# -- many --------------------------------------------------------------------------------------------------


def test_two_hundred_jobs_of_one_submission_run_once_each(bench: Bench, site: Cluster) -> None:
    ce = bench.backend()
    tokens = [f"t{n}" for n in range(200)]
    verdicts = submit(ce, *(bench.job(token, f"echo {token} >>{bench.place}/starts") for token in tokens))
    assert [verdict.token for verdict in verdicts if isinstance(verdict, Submitted)] == tokens
    run(ce.cancel(tokens[150:]))
    reaches(ce, tokens, Phase.ENDED)
    started = (bench.place / "starts").read_text().split()
    assert len(set(started)) == len(started) >= 150
    assert waiting(site, bench) == []


def test_two_clusters_side_by_side(site: Cluster, start: Start, tmp_path: Path) -> None:
    other = cluster(start, "other", SLURM_PARTITIONS="other:60")
    places = [tmp_path / "one", tmp_path / "two"]
    for place in places:
        place.mkdir()
    first = bench_at(site, places[0])
    second = Bench("slurm", dict(other.settings(places[1])), places[1], queue="other")
    ces = [first.backend(), second.backend()]
    submit(ces[0], first.job("one", "echo $SLURM_CLUSTER_NAME"))
    submit(ces[1], second.job("one", "echo $SLURM_CLUSTER_NAME"))
    for ce in ces:
        reaches(ce, ["one"], Phase.ENDED)
    assert [run(ce.output("one")) for ce in ces] == ["site\n", "other\n"]
    (refused,) = submit(ces[0], second.job("two", "true"))
    assert isinstance(refused, Rejected)
    assert ("nvalid partition" in refused.reason, refused.permanent) == (True, True)
    for made in (first, second):
        made.close()


def test_a_cluster_by_its_name(site: Cluster, tmp_path: Path) -> None:
    bench = bench_at(site, tmp_path, cluster="site")
    ce = bench.backend()
    submit(ce, bench.job("one", "exit 3"))
    reaches(ce, ["one"], Phase.ENDED)
    assert (state(ce, "one").exit_status, len(run(ce.describe()))) == (3, 2)
    bench.close()


# -- accounts ----------------------------------------------------------------------------------------------


def test_jobs_run_as_the_account_of_their_owner(site: Cluster, workplace: Path) -> None:
    """Everything of a job of somebody else: his directory, his credentials, and nobody else reads them."""
    accounts = {"rules": [{"fqan": "/cms*", "account": "nobody"}], "allow": ["nobody"]}
    (workplace / "accounts").mkdir()
    bench = bench_at(site, workplace / "accounts", become="root", accounts=accounts)
    ce = bench.backend()
    mine = bench.job("one", 'id -un; cat "$X509_USER_PROXY"; sleep 1000', proxy=b"old\n", owner="/CN=a", vo="cms",
                     fqans=("/cms/Role=x",))
    other = bench.job("two", "true", owner="/CN=b", vo="atlas", fqans=("/atlas",))
    verdicts = submit(ce, mine, other)
    assert [type(verdict) for verdict in verdicts] == [Submitted, Rejected]
    says(ce, "one", "nobody\nold\n")
    place = workplace / "accounts" / "spool" / "jobs" / "one"
    assert (place.owner(), place.stat().st_mode & 0o777, (place / "proxy").stat().st_mode & 0o777) == \
        ("nobody", 0o700, 0o600)
    run(ce.renew(["one"], b"new\n"))
    assert ((place / "proxy").owner(), (place / "proxy").read_bytes()) == ("nobody", b"new\n")
    run(ce.cancel(["one"]))
    reaches(ce, ["one"], Phase.ENDED)
    assert state(ce, "one").reason == "cancelled"
    bench.close()
    assert not place.exists()


def test_what_slurm_accounted_comes_with_the_end(bench: Bench) -> None:
    ce = bench.backend()
    submit(ce, bench.job("one", "n=0; while [ $n -lt 200000 ]; do n=$((n + 1)); done"))
    reaches(ce, ["one"], Phase.ENDED)

    def accounted() -> bool:
        usage = state(ce, "one").usage
        return usage is not None and usage.cpu_s > 0

    while not accounted():
        pass
