"""The constant part of a job wrapper: POSIX sh functions, one topic a string, joined by `jobadapter.wrapper`.

Nothing here depends on the job. Names start with `wms_` so that no variable of a job is hidden by ours.
Every text that reaches an outcome (JSON) or a URL is made of safe characters before it comes here.
"""

from __future__ import annotations

from jobadapter.wrapper_transfers import NETWORK, SANDBOXES

__all__ = ["FUNCTIONS"]

REPORTING = r"""
# --- what is said of the job ---------------------------------------------------------------------------
wms_nl='
'
wms_safe='ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~-'
wms_dir='' wms_pid='' wms_watcher='' wms_begun='' wms_tell='' wms_setsid='' wms_starting='' wms_caught=''
wms_notes='' wms_missing='' wms_remarks='' wms_beside=''
wms_exit=-1 wms_signal=0 wms_wall=0 wms_user=0 wms_sys=0 wms_rss=0 wms_patience=60
wms_scattered='' wms_attended='' wms_looks='' wms_loop='' wms_next_look=1 wms_page='' wms_peak=0
wms_bytes_in=0 wms_files_in=0 wms_bytes_out=0 wms_files_out=0
wms_longest_wait=60 wms_number=0
wms_courier=${WMS_COURIER:-} wms_call=${WMS_CALL:-}
unset WMS_COURIER WMS_CALL

wms_note() { # a remark; no quote, backslash or control character in it
    wms_notes="${wms_notes:+$wms_notes,}\"$1\""
    wms_remarks="${wms_remarks}Note: $1$wms_nl"
}

wms_lacks() { # an output file that is not there: SHOWN JSON
    wms_note "Cannot read or missing file $1"
    wms_missing="${wms_missing:+$wms_missing,}$2"
}

wms_outcome() { # failure phrase, or nothing: the outcome as JSON
    printf '{"nonce":"%s","exit_code":%d,"signal":%d,"wall_s":%d.%03d,' \
        "$wms_nonce" "$wms_exit" "$wms_signal" $((wms_wall / 1000)) $((wms_wall % 1000))
    printf '"cpu_user_s":%d.%03d,"cpu_system_s":%d.%03d,"max_rss_kb":%d,' $((wms_user / 1000)) \
        $((wms_user % 1000)) $((wms_sys / 1000)) $((wms_sys % 1000)) "$wms_rss"
    printf '"bytes_in":%d,"files_in":%d,"bytes_out":%d,"files_out":%d,' \
        "$wms_bytes_in" "$wms_files_in" "$wms_bytes_out" "$wms_files_out"
    printf '"notes":[%s],"missing":[%s],"failure":"%s","sequence_code":"%s"}' \
        "$wms_notes" "$wms_missing" "$1" "$wms_code"
}

wms_last() { # the same -> ../ctl/done.json, and standard output, which the CE keeps: two ways
    printf 'wms-outcome: '
    wms_outcome "$1"
    printf '\n'
    wms_outcome "$1" >../ctl/done.json
}

wms_fatal() { # reason: the last word, then the end
    printf 'LM_log_done_begin\n%s%s\nLM_log_done_end\n' "$wms_remarks" "$1"
    if [ -n "$wms_tell" ]; then
        wms_last "$1"
        wms_done >../ctl/outcome
        wms_send outcome "$wms_start_count" "$wms_start_wait" || echo 'Note: the outcome was not delivered'
    fi
    wms_leave 1
}

wms_leave() { # status of the wrapper
    printf 'jw exit status = %d\n' "$1"
    [ -z "$wms_pid" ] || wms_kill KILL
    wms_unwatch
    [ -z "$wms_beside" ] || wms_dismiss
    cd / || exit 1
    [ -z "$wms_scattered" ] || wms_collect
    wms_hook cp_3.sh
    if [ -n "$wms_dir" ] && ! rm -rf -- "$wms_dir" 2>/dev/null; then
        chmod -R u+rwX -- "$wms_dir"
        rm -rf -- "$wms_dir"
    fi
    exit "$1"
}

wms_hook() { # a customisation point of the site
    if [ -n "${GLITE_LOCAL_CUSTOMIZATION_DIR:-}" ] && [ -r "$GLITE_LOCAL_CUSTOMIZATION_DIR/$1" ]; then
        # shellcheck source=/dev/null
        . "$GLITE_LOCAL_CUSTOMIZATION_DIR/$1"
    fi
}
"""

