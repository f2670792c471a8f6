"""The benches by the name of their backend in the registry: a line each."""

from __future__ import annotations

from benches_local import LOCAL
from ce_bench import Kind

BENCHES: dict[str, Kind] = {
    "local": LOCAL,
}
