"""The table of settings: one YAML file becomes one frozen record, and every problem in it is reported at once.

The structs below are the table: name, type, default and description of each key; `etc/wms.yaml`, the reference
page and `wmsd config show` are generated from them. Not a place for logic: no setting reads another.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args, get_origin

import msgspec
import yaml
from msgspec import Meta

from wms.errors import ConfigError


def _about(text: str) -> Any:
    return Meta(description=text)


Seconds = Annotated[float, Meta(ge=0)]
Count = Annotated[int, Meta(ge=0)]


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A group of settings."""


class Tls(Section, frozen=True, kw_only=True):
    """Certificates of this host, PEM files."""

    certificate: Annotated[str, _about("host certificate (and chain)")] = "/etc/grid-security/hostcert.pem"
    key: Annotated[str, _about("private key of the host certificate, mode 0600")] = "/etc/grid-security/hostkey.pem"
    ca_dir: Annotated[str, _about("directory of trusted CAs, hashed layout; with *.r0 revocation lists and "
                                  "*.signing_policy")] = "/etc/grid-security/certificates"
    crl: Annotated[str, _about("revocation lists: required (of each CA, not older than it says), checked (where there "
                               "is one), ignored")] = "checked"
    signing_policy: Annotated[str, _about("signing policies of CAs: required, checked (where there is one), "
                                          "ignored")] = "checked"
    reload_s: Annotated[Seconds, _about("changes of ca_dir and vomsdir are noticed after this long")] = 30.0
    legacy_proxies: Annotated[bool, _about("accept proxies from before RFC 3820 too (CN=proxy)")] = False
    vomsdir: Annotated[str, _about("directory of VO/HOST.lsc: who may sign VOMS attributes")] = \
        "/etc/grid-security/vomsdir"
    vomses: Annotated[tuple[str, ...], _about("files or directories that name VOMS servers, asked again at "
                                              "renewal")] = ("/etc/vomses",)


class Tokens(Section, frozen=True, kw_only=True):
    """Tokens of the WLCG profile."""

    issuers: Annotated[dict[str, dict[str, Any]],
                       _about("trusted issuers by URL: {vo: NAME, client_id: ID, client_secret_file: PATH}; the client "
                              "is for exchange and refresh, without it delegated tokens are not renewed")] = {}
    audiences: Annotated[tuple[str, ...], _about("what `aud` of a token may be; empty: https://HOST:PORT of this "
                                                 "service; the profile's `any` is accepted too")] = ()
    keys_s: Annotated[Seconds, _about("the keys of an issuer are fetched again after this long")] = 3600.0
    keys_keep_s: Annotated[Seconds, _about("and are used this long while the issuer does not answer")] = 86_400.0
    skew_s: Annotated[Seconds, _about("how wrong clocks may be")] = 60.0
    timeout_s: Annotated[Seconds, _about("longest wait for an issuer's answer")] = 15.0
    job_s: Annotated[Seconds, _about("a running job gets a new token when less than this remains")] = 900.0


