"""Containers of payloads, in the shells that worker nodes have, by a tool with the words of Apptainer.

Debian has no package of Apptainer. The stand-in refuses every word it does not know, and it does confine: a user
namespace with a root file system of its own, in which there is what was bound and nothing else. It needs no privilege.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from test_wrapper_run import HERE, Node, Peer, dash, failure, job, literal, node, peer, script, server

from jobadapter.wrapper import Step, WrapperJob, render
from wms.faults import Fault, judge
from wms.outcome import classify

__all__ = ["dash", "node", "peer", "server"]

TOOL = r"""#!/bin/bash
# apptainer exec, as far as the wrapper needs it: binds, --cleanenv, --contain, --pid by user and mount namespaces
[ "$1" = --quiet ] && shift
[ "$1" = exec ] || { echo "FATAL: unknown command $1" >&2; exit 255; }
shift
printf '%s\n' "$@" >>"$LOG"
clean='' binds=() pid=''
while :; do
    case $1 in
    --contain | --no-privs | --ipc) ;;
    --pid) pid='--pid --fork --kill-child' ;;
    --cleanenv) clean=1 ;;
    --workdir) shift; [ -d "$1" ] || exit 254 ;;
    --pwd) shift; pwd=$1 ;;
    --bind) shift; binds+=("$1") ;;
    -*) echo "FATAL: unknown flag $1" >&2; exit 255 ;;
    *) break ;;
    esac
    shift
done
image=$1
shift
case $image in
docker://gone/*) echo 'FATAL:   reading manifest latest in gone: manifest unknown' >&2; exit 255 ;;
docker://down/*) printf 'INFO\nFATAL:   dial tcp: "no route"\t$(x)\n' >&2; exit 255 ;;
docker://*) ;;
*) [ -f "$image/is-image" ] || { echo "FATAL: image format not recognized" >&2; exit 255; } ;;
esac
path=${APPTAINERENV_PREPEND_PATH:+$APPTAINERENV_PREPEND_PATH:}/usr/bin:/bin
export -n APPTAINERENV_PREPEND_PATH SINGULARITYENV_PREPEND_PATH
keep=("PATH=$path" HOME=/root container=yes)
if [ -n "$clean" ]; then keep=(-i "${keep[@]}"); fi
export ROOTFS PWD_INSIDE
ROOTFS=$(mktemp -d "$SCRATCH/root.XXXXXX") PWD_INSIDE=$pwd
exec unshare --user --map-root-user --mount $pid bash -c '
    mount -t tmpfs none "$ROOTFS" || exit 255
    for place in /usr /lib /lib64 /bin /dev; do
        [ -e "$place" ] || continue
        if [ -L "$place" ]; then ln -s "$(readlink "$place")" "$ROOTFS$place"; continue; fi
        mkdir "$ROOTFS$place"
        mount --rbind "$place" "$ROOTFS$place" || exit 255
    done
    mkdir "$ROOTFS/tmp"
    while [ "$1" != -- ]; do
        IFS=: read -r from to mode <<<"$1"
        to=${to:-$from}
        [ -e "$from" ] || { echo "FATAL: mount source $from does not exist" >&2; exit 255; }
        if [ -d "$from" ]; then mkdir -p "$ROOTFS$to"; else mkdir -p "$ROOTFS${to%/*}"; : >"$ROOTFS$to"; fi
        mount --rbind "$from" "$ROOTFS$to" || exit 255
        [ "$mode" != ro ] || mount -o remount,bind,ro "$ROOTFS$to" || exit 255
        shift
    done
    shift
    [ "$1" != "" ] || exit 255
    unset ROOTFS_
    exec /usr/sbin/chroot "$ROOTFS" /bin/sh -c "cd \"\$1\" || exit 255; shift; exec \"\$@\"" sh "$PWD_INSIDE" "$@"
' box "${binds[@]}" -- /usr/bin/env "${keep[@]}" "$@"
"""


def confines() -> bool:
    tried = subprocess.run(["unshare", "--user", "--map-root-user", "--mount", "true"], capture_output=True)
    return tried.returncode == 0


needs_namespaces = pytest.mark.skipif(not confines(), reason="no user namespaces here")


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A directory with the stand-in, and an image beside it."""
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "apptainer").write_text(TOOL)
    (tools / "apptainer").chmod(0o755)
    image(tmp_path / "image")
    return tools


def image(place: Path) -> Path:
    place.mkdir()
    (place / "is-image").touch()
    return place


