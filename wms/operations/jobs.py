"""The operations of the Network Server: delegation, submission, cancellation, output, and the wrapper's calls."""

from __future__ import annotations

from wms.operations.explain import Clause
from wms.operations.row import Operation, Record, ns

REGISTER_BYTES = 40_000_000
"""Of the registration of a large compound; what counts of it is the description, see ns.max_compound_bytes."""


class File(Record, frozen=True):
    """A sandbox file: `size` in bytes, `sha256` in hexadecimal."""

    name: str
    size: int
    sha256: str


class Empty(Record, frozen=True):
    pass


class Version(Record, frozen=True):
    version: str
    server: str


class Limits(Record, frozen=True):
    """What the service accepts; sizes in bytes, `min_proxy_s` in seconds of remaining lifetime.

    A service that says 0 of compounds has the limits of jobs for them.
    """

    max_file_bytes: int
    max_sandbox_bytes: int
    max_input_files: int
    max_output_files: int
    max_jdl_bytes: int
    min_proxy_s: int
    max_compound_files: int = 0
    max_compound_sandbox_bytes: int = 0


class DelegationRequest(Record, frozen=True):
    csr_pem: str


class DelegationChain(Record, frozen=True):
    """The signed proxy certificate first, then the caller's own chain, PEM."""

    chain_pem: str


class DelegationInfo(Record, frozen=True):
    """A delegated credential of `kind` certificate or token; `subject` is whose it is, `not_after` its first end
    (epoch s), `jobs` how many jobs that are not over need it, `next_renewal` 0 when it cannot be renewed.
    """

    id: str
    subject: str
    not_after: float
    kind: str = "certificate"
    vo: str = ""
    fqans: tuple[str, ...] = ()
    limited: bool = False
    issuer: str = ""
    strength: int = 0
    not_before: float = 0.0
    jobs: int = 0
    next_renewal: float = 0.0


class RegisterRequest(Record, frozen=True):
    """A job to register; `start` submits in one go and is refused while `files` is not empty."""

    jdl: str
    delegation: str
    vo: str = ""
    files: tuple[File, ...] = ()
    start: bool = False


class Registered(Record, frozen=True):
    """`upload` names the files still wanted; `warnings` are sentences for the user."""

    job: str
    upload: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class JobReply(Record, frozen=True):
    job: str
    warnings: tuple[str, ...] = ()


class ListMatchRequest(Record, frozen=True):
    """`explain`: the reply is to have clauses."""

    jdl: str
    vo: str = ""
    explain: bool = False


class Match(Record, frozen=True):
    ce: str
    rank: float


class Check(Record, frozen=True):
    """How many CEs a check saw and how many it refused."""

    check: str
    seen: int
    refused: int


class MatchList(Record, frozen=True):
    """Best rank first; `reason` says why it is empty; `checks` how each check narrowed the set.

    `clauses` tell the same with what each of them costs; `warnings` are sentences about the description.
    """

    ces: tuple[Match, ...]
    reason: str = ""
    checks: tuple[Check, ...] = ()
    clauses: tuple[Clause, ...] = ()
    warnings: tuple[str, ...] = ()


class OutputList(Record, frozen=True):
    """`elsewhere`: by entry of the OutputSandbox, where the wrapper put what is not here; a directory ends with "/"."""

    job: str
    outcome: str
    files: tuple[File, ...]
    elsewhere: dict[str, str] = {}


class PurgeRequest(Record, frozen=True):
    """`received`: the checksum of each output file as the caller has it on disk."""

    received: dict[str, str] = {}


class StartRequest(Record, frozen=True):
    """The wrapper asks for the one start of its attempt; `nonce` is the same in its own repetitions."""

    nonce: str
    node: str
    sequence_code: str


class StartGranted(Record, frozen=True):
    granted: bool
    sequence_code: str


