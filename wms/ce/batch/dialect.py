"""What differs from one batch system to another: commands as argument vectors, and pure readers of what they print.

Not here: running them (backend), the files of a job (programs, script), any one system.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import NamedTuple, Protocol

import msgspec

from wms.ce import CeJob, Phase, Usage
from wms.ce.published import QueueFacts

__all__ = ["Dialect", "Listing", "Refusal", "Row", "Said"]


class Row(msgspec.Struct, frozen=True):
    """One job as the batch system lists it. `phase` is QUEUED, RUNNING, HELD or ENDED.

    `reason`: why it is held or did not end by itself, in words; "" where there is nothing to say. `detail` is what
    the system says of an end that its job script should tell better. `cancelled`: somebody took it back. `cpus` in all.
    """

    handle: str
    phase: Phase
    queue: str = ""
    cpus: int = 1
    node: str = ""
    reason: str = ""
    detail: str = ""
    cancelled: bool = False
    exit_status: int | None = None
    usage: Usage | None = None


class Listing(NamedTuple):
    """What a list said, by handle, and the lines of it that nobody understands."""

    rows: Mapping[str, Row]
    odd: Sequence[str] = ()


class Said(NamedTuple):
    """All that a command said, as text, and its exit status."""

    status: int
    stdout: str
    stderr: str


class Refusal(Enum):
    """What is to be thought of a submission that failed. SILENT: the batch system did not answer."""

    FINAL = "the same job would be refused again"
    NOW = "another time, or another CE"
    SILENT = "the batch system does not answer"


class Dialect(Protocol):
    """One batch system. Argument vectors are complete: commands are found by PATH and no shell reads them.

    Handles and tokens that come in were checked (`[A-Za-z0-9_.@\\[\\]-]+`, not beginning with '-'). Everything is pure.
    """

    system: str
    """Its name in GLUE: slurm, pbs, sge ..."""

    variable: str
    """The environment variable of a job that holds its handle."""

    warning: str
    """The signal that tells all processes of a job of its end; "" if it is TERM."""

    silent: Sequence[str]
    """Words, looked for without regard to case, by which a command says that the batch system did not answer."""

    def directives(self, job: CeJob, name: str, log: str) -> list[str]:
        """The lines of the job script that ask for its resources. Words of `job` and the path `log` are quoted here.

        `log` is a file for what the batch system itself says in the job's name.
        """
        ...

    def submit(self) -> list[str]:
        """The path of the job script is appended."""
        ...

    def handle(self, stdout: str) -> str:
        """The handle in what the submit command printed; "" if there is none."""
        ...

    def refusal(self, said: str) -> Refusal:
        """What a failed submission means, by the words on standard error."""
        ...

    def search(self, names: Sequence[str]) -> list[str]:
        """List the jobs that have these names, or any if none is given, whatever their state."""
        ...

    def found(self, stdout: str) -> list[tuple[str, str]]:
        """Of that list, pairs of name and handle."""
        ...

    def listing(self) -> list[str]:
        """List all jobs, of everybody, as far as the batch system remembers them."""
        ...

    def rows(self, stdout: str) -> Listing: ...

    def history(self, handles: Sequence[str]) -> list[str]:
        """Ask the accounts about jobs that are listed no more; empty where there are none."""
        ...

    def past(self, stdout: str) -> Listing: ...

    def cancel(self, handles: Sequence[str]) -> list[list[str]]:
        """Commands, in this order, that end jobs politely first. Handles of jobs that are over are no failure."""
        ...

    def harmless(self, said: Said) -> bool:
        """A cancel that failed only because there was nothing left to cancel."""
        ...

    def facts(self) -> list[list[str]]:
        """Commands that describe the queues."""
        ...

    def queues(self, said: Sequence[str], rows: Mapping[str, Row], most: QueueFacts) -> list[QueueFacts]:
        """What they printed, in order, and all jobs listed -> one record per queue, in the batch system's order.

        `most` has what is the same for all queues: the fields that are not read here are kept.
        """
        ...
