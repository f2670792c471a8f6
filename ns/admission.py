"""What the Network Server demands of a job description before it takes the job, and what it warns of. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ns.lifetime import needed_s, shortfall
from wms.config import Settings
from wms.errors import Refused, SandboxFileMissing, SandboxPathRefused, SandboxTooLarge
from wms.jdl.described import described
from wms.jdl.description import JobDescription
from wms.operations import File, RegisterRequest
from wms.sandbox import base_name, check_name, is_remote, repeated


@dataclass(frozen=True, slots=True)
class Admitted:
    """A description that passed; `tolerated` are sentences about what was read leniently."""

    description: JobDescription
    vo: str
    tolerated: tuple[str, ...]

    @property
    def my_proxy(self) -> str:
        return self.description.my_proxy_server

    @property
    def submit_to(self) -> str:
        return self.description.submit_to

    def warnings(self, credential_ends: float, now: float) -> tuple[str, ...]:
        """What the user should know; `credential_ends` is that of the delegated proxy (epoch s)."""
        short = shortfall(needed_s(self.description), credential_ends - now, renewable=bool(self.my_proxy))
        return (*self.tolerated, *([short] if short else []))


def admit(body: RegisterRequest, settings: Settings, *, sandbox: bool = True) -> Admitted:
    """The description of a job to take; raises JdlError, JdlInvalid or Refused. `sandbox=False` for questions."""
    limits = settings.ns
    if len(body.jdl.encode()) > limits.max_jdl_bytes:
        raise SandboxTooLarge(f"The job description has more than {limits.max_jdl_bytes} bytes.",
                              limit=limits.max_jdl_bytes)
    description = described(body.jdl)
    if description.job_types != ("Normal",) or description.type != "Job":
        raise Refused(f"Jobs of type {', '.join(description.job_types)} cannot be run by this service.",
                      hint="Submit a job of JobType Normal.", value=list(description.job_types))
    if sandbox:
        _check_sandbox(description, body.files, settings)
        if body.start and body.files:
            raise Refused("A job with input files is started after they were uploaded.",
                          hint="Register without `start`, upload, start.")
    vo = description.virtual_organisation or body.vo or settings.vo
    return Admitted(description, vo, tuple(str(w.message) for w in (*description.ad.warnings, *description.warnings)))


def _check_sandbox(description: JobDescription, files: Sequence[File], settings: Settings) -> None:
    limits = settings.ns
    names = [check_name(file.name) for file in files]
    if twice := repeated(names):
        raise SandboxPathRefused(f"The following file is repeated more than once: '{twice[0]}'.", value=twice)
    if len(names) > limits.max_input_files:
        raise SandboxTooLarge("The maximum number of input sandbox files is reached.", limit=limits.max_input_files)
    wanted = {base_name(entry) for entry in description.input_sandbox if not is_remote(entry)}
    if missing := sorted(wanted - set(names)):
        raise SandboxFileMissing(f"The input sandbox lacks {', '.join(missing)}.", files=missing)
    _check_sizes(files, settings)


def _check_sizes(files: Sequence[File], settings: Settings) -> None:
    limits = settings.ns
    for file in files:
        if not 0 <= file.size <= limits.max_file_bytes:
            raise SandboxTooLarge(f"{file.name} has {file.size} bytes; the limit of one file is "
                                  f"{limits.max_file_bytes}.", value=file.size, limit=limits.max_file_bytes)
    total = sum(file.size for file in files)
    if total > limits.max_sandbox_bytes:
        raise SandboxTooLarge(f"The input sandbox has {total} bytes; the limit is {limits.max_sandbox_bytes}.",
                              value=total, limit=limits.max_sandbox_bytes)
