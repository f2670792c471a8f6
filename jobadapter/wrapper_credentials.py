"""The part of a job wrapper that keeps the payload's access token fresh: POSIX sh functions, a loop beside the payload.

What a CE puts into the file meanwhile is as good: both come from the service. Not here: proxies, which only CEs bring.
"""

from __future__ import annotations

__all__ = ["CREDENTIALS"]

CREDENTIALS = r"""
# --- the token of the payload --------------------------------------------------------------------------
wms_take_token() { # a fresh token -> the file, wms_period; 1 if there is none now, and ../ctl/token.failed says why
    wms_request "$wms_base/token" 60 ../ctl/token.reply >../ctl/token
    wms_ask token
    wms_reply=''
    if [ "$wms_codes" = 200 ]; then
        read -r wms_reply <../ctl/token.reply || :
    fi
    rm -f ../ctl/token.reply
    printf '%s' "${wms_codes:-no answer}" >../ctl/token.failed
    case $wms_reply in
    *'"access_token":"'?*'"expires":'[0-9]*) ;;
    *) return 1 ;;
    esac
    wms_ends=${wms_reply#*'"expires":'}
    wms_ends=${wms_ends%%[!0-9]*}
    wms_reply=${wms_reply#*'"access_token":"'}
    wms_reply=${wms_reply%%'"'*}
    case $wms_reply in '' | *[!A-Za-z0-9._~+/=-]*) return 1 ;; esac
    printf '%s' "$wms_reply" >"$BEARER_TOKEN_FILE.fresh" || return 1
    mv -f -- "$BEARER_TOKEN_FILE.fresh" "$BEARER_TOKEN_FILE" || return 1
    rm -f ../ctl/token.failed
    wms_period=$(((wms_ends - $(date +%s)) / 2))
    [ "$wms_period" -ge "$wms_token_least" ] || wms_period=$wms_token_least
    [ "$wms_period" -le "$wms_token_most" ] || wms_period=$wms_token_most
}

wms_freshen() { # when half of the token's life is over, a fresh one; after a failure a pause, longer each time
    wms_mortal bearing
    wms_wait=$wms_token_least
    while :; do
        wms_attend "$wms_period"
        if wms_take_token; then
            wms_wait=$wms_token_least
            continue
        fi
        wms_period=$wms_wait
        wms_wait=$((wms_wait * 2 > wms_token_most ? wms_token_most : wms_wait * 2))
    done
}

wms_bear() { # before the payload: it has a token in a file, in that of the CE if there is one
    case ${BEARER_TOKEN_FILE:-} in
    /*)
        if ! [ -f "$BEARER_TOKEN_FILE" ] || ! [ -w "$BEARER_TOKEN_FILE" ] || ! [ -w "${BEARER_TOKEN_FILE%/*}" ]; then
            BEARER_TOKEN_FILE=''
        fi
        ;;
    *) BEARER_TOKEN_FILE='' ;;
    esac
    [ -n "$BEARER_TOKEN_FILE" ] || BEARER_TOKEN_FILE=$wms_dir/ctl/bearer
    export BEARER_TOKEN_FILE
    unset BEARER_TOKEN
    wms_period=$wms_token_least
    wms_take_token || :
    wms_duty
    wms_freshen </dev/null >/dev/null 2>&1 &
    wms_bearer=$!
    wms_beside="$wms_beside $wms_bearer"
}

wms_unbear() { # after all programs of the job
    wms_beside=$wms_bearer
    wms_dismiss
    if [ -s ../ctl/token.failed ]; then
        read -r wms_reply <../ctl/token.failed || :
        wms_note "the last token for the payload did not come ($wms_reply)"
    fi
}
"""