def run(node: Node, tools: Path, what: WrapperJob, **more: str) -> tuple[int, str]:
    return node.run(render(what), PATH=f"{tools}:{HERE}", LOG=str(tools / "log"), SCRATCH=str(tools), **more)


def boxed(peer: Peer, text: str, place: Path, **more: Any) -> WrapperJob:
    return script(peer, text, container=str(place / "image"), stdout="out", output_sandbox=["out"], **more)


def said(peer: Peer) -> list[str]:
    return peer.outputs()["out"].decode().splitlines()


@needs_namespaces
def test_the_payload_sees_its_directory_and_nothing_else_of_the_node(
    node: Node, peer: Peer, tools: Path, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("s")
    text = f"""ls -A; [ -e {tmp_path}/secret ] || echo hidden; [ -e /etc/passwd ] || echo bare
        echo "$N|$A b|${{NODE_VARIABLE-unset}}|$GLITE_WMS_JOBID|$container"; echo new >made; cat; exit 7"""
    what = boxed(peer, text, tmp_path, environment=[("N", "x'$HOME\ny"), ("A", "$N")], stdin="run.sh")
    status, output = run(node, tools, what, NODE_VARIABLE="leak")
    assert (status, classify(output).exit_code) == (0, 7)
    lines = said(peer)
    assert lines[:4] == ["made" if "made" in lines[:1] else "out", "run.sh", "hidden", "bare"]
    assert lines[4:7] == ["x'/home/user", "y|x'/home/user", "y b|unset|https://wms.example.org:9000/abc|yes"]


@needs_namespaces
def test_what_is_bound_is_there(node: Node, peer: Peer, tools: Path, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "x").write_text("of the site\n")
    (tmp_path / "credentials").mkdir()
    (tmp_path / "credentials" / "proxy").write_text("proxy\n")
    text = """cat /inside/x "$X509_USER_PROXY"; echo no >/inside/y; echo yes >/also/y; command -v lb-logevent
        ls -d "$X509_CERT_DIR" """
    what = boxed(peer, text, tmp_path, container_binds=[f"{tmp_path}/data:/inside:ro", f"{tmp_path}/data:/also"])
    run(node, tools, what, X509_USER_PROXY=str(tmp_path / "credentials" / "proxy"),
        X509_CERT_DIR=str(tmp_path / "credentials"))
    assert said(peer)[:2] == ["of the site", "proxy"]
    assert said(peer)[2].endswith("/bin/lb-logevent")
    assert said(peer)[3] == str(tmp_path / "credentials")
    assert (tmp_path / "data" / "y").read_text() == "yes\n"


@needs_namespaces
def test_a_fetched_image_a_program_of_the_image_and_its_environment(
    node: Node, peer: Peer, tools: Path, tmp_path: Path
) -> None:
    what = job(peer, "/usr/bin/printf", container="docker://debian:12", arguments=literal("%s|", "a b", "", "c\nd"),
               stdout="out", output_sandbox=["out"], environment=[("PATH", "/opt/bin")])
    assert run(node, tools, what)[0] == 0
    assert peer.outputs()["out"] == b"a b||c\nd|"


@needs_namespaces
def test_a_parallel_job_is_contained_process_by_process(dash: Node, peer: Peer, tools: Path, tmp_path: Path) -> None:
    run(dash, tools, boxed(peer, "echo rank $PMI_RANK of $PMI_SIZE $container", tmp_path, parallel=True, cpus=2))
    assert sorted(said(peer)) == ["rank 0 of 2 yes", "rank 1 of 2 yes"]
    assert "--cleanenv" not in (tools / "log").read_text()


@needs_namespaces
def test_all_of_a_container_is_ended_with_the_job(node: Node, peer: Peer, tools: Path, tmp_path: Path) -> None:
    up = tmp_path / "up"
    up.mkdir()
    os.mkfifo(up / "pipe")
    what = boxed(peer, "sleep 1000 & echo up >/up/pipe; wait", tmp_path, container_binds=[f"{up}:/up"])
    environment = {"PATH": f"{tools}:{HERE}", "LOG": str(tools / "log"), "SCRATCH": str(tools)}
    with node.begin(render(what), **environment) as process:
        assert (up / "pipe").read_text() == "up\n"
        process.terminate()
        output, _ = process.communicate()
    assert failure(peer, (process.returncode, output)) == "Job has been terminated (got SIGTERM)"
    left = [line for line in subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True).stdout.splitlines()
            if str(tools) in line]
    assert left == []


