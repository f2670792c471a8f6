"""What an A-REX is told of a job: its description in xRSL, its name there, and the script that its node runs. Pure.

The job's files are uploaded after its description: it cannot start before they are there. Not here: requests.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

from wms.ce import CeJob

__all__ = ["OUTPUT", "PROXY", "TOKEN", "WRAPPER", "carried", "described", "mark", "name_of", "problem", "renewal",
           "script", "token_of", "uploads"]

WRAPPER, OUTPUT, PROXY, TOKEN = "wms.wrapper", "wms.output", "wms.proxy", "wms.token"
"""Files in the directory of a job."""
_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,200}")
_QUEUE = re.compile(r"[A-Za-z0-9_.+@-]{1,200}")
_WHOLE = b"#wms-whole"
_PERIOD_S = 5

_PRELUDE = f"""#!/bin/sh
_wms_here=$(pwd)
umask 077
_wms_fresh() {{
    for _wms_new in "$_wms_here/$1".[0-9]*; do
        [ "$(tail -n 1 "$_wms_new" 2>/dev/null)" = '{_WHOLE.decode()}' ] || continue
        sed '$d' "$_wms_new" >"$_wms_here/$1.next" && mv -f "$_wms_here/$1.next" "$_wms_here/$1"
        rm -f "$_wms_new"
    done
}}
_wms_both() {{ _wms_fresh {PROXY}; _wms_fresh {TOKEN}; }}
_wms_both
unset X509_USER_PROXY X509_USER_CERT X509_USER_KEY BEARER_TOKEN BEARER_TOKEN_FILE
[ ! -f {PROXY} ] || {{ X509_USER_PROXY=$_wms_here/{PROXY}; export X509_USER_PROXY; }}
[ ! -f {TOKEN} ] || {{ BEARER_TOKEN_FILE=$_wms_here/{TOKEN}; export BEARER_TOKEN_FILE; }}
if [ -f {PROXY} ] || [ -f {TOKEN} ]; then
    (while kill -0 $$; do sleep {_PERIOD_S}; _wms_both; done </dev/null >/dev/null 2>&1 &)
fi
unset _wms_new
"""
"""Before the wrapper, in its shell. Fresh credentials come as files beside the old ones; they take their places whole:
A-REX writes over files in place, and leaves the end of a longer one. Who looks after that is no child of the shell, so
that the wrapper's `wait` does not wait for it.
"""


def mark(host: str, spool: str) -> str:
    """What tells the jobs of this installation from those of another under the same credential."""
    return hashlib.sha256(f"{host}\0{spool}".encode()).hexdigest()[:10]


def name_of(mark: str, token: str) -> str:
    """The job's name at the CE."""
    return f"wms.{mark}.{token}"


def token_of(mark: str, name: str) -> str | None:
    """Whose job that is; None for jobs of others."""
    start, found = f"wms.{mark}.", name[len(f"wms.{mark}."):]
    return found if name.startswith(start) and _TOKEN.fullmatch(found) else None


def problem(job: CeJob) -> str:
    """Why such a job cannot be described at all, or ""."""
    if not _TOKEN.fullmatch(job.token):
        return "this is no token"
    return "" if _QUEUE.fullmatch(job.queue) else f"there is no queue {job.queue[:80]!r}"


def described(jobs: Sequence[CeJob], mark: str, delegation: str, environments: Sequence[str]) -> str:
    """One description for all of them; the CE answers in their order. `delegation` may be ""."""
    texts = ["&" + _one(job, mark, delegation, environments) for job in jobs]
    return texts[0] if len(texts) == 1 else "+" + "".join(f"({text})" for text in texts)


def _one(job: CeJob, mark: str, delegation: str, environments: Sequence[str]) -> str:
    pairs: list[tuple[str, str]] = [
        ("executable", WRAPPER), ("stdout", OUTPUT), ("join", "yes"), ("jobname", name_of(mark, job.token)),
        ("queue", job.queue), *_size(job)]
    if delegation:
        pairs.append(("delegationid", delegation))
    pairs += [("runtimeenvironment", name) for name in environments]
    inputs = "".join(f'({_quoted(name)} "")' for name, _ in uploads(job))
    return "".join(f"({name}={_quoted(value)})" for name, value in pairs) \
        + f"(inputfiles={inputs})(outputfiles=({_quoted(OUTPUT)} \"\"))"


def _size(job: CeJob) -> list[tuple[str, str]]:
    """A-REX takes seconds; megabytes are those of a slot."""
    count = max(job.cpus, job.smp, job.hosts, 1)
    per_host = -(-count // job.hosts) if job.hosts else job.smp
    return [(name, str(value)) for name, value in (
        ("walltime", job.wall_s), ("cputime", job.cpu_s), ("memory", -(-job.memory_mb // count)),
        ("count", count if count > 1 else 0), ("countpernode", per_host if count > 1 else 0)) if value] \
        + ([("exclusiveexecution", "yes")] if job.whole_nodes else [])


def _quoted(text: str) -> str:
    """A string of xRSL: a quotation mark in it is doubled, everything else stands for itself."""
    doubled = text.replace('"', '""')
    return f'"{doubled}"'


def script(job: CeJob) -> bytes:
    """The wrapper with what has to come before it."""
    return _PRELUDE.encode() + job.script.encode()


def carried(job: CeJob) -> list[tuple[str, bytes]]:
    """The files of the job's credentials."""
    return [(name, content) for name, content in ((PROXY, job.proxy), (TOKEN, job.bearer)) if content]


def uploads(job: CeJob) -> list[tuple[str, bytes]]:
    """All files of the job, in the order in which they go: with the wrapper it is whole."""
    return [*carried(job), (WRAPPER, script(job))]


def renewal(name: str, content: bytes, stamp: int) -> tuple[str, bytes]:
    """Name and content of the file that replaces a credential of a job; later stamps win."""
    end = b"" if content.endswith(b"\n") else b"\n"
    return f"{name}.{stamp:020d}", content + end + _WHOLE + b"\n"