class Ns(Section, frozen=True, kw_only=True):
    """Network Server."""

    listen: Annotated[str, _about("address:port of its HTTPS service")] = "0.0.0.0:7772"
    max_file_bytes: Annotated[Count, _about("limit of one sandbox file")] = 10_000_000
    max_sandbox_bytes: Annotated[Count, _about("limit of a whole input sandbox")] = 10_000_000
    max_input_files: Annotated[Count, _about("most files in an input sandbox")] = 100
    max_compound_files: Annotated[Count, _about("most files in the input sandbox of a compound")] = 10_000
    max_compound_sandbox_bytes: Annotated[Count, _about("limit of the whole input sandbox of a compound")] = 100_000_000
    max_output_files: Annotated[Count, _about("most files in an output sandbox")] = 100
    max_output_bytes: Annotated[Count, _about("limit of a whole output sandbox")] = 100_000_000
    max_jdl_bytes: Annotated[Count, _about("limit of the description of one job")] = 1_000_000
    max_compound_bytes: Annotated[Count, _about("limit of the description of a collection or DAG")] = 16_000_000
    max_nodes: Annotated[Count, _about("most nodes of a collection, parametric job or DAG")] = 1_000_000
    max_partitions: Annotated[Count, _about("most parts a partitionable job is split into")] = 100
    max_perusal_files: Annotated[Count, _about("most files of a job that are read while it runs")] = 15
    min_perusal_s: Annotated[Seconds, _about("shortest period of perusal; a shorter one is raised")] = 5.0
    max_perusal_bytes: Annotated[Count, _about("most bytes kept of one file that is read while it grows")] = 10_000_000
    max_session_bytes: Annotated[Count, _about("most bytes kept of each stream of an interactive job")] = 50_000_000
    max_checkpoint_bytes: Annotated[Count, _about("limit of a saved state of a checkpointable job")] = 65_536
    max_checkpoints: Annotated[Count, _about("most saved states of a job; the oldest go")] = 100
    min_proxy_s: Annotated[Seconds, _about("least remaining lifetime of a proxy at submission")] = 300.0
    short_credentials: Annotated[Literal["warn", "refuse"],
                                 _about("a credential that cannot be renewed and ends before the job may: warn or "
                                        "refuse")] = "warn"
    max_delegations: Annotated[Count, _about("most delegated credentials of one user")] = 100
    register_timeout_s: Annotated[Seconds, _about("a job registered but not started is aborted after this")] = 86_400.0
    output_keep_s: Annotated[Seconds, _about("an output nobody fetched is purged after this")] = 604_800.0
    list_match_timeout_s: Annotated[Seconds, _about("longest wait for the matchmaker's answer")] = 60.0
    idempotency_keep_s: Annotated[Seconds, _about("how long a repeated call gets the first answer")] = 172_800.0


class Wm(Section, frozen=True, kw_only=True):
    """Workload Manager."""

    expiry_s: Annotated[Seconds, _about("a job that never matched is aborted after this")] = 86_400.0
    max_retry_count: Annotated[Count, _about("site limit of deep resubmissions")] = 10
    max_shallow_retry_count: Annotated[Count, _about("site limit of shallow resubmissions")] = 10
    requirements: Annotated[str, _about("ClassAd expression ANDed to every job's Requirements; empty: built in")] = ""
    lazy: Annotated[bool, _about("jobs wait here for a free slot instead of queueing at a computing element")] = False
    lazy_vos: Annotated[tuple[str, ...], _about("VOs whose jobs wait for a free slot whatever `lazy` says")] = ()
    settle_s: Annotated[Seconds, _about("a computing element's word on free slots may be this much older than it "
                                        "seems: longer is safer, shorter fills slots sooner")] = 15.0
    priorities: Annotated[dict[str, int], _about("priority by VO or FQAN; the highest goes first, others have 0")] = {}
    shares: Annotated[dict[str, float], _about("weight of a VO in the fair share; others have 1")] = {}
    half_life_s: Annotated[Seconds, _about("after this long past use counts half in the fair share")] = 86_400.0
    quotas: Annotated[dict[str, int], _about("most jobs placed at once: `vo:NAME`, `user:DN`, `ce:ID`, and `vo:*`, "
                                             "`user:*`, `ce:*` for each that is not named")] = {}
    max_idle_nodes: Annotated[Count, _about("most nodes of one compound that wait for a match at once")] = 1000
    site_faults: Annotated[Count, _about("most attempts of a job lost to the infrastructure; they are not "
                                         "counted as the user's")] = 20
    black_hole_failures: Annotated[Count, _about("fast failures in a row that set a computing element aside for "
                                                 "such jobs")] = 10
    black_hole_fast_s: Annotated[Seconds, _about("a failure is fast when its attempt lasted less than this")] = 300.0
    black_hole_rest_s: Annotated[Seconds, _about("how long a black hole rests before one job tries it, doubled "
                                                 "each time")] = 900.0
    short_credentials: Annotated[Literal["warn", "abort"],
                                 _about("the same at each match: warn (an event) or abort")] = "warn"
    replan: Annotated[bool, _about("move jobs with EnableWmsFeedback out of queues in which they are stuck")] = True
    replan_after_s: Annotated[Seconds, _about("a job is stuck when it has been queued this long")] = 3600.0
    max_replans: Annotated[Count, _about("most times a job is moved")] = 5
    decisions_bytes: Annotated[Count, _about("room for the inputs of decisions, which can be replayed")] = 100_000_000