def test_the_words_of_the_tool(dash: Node, peer: Peer, tools: Path, tmp_path: Path) -> None:
    (tools / "apptainer").write_text('#!/bin/sh\nprintf "%s\\n" "$@" >>"$LOG"\nexit 0\n')
    run(dash, tools, boxed(peer, "true", tmp_path, container_binds=["/a b:/c:ro"]), X509_CERT_DIR=str(tools),
        X509_USER_PROXY="/tmp/x509up_u1", BEARER_TOKEN_FILE="relative")
    first, second = (tools / "log").read_text().split("--quiet\n")[1:]
    where = second.split("--pwd\n")[1].splitlines()[0]
    words = ["exec", "--contain", "--ipc", "--pid", "--cleanenv", "--no-privs", "--workdir", where[:-5] + "/box",
             "--bind", where[:-5], "--pwd", where]
    assert second.splitlines()[:len(words)] == words
    assert second.splitlines()[len(words):][:4] == ["--bind", str(tools), "--bind", "/a b:/c:ro"]
    assert first.splitlines()[-3:] == ["test", "-r", "./run.sh"]
    assert second.splitlines()[-1] == "./run.sh"
    assert "env" in second.splitlines()


# -- failures, before the start is taken -------------------------------------------------------------------


@pytest.mark.parametrize(("place", "reason", "owner", "kind"), [
    ("docker://gone/x", "docker://gone/x not found or unreadable "
     "(FATAL:   reading manifest latest in gone: manifest unknown)", Fault.USER, "abort"),
    ("docker://down/x", "Cannot run the container (status 255): FATAL:   dial tcp: ?no route???(x)", Fault.SITE,
     "resubmit"),
    ("/nowhere/a b.sif", "Cannot find the container image /nowhere/a%20b.sif", Fault.SITE, "resubmit"),
    ("$NOWHERE/x.sif", "Cannot find the container image $NOWHERE/x.sif", Fault.SITE, "resubmit"),
])  # fmt: skip
def test_failures(place: str, reason: str, owner: Fault, kind: str, node: Node, peer: Peer, tools: Path) -> None:
    given = run(node, tools, job(peer, container=place))
    assert failure(peer, given) == reason
    assert peer.names() == ["POST /done"]
    assert (judge(reason).owner, classify(given[1]).kind) == (owner, kind)


def test_an_image_that_is_none(node: Node, peer: Peer, tools: Path, tmp_path: Path) -> None:
    (tmp_path / "image" / "is-image").unlink()
    reason = failure(peer, run(node, tools, boxed(peer, "true", tmp_path)))
    assert reason == "Cannot run the container (status 255): FATAL: image format not recognized"


@needs_namespaces
def test_a_program_that_the_image_lacks(node: Node, peer: Peer, tools: Path, tmp_path: Path) -> None:
    what = job(peer, "/opt/no such", container=str(tmp_path / "image"))
    reason = failure(peer, run(node, tools, what))
    assert reason == "/opt/no%20such not found or unreadable in the container"
    assert judge(reason).owner == Fault.USER


def test_a_node_without_the_tool(dash: Node, peer: Peer, tmp_path: Path) -> None:
    tools = tmp_path / "few"
    tools.mkdir()
    for name in ("chmod", "mkdir", "rm", "curl", "kill", "sleep", "setsid", "date"):
        (tools / name).symlink_to(str(shutil.which(name)))
    reason = failure(peer, dash.run(render(job(peer, container="docker://x")), PATH=str(tools)))
    assert reason == "Cannot find apptainer or singularity"
    assert judge(reason).owner == Fault.SITE


def test_a_directory_that_no_bind_can_name(node: Node, peer: Peer, tools: Path) -> None:
    home = node.home / "a:b"
    home.mkdir()
    with node.begin(render(job(peer, container="docker://x")), PATH=f"{tools}:{HERE}", TMPDIR=str(home)) as process:
        output, _ = process.communicate()
    assert failure(peer, (process.returncode, output)).startswith("Cannot run the container: a colon")


def test_prologue_and_epilogue_stay_outside(dash: Node, peer: Peer, tools: Path, tmp_path: Path) -> None:
    (tools / "apptainer").write_text('#!/bin/sh\nprintf x >>"$LOG"\n')
    outside = Step("/bin/sh", literal("-c", 'echo "${container-outside}" >>out'))
    what = boxed(peer, "true", tmp_path, prologue=outside, epilogue=outside)
    run(dash, tools, what)
    assert said(peer) == ["outside"]
    assert (tools / "log").read_text() == "xx"
