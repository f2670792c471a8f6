"""Events on their way from where they happen: the spool of a host, and the command that a job wrapper brings along."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from deployment import BIN, Deployment, until
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from worker_peer import TOKEN, Peer, Server, serve

from clients import site
from jobadapter.shell import curl_value
from jobadapter.wrapper_logging import logger
from jobadapter.wrapper_transport import TRANSPORT
from ns.application import pairs
from wms.errors import BadEvent
from wms.jobid import JobId
from wms.spool import SpoolUnusable, append, is_shipped
from wms.spool_format import MAX_HEAD, file_name, parse_head, window
from wms.ulm import from_ulm

JOB = "https://lb.example.org:9000/snPegp1YMJcnS22yF5pFlg"
CODE = "UI=000001:NS=0000000002:WM=000003:BH=0000000000:JSS=000002:LM=000001:LRMS=000002:APP=000000:LBS=000000"
SHELLS = {name: [str(shutil.which(name)), *more] for name, more in {
    "dash": [], "bash": ["--posix"], "busybox": ["sh"]}.items()}  # fmt: skip


# -- the spool -------------------------------------------------------------------------------------------


def events(spool: Path, job: str = JOB) -> list[str]:
    data = (spool / file_name(JobId.parse(job))).read_bytes()
    opened = parse_head(data[:MAX_HEAD])
    assert opened is not None
    found = window(data[opened.size:], opened.size)
    assert (found.damaged, found.end) == ([], len(data))
    return [line.text.decode() for line in found.lines]


def types(spool: Path, *words: str, limit: int | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """lb-logevent, as somebody types it who has no proxy."""
    def limited() -> None:
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    given = {"PATH": os.environ["PATH"], "WMS_INTERLOGGER_SPOOL": str(spool), "X509_USER_PROXY": "/nowhere",
             "PYTHONDONTWRITEBYTECODE": "1", **environment}
    return subprocess.run([str(BIN / "lb-logevent"), *words], env=given, text=True, capture_output=True, check=False,
                          timeout=60, preexec_fn=limited)


TAG = ("-s", "Application", "-e", "UserTag", "--name", "phase", "--value")


def test_an_event_is_in_the_spool_and_its_next_code_on_standard_output(tmp_path: Path) -> None:
    first = types(tmp_path, *TAG, "1", "-j", JOB, "-c", CODE, "-U", "/CN=someone", "-i", "here", "-d")
    assert (first.returncode, first.stderr) == (0, "")
    second = types(tmp_path, *TAG, "2", GLITE_WMS_JOBID=JOB, GLITE_WMS_SEQUENCE_CODE=first.stdout.strip())
    third = types(tmp_path, *TAG, "3", "-I", EDG_WL_JOBID=JOB, EDG_WL_SEQUENCE_CODE=second.stdout.strip())
    logged = [from_ulm(line) for line in events(tmp_path)]
    assert [event.fields["value"] for event in logged] == ["1", "2", "3"]
    assert [int(event.seqcode.split("APP=")[1][:6]) for event in logged] == [1, 3, 4]
    assert [done.stdout.split("APP=")[1][:6] for done in (first, second, third)] == ["000002", "000004", "000005"]
    assert (logged[0].user, logged[0].instance, logged[0].level) == ("/CN=someone", "here", "DEBUG")


def test_without_a_code_the_time_counts_and_a_new_job_may_be_made(tmp_path: Path) -> None:
    done = types(tmp_path, "-s", "UserInterface", "-e", "Abort", "-m", "lb.example.org", "-l", "100", "--json")
    job = json.loads(done.stdout)["job"]
    (event,) = [from_ulm(line) for line in events(tmp_path, job)]
    assert job in done.stderr
    assert event.fields["reason"].endswith("end=100")
    assert len(event.fields["reason"]) == 100
    assert int(event.seqcode[3:event.seqcode.index(":")]) > 1_700_000_000


@pytest.mark.parametrize(("words", "code", "says"), [
    (("-s", "Aplication"), "UI_ARG_MISMATCH", "Did you mean Application?"),
    (("-e", "UserTags"), "UI_ARG_MISMATCH", "Did you mean UserTag?"),
    (("--vaule", "x"), "UI_WRONG_OPT", "--value"),
    (("--reason", "x"), "UI_ARG_MISMATCH", "UserTag has no field reason"),
    (("-c", "soon"), "LB_SEQUENCE_CODE_FORMAT", "soon"),
    (("-j", "job-17"), "UI_WRONG_JOBID_FORMAT", "https://HOST"),
    (("--value", ""), "LB_EVENT_FORMAT", "UserTag without value"),
    (("-e", ""), "UI_ARG_MISS", "--event"),
])
def test_what_is_no_event_is_refused_before_anything_is_written(
    words: tuple[str, ...], code: str, says: str, tmp_path: Path
) -> None:
    done = types(tmp_path, *TAG, "v", "-j", JOB, *words)
    assert done.returncode in (1, 2)
    assert f"**** Error: {code} ****\n" in done.stderr
    assert says in done.stderr
    assert list(tmp_path.iterdir()) == []
    document = json.loads(types(tmp_path, *TAG, "v", "-j", JOB, *words, "--json").stdout)
    assert document["error"]["code"] == code


def test_help_tells_the_events_and_their_fields(tmp_path: Path) -> None:
    assert "UserTag --name --value" in types(tmp_path, "-e", "help").stdout
    assert "Application" in types(tmp_path, "-s", "help").stdout
    assert types(tmp_path, "--help").stdout.startswith("Usage: lb-logevent")


def test_a_full_disk_is_said_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    assert types(tmp_path, *TAG, "first", "-j", JOB).returncode == 0
    before = events(tmp_path)
    size = (tmp_path / file_name(JobId.parse(JOB))).stat().st_size
    for room in (0, 1, 100):
        done = types(tmp_path, *TAG, "x" * 200, "-j", JOB, limit=size + room)
        assert (done.returncode, done.stdout) == (1, "")
        assert "**** Error: LB_SPOOL_UNUSABLE ****" in done.stderr
        assert events(tmp_path) == before
    assert types(tmp_path, *TAG, "last", "-j", JOB).returncode == 0
    assert len(events(tmp_path)) == 2


def test_nor_a_file_that_could_not_be_begun(tmp_path: Path) -> None:
    assert types(tmp_path, *TAG, "x", "-j", JOB, limit=10).returncode == 1
    assert [path.stat().st_size for path in tmp_path.iterdir()] == [0]
    assert types(tmp_path, *TAG, "x", "-j", JOB).returncode == 0
    assert len(events(tmp_path)) == 1


def test_a_host_without_a_spool_says_so(tmp_path: Path) -> None:
    done = types(tmp_path / "none", *TAG, "x", "-j", JOB)
    assert done.returncode == 1
    assert "Is an interlogger set up here?" in done.stderr


def test_what_a_killed_logger_left_is_cut_off_by_the_next(tmp_path: Path) -> None:
    job = JobId.parse(JOB)
    append(str(tmp_path), job, ["a"])
    whole = append(str(tmp_path), job, ["b"])
    data = Path(whole.path).read_bytes()
    for cut in range(len(data)):
        Path(whole.path).write_bytes(data[:cut])
        append(str(tmp_path), job, ["c"])
        assert events(tmp_path)[-1] == "c"
        assert set(events(tmp_path)[:-1]) <= {"a", "b"}


def test_a_damaged_file_is_put_out_of_the_way_whole(tmp_path: Path) -> None:
    path = Path(append(str(tmp_path), JobId.parse(JOB), ["a"]).path)
    path.write_bytes(b"rubbish\n" + path.read_bytes())
    append(str(tmp_path), JobId.parse(JOB), ["b"])
    assert events(tmp_path) == ["b"]
    assert [file.read_bytes()[:8] for file in tmp_path.glob("damaged.*")] == [b"rubbish\n"]


def test_what_nobody_could_read_back_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(BadEvent):
        append(str(tmp_path), JobId.parse(JOB), ["x" * 3_000_000])
    with pytest.raises(SpoolUnusable):
        append(str(tmp_path / "no"), JobId.parse(JOB), ["x"])


def test_a_file_that_is_gone_was_shipped(tmp_path: Path) -> None:
    written = append(str(tmp_path), JobId.parse(JOB), ["a"])
    assert not is_shipped(written)
    Path(written.path).unlink()
    assert is_shipped(written)
    append(str(tmp_path), JobId.parse(JOB), ["b"])
    assert is_shipped(written)


WRITER = """
import sys
from wms.jobid import JobId
from wms.spool import append
for number in range(100):
    append(sys.argv[1], JobId.parse(sys.argv[2]), [f"{sys.argv[3]} {number}"])
