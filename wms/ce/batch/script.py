"""The script that a batch system gets: it starts the job's wrapper, once, and writes down how it ended. Pure.

Not here: the wrapper (jobadapter), what a system's directives look like (its dialect).
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from wms.ce import CeJob

__all__ = ["TOKEN", "Place", "job_script"]

TOKEN = re.compile(r"[A-Za-z0-9_-]{1,120}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Place(NamedTuple):
    """Where a job lives: the spool, and the account that it runs as ("": ours)."""

    spool: str
    account: str = ""


_BODY = """\
set -u
umask 077
cd -- "$spool/jobs/$token" 2>/dev/null || exit 0 # it was cleaned
[ ! -e "../../cancelled/$token" ] || exit 0
mkdir started 2>/dev/null || exit 0 # it was started: never a second time
[ -z "$handle" ] || (umask 022; echo "$handle $account" >"$spool/known/$token")
place=$PWD
[ ! -f proxy ] || export X509_USER_PROXY="$place/proxy"
[ ! -f token ] || export BEARER_TOKEN_FILE="$place/token"
# shellcheck disable=SC3045
[ "$cpu_s" = 0 ] || ulimit -t "$cpu_s" 2>/dev/null
told='' warned='' child=''
# shellcheck disable=SC2317
tell() {
    told=1
    told_of=$1
    if [ "$1" = "$warning" ]; then warned=1 told_of=TERM; fi
    kill -s "$told_of" "$child" 2>/dev/null
}
for name in TERM INT XCPU USR1 USR2; do
    # shellcheck disable=SC2064
    trap "tell $name" "$name"
done
(
    [ -z "$warning" ] || trap '' "$warning" # it comes to all processes; from us they hear of it as TERM
    [ -z "$warning" ] || export WMS_CE_PLACE="$place"
    exec sh ./script
) </dev/null >output 2>&1 &
child=$!
wait "$child"
status=$?
while [ -n "$told" ]; do
    told=''
    wait "$child"
    again=$?
    [ "$again" = 127 ] || status=$again
done
for _ in ${warned:+1 2 3}; do # also who left the session
    # shellcheck disable=SC2013
    for process in $(grep -lszxF -- "WMS_CE_PLACE=$place" /proc/[0-9]*/environ); do
        process=${process#/proc/}
        kill -s KILL "${process%/environ}" 2>/dev/null
    done
done
if [ -d "$place" ]; then
    umask 022
    node=''
    ! [ -r /proc/sys/kernel/hostname ] || read -r node </proc/sys/kernel/hostname
    [ -n "$node" ] || node=$(uname -n)
    echo "$status $node" >"$spool/ended/.$token.$$" && mv -f -- "$spool/ended/.$token.$$" "$spool/ended/$token"
fi
exit "$status"
"""


def job_script(
    job: CeJob, place: Place, directives: Sequence[str], variable: str, environment: Mapping[str, str],
    warning: str = "",
) -> str:
    """The whole text. `variable` names the job's handle in its environment; `environment` is the site's.

    `warning` is the signal by which the system tells all processes that they end soon, if it is not TERM: the wrapper
    gets a TERM instead, and what is left when it has ended is killed.
    Exits with the status of the wrapper, or with 0 without starting it if it must not start.
    """
    values = {"spool": place.spool, "token": job.token, "account": place.account, "cpu_s": str(job.cpu_s),
              "warning": warning}
    lines = ["#!/bin/sh", *(_one_line(line) for line in directives)]
    lines += [f"{name}={shlex.quote(value)}" for name, value in values.items()]
    lines.append(f'handle="${{{variable}:-}}"')
    lines += [f"export {name}={shlex.quote(value)}" for name, value in environment.items() if _NAME.fullmatch(name)]
    return "\n".join(lines) + "\n" + _BODY


def _one_line(directive: str) -> str:
    """A directive ends where its line ends; whoever wrote it quoted the rest."""
    return re.sub(r"[\r\n\0]", " ", directive)
