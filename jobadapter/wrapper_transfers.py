"""The part of a job wrapper that talks to the server: POSIX sh functions for calls, input and output sandbox.

Written as curl configurations, obeyed by what jobadapter.wrapper_transport finds on the node. Not here: when.
"""

from __future__ import annotations

from jobadapter.shell import quoted
from jobadapter.wrapper_transport import TRANSPORT

__all__ = ["CALLS", "NETWORK", "SANDBOXES"]

_HELD = r"""
wms_held() { # file with an answer: the sequence code goes on from there, if it gives one
    wms_reply=''
    read -r wms_reply <"$1" || :
    case $wms_reply in
    *'"sequence_code"'*'"'*'"'*)
        wms_reply=${wms_reply#*'"sequence_code"'}
        wms_reply=${wms_reply#*'"'}
        wms_reply=${wms_reply%%'"'*}
        case $wms_reply in '' | *[!A-Za-z0-9=:._~-]*) ;; *) wms_code=$wms_reply ;; esac
        ;;
    esac
}
"""

CALLS = r"""
# shellcheck source=/dev/null
. "${0%/*}/../ctl/transport"
""" + _HELD
"""Of a command that the payload calls: the wrapper has left the way to transfer in a file."""

_NETWORK = f"""
# --- network -------------------------------------------------------------------------------------------
wms_transport={quoted(TRANSPORT)}
eval "$wms_transport"
""" + _HELD

COURIER = r"""
wms_carry() { # configuration -> wms_codes and a status, as from curl: by the courier of this CE, which forks nothing
    wms_number=$((wms_number + 1))
    exec 7<>"$wms_courier/jobs/$wms_call/answer"
    printf '%s\n' "$wms_dir/ctl/$1" >"$wms_courier/calls/$wms_call.$wms_number"
    printf '%s.%d\n' "$wms_call" "$wms_number" 1<>"$wms_courier/bell"
    wms_reply=''
    while :; do
        read -r wms_reply <&7 || :
        case $wms_reply in "$wms_number "*) break ;; esac
    done
    exec 7<&-
    wms_reply=${wms_reply#* }
    wms_carried=${wms_reply%% *}
    wms_codes=''
    for wms_reply in ${wms_reply#"$wms_carried"}; do wms_codes="$wms_codes${wms_codes:+$wms_nl}$wms_reply"; done
    return "$wms_carried"
}

wms_transfer() { # configuration below ctl -> wms_codes: the status of each transfer, one a line
    if [ -n "$wms_courier" ] && [ -p "$wms_courier/jobs/$wms_call/answer" ]; then
        wms_carry "$1"
        wms_carried=$?
        [ "$wms_carried" -eq 2 ] || return "$wms_carried"
    fi
    wms_codes=$(wms_http "../ctl/$1")
}
"""

NETWORK = _NETWORK + COURIER + r"""
wms_request() { # one transfer of a curl configuration: URL, seconds it may take, output file
    printf 'url = "%s"\nmax-time = "%d"\noutput = "%s"\n' "$1" "$2" "$3"
    printf '%s\n' "$wms_curl"
}

wms_json() { # one POST: URL, file
    wms_request "$1" "$wms_patience" ../ctl/reply
    printf 'header = "Content-Type: application/json"\ndata-binary = "@%s"\n' "$2"
}

wms_done() { wms_json "$wms_base/done" ../ctl/done.json; }

wms_send() { # configuration, further tries, first wait -> 0 all is sent, 1 refused, 2 no answer; wms_codes
    wms_left=$2 wms_wait=$3
    while :; do
        wms_transfer "$1" && return 0
        case $wms_codes in
        *408 | *425 | *429) ;;
        *4??) return 1 ;;
        esac
        [ "$wms_left" -gt 0 ] || return 2
        wms_left=$((wms_left - 1))
        wms_again
    done
}

wms_continue() { # the sequence code goes on from the server's answer, if it gives one
    wms_held ../ctl/reply
    export GLITE_WMS_SEQUENCE_CODE="$wms_code" EDG_WL_SEQUENCE_CODE="$wms_code"
    printf 'Sequence code: %s\n' "$wms_code"
}

wms_take_start() { # the one start of this attempt
    printf '{"nonce":"%s","node":"%s","sequence_code":"%s"}' \
        "$wms_nonce" "$wms_node" "$wms_code" >../ctl/start.json
    wms_json "$wms_base/start" ../ctl/start.json >../ctl/start
    wms_send start "$wms_start_count" "$wms_start_wait"
    case $? in
    0)
        wms_continue
        return
        ;;
    1) wms_tell='' ;;
    esac
    wms_fatal "Cannot take shallow resubmission token $wms_base/start (${wms_codes:-no answer})"
}
"""

