"""The job wrapper: one self-contained sh script that runs one attempt of a job on a worker node.

Pure: a record in, text out. Not here: how it gets to a computing element, and what its outcome leads to.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from posixpath import dirname, normpath

from jobadapter.output_data import Stored
from jobadapter.shell import Word, curl_value, pattern, quoted, references, shown, url_name, word
from jobadapter.wrapper_checkpoints import checkpoints
from jobadapter.wrapper_credentials import CREDENTIALS
from jobadapter.wrapper_data import broker_info, storing
from jobadapter.wrapper_logging import logger
from jobadapter.wrapper_parallel import PARALLEL, launched, prepared
from jobadapter.wrapper_perusal import PERUSAL
from jobadapter.wrapper_sessions import BESIDE, TERMINAL
from jobadapter.wrapper_text import FUNCTIONS
from wms.errors import JdlInvalid, SandboxPathRefused

__all__ = ["InputFile", "Retry", "Step", "WrapperJob", "render"]


@dataclass(frozen=True, slots=True)
class InputFile:
    """A file of the input sandbox: its place in the working directory and its SHA-256 (hex; "" unchecked).

    `source`: where it is, as an encoded path below the base URL; empty: `input/NAME`.
    """

    name: str
    sha256: str = ""
    size: int = -1
    source: str = ""


@dataclass(frozen=True, slots=True)
class Retry:
    """`count` further tries after the first; `wait_s` before the first of them, then doubled each time."""

    count: int
    wait_s: int


@dataclass(frozen=True, slots=True)
class Step:
    """A program of the user and its arguments. The path follows the rule of `Executable`."""

    path: str
    arguments: Sequence[Word] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WrapperJob:
    """All a worker node needs to know. `base_url`: `https://host:port/.../attempts/<unique>/<n>`.

    `environment`: pairs in order, `$NAME` in a value is expanded, nothing else. Empty stdin, stdout, stderr:
    the null device. `output_sandbox` may hold patterns. `output_limit`: bytes in all, -1 without limit.
    `memory_period_s`: how often resident memory is looked at (costs two processes), 0 never. `interactive`: standard
    input comes from the user, all output goes there. `perusal_period_s`: how often files that the user names are
    looked at, 0 never; `perusal_bytes`: of what is new the last so many bytes are sent. `broker_info`: the text of
    .BrokerInfo, if the job was matched. `output_data` is stored by the wrapper, the outcome is in the file `report`.
    `bearer`: the payload has an access token, which is fetched anew when half of its life is over, but not more often
    than every `token_least_s` nor less often than every `token_most_s` seconds.
    """

    job: str
    attempt: int
    base_url: str
    token: str
    ca_pem: str
    executable: str
    arguments: Sequence[Word] = ()
    stdin: str = ""
    stdout: str = ""
    stderr: str = ""
    environment: Sequence[tuple[str, str]] = ()
    input_sandbox: Sequence[InputFile] = ()
    output_sandbox: Sequence[str] = ()
    prologue: Step | None = None
    epilogue: Step | None = None
    sequence_code: str = ""
    cpus: int = 1
    parallel: bool = False
    checkpointable: bool = False
    output_limit: int = -1
    memory_period_s: int = 0
    interactive: bool = False
    perusal_period_s: int = 0
    perusal_bytes: int = 10_000_000
    broker_info: str = ""
    output_data: Sequence[Stored] = ()
    report: str = ""
    bearer: bool = False
    token_least_s: int = 30
    token_most_s: int = 1800
    start_retry: Retry = Retry(5, 5)
    input_retry: Retry = Retry(2, 60)
    output_retry: Retry = Retry(6, 300)


def render(job: WrapperJob) -> str:
    """The script. Raises `JdlInvalid` or `SandboxPathRefused` for names that cannot be used on any node."""
    names = {name: f"wms_env_{n}" for n, (name, _) in enumerate(job.environment)}
    sections = [_constants(job), FUNCTIONS, *_beside(job), _inputs(job), _environment(job), *_programs(job, names)]
    return "\n".join([*sections, _outputs(job), _main(job, names)])


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
    parallel = [PARALLEL] if job.parallel else []
    found = [TERMINAL] if job.interactive else []
    if job.perusal_period_s:
        part = min(1_000_000, job.perusal_bytes)
        found.append(f"wms_peek_period={job.perusal_period_s} wms_peek_most={job.perusal_bytes} wms_peek_part={part}\n"
                     + PERUSAL)
    if job.bearer:
        found.append(f"wms_token_least={job.token_least_s} wms_token_most={job.token_most_s}\n" + CREDENTIALS)
    data = [*broker_info(job.broker_info), *storing(_storable(job), job.report)]
    states = checkpoints(job.checkpointable, job.base_url, "\n".join(_curl_options(job.token)))
    return [*parallel, *states, *data, *([BESIDE, *found] if found else [])]


def _storable(job: WrapperJob) -> list[Stored]:
    return [Stored(_local(one.file, "OutputData")[2:], one.places) for one in job.output_data]


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


def _function(name: str, lines: Iterable[str]) -> str:
    return "\n".join([f"{name}() {{", *(f"    {line}" for line in lines), "}"])


def _local(name: str, what: str) -> str:
    """A path inside the working directory as `./name`; raises for one that leaves it."""
    place = normpath(name)
    if not name or name.endswith("/") or place.startswith(("/", "../")) or place in {".", ".."}:
        raise SandboxPathRefused(f"{what}: {name!r} is not a file below the working directory", name=name)
    return f"./{place}"


def _inputs(job: WrapperJob) -> str:
    """A function that calls its argument on every input file, until one call fails."""
    calls = []
    for file in job.input_sandbox:
        place = _local(file.name, "InputSandbox")
        words = [_source(file), curl_value(place)[1:-1], place, file.sha256]
        calls.append('"$1" ' + " ".join(quoted(text) for text in words) + " || return")
    return _function("wms_each_input", [*calls, ":"])


def _source(file: InputFile) -> str:
    """Where the file is below the base URL."""
    return shown(file.source or f"input/{url_name(file.name)}").replace("%25", "%")


def _environment(job: WrapperJob) -> str:
    """The values as variables of ours: later ones may refer to earlier ones, none can hurt the wrapper."""
    lines, names = [], dict[str, str]()
    for n, (name, value) in enumerate(job.environment):
        if not name.isascii() or not name.isidentifier():
            raise JdlInvalid(f"Environment: {name!r} is not the name of a variable", name=name)
        lines.append(f"wms_env_{n}={word(references(value), names)}")
        names[name] = f"wms_env_{n}"
    return "\n".join([
        *lines,
        *([f"export GLITE_WMS_CPU_NUMBER={job.cpus}"] if job.cpus > 1 else []),
        "export GLITE_WMS_JOBID=\"$wms_job\" EDG_WL_JOBID=\"$wms_job\" GLITE_WMS_SEQUENCE_CODE=\"$wms_code\"",
        "export EDG_WL_SEQUENCE_CODE=\"$wms_code\" GLITE_WMS_LOG_DESTINATION=\"$wms_base\"",
    ])


_LOGGER = "$wms_dir/bin:"
"""What comes first in the PATH of the user's programs."""