class Information(Section, frozen=True, kw_only=True):
    """Information Supermarket."""

    files: Annotated[tuple[str, ...], _about("files of computing and storage elements: YAML, JSON or LDIF")] = ()
    bdii: Annotated[tuple[str, ...], _about("directories to ask: ldap://host:2170/o=grid (GLUE 1.3), "
                                            "ldap://host:2170/o=glue (GLUE 2)")] = ()
    cric: Annotated[tuple[str, ...], _about("files or https URLs of a CRIC-like JSON of queues")] = ()
    bdii_s: Annotated[Seconds, _about("period of asking directories and CRIC")] = 240.0
    bdii_timeout_s: Annotated[Seconds, _about("longest wait for a directory's answer")] = 60.0
    black_list: Annotated[tuple[str, ...], _about("CE ids to ignore; * stands for any text")] = ()
    catalogues: Annotated[dict[str, dict[str, Any]],
                          _about("data catalogues by name: {kind: static, file: PATH} or {kind: dli or rucio, "
                                 "url: URL, vos: [NAME]}")] = {}
    catalogue_timeout_s: Annotated[Seconds, _about("longest wait for a catalogue's answer")] = 30.0
    catalogue_keep_s: Annotated[Seconds, _about("how long replicas of a file are remembered")] = 300.0
    measured_half_life_s: Annotated[Seconds, _about("after this long a time in the queue, or an end, that was seen "
                                                    "here counts half")] = 3600.0
    measured_least: Annotated[Count, _about("so many jobs that were seen to begin at a computing element weigh as much "
                                            "as its published EstimatedResponseTime, and fewer nothing; 0: what is "
                                            "published stands")] = 10
    refresh_s: Annotated[Seconds, _about("period of asking files and computing elements")] = 10.0
    ttl_s: Annotated[Seconds, _about("a record not refreshed for this long is dropped")] = 300.0


class JobAdapter(Section, frozen=True, kw_only=True):
    """Job Adapter."""

    ns_url: Annotated[str, _about("https URL of the NS as worker nodes see it; empty: from host and ns.listen")] = ""
    capability_s: Annotated[Seconds, _about("lifetime of an attempt's capability token")] = 1_209_600.0
    copy_retries: Annotated[Count, _about("how often the wrapper repeats a transfer")] = 15
    copy_first_wait_s: Annotated[Count, _about("seconds before the first repetition, doubled up to a minute")] = 1
    memory_period_s: Annotated[Count, _about("longest time between two looks at a payload's memory; 0: none")] = 60
    software: Annotated[dict[str, list[str]],
                        _about("CVMFS repositories by VO; the first that a node has is its VO_<VO>_SW_DIR")] = {}
    untaken_s: Annotated[Seconds, _about("a job whose CE does not answer for so long is matched again; one that a "
                                         "limit keeps back waits six times as long")] = 600.0
    reconcile_s: Annotated[Seconds, _about("period of comparing what CEs hold with what they should")] = 3600.0


