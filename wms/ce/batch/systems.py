"""The batch systems that are known: a line each, and the factory of the registry for all of them.

Not here: what they have in common (backend), what is their own (their dialects).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from wms.ce.batch.backend import Batch
from wms.ce.batch.dialect import Dialect
from wms.ce.batch.pbs import Pbs
from wms.ce.batch.settings import BatchSettings
from wms.ce.batch.sge import Sge
from wms.ce.batch.slurm import Slurm
from wms.ce.hosts.choice import choose
from wms.errors import ConfigError

__all__ = ["DIALECTS", "make"]

DIALECTS: dict[str, Callable[[str, Sequence[str]], Dialect]] = {
    "pbs": Pbs,
    "sge": Sge,
    "slurm": Slurm,
}
"""Backend of the registry -> its dialect, made of the settings `cluster` and `options`."""


def make(settings: Mapping[str, Any], reactor: Any) -> Batch:
    """The factory of the registry; raises `ConfigError`."""
    try:
        read = msgspec.convert(dict(settings), BatchSettings)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{settings.get('backend', 'batch')} CE: {error}") from None
    if not read.spool.startswith("/") or "\n" in read.spool:
        raise ConfigError(f"{read.backend} CE: spool is not an absolute path: {read.spool!r}")
    dialect = DIALECTS[read.backend](read.cluster, read.options)
    return Batch(read, dialect, choose(read, reactor), reactor)
