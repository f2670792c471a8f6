"""What the Network Server demands of a job description before it takes the job, and what it warns of. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ns.checkpoint_state import initial
from wms.config import Settings
from wms.errors import Refused, SandboxFileMissing, SandboxPathRefused, SandboxTooLarge
from wms.jdl.ast import Warned, node
from wms.jdl.compounds import Compound, understood
from wms.jdl.described import described
from wms.jdl.description import JobDescription
from wms.jdl.plausible import doubts
from wms.jdl.unparse import unparse
from wms.lifetime import needed_s
from wms.myproxy import may_ask, server_address
from wms.operations import File, RegisterRequest
from wms.sandbox import base_name, check_name, is_remote, repeated

MOST_NAMED = 20
MOST_CHARACTERS = 255


class Room(NamedTuple):
    """How much an input sandbox may hold."""

    files: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Admitted:
    """A job or compound that passed; `jdl` is its text, `tolerated` are sentences about what was read leniently."""

    description: JobDescription | Compound
    vo: str
    tolerated: tuple[str, ...]
    jdl: str

    @property
    def compound(self) -> Compound | None:
        return self.description if isinstance(self.description, Compound) else None

    @property
    def my_proxy(self) -> str:
        return self.description.my_proxy_server

    @property
    def submit_to(self) -> str:
        """The CE a single job is pinned to; that of a node is looked at when it is matched."""
        return self.description.submit_to if isinstance(self.description, JobDescription) else ""

    @property
    def doubts(self) -> tuple[str, ...]:
        """What no CE will ever fulfil: of a compound, what its first node asks for."""
        return tuple(dict.fromkeys(one.message for one in doubts(self._one)))

    @property
    def _one(self) -> JobDescription:
        return described(self.description.jdl(0)) if isinstance(self.description, Compound) else self.description

    @property
    def needed_s(self) -> float:
        """How long its credential should live; of a compound, what its first node says."""
        return needed_s(self._one)

    def warnings(self) -> tuple[str, ...]:
        """What the user should know."""
        return (*self.tolerated, *self.doubts)


def admit(body: RegisterRequest, settings: Settings, vo: str = "") -> Admitted:
    """A job or compound to take; raises JdlError, JdlInvalid or Refused. `vo` is that of the caller's credential.

    A partitionable job says into how many parts it falls, see `wms.jdl.compounds.partition`.
    """
    found = _understood(body.jdl, settings)
    if isinstance(found, Compound):
        _check_nodes(found, settings)
        wanted = set(found.input_sandbox)
    else:
        _check_state(found)
        wanted = {base_name(entry) for entry in found.input_sandbox if not is_remote(entry)}
    _check_sandbox(wanted, body.files, _room(found, settings), settings)
    if body.start and body.files:
        raise Refused("A job with input files is started after they were uploaded.",
                      hint="Register without `start`, upload, start.")
    return _admitted(found, body, settings, vo)


def admit_question(body: RegisterRequest, settings: Settings, vo: str = "") -> Admitted:
    """A single job that only asks where it could run; raises JdlError, JdlInvalid or Refused."""
    found = _understood(body.jdl, settings)
    if isinstance(found, Compound):
        raise Refused("Operation permitted only for normal job: a compound has no destination of its own.",
                      hint="Ask for one of its nodes.")
    return _admitted(found, body, settings, vo)


def _admitted(found: JobDescription | Compound, body: RegisterRequest, settings: Settings, of_caller: str) -> Admitted:
    """The VO of the caller's credential counts before the one that is asked for, this before the description's."""
    described_vo = found.virtual_organisation
    vo = of_caller or body.vo or described_vo or settings.vo
    _check_text("the virtual organisation", vo)
    if of_caller and described_vo not in ("", of_caller, body.vo):
        raise foreign_vo(described_vo, of_caller)
    _check_text("MyProxyServer", found.my_proxy_server)
    _check_my_proxy(found.my_proxy_server, settings)
    warned: Sequence[Warned] = tuple(dict.fromkeys((*found.ad.warnings, *found.warnings)))
    ignored = [f"The VO {body.vo} is ignored: the credential is of {vo}."] if body.vo not in ("", vo) else []
    jdl = body.jdl if described_vo in ("", vo) else unparse(found.ad.changed({"VirtualOrganisation": node(vo)}))
    return Admitted(found, vo, (*(warning.message for warning in warned), *ignored), jdl)


def foreign_vo(jdl: str, credential: str) -> Refused:
    return Refused(f"Jdl VirtualOrganisation attribute ({jdl}) is different from delegated Proxy Virtual Organisation "
                   f"({credential})", value=jdl, hint="Leave it out, or use a credential of that VO.")


def _check_my_proxy(server: str, settings: Settings) -> None:
    """An address, of a server that the site lets jobs name."""
    hosts = settings.proxyrenewal.myproxy_hosts
    if server and not may_ask(server_address(server)[0], hosts):
        raise Refused(f"MyProxyServer {server} is not one that jobs may name here.", value=server,
                      hint=f"One of {', '.join(hosts)}.")


def _check_text(what: str, value: str) -> None:
    if len(value) > MOST_CHARACTERS or "\0" in value:
        raise Refused(f"The name of {what} has more than {MOST_CHARACTERS} characters, or NUL among them.",
                      limit=MOST_CHARACTERS)


def _understood(jdl: str, settings: Settings) -> JobDescription | Compound:
    limits, size = settings.ns, len(jdl.encode())
    if size > max(limits.max_compound_bytes, limits.max_jdl_bytes):
        raise _too_long(limits.max_compound_bytes)
    found = understood(jdl)
    limit = limits.max_compound_bytes if isinstance(found, Compound) else limits.max_jdl_bytes
    if size > limit:
        raise _too_long(limit)
    return found


def _too_long(limit: int) -> SandboxTooLarge:
    return SandboxTooLarge(f"The job description has more than {limit} bytes.", limit=limit)


def _check_state(found: JobDescription) -> None:
    """The state a checkpointable job is to begin with came from a user's file."""
    if "Checkpointable" in found.job_types:
        initial(found)


