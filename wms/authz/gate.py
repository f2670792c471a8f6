"""The gate that every remote operation passes: who calls under which name, and whether the policy lets him.

Reads the policy's file again when it changes; logs and counts refusals. What is allowed is `wms.authz.policy`.
"""

from __future__ import annotations

from wms.identity import Identity
from wms.operations import Operation


class Gate:
    """One for a process."""

    def named(self, identity: Identity) -> Identity:
        """The caller under the name of the owner that the policy gives him."""
        return identity

    def check(self, operation: Operation, identity: Identity | None, peer: str) -> None:
        """Raises Banned, Forbidden, ScopeMissing, Draining."""
