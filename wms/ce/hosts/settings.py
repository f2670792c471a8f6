"""Settings of where the commands of a CE are run; the settings of its backend extend them.

Not here: what they mean (here, ssh).
"""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = ["Become", "HostSettings", "SshSettings"]

Become = Literal["", "root", "sudo"]
"""How to run as another user: as root who becomes him, by sudo, or not at all."""


class SshSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A login node. `identity` and `known_hosts` are files; without them those of OpenSSH's own configuration count.

    `connect_s`: how long a connection may take to come. `alive_s`: a silent connection is asked so often whether it
    is still there, and given up after three questions.
    """

    host: str
    user: str = ""
    port: int = 22
    identity: str = ""
    known_hosts: str = ""
    connect_s: int = 15
    alive_s: int = 15


class HostSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`become` says how commands are run for an account other than ours. `path` is where commands are looked for.

    `environment` is what else they inherit; `at_once`: how many run at the same time.
    """

    ssh: SshSettings | None = None
    become: Become = ""
    path: str = ""
    environment: dict[str, str] = {}
    at_once: int = 8
