#!/bin/sh
# Job wrapper of https://wms.example.org:9000/snPegp1YMJcnS22yF5pFlg, attempt 1.
# Functions are called by name, texts of the job stand in single quotes on purpose.
# shellcheck disable=SC2016,SC2317

wms_job='https://wms.example.org:9000/snPegp1YMJcnS22yF5pFlg'
wms_unique='wms_snPegp1YMJcnS22yF5pFlg.1'
wms_base='https://wms.example.org:9000/ns/v1/attempts/snPegp1YMJcnS22yF5pFlg/1'
wms_code='UI=000003:NS=0000000003:WM=000004:BH=0000000000:JSS=000002:LM=000000:LRMS=000000:APP=000000:LBS=000000'
wms_limit=-1
wms_memory_period=60
wms_curl='silent
show-error
fail
fail-early
globoff
http1.1
cacert = "../ctl/ca.pem"
connect-timeout = 30
header = "Authorization: Bearer capability"
header = "Expect:"
write-out = "%{http_code}\n"'
wms_ca='-----BEGIN CERTIFICATE-----
MIIB
-----END CERTIFICATE-----
'
wms_logger='#!/bin/sh
# Logs an event of this job and prints its next sequence code. Made by the job wrapper, for this attempt only.
# shellcheck disable=SC2016
wms_job='\''https://wms.example.org:9000/snPegp1YMJcnS22yF5pFlg'\''
wms_base='\''https://wms.example.org:9000/ns/v1/attempts/snPegp1YMJcnS22yF5pFlg/1'\''
wms_curl='\''silent
show-error
fail
fail-early
globoff
http1.1
cacert = "../ctl/ca.pem"
connect-timeout = 30
header = "Authorization: Bearer capability"
header = "Expect:"
write-out = "%{http_code}\n"'\''

# shellcheck source=/dev/null
. "${0%/*}/../ctl/transport"

wms_held() { # file with an answer: the sequence code goes on from there, if it gives one
    wms_reply='\'''\''
    read -r wms_reply <"$1" || :
    case $wms_reply in
    *'\''"sequence_code"'\''*'\''"'\''*'\''"'\''*)
        wms_reply=${wms_reply#*'\''"sequence_code"'\''}
        wms_reply=${wms_reply#*'\''"'\''}
        wms_reply=${wms_reply%%'\''"'\''*}
        case $wms_reply in '\'''\'' | *[!A-Za-z0-9=:._~-]*) ;; *) wms_code=$wms_reply ;; esac
        ;;
    esac
}

wms_say() { printf '\''lb-logevent: %s\n'\'' "$1" >&2; }

wms_misused() { # sentence
    wms_say "$1"
    exit 2
}

wms_failed() { # sentence; the sequence code stays what it was
    wms_say "$1"
    printf '\''%s\n'\'' "$wms_code"
    exit 1
}

wms_usage() {
    printf '\''Usage: lb-logevent [-e UserTag|CurDescr|Chkpt|Listener] [-s Application] [-j JOBID] [-c CODE]\n'\''
    printf '\''       [-i INSTANCE] [-I] --FIELD VALUE...     for example: --name phase --value 2\n'\''
}

wms_pair() { printf '\''%s\000%s\000'\'' "$1" "$2" >>"$wms_file"; }

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
    printf '\''url = "%s/events"\nmax-time = "30"\noutput = "%s"\n%s\n'\'' "$wms_base" "$wms_file.reply" "$wms_curl"
    printf '\''header = "Content-Type: application/octet-stream"\nheader = "Idempotency-Key: %s"\n'\'' "$wms_key"
    printf '\''data-binary = "@%s"\n'\'' "$wms_file"
}

