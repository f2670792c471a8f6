"""How a job wrapper moves bytes: POSIX sh that obeys a curl configuration with what a worker node has.

curl; without it a small Python program, or GNU wget. Each prints a status a transfer. Not here: what is moved where.
"""

from __future__ import annotations

__all__ = ["TRANSPORT"]

_CURL = r"""# shellcheck disable=SC2034
wms_tool=''
if command -v curl >/dev/null 2>&1; then
    wms_tool=curl
    wms_http() { exec curl -q -K "$1"; }
"""
_PYTHON = r"""elif command -v python3 >/dev/null 2>&1; then
    wms_tool=python3
    wms_http() { exec python3 -I - "$1" <<'WMS_PYTHON'
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
"""
_WGET = r"""else
    case $(wget --version 2>/dev/null) in
    *'GNU Wget'*) wms_tool=wget ;;
    esac
    wms_wget_plain() { # a value of the configuration -> wms_value
        wms_value='' wms_rest=${1%\"}
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
                wms_char=$(printf '%b.' "\\${wms_rest%"${wms_rest#?}"}")
                wms_value=$wms_value${wms_char%.}
                ;;
            *) wms_value=$wms_value${wms_rest%"${wms_rest#?}"} ;;
            esac
            wms_rest=${wms_rest#?}
        done
        wms_value=$wms_value$wms_rest
    }
    wms_wget_wanted() { # a transfer begins: nothing is known of it
        wms_url='' wms_rc='' wms_out='' wms_auth='' wms_type='header = Content-Type:' wms_time=60 wms_strict=''
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
        printf '%s\n' "$wms_url" >"$1.url"
        {
            printf '%s%s\n%s\ntimeout = %d\n' "$wms_rc" "$wms_type" "$wms_auth" "$wms_time"
            printf 'tries = 1\nmax_redirect = 0\nhsts = off\nverbose = off\nserver_response = on\n'
            printf 'input = %s\noutput_document = %s\n' "$1.url" "$1.body"
        } >"$1.rc"
        if command -v timeout >/dev/null 2>&1; then
            timeout "$wms_time" wget --config="$1.rc" 2>"$1.said"
        else
            wget --config="$1.rc" 2>"$1.said"
        fi
        set -- "$1" $?
        wms_status=000 wms_moved=''
        while read -r wms_word wms_value wms_rest; do
            case $wms_word in
            HTTP/*) wms_status=$wms_value wms_moved='' ;;
            [Ll]ocation:) wms_moved=${wms_value%"$wms_return"} ;;
            esac
        done <"$1.said"
        if [ "$wms_status" = 000 ] && read -r wms_word <"$1.said"; then printf '%s\n' "$wms_word" >&2; fi
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
            http://* | https://*) wms_auth='' ;;
            *) break ;;
            esac
            wms_url=$wms_moved wms_hops=$((wms_hops - 1))
        done
        printf '%s\n' "$wms_status"
        case $wms_status in
        [23]??) [ ! -f "$1.body" ] || mv -f -- "$1.body" "$wms_out" ;;
        *)
            [ -z "$wms_strict" ] || [ "$wms_failed" -ne 5 ] || exit 60
            [ -z "$wms_strict" ] || exit 22
            ;;
        esac
    }
    wms_http() { # every transfer of the configuration in turn
        wms_return=$(printf '\r')
        wms_end='
'
        wms_wget_wanted
        while IFS= read -r wms_line; do
            wms_name=${wms_line%% = *}
            case $wms_line in
            next)
                wms_wget_transfer "$1"
                wms_wget_wanted
                ;;
            *' = '*)
                wms_wget_plain "${wms_line#* = }"
                wms_wget_option "$wms_name" "$wms_value"
                ;;
            ?*) wms_wget_option "$wms_line" '' ;;
            esac
        done <"$1"
        wms_wget_transfer "$1"
    }
fi
"""

TRANSPORT = _CURL + _PYTHON + _WGET
"""Defines `wms_http FILE`, to be called in a shell of its own, and `wms_tool`: empty if there is nothing to call."""
