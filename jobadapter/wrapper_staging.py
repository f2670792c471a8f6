"""The part of a job wrapper that copies input data into the working directory before the start is taken: POSIX sh.

In the text only when a job asks for it; which replicas there are is computed in jobadapter.input_data.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from jobadapter.input_data import Staged
from jobadapter.shell import function, local, quoted, shown

__all__ = ["staging"]

_STAGING = r"""
# --- input data ----------------------------------------------------------------------------------------
wms_fetch_http() { # URL -> ../ctl/elsewhere.reply: with the proxy or the token of the job
    wms_identify
    {
        wms_trusted "$1" 3600
        printf 'fail\n'
    } >../ctl/elsewhere
    wms_elsewhere && return 0
    [ -n "$wms_final" ] || wms_hope=1
    return 1
}

wms_fetch_with() { # command, URL -> ../ctl/elsewhere.reply
    command -v "$1" >/dev/null 2>&1 || return 1
    wms_found=$1
    case $1 in
    xrdcp) set -- xrdcp -f -s "$2" "$wms_dir/ctl/elsewhere.reply" ;;
    gfal-copy) set -- gfal-copy -f -t 3600 "$2" "file://$wms_dir/ctl/elsewhere.reply" ;;
    *) set -- "$1" -q "$2" "file://$wms_dir/ctl/elsewhere.reply" ;;
    esac
    "$@" </dev/null >/dev/null 2>&1 && return 0
    wms_reason="$1 ended with $?" wms_hope=1
    return 1
}

wms_fetch() { # URL -> ../ctl/elsewhere.reply
    rm -f ../ctl/elsewhere.reply
    wms_found='' wms_reason='the mounted file cannot be read'
    case $1 in
    file://*)
        [ -f "${1#file://}" ] && cp -- "${1#file://}" ../ctl/elsewhere.reply 2>/dev/null
        return
        ;;
    http://* | https://*)
        wms_fetch_http "$1"
        return
        ;;
    gsiftp://*) wms_fetch_with globus-url-copy "$1" || wms_fetch_with gfal-copy "$1" && return ;;
    root://*) wms_fetch_with xrdcp "$1" || wms_fetch_with gfal-copy "$1" && return ;;
    *) wms_fetch_with gfal-copy "$1" && return ;;
    esac
    [ -n "$wms_found" ] || wms_reason="no command for ${1%%:*} here"
    return 1
}

wms_replica() { # place in the working directory, URLs: the first that gives the file
    wms_reason='no replica can be reached from here' wms_hope='' wms_place=''
    wms_file=$1
    shift
    for wms_place; do
        if wms_fetch "$wms_place" && mv -- ../ctl/elsewhere.reply "$wms_file"; then
            wms_bytes_in=$((wms_bytes_in + $(wc -c <"$wms_file")))
            wms_files_in=$((wms_files_in + 1))
            return 0
        fi
    done
    return 1
}

wms_stage() { # place in the working directory, its name in messages, URLs; again while there is hope
    wms_name=$2 wms_wait=$wms_isb_wait wms_left=$wms_isb_count
    wms_file=$1
    shift 2
    until wms_replica "$wms_file" "$@"; do
        case $wms_place in file:*) wms_shown='a mounted file' ;; *) wms_shown=$wms_place ;; esac
        if [ -z "$wms_hope" ] || [ "$wms_left" -le 0 ]; then
            wms_fatal "Cannot download $wms_name${wms_shown:+ from $wms_shown} ($wms_reason)"
        fi
        wms_left=$((wms_left - 1))
        wms_again
    done
}
"""


def staging(files: Sequence[Staged]) -> list[str]:
    """The sections that copy the input data; empty without any."""
    if not files:
        return []
    calls = [f"wms_stage {' '.join(map(quoted, (local(one.name, 'InputData'), shown(one.logical), *_places(one))))}"
             for one in files]
    return [_STAGING, function("wms_input_data", calls)]


def _places(file: Staged) -> list[str]:
    """URLs fit for a curl configuration and for messages; what is a path on the node stays one."""
    return [one if one.startswith("file://") else quote(one, safe="/:=@,+~%?&[]") for one in file.places]
