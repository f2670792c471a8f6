"""The part of a job wrapper for parallel jobs: POSIX sh that finds the hosts of the job and a launcher.

In the text of a wrapper only when its job is parallel. Not here: how many CPUs a CE gave it.
"""

from __future__ import annotations

__all__ = ["PARALLEL", "launched", "prepared"]

PARALLEL = r"""
# --- parallel jobs -------------------------------------------------------------------------------------
wms_hosts() { # the hosts that the batch system gave us, one line a CPU; none: the launcher knows, or this one alone
    if [ -n "$wms_slurm" ]; then
        :
    elif [ -n "${PBS_NODEFILE:-}" ] && [ -r "$PBS_NODEFILE" ]; then
        cat -- "$PBS_NODEFILE"
    elif [ -n "${LSB_DJOB_HOSTFILE:-}" ] && [ -r "$LSB_DJOB_HOSTFILE" ]; then
        cat -- "$LSB_DJOB_HOSTFILE"
    elif [ -n "${LSB_HOSTS:-}" ]; then
        # shellcheck disable=SC2086
        printf '%s\n' $LSB_HOSTS
    elif [ -n "${PE_HOSTFILE:-}" ] && [ -r "$PE_HOSTFILE" ]; then
        while read -r wms_host wms_count _; do
            while [ "$wms_count" -gt 0 ]; do
                printf '%s\n' "$wms_host"
                wms_count=$((wms_count - 1))
            done
        done <"$PE_HOSTFILE"
    fi
}

wms_parallel() { # launcher and hosts, before the start is taken: another node may have them
    wms_slurm=''
    if [ -n "${SLURM_JOB_ID:-}" ] && command -v srun >/dev/null 2>&1; then wms_slurm=srun; fi
    for wms_mpirun in "${GLITE_LOCAL_MPIRUN:-}" mpirun mpiexec mpiexec.hydra "$wms_slurm"; do
        [ -z "$wms_mpirun" ] || ! command -v "$wms_mpirun" >/dev/null 2>&1 || break
        wms_mpirun=''
    done
    [ -n "$wms_mpirun" ] || wms_fatal 'Cannot find mpirun'
    case ${wms_mpirun##*/} in
    srun*) wms_mpi=srun ;;
    *)
        wms_mpi=hydra
        case $("$wms_mpirun" --version 2>&1) in *'Open MPI'* | *OpenRTE*) wms_mpi=open ;; esac
        ;;
    esac
    wms_hosts >../ctl/hosts
    sort -u ../ctl/hosts >../ctl/nodes
    wms_count=$(wc -l <../ctl/nodes)
    if [ -n "$wms_slurm" ]; then wms_count=${SLURM_JOB_NUM_NODES:-1}; fi
    if [ "$wms_count" -gt 1 ]; then wms_distribute; else : >../ctl/hosts; fi
}

wms_distribute() { # the working directory is to be on every host, unless all of them share it
    [ -z "${MPI_SHARED_HOME:-}" ] || return 0
    wms_scattered=1
    if [ -n "$wms_slurm" ]; then
        # shellcheck disable=SC2016
        tar -cf - -C "$wms_dir" work bin | wms_everywhere '
            if [ -d "$1" ]; then cat >/dev/null; exit 0; fi
            umask 077 && mkdir -p "$1" && tar -xf - -C "$1" && : >"$1/copied"
        ' || wms_fatal 'Cannot copy the working directory to another host'
        return
    fi
    while read -r wms_host <&3; do
        wms_stranger || continue
        if ! ssh -n -o BatchMode=yes -- "$wms_host" "mkdir -p '$wms_dir'" </dev/null ||
            ! scp -B -q -r -p -- "$wms_dir/work" "$wms_host:$wms_dir/" </dev/null; then
            wms_fatal 'Cannot copy the working directory to another host'
        fi
    done 3<../ctl/nodes
}

wms_stranger() { # is wms_host another host than this?
    case $wms_host in "$wms_node" | "${wms_node%%.*}" | localhost) return 1 ;; esac
}

wms_everywhere() { # sh text: once on each host of the allocation, with the directory as its argument
    srun --nodes="$SLURM_JOB_NUM_NODES" --ntasks="$SLURM_JOB_NUM_NODES" --ntasks-per-node=1 --export=ALL --quiet \
        sh -c "$1" sh "$wms_dir"
}

wms_collect() { # what was copied to other hosts is removed
    wms_scattered=''
    if [ -n "$wms_slurm" ]; then
        # shellcheck disable=SC2016
        wms_everywhere '[ ! -e "$1/copied" ] || rm -rf -- "$1"' </dev/null >/dev/null 2>&1
        return
    fi
    while read -r wms_host <&3; do
        wms_stranger || continue
        ssh -n -o BatchMode=yes -- "$wms_host" "rm -rf -- '$wms_dir'" </dev/null >/dev/null 2>&1
    done 3<"$wms_dir/ctl/nodes"
}
"""

_CARRIED = ("X509_USER_PROXY", "X509_CERT_DIR", "BEARER_TOKEN_FILE", "GLITE_WMS_JOBID", "EDG_WL_JOBID",
            "GLITE_WMS_SEQUENCE_CODE", "EDG_WL_SEQUENCE_CODE", "GLITE_WMS_LOG_DESTINATION", "GLITE_WMS_CPU_NUMBER",
            "GLITE_WMS_RB_BROKERINFO", "EDG_WL_RB_BROKERINFO", "PATH")
"""Variables that Open MPI brings to other hosts only when told to; other launchers bring all."""


def prepared(parallel: bool) -> list[str]:
    """What comes before the start is taken."""
    return ["wms_parallel"] if parallel else []


def launched(cpus: int) -> list[str]:
    """The command in the positional parameters becomes `cpus` processes of it."""
    return [
        "case $wms_mpi in",
        f'srun) set -- "$wms_mpirun" --ntasks={cpus} --export=ALL --input=0 --kill-on-bad-exit=1 "$@" ;;',
        "open)",
        f"    for wms_name in {' '.join(_CARRIED)}; do",
        '        if env | grep -q "^$wms_name="; then set -- -x "$wms_name" "$@"; fi',
        "    done",
        '    if [ -s "$wms_dir/ctl/hosts" ]; then',
        '        set -- -machinefile "$wms_dir/ctl/hosts" "$@"',
        "    else",
        '        set -- --oversubscribe "$@"',
        "    fi",
        f'    set -- "$wms_mpirun" -np {cpus} "$@"',
        "    ;;",
        "*)",
        '    if [ -s "$wms_dir/ctl/hosts" ]; then set -- -machinefile "$wms_dir/ctl/hosts" "$@"; fi',
        f'    set -- "$wms_mpirun" -np {cpus} "$@"',
        "    ;;",
        "esac",
    ]