SANDBOXES = r"""
# --- sandboxes -----------------------------------------------------------------------------------------
wms_get() { # a file of the input sandbox: its URL below the base, place in the configuration, place, SHA-256 or nothing
    printf '%s' "$wms_next"
    wms_next="next$wms_nl"
    wms_request "$wms_base/$1" 3600 "$2"
}

wms_right() { # the same arguments: is the file what was sent?
    wms_file=$1
    if [ -z "$4" ]; then return 0; fi
    if ! command -v sha256sum >/dev/null 2>&1; then
        wms_unchecked=1
        return 0
    fi
    wms_sum=$(sha256sum <"$3") && [ "${wms_sum%% *}" = "$4" ]
}

wms_download() { # the whole input sandbox, again while it fails and may be tried again
    wms_isb_left=$wms_isb_count wms_isb_next=$wms_isb_wait wms_next='' wms_unchecked='' wms_file=''
    wms_each_input wms_get >../ctl/input
    while :; do
        if wms_send input 0 0; then
            wms_each_input wms_right && break
            wms_reason='wrong checksum'
        else
            [ $? -eq 2 ] || wms_isb_left=0
            wms_nth=0
            wms_each_input wms_failed
            wms_reason=${wms_codes##*"$wms_nl"}
        fi
        [ "$wms_isb_left" -gt 0 ] || wms_undownloaded
        wms_isb_left=$((wms_isb_left - 1))
        wms_wait=$wms_isb_next
        wms_again
        wms_isb_next=$wms_wait
    done
    [ -z "$wms_unchecked" ] || wms_note 'no sha256sum here, the input sandbox was not checked'
}

wms_undownloaded() { # was it the disk of this node, or the way here?
    printf '%65536s' '' 2>/dev/null >../ctl/room || wms_fatal 'Working directory not writable'
    wms_fatal "Cannot download ${wms_file##*/} from $wms_base/$wms_file ($wms_reason)"
}

wms_failed() { # the same arguments: count up to the transfer that failed, the last that has a status
    wms_file=$1
    wms_nth=$((wms_nth + 1))
    wms_rest=$wms_codes
    wms_seen=1
    while [ "$wms_rest" != "${wms_rest#*"$wms_nl"}" ]; do
        wms_rest=${wms_rest#*"$wms_nl"}
        wms_seen=$((wms_seen + 1))
    done
    [ "$wms_nth" -lt "$wms_seen" ]
}

wms_named() { # file name -> wms_name, fit for URLs and messages
    case $1 in
    *[!$wms_safe]*)
        wms_name=$(printf '%s' "$1" | od -An -v -tx1 | tr -s ' \n' '%%')
        wms_name=${wms_name%\%}
        ;;
    *) wms_name=$1 ;;
    esac
}

wms_ready() { [ -f "$1" ] && [ -r "$1" ]; }

wms_sizes() { # files -> their sizes in bytes, one a line
    if command -v stat >/dev/null 2>&1; then exec stat -L -c %s -- "$@"; fi
    for wms_file; do wc -c <"$wms_file"; done
}

wms_put() { # file, name, number: one upload
    case $1 in
    *[!/$wms_safe]*)
        ln -s -- "$PWD/$1" "../ctl/file.$3"
        set -- "../ctl/file.$3" "$2"
        ;;
    esac
    wms_request "$wms_base/output/$2" 3600 ../ctl/reply >>../ctl/outcome
    printf 'upload-file = "%s"\nnext\n' "$1" >>../ctl/outcome
    wms_files_out=$((wms_files_out + 1))
    wms_sent="$wms_sent$2$wms_nl"
}

wms_tail() { # file, its place in the queue: it is too large, keep its end
    wms_allowed=$(((wms_limit - wms_total) / $2))
    wms_note "OSB quota exceeded for $wms_name, truncating needed"
    if tail -c "$wms_allowed" -- "$1" >"../ctl/tail.$2"; then
        wms_note "Truncated last $wms_allowed bytes for file $wms_name"
        wms_put "../ctl/tail.$2" "$wms_name.tail" "$2"
        wms_total=$((wms_total + wms_allowed))
    else
        wms_note "Could not truncate output sandbox file $wms_name, not sending"
    fi
}

wms_upload() { # files: all of them and the outcome in one connection, the end of a job that ran
    wms_total=0 wms_sent='' wms_size=0 wms_files_before=$wms_files_out
    : >../ctl/outcome
    [ $# -eq 0 ] || wms_list=$(wms_sizes "$@")
    while [ $# -gt 0 ]; do
        wms_named "${1##*/}"
        wms_size=${wms_list%%"$wms_nl"*}
        wms_list=${wms_list#*"$wms_nl"}
        if [ "$wms_limit" -ge 0 ] && [ $((wms_total + wms_size)) -gt "$wms_limit" ]; then
            wms_tail "$1" $#
        else
            wms_put "$1" "$wms_name" $#
            wms_total=$((wms_total + wms_size))
        fi
        shift
    done
    wms_bytes_out=$((wms_bytes_out + wms_total))
    wms_last ''
    wms_done >>../ctl/outcome
    wms_send outcome "$wms_osb_count" "$wms_osb_wait" || wms_undelivered
}

wms_undelivered() { # which of the transfers failed: a file, or the outcome itself
    wms_rest=$wms_codes
    while [ "$wms_rest" != "${wms_rest#*"$wms_nl"}" ]; do
        wms_rest=${wms_rest#*"$wms_nl"}
        wms_sent=${wms_sent#*"$wms_nl"}
    done
    wms_sent=${wms_sent%%"$wms_nl"*}
    if [ -n "$wms_sent" ]; then
        wms_bytes_out=$((wms_bytes_out - wms_total)) wms_files_out=$wms_files_before
        wms_fatal "Cannot upload file://$wms_sent into $wms_base/output/$wms_sent ($wms_rest)"
    fi
    wms_note "the outcome could not be delivered (${wms_rest:-no answer})"
    printf '%s' "$wms_remarks"
    wms_leave 1
}
"""
