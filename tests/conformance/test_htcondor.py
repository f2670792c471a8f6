"""What is particular to HTCondor: holds, evictions, event logs, spooling to a schedd that does not see our files."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from benches_condor import pool, settings_of
from ce_bench import Bench, appears, gone, opened, reaches, state, submit
from reactor_thread import run, until

from wms.ce import Backend, CeJob, Later, Phase, Rejected, Submitted
from wms.ce.condor.backend import make
from wms.ce.condor.staging import Entry
from wms.ce.condor.submitfile import LAUNCHER
from wms.ce.ledger import Ledger
from wms.errors import ConfigError, Unavailable


@pytest.fixture
def directory() -> Iterator[Path]:
    with pool() as directory:
        yield directory


def bench_of(directory: Path, place: Path, **more: Any) -> Bench:
    return Bench("htcondor", settings_of(place, directory, **more), place)


@pytest.fixture
def condor(directory: Path, tmp_path: Path) -> Iterator[Bench]:
    made = bench_of(directory, tmp_path)
    yield made
    made.close()


@pytest.fixture
def ce(condor: Bench) -> Backend:
    return condor.backend()


def command(directory: Path, name: str, *arguments: str) -> str:
    done = subprocess.run([f"{directory}/bin/{name}", *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def handle(verdicts: list[Any]) -> str:
    (verdict,) = verdicts
    assert isinstance(verdict, Submitted)
    return verdict.handle


def entries(condor: Bench) -> Ledger[Entry]:
    return Ledger(Path(condor.settings["spool"], "ledger"), Entry)


# -- one submission ----------------------------------------------------------------------------------------


def test_many_jobs_are_one_cluster_in_their_order(condor: Bench, ce: Backend) -> None:
    verdicts = submit(ce, *(condor.job(f"t{n}", f"exit {n}") for n in range(40)))
    assert [v.handle for v in verdicts if isinstance(v, Submitted)] == [f"1.{n}" for n in range(40)]
    reaches(ce, [f"t{n}" for n in range(40)], Phase.ENDED)
    assert [state(ce, f"t{n}").exit_status for n in range(40)] == list(range(40))


def test_what_differs_is_submitted_apart(condor: Bench, ce: Backend) -> None:
    proxy = condor.job("a", 'cat "$X509_USER_PROXY"; stat -c %a "$X509_USER_PROXY"', proxy=b"secret\n")
    token = condor.job("b", 'echo "${X509_USER_PROXY-none}"; cat "$BEARER_TOKEN_FILE"', bearer=b"token\n")
    submit(ce, proxy, token, condor.job("c", 'echo "${X509_USER_PROXY-none}${BEARER_TOKEN_FILE-none}"'))
    reaches(ce, "abc", Phase.ENDED)
    assert [run(ce.output(token)) for token in "abc"] == ["secret\n600\n", "none\ntoken\n", "nonenone\n"]


def test_the_names_of_owners_mean_nothing_to_htcondor(directory: Path, condor: Bench, ce: Backend) -> None:
    hostile = '/CN=x"\n+Evil = 1\nqueue\n$(Cluster) $$(Arch) $ENV(HOME) )\n#\\'
    submit(ce, condor.job("one", "true", owner=hostile), named(condor.job("two", "true"), hostile))
    reaches(ce, ["one", "two"], Phase.ENDED)
    history = command(directory, "condor_history", "-json", "-attributes", "WmsOwner,WmsJob,Evil,ClusterId,ProcId")
    assert "Evil\"" not in history
    assert history.count("%24%24%28Arch%29") == 2


def test_one_job_that_the_schedd_refuses_does_not_take_the_others_with_it(directory: Path, tmp_path: Path) -> None:
    refusing = {"refusing": {"commands": {"+RefuseThis": "no jobs of yours"}}, "default": {}}
    condor = bench_of(directory, tmp_path, queues=refusing)
    ce = condor.backend()
    refused = msgspec.structs.replace(condor.job("bad", "true"), queue="refusing")
    good, bad = submit(ce, condor.job("good", "true"), refused)
    assert isinstance(good, Submitted)
    assert isinstance(bad, Rejected)
    assert "no jobs of yours" in bad.reason
    assert not bad.permanent
    assert run(ce.known()) == ["good"]
    condor.close()


def test_a_schedd_that_is_full_gets_the_jobs_later(directory: Path, condor: Bench, ce: Backend) -> None:
    (directory / "full").touch()
    assert [type(verdict) for verdict in run(ce.submit([condor.job("one", "true"), condor.job("two", "true")]))] == [
        Later, Later]
    assert run(ce.known()) == []
    (directory / "full").unlink()
    assert isinstance(submit(ce, condor.job("one", "true"))[0], Submitted)


@pytest.mark.parametrize("more", [{"hosts": 2, "cpus": 2}, {"whole_nodes": True}])
def test_what_the_vanilla_universe_cannot_do_is_refused(condor: Bench, ce: Backend, more: dict[str, Any]) -> None:
    (verdict,) = submit(ce, condor.job("one", "true", **more))
    assert isinstance(verdict, Rejected)
    assert verdict.permanent


def test_a_payload_finds_commands_and_a_home(condor: Bench, ce: Backend) -> None:
    """HTCondor gives a job neither."""
    submit(ce, condor.job("one", 'env | grep -c "^PATH=.*/bin"; cd && test -f wms_wrapper'))
    reaches(ce, ["one"], Phase.ENDED)
    assert (state(ce, "one").exit_status, run(ce.output("one"))) == (0, "1\n")


@pytest.mark.parametrize("check", [["shellcheck"], ["dash", "-n"], ["bash", "-n"], ["busybox", "sh", "-n"]])
def test_the_launcher_is_good_shell(check: list[str], tmp_path: Path) -> None:
    (tmp_path / "launcher").write_text(LAUNCHER)
    done = subprocess.run([*check, str(tmp_path / "launcher")], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def named(job: CeJob, name: str) -> CeJob:
    return msgspec.structs.replace(job, job=name)


# -- nobody answers ----------------------------------------------------------------------------------------


def test_a_schedd_that_does_not_answer_is_unavailable_and_nothing_is_lost(
    directory: Path, condor: Bench, ce: Backend
) -> None:
    submit(ce, condor.job("before", "exit 5"))
    (directory / "down").touch()
    for asked in (ce.submit([condor.job("late", "true")]), ce.describe(), ce.known(), ce.cancel(["before"]),
                  ce.status(["late"])):
        with pytest.raises(Unavailable):
            run(asked)
    until(lambda: "Job terminated" in "".join(log.read_text() for log in logs(condor)))
    assert state(ce, "before").exit_status == 5
    (directory / "down").unlink()
    assert isinstance(submit(ce, condor.job("late", "true"))[0], Submitted)
    reaches(ce, ["late"], Phase.ENDED)


def logs(condor: Bench) -> list[Path]:
    return sorted(Path(condor.settings["spool"], "events").glob("*.log"))


# -- a submitter that died ---------------------------------------------------------------------------------


def test_a_submission_whose_end_nobody_saw_is_adopted(condor: Bench, tmp_path: Path) -> None:
    gate = condor.gate()
    before = condor.backend()
    jobs = [condor.job("running", f"echo x >>{tmp_path}/starts; read -r line <{gate}"), condor.job("over", "exit 3")]
    was = {verdict.token: verdict.handle for verdict in submit(before, *jobs) if isinstance(verdict, Submitted)}
    reaches(before, ["running"], Phase.RUNNING)
    reaches(before, ["over"], Phase.ENDED)
    condor.stop(before)
    for token in was:  # as it was before condor_submit answered
        entries(condor).put(token, Entry(log=logs(condor)[0].name))
    after = condor.backend()
    assert {verdict.token: verdict.handle for verdict in submit(after, *jobs) if isinstance(verdict, Submitted)} == was
    with opened(gate, 1):
        reaches(after, ["running"], Phase.ENDED)
    assert state(after, "over").exit_status == 3
    assert (tmp_path / "starts").read_text() == "x\n"


def test_an_intention_that_never_reached_htcondor_is_lost_until_it_is_submitted(condor: Bench, ce: Backend) -> None:
    entries(condor).put("one", Entry(log="none.log"))
    assert state(ce, "one").phase is Phase.LOST
    submit(ce, condor.job("one", "exit 2"))
    reaches(ce, ["one"], Phase.ENDED)
    assert state(ce, "one").exit_status == 2


# -- holds and evictions -----------------------------------------------------------------------------------


def test_a_held_job_is_held_until_it_is_released(directory: Path, condor: Bench, ce: Backend) -> None:
    gate = condor.gate()
    submit(ce, *(condor.job(token, f"read -r line <{gate}") for token in "ab"))
    job = handle(submit(ce, condor.job("c", "exit 4")))
    command(directory, "condor_hold", "-reason", "Cannot access initial working directory", job)
    reaches(ce, ["c"], Phase.HELD)
    assert state(ce, "c").reason == "Cannot access initial working directory (job was held, code 1, subcode 0)"
    command(directory, "condor_release", job)
    reaches(ce, ["c"], Phase.QUEUED)
    with opened(gate, 2):
        reaches(ce, "abc", Phase.ENDED)
    assert state(ce, "c").exit_status == 4


def test_an_evicted_payload_is_not_started_again(directory: Path, condor: Bench, ce: Backend, tmp_path: Path) -> None:
    job = handle(submit(ce, condor.job("one", f"echo $$ >>{tmp_path}/starts; sleep 1000")))
    pid = appears(tmp_path / "starts")
    command(directory, "condor_vacate_job", "-fast", job)
    reaches(ce, ["one"], Phase.ENDED)
    assert gone(pid)
    assert state(ce, "one").exit_status is None
    assert "not started a second time" in state(ce, "one").reason
    assert len((tmp_path / "starts").read_text().splitlines()) == 1


def test_a_proxy_reaches_the_running_job(condor: Bench, ce: Backend, tmp_path: Path) -> None:
    submit(ce, condor.job("one", f'echo 1 >{tmp_path}/up; until grep -q new "$X509_USER_PROXY"; do sleep 0.05; done',
                         proxy=b"old"))
    appears(tmp_path / "up")
    run(ce.renew(["one", "never"], b"new"))
    reaches(ce, ["one"], Phase.ENDED)
    assert state(ce, "one").exit_status == 0


# -- event logs --------------------------------------------------------------------------------------------


def test_logs_are_kept_short_and_forgotten_with_their_jobs(directory: Path, tmp_path: Path) -> None:
    condor = bench_of(directory, tmp_path, jobs_per_log=2)
    ce = condor.backend()
    for token in "abcdef":
        submit(ce, condor.job(token, "true"))
    assert len(logs(condor)) == 3
    reaches(ce, "abcdef", Phase.ENDED)
    run(ce.clean("abc"))
    assert len(logs(condor)) == 2
    assert all(found.phase is Phase.ENDED for found in run(ce.status("def")).values())
    condor.close()


def test_a_log_that_was_emptied_or_removed_is_made_up_for_by_the_queue(directory: Path, tmp_path: Path) -> None:
    condor = bench_of(directory, tmp_path, poll_s=0.0)
    ce, gate = condor.backend(), condor.gate()
    submit(ce, condor.job("one", f"read -r line <{gate}; exit 6"))
    reaches(ce, ["one"], Phase.RUNNING)
    os.truncate(logs(condor)[0], 0)
    assert state(ce, "one").phase is Phase.RUNNING
    with opened(gate, 1):
        logs(condor)[0].unlink()
        reaches(ce, ["one"], Phase.ENDED)
    assert state(ce, "one").exit_status == 6
    condor.close()


# -- a schedd that does not see our files ------------------------------------------------------------------


@pytest.fixture
def far(directory: Path, tmp_path: Path) -> Iterator[Bench]:
    made = bench_of(directory, tmp_path, spool_files=True, schedd="ap.example.org", pool="ap.example.org:9619",
                    routed=True, poll_s=0.0)
    yield made
    made.close()


def test_files_are_spooled_and_output_is_fetched(far: Bench) -> None:
    ce = far.backend()
    submit(ce, far.job("one", 'cat "$X509_USER_PROXY"; echo words; exit 7', proxy=b"secret\n"), far.job("two", "true"))
    reaches(ce, ["one", "two"], Phase.ENDED)
    assert logs(far) == []
    assert (state(ce, "one").exit_status, run(ce.output("one"))) == (7, "secret\nwords\n")
    assert run(ce.known()) == ["one", "two"]
    run(ce.clean(["one"]))
    assert (run(ce.known()), run(ce.output("one"))) == (["two"], "")


def test_a_spooled_job_is_cancelled_and_seen_by_others(far: Bench, tmp_path: Path) -> None:
    submitter, observer = far.backend(), far.backend()
    submit(submitter, far.job("one", f"echo $$ >{tmp_path}/pid; sleep 1000"), far.job("two", "sleep 1000"))
    pid = appears(tmp_path / "pid")
    assert run(observer.output("one")) == ""
    run(submitter.cancel(["one"]))
    reaches(observer, ["one"], Phase.ENDED)
    until(lambda: gone(pid))
    assert (state(observer, "one").reason, state(observer, "one").exit_status) == ("cancelled", None)
    assert state(observer, "two").phase is Phase.RUNNING


def test_what_was_spooled_only_in_part_is_submitted_anew(directory: Path, far: Bench, tmp_path: Path) -> None:
    first, gate = far.backend(), far.gate()
    blockers = [far.job(token, f"read -r line <{gate}") for token in "ab"]
    submit(first, *blockers)
    old = handle(submit(first, far.job("one", f"echo x >>{tmp_path}/starts")))
    command(directory, "condor_hold", "-reason", "Spooling input data files", "-code", "16", old)
    entries(far).put("one", Entry())
    assert state(first, "one").phase is Phase.QUEUED
    entries(far).put("one", Entry())
    new = handle(submit(first, far.job("one", f"echo x >>{tmp_path}/starts")))
    assert new != old
    with opened(gate, 2):
        reaches(first, ["a", "b", "one"], Phase.ENDED)
    assert (tmp_path / "starts").read_text() == "x\n"


def test_settings_that_could_break_a_line_are_refused(condor: Bench) -> None:
    broken = {**condor.settings, "commands": {"queue": "5"}, "schedd": "-all"}
    with pytest.raises(ConfigError, match=r"schedd '-all'.*\n.*'queue' cannot"):
        make(broken, None)
    with pytest.raises(ConfigError, match="slots"):
        make({**condor.settings, "slots": 2}, None)
