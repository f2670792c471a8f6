#!/bin/sh
# slurm.sh up|down DIR - one Slurm cluster with several pseudo nodes.
# Packages: munge slurmctld slurmd slurm-client slurm-wlm-basic-plugins
#   SLURM_DBD=1:  slurmdbd slurm-wlm-mysql-plugin mariadb-server
# Needs root (jobs run as their submitter), but neither systemd nor cgroups.
# Several clusters may run side by side: give each its own DIR, SLURM_CLUSTER
# and SLURM_PORT.  Clients need nothing but SLURM_CONF in the environment.
# DIR must be searchable by the users that submit.
# Environment:
#   SLURM_CLUSTER (test)  cluster name
#   SLURM_PORT            of slurmctld
#   SLURM_NODE_PORTS      one for each pseudo node
#   SLURM_DBD_PORT, MARIADB_PORT            with SLURM_DBD=1
#   SLURM_CPUS (8)        of each node
#   SLURM_PARTITIONS ("short:10 long:600")  NAME:MAXMINUTES, first is default
#   SLURM_DBD (0)         1: with slurmdbd, that is with sacct
#   SLURM_MINJOBAGE (300) seconds that ended jobs stay visible to squeue
#   SLURM_SCHEDULER (sched/backfill)        sched/builtin: strictly first come first served
#   SLURM_KILLWAIT (2)    seconds from TERM to KILL
. "$(dirname "$0")/lib.sh"
rp_args "$@"
CLUSTER=${SLURM_CLUSTER:-test}
PORT=${SLURM_PORT:?}
NODE_PORTS=${SLURM_NODE_PORTS:?}
NODES=$(echo "$NODE_PORTS" | wc -w)
CPUS=${SLURM_CPUS:-8}
PARTITIONS=${SLURM_PARTITIONS:-short:10 long:600}
DBD=${SLURM_DBD:-0}
DBD_PORT=${SLURM_DBD_PORT:-0}
HOST=$(hostname -s)
SOCK=$RP_RUN/munge.sock
SLURM_CONF=$RP_DIR/slurm.conf
export SLURM_CONF
unset SLURM_JWT || true             # it would replace munge in the commands below

if [ "$RP_CMD" = down ]; then
    if alive slurmctld; then        # end the jobs, else their steps linger
        timeout 10 scancel --full --quiet --state=RUNNING,SUSPENDED 2>/dev/null || true
        _i=50
        while [ $_i -gt 0 ] && [ -n "$(timeout 10 squeue -h -t R,CG -o %i 2>/dev/null)" ]; do
            sleep 0.1; _i=$((_i - 1))
        done
    fi
    for f in "$RP_RUN"/slurmd-*.proc; do
        [ ! -e "$f" ] || stop "$(basename "$f" .proc)"
    done
    stop slurmctld 20
    stop slurmdbd 20
    stop munged
    [ ! -d "$RP_DIR/mariadb" ] || "$RP_SCRIPTS/mariadb.sh" down "$RP_DIR/mariadb"
    exit 0
fi

[ "$(id -u)" = 0 ] || die "must run as root"
need munged munge
need slurmctld slurmctld
need slurmd slurmd
need sbatch slurm-client

