"""Where the commands of a batch system are run: this host, or a login node over one persistent SSH connection.

What crosses here is argument vectors and bytes, never a line for a shell to read. Not here: which commands.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

__all__ = ["Completed", "Host"]


class Completed(NamedTuple):
    """A command that ended: its exit status (128 + n: by signal n) and all it said, as far as was allowed."""

    status: int
    stdout: bytes
    stderr: bytes


class Host(Protocol):
    """Raises `Unavailable` when a command cannot be started, gives no answer in time or says more than is allowed."""

    async def run(self, argv: Sequence[str], stdin: bytes = b"", *, timeout_s: float = 60.0, account: str = "",
                  most: int = 16_000_000) -> Completed:
        """Run a command to its end: `argv[0]` is found by PATH. `account`: as this local user, "" as we are.

        `most`: bytes it may say.
        """
        ...

    async def start(self) -> None: ...

    async def stop(self) -> None: ...
