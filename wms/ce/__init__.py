"""What a computing element is to us: the records that cross the seam, the `Backend` protocol, the registry.

A backend is a folder (`local`, `batch`, `arc`, `condor`) and a line in `BACKENDS`; `guard` stands before each of them,
`check` and `checking` try it. For backends: `hosts` (commands), `watching` (directories), `ledger`, `accounts`,
`published` and `glue2`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from enum import StrEnum
from importlib import import_module
from typing import Any, Protocol, TypeAlias

import msgspec

from wms.errors import ConfigError

__all__ = ["BACKENDS", "Backend", "CeJob", "CeState", "Factory", "Later", "Phase", "Rejected", "Submitted", "Usage",
           "load"]


class Phase(StrEnum):
    """Where a payload stands at its CE. HELD: the CE keeps it back until somebody acts, `reason` says why.

    LOST: the CE does not know the token.
    """

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    HELD = "HELD"
    ENDED = "ENDED"
    LOST = "LOST"


class CeJob(msgspec.Struct, frozen=True):
    """One submission. `token` ([A-Za-z0-9_-]+) is ours and makes it idempotent; a limit of 0 means none.

    `proxy` (PEM) and `bearer` (an access token) are the credentials of the payload, empty for none: it finds the paths
    of their files in X509_USER_PROXY and BEARER_TOKEN_FILE.
    `cpus` in all, on `hosts` hosts (0: as it comes) with at least `smp` CPUs each (0: as it comes); `whole_nodes`:
    nobody else on them. `owner` is the name the job is accounted to (a DN), with its `vo` and `fqans` in order: what
    a site maps to an account.
    """

    token: str
    job: str
    script: str
    queue: str
    proxy: bytes = b""
    wall_s: int = 0
    cpu_s: int = 0
    memory_mb: int = 0
    cpus: int = 1
    hosts: int = 0
    smp: int = 0
    whole_nodes: bool = False
    bearer: bytes = b""
    owner: str = ""
    vo: str = ""
    fqans: tuple[str, ...] = ()


class Usage(msgspec.Struct, frozen=True):
    """What the CE accounted for a payload that ended; 0 is unknown."""

    wall_s: float = 0.0
    cpu_s: float = 0.0
    max_rss_kb: int = 0


class CeState(msgspec.Struct, frozen=True):
    """What the CE says of one token. `exit_status` is the wrapper's, 128 + n when signal n ended it.

    None with ENDED: the CE does not know it, `reason` says why. `usage` comes with ENDED, where the CE keeps accounts.
    """

    token: str
    phase: Phase
    handle: str = ""
    exit_status: int | None = None
    node: str = ""
    reason: str = ""
    usage: Usage | None = None


class Submitted(msgspec.Struct, frozen=True):
    """The CE has it, now or since an earlier call with the same token; `handle` is its own name of it."""

    token: str
    handle: str


class Rejected(msgspec.Struct, frozen=True):
    """The CE will not take it; `permanent` tells whether the same job would be refused again."""

    token: str
    reason: str
    permanent: bool


class Later(msgspec.Struct, frozen=True):
    """Not now, for no fault of the job's or the CE's: a limit is reached. It may be asked again after `wait_s`."""

    token: str
    reason: str
    wait_s: float = 15.0


class Backend(Protocol):
    """A kind of computing element. Any method may raise `Unavailable` when the CE does not answer."""

    async def submit(self, jobs: Sequence[CeJob]) -> Sequence[Submitted | Rejected | Later]:
        """One verdict per job, in order. The same token again never starts a second payload."""
        ...

    async def status(self, tokens: Collection[str]) -> dict[str, CeState]:
        """One bulk query; every token asked for is in the answer, an unknown one as LOST."""
        ...

    async def cancel(self, tokens: Collection[str]) -> None:
        """End whole process groups. Idempotent; the state becomes ENDED, maybe after the return."""
        ...

    async def clean(self, tokens: Collection[str]) -> None:
        """Forget the tokens and remove their files; a live payload is cancelled first."""
        ...

    async def renew(self, tokens: Collection[str], proxy: bytes, bearer: bytes = b"") -> None:
        """Replace the credential files of each live job, atomically; an empty one stays as it is."""
        ...

    async def output(self, token: str) -> str:
        """The wrapper's stdout and stderr, at most the last 64 KiB; empty for an unknown token."""
        ...

    async def known(self) -> list[str]:
        """All tokens of this service that the CE holds, sorted, never those of others: for reconciliation."""
        ...

    async def describe(self) -> list[dict[str, Any]]:
        """GLUE 1.3 attributes, one record per queue (a CE in the sense of GLUE)."""
        ...

    def watch(self, wake: Callable[[], None]) -> None:
        """Call `wake()` in the reactor thread when some state may have changed; it may come without need."""
        ...

    async def start(self) -> None: ...

    async def stop(self) -> None:
        """Let go of the CE; payloads go on."""
        ...


Factory: TypeAlias = Callable[[Mapping[str, Any], Any], Backend]
"""`factory(settings, reactor)`: the settings of one CE as configured, and the reactor to live on."""

BACKENDS: dict[str, str] = {
    "arc": "wms.ce.arc.backend:make",
    "htcondor": "wms.ce.condor.backend:make",
    "local": "wms.ce.local.backend:make",
    "pbs": "wms.ce.batch.systems:make",
    "sge": "wms.ce.batch.systems:make",
    "slurm": "wms.ce.batch.systems:make",
}


def load(name: str) -> Factory:
    """The factory of the backend `name` of the registry; raises `ConfigError` for an unknown one."""
    try:
        module, _, attribute = BACKENDS[name].partition(":")
    except KeyError:
        hint = f"known: {', '.join(sorted(BACKENDS))}"
        raise ConfigError(f"no CE backend is called {name!r}", hint=hint) from None
    factory: Factory = getattr(import_module(module), attribute)
    return factory
