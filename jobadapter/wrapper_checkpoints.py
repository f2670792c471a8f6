"""The command with which a checkpointable payload keeps its state: POSIX sh and curl, nothing to install.

The state is lines of a file beside the working directory; `save` sends them. Not here: what the service does with it.
"""

from __future__ import annotations

from jobadapter.shell import quoted, shown
from jobadapter.wrapper_transfers import CALLS

__all__ = ["NAMES", "keeper"]

NAMES = ("wms-chkpt", "glite-wms-chkpt")

_HEAD = r"""#!/bin/sh
# Keeps the state of this checkpointable job. Made by the job wrapper, for this attempt only.
# shellcheck disable=SC2016,SC2317
"""
_BODY = r"""
wms_usage() {
    printf '%s\n' 'Usage: wms-chkpt step           print the label of the step to do; status 1: all are done' \
        '       wms-chkpt index          print its number, from 0' \
        '       wms-chkpt steps          print all labels' \
        '       wms-chkpt next           this step is done; status 1: it was the last' \
        '       wms-chkpt set NAME VALUE...   integers, reals, true and false are kept as such' \
        '       wms-chkpt text NAME VALUE...  keep texts, whatever they look like' \
        '       wms-chkpt get NAME       print the values, one a line; status 1: there are none' \
        '       wms-chkpt unset NAME' \
        '       wms-chkpt save [TAG]     the next attempt begins here' \
        '       wms-chkpt load           forget what was not saved'
}

wms_die() { # sentence, status
    printf 'wms-chkpt: %s\n' "$1" >&2
    exit "$2"
}

wms_transfer() { # what is done, for messages; the configuration is there
    wms_wait=1
    until wms_status=$(wms_http "$wms_file.conf" 2>/dev/null); do
        case $wms_status in
        *408 | *425 | *429) ;;
        *413) wms_die 'the state is too large' 1 ;;
        *4??) wms_die "$1 was refused (status $wms_status)" 1 ;;
        esac
        [ "$wms_wait" -le 32 ] || wms_die "$1 failed (${wms_status:-no answer})" 1
        sleep "$wms_wait"
        wms_wait=$((wms_wait * 2))
    done
}

wms_load() {
    printf 'url = "%s/state"\nmax-time = "30"\noutput = "%s"\n%s\n' "$wms_base" "$wms_file" "$wms_curl" \
        >"$wms_file.conf" || wms_die 'nothing can be written here' 1
    wms_transfer 'loading'
    mv -- "$wms_file" state
}

wms_save() { # tag
    case $1 in '' | *[!A-Za-z0-9._~-]*) wms_die "a tag is made of letters, digits and ._~-, unlike '$1'" 2 ;; esac
    printf 'url = "%s/state/%s"\nmax-time = "30"\noutput = "%s"\n%s\nupload-file = "state"\n' \
        "$wms_base" "$1" "$wms_file" "$wms_curl" >"$wms_file.conf" || wms_die 'nothing can be written here' 1
    wms_transfer 'saving'
}

wms_each() { # function called with kind, name and value of each line
    while IFS= read -r wms_line; do
        wms_kind=${wms_line%% *} wms_rest=${wms_line#* }
        "$1" "$wms_kind" "$wms_rest"
    done <state
}

wms_count() { # -> wms_current, wms_steps, wms_label
    wms_current=0 wms_steps=0 wms_label=''
    while IFS= read -r wms_line; do
        case $wms_line in current\ *) wms_current=${wms_line#current } ;; esac
    done <state
    wms_each wms_one_step
}

wms_one_step() {
    [ "$1" = step ] || return 0
    [ "$wms_steps" -ne "$wms_current" ] || wms_label=$2
    wms_steps=$((wms_steps + 1))
}

wms_print_step() { [ "$1" != step ] || printf '%s\n' "$2"; }

wms_print_value() {
    case $1 in
    i | r | b | s)
        [ "${2%% *}" = "$wms_name" ] || return 0
        wms_found=1
        printf '%s\n' "${2#* }"
        ;;
    esac
}

wms_other() { # every line but the current step, or but the values of wms_name
    case $1 in
    current) [ -z "$wms_name" ] || printf 'current %s\n' "$2" ;;
    step) printf 'step %s\n' "$2" ;;
    *) [ "${2%% *}" = "$wms_name" ] || printf '%s %s\n' "$1" "$2" ;;
    esac
}

wms_kind_of() { # value
    case $1 in
    true | false) echo b ;;
    '' | *[!0-9eE.+-]* | *[eE.+-]) echo s ;;
    -*[!0-9]* | [!-]*[!0-9]* | [!0-9-]*)
        wms_real='\(X-\{0,1\}[0-9]*\.\{0,1\}[0-9]\{1,\}\([eE][-+]\{0,1\}[0-9]\{1,3\}\)\{0,1\}\)$'
        if expr "X$1" : "$wms_real" >/dev/null; then echo r; else echo s; fi
        ;;
    ???????????????????*) echo s ;;
    *) echo i ;;
    esac
}

wms_set() { # kind ("": by the looks), values
    wms_kinds=$1
    shift
    wms_each wms_other >"$wms_file"
    for wms_value; do
        case $wms_value in *"$wms_nl"*) wms_die 'a value has one line' 2 ;; esac
        printf '%s %s %s\n' "${wms_kinds:-$(wms_kind_of "$wms_value")}" "$wms_name" "$wms_value" >>"$wms_file"
    done
    mv -- "$wms_file" state
}

wms_nl='
'
cd -- "${0%/*}/../ctl" || wms_die 'the directory of the job is gone' 1
umask 077
wms_file=../ctl/chkpt.$$
trap 'rm -f -- "$wms_file" "$wms_file.conf"' EXIT
wms_verb=${1:-help} wms_name=${2:-}
case $wms_verb in
set | text | get | unset)
    case $wms_name in
    '' | [0-9]* | *[!A-Za-z0-9_]*) wms_die "'$wms_name' is not a name of letters, digits and _" 2 ;;
    esac
    ;;
esac
case $wms_verb in help | -h | --help | load) ;; *) [ -e state ] || wms_load ;; esac
case $wms_verb in
step)
    wms_count
    [ "$wms_current" -lt "$wms_steps" ] || exit 1
    printf '%s\n' "$wms_label"
    ;;
index)
    wms_count
    printf '%s\n' "$wms_current"
    ;;
steps) wms_each wms_print_step ;;
next)
    wms_count
    [ "$wms_current" -lt "$wms_steps" ] || exit 1
    wms_name=''
    { wms_each wms_other && printf 'current %d\n' $((wms_current + 1)); } >"$wms_file"
    mv -- "$wms_file" state
    [ $((wms_current + 1)) -lt "$wms_steps" ]
    ;;
get)
    wms_found=''
    wms_each wms_print_value
    [ -n "$wms_found" ]
    ;;
set | text)
    [ $# -gt 2 ] || wms_die 'a value is missing' 2
    shift 2
    if [ "$wms_verb" = text ]; then wms_set s "$@"; else wms_set '' "$@"; fi
    ;;
unset) wms_set '' ;;
save) wms_save "${2:-none}" ;;
load) wms_load ;;
help | -h | --help) wms_usage ;;
*)
    wms_usage >&2
    exit 2
    ;;
esac
"""


def keeper(base_url: str, curl_options: str) -> str:
    """The script, for the attempt at `base_url`; `curl_options` hold the token. It lies in a directory beside `ctl`."""
    constants = {"wms_base": quoted(shown(base_url.rstrip("/"))), "wms_curl": quoted(curl_options)}
    return _HEAD + "".join(f"{name}={value}\n" for name, value in constants.items()) + CALLS + _BODY


def checkpoints(wanted: bool, base_url: str, curl_options: str) -> list[str]:
    """The section of a wrapper that puts the command where the payload finds it."""
    if not wanted:
        return []
    names = " ".join(NAMES)
    return ["\n".join([
        f"wms_keeper={quoted(keeper(base_url, curl_options))}",
        "wms_checkpoints() { # the command that keeps the state",
        f"    for wms_name in {names}; do",
        """        printf '%s' "$wms_keeper" >"../bin/$wms_name" || wms_fatal 'Working directory not writable'""",
        "    done",
        "}",
    ])]
