#!/bin/sh
# gridengine.sh up|down DIR - a Grid Engine of one host on this machine, with the queues of SGE_QUEUES.
# Packages: gridengine-master gridengine-exec gridengine-client
# Environment:
#   SGE_PORT (17444), SGE_EXEC_PORT (17445)
#   SGE_SLOTS (2)
#   SGE_QUEUES ("default:INFINITY short:00:02:00")   names, each with its h_rt
# Needs root, or it runs jobs of its own account only. "down" ends the jobs, too.
. "$(dirname "$0")/lib.sh"
rp_args "$@"
SGE_ROOT=$RP_DIR/sge SGE_CELL=default
SGE_QMASTER_PORT=${SGE_PORT:-17444} SGE_EXECD_PORT=${SGE_EXEC_PORT:-17445}
export SGE_ROOT SGE_CELL SGE_QMASTER_PORT SGE_EXECD_PORT
LIB=/usr/lib/gridengine HOST=localhost QUEUES=${SGE_QUEUES:-default:INFINITY short:00:02:00} SLOTS=${SGE_SLOTS:-2}

if [ "$RP_CMD" = down ]; then
    if alive qmaster; then
        "$LIB/qdel" -u '*' >/dev/null 2>&1 || true
        "$LIB/qconf" -ke "$HOST" >/dev/null 2>&1 || true
        "$LIB/qconf" -km >/dev/null 2>&1 || true
    fi
    for pid in $(cat "$SGE_ROOT"/spool/*/active_jobs/*/pid 2>/dev/null); do
        grep -qz "^SGE_ROOT=$SGE_ROOT$" "/proc/$pid/environ" 2>/dev/null && kill -KILL "$pid" || true
    done
    stop execd 5 KILL
    stop qmaster 5 KILL
    exit 0
fi
need sge_qmaster gridengine-master
need sge_execd gridengine-exec
[ -x "$LIB/qconf" ] || die "no $LIB/qconf; install the Debian package gridengine-client"

if [ ! -d "$SGE_ROOT" ]; then
    common=$SGE_ROOT/$SGE_CELL/common
    mkdir -p "$common" "$RP_DIR/spooldb" "$RP_DIR/qmaster/job_scripts" "$RP_DIR/bin"
    for part in bin util utilbin lib; do ln -s "/var/lib/gridengine/$part" "$SGE_ROOT/$part"; done
    sed -e "s|^admin_user.*|admin_user $(id -un)|; s|^spooling_method.*|spooling_method classic|" \
        -e "s|^spooling_lib.*|spooling_lib libspoolc|; s|^qmaster_spool_dir.*|qmaster_spool_dir $RP_DIR/qmaster|" \
        -e "s|^spooling_params.*|spooling_params $common;$RP_DIR/qmaster|" \
        /usr/share/gridengine/default-bootstrap > "$common/bootstrap"
    echo "$HOST" > "$common/act_qmaster"
    # the name of this host and that of its address are one
    echo "$HOST $(hostname)" > "$common/host_aliases"
    "$LIB/spoolinit" classic libspoolc "$common;$RP_DIR/qmaster" init >&2
    "$LIB/spooldefaults" configuration /usr/share/gridengine/default-configuration >&2
    "$LIB/spooldefaults" complexes /usr/share/gridengine/util/resources/centry >&2
    "$LIB/spooldefaults" usersets /usr/share/gridengine/util/resources/usersets >&2
    "$LIB/spooldefaults" managers "$(id -un)" >&2
fi

# queue NAME:H_RT, parallel NAME: make one
queue() {
    "$LIB/qconf" -sq | sed -e "s|^qname .*|qname ${1%%:*}|; s|^hostlist .*|hostlist $HOST|; s|^slots .*|slots $SLOTS|" \
        -e "s|^h_rt .*|h_rt ${1#*:}|; s|^load_thresholds .*|load_thresholds NONE|; s|^shell .*|shell /bin/sh|" \
        -e "s|^pe_list .*|pe_list smp|; s|^notify .*|notify 00:00:05|; s|^rerun .*|rerun FALSE|" > "$RP_DIR/queue"
    "$LIB/qconf" -Aq "$RP_DIR/queue" >&2
}
parallel() {
    cat > "$RP_DIR/pe" <<PE
pe_name            $1
slots              999
user_lists         NONE
xuser_lists        NONE
start_proc_args    NONE
stop_proc_args     NONE
allocation_rule    \$pe_slots
control_slaves     FALSE
job_is_first_task  TRUE
urgency_slots      min
accounting_summary FALSE
qsort_args         NONE
PE
    "$LIB/qconf" -Ap "$RP_DIR/pe" >&2
}

ready() { "$LIB/qconf" -sconf global; }
has_load() { "$LIB/qhost" -h "$HOST" | awk -v h="$HOST" '$1 == h && $8 != "-" { ok = 1 } END { exit !ok }'; }

if ! alive qmaster; then
    port_must_be_free "$SGE_QMASTER_PORT"
    SGE_ND=1 start qmaster sge_qmaster
    wait_for 20 qmaster ready
fi
if ! "$LIB/qconf" -sel 2>/dev/null | grep -q .; then
    "$LIB/qconf" -ah "$HOST" >&2 || true
    "$LIB/qconf" -as "$HOST" >&2 || true
    mkdir -p "$SGE_ROOT/spool"
    "$LIB/qconf" -sconf global | sed -e "s|^execd_spool_dir .*|execd_spool_dir $SGE_ROOT/spool|" \
        -e 's|^min_[ug]id .*|min_uid 0|; s|^load_report_time .*|load_report_time 00:00:01|' \
        -e 's|^execd_params .*|execd_params ENABLE_ADDGRP_KILL=true|' \
        -e 's|flush_time=[0-9:]*|flush_time=00:00:01 accounting_flush_time=00:00:00|' > "$RP_DIR/global"
    "$LIB/qconf" -Mconf "$RP_DIR/global" >&2
    "$LIB/qconf" -ssconf | sed -e 's|^schedule_interval .*|schedule_interval 0:0:1|' \
        -e 's|^flush_\(submit\|finish\)_sec .*|flush_\1_sec 1|' \
        -e 's|^load_adjustment_decay_time .*|load_adjustment_decay_time 0:0:0|' \
        -e 's|^weight_urgency .*|weight_urgency 0.0|' > "$RP_DIR/sched"
    "$LIB/qconf" -Msconf "$RP_DIR/sched" >&2
    parallel smp
    for spec in $QUEUES; do queue "$spec"; done
fi
if ! alive execd; then
    SGE_ND=1 start execd sge_execd
fi
wait_for 20 execd has_load
# all queues share the slots of the host
"$LIB/qconf" -rattr exechost complex_values "slots=$SLOTS" "$HOST" >&2

emit SGE_ROOT "$SGE_ROOT"
emit SGE_CELL "$SGE_CELL"
emit SGE_QMASTER_PORT "$SGE_QMASTER_PORT"
emit SGE_EXECD_PORT "$SGE_EXECD_PORT"
emit SGE_BIN "$LIB"
