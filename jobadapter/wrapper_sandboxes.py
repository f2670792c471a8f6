"""The parts of a job wrapper that name its files: input and output sandbox, and the directories they need.

Made for each job. Not here: how a file is fetched or sent (jobadapter.wrapper_transfers).
"""

from __future__ import annotations

import json
from posixpath import dirname

from jobadapter.shell import curl_value, function, local, pattern, quoted, shown, url_name
from jobadapter.wrapper_job import InputFile, WrapperJob
from wms.jdl.destinations import Destination
from wms.sandbox import base_name

__all__ = ["directories", "fetched", "inputs", "outputs"]


def inputs(job: WrapperJob) -> str:
    """A function that calls its argument on every input file, until one call fails."""
    calls = []
    for file in job.input_sandbox:
        place = local(file.name, "InputSandbox")
        words = [_source(file), curl_value(place)[1:-1], place, file.sha256]
        calls.append('"$1" ' + " ".join(quoted(text) for text in words) + " || return")
    return function("wms_each_input", [*calls, ":"])


def fetched(job: WrapperJob) -> list[str]:
    """What gets the input sandbox, and counts it."""
    sizes = [max(0, file.size) for file in job.input_sandbox]
    return ["wms_download", f"wms_bytes_in={sum(sizes)} wms_files_in={len(sizes)}"] if sizes else []


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
        missing = f"wms_lacks {quoted(shown(name))} {quoted(json.dumps(name))}"
        lines += _one_output(place, missing, job.destinations.get(name))
    return function("wms_outputs", [*lines, 'wms_upload "$@"'])


def _one_output(place: str, missing: str, elsewhere: Destination | None) -> list[str]:
    wild = pattern(place)
    if wild is None:
        taken = _taken(quoted(place), elsewhere)
        return [f"if wms_ready {quoted(place)}; then {taken}; else {missing}; fi"]
    taken = _taken('"$wms_file"', elsewhere)
    return [
        "wms_found=''",
        f"for wms_file in {wild}; do",
        f'    if wms_ready "$wms_file"; then wms_found=1; {taken}; fi',
        "done",
        f'[ -n "$wms_found" ] || {missing}',
    ]


def _taken(file: str, elsewhere: Destination | None) -> str:
    """What is done with a file that is there: it is sent elsewhere, or remembered for the upload."""
    if elsewhere is None:
        return f'set -- "$@" {file}'
    if elsewhere.name:
        return f'wms_rename {file} {quoted(elsewhere.name)}; set -- "$@" "$wms_file"'
    fixed = pattern(elsewhere.entry) is None
    one = elsewhere.of(elsewhere.entry) if fixed else elsewhere
    words = (one.address, one.shown, "signed" if one.signed else "", shown(base_name(one.entry)) if fixed else "")
    return f"wms_deliver {file} {' '.join(quoted(word) for word in words)}"