def _program_word(path: str, names: Mapping[str, str]) -> str:
    """The rule of Executable: absolute, `$VAR/...`, or a file of the working directory, whatever its name."""
    if path.startswith("$"):
        return word(references(path), names)
    return quoted(path if path.startswith(("/", "./")) else f"./{path}")


def _command(job: WrapperJob, step: Step, names: Mapping[str, str], launch: Sequence[str] = ()) -> list[str]:
    """Lines that become the program in place of a subshell; `launch` puts what starts it before its words."""
    words = [_program_word(step.path, names), *(word(parts, names) for parts in step.arguments)]
    setting = [f'{name}="{_LOGGER if name == "PATH" else ""}${variable}"' for name, variable in names.items()]
    prefix = ["env", *setting] if setting else []
    if setting and "=" in step.path:
        prefix += ["sh", "-c", "'exec \"$@\"'", "sh"]
    return [
        "if [ -f .BrokerInfo ]; then",
        "    export GLITE_WMS_RB_BROKERINFO=\"$PWD/.BrokerInfo\" EDG_WL_RB_BROKERINFO=\"$PWD/.BrokerInfo\"",
        "fi",
        f'export PATH="{_LOGGER}$PATH"',
        f"set -- {' '.join([*prefix, *words])}",
        *launch,
        'if [ -n "$wms_setsid" ]; then set -- setsid "$@"; fi',
        'exec "$@"',
    ]


def _programs(job: WrapperJob, names: Mapping[str, str]) -> list[str]:
    silent = "umask 022; exec </dev/null >/dev/null 2>&1"
    command = _command(job, Step(job.executable, job.arguments), names, _launch(job))
    found = [_function("wms_payload", [_streams(job, names), *command])]
    for name, step in (("wms_prologue", job.prologue), ("wms_epilogue", job.epilogue)):
        if step is not None:
            found.append(_function(name, [silent, *_command(job, step, names)]))
    return found


