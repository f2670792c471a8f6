"""The job wrapper: one self-contained sh script that runs one attempt of a job on a worker node.

Pure: a record in, text out. Not here: how it gets to a computing element, and what its outcome leads to.
"""

from __future__ import annotations

from collections.abc import Mapping

from jobadapter.output_data import Stored
from jobadapter.shell import curl_value, local, quoted, shown
from jobadapter.wrapper_checkpoints import checkpoints
from jobadapter.wrapper_containers import CONTAINER
from jobadapter.wrapper_credentials import CREDENTIALS
from jobadapter.wrapper_data import broker_info, storing
from jobadapter.wrapper_destinations import DELIVERY, ELSEWHERE, WEBDAV
from jobadapter.wrapper_expiry import EXPIRY
from jobadapter.wrapper_job import InputFile, Retry, Step, WrapperJob
from jobadapter.wrapper_logging import logger
from jobadapter.wrapper_parallel import PARALLEL, prepared
from jobadapter.wrapper_perusal import PERUSAL
from jobadapter.wrapper_programs import around, checked, environment, printed, programs
from jobadapter.wrapper_sandboxes import directories, fetched, inputs, outputs
from jobadapter.wrapper_sessions import BESIDE, TERMINAL
from jobadapter.wrapper_software import software
from jobadapter.wrapper_staging import staging
from jobadapter.wrapper_text import FUNCTIONS

__all__ = ["InputFile", "Retry", "Step", "WrapperJob", "render"]


def render(job: WrapperJob) -> str:
    """The script. Raises `JdlInvalid` or `SandboxPathRefused` for names that cannot be used on any node."""
    names = {name: f"wms_env_{n}" for n, (name, _) in enumerate(job.environment)}
    sections = [_constants(job), FUNCTIONS, *_beside(job), inputs(job), environment(job), *programs(job, names)]
    return "\n".join([*sections, outputs(job), _main(job, names)])


def _constants(job: WrapperJob) -> str:
    values = {
        "wms_job": quoted(job.job),
        "wms_unique": quoted(f"wms_{shown(job.job.rsplit('/', 1)[-1])}.{job.attempt}"),
        "wms_base": quoted(shown(job.base_url.rstrip("/"))),
        "wms_code": quoted(shown(job.sequence_code)),
        "wms_limit": str(job.output_limit),
        "wms_memory_period": str(job.memory_period_s),
        "wms_curl": quoted("\n".join(_curl_options(job.token))),
        "wms_ca": quoted(job.ca_pem),
        "wms_logger": quoted(logger(job.job, job.base_url, "\n".join(_curl_options(job.token)))),
        **_retries("wms_start", job.start_retry),
        **_retries("wms_isb", job.input_retry),
        **_retries("wms_osb", job.output_retry),
    }
    head = (f"#!/bin/sh\n# Job wrapper of {shown(job.job)}, attempt {job.attempt}.\n"
            "# Functions are called by name, texts of the job stand in single quotes on purpose.\n"
            "# shellcheck disable=SC2016,SC2317\n")
    return "\n".join([head, *(f"{name}={value}" for name, value in values.items())]) + "\n"


def _beside(job: WrapperJob) -> list[str]:
    """What only some jobs need: many processes, and what runs beside the payload."""
    parallel = [*([PARALLEL] if job.parallel else []), *([CONTAINER] if job.container else [])]
    found = [TERMINAL] if job.interactive else []
    if job.perusal_period_s:
        part = min(1_000_000, job.perusal_bytes)
        found.append(f"wms_peek_period={job.perusal_period_s} wms_peek_most={job.perusal_bytes} wms_peek_part={part}\n"
                     + PERUSAL)
    if job.bearer:
        found.append(f"wms_token_least={job.token_least_s} wms_token_most={job.token_most_s}\n" + CREDENTIALS)
    if job.proxy:
        found.append("")
    away = [EXPIRY] if job.proxy or job.destinations else []
    away += [ELSEWHERE] if job.destinations or job.input_data or job.output_data else []
    away += [WEBDAV] if job.destinations or job.output_data else []
    away += [DELIVERY] if job.destinations else []
    data = [*away, *broker_info(job.broker_info), *staging(job.input_data), *storing(_storable(job), job.report)]
    states = checkpoints(job.checkpointable, job.base_url, "\n".join(_curl_options(job.token)))
    return [*software(job.vo, job.software), *parallel, *states, *data, *([BESIDE, *found] if found else [])]


def _storable(job: WrapperJob) -> list[Stored]:
    return [Stored(local(one.file, "OutputData")[2:], one.places) for one in job.output_data]


def _retries(name: str, retry: Retry) -> dict[str, str]:
    return {f"{name}_count": str(retry.count), f"{name}_wait": str(retry.wait_s)}


def _curl_options(token: str) -> list[str]:
    """What every transfer has in common; `next` in a configuration forgets them, so each repeats them."""
    return [
        "silent", "show-error", "fail", "fail-early", "globoff", "http1.1",
        'cacert = "../ctl/ca.pem"',
        "connect-timeout = 30",
        f"header = {curl_value('Authorization: Bearer ' + token)}",
        'header = "Expect:"',
        'write-out = "%{http_code}\\n"',
    ]  # fmt: skip


def _main(job: WrapperJob, names: Mapping[str, str]) -> str:
    return "\n".join([
        "wms_prepare",
        *(["wms_checkpoints"] if job.checkpointable else []),
        *directories(job),
        *(["wms_broker_info"] if job.broker_info else []),
        "chmod +x ../bin/*",
        *fetched(job),
        *checked(job, names),
        *(["wms_input_data"] if job.input_data else []),
        *(["wms_box"] if job.container else []),
        *prepared(job.parallel),
        *around("prologue", job.prologue, names),
        "wms_take_start",
        "wms_hook cp_1_5.sh",
        *(["wms_guard"] if job.proxy else []),
        *([f"wms_connect {printed(job)}"] if job.interactive else []),
        *(["wms_look"] if job.perusal_period_s else []),
        *(["wms_bear"] if job.bearer else []),
        "wms_measured wms_payload",
        "printf 'job exit status = %d\\n' \"$wms_exit\"",
        *(["wms_unguard"] if job.proxy else []),
        *(["wms_disconnect"] if job.interactive else []),
        "wms_hook cp_2.sh",
        *(["wms_looked"] if job.perusal_period_s else []),
        *_left_beside(job),
        *(["wms_output_data"] if job.output_data else []),
        *around("epilogue", job.epilogue, names),
        *(["wms_unbear"] if job.bearer else []),
        "wms_outputs",
        "printf '%s' \"$wms_remarks\"",
        "wms_leave 0",
        "",
    ])


def _left_beside(job: WrapperJob) -> list[str]:
    """After the payload only the token is kept fresh, as the output may need it."""
    if not (job.interactive or job.perusal_period_s):
        return []
    return ["wms_beside=$wms_bearer" if job.bearer else "wms_beside=''"]
