"""The parts of a job wrapper that name its files: input and output sandbox, and the directories they need.

Made for each job. Not here: how a file is fetched or sent (jobadapter.wrapper_transfers).
"""

from __future__ import annotations

import json
from posixpath import dirname

from jobadapter.shell import curl_value, function, local, pattern, quoted, shown, url_name
from jobadapter.wrapper_job import InputFile, WrapperJob

__all__ = ["directories", "inputs", "outputs"]


def inputs(job: WrapperJob) -> str:
    """A function that calls its argument on every input file, until one call fails."""
    calls = []
    for file in job.input_sandbox:
        place = local(file.name, "InputSandbox")
        words = [_source(file), curl_value(place)[1:-1], place, file.sha256]
        calls.append('"$1" ' + " ".join(quoted(text) for text in words) + " || return")
    return function("wms_each_input", [*calls, ":"])


def _source(file: InputFile) -> str:
    """Where the file is below the base URL."""
    return shown(file.source or f"input/{url_name(file.name)}").replace("%25", "%")


def directories(job: WrapperJob) -> list[str]:
    files = [job.stdout, job.stderr, *(file.name for file in job.input_sandbox)]
    wanted = sorted({quoted(dirname(local(name, "file"))) for name in files if name} - {"'.'"})
    return [f"mkdir -p -- {' '.join(wanted)} || wms_fatal 'Working directory not writable'"] if wanted else []


def outputs(job: WrapperJob) -> str:
    lines = ["set --"]
    for name in job.output_sandbox:
        place = local(name, "OutputSandbox")
        lines += _one_output(place, f"wms_lacks {quoted(shown(name))} {quoted(json.dumps(name))}")
    return function("wms_outputs", [*lines, 'wms_upload "$@"'])


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
