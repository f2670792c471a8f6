# lib.sh - what the scripts that start real components have in common.
# Sourced by NAME.sh; not meant to be run.
#
# Conventions used by every script that sources this file:
#   NAME.sh up DIR     start the component below DIR (installs nothing)
#   NAME.sh down DIR   stop what "up" started; the data stay in DIR
#   * stdout carries only KEY=VALUE lines (source-able by sh), everything
#     else goes to stderr or to log files below DIR;
#   * "up" on a running instance starts nothing and prints the same lines;
#   * "down" on a stopped instance is a successful no-op;
#   * only processes recorded below DIR/run are ever signalled, and only
#     when their kernel start time still matches the recorded one;
#   * give "down" the same environment that "up" got.

set -eu
umask 022
RP_SCRIPTS=$(cd "$(dirname "$0")" && pwd)

say()  { printf '%s: %s\n' "$(basename "$0" .sh)" "$*" >&2; }
die()  { say "ERROR: $*"; exit 1; }
emit() { printf '%s=%s\n' "$1" "$2"; }

# need PROGRAM DEBIAN-PACKAGE: fail early with the package to install.
need() { command -v "$1" >/dev/null 2>&1 || die "$1 not found; install the Debian package $2"; }

# rp_args "$@": parse "up|down DIR" into RP_CMD and an absolute RP_DIR.
rp_args() {
    [ $# -eq 2 ] || die "usage: $(basename "$0") up|down DIR"
    case $1 in up|down) RP_CMD=$1 ;; *) die "usage: $(basename "$0") up|down DIR" ;; esac
    if [ "$RP_CMD" = up ]; then
        mkdir -p "$2"
    elif [ ! -d "$2" ]; then
        exit 0                      # nothing was ever started there
    fi
    RP_DIR=$(cd "$2" && pwd)
    [ "$RP_DIR" != / ] || die "DIR must not be /"
    RP_RUN=$RP_DIR/run
    RP_LOG=$RP_DIR/log
    [ "$RP_CMD" = down ] || mkdir -p "$RP_RUN" "$RP_LOG"
    PATH=$PATH:/usr/sbin:/sbin
    export PATH
}

# proc_start PID: kernel start time (clock ticks), empty when gone or a zombie.
proc_start() {
    # fields after the parenthesised command name: 1=state ... 20=starttime
    sed -e 's/^.*) //' "/proc/$1/stat" 2>/dev/null |
        awk '$1 != "Z" && $1 != "X" { print $20 }'
}

# note_pid NAME PID: record a process for alive() and stop().
note_pid() { printf '%s %s\n' "$2" "$(proc_start "$2")" > "$RP_RUN/$1.proc"; }

# alive NAME: is the recorded process still that process?
alive() {
    [ -s "$RP_RUN/$1.proc" ] || return 1
    read -r _pid _start < "$RP_RUN/$1.proc" || return 1
    [ -n "$_start" ] && [ "$(proc_start "$_pid")" = "$_start" ]
}

# start NAME COMMAND...: run a daemon that stays in the foreground, detached
# in a session of its own, output to DIR/log/NAME.out.
start() {
    _name=$1; shift
    alive "$_name" && return 0
    setsid nohup "$@" </dev/null >>"$RP_LOG/$_name.out" 2>&1 &
    note_pid "$_name" $!
}

# as USER COMMAND...: run a command under another account when we are root.
as() {
    _user=$1; shift
    if [ "$(id -u)" = 0 ] && [ "$_user" != root ]; then
        setpriv --reuid="$_user" --regid="$(id -gn "$_user")" --init-groups -- "$@"
    else
        "$@"
    fi
}

# start_as USER NAME COMMAND...: start() under another account.
start_as() {
    _user=$1; _name=$2; shift 2
    if [ "$(id -u)" = 0 ] && [ "$_user" != root ]; then
        start "$_name" setpriv --reuid="$_user" --regid="$(id -gn "$_user")" \
            --init-groups -- "$@"
    else
        start "$_name" "$@"
    fi
}

