"""The part of a job wrapper that sends output elsewhere than to the service: POSIX sh functions.

WebDAV with the job's proxy or token, presigned URLs without either, paths of the node, gsiftp where its tool exists.
Only in the text of wrappers whose job asks for it. Limits of the output sandbox do not concern these files.
"""

from __future__ import annotations

__all__ = ["DELIVERY", "ELSEWHERE", "WEBDAV"]

ELSEWHERE = r"""
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

"""
"""Calls of other servers, in the name of the job: what fetches its data needs them too."""

WEBDAV = r"""
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
"""
"""How a file is put there; with ELSEWHERE only."""

DELIVERY = r"""
# --- output that goes elsewhere ------------------------------------------------------------------------
wms_put_path() ( # file, path: whole or not at all
    umask 022
    [ ! -d "$2" ] && mkdir -p -- "${2%/*}/" && cp -- "$1" "$2.part-$$" || exit 1
    mv -f -- "$2.part-$$" "$2" || { rm -f -- "$2.part-$$"; exit 1; }
) 2>/dev/null

wms_put_gsiftp() { # file, URL
    wms_reason='there is no globus-url-copy here' wms_final=1
    command -v globus-url-copy >/dev/null 2>&1 || return 1
    set -- "$1" globus-url-copy -q -cd - "$2"
    if command -v timeout >/dev/null 2>&1; then set -- "$1" timeout 3600 "$2" "$3" "$4" "$5" "$6"; fi
    wms_source=$1
    shift
    "$@" <"$wms_source" >/dev/null 2>../ctl/elsewhere.said && return 0
    wms_reason="globus-url-copy ended with $?" wms_final=''
    return 1
}

wms_put_once() { # file, destination
    case $2 in
    file:*)
        wms_put_path "$1" "${2#file://}" && return 0
        wms_reason='cannot be written on this node' wms_final=''
        return 1
        ;;
    gsiftp:*) wms_put_gsiftp "$1" "$2" ;;
    *) wms_put_webdav "$1" "$2" ;;
    esac
}

wms_deliver() { # file, destination, as it is shown, `signed` or nothing, its name as it is shown
    wms_name=$5
    if [ -z "$wms_name" ]; then # one of many, found by a pattern: below the destination
        wms_named "${1##*/}"
        case $2 in
        file:*) set -- "$1" "$2${1##*/}" "$3$wms_name" "$4" ;;
        *) set -- "$1" "$2$wms_name" "$3$wms_name" "$4" ;;
        esac
    fi
    wms_signed=${4:+signed address} wms_parcel=$wms_name wms_left=$wms_osb_count wms_wait=$wms_osb_wait
    until wms_put_once "$1" "$2"; do
        case $4/$2 in
        signed/* | /file:* | /http:*) ;;
        *)
            wms_outlived "$wms_wait" || wms_left=0
            [ -z "$wms_over" ] || wms_reason='the proxy has expired'
            ;;
        esac
        if [ -n "$wms_final" ] || [ "$wms_left" -le 0 ]; then
            wms_fatal "Cannot upload file://$wms_parcel into $3 ($wms_reason)"
        fi
        wms_left=$((wms_left - 1))
        wms_again
    done
    wms_is_away "$1"
    wms_note "$wms_parcel is at $3"
}

wms_rename() { # file, its name at the service -> wms_file
    wms_file=../ctl/named/$2
    [ -d ../ctl/named ] || mkdir ../ctl/named
    ln -s -- "$PWD/$1" "$wms_file"
}
"""
