"""The part of a job wrapper that looks at the end of the job's proxy: POSIX sh functions, a loop beside the payload.

The file is read anew each time, as the CE may have renewed it, with base64 and od: not all nodes have openssl.
"""

from __future__ import annotations

__all__ = ["EXPIRY"]

EXPIRY = r"""
# --- the end of the proxy ------------------------------------------------------------------------------
wms_grace=${GLITE_LOCAL_PROXY_GRACE:-60} wms_guardian='' wms_over='' wms_ends=''

wms_two() { # the next two digits of wms_der (ASCII in hexadecimal) -> wms_digits; 1 if there are none
    case $wms_der in
    3[0-9]3[0-9]*) ;;
    *) return 1 ;;
    esac
    wms_tail=${wms_der#????}
    wms_digits=${wms_der%"$wms_tail"}
    wms_der=$wms_tail
    wms_tail=${wms_digits#3?3}
    wms_digits=${wms_digits#3}
    wms_digits=${wms_digits%??}$wms_tail
}

wms_moment() { # wms_der begins with a time of ASN.1 -> wms_ends, seconds since 1970; 1 if it does not
    wms_ends='' wms_century=20 wms_short=0
    case $wms_der in
    170d*) wms_der=${wms_der#170d} wms_short=1 ;;
    180f*)
        wms_der=${wms_der#180f}
        wms_two || return 1
        wms_century=$wms_digits
        ;;
    *) return 1 ;;
    esac
    wms_two || return 1
    case $wms_century$wms_digits in 20[5-9]?) wms_century=$((wms_century - wms_short)) ;; esac
    wms_year=$((1$wms_century$wms_digits - 10000))
    wms_two || return 1
    wms_month=$((1$wms_digits - 100))
    wms_two || return 1
    wms_day=$((1$wms_digits - 100))
    wms_two || return 1
    wms_hours=$((1$wms_digits - 100))
    wms_two || return 1
    wms_minutes=$((1$wms_digits - 100))
    wms_two || return 1
    wms_month=$((wms_month - 3))
    if [ "$wms_month" -lt 0 ]; then wms_month=$((wms_month + 12)) wms_year=$((wms_year - 1)); fi
    wms_day=$((wms_year * 365 + wms_year / 4 - wms_year / 100 + wms_year / 400 + (wms_month * 153 + 2) / 5 + wms_day))
    wms_ends=$(((wms_day - 719469) * 86400 + wms_hours * 3600 + wms_minutes * 60 + 1$wms_digits - 100))
}

wms_proxy_ends() { # -> wms_ends, the end of the first certificate in the file of the proxy; empty if it cannot be told
    wms_ends='' wms_pem=''
    [ -r "${X509_USER_PROXY:-}" ] || return 0
    while read -r wms_reply; do
        case $wms_pem/$wms_reply in
        /*BEGIN\ CERTIFICATE*) wms_pem=$wms_nl ;;
        /*) ;;
        *END\ CERTIFICATE*) break ;;
        *) wms_pem=$wms_pem$wms_reply ;;
        esac
    done <"$X509_USER_PROXY"
    wms_der=$(printf '%s\n' "${wms_pem#"$wms_nl"}" | base64 -d 2>/dev/null | od -An -v -tx1 | tr -d ' \n')
    case $wms_der in
    *301e170d*) wms_der=170d${wms_der#*301e170d} ;;
    *3020170d*) wms_der=170d${wms_der#*3020170d} ;;
    *3022180f*) wms_der=180f${wms_der#*3022180f} ;;
    *) return 0 ;;
    esac
    wms_moment && wms_der=${wms_der#5a} && wms_moment || wms_ends=''
}

wms_outlived() { # seconds: is there a credential still then? wms_over says that it is over now
    wms_proxy_ends
    [ -n "$wms_ends" ] || return 0
    wms_left_s=$((wms_ends - $(date +%s)))
    # shellcheck disable=SC2034
    [ "$wms_left_s" -gt 0 ] || wms_over=1
    [ "$wms_left_s" -gt "$1" ]
}

wms_watch_proxy() { # until it is over: the wrapper ends its job then
    wms_mortal guarding
    wms_attend "$wms_look_first"
    while :; do
        wms_proxy_ends
        [ -n "$wms_ends" ] || exit 0
        wms_rest_s=$((wms_ends + wms_grace - $(date +%s)))
        if [ "$wms_rest_s" -le 0 ]; then
            : >"$wms_dir/ctl/expired"
            kill -s USR1 "$$"
            exit 0
        fi
        wms_attend "$((wms_rest_s > 1000 ? 1000 : wms_rest_s))"
    done
}

wms_expired() { # USR1: only the word of our own loop counts
    [ ! -e "$wms_dir/ctl/expired" ] || wms_trapped 'Job killed by the jobwrapper because of user proxy expiration'
}

wms_guard() { # before the payload
    case $wms_grace in '' | *[!0-9]*) return 0 ;; esac
    [ -r "${X509_USER_PROXY:-}" ] || return 0
    wms_look_first=$((wms_grace < 60 ? wms_grace : 60))
    trap wms_expired USR1
    wms_duty
    wms_watch_proxy </dev/null >/dev/null 2>&1 &
    wms_guardian=$!
    wms_beside=" $wms_guardian$wms_beside"
}

wms_unguard() { # after the payload
    [ -n "$wms_guardian" ] || return 0
    : >"$wms_dir/ctl/guarding"
    kill "$wms_guardian" 2>/dev/null
    wait "$wms_guardian"
    wms_beside=${wms_beside#" $wms_guardian"}
}
"""
