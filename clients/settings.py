"""Where the services are and what the defaults are, from options, environment and configuration files.

The files are ClassAds, as the field writes them; the first of a list of places is read. Nothing is contacted.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from clients.errors import FileUnreadable
from wms.errors import BadJobId, ConfigError, WmsError
from wms.jdl.ast import Ad, ListNode, Literal, Node
from wms.jobid import parse_server

NS_PORT = 7772
LB_PORT = 9000
SHARED_STORAGE = "/tmp/jobOutput"  # of all users of a machine
JDL_SECTION = "JdlDefaultAttributes"
DIRECT_DEFAULTS = ("Requirements", "Rank", "RetryCount", "ShallowRetryCount", "MyProxyServer")
USER_CONF = ("GLITE_WMSUI_COMMANDS_CONFIG", "GLITE_WMS_COMMANDS_CONFIG", "GLITE_WMS_CLIENT_CONFIG",
             "GLITE_WMSUI_CONFIG_VAR")
PREFIXES = ("GLITE_WMS_LOCATION", "GLITE_LOCATION")
HINT = "Set WMS_ENDPOINT=https://HOST:PORT, or NSAddresses in the file of --config."


@dataclass(frozen=True, slots=True)
class Place:
    """A service's address."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All a command needs to know beforehand. `vo_from` is the source of `vo` in words; times in seconds."""

    ns: tuple[Place, ...] = ()
    lb: tuple[Place, ...] = ()
    vo: str = ""
    vo_from: str = ""
    jdl_defaults: Ad = field(default_factory=Ad)
    output_storage: str = SHARED_STORAGE
    error_storage: str = "/tmp"
    status_level: int = 1
    logging_level: int = 1
    min_proxy_s: float = 1200.0
    min_token_s: float = 60.0
    delegation: str = ""
    token_issuer: str = ""
    token_client: str = ""
    token_scope: str = ""
    token_audience: str = ""
    request_s: float = 90.0
    files: tuple[str, ...] = ()

    def network_servers(self) -> tuple[Place, ...]:
        """The Network Servers, at least one; ConfigError when none is configured."""
        if not self.ns:
            raise ConfigError("No Network Server is configured.", hint=HINT, files=list(self.files))
        return self.ns

    def bookkeepers(self) -> tuple[Place, ...]:
        """The LB servers to ask where no job id names one."""
        return self.lb or self.network_servers()


def resolve(environment: Mapping[str, str], *, endpoint: str = "", config: Sequence[str] = (), vo: str = "",
            shuffle: random.Random | None = None) -> Settings:
    """Options before environment before files. `config` are the files of --config and --config-vo.

    ConfigError names a file that cannot be used, and every attribute in it with a wrong value.
    """
    paths = list(config) or _from_environment(environment)
    ads = [_read(path) for path in paths]
    vo_name, vo_from = _vo(environment, vo, ads, explicit=bool(config))
    if not config:
        more = [path for path in standard_files(environment, vo_name) if os.path.isfile(path)]
        ads, paths = ads + [_read(path) for path in more], paths + more
        vo_name, vo_from = _vo(environment, vo, ads, explicit=False)
    found = merged(ads)
    ns, lb = _places(environment, endpoint, found)
    order = (shuffle or random.Random()).sample(ns, len(ns))
    return _settings(found, ns=tuple(order), lb=lb, vo=vo_name, vo_from=vo_from, files=tuple(paths))


def standard_files(environment: Mapping[str, str], vo: str) -> list[str]:
    """Where configuration is looked for, the user's before the site's."""
    home, name = environment.get("HOME", ""), vo.lower()
    roots = [environment[prefix] for prefix in PREFIXES if environment.get(prefix)]
    roots += ["/opt/glite", "/usr/local"]
    places = [f"{home}/.glite/{name}/glite_wmsui.conf", f"{home}/.glite/{name}/glite_wms.conf",
              f"/etc/glite-wms/{name}/glite_wmsui.conf"] if name else []
    places += [f"{root}/etc/{name}/glite_wmsui.conf" for root in roots] if name else []
    return [*places, f"{home}/.glite/glite_wmsui_cmd_var.conf", "/etc/glite-wms/glite_wmsui_cmd_var.conf",
            *(f"{root}/etc/glite_wmsui_cmd_var.conf" for root in roots)]


def merged(ads: Iterable[Ad]) -> Ad:
    """One record of several, the first to name an attribute wins; their JDL defaults are merged likewise."""
    found = Ad()
    for ad in ads:
        inner = ad.get("WmsClient")
        flat = inner if isinstance(inner, Ad) else ad
        ours, theirs = found.get(JDL_SECTION), flat.get(JDL_SECTION)
        found = _added(found, flat)
        if isinstance(ours, Ad) and isinstance(theirs, Ad):
            found = found.changed({JDL_SECTION: _added(ours, theirs)})
    return found


def _added(first: Ad, second: Ad) -> Ad:
    return first.changed({name: node for name, node in second.attributes if name not in first})