"""


def test_writers_of_one_job_do_not_hurt_each_other(tmp_path: Path) -> None:
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), JOB, name]) for name in "abc"]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    found = events(tmp_path)
    assert len(found) == 300
    assert all([line for line in found if line[0] == name] == [f"{name} {n}" for n in range(100)] for name in "abc")


# -- from the spool to the server ------------------------------------------------------------------------


@pytest.fixture
def service(deployment: Deployment) -> Deployment:
    """LB and the interlogger."""
    deployment.configure(interlogger={"retry_s": 0.5})
    deployment.start("lb", "interlogger")
    return deployment


def at(service: Deployment, unique: str) -> str:
    return f"https://{site.site_host()}:{service.addresses()['WMS_LB'].rpartition(':')[2]}/{unique}"


def log(service: Deployment, job: str, *words: str) -> subprocess.CompletedProcess[str]:
    return service.run("lb-logevent", "-j", job, "--spool", str(service.site.state / "lb-spool"), *words)


REGISTER = ("-s", "UserInterface", "-e", "RegJob", "--jobtype", "SIMPLE", "--ns", "ns")


def test_a_priority_event_is_confirmed_or_refused_while_one_waits(service: Deployment) -> None:
    assert log(service, at(service, "one"), *REGISTER, "-p").returncode == 0
    assert log(service, at(service, "one"), *TAG, "1", "-p").returncode == 0
    with service.client() as client:
        assert client.one_status(at(service, "one"))["user_tags"] == {"phase": "1"}
    unknown = log(service, at(service, "two"), *TAG, "1", "-p")
    assert unknown.returncode == 1
    assert "**** Error: LB_EVENT_REFUSED ****" in unknown.stderr
    spool = service.site.state / "lb-spool"
    assert len(list((spool / "quarantine").glob("dglogd.log.*.why"))) == 1
    until(lambda: not list(spool.glob("dglogd.log.*")), "the spool to become empty")


def test_an_event_for_a_server_that_is_away_is_safe_and_not_confirmed(service: Deployment) -> None:
    away = log(service, "https://localhost:1/x", *TAG, "1", "-p", "--timeout", "0.5")
    assert away.returncode == 11
    assert "**** Error: LB_NOT_CONFIRMED ****" in away.stderr
    assert "APP=" in away.stdout
    assert log(service, at(service, "here"), *REGISTER, "-p").returncode == 0
    assert len(list((service.site.state / "lb-spool").glob("dglogd.log.*"))) == 1


def test_events_are_sent_to_nobody_but_the_server_that_the_job_id_names(deployment: Deployment) -> None:
    """The server answers at this address too, but its certificate is not one of it."""
    port = deployment.addresses()["WMS_LB"].rpartition(":")[2]
    deployment.configure(lb={"listen": f"0.0.0.0:{port}"}, interlogger={"retry_s": 0.5})
    running = deployment.start("lb", "interlogger")
    assert log(deployment, f"https://127.0.0.2:{port}/one", *REGISTER, "-p", "--timeout", "1").returncode == 11
    spool = deployment.site.state / "lb-spool"
    assert len(list(spool.glob("dglogd.log.*"))) == 1
    assert list((spool / "quarantine").iterdir()) == []
    told = [line["problem"] for line in running.lines() if "takes no events" in line["message"]]
    assert "the server's certificate is not one of 127.0.0.2" in told[0]
    assert not [line for line in running.lines() if line["message"].startswith("lb.log")]


# -- a worker node ---------------------------------------------------------------------------------------


@dataclass
class Bookkeeper(Peer):
    """A server that takes events; `code` is its answer's."""

    code: str = CODE.replace("APP=000000", "APP=000002")
    keys: list[str] = field(default_factory=list)

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        status, content = super().answer(method, path, body)
        taken = path == "/events" and status == 200
        return status, json.dumps({"sequence_code": self.code}).encode() if taken else content

    def logged(self) -> list[dict[str, str]]:
        return [pairs(body) for _method, path, body in self.calls if path == "/events"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Bookkeeper]]:
    peer = Bookkeeper()
    server = serve(tmp_path_factory.mktemp("server"), peer)
    yield server, peer
    server.shutdown()
    server.server_close()