# stop NAME [SECONDS] [SIGNAL]: signal, wait, and SIGKILL as the last resort.
stop() {
    alive "$1" || { rm -f "$RP_RUN/$1.proc"; return 0; }
    read -r _pid _start < "$RP_RUN/$1.proc"
    kill -"${3:-TERM}" "$_pid" 2>/dev/null || true
    _n=$(( ${2:-10} * 10 ))
    while [ $_n -gt 0 ] && alive "$1"; do sleep 0.1; _n=$((_n - 1)); done
    if alive "$1"; then
        say "$1 ignored its signal, killing"
        kill -KILL "$_pid" 2>/dev/null || true
    fi
    rm -f "$RP_RUN/$1.proc"
}

# wait_for SECONDS NAME COMMAND...: poll COMMAND until it succeeds; NAME (may
# be "-") is a recorded process whose death ends the wait at once.
wait_for() {
    _end=$(( $(date +%s) + $1 )); _who=$2; shift 2
    until "$@" >/dev/null 2>&1; do
        if [ "$_who" != - ] && ! alive "$_who"; then
            tail -n 20 "$RP_LOG/$_who.out" >&2 2>/dev/null || true
            die "$_who exited while starting, see $RP_LOG"
        fi
        [ "$(date +%s)" -le $_end ] || die "time-out waiting for: $*"
        sleep 0.05
    done
}

# port_open PORT: does something listen on PORT?  Reads the kernel's socket
# table, so it does not disturb the server with an empty connection.
port_open() {
    _hex=$(printf '%04X' "$1")
    cat /proc/net/tcp /proc/net/tcp6 2>/dev/null |
        awk -v p=":$_hex" '$4 == "0A" && substr($2, length($2)-4) == p { f = 1 }
            END { exit !f }'
}

# port_must_be_free PORT: refuse to talk to somebody else's server.
port_must_be_free() {
    if port_open "$1"; then die "port $1 is already in use"; fi
}

# use_ca: make sure a test CA exists and set CA_DIR.  Set CA_DIR in the
# environment to share one CA between components.
use_ca() {
    CA_DIR=${CA_DIR:-$RP_DIR/ca}
    "$RP_SCRIPTS/testca.sh" up "$CA_DIR" >/dev/null
    CA_DIR=$(cd "$CA_DIR" && pwd)
    export CA_DIR
}

# loopback_only: build (once) a library for LD_PRELOAD that turns bind(2) to
# the wildcard address into one to 127.0.0.1, for daemons that have no option
# for the address they listen on; prints its path.
loopback_only() {
    if [ ! -s "$RP_DIR/bindlo.so" ]; then
        command -v cc >/dev/null || die "cc not found; install the Debian packages gcc libc6-dev"
        cat > "$RP_DIR/bindlo.c" <<'C'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
int bind(int fd, const struct sockaddr *sa, socklen_t len)
{
    int (*next)(int, const struct sockaddr *, socklen_t) = dlsym(RTLD_NEXT, "bind");
    struct sockaddr_storage s;
    if (len > sizeof s)
        return next(fd, sa, len);
    memcpy(&s, sa, len);
    if (sa->sa_family == AF_INET) {
        struct sockaddr_in *a = (void *)&s;
        if (a->sin_addr.s_addr == htonl(INADDR_ANY))
            a->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    } else if (sa->sa_family == AF_INET6) {
        struct sockaddr_in6 *a = (void *)&s;
        if (IN6_IS_ADDR_UNSPECIFIED(&a->sin6_addr)) {
            unsigned char *b = a->sin6_addr.s6_addr;  /* ::ffff:127.0.0.1 */
            b[10] = b[11] = 0xff;
            b[12] = 127;
            b[15] = 1;
        }
    }
    return next(fd, (void *)&s, len);
}
C
        cc -shared -fPIC -O2 -o "$RP_DIR/bindlo.so" "$RP_DIR/bindlo.c" -ldl ||
            die "cannot compile bindlo.c; install gcc and libc6-dev"
    fi
    echo "$RP_DIR/bindlo.so"
}
