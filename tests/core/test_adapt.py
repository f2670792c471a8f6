"""From a planned attempt to what the CE gets."""

from __future__ import annotations

import pytest

from jobadapter.adapt import Surroundings, adapt, perusal_period_s, words
from jobadapter.wrapper import Retry
from wms.errors import JdlInvalid
from wms.jdl.described import described
from wms.messages.attempts import Run
from wms.messages.submission import Input
from wms.seqcode import START

AROUND = Surroundings("https://ns.example.org:7772", "a CA", Retry(3, 1), 1000)
JOB = "https://lb.example.org:9000/rIBubkFFKhnSQ6CjiLUY8Q"


def run(jdl: str) -> Run:
    return Run(JOB, 2, jdl, "ce:2119/jobmanager-local-q", "local", "q", "credential", str(START),
               (Input("run.sh", 3, "ab" * 32),))


def test_the_submission_carries_token_proxy_queue_and_a_script_of_this_attempt() -> None:
    job = adapt(run('Executable = "run.sh"; InputSandbox = "run.sh"; Epilogue = "/bin/true";'
                    ' EpilogueArguments = "a b";'), "token", "capability", b"proxy", str(START), AROUND)
    assert (job.token, job.job, job.queue, job.proxy) == ("token", JOB, "q", b"proxy")
    for text in ("https://ns.example.org:7772/ns/v1/attempts/rIBubkFFKhnSQ6CjiLUY8Q/2", "capability", "ab" * 32):
        assert text in job.script


def test_arguments_become_words_of_literals_and_variables() -> None:
    assert words('-a "quoted string" $HOME') == [
        [("literal", "-a")], [("literal", "quoted string")], [("variable", "HOME")]]


def test_what_no_shell_may_do_is_refused() -> None:
    with pytest.raises(JdlInvalid):
        words("a; rm -rf /")


@pytest.mark.parametrize(("jdl", "least", "period"), [
    ("", 5.0, 0), ("PerusalTimeInterval = 60;", 5.0, 0), ("PerusalFileEnable = true;", 5.0, 5),
    ("PerusalFileEnable = true; PerusalTimeInterval = 60;", 5.0, 60),
    ("PerusalFileEnable = true; PerusalTimeInterval = 1;", 0.5, 1), ("PerusalFileEnable = true;", 0.0, 1)])
def test_files_are_looked_at_as_often_as_job_and_site_say(jdl: str, least: float, period: int) -> None:
    assert perusal_period_s(described('Executable = "/bin/true";' + jdl), least) == period


def test_an_interactive_job_has_a_terminal() -> None:
    script = adapt(run('Executable = "/bin/cat"; JobType = "Interactive";'), "t", "c", b"", str(START), AROUND).script
    assert "wms_connect ../ctl/printed.all" in script
    assert "wms_peek" not in script
