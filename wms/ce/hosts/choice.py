"""The host that the settings of a CE name: this one, or a login node.

Not here: either of them.
"""

from __future__ import annotations

from typing import Any

from wms.ce.hosts import Host
from wms.ce.hosts.here import ENVIRONMENT, Here
from wms.ce.hosts.settings import HostSettings

__all__ = ["choose"]


def choose(settings: HostSettings, reactor: Any) -> Host:
    """To be started before use, and stopped."""
    path = {"PATH": settings.path} if settings.path else {}
    environment = {**ENVIRONMENT, **path, **settings.environment}
    return Here(reactor, environment, become=settings.become, at_once=settings.at_once)
