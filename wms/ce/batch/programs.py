"""Programs in sh for the host of a batch system: what is done in the spool, many jobs at a time.

Constants: what differs comes as arguments and on standard input, and no word of a user is ever a part of a program.
Run as `sh -c PROGRAM wms SPOOL ...`. In the spool, by token:

    jobs/TOKEN/      script, batch, proxy, token, output; `started` since its one start. Owned by the account
    known/TOKEN      "HANDLE ACCOUNT" once the batch system has it
    ended/TOKEN      "STATUS NODE" when the job script has ended
    cancelled/TOKEN  it was cancelled by us: it does not start any more

Not here: the job script (script), who runs these (staging).
"""

from __future__ import annotations

__all__ = ["CANCELLED", "CLEAN", "CREDENTIALS", "ENTRIES", "KNOWN", "OUTPUT", "PREPARE", "SUBMIT"]

# Who asked may be gone: what was begun is finished without a reader. Whatever ends it, the way out is the usual one.
_IN_SPOOL = """\
set -u
trap : PIPE
trap 'exit 1' HUP INT TERM
umask 077
cd -- "$1" || exit 71
"""

PREPARE = """\
set -u
umask 022
mkdir -p -- "$1" && cd -- "$1" || exit 71
for place in jobs known ended cancelled; do
    [ -d "$place" ] || mkdir -m "$2" "$place" || exit 71
done
for path in ended/* cancelled/*; do
    [ ! -f "$path" ] || [ -d "jobs/${path#*/}" ] || rm -f -- "$path"
done
find jobs -maxdepth 1 -name '.stage-*' -mmin +60 -exec rm -rf {} + 2>/dev/null
true
"""
"""SPOOL MODE: the directories, without what belongs to no job."""

SUBMIT = _IN_SPOOL + """\
account=$2 lanes=$3 silent=$4
shift 4
case $lanes in *0*)
    exec 8>>"jobs/.lock-$account-0" || exit 71
    flock -w 20 8 || exit 75
    ;;
esac
case $lanes in *1*)
    exec 9>>"jobs/.lock-$account-1" || exit 71
    flock -w 20 9 || exit 75
    ;;
esac
stage=$(mktemp -d jobs/.stage-XXXXXX) || exit 74
trap 'rm -rf -- "$stage"' EXIT
tar -xof - -C "$stage" || exit 74
while read -r token handle; do
    { read -r known _ <"known/$token"; } 2>/dev/null || known=
    if [ -n "$known" ]; then
        echo "$token ok $known"
    elif [ -d "jobs/$token" ]; then
        case $handle in
        '?') echo "$token halfway" ;;
        -) echo "$token submit" ;;
        *) echo "$token adopt $handle" ;;
        esac
    elif [ -d "$stage/$token" ]; then
        echo "$token new"
    else
        echo "$token gone"
    fi
done <"$stage/.order" >"$stage/.plan" || exit 74
sed -n 's/ new$//p' "$stage/.plan" | (cd "$stage" && xargs -r sh -c 'exec mv -- "$@" ..' mv) || exit 74
umask 022
deaf=
while read -r token verb handle; do
    case $verb in
    new | submit)
        if [ -n "$deaf" ]; then
            echo "$token later"
        elif "$@" "$PWD/jobs/$token/batch" </dev/null >"$stage/.out" 2>"$stage/.err"; then
            read -r handle <"$stage/.out" || handle=
            if [ -n "$handle" ]; then
                echo "$handle $account" >"known/$token"
                echo "$token ok $handle"
            else
                echo "$token later no job was named"
            fi
        elif grep -Eqi -e "$silent" "$stage/.err"; then
            deaf=1
            echo "$token later $(head -c 600 "$stage/.err" | tr '\\n\\r' '  ')"
        else
            rm -rf -- "jobs/$token"
            echo "$token no $(head -c 600 "$stage/.err" | tr '\\n\\r' '  ')"
        fi
        ;;
    adopt)
        echo "$handle $account" >"known/$token"
        echo "$token ok $handle"
        ;;
    *) echo "$token $verb $handle" ;;
    esac
done <"$stage/.plan"
"""
"""SPOOL ACCOUNT LANES SILENT COMMAND...: hand over what the tar has, in order, one submitter a lane (0, 1) at a time.

`.order` in it has lines "TOKEN HANDLE": HANDLE is `?` if nobody has asked the batch system about the token, `-` if
it was asked and knows no such job, or the job that it knows. A token that has a directory but no handle is `halfway`:
its submitter died in between. The lock passes to COMMAND, so that it is free when that has ended too. SILENT is a
pattern: after such an error nobody else is tried. Prints "TOKEN ok HANDLE", or `no`, `later` with the words of the
batch system, `halfway`, or `gone`.
"""

ENTRIES = _IN_SPOOL + """\
{
    for path in ended/*; do
        [ ! -e "$path" ] || echo "${path#*/}"
    done
    cat
} | while read -r token; do
    { read -r known <"known/$token"; } 2>/dev/null || known=
    { read -r ended <"ended/$token"; } 2>/dev/null || ended=
    marks=
    [ ! -d "jobs/$token" ] || marks=j
    [ ! -e "cancelled/$token" ] || marks=${marks}c
    [ -z "$known$ended$marks" ] || echo "$token|$known|$ended|$marks"
done
"""
"""SPOOL, tokens on standard input: what the spool has of these and of all that ended, "TOKEN|known|ended|marks".

Marks: j, it has a directory; c, it was cancelled.
"""

KNOWN = _IN_SPOOL + """\
for path in jobs/* known/*; do
    [ ! -e "$path" ] || echo "${path#*/}"
done
"""
"""SPOOL: all tokens, some of them twice."""

OUTPUT = _IN_SPOOL + """\
[ ! -f "jobs/$2/output" ] || tail -c "$3" -- "jobs/$2/output"
"""
"""SPOOL TOKEN BYTES: the end of what the wrapper said."""

CANCELLED = _IN_SPOOL + """\
while read -r token; do
    [ ! -d "jobs/$token" ] || [ -e "ended/$token" ] || : >"cancelled/$token" || exit 74
done
"""
"""SPOOL, tokens on standard input: these do not start any more."""

CREDENTIALS = _IN_SPOOL + """\
stage=$(mktemp -d jobs/.stage-XXXXXX) || exit 74
trap 'rm -rf -- "$stage"' EXIT
tar -xof - -C "$stage" || exit 74
while read -r token; do
    [ -d "jobs/$token" ] || continue
    [ ! -e "ended/$token" ] || continue
    for name in proxy token; do
        [ -f "$stage/$name" ] || continue
        if cp -- "$stage/$name" "jobs/$token/.$name"; then
            mv -f -- "jobs/$token/.$name" "jobs/$token/$name"
        elif [ -d "jobs/$token" ]; then
            exit 74
        fi
    done
done <"$stage/.order"
"""
"""SPOOL, a tar with `.order` (tokens) and the credentials: each live job gets them in the place of its own."""

CLEAN = _IN_SPOOL + """\
while read -r token; do
    rm -rf -- "jobs/$token" "known/$token" "ended/$token" "cancelled/$token" 2>/dev/null
done
true
"""
"""SPOOL, tokens on standard input: nothing is left of them that this account may remove."""
