"""The benches by the name of their backend in the registry: a line each."""

from __future__ import annotations

from benches_arc import ARC
from benches_condor import CONDOR
from benches_local import LOCAL
from benches_pbs import PBS
from benches_sge import SGE
from benches_slurm import SLURM
from ce_bench import Kind

BENCHES: dict[str, Kind] = {
    "arc": ARC,
    "htcondor": CONDOR,
    "local": LOCAL,
    "pbs": PBS,
    "sge": SGE,
    "slurm": SLURM,
}