wms_code=${GLITE_WMS_SEQUENCE_CODE:-${EDG_WL_SEQUENCE_CODE:-}} wms_type=UserTag
cd -- "${0%/*}/../ctl" || wms_misused '\''the directory of the job is gone'\''
umask 077
wms_file=../ctl/event.$$
trap '\''rm -f -- "$wms_file" "$wms_file.conf" "$wms_file.reply"'\'' EXIT
: >"$wms_file" || wms_failed '\''nothing can be written here'\''
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
wms_host='\'''\''
! [ -r /proc/sys/kernel/hostname ] || read -r wms_host </proc/sys/kernel/hostname
wms_key='\'''\''
! [ -r /proc/sys/kernel/random/uuid ] || read -r wms_key </proc/sys/kernel/random/uuid
[ -n "$wms_key" ] || wms_key=$(od -An -v -N16 -tx1 /dev/urandom | tr -d '\'' \n'\'')
wms_pair :event "$wms_type"
wms_pair :sequence "$wms_code"
wms_pair :host "${wms_host:-unknown}"
wms_request >"$wms_file.conf" || wms_failed '\''nothing can be written here'\''
wms_wait=1
until wms_status=$(wms_http "$wms_file.conf" 2>/dev/null); do
    case $wms_status in
    *408 | *425 | *429) ;;
    *413) wms_failed '\''the event is too large'\'' ;;
    *4??) wms_failed "the event was refused (status ${wms_status})" ;;
    esac
    [ "$wms_wait" -le 8 ] || wms_failed "the event was not delivered (${wms_status:-no answer})"
    sleep "$wms_wait"
    wms_wait=$((wms_wait * 2))
done
wms_held "$wms_file.reply"
printf '\''%s\n'\'' "$wms_code"
'
wms_start_count=5
wms_start_wait=5
wms_isb_count=2
wms_isb_wait=60
wms_osb_count=6
wms_osb_wait=300


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

# --- network -------------------------------------------------------------------------------------------
wms_transport='# shellcheck disable=SC2034
wms_tool='\'''\''
if command -v curl >/dev/null 2>&1; then
    wms_tool=curl
    wms_http() { exec curl -q -K "$1"; }
elif command -v python3 >/dev/null 2>&1; then
    wms_tool=python3
    wms_http() { exec python3 -I - "$1" <<'\''WMS_PYTHON'\''
import http.client, os, re, shutil, ssl, sys, urllib.parse
def trust(options):
    context = ssl.create_default_context(cafile=options.get("cacert", [None])[0])
    if "capath" in options:
        context.load_verify_locations(capath=options["capath"][0])
    if "cert" in options:
        context.load_cert_chain(options["cert"][0])
    return context
def ask(options, address, method, file, headers):
    url = urllib.parse.urlsplit(address)
    more = {"timeout": float(options["max-time"][0])}
    if url.scheme == "https":
        more["context"] = trust(options)
    peer = (http.client.HTTPSConnection if "context" in more else http.client.HTTPConnection)(
        url.hostname, url.port, **more)
    body = open(file, "rb") if file else None
    if body:
        headers = dict(headers, **{"Content-Length": str(os.fstat(body.fileno()).st_size)})
    try:
        peer.request(method, (url.path or "/") + ("?" + url.query if url.query else ""), body, headers)
    except (BrokenPipeError, ConnectionResetError):
        pass
    return peer.getresponse()
def transfer(options):
    address = options["url"][0]
    headers = dict(h.split(": ", 1) for h in options.get("header", []) if ": " in h)
    method, file = "GET", None
    if "data-binary" in options:
        method, file = "POST", options["data-binary"][0][1:]
    if "upload-file" in options:
        method, file = "PUT", options["upload-file"][0]
    method = options.get("request", [method])[0]
    for _ in range(6):
        reply = ask(options, address, method, file, headers)
        place = reply.getheader("Location")
        if reply.status not in (301, 302, 307, 308) or not place or "location" not in options:
            break
        before, address = address, urllib.parse.urljoin(address, place)
        if urllib.parse.urlsplit(before)[:2] != urllib.parse.urlsplit(address)[:2]:
            headers.pop("Authorization", None)
    if reply.status < 400:
        with open(options["output"][0], "wb") as out:
            shutil.copyfileobj(reply, out)
    return reply.status
sections = [{}]
escaped = {"n": "\n", "r": "\r", "t": "\t", "v": "\v"}
for line in open(sys.argv[1], encoding="utf-8", errors="surrogateescape", newline="\n"):
    key, _, value = line.strip().partition(" = ")
    if key == "next":
        sections.append({})
    elif key:
        value = re.sub(r"\\(.)", lambda found: escaped.get(found.group(1), found.group(1)), value[1:-1])
        sections[-1].setdefault(key, []).append(value)
for options in sections:
    code = 22
    try:
        status = transfer(options)
    except (OSError, http.client.HTTPException, ValueError) as error:
        sys.stderr.write("%s: %s\n" % (options["url"][0].partition("?")[0], error))
        status, code = 0, 60 if isinstance(error, getattr(ssl, "SSLCertVerificationError", ())) else 7
    print("%03d" % status, flush=True)
    if "fail" in options and not 0 < status < 400:
        sys.exit(code)
WMS_PYTHON
    }