class LogMonitor(Section, frozen=True, kw_only=True):
    """Log Monitor."""

    poll_s: Annotated[Seconds, _about("period of asking a CE about all its jobs while something changes there")] = 5.0
    poll_most_s: Annotated[Seconds, _about("longest period, while nothing changes; a CE may set its own")] = 60.0
    report_grace_s: Annotated[Seconds, _about("how long the wrapper's own report may lag behind the CE's end")] = 5.0
    lost_after_s: Annotated[Seconds, _about("an attempt the CE does not know for this long has failed")] = 60.0
    held_after_s: Annotated[Seconds, _about("an attempt the CE keeps back for this long has failed; 0: at "
                                            "once")] = 300.0
    removal_s: Annotated[Seconds, _about("a payload that was to be killed and goes on is killed again "
                                         "after this")] = 300.0
    removal_retries: Annotated[Count, _about("how often; then its job ends without it")] = 3


class Lb(Section, frozen=True, kw_only=True):
    """Logging & Bookkeeping."""

    listen: Annotated[str, _about("address:port of its HTTPS service")] = "0.0.0.0:9000"
    address: Annotated[str, _about("host:port in job ids; empty: host and the port of lb.listen")] = ""
    max_jobs: Annotated[Count, _about("most jobs in one answer")] = 10_000
    max_wait_s: Annotated[Seconds, _about("longest wait of a status query for news")] = 60.0
    max_events: Annotated[Count, _about("most events in one answer")] = 100_000
    index_rule: Annotated[str, _about("who must ask by an indexed attribute: everybody, users (not administrators), "
                                      "nobody")] = "everybody"
    policy: Annotated[str, _about("file of the policy: who may do which of the 12 actions; empty: built in")] = ""
    super_users: Annotated[tuple[str, ...], _about("DNs of administrators, besides the policy")] = ()
    grey_jobs: Annotated[bool, _about("keep events of others about jobs that nobody has registered yet")] = False
    exclusive_zombies: Annotated[bool, _about("refuse the exclusive registration of a purged job")] = True
    feed_s: Annotated[Seconds, _about("age of the oldest job in a feed")] = 3600.0
    statistics: Annotated[str, _about("who sees counters and statistics: everybody, administrators")] = "everybody"
    dump_dir: Annotated[str, _about("directory of dumps and purged jobs; empty: state_dir/lb")] = ""
    purge_cleared_s: Annotated[Seconds, _about("age at which a Cleared job may be purged")] = 259_200.0
    purge_aborted_s: Annotated[Seconds, _about("age at which an Aborted job may be purged")] = 604_800.0
    purge_cancelled_s: Annotated[Seconds, _about("age at which a Cancelled job may be purged")] = 604_800.0
    purge_other_s: Annotated[Seconds, _about("age at which any other job may be purged")] = 2_678_400.0
    purge_period_s: Annotated[Seconds, _about("how often the server purges by itself; 0: never")] = 0.0
    notify_s: Annotated[Seconds, _about("validity of a notification that asks for none")] = 7200.0
    notify_max_s: Annotated[Seconds, _about("longest validity of a notification")] = 86_400.0
    brokers: Annotated[tuple[str, ...], _about("message brokers: stomp://user:password@host:61613 or "
                                               "amqp://user:password@host:5672/vhost")] = ()
    topic_prefixes: Annotated[tuple[str, ...], _about("how the topic of a notification may begin")] = ("grid.emi.",)
    webhook_hosts: Annotated[tuple[str, ...], _about("hosts that web hooks may go to, *.example.org for all below; "
                                                     "empty: none")] = ()


class Interlogger(Section, frozen=True, kw_only=True):
    """Interlogger: ships the events that were spooled on this host."""

    spool: Annotated[str, _about("directory of the spool; empty: state_dir/lb-spool")] = ""
    scan_s: Annotated[Seconds, _about("how often the spool is looked through")] = 60.0
    retry_s: Annotated[Seconds, _about("longest pause before a server is tried again")] = 60.0
    parallel: Annotated[Count, _about("connections to a server at the same time")] = 4
    batch: Annotated[Count, _about("most events in one request")] = 500
    quarantine_after_s: Annotated[Seconds, _about("events no server takes go aside after this")] = 2_592_000.0


