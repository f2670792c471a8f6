"""The text of job wrappers: exact examples, and what no description of a job may do to it.

`WMS_GOLDEN=write` writes the examples anew; look at the difference before it is committed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobadapter.input_data import Staged
from jobadapter.output_data import Stored
from jobadapter.wrapper import InputFile, Retry, Step, WrapperJob, render
from tests.examples import examples
from wms.errors import JdlInvalid, SandboxPathRefused
from wms.jdl.destinations import Destination

GOLDEN = Path(__file__).with_name("golden")
CODE = ("UI=000003:NS=0000000003:WM=000004:BH=0000000000:JSS=000002:"
        "LM=000000:LRMS=000000:APP=000000:LBS=000000")


def job(**changes: Any) -> WrapperJob:
    plain = WrapperJob(
        job="https://wms.example.org:9000/snPegp1YMJcnS22yF5pFlg", attempt=1,
        base_url="https://wms.example.org:9000/ns/v1/attempts/snPegp1YMJcnS22yF5pFlg/1", token="capability",
        ca_pem="-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n", executable="/bin/true",
        sequence_code=CODE)  # fmt: skip
    return replace(plain, **changes)


EXAMPLES = {
    "true": job(),
    "all": job(
        attempt=2, executable="run it.sh",
        arguments=[[("literal", "it's")], [("variable", "N"), ("literal", "%")]],
        stdin="data/in", stdout="logs/out", stderr="logs/out", environment=[("N", "3"), ("M", "$N/$HOME")],
        input_sandbox=[InputFile("run it.sh", "0" * 64, 10), InputFile("data/in")],
        output_sandbox=["logs/out", "*.dat"], output_limit=1_000_000,
        prologue=Step("pro.sh", [[("literal", "1")]]), epilogue=Step("$TOOLS/epi"),
        start_retry=Retry(1, 2), input_retry=Retry(3, 4), output_retry=Retry(5, 6)),
    "interactive": job(interactive=True, stdout="std.out", output_sandbox=["std.out"], perusal_period_s=5,
                       perusal_bytes=1000),
    "parallel": job(executable="mpi", cpus=4, parallel=True, stdout="out", environment=[("A", "b")]),
    "data": job(
        broker_info='[ ComputingElement = [ name = "ce.org:8443/jobmanager-local-q" ] ]\n', report="DSUpload_x.out",
        output_data=[Stored("it's.dat", ("file://se.org/data/x/it's.dat", "https://se.org:443/x/it%27s.dat")),
                     Stored("lost.dat")], output_sandbox=["DSUpload_x.out"]),
    "checkpointable": job(checkpointable=True),
    "elsewhere": job(proxy=True, output_sandbox=["out", "it's", "*.dat", "signed", "lay"], destinations={
        one.entry: one for one in (
            Destination("out", name="other"), Destination("it's", "https://se.org:8443/x/it's%20%22?a=b"),
            Destination("*.dat", "gsiftp://se.org/dir/"), Destination("lay", "file:///shared/a b'"),
            Destination("signed", "https://s3.org/b/k?X-Amz-Signature=f00"))}),
    "bearer": job(bearer=True, perusal_period_s=5, epilogue=Step("/bin/true")),
    "container": job(
        executable="a=b", container="it's.sif", container_binds=["/a b:/c:ro"], input_sandbox=[InputFile("it's.sif")],
        environment=[("PATH", "/opt"), ("X", "it's")], vo="dteam", software=["dteam.cern.ch", "sft.cern.ch"]),
    "container-parallel": job(executable="/usr/bin/mpi", container="docker://a/b:c", parallel=True, cpus=2, proxy=True),
    "container-interactive": job(executable="$TOOLS/x", container="$TOOLS/it's.sif", interactive=True, bearer=True),
    "staging": job(
        input_data=[Staged("it's", "lfn:/a/it's", ("file:///se/it's", "https://se.org:443/a%20b\"")),
                    Staged("none", "guid:1")],
        destinations={"out": Destination("out", "https://se.org/x")}, output_sandbox=["out"], proxy=True, bearer=True),
    "same-name-for-nothing": job(stdout="out", stderr="err", executable="a=b", environment=[("X", "")]),
}  # fmt: skip


@pytest.mark.parametrize("name", EXAMPLES)
def test_golden(name: str) -> None:
    file = GOLDEN / f"{name}.sh"
    if os.environ.get("WMS_GOLDEN") == "write":
        file.write_text(render(EXAMPLES[name]))
    assert render(EXAMPLES[name]) == file.read_text()


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed")
@pytest.mark.parametrize("name", EXAMPLES)
def test_shellcheck_has_nothing_to_say(name: str) -> None:
    answer = subprocess.run(["shellcheck", "-s", "sh", "-"], input=render(EXAMPLES[name]), text=True,
                            capture_output=True)
    assert answer.stdout == ""


@pytest.mark.parametrize("name", ["/etc/passwd", "../x", "a/../../x", "..", ".", "", "a/"])
def test_a_sandbox_name_that_leaves_the_working_directory_is_refused(name: str) -> None:
    for changes in ({"output_sandbox": [name]}, {"input_sandbox": [InputFile(name)]}):
        with pytest.raises(SandboxPathRefused):
            render(job(**changes))


@pytest.mark.parametrize("name", ["/tmp/out", "../out"])
def test_streams_stay_in_the_working_directory(name: str) -> None:
    for stream in ("stdout", "stderr"):
        with pytest.raises(SandboxPathRefused):
            render(job(**{stream: name}))


@pytest.mark.parametrize(("path", "word"), [
    ("run.sh", "'./run.sh'"), ("a$B", "'./a$B'"), ("/x/$B", "'/x/$B'"), ("./r", "'./r'"),
    ("$B/run.sh", "\"${B-}\"'/run.sh'"),
])  # fmt: skip
def test_only_a_leading_variable_of_a_program_is_expanded(path: str, word: str) -> None:
    assert f"wms_runnable {word} ||" in render(job(executable=path))


@pytest.mark.parametrize("name", ["", "1A", "A-B", "é", "A;B", "A=B"])
def test_a_variable_needs_a_name(name: str) -> None:
    with pytest.raises(JdlInvalid, match="Environment"):
        render(job(environment=[(name, "x")]))


any_character = st.characters(exclude_characters="\0", exclude_categories=["Cs"])
hostile = st.text(st.one_of(st.sampled_from("'\"\\$`\n;|&()<>*?#%"), any_character), min_size=1, max_size=15)


@given(hostile, hostile, hostile)
@settings(max_examples=examples(30), deadline=None)
def test_no_text_of_a_job_breaks_the_script(first: str, second: str, third: str) -> None:
    """A shell that only parses accepts it; that no text becomes code is shown where scripts are run."""
    text = render(job(
        job=f"https://h:1/{first}", token=first, ca_pem=second, executable=f"/{third}", sequence_code=second,
        arguments=[[("literal", first)], [("literal", third)]], stdin=f"/{first}", stdout=f"x{second}y",
        environment=[("A", first), ("B", second)], input_sandbox=[InputFile(f"i{first}j", third)],
        output_sandbox=[f"o{third}p"], prologue=Step(f"/{first}", [[("literal", second)]])))  # fmt: skip
    answer = subprocess.run(["dash", "-n"], input=text.encode(), capture_output=True)
    assert (answer.returncode, answer.stderr) == (0, b"")