else
    case $(wget --version 2>/dev/null) in
    *'\''GNU Wget'\''*) wms_tool=wget ;;
    esac
    wms_wget_plain() { # a value of the configuration -> wms_value
        wms_value='\'''\'' wms_rest=${1%\"}
        wms_rest=${wms_rest#\"}
        while :; do
            case $wms_rest in
            *\\*) ;;
            *) break ;;
            esac
            wms_value=$wms_value${wms_rest%%\\*}
            wms_rest=${wms_rest#*\\}
            case $wms_rest in
            n*) wms_value="$wms_value
" ;;
            r* | t* | v*)
                wms_char=$(printf '\''%b.'\'' "\\${wms_rest%"${wms_rest#?}"}")
                wms_value=$wms_value${wms_char%.}
                ;;
            *) wms_value=$wms_value${wms_rest%"${wms_rest#?}"} ;;
            esac
            wms_rest=${wms_rest#?}
        done
        wms_value=$wms_value$wms_rest
    }
    wms_wget_wanted() { # a transfer begins: nothing is known of it
        wms_url='\'''\'' wms_rc='\'''\'' wms_out='\'''\'' wms_auth='\'''\'' wms_type='\''header = Content-Type:'\'' wms_time=60 wms_strict='\'''\''
        wms_hops=0
    }
    wms_wget_option() { # name, value
        case $1 in
        url) wms_url=$2 ;;
        output) wms_out=$2 ;;
        max-time) wms_time=$2 ;;
        fail) wms_strict=1 ;;
        location) wms_hops=5 ;;
        request) wms_rc="${wms_rc}method = $2$wms_end" ;;
        data-binary) wms_rc="${wms_rc}method = POST${wms_end}body_file = ${2#@}$wms_end" ;;
        upload-file) wms_rc="${wms_rc}method = PUT${wms_end}body_file = $2$wms_end" ;;
        cert) wms_rc="${wms_rc}certificate = $2${wms_end}private_key = $2$wms_end" ;;
        cacert) wms_rc="${wms_rc}ca_certificate = $2$wms_end" ;;
        capath) wms_rc="${wms_rc}ca_directory = $2$wms_end" ;;
        header)
            case $2 in
            Authorization:*) wms_auth="header = $2" ;;
            Content-Type:*) wms_type="header = $2" ;;
            *:\ *) wms_rc="${wms_rc}header = $2$wms_end" ;;
            esac
            ;;
        esac
    }
    wms_wget_fetch() { # configuration: one request, no secret is an argument -> wms_status, wms_moved
        printf '\''%s\n'\'' "$wms_url" >"$1.url"
        {
            printf '\''%s%s\n%s\ntimeout = %d\n'\'' "$wms_rc" "$wms_type" "$wms_auth" "$wms_time"
            printf '\''tries = 1\nmax_redirect = 0\nhsts = off\nverbose = off\nserver_response = on\n'\''
            printf '\''input = %s\noutput_document = %s\n'\'' "$1.url" "$1.body"
        } >"$1.rc"
        if command -v timeout >/dev/null 2>&1; then
            timeout "$wms_time" wget --config="$1.rc" 2>"$1.said"
        else
            wget --config="$1.rc" 2>"$1.said"
        fi
        set -- "$1" $?
        wms_status=000 wms_moved='\'''\''
        while read -r wms_word wms_value wms_rest; do
            case $wms_word in
            HTTP/*) wms_status=$wms_value wms_moved='\'''\'' ;;
            [Ll]ocation:) wms_moved=${wms_value%"$wms_return"} ;;
            esac
        done <"$1.said"
        if [ "$wms_status" = 000 ] && read -r wms_word <"$1.said"; then printf '\''%s\n'\'' "$wms_word" >&2; fi
        return "$2"
    }
    wms_wget_transfer() { # configuration: one transfer, redirected if that is allowed; its status is printed
        while :; do
            wms_failed=0
            wms_wget_fetch "$1" || wms_failed=$?
            case $wms_hops/$wms_status in 0/*) break ;; */30[1278]) ;; *) break ;; esac
            wms_host=${wms_url#*://}
            wms_host=${wms_url%%://*}://${wms_host%%/*}
            case $wms_moved in
            /*) wms_moved=$wms_host$wms_moved ;;
            "$wms_host"/*) ;;
            http://* | https://*) wms_auth='\'''\'' ;;
            *) break ;;
            esac
            wms_url=$wms_moved wms_hops=$((wms_hops - 1))
        done
        printf '\''%s\n'\'' "$wms_status"
        case $wms_status in
        [23]??) [ ! -f "$1.body" ] || mv -f -- "$1.body" "$wms_out" ;;
        *)
            [ -z "$wms_strict" ] || [ "$wms_failed" -ne 5 ] || exit 60
            [ -z "$wms_strict" ] || exit 22
            ;;
        esac
    }
    wms_http() { # every transfer of the configuration in turn
        wms_return=$(printf '\''\r'\'')
        wms_end='\''
'\''
        wms_wget_wanted
        while IFS= read -r wms_line; do
            wms_name=${wms_line%% = *}
            case $wms_line in
            next)
                wms_wget_transfer "$1"
                wms_wget_wanted
                ;;
            *'\'' = '\''*)
                wms_wget_plain "${wms_line#* = }"
                wms_wget_option "$wms_name" "$wms_value"
                ;;
            ?*) wms_wget_option "$wms_line" '\'''\'' ;;
            esac
        done <"$1"
        wms_wget_transfer "$1"
    }
fi
'
eval "$wms_transport"

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


# --- other servers -------------------------------------------------------------------------------------
wms_signed='' wms_final='' wms_reason=''

wms_trusted() { # lines of a configuration that every call of another server has: URL, seconds
    printf 'url = "%s"\nmax-time = "%d"\noutput = "../ctl/elsewhere.reply"\n' "$1" "$2"
    printf 'silent\nshow-error\ngloboff\nhttp1.1\nlocation\nconnect-timeout = "30"\nwrite-out = "%%{http_code}\\n"\n'
    [ ! -d ../ctl/authorities ] || printf 'capath = "../ctl/authorities"\n'
    [ -z "$wms_signed" ] || return 0
    case $1 in https:*) ;; *) return 0 ;; esac
    if [ -r ../ctl/proxy ]; then
        printf 'cert = "../ctl/proxy"\n'
    elif [ -n "${BEARER_TOKEN_FILE:-}" ] && [ -r "$BEARER_TOKEN_FILE" ]; then
        read -r wms_reply <"$BEARER_TOKEN_FILE" || :
        case $wms_reply in
        '' | *[!A-Za-z0-9._~+/=-]*) ;;
        *) printf 'header = "Authorization: Bearer %s"\nproto-redir = "=https"\n' "$wms_reply" ;;
        esac
    fi
}

wms_identify() { # what we are known by and whom we trust, under names that need no quoting
    case ${X509_USER_PROXY:-} in /*) ln -sf -- "$X509_USER_PROXY" ../ctl/proxy ;; esac
    for wms_reply in "${X509_CERT_DIR:-}" /etc/grid-security/certificates; do
        case $wms_reply in /*) ;; *) continue ;; esac
        [ -d "$wms_reply" ] || continue
        [ -e ../ctl/authorities ] || ln -s -- "$wms_reply" ../ctl/authorities
    done
}

wms_elsewhere() { # the configuration ../ctl/elsewhere -> wms_codes, wms_status; in words: wms_reason, wms_final
    wms_codes=$(wms_http ../ctl/elsewhere 2>../ctl/elsewhere.said)
    wms_status=$?
    wms_codes=${wms_codes##*"$wms_nl"} wms_final=''
    case $wms_status/$wms_codes in
    0/2??) return 0 ;;
    60/* | 77/*) wms_reason='the certificate of the server is not trusted here' wms_final=1 ;;
    */401 | */403) wms_reason="$wms_codes, the ${wms_signed:-credential of the job} does not count there" wms_final=1 ;;
    */408 | */425 | */429) wms_reason=$wms_codes ;;
    */4??) wms_reason=$wms_codes wms_final=1 ;;
    */000 | */) wms_reason='no answer' ;;
    *) wms_reason=$wms_codes ;;
    esac
    return 1
}



