#!/bin/sh
# demo-slurm.sh DIR [COMMAND...] - start a Slurm cluster below DIR, run `wms demo` on it, or COMMAND with the variable
# WMS_CES naming the file of its computing element; stop the cluster. Needs root, and the packages of slurm.sh.
#   PYTHON (python3)   whose environment has WMS
set -eu
here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-python3}
mkdir -p "$1"
dir=$(cd "$1" && pwd)
shift
# shellcheck disable=SC2046
set -- $("$python" - <<'PORTS'
import socket
found = [socket.socket() for _ in range(3)]
for one in found:
    one.bind(("127.0.0.1", 0))
print(*(one.getsockname()[1] for one in found))
PORTS
) "$@"
export SLURM_CLUSTER=demo SLURM_PARTITIONS="main:60" SLURM_PORT="$1" SLURM_NODE_PORTS="$2 $3"
shift 3
chmod 755 "$dir"
trap 'sh "$here/slurm.sh" down "$dir/slurm"' EXIT
trap 'exit 1' INT TERM
sh "$here/slurm.sh" up "$dir/slurm" >"$dir/slurm.out"
SLURM_CONF=$dir/slurm/slurm.conf
export SLURM_CONF
cat >"$dir/ce.yaml" <<CES
cluster:
  backend: slurm
  spool: $dir/spool
  queues: [main]
  environment: {SLURM_CONF: $SLURM_CONF}
CES
WMS_CES=$dir/ce.yaml
export WMS_CES
sinfo
if [ $# -gt 0 ]; then
    "$@"
else
    "$(dirname "$(command -v "$python")")/wms" demo --dir "$dir/suite" --ce "$WMS_CES"
fi