@pytest.fixture
def peer(server: tuple[Server, Bookkeeper]) -> Bookkeeper:
    server[1].forget()
    return server[1]


class Node:
    """A worker node on which a wrapper has put its command."""

    def __init__(self, shell: list[str], place: Path, peer: Peer) -> None:
        self.shell, self.place = shell, place
        for name in ("ctl", "bin", "work"):
            (place / name).mkdir(parents=True)
        (place / "ctl" / "ca.pem").write_text(peer.ca_pem)
        (place / "ctl" / "transport").write_text(TRANSPORT)
        options = ["silent", "fail", 'cacert = "../ctl/ca.pem"', "connect-timeout = 30",
                   f"header = {curl_value('Authorization: Bearer ' + TOKEN)}", 'write-out = "%{http_code}\\n"']
        self.command = place / "bin" / "lb-logevent"
        self.command.write_text(logger(JOB, peer.base_url, "\n".join(options)))

    def types(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        given = {"PATH": os.environ["PATH"], "GLITE_WMS_SEQUENCE_CODE": CODE, **environment}
        done = subprocess.run([*self.shell, str(self.command), *words], env=given, text=True, capture_output=True,
                              cwd=self.place / "work", timeout=60, check=False)
        assert {path.name for path in (self.place / "ctl").iterdir()} == {"ca.pem", "transport"}
        return done


@pytest.fixture(params=SHELLS)
def node(request: pytest.FixtureRequest, tmp_path: Path, peer: Bookkeeper) -> Node:
    return Node(SHELLS[request.param], tmp_path / "node's  place", peer)


def test_a_tag_goes_to_the_server_of_the_attempt(node: Node, peer: Bookkeeper) -> None:
    done = node.types("-s", "Application", "-e", "UserTag", "-j", JOB, "--name=phase", "--value", "2", "-p")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{peer.code}\n", "")
    (logged,) = peer.logged()
    assert logged == {"name": "phase", "value": "2", ":event": "UserTag", ":sequence": CODE,
                      ":host": os.uname().nodename}
    assert peer.tokens == {f"Bearer {TOKEN}"}


hostile = st.text(st.one_of(st.sampled_from("'\"\\$`\n;|&()<>*?#%=-: \t"), st.characters(
    exclude_characters="\0", exclude_categories=["Cs"])), max_size=20)


@given(hostile, hostile)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_hostile_values_arrive_as_they_are(node: Node, peer: Bookkeeper, name: str, value: str) -> None:
    peer.forget()
    assert node.types(f"--name={name}", "--value", value, "-i", value).returncode == 0
    (logged,) = peer.logged()
    assert (logged["name"], logged["value"], logged[":instance"]) == (name, value, value)


@pytest.mark.parametrize("words", [
    ("-s", "LRMS"), ("-j", "https://other:9000/x"), ("--name",), ("-q", "x"), ("word",), ("-",)])
def test_misuse_is_said_and_sends_nothing(node: Node, peer: Bookkeeper, words: tuple[str, ...]) -> None:
    done = node.types(*words)
    assert (done.returncode, done.stdout, peer.calls) == (2, "", [])
    assert done.stderr.startswith("lb-logevent: ")


def test_it_is_tried_again_for_a_while_with_the_same_key(node: Node, peer: Bookkeeper) -> None:
    peer.faults["POST", "/events"] = [503]
    assert node.types("--name", "a", "--value", "b").returncode == 0
    assert len(peer.logged()) == 2


@pytest.mark.parametrize(("status", "says"), [(403, "refused (status 403)"), (413, "too large")])
def test_a_refusal_is_final_and_keeps_the_code(node: Node, peer: Bookkeeper, status: int, says: str) -> None:
    peer.faults["POST", "/events"] = [status]
    done = node.types("--name", "a", "--value", "b")
    assert (done.returncode, done.stdout, len(peer.logged())) == (1, f"{CODE}\n", 1)
    assert says in done.stderr


def test_help_needs_no_server(node: Node, peer: Bookkeeper) -> None:
    assert node.types("--help").stdout.startswith("Usage: lb-logevent")
    assert peer.calls == []


@pytest.mark.parametrize("missing", [("python3",), ("curl",)])
def test_python_or_curl_is_enough(node: Node, peer: Bookkeeper, missing: tuple[str, ...], tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in {"curl", "python3", "rm", "sleep", "od", "tr", "sh"} - set(missing):
        real = sys.executable if tool == "python3" else str(shutil.which(tool))
        (tools / tool).symlink_to(os.path.realpath(real))
    assert node.types("--name", "a", "--value", "b\n", PATH=str(tools)).returncode == 0
    assert peer.logged()[0]["value"] == "b\n"


def test_the_token_is_in_no_list_of_processes(node: Node, peer: Bookkeeper, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bytes] = []

    def look() -> None:
        for file in Path("/proc").glob("[0-9]*"):
            for what in ("cmdline", "environ"):
                try:
                    seen.append((file / what).read_bytes())
                except OSError:
                    continue

    monkeypatch.setattr(peer, "on_call", look)
    node.types("--name", "a", "--value", "b")
    assert any(b"lb-logevent" in text for text in seen)
    assert not any(b"token-" in text for text in seen)


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed")
def test_shellcheck_has_nothing_to_say(peer: Bookkeeper) -> None:
    answer = subprocess.run(["shellcheck", "-s", "sh", "-"], input=logger(JOB, "https://h:1/x", "silent"), text=True,
                            capture_output=True, check=False)
    assert answer.stdout == ""


def test_a_payload_tags_its_job(deployment: Deployment) -> None:
    deployment.start()
    script = ("c=`lb-logevent -e UserTag --name phase --value 1` && "
              "glite-lb-logevent -c $c --name=phase --value=two && lb-logevent --name it --value \"is $HOME\"")
    job = deployment.submit(deployment.jdl(script))
    deployment.wait_state(job, "Done")

    def tags() -> dict[str, Any]:
        with deployment.client() as client:
            return dict(client.one_status(job)["user_tags"])

    until(lambda: len(tags()) == 2, "both tags")
    assert tags()["phase"] == "two"
