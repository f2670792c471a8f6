"""What a job wrapper does about data: the .BrokerInfo file, the command that reads it, copies of output files.

Constant sh and awk texts; which files go where is computed in jobadapter.output_data.
"""

from __future__ import annotations

from collections.abc import Sequence

from jobadapter.output_data import Stored
from jobadapter.shell import quoted, shown

__all__ = ["COMMAND", "broker_info", "storing"]

COMMAND = r"""#!/bin/sh
# Answers what the .BrokerInfo file of a job knows: the CE, storage elements close to it, replicas of the input data.
# shellcheck disable=SC2016
wms_usage() {
    cat >&2 <<'WMS_USAGE'
Usage: glite-brokerinfo [-v] [-f FILE] FUNCTION [ARGUMENT...]
  getCE  getDataAccessProtocol  getInputData  getSEs  getCloseSEs  getVirtualOrganization
  getSEMountPoint SE  getSEFreeSpace SE  getSEProtocols SE  getSEPort SE PROTOCOL  getLFN2SFN LFN
WMS_USAGE
    exit 255
}

wms_file=${GLITE_WMS_RB_BROKERINFO:-${EDG_WL_RB_BROKERINFO:-.BrokerInfo}} wms_verbose=''
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
    printf 'Error: there is no broker information in %s\n' "$wms_file" >&2
    exit 1
fi
LC_ALL=C WMS_FUNCTION=$1 WMS_FIRST=${2:-} WMS_SECOND=${3:-} WMS_VERBOSE=$wms_verbose exec awk '
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
}' "$wms_file"
"""

BROKER_INFO = r"""
wms_broker_info() { # what the match knew, for the job to read, and the command that reads it
    printf '%s' "$wms_info" >.BrokerInfo || wms_fatal 'Working directory not writable'
    for wms_name in glite-brokerinfo edg-brokerinfo; do
        printf '%s' "$wms_info_command" >"../bin/$wms_name" || wms_fatal 'Working directory not writable'
    done
}
"""

STORING = r"""
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
"""


def broker_info(text: str) -> list[str]:
    """The sections of a wrapper that tell the job of its match; empty without anything to tell."""
    if not text:
        return []
    return [f"wms_info={quoted(text)}\nwms_info_command={quoted(COMMAND)}\n" + BROKER_INFO]


def storing(files: Sequence[Stored], report: str) -> list[str]:
    """The sections that copy the output data; empty without any."""
    if not files:
        return []
    stores = [f"    wms_store {' '.join(quoted(text) for text in (f'./{one.file}', shown(one.file), *one.places))}"
              for one in files]
    lines = ["wms_output_data() {", "    {", f"    printf '%s\\n' {quoted(_HEAD)}", *stores,
             f"    }} >{quoted(f'./{report}')} || wms_note 'the report of the output data could not be written'", "}"]
    return [STORING, "\n".join(lines)]


_HEAD = """# Autogenerated by JobWrapper!
# FILE, then where it was stored (no catalogue was told) or Error: and why not"""