# -- munge: a private instance, so the system's one is left alone -------------
if ! alive munged; then
    [ ${#SOCK} -lt 104 ] || die "DIR is too long for a unix socket: $SOCK"
    if [ ! -s "$RP_DIR/munge.key" ]; then
        (umask 077; head -c 128 /dev/urandom > "$RP_DIR/munge.key")
    fi
    chmod 755 "$RP_RUN"
    rm -f "$SOCK" "$SOCK.lock"
    # --force: accept that parent directories (such as /tmp) are writable
    start munged munged --foreground --force --num-threads=2 --socket="$SOCK" \
        --key-file="$RP_DIR/munge.key" --pid-file="$RP_RUN/munged.pid" \
        --seed-file="$RP_DIR/munge.seed" --log-file="$RP_LOG/munged.log"
fi
wait_for 10 munged munge -n -S "$SOCK"

# -- accounting ----------------------------------------------------------------
if [ "$DBD" = 1 ]; then
    need slurmdbd slurmdbd
    eval "$(MARIADB_PORT=$MARIADB_PORT "$RP_SCRIPTS/mariadb.sh" up "$RP_DIR/mariadb")"
    mariadb -S "$MARIADB_SOCKET" -u root -e "
        CREATE DATABASE IF NOT EXISTS slurm_acct;
        CREATE USER IF NOT EXISTS 'slurm'@'127.0.0.1' IDENTIFIED BY 'slurm';
        GRANT ALL ON slurm_acct.* TO 'slurm'@'127.0.0.1';"
    (umask 077; cat > "$RP_DIR/slurmdbd.conf" <<CONF
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort=$DBD_PORT
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$SOCK
PidFile=$RP_RUN/slurmdbd.pid
LogFile=$RP_LOG/slurmdbd.log
CommunicationParameters=NoInAddrAny
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort=$MARIADB_PORT
StorageUser=slurm
StoragePass=slurm
StorageLoc=slurm_acct
CONF
    )
    # AccountingStoragePass is no password here, but where slurmdbd's clients
    # look for munge's socket (they ignore AuthInfo)
    ACCOUNTING="AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort=$DBD_PORT
AccountingStoragePass=$SOCK
JobCompType=jobcomp/none"
else
    # (readable by all, but "sacct -c" opens it for writing: root only)
    : >> "$RP_LOG/jobcomp.txt"
    ACCOUNTING="AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/filetxt
JobCompLoc=$RP_LOG/jobcomp.txt"
fi

# -- slurm.conf ----------------------------------------------------------------
if ! alive slurmctld; then
    mkdir -p "$RP_DIR/state"
    {
        cat <<CONF
ClusterName=$CLUSTER
SlurmctldHost=$HOST(127.0.0.1)
SlurmctldPort=$PORT
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$SOCK
CredType=cred/munge
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
StateSaveLocation=$RP_DIR/state
SlurmdSpoolDir=$RP_DIR/spool-%n
SlurmctldPidFile=$RP_RUN/slurmctld.pid
SlurmdPidFile=$RP_RUN/slurmd-%n.pid
SlurmctldLogFile=$RP_LOG/slurmctld.log
SlurmdLogFile=$RP_LOG/slurmd-%n.log
# no cgroups: follow processes through /proc, no CPU binding
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=5
MpiDefault=none
SwitchType=switch/none
# trust the CPU and memory figures below, whatever the machine really has
SlurmdParameters=config_overrides
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=${SLURM_SCHEDULER:-sched/backfill}
SchedulerParameters=batch_sched_delay=0,bf_interval=5
ReturnToService=2
KillWait=${SLURM_KILLWAIT:-2}
EnforcePartLimits=ALL
MessageTimeout=5
MinJobAge=${SLURM_MINJOBAGE:-300}
MaxJobCount=20000
$ACCOUNTING
CONF
        i=1
        for port in $NODE_PORTS; do
            echo "NodeName=n$i NodeHostname=$HOST NodeAddr=127.0.0.1" \
                "Port=$port CPUs=$CPUS RealMemory=4000"
            i=$((i + 1))
        done
        default=YES
        for p in $PARTITIONS; do
            echo "PartitionName=${p%%:*} Nodes=ALL Default=$default" \
                "MaxTime=${p#*:} State=UP"
            default=NO
        done
    } > "$SLURM_CONF"
fi

# -- daemons -------------------------------------------------------------------
if [ "$DBD" = 1 ] && ! alive slurmdbd; then
    port_must_be_free "$DBD_PORT"
    start slurmdbd slurmdbd -D
    wait_for 30 slurmdbd port_open "$DBD_PORT"
    wait_for 30 slurmdbd timeout 10 sacctmgr -n -i list cluster
    [ -n "$(sacctmgr -n list cluster "$CLUSTER")" ] ||
        sacctmgr -i add cluster "$CLUSTER" >/dev/null
fi
if ! alive slurmctld; then
    port_must_be_free "$PORT"
    start slurmctld slurmctld -D
    wait_for 30 slurmctld port_open "$PORT"
fi
i=1
for port in $NODE_PORTS; do
    if ! alive "slurmd-n$i"; then
        port_must_be_free "$port"
        mkdir -p "$RP_DIR/spool-n$i"
        start "slurmd-n$i" slurmd -D -N "n$i"
    fi
    i=$((i + 1))
done
all_up() {      # no asterisk: the node answers; "comp" is on its way to idle
    [ "$(timeout 10 sinfo -h -N -o '%N %t' | sort -u | grep -cE ' (idle|mix|alloc|comp)$')" = "$NODES" ]
}
wait_for 60 slurmd-n1 all_up

emit SLURM_CONF "$SLURM_CONF"
emit SLURM_CLUSTER "$CLUSTER"
emit SLURMCTLD "127.0.0.1:$PORT"
if [ "$DBD" = 1 ]; then
    emit SLURMDBD "127.0.0.1:$DBD_PORT"
else
    emit SLURM_JOBCOMP "$RP_LOG/jobcomp.txt"
fi
