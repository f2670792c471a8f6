"""The part of a job wrapper that connects an interactive payload with its user: POSIX sh functions.

Two loops beside the payload, each over connections that they open: what is typed comes in, what is printed goes out.
"""

from __future__ import annotations

__all__ = ["BESIDE", "TERMINAL"]

BESIDE = r"""
# --- what runs beside the payload ----------------------------------------------------------------------
wms_ask() { # configuration -> wms_codes; who asks can be ended meanwhile
    wms_codes=''
    wms_http "../ctl/$1" >"../ctl/$1.code" 2>/dev/null &
    wait "$!"
    read -r wms_codes <"../ctl/$1.code" || :
}

wms_place() { # file with an answer: wms_at is where the service is
    wms_reply=''
    read -r wms_reply <"$1" || :
    case $wms_reply in
    *'"have":'[0-9]*)
        wms_reply=${wms_reply#*'"have":'}
        wms_at=${wms_reply%%[!0-9]*}
        ;;
    esac
}

wms_part() { # file, most bytes: what stands there from wms_at on -> ../ctl/part.$3
    tail -c "+$((wms_at + 1))" -- "$1" 2>/dev/null | head -c "$2" >"../ctl/part.$3"
}

wms_blink() { sleep 0.2 2>/dev/null || sleep 1; }

wms_dismiss() { # end all that runs beside the payload
    # shellcheck disable=SC2086
    wms_end dismissed $wms_beside
    wms_beside=''
}
"""

TERMINAL = r"""
# --- the terminal of an interactive job ----------------------------------------------------------------
wms_type() { # what the user types, to the standard input of the payload
    wms_mortal typing
    wms_at=0 wms_wait=1
    while :; do
        : >../ctl/keys.got
        wms_request "$wms_base/session/$wms_at" 90 ../ctl/keys.got >../ctl/keys
        wms_ask keys
        if [ -s ../ctl/keys.got ]; then
            wms_at=$((wms_at + $(wc -c <../ctl/keys.got))) wms_wait=1
            cat ../ctl/keys.got &
            wait "$!" || exit 0
            continue
        fi
        case $wms_codes in
        200)
            wms_wait=1
            wms_blink
            ;;
        408 | 425 | 429) wms_again ;;
        204 | 4??) exit 0 ;;
        *) wms_again ;;
        esac
    done
}

wms_show() { # what the payload prints (to the file), to the service as it grows; until all is sent
    wms_mortal showing
    wms_at=0 wms_wait=1 wms_left=$wms_osb_count
    while :; do
        wms_last=''
        [ ! -f ../ctl/printed.over ] || wms_last=1
        if [ "$(($(wc -c <"$1")))" -le "$wms_at" ]; then
            [ -z "$wms_last" ] || exit 0
            wms_blink
            continue
        fi
        wms_part "$1" 262144 printed
        wms_request "$wms_base/session/$wms_at" 60 ../ctl/printed.reply >../ctl/printed
        printf 'upload-file = "../ctl/part.printed"\n' >>../ctl/printed
        wms_ask printed
        case $wms_codes in
        200)
            wms_place ../ctl/printed.reply
            wms_wait=1
            continue
            ;;
        408 | 425 | 429) ;;
        4??) exit 1 ;;
        esac
        if [ -n "$wms_last" ]; then
            [ "$wms_left" -gt 0 ] || exit 1
            wms_left=$((wms_left - 1))
        fi
        wms_again
    done
}

wms_connect() { # file for the output; before the payload, which reads from 8: both ends are open before it begins
    if ! mkfifo ../ctl/typed || ! (umask 022 && : >"$1"); then wms_fatal 'Working directory not writable'; fi
    # shellcheck disable=SC2094
    exec 9<>../ctl/typed 8<../ctl/typed 7>../ctl/typed 9>&-
    wms_type </dev/null >&7 2>/dev/null 7>&- 8<&- &
    wms_typist=$!
    exec 7>&-
    wms_show "$1" </dev/null >/dev/null 2>&1 8<&- &
    wms_shower=$!
    wms_beside="$wms_beside $wms_typist $wms_shower"
}

wms_disconnect() { # after the payload: what is left of its output goes out
    : >../ctl/printed.over
    : >../ctl/typing
    kill "$wms_typist" 2>/dev/null
    exec 8<&-
    wait "$wms_shower" || wms_note 'the end of the output did not reach the terminal'
}
"""