class ProxyRenewal(Section, frozen=True, kw_only=True):
    """Proxy Renewal."""

    period_s: Annotated[Seconds, _about("how often due renewals are looked for")] = 60.0
    lifetime_s: Annotated[Seconds, _about("lifetime asked of MyProxy")] = 36_000.0
    timeout_s: Annotated[Seconds, _about("longest duration of one renewal")] = 60.0
    parallel: Annotated[Count, _about("renewals at the same time")] = 8
    myproxy: Annotated[tuple[str, ...], _about("MyProxy servers tried after the one of the job, host or "
                                               "host:port")] = ()
    myproxy_hosts: Annotated[tuple[str, ...], _about("MyProxy servers that jobs may name, *.example.org for all below; "
                                                     "empty: any")] = ()
    grace_s: Annotated[Seconds, _about("a job ends Aborted this long after its credential ended")] = 60.0


class Settings(Section, frozen=True, kw_only=True):
    """Everything."""

    host: Annotated[str, _about("public name of this host; must be in the host certificate")] = "localhost"
    vo: Annotated[str, _about("virtual organisation of users who name none")] = ""
    state_dir: Annotated[str, _about("directory for sandboxes, credentials and spools")] = "/var/lib/wms"
    database: Annotated[str, _about("SQLAlchemy URL; empty: SQLite in state_dir")] = ""
    seal_key: Annotated[str, _about("file of at least 32 random bytes that seals credentials at rest; empty: the "
                                    "credential wms-seal.key of systemd if there is one, else not sealed")] = ""
    policy: Annotated[str, _about("file of the policy: who may do what (etc/policy.yaml); empty: everybody who is "
                                  "known may do all with what is his")] = ""
    tls: Tls = Tls()
    tokens: Tokens = Tokens()
    ns: Ns = Ns()
    wm: Wm = Wm()
    information: Information = Information()
    jobadapter: JobAdapter = JobAdapter()
    logmonitor: LogMonitor = LogMonitor()
    lb: Lb = Lb()
    interlogger: Interlogger = Interlogger()
    proxyrenewal: ProxyRenewal = ProxyRenewal()
    ce: Annotated[dict[str, dict[str, Any]],
                  _about("computing elements by name: {backend: local, requests_per_minute: 30, ...settings of "
                         "every CE and of that backend}")] = {}

    def database_url(self) -> str:
        return self.database or f"sqlite:///{self.state_dir}/wms.sqlite"

    def lb_address(self) -> tuple[str, int]:
        """(host, port) for job ids."""
        host, port = split_address(self.lb.address or f"{self.host}:{split_address(self.lb.listen)[1]}")
        return host, port

    def ns_url(self) -> str:
        """Where worker nodes find the Network Server."""
        return self.jobadapter.ns_url or f"https://{self.host}:{split_address(self.ns.listen)[1]}"


ENVIRONMENT_PREFIX: Final = "WMS_"
_ADDRESS = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^:\s]+):(\d{1,5})")


def split_address(text: str) -> tuple[str, int]:
    """"host:port" as (host, port)."""
    found = _ADDRESS.fullmatch(text)
    if found is None or int(found[2]) > 65535:
        raise ConfigError(f"'{text}' is not host:port.", value=text)
    return found[1], int(found[2])


@cache
def every_setting() -> tuple[tuple[str, str, Any, str], ...]:
    """(key, type, default, description) of each setting, in the order of the table."""
    return tuple((section + item.name, _type_name(item.type), _default(item), _description(item.type))
                 for section, struct in _sections() for item in _fields(struct) if not _is_section(item.type))


_fields = cache(msgspec.structs.fields)


def _default(item: msgspec.structs.FieldInfo) -> Any:
    return item.default_factory() if item.default_factory is not msgspec.NODEFAULT else item.default


