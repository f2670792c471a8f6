"""What a job wrapper is made of: the record of one attempt, with all that a worker node needs to know.

Pure records. Not here: the text of the script (jobadapter.wrapper), nor where the values come from (jobadapter.adapt).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from jobadapter.input_data import Staged
from jobadapter.output_data import Stored
from jobadapter.shell import Word
from wms.jdl.destinations import Destination

__all__ = ["InputFile", "Retry", "Step", "WrapperJob"]


@dataclass(frozen=True, slots=True)
class InputFile:
    """A file of the input sandbox: its place in the working directory and its SHA-256 (hex; "" unchecked).

    `source`: where it is, as an encoded path below the base URL; empty: `input/NAME`.
    """

    name: str
    sha256: str = ""
    size: int = -1
    source: str = ""


@dataclass(frozen=True, slots=True)
class Retry:
    """`count` further tries after the first; `wait_s` before the first of them, then doubled each time."""

    count: int
    wait_s: int


@dataclass(frozen=True, slots=True)
class Step:
    """A program of the user and its arguments. The path follows the rule of `Executable`."""

    path: str
    arguments: Sequence[Word] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WrapperJob:
    """All a worker node needs to know. `base_url`: `https://host:port/.../attempts/<unique>/<n>`.

    `environment`: pairs in order, `$NAME` in a value is expanded, nothing else. Empty stdin, stdout, stderr:
    the null device. `output_sandbox` may hold patterns. `output_limit`: bytes in all, -1 without limit.
    `memory_period_s`: how often resident memory is looked at after a first while, 0 never. `interactive`: standard
    input comes from the user, all output goes there. `perusal_period_s`: how often files that the user names are
    looked at, 0 never; `perusal_bytes`: of what is new the last so many bytes are sent. `broker_info`: the text of
    .BrokerInfo, if the job was matched. `output_data` is stored by the wrapper, the outcome is in the file `report`.
    `bearer`: the payload has an access token, which is fetched anew when half of its life is over, but not more often
    than every `token_least_s` nor less often than every `token_most_s` seconds. `destinations`: by entry of the output
    sandbox, what goes elsewhere or has another name. `proxy`: the job has one, and ends with it. `container`: the image
    the payload runs in, by the rule of `Executable` or a URI; `container_binds`: what more it sees, as its tool wants
    it. `input_data` is copied into the working directory. `software`: repositories of the `vo`, if a node has them.
    """

    job: str
    attempt: int
    base_url: str
    token: str
    ca_pem: str
    executable: str
    arguments: Sequence[Word] = ()
    stdin: str = ""
    stdout: str = ""
    stderr: str = ""
    environment: Sequence[tuple[str, str]] = ()
    input_sandbox: Sequence[InputFile] = ()
    output_sandbox: Sequence[str] = ()
    prologue: Step | None = None
    epilogue: Step | None = None
    sequence_code: str = ""
    cpus: int = 1
    parallel: bool = False
    checkpointable: bool = False
    output_limit: int = -1
    memory_period_s: int = 60
    interactive: bool = False
    perusal_period_s: int = 0
    perusal_bytes: int = 10_000_000
    broker_info: str = ""
    output_data: Sequence[Stored] = ()
    report: str = ""
    destinations: Mapping[str, Destination] = field(default_factory=dict)
    proxy: bool = False
    container: str = ""
    container_binds: Sequence[str] = ()
    input_data: Sequence[Staged] = ()
    vo: str = ""
    software: Sequence[str] = ()
    bearer: bool = False
    token_least_s: int = 30
    token_most_s: int = 1800
    start_retry: Retry = Retry(5, 5)
    input_retry: Retry = Retry(2, 60)
    output_retry: Retry = Retry(6, 300)
