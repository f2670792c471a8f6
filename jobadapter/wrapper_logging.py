"""The command with which a payload logs events of its job where nothing of ours is installed: POSIX sh and curl.

Values travel as they are, each ended by a null byte, so nothing needs escaping; the token is only in private files.
"""

from __future__ import annotations

from jobadapter.shell import quoted, shown
from jobadapter.wrapper_transfers import CALLS

__all__ = ["logger"]

_HEAD = r"""#!/bin/sh
# Logs an event of this job and prints its next sequence code. Made by the job wrapper, for this attempt only.
# shellcheck disable=SC2016
"""
_BODY = r"""
wms_say() { printf 'lb-logevent: %s\n' "$1" >&2; }

wms_misused() { # sentence
    wms_say "$1"
    exit 2
}

wms_failed() { # sentence; the sequence code stays what it was
    wms_say "$1"
    printf '%s\n' "$wms_code"
    exit 1
}

wms_usage() {
    printf 'Usage: lb-logevent [-e UserTag|CurDescr|Chkpt|Listener] [-s Application] [-j JOBID] [-c CODE]\n'
    printf '       [-i INSTANCE] [-I] --FIELD VALUE...     for example: --name phase --value 2\n'
}

wms_pair() { printf '%s\000%s\000' "$1" "$2" >>"$wms_file"; }

wms_take() { # option, value
    case $1 in
    -e | --event) wms_type=$2 ;;
    -c | --sequence) wms_code=$2 ;;
    -i | --source-instance) wms_pair :instance "$2" ;;
    -s | --source)
        case $2 in [Aa]pplication) ;; *) wms_misused "a payload logs as Application, not as $2" ;; esac
        ;;
    -j | --jobid) [ "$2" = "$wms_job" ] || wms_misused "only events of $wms_job can be logged here" ;;
    -U | --lbproxy-user-dn | -S | --lbproxy-store-sock | -m | --machine | -l | --reason-length) ;;
    --timeout | --spool) ;;
    --?*) wms_pair "${1#--}" "$2" ;;
    *) wms_misused "there is no option $1" ;;
    esac
}

wms_request() { # what to send where, as a curl configuration
    printf 'url = "%s/events"\nmax-time = "30"\noutput = "%s"\n%s\n' "$wms_base" "$wms_file.reply" "$wms_curl"
    printf 'header = "Content-Type: application/octet-stream"\nheader = "Idempotency-Key: %s"\n' "$wms_key"
    printf 'data-binary = "@%s"\n' "$wms_file"
}

wms_code=${GLITE_WMS_SEQUENCE_CODE:-${EDG_WL_SEQUENCE_CODE:-}} wms_type=UserTag
cd -- "${0%/*}/../ctl" || wms_misused 'the directory of the job is gone'
umask 077
wms_file=../ctl/event.$$
trap 'rm -f -- "$wms_file" "$wms_file.conf" "$wms_file.reply"' EXIT
: >"$wms_file" || wms_failed 'nothing can be written here'
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help)
        wms_usage
        exit 0
        ;;
    -p | --priority | -x | --lbproxy | -d | --debug-level) ;;
    -I | --dont-increment) wms_pair :keep 1 ;;
    --?*=*) wms_take "${1%%=*}" "${1#*=}" ;;
    -?*)
        [ $# -gt 1 ] || wms_misused "the option $1 needs a value"
        wms_take "$1" "$2"
        shift
        ;;
    *) wms_misused "there is no place for $1" ;;
    esac
    shift
done
wms_host=''
! [ -r /proc/sys/kernel/hostname ] || read -r wms_host </proc/sys/kernel/hostname
wms_key=''
! [ -r /proc/sys/kernel/random/uuid ] || read -r wms_key </proc/sys/kernel/random/uuid
[ -n "$wms_key" ] || wms_key=$(od -An -v -N16 -tx1 /dev/urandom | tr -d ' \n')
wms_pair :event "$wms_type"
wms_pair :sequence "$wms_code"
wms_pair :host "${wms_host:-unknown}"
wms_request >"$wms_file.conf" || wms_failed 'nothing can be written here'
wms_wait=1
until wms_status=$(wms_http "$wms_file.conf" 2>/dev/null); do
    case $wms_status in
    *408 | *425 | *429) ;;
    *413) wms_failed 'the event is too large' ;;
    *4??) wms_failed "the event was refused (status ${wms_status})" ;;
    esac
    [ "$wms_wait" -le 8 ] || wms_failed "the event was not delivered (${wms_status:-no answer})"
    sleep "$wms_wait"
    wms_wait=$((wms_wait * 2))
done
wms_held "$wms_file.reply"
printf '%s\n' "$wms_code"
"""


def logger(job: str, base_url: str, curl_options: str) -> str:
    """The script, for the attempt at `base_url`; `curl_options` hold the token. It lies in a directory beside `ctl`."""
    constants = {"wms_job": quoted(job), "wms_base": quoted(shown(base_url.rstrip("/"))),
                 "wms_curl": quoted(curl_options)}
    return _HEAD + "".join(f"{name}={value}\n" for name, value in constants.items()) + CALLS + _BODY
