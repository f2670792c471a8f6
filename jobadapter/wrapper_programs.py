"""The parts of a job wrapper that name its programs: variables, command lines, standard streams, prologue, epilogue.

Made for each job. Not here: how a program is started, watched and ended (jobadapter.wrapper_text).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from jobadapter.shell import function, local, quoted, references, shown, word
from jobadapter.wrapper_containers import Box, contained, tried
from jobadapter.wrapper_job import Step, WrapperJob
from jobadapter.wrapper_parallel import launched
from jobadapter.wrapper_software import directory_variable
from wms.errors import JdlInvalid

__all__ = ["around", "checked", "environment", "printed", "programs"]


def environment(job: WrapperJob) -> str:
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


def _command(job: WrapperJob, step: Step, names: Mapping[str, str], launch: Sequence[str] = (),
             boxed: bool = False) -> list[str]:
    """Lines that become the program in place of a subshell; `launch` puts what starts it before its words."""
    words = [_program_word(step.path, names), *(word(parts, names) for parts in step.arguments)]
    setting = [f'{name}="{_LOGGER if name == "PATH" else ""}${variable}"' for name, variable in names.items()]
    prefix = ["env", *setting] if setting else []
    if (setting or boxed) and "=" in step.path:
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


def programs(job: WrapperJob, names: Mapping[str, str]) -> list[str]:
    silent = "umask 022; exec </dev/null >/dev/null 2>&1"
    command = _command(job, Step(job.executable, job.arguments), names, _launch(job, names), bool(job.container))
    found = [function("wms_payload", [_streams(job, names), *command]), *_trial(job, names)]
    for name, step in (("wms_prologue", job.prologue), ("wms_epilogue", job.epilogue)):
        if step is not None:
            found.append(function(name, [silent, *_command(job, step, names)]))
    return found


def _box(job: WrapperJob, names: Mapping[str, str]) -> Box:
    image = quoted(job.container) if "://" in job.container else _program_word(job.container, names)
    variables = [directory_variable(job.vo)] if job.software else []
    return Box(image, shown(job.container), job.container_binds, variables, job.parallel)


def _trial(job: WrapperJob, names: Mapping[str, str]) -> list[str]:
    """The container is tried before the start is taken."""
    if not job.container:
        return []
    box, program = _box(job, names), _program_word(job.executable, names)
    shows = f"wms_image_shown={quoted(box.shown)} wms_program_shown={quoted(shown(job.executable))}"
    return [f"wms_image={box.image} {shows}", function("wms_box_try", tried(box, program))]


def _launch(job: WrapperJob, names: Mapping[str, str]) -> list[str]:
    """What comes before the payload's own words: a container, no buffers for a terminal, MPI's many processes."""
    unbuffered = ['if command -v stdbuf >/dev/null 2>&1; then set -- stdbuf -o0 -e0 "$@"; fi']
    return [*(contained(_box(job, names)) if job.container else []), *(unbuffered if job.interactive else []),
            *(launched(job.cpus) if job.parallel else [])]


def _streams(job: WrapperJob, names: Mapping[str, str]) -> str:
    def target(name: str, what: str) -> str:
        return quoted(local(name, what)) if name else "/dev/null"

    if job.interactive:
        return f"umask 022; exec <&8 8<&- >{printed(job)} 2>&1 || exit 1"
    source = _program_word(job.stdin, names) if job.stdin else "/dev/null"
    same = job.stdout and job.stdout == job.stderr
    error = "2>&1" if same else f"2>{target(job.stderr, 'StdError')}"
    return f"umask 022; exec <{source} >{target(job.stdout, 'StdOutput')} {error} || exit 1"


def printed(job: WrapperJob) -> str:
    """The file with all that an interactive payload prints: that of StdOutput, if it has one."""
    return quoted(local(job.stdout, "StdOutput")) if job.stdout else "../ctl/printed.all"


def checked(job: WrapperJob, names: Mapping[str, str]) -> list[str]:
    """A program of the image is looked for in the container."""
    lines = [] if job.container and job.executable.startswith(("/", "$")) else [
        f"wms_runnable {_program_word(job.executable, names)} || "
        f"wms_fatal {quoted(shown(job.executable) + ' not found or unreadable')}"]
    if job.stdin and not job.interactive:
        lines.append(f"[ -r {_program_word(job.stdin, names)} ] || "
                     f"wms_fatal {quoted(shown(job.stdin) + ' not found or unreadable')}")
    return lines


def around(kind: str, step: Step | None, names: Mapping[str, str]) -> list[str]:
    """Prologue or epilogue: it must be there and end with 0."""
    if step is None:
        return []
    return [
        f"wms_runnable {_program_word(step.path, names)} || "
        f"wms_fatal {quoted(f'{kind} failed: {shown(step.path)} not found')}",
        f"wms_run wms_{kind}",
        f'[ "$wms_status" -eq 0 ] || wms_fatal "{kind} failed with error $wms_status"',
    ]