def _launch(job: WrapperJob) -> list[str]:
    """What comes before the payload's own words: a terminal wants output as it comes, MPI many processes."""
    unbuffered = ['if command -v stdbuf >/dev/null 2>&1; then set -- stdbuf -o0 -e0 "$@"; fi']
    return [*(unbuffered if job.interactive else []), *(launched(job.cpus) if job.parallel else [])]


def _streams(job: WrapperJob, names: Mapping[str, str]) -> str:
    def target(name: str, what: str) -> str:
        return quoted(_local(name, what)) if name else "/dev/null"

    if job.interactive:
        return f"umask 022; exec <&8 8<&- >{_printed(job)} 2>&1 || exit 1"
    source = _program_word(job.stdin, names) if job.stdin else "/dev/null"
    same = job.stdout and job.stdout == job.stderr
    error = "2>&1" if same else f"2>{target(job.stderr, 'StdError')}"
    return f"umask 022; exec <{source} >{target(job.stdout, 'StdOutput')} {error} || exit 1"


def _printed(job: WrapperJob) -> str:
    """The file with all that an interactive payload prints: that of StdOutput, if it has one."""
    return quoted(_local(job.stdout, "StdOutput")) if job.stdout else "../ctl/printed.all"


def _outputs(job: WrapperJob) -> str:
    lines = ["set --"]
    for name in job.output_sandbox:
        place = _local(name, "OutputSandbox")
        lines += _one_output(place, f"wms_lacks {quoted(shown(name))} {quoted(json.dumps(name))}")
    return _function("wms_outputs", [*lines, 'wms_upload "$@"'])


def _one_output(place: str, missing: str) -> list[str]:
    wild = pattern(place)
    if wild is None:
        return [f'if wms_ready {quoted(place)}; then set -- "$@" {quoted(place)}; else {missing}; fi']
    return [
        "wms_found=''",
        f"for wms_file in {wild}; do",
        '    if wms_ready "$wms_file"; then wms_found=1; set -- "$@" "$wms_file"; fi',
        "done",
        f'[ -n "$wms_found" ] || {missing}',
    ]


def _main(job: WrapperJob, names: Mapping[str, str]) -> str:
    return "\n".join([
        "wms_prepare",
        *(["wms_checkpoints"] if job.checkpointable else []),
        *_directories(job),
        *(["wms_broker_info"] if job.broker_info else []),
        *(["wms_download"] if job.input_sandbox else []),
        *_checked(job, names),
        *prepared(job.parallel),
        *_around("prologue", job.prologue, names),
        "wms_take_start",
        "wms_hook cp_1_5.sh",
        *([f"wms_connect {_printed(job)}"] if job.interactive else []),
        *(["wms_look"] if job.perusal_period_s else []),
        *(["wms_bear"] if job.bearer else []),
        "wms_measured wms_payload",
        "printf 'job exit status = %d\\n' \"$wms_exit\"",
        *(["wms_disconnect"] if job.interactive else []),
        "wms_hook cp_2.sh",
        *(["wms_looked"] if job.perusal_period_s else []),
        *_left_beside(job),
        *(["wms_output_data"] if job.output_data else []),
        *_around("epilogue", job.epilogue, names),
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


def _directories(job: WrapperJob) -> list[str]:
    files = [job.stdout, job.stderr, *(file.name for file in job.input_sandbox)]
    wanted = sorted({quoted(dirname(_local(name, "file"))) for name in files if name} - {"'.'"})
    return [f"mkdir -p -- {' '.join(wanted)} || wms_fatal 'Working directory not writable'"] if wanted else []


def _checked(job: WrapperJob, names: Mapping[str, str]) -> list[str]:
    lines = [f"wms_runnable {_program_word(job.executable, names)} || "
             f"wms_fatal {quoted(shown(job.executable) + ' not found or unreadable')}"]
    if job.stdin and not job.interactive:
        lines.append(f"[ -r {_program_word(job.stdin, names)} ] || "
                     f"wms_fatal {quoted(shown(job.stdin) + ' not found or unreadable')}")
    return lines


def _around(kind: str, step: Step | None, names: Mapping[str, str]) -> list[str]:
    """Prologue or epilogue: it must be there and end with 0."""
    if step is None:
        return []
    return [
        f"wms_runnable {_program_word(step.path, names)} || "
        f"wms_fatal {quoted(f'{kind} failed: {shown(step.path)} not found')}",
        f"wms_run wms_{kind}",
        f'[ "$wms_status" -eq 0 ] || wms_fatal "{kind} failed with error $wms_status"',
    ]