def _check_nodes(found: Compound, settings: Settings) -> None:
    most = settings.ns.max_nodes
    if found.number > most:
        raise Refused(f"The compound has {found.number} nodes; the limit is {most}.", value=found.number, limit=most)


def _room(found: JobDescription | Compound, settings: Settings) -> Room:
    limits = settings.ns
    if isinstance(found, Compound):
        return Room(limits.max_compound_files, limits.max_compound_sandbox_bytes)
    return Room(limits.max_input_files, limits.max_sandbox_bytes)


def _check_sandbox(wanted: set[str], files: Sequence[File], room: Room, settings: Settings) -> None:
    names = [check_name(file.name) for file in files]
    if twice := repeated(names):
        raise SandboxPathRefused(f"The following file is repeated more than once: '{twice[0]}'.", value=twice)
    if len(names) > room.files:
        raise SandboxTooLarge("The maximum number of input sandbox files is reached.", limit=room.files)
    if missing := sorted(wanted - set(names)):
        rest = len(missing) - MOST_NAMED
        shown = ", ".join(missing[:MOST_NAMED]) + (f" and {rest} more" if rest > 0 else "")
        raise SandboxFileMissing(f"The input sandbox lacks {shown}.", files=missing[:MOST_NAMED])
    _check_sizes(files, settings.ns.max_file_bytes, room.bytes)


def _check_sizes(files: Sequence[File], most: int, most_together: int) -> None:
    for file in files:
        if not 0 <= file.size <= most:
            raise SandboxTooLarge(f"{file.name} has {file.size} bytes; the limit of one file is {most}.",
                                  value=file.size, limit=most)
    total = sum(file.size for file in files)
    if total > most_together:
        raise SandboxTooLarge(f"The input sandbox has {total} bytes; the limit is {most_together}.",
                              value=total, limit=most_together)
