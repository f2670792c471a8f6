"""Settings of a local CE, as they stand in the configuration under its name.

Not here: what they mean to it (backend).
"""

from __future__ import annotations

import msgspec

__all__ = ["LocalSettings", "QueuePolicy"]

_ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}


class QueuePolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Limits of a queue in seconds, 0 for none; they hold for jobs that ask for more or for nothing."""

    max_wall_s: int = 0
    max_cpu_s: int = 0


class LocalSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of one local CE. `environment` is all a payload inherits, beside what its runner adds."""

    spool: str
    slots: int = 1
    host: str = ""
    queues: dict[str, QueuePolicy] = msgspec.field(default_factory=lambda: {"default": QueuePolicy()})
    environment: dict[str, str] = msgspec.field(default_factory=_ENVIRONMENT.copy)
    tags: list[str] = []
    access_rules: list[str] = []
    grace_s: float = 10.0
    poll_s: float = 5.0
    courier: bool = True
    backend: str = "local"