wms_put_at() { # file, URL
    {
        wms_trusted "$2" 3600
        printf 'fail\nfail-early\nupload-file = "%s"\n' "$1"
    } >../ctl/elsewhere
    wms_elsewhere
}

wms_collections() { # URL: the directories above it are made, whatever is said to that
    wms_rest=${1%%[?#]*}
    wms_rest=${wms_rest#*://}
    wms_above=${1%%://*}://${wms_rest%%/*}
    wms_rest=${wms_rest#*/}
    : >../ctl/elsewhere
    while [ "$wms_rest" != "${wms_rest#*/}" ]; do
        [ "$wms_above" != "${wms_above#*://*/}" ] && printf 'next\n' >>../ctl/elsewhere
        wms_above=$wms_above/${wms_rest%%/*}
        wms_rest=${wms_rest#*/}
        {
            wms_trusted "$wms_above/" 60
            printf 'request = "MKCOL"\n'
        } >>../ctl/elsewhere
    done
    wms_elsewhere || :
}

wms_put_webdav() { # file, URL
    wms_identify
    case $1 in
    *[!/$wms_safe]*)
        ln -sf -- "$PWD/$1" ../ctl/parcel
        set -- ../ctl/parcel "$2"
        ;;
    esac
    wms_put_at "$@" && return 0
    case $wms_signed/$wms_codes in
    /404 | /409)
        wms_collections "$2"
        wms_put_at "$@"
        ;;
    *) return 1 ;;
    esac
}

wms_is_away() { # file: it is elsewhere now, too
    wms_more=$(wc -c 2>/dev/null <"$1") || wms_more=0
    wms_bytes_out=$((wms_bytes_out + wms_more)) wms_files_out=$((wms_files_out + 1))
}

wms_info='[ ComputingElement = [ name = "ce.org:8443/jobmanager-local-q" ] ]
'
wms_info_command='#!/bin/sh
# Answers what the .BrokerInfo file of a job knows: the CE, storage elements close to it, replicas of the input data.
# shellcheck disable=SC2016
wms_usage() {
    cat >&2 <<'\''WMS_USAGE'\''
Usage: glite-brokerinfo [-v] [-f FILE] FUNCTION [ARGUMENT...]
  getCE  getDataAccessProtocol  getInputData  getSEs  getCloseSEs  getVirtualOrganization
  getSEMountPoint SE  getSEFreeSpace SE  getSEProtocols SE  getSEPort SE PROTOCOL  getLFN2SFN LFN
WMS_USAGE
    exit 255
}

wms_file=${GLITE_WMS_RB_BROKERINFO:-${EDG_WL_RB_BROKERINFO:-.BrokerInfo}} wms_verbose='\'''\''
while [ $# -gt 0 ]; do
    case $1 in
    -v) wms_verbose=1 ;;
    -f)
        [ $# -gt 1 ] || wms_usage
        wms_file=$2
        shift
        ;;
    -*) wms_usage ;;
    *) break ;;
    esac
    shift
