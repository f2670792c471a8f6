"""From a job description and a planned attempt to what the CE gets: the wrapper and its limits. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil

from jobadapter.input_data import staged
from jobadapter.output_data import report_name, wanted
from jobadapter.shell import Word
from jobadapter.wrapper import InputFile, Retry, Step, WrapperJob, render
from wms.ce import CeJob
from wms.jdl.arguments import Variable, split_arguments
from wms.jdl.described import described
from wms.jdl.description import JobDescription
from wms.jdl.destinations import destinations
from wms.messages.attempts import Run


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every wrapper of this service knows: where the NS is, whom to trust, how often to try."""

    ns_url: str
    ca_pem: str
    retry: Retry
    output_limit: int
    min_perusal_s: float = 5.0
    perusal_bytes: int = 10_000_000
    memory_period_s: int = 60
    software: Mapping[str, Sequence[str]] = field(default_factory=dict)


def adapt(run: Run, token: str, capability: str, proxy: bytes, code: str, around: Surroundings,
          bearer: bytes = b"") -> CeJob:
    """The submission of one attempt, which has a proxy (PEM), an access token (`bearer`), or both.

    Raises JdlInvalid or SandboxPathRefused for what cannot be run anywhere.
    """
    job, id = described(run.jdl), run.job.rsplit("/", 1)[-1]
    stored = wanted(job, run.broker_info, id)
    script = render(WrapperJob(
        job=run.job, attempt=run.attempt, base_url=f"{around.ns_url}/ns/v1/attempts/{id}/{run.attempt}",
        token=capability, ca_pem=around.ca_pem, executable=job.executable, arguments=words(job.arguments),
        stdin=job.std_input, stdout=job.std_output, stderr=job.std_error, environment=job.environment,
        input_sandbox=[InputFile(file.name, file.sha256, file.size, file.source) for file in run.files],
        output_sandbox=list(dict.fromkeys([*job.output_sandbox, *([report_name(id)] if stored else [])])),
        prologue=step(job.prologue, job.prologue_arguments), epilogue=step(job.epilogue, job.epilogue_arguments),
        sequence_code=code,
        interactive="Interactive" in job.job_types, perusal_period_s=perusal_period_s(job, around.min_perusal_s),
        perusal_bytes=around.perusal_bytes, broker_info=run.broker_info, output_data=stored, report=report_name(id),
        destinations=destinations(job.ad), proxy=bool(proxy), cpus=job.cpu_number, parallel="MPICH" in job.job_types,
        container=job.container, container_binds=job.container_binds, input_data=staged(job, run.broker_info),
        vo=run.vo, software=around.software.get(run.vo, ()), memory_period_s=around.memory_period_s,
        bearer=bool(bearer), checkpointable="Checkpointable" in job.job_types, output_limit=around.output_limit,
        start_retry=around.retry, input_retry=around.retry, output_retry=around.retry))
    return CeJob(token, run.job, script, run.queue, proxy, cpus=job.cpu_number, hosts=job.host_number,
                 smp=job.smp_granularity, whole_nodes=job.whole_nodes, bearer=bearer, owner=run.owner,
                 vo=run.vo, fqans=run.fqans)


def perusal_period_s(job: JobDescription, least: float) -> int:
    """How often files of the job are looked at, at least a second; 0 for a job that does not want it."""
    return max(job.perusal_interval_s, ceil(least), 1) if job.perusal else 0


def step(path: str, arguments: str) -> Step | None:
    return Step(path, words(arguments)) if path else None


def words(arguments: str) -> list[Word]:
    """The words of an Arguments string, in the wrapper's terms."""
    return [[("variable", part.name) if isinstance(part, Variable) else ("literal", part.text) for part in word]
            for word in split_arguments(arguments)]
