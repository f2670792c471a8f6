"""Asks an LDAP directory (BDII) for the records of computing and storage. Blocking: it belongs into a thread.

Two searches, each in pages, within one time for all. Not what the records mean (purchasers).
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from wm.supply.purchasers.records import Record, record
from wms.errors import ConfigError, Unavailable

if TYPE_CHECKING:
    from ldap3 import Connection

PAGE = 1_000
MAX_RECORDS = 1_000_000
MAX_BYTES = 1_000_000_000
CLASSES = {"GLUE 1.3": (
    ("GlueCESEBind", "GlueCESEBindGroup", "GlueCluster", "GlueSubCluster", "GlueVOView", "GlueCE"),
    ("GlueSE", "GlueSA", "GlueSEAccessProtocol", "GlueSEControlProtocol")), "GLUE 2": (
    ("GLUE2ComputingService", "GLUE2ComputingEndpoint", "GLUE2ComputingShare", "GLUE2ComputingManager",
     "GLUE2MappingPolicy", "GLUE2AccessPolicy"),
    ("GLUE2ExecutionEnvironment", "GLUE2ApplicationEnvironment", "GLUE2Benchmark", "GLUE2ToStorageService"))}
"""What is searched for, in two portions. Of two directories the first by name has the last word: GLUE 1.3."""
PAGED = "1.2.840.113556.1.4.319"
SUCCESS = 0
MANGLED = (LookupError, TypeError, ValueError, AttributeError)
"""What ldap3 makes of bytes that are no LDAP, beside errors of its own."""


def place(url: str) -> tuple[str, int, str]:
    """(host, port, base) of ldap://host:port/base; raises ConfigError."""
    try:
        found = urlsplit(url)
        host, port = found.hostname, found.port or 2170
    except ValueError:
        host, port = None, 0
    base = unquote(found.path.strip("/")) if host else ""
    if not host or found.scheme != "ldap" or not base:
        raise ConfigError(f"information.bdii: {url!r} is not ldap://host:port/base.", value=url)
    return host, port, base


def schema(url: str) -> str:
    """GLUE 2 below o=glue, else GLUE 1.3."""
    return "GLUE 2" if url.casefold().endswith("o=glue") else "GLUE 1.3"


def ask(url: str, timeout_s: float) -> list[Record]:
    """The records below the URL's base, within `timeout_s`; raises Unavailable, ConfigError for a bad URL."""
    host, port, base = place(url)
    deadline = time.monotonic() + timeout_s
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # ldap3 2.9 uses former names of pyasn1
        from ldap3 import NONE, Connection, Server
        from ldap3.core.exceptions import LDAPException
        from pyasn1.error import PyAsn1Error
    server = Server(host, port, connect_timeout=timeout_s, get_info=NONE)
    connection = Connection(server, receive_timeout=max(1, round(timeout_s)), read_only=True, check_names=False)
    try:
        if not connection.bind():
            raise Unavailable(f"{url} does not let anybody read: {connection.result['description']}.", url=url)
        return [one for names in CLASSES[schema(url)] for one in _search(connection, url, base, names, deadline)]
    except (LDAPException, PyAsn1Error, OSError, *MANGLED) as error:
        raise Unavailable(f"{url} does not answer: {error}.", url=url) from None
    finally:
        if connection.socket is not None:
            connection.socket.close()


def _search(connection: Connection, url: str, base: str, classes: tuple[str, ...],
            deadline: float) -> Iterator[Record]:
    wanted = "(|" + "".join(f"(objectClass={name})" for name in classes) + ")"
    cookie: bytes | None = None
    count = size = 0
    while cookie is None or cookie:
        left = deadline - time.monotonic()
        if left <= 0 or count > MAX_RECORDS or size > MAX_BYTES:
            raise Unavailable(f"{url} did not tell all in time." if left <= 0 else f"{url} tells too much.", url=url)
        connection.search(base, wanted, attributes=["*"], time_limit=max(1, round(left)),
                          paged_size=PAGE, paged_cookie=cookie)
        if connection.result["result"] != SUCCESS:
            raise Unavailable(f"{url} refuses to tell: {connection.result['description']}.", url=url)
        for entry in connection.response or ():
            if one := _record(entry):
                count, size = count + 1, size + sum(map(len, one.values))
                yield one
        cookie = connection.result.get("controls", {}).get(PAGED, {}).get("value", {}).get("cookie", b"")


def _record(entry: dict[str, Any]) -> Record | None:
    """None for what is no entry (a referral)."""
    if entry["type"] != "searchResEntry":
        return None
    return record(entry["dn"], [(name, [text.decode("utf-8", "replace") for text in texts])
                                for name, texts in entry["raw_attributes"].items()])
