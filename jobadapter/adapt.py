"""From a job description and a planned attempt to what the CE gets: the wrapper and its limits. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from jobadapter.shell import Word
from jobadapter.wrapper import InputFile, Retry, Step, WrapperJob, render
from wms.ce import CeJob
from wms.jdl.arguments import Variable, split_arguments
from wms.jdl.described import described
from wms.messages import Run


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every wrapper of this service knows: where the NS is, whom to trust, how often to try."""

    ns_url: str
    ca_pem: str
    retry: Retry
    output_limit: int


def adapt(run: Run, token: str, capability: str, proxy: bytes, code: str, around: Surroundings) -> CeJob:
    """The submission of one attempt; raises JdlInvalid or SandboxPathRefused for what cannot be run anywhere."""
    job, id = described(run.jdl), run.job.rsplit("/", 1)[-1]
    script = render(WrapperJob(
        job=run.job, attempt=run.attempt, base_url=f"{around.ns_url}/ns/v1/attempts/{id}/{run.attempt}",
        token=capability, ca_pem=around.ca_pem, executable=job.executable, arguments=words(job.arguments),
        stdin=job.std_input, stdout=job.std_output, stderr=job.std_error, environment=job.environment,
        input_sandbox=[InputFile(file.name, file.sha256, file.size) for file in run.files],
        output_sandbox=job.output_sandbox, prologue=step(job.prologue, job.prologue_arguments),
        epilogue=step(job.epilogue, job.epilogue_arguments), sequence_code=code,
        output_limit=around.output_limit, start_retry=around.retry, input_retry=around.retry,
        output_retry=around.retry))
    return CeJob(token, run.job, script, run.queue, proxy)


def step(path: str, arguments: str) -> Step | None:
    return Step(path, words(arguments)) if path else None


def words(arguments: str) -> list[Word]:
    """The words of an Arguments string, in the wrapper's terms."""
    return [[("variable", part.name) if isinstance(part, Variable) else ("literal", part.text) for part in word]
            for word in split_arguments(arguments)]