class OutcomeReport(Record, frozen=True):
    """The wrapper's last word: times in seconds, memory in kB; `failure` is empty when the payload ended.

    Bytes and files were copied to and from the node, as sandboxes and as data.

    `nonce` is the one it asked for the start with: the word of any other wrapper does not count.
    """

    exit_code: int = -1
    signal: int = 0
    wall_s: float = 0.0
    cpu_user_s: float = 0.0
    cpu_system_s: float = 0.0
    max_rss_kb: int = 0
    bytes_in: int = 0
    files_in: int = 0
    bytes_out: int = 0
    files_out: int = 0
    notes: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    failure: str = ""
    sequence_code: str = ""
    nonce: str = ""


class EventLogged(Record, frozen=True):
    """An event of the payload is on record; `sequence_code` is the code to hand over to the next."""

    sequence_code: str


ROWS: tuple[Operation, ...] = (
    ns("version", "GET", "/version", "anyone", "Version of the service.", reply=Version),
    ns("openapi", "GET", "/openapi.json", "anyone", "These operations as an OpenAPI document.", reply=dict),
    ns("limits", "GET", "/limits", "anyone", "Limits a client should respect before it uploads.", reply=Limits),
    ns("request_delegation", "POST", "/delegations/{delegation}", "user",
        "A new key here and its signing request; the key never travels.", reply=DelegationRequest, action="delegate"),
    ns("put_delegation", "PUT", "/delegations/{delegation}", "user",
        "The signed proxy for the pending key.", request=DelegationChain, reply=DelegationInfo, action="delegate"),
    ns("delegation", "GET", "/delegations/{delegation}", "user", "One of the caller's delegations.",
        reply=DelegationInfo),
    ns("register", "POST", "/jobs", "user", "Register a job; with `start`, submit it in one go.",
        request=RegisterRequest, reply=Registered, idempotency_key=True, most_bytes=REGISTER_BYTES, action="submit"),
    ns("upload", "PUT", "/jobs/{unique}/input/{name}", "owner", "One input sandbox file.", reply=File,
        stream="up", action="submit"),
    ns("start", "POST", "/jobs/{unique}/start", "owner", "Start a registered job.", reply=JobReply,
        idempotency_key=True, action="submit"),
    ns("cancel", "POST", "/jobs/{unique}/cancel", "owner", "Ask for cancellation.", reply=JobReply,
        idempotency_key=True, action="cancel"),
    ns("list_match", "POST", "/match", "user", "The CEs that match a job description, best first.",
        request=ListMatchRequest, reply=MatchList, action="match"),
    ns("list_output", "GET", "/jobs/{unique}/output", "owner", "The output sandbox files of a job.",
        reply=OutputList),
    ns("output", "GET", "/jobs/{unique}/output/{name}", "owner", "One output sandbox file.", stream="down",
        action="fetch"),
    ns("purge", "POST", "/jobs/{unique}/purge", "owner",
        "Confirm what was received and give the sandbox back; the job becomes Cleared.",
        request=PurgeRequest, reply=JobReply, idempotency_key=True, action="clear"),
    ns("attempt_input", "GET", "/attempts/{unique}/{attempt}/input/{name}", "attempt",
        "One input sandbox file, for the wrapper.", stream="down"),
    ns("attempt_start", "POST", "/attempts/{unique}/{attempt}/start", "attempt",
        "Take the one start of this attempt.", request=StartRequest, reply=StartGranted),
    ns("attempt_output", "PUT", "/attempts/{unique}/{attempt}/output/{name}", "attempt",
        "One output sandbox file, from the wrapper.", reply=File, stream="up"),
    ns("attempt_events", "POST", "/attempts/{unique}/{attempt}/events", "attempt",
        "An event that the payload logs about its job: pairs of name and value, each ended by a null byte. The names "
        "are fields of the event, and event, sequence, instance, host and keep after a colon.",
        reply=EventLogged, stream="up", idempotency_key=True),
    ns("attempt_done", "POST", "/attempts/{unique}/{attempt}/done", "attempt",
        "The outcome of the attempt, from the wrapper.", request=OutcomeReport, reply=Empty),
)