def _sections() -> Iterator[tuple[str, type[Section]]]:
    yield "", Settings
    for item in _fields(Settings):
        if _is_section(item.type):
            yield item.name + ".", item.type


def _is_section(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Section)


def _description(kind: Any) -> str:
    texts = [m.description for m in get_args(kind)[1:] if isinstance(m, Meta) and m.description]
    return texts[0] if texts else ""


def _type_name(kind: Any) -> str:
    while get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    return "str" if get_origin(kind) is Literal else str(getattr(kind, "__name__", kind))


def parse(text: str, environment: Mapping[str, str] = {}, origin: str = "configuration") -> Settings:
    """Settings from YAML text and WMS_SECTION_KEY variables; raises ConfigError naming every problem."""
    try:
        tree = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        raise ConfigError(f"{origin}: not YAML: {error}") from None
    if not isinstance(tree, dict):
        raise ConfigError(f"{origin}: the top level must be keys and values.")
    problems: list[str] = []
    settings: Settings = _section(Settings, _with_environment(tree, environment, problems), "", problems)
    if problems:
        raise ConfigError("\n".join(f"{origin}: {problem}" for problem in problems), problems=problems)
    return settings


def _with_environment(tree: dict[str, Any], environment: Mapping[str, str], problems: list[str]) -> dict[str, Any]:
    merged = {key: dict(value) if isinstance(value, dict) else value for key, value in tree.items()}
    for key, kind, _default_value, _text in every_setting():
        variable = ENVIRONMENT_PREFIX + key.upper().replace(".", "_")
        if variable in environment:
            section, _, name = key.rpartition(".")
            if section and merged.get(section) is None:
                merged[section] = {}
            target = merged[section] if section else merged
            try:
                value = environment[variable] if kind == "str" else yaml.safe_load(environment[variable])
            except yaml.YAMLError:
                problems.append(f"{variable}: not YAML: {environment[variable]!r}")
                continue
            if isinstance(target, dict):
                target[name] = value
    return merged


def _section(struct: type[Section], tree: Any, prefix: str, problems: list[str]) -> Any:
    if tree is None:  # a section whose keys are all commented out
        return struct()
    if not isinstance(tree, dict):
        problems.append(f"{prefix.rstrip('.')}: expected keys and values, not {tree!r}")
        return struct()
    known = {item.name: item for item in _fields(struct)}
    values: dict[str, Any] = {}
    for key, value in tree.items():
        if key not in known:
            near = difflib.get_close_matches(str(key), known, 1)
            problems.append(f"{prefix}{key}: unknown setting" + (f"; did you mean {near[0]}?" if near else ""))
        elif _is_section(known[key].type):
            values[key] = _section(known[key].type, value, f"{prefix}{key}.", problems)
        else:
            try:
                values[key] = msgspec.convert(value, known[key].type)
            except msgspec.ValidationError as error:
                problems.append(f"{prefix}{key}: {error} (value {value!r})")
    return struct(**values)


def load(path: str | None, environment: Mapping[str, str]) -> Settings:
    """Settings from a file (None: defaults and environment only)."""
    if path is None:
        return parse("", environment)
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(f"Cannot read the configuration {path}: {why}.") from None
    return parse(text, environment, origin=path)


def template() -> str:
    """`etc/wms.yaml`: every key commented with its meaning, its type and its default."""
    lines = ["# Settings of WMS, each with its default. Generated: wmsd config template", ""]
    section = ""
    for key, kind, default, text in every_setting():
        head, _, name = key.rpartition(".")
        if head != section:
            lines += ["", f"{head}:"]
            section = head
        value = msgspec.json.encode(default).decode()
        lines += [f"{'  ' if head else ''}# {text} ({kind})", f"{'  ' if head else ''}{name}: {value}"]
    return "\n".join(lines) + "\n"