PROCESSES = r"""
# --- processes -----------------------------------------------------------------------------------------
wms_kill() { # signal to everything the job started
    kill -s "$1" -- "-$wms_pid" 2>/dev/null || kill -s "$1" "$wms_pid" 2>/dev/null
}

wms_trapped() { # reason; while the job is being started, its processes have no names yet: later
    if [ -n "$wms_starting" ]; then
        wms_caught=$1
        return
    fi
    trap '' XCPU QUIT INT TERM USR1 USR2
    [ -z "$wms_pid" ] || wms_kill TERM
    wms_start_count=0 wms_patience=10
    if [ -n "$wms_begun" ] && [ "$wms_exit" -lt 0 ]; then
        wms_clock
        wms_wall=$((wms_now - wms_begun))
        if [ -s ../ctl/rss ]; then read -r wms_rss <../ctl/rss; fi
    fi
    wms_fatal "$1"
}

wms_unwatch() { # no more looking at memory
    [ -z "$wms_watcher" ] || wms_end watched "$wms_watcher"
    wms_watcher=''
}

wms_mortal() { # a loop beside the payload: a TERM ends it, and the mark $1 one that could not catch it yet
    trap 'kill "$!" 2>/dev/null; exit' TERM
    wms_loop=1
    if [ -e "$wms_dir/ctl/$1" ] || [ -e "$wms_dir/ctl/dismissed" ]; then exit 0; fi
}

wms_end() { # loops of the mark $1, by their process numbers; until they are gone
    : >"$wms_dir/ctl/$1"
    wms_mark=$1
    shift
    kill "$@" 2>/dev/null
    wait "$@"
    rm -f -- "$wms_dir/ctl/$wms_mark"
}

wms_run() { # a function in a process group of its own -> wms_status
    wms_starting=1
    if [ -z "$wms_setsid" ]; then set -m 2>/dev/null; fi
    "$1" &
    wms_pid=$!
    if [ -z "$wms_setsid" ]; then set +m; fi
    if [ "$1" = wms_payload ] && [ "$wms_memory_period" -gt 0 ]; then
        echo "$wms_pid" >../ctl/payload
        wms_duty
        if [ -n "$wms_looks" ]; then
            wms_watch_memory </dev/null >/dev/null 2>&1 &
            wms_watcher=$!
        fi
    fi
    wms_starting=''
    [ -z "$wms_caught" ] || wms_trapped "$wms_caught"
    wait "$wms_pid"
    wms_status=$?
    while [ "$wms_status" -gt 128 ] && kill -s 0 "$wms_pid" 2>/dev/null; do # a signal that meant nothing
        wait "$wms_pid"
        wms_status=$?
    done
    wms_unwatch
    wms_kill KILL
    wms_pid=''
}

wms_duty() { # the next loop beside the payload looks at memory as well, unless there is one that does
    wms_looks=''
    if [ "$wms_memory_period" -gt 0 ] && [ -z "$wms_attended" ]; then wms_attended=1 wms_looks=1; fi
}

wms_attend() { # seconds: a pause of a loop, in which it does its duty; the first looks come early
    wms_until=$1
    while [ "$wms_until" -gt 0 ]; do
        wms_step=$wms_until
        if [ -n "$wms_looks" ]; then
            [ "$wms_step" -le "$wms_next_look" ] || wms_step=$wms_next_look
            wms_next_look=$((wms_next_look * 2 > wms_memory_period ? wms_memory_period : wms_next_look * 2))
        fi
        wms_pause "$wms_step"
        [ -z "$wms_looks" ] || wms_look_at_memory
        wms_until=$((wms_until - wms_step))
    done
}

wms_watch_memory() { # where nothing else is beside the payload
    wms_mortal watched
    while :; do wms_attend 1000; done
}

wms_look_at_memory() { # of the job's processes: the most they had together, or one of them -> ../ctl/rss, kilobytes
    [ -s "$wms_dir/ctl/payload" ] && read -r wms_payload_pid <"$wms_dir/ctl/payload" || return 0
    [ -n "$wms_page" ] || wms_page=$(($(getconf PAGESIZE || echo 4096) / 1024))
    wms_sum=0
    for wms_file in /proc/[0-9]*; do
        read -r wms_stat <"$wms_file/stat" || continue
        # shellcheck disable=SC2086
        set -- ${wms_stat##*)}
        if [ -n "$wms_setsid" ]; then shift; fi
        [ "$3" = "$wms_payload_pid" ] || continue
        if [ -z "$wms_setsid" ]; then shift; fi
        wms_sum=$((wms_sum + ${21} * wms_page))
        while read -r wms_name wms_count _; do
            case $wms_name in VmHWM:) break ;; esac
        done <"$wms_file/status" || continue
        case $wms_name in VmHWM:) [ "$wms_count" -le "$wms_peak" ] || wms_peak=$wms_count ;; esac
    done
    [ "$wms_sum" -le "$wms_peak" ] || wms_peak=$wms_sum
    [ "$wms_peak" -eq 0 ] || echo "$wms_peak" >"$wms_dir/ctl/rss"
}

wms_pause() { # seconds; a signal ends it, and a loop beside the payload when the wrapper is gone
    sleep "$1" &
    wait "$!"
    if [ -n "$wms_loop" ] && ! { [ -d "$wms_dir/ctl" ] && kill -s 0 "$$"; } 2>/dev/null; then exit 0; fi
}

wms_again() { # after a failure: a pause, longer each time
    wms_pause "$wms_wait"
    wms_wait=$((wms_wait * 2 > wms_longest_wait ? wms_longest_wait : wms_wait * 2))
}

wms_clock() { # milliseconds of a clock that is never set -> wms_now
    if [ -r /proc/uptime ] && read -r wms_now _ </proc/uptime; then
        wms_now=$((${wms_now%.*} * 1000 + (1${wms_now#*.} - 100) * 10))
    else
        wms_now=$(date +%s)000
    fi
}

wms_ms() { # a time as `times` prints it (0m1.250s) -> wms_now, milliseconds
    wms_now=${1#*m}
    wms_frac=${wms_now#*[.,]}
    wms_frac=${wms_frac%s}000
    wms_frac=${wms_frac%"${wms_frac#???}"}
    wms_now=$((${1%%m*} * 60000 + ${wms_now%%[.,]*} * 1000 + 1$wms_frac - 1000))
}

wms_cpu() { # CPU time of all children so far, in milliseconds -> wms_child_user, wms_child_sys
    times >../ctl/times
    {
        read -r _
        read -r wms_child_user wms_child_sys
    } <../ctl/times
    wms_ms "$wms_child_user"
    wms_child_user=$wms_now
    wms_ms "$wms_child_sys"
    wms_child_sys=$wms_now
}

wms_measured() { # run a function, note what it took and how it ended
    wms_cpu
    wms_user_before=$wms_child_user wms_sys_before=$wms_child_sys
    wms_clock
    wms_begun=$wms_now
    wms_run "$1"
    if [ -s ../ctl/rss ]; then read -r wms_rss <../ctl/rss; fi
    wms_clock
    wms_wall=$((wms_now - wms_begun))
    wms_cpu
    wms_user=$((wms_child_user - wms_user_before)) wms_sys=$((wms_child_sys - wms_sys_before))
    wms_exit=$wms_status
    if [ "$wms_status" -gt 128 ] && [ "$wms_status" -le 192 ]; then wms_signal=$((wms_status - 128)); fi
}

wms_runnable() { # is the file there, and can it be made executable?
    [ -f "$1" ] && [ -r "$1" ] || return 1
    [ -x "$1" ] || chmod +x -- "$1"
}
"""