done
case ${1:-}/$# in
getCE/1 | getDataAccessProtocol/1 | getInputData/1 | getSEs/1 | getCloseSEs/1 | getVirtualOrganization/1) ;;
getSEMountPoint/2 | getSEFreeSpace/2 | getSEProtocols/2 | getLFN2SFN/2 | getSEPort/3) ;;
*) wms_usage ;;
esac
if ! [ -f "$wms_file" ] || ! [ -r "$wms_file" ]; then
    printf '\''Error: there is no broker information in %s\n'\'' "$wms_file" >&2
    exit 1
fi
LC_ALL=C WMS_FUNCTION=$1 WMS_FIRST=${2:-} WMS_SECOND=${3:-} WMS_VERBOSE=$wms_verbose exec awk '\''
function path(    d, p) {
    for (d = 1; d <= depth; d++) p = p (d > 1 ? "." : "") (kind[d] == "[" ? name[d] : number[d])
    return p
}
function text(token) {
    token = substr(token, 2, length(token) - 2)
    gsub(/\\\\/, "\001", token)
    gsub(/\\/, "", token)
    gsub(/\001/, "\\", token)
    return token
}
function value(token) {
    if (depth == 0 || (kind[depth] == "[" && !want[depth])) { bad = 1; return }
    known[path()] = token
    ends()
}
function ends() { want[depth] = 0; name[depth] = "" }
function opens(token) {
    if (depth > 0 && kind[depth] == "[" && !want[depth]) bad = 1
    depth++
    kind[depth] = token; name[depth] = ""; number[depth] = 1; want[depth] = 0
}
function closes(token) {
    if (depth == 0 || kind[depth] != token || name[depth] != "") bad = 1
    else if (--depth == 0) whole++
    else ends()
}
function take(token) {
    if (token == "[" || token == "{") opens(token)
    else if (token == "]") closes("[")
    else if (token == "}") closes("{")
    else if (token == ",") number[depth]++
    else if (token == ";") { if (name[depth] != "") bad = 1 }
    else if (token == "=") { if (name[depth] == "" || want[depth]) bad = 1; want[depth] = 1 }
    else if (token ~ /^"/) value(text(token))
    else if (depth > 0 && kind[depth] == "[" && name[depth] == "" && token !~ /^[-+0-9]/) name[depth] = tolower(token)
    else value(token)
}
function say(found) {
    answers++
    print (ENVIRON["WMS_VERBOSE"] ? " -> " : "") found
}
function said(place) { if (place in known) say(known[place]) }
function all(list, field,    i) {
    if (list in known) say(known[list])
    for (i = 1; (list "." i field) in known; i++) say(known[list "." i field])
}
function where(list, wanted, exact,    i, here) {
    for (i = 1; (list "." i ".name") in known; i++) {
        here = known[list "." i ".name"]
        if (here == wanted || (!exact && tolower(here) == tolower(wanted))) return list "." i
    }
    return "-"
}
BEGIN {
    token = "^(\"([^\"\\\\]|\\\\.)*\"|[][{}=;,]|[A-Za-z_][A-Za-z0-9_]*"
    token = token "|\047[^\047]*\047|[-+]?[0-9][0-9.eE+-]*)"
}
{
    line = $0
    while (match(line, /^[ \t\r]+/) || line != "") {
        if (RLENGTH > 0) { line = substr(line, RLENGTH + 1); if (line == "") break }
        if (!match(line, token)) { bad = 1; exit }
        take(substr(line, 1, RLENGTH))
        line = substr(line, RLENGTH + 1)
    }
}
END {
    if (bad || depth != 0 || whole != 1) {
        print "Error: the broker information cannot be read" | "cat >&2"
        exit 1
    }
    asked = ENVIRON["WMS_FUNCTION"]; first = ENVIRON["WMS_FIRST"]; second = ENVIRON["WMS_SECOND"]
    near = "computingelement.closestorageelements"; ses = "storageelements"; files = "inputfns"
    if (ENVIRON["WMS_VERBOSE"]) print "BrokerInfo::" asked "(): "
    lists = 0
    if (asked == "getCE") said("computingelement.name")
    else if (asked == "getVirtualOrganization") said("virtualorganisation")
    else if (asked == "getDataAccessProtocol") { lists = 1; all("dataaccessprotocol", "") }
    else if (asked == "getInputData") { lists = 1; all(files, ".name") }
    else if (asked == "getSEs") { lists = 1; all(ses, ".name") }
    else if (asked == "getCloseSEs") { lists = 1; all(near, ".name") }
    else if (asked == "getSEMountPoint") said(where(near, first) ".mount")
    else if (asked == "getSEFreeSpace") said(where(near, first) ".freespace")
    else if (asked == "getSEProtocols") all(where(ses, first) ".protocols", ".name")
    else if (asked == "getSEPort") said(where(where(ses, first) ".protocols", second) ".port")
    else if (asked == "getLFN2SFN") all(where(files, first, 1) ".sfns", "")
    if (ENVIRON["WMS_VERBOSE"]) print (answers || lists ? " -> BI_SUCCESS" : " -> BI_ERROR")
    else if (!answers && !lists) print "Error: the broker information has no answer to " asked " " first | "cat >&2"
    exit (answers || lists ? 0 : 1)
}'\'' "$wms_file"
'

wms_broker_info() { # what the match knew, for the job to read, and the command that reads it
    printf '%s' "$wms_info" >.BrokerInfo || wms_fatal 'Working directory not writable'
    for wms_name in glite-brokerinfo edg-brokerinfo; do
        printf '%s' "$wms_info_command" >"../bin/$wms_name" || wms_fatal 'Working directory not writable'
    done
}


# --- output data ---------------------------------------------------------------------------------------
wms_store() { # file, its name in the report, URLs: the first place that takes it -> a line of the report
    wms_file=$1 wms_name=$2
    wms_left=$wms_osb_count wms_wait=$wms_osb_wait
    shift 2
    wms_reason='no storage element can be reached from here'
    if [ "$wms_exit" -ne 0 ]; then
        wms_reason="not stored, the job ended with $wms_exit"
        set --
    elif ! wms_ready "$wms_file"; then
        wms_reason='no such file'
        set --
    fi
    until wms_placed "$@"; do
        if [ -z "$wms_hope" ] || [ "$wms_left" -le 0 ]; then
            wms_place="Error: $wms_reason"
            break
        fi
        wms_left=$((wms_left - 1))
        wms_again
    done
    printf '%s %s\n' "$wms_name" "$wms_place"
}

wms_placed() { # URLs -> wms_place: the first that takes the file; wms_hope: one may take it later
    wms_hope=''
    for wms_place; do
        case $wms_place in
        file://*) wms_copied "/${wms_place#file://*/}" ;;
        *) wms_sent_to "$wms_place" ;;
        esac && {
            wms_is_away "$wms_file"
            return 0
        }
    done
    return 1
}

