"""From a planned attempt to what the CE gets."""

from __future__ import annotations

import pytest

from jobadapter.adapt import Surroundings, adapt, words
from jobadapter.wrapper import Retry
from wms.errors import JdlInvalid
from wms.messages import Input, Run
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