START = r"""
# --- the way of a job ----------------------------------------------------------------------------------
wms_prepare() { # private directory, node, nonce
    for wms_name in XCPU QUIT INT TERM USR2; do
        # shellcheck disable=SC2064
        trap "wms_trapped 'Job has been terminated (got SIG$wms_name)'" "$wms_name"
    done
    trap : PIPE
    { true >&1; } 2>/dev/null || exec >/dev/null
    { true >&2; } 2>/dev/null || exec 2>/dev/null
    ! command -v setsid >/dev/null 2>&1 || wms_setsid=setsid
    wms_isb_count=${GLITE_LOCAL_COPY_RETRY_COUNT_ISB:-${GLITE_LOCAL_COPY_RETRY_COUNT:-$wms_isb_count}}
    wms_osb_count=${GLITE_LOCAL_COPY_RETRY_COUNT_OSB:-${GLITE_LOCAL_COPY_RETRY_COUNT:-$wms_osb_count}}
    wms_isb_wait=${GLITE_LOCAL_COPY_RETRY_FIRST_WAIT_ISB:-${GLITE_LOCAL_COPY_RETRY_FIRST_WAIT:-$wms_isb_wait}}
    wms_osb_wait=${GLITE_LOCAL_COPY_RETRY_FIRST_WAIT_OSB:-${GLITE_LOCAL_COPY_RETRY_FIRST_WAIT:-$wms_osb_wait}}
    wms_ceiling=${GLITE_LOCAL_MAX_OSB_SIZE:--1}
    if [ "$wms_ceiling" -ge 0 ] && { [ "$wms_limit" -lt 0 ] || [ "$wms_ceiling" -lt "$wms_limit" ]; }; then
        wms_limit=$wms_ceiling
    fi
    wms_hook cp_1.sh
    wms_directory
    wms_node=''
    ! [ -r /proc/sys/kernel/hostname ] || read -r wms_node </proc/sys/kernel/hostname
    [ -n "$wms_node" ] || wms_node=$(uname -n)
    case $wms_node in '' | *[!$wms_safe]*) wms_node=unknown ;; esac
    wms_nonce=''
    ! [ -r /proc/sys/kernel/random/uuid ] || read -r wms_nonce </proc/sys/kernel/random/uuid
    [ -n "$wms_nonce" ] || wms_nonce=$(od -An -v -N16 -tx1 /dev/urandom | tr -d ' \n')
    wms_tell=1
}

wms_directory() { # ours alone; ../ctl beside the job's working directory holds what is not the job's
    wms_home=${TMPDIR:-}
    case $wms_home in /*) ;; *) wms_home=$PWD ;; esac
    [ -d "$wms_home" ] || wms_home=$PWD
    umask 077
    wms_name=$wms_unique.$$
    wms_home=$wms_home/$wms_name
    mkdir -- "$wms_home" "$wms_home/ctl" "$wms_home/work" "$wms_home/bin" ||
        wms_fatal "Cannot create directory $wms_name"
    wms_dir=$wms_home
    cd -- "$wms_dir/work" || wms_fatal "Cannot create directory $wms_name"
    if ! printf '%s' "$wms_ca" >../ctl/ca.pem || ! [ -s ../ctl/ca.pem ]; then
        wms_fatal 'Working directory not writable'
    fi
    [ -n "$wms_tool" ] || wms_fatal 'No *ftp or http command found: it takes curl, python3 or GNU wget'
    printf '%s' "$wms_transport" >../ctl/transport || wms_fatal 'Working directory not writable'
    for wms_name in lb-logevent glite-lb-logevent; do
        printf '%s' "$wms_logger" >"../bin/$wms_name" || wms_fatal 'Working directory not writable'
    done
}
"""

FUNCTIONS = REPORTING + PROCESSES + NETWORK + SANDBOXES + START