def _from_environment(environment: Mapping[str, str]) -> list[str]:
    names = [name for name in USER_CONF if environment.get(name)][:1]
    return [environment[name] for name in (*names, "GLITE_WMSUI_CONFIG_VO") if environment.get(name)]


def _read(path: str) -> Ad:
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise FileUnreadable(f"The configuration file {path} cannot be read: {reason}", path=path) from None
    from wms.jdl.parser import parse

    try:
        return parse(text, path)
    except WmsError as error:
        message = error.message.replace("the JDL file", "the configuration file")
        raise ConfigError(message, **error.details) from None


def _vo(environment: Mapping[str, str], option: str, ads: Iterable[Ad], explicit: bool) -> tuple[str, str]:
    """(virtual organisation, where it is from)."""
    if option:
        return option, "from --vo option"
    for ad in ads:
        for name in ("VirtualOrganisation", "DefaultVo"):
            found = text(ad.get(name))
            if found and found != "unspecified":
                return found, "from --config option" if explicit else "from UI conf file"
    name = environment.get("WMS_VO", "")
    return name, "from the environment" if name else ""


def _places(environment: Mapping[str, str], endpoint: str,
            found: Ad) -> tuple[list[Place], tuple[Place, ...]]:
    given = endpoint or environment.get("WMS_ENDPOINT", "")
    ns = [given] if given else texts(found.get("NSAddresses"))
    listed = [] if given else texts(found.get("LBAddresses")) or texts(found.get("LBEndPoints"))
    lb = [environment["WMS_LB"]] if environment.get("WMS_LB") else listed
    return (list(dict.fromkeys(place(item, NS_PORT) for item in ns)),
            tuple(dict.fromkeys(place(item, LB_PORT) for item in lb)))


def place(address: str, default_port: int) -> Place:
    """A place from `https://host:port/...`, `host:port` or `host`; ConfigError when it is none."""
    url = address if "//" in address else f"https://{address}"
    parts = urlsplit(url)
    try:
        host, port = parse_server(parts.netloc.rpartition("@")[2])
    except BadJobId:
        raise ConfigError(f"not an address of a service: {address!r}", hint="https://HOST:PORT") from None
    if parts.scheme != "https":
        raise ConfigError(f"only https is spoken, not {parts.scheme}: {address!r}", hint="https://HOST:PORT")
    bare = parts.netloc.rpartition("]")[2] if "]" in parts.netloc else parts.netloc
    return Place(host, port if ":" in bare else default_port)


def text(node: Node | None) -> str:
    """The string a node is, empty when it is none."""
    return node.value if isinstance(node, Literal) and isinstance(node.value, str) else ""


def texts(node: Node | None) -> list[str]:
    """The strings of a node that is a string or a list (of lists) of strings."""
    if isinstance(node, ListNode):
        return [item for inner in node.items for item in texts(inner)]
    return [text(node)] if text(node) else []


def _settings(found: Ad, **known: Any) -> Settings:
    problems: list[str] = []
    for row in _NUMBERS:
        node = found.get(row.name)
        value = _number(node)
        if value is not None and row.low <= value <= row.high:
            known[row.key] = value * row.unit
        elif node is not None:
            problems.append(f"{row.name} must be a number from {row.low} to {row.high}")
    if problems:
        raise ConfigError("\n".join(problems), files=list(known["files"]))
    known |= {key: text(found.get(name)) for name, key in _TEXTS if text(found.get(name))}
    known |= {key: os.path.expanduser(os.path.expandvars(text(found.get(name))))
              for name, key in _DIRECTORIES if text(found.get(name))}
    return Settings(jdl_defaults=_jdl_defaults(found), **known)


class _Number(NamedTuple):
    name: str
    key: str
    low: int
    high: int
    unit: int | float


_NUMBERS = (
    _Number("DefaultStatusLevel", "status_level", 0, 3, 1),
    _Number("DefaultLoggingLevel", "logging_level", 0, 3, 1),
    _Number("DefaultLogInfoLevel", "logging_level", 0, 3, 1),
    _Number("DefaultProxyValidity", "min_proxy_s", 0, 10_000, 60.0),
    _Number("DefaultTokenValidity", "min_token_s", 0, 10_000, 60.0),
    _Number("RequestTimeout", "request_s", 1, 3600, 1.0),
)
_TEXTS = (("DelegationId", "delegation"), ("TokenIssuer", "token_issuer"), ("TokenClientId", "token_client"),
          ("TokenScope", "token_scope"), ("TokenAudience", "token_audience"))
_DIRECTORIES = (("OutputStorage", "output_storage"), ("ErrorStorage", "error_storage"))


def _number(node: Node | None) -> int | float | None:
    value = node.value if isinstance(node, Literal) else None
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _jdl_defaults(found: Ad) -> Ad:
    """Defaults for job descriptions: the section, then those written beside it as in older files."""
    section = found.get(JDL_SECTION)
    beside = Ad().changed({name: found.get(name) for name in DIRECT_DEFAULTS if name in found})
    return _added(section if isinstance(section, Ad) else Ad(), beside)
