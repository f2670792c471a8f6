"""The host that the settings of a CE name: this one, or a login node.

Not here: either of them.
"""

from __future__ import annotations

from typing import Any

from wms.ce.hosts import Host
from wms.ce.hosts.here import ENVIRONMENT, Here
from wms.ce.hosts.settings import HostSettings
from wms.ce.hosts.ssh import REMOTE, Ssh

__all__ = ["choose"]


def choose(settings: HostSettings, reactor: Any) -> Host:
    """To be started before use, and stopped."""
    own = {**({"PATH": settings.path} if settings.path else {}), **settings.environment}
    if settings.ssh is not None:
        return Ssh(reactor, settings.ssh, {**REMOTE, **own}, become=settings.become, at_once=settings.at_once)
    return Here(reactor, {**ENVIRONMENT, **own}, become=settings.become, at_once=settings.at_once)