wms_copied() { # path: whole or not at all, and nothing that is there is replaced
    if [ -e "$1" ]; then
        wms_reason='there is such a file already'
        return 1
    fi
    wms_reason='the storage element is not writable here'
    mkdir -p -- "${1%/*}" 2>/dev/null || return 1
    if cp -- "$wms_file" "$1.part" 2>/dev/null && mv -- "$1.part" "$1"; then return 0; fi
    rm -f -- "$1.part"
    wms_reason='it could not be copied'
    return 1
}

wms_sent_to() { # URL: with the proxy or the token of the job
    wms_signed=''
    wms_put_webdav "$wms_file" "$1" && return 0
    [ -n "$wms_final" ] || wms_hope=1
    wms_reason="the storage element does not take it: $wms_reason"
    return 1
}

wms_output_data() {
    {
    printf '%s\n' '# Autogenerated by JobWrapper!
# FILE, then where it was stored (no catalogue was told) or Error: and why not'
    wms_store './it'\''s.dat' 'it%27s.dat' 'file://se.org/data/x/it'\''s.dat' 'https://se.org:443/x/it%27s.dat'
    wms_store './lost.dat' 'lost.dat'
    } >'./DSUpload_x.out' || wms_note 'the report of the output data could not be written'
}
wms_each_input() {
    :
}
export GLITE_WMS_JOBID="$wms_job" EDG_WL_JOBID="$wms_job" GLITE_WMS_SEQUENCE_CODE="$wms_code"
export EDG_WL_SEQUENCE_CODE="$wms_code" GLITE_WMS_LOG_DESTINATION="$wms_base"
wms_payload() {
    umask 022; exec </dev/null >/dev/null 2>/dev/null || exit 1
    if [ -f .BrokerInfo ]; then
        export GLITE_WMS_RB_BROKERINFO="$PWD/.BrokerInfo" EDG_WL_RB_BROKERINFO="$PWD/.BrokerInfo"
    fi
    export PATH="$wms_dir/bin:$PATH"
    set -- '/bin/true'
    if [ -n "$wms_setsid" ]; then set -- setsid "$@"; fi
    exec "$@"
}
wms_outputs() {
    set --
    if wms_ready './DSUpload_x.out'; then set -- "$@" './DSUpload_x.out'; else wms_lacks 'DSUpload_x.out' '"DSUpload_x.out"'; fi
    wms_upload "$@"
}
wms_prepare
wms_broker_info
chmod +x ../bin/*
wms_runnable '/bin/true' || wms_fatal '/bin/true not found or unreadable'
wms_take_start
wms_hook cp_1_5.sh
wms_measured wms_payload
printf 'job exit status = %d\n' "$wms_exit"
wms_hook cp_2.sh
wms_output_data
wms_outputs
printf '%s' "$wms_remarks"
wms_leave 0
