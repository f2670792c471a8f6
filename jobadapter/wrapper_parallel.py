"""The part of a job wrapper for parallel jobs: POSIX sh that finds the hosts of the job and a launcher.

In the text of a wrapper only when its job is parallel. Not here: how many CPUs a CE gave it.
"""

from __future__ import annotations

__all__ = ["PARALLEL", "launched", "prepared"]

PARALLEL = r"""
# --- parallel jobs -------------------------------------------------------------------------------------
wms_hosts() { # the hosts that the batch system gave us, one line a CPU; none: this one alone
    if [ -n "${PBS_NODEFILE:-}" ] && [ -r "$PBS_NODEFILE" ]; then
        cat -- "$PBS_NODEFILE"
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
    elif [ -n "${SLURM_JOB_NODELIST:-}" ] && command -v scontrol >/dev/null 2>&1; then
        scontrol show hostnames "$SLURM_JOB_NODELIST"
    fi
}

wms_parallel() { # launcher and hosts, before the start is taken: another node may have them
    for wms_mpirun in "${GLITE_LOCAL_MPIRUN:-}" mpirun mpiexec mpiexec.hydra; do
        [ -z "$wms_mpirun" ] || ! command -v "$wms_mpirun" >/dev/null 2>&1 || break
        wms_mpirun=''
    done
    [ -n "$wms_mpirun" ] || wms_fatal 'Cannot find mpirun'
    wms_hosts >../ctl/hosts
    sort -u ../ctl/hosts >../ctl/nodes
    wms_count=$(wc -l <../ctl/nodes)
    if [ "$wms_count" -gt 1 ]; then wms_distribute; else : >../ctl/hosts; fi
}

wms_distribute() { # the working directory is to be on every host, unless all of them share it
    [ -z "${MPI_SHARED_HOME:-}" ] || return 0
    while read -r wms_host <&3; do
        case $wms_host in "$wms_node" | "${wms_node%%.*}" | localhost) continue ;; esac
        if ! ssh -n -o BatchMode=yes -- "$wms_host" "mkdir -p '$wms_dir'" </dev/null ||
            ! scp -B -q -r -p -- "$wms_dir/work" "$wms_host:$wms_dir/" </dev/null; then
            wms_fatal 'Cannot copy the working directory to another host'
        fi
    done 3<../ctl/nodes
}
"""


def prepared(parallel: bool) -> list[str]:
    """What comes before the start is taken."""
    return ["wms_parallel"] if parallel else []


def launched(cpus: int) -> list[str]:
    """The command in the positional parameters becomes `cpus` processes of it."""
    return [
        'if [ -s "$wms_dir/ctl/hosts" ]; then set -- -machinefile "$wms_dir/ctl/hosts" "$@"; fi',
        f'set -- "$wms_mpirun" -np {cpus} "$@"',
    ]
