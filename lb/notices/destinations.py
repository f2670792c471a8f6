"""Where notices may be sent: what a destination must look like, and which hosts a web hook may go to.

Pure. Sending is in lb.notices.delivery and its companions.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import ip_address
from typing import NamedTuple
from urllib.parse import urlsplit

from lb.notices.notifications import LONGEST_DESTINATION, STREAM, TOPIC, WEBHOOK
from wms.errors import Refused

HTTPS_PORT = 443
_TOPIC = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*", re.ASCII)
_URL = re.compile(r"[\x21-\x7e]+", re.ASCII)


class Hook(NamedTuple):
    """A web hook: `named` if the administrators list this very host, which may then be anywhere."""

    host: str
    port: int
    named: bool


class Rules(NamedTuple):
    """What this server's settings allow."""

    brokers: Sequence[str]
    topic_prefixes: Sequence[str]
    webhook_hosts: Sequence[str]


def check(destination: str, rules: Rules) -> None:
    """Raises Refused, with the reason, unless notices may go there."""
    if len(destination) > LONGEST_DESTINATION:
        raise Refused("The destination is too long.", limit=LONGEST_DESTINATION)
    if destination.startswith(TOPIC):
        topic(destination, rules)
    elif destination.startswith(WEBHOOK):
        hook(destination, rules.webhook_hosts)
    elif destination != STREAM:
        raise Refused(f"Notices cannot go to '{destination[:200]}'.",
                      hint="Leave it out and fetch them, or give https://HOST/PATH or x-msg://TOPIC.")


def topic(destination: str, rules: Rules) -> str:
    """The topic of an `x-msg://` destination; raises Refused."""
    name = destination.removeprefix(TOPIC)
    if not rules.brokers:
        raise Refused("This server has no message broker.", hint="Its administrators can name one in lb.brokers.")
    if not name.startswith(tuple(rules.topic_prefixes)):
        raise Refused(f"The topic '{name[:200]}' is not allowed here.",
                      hint=f"It begins with {' or '.join(rules.topic_prefixes)}.")
    if _TOPIC.fullmatch(name) is None:
        raise Refused("A topic is made of letters, digits, '-', '_' and dots between them.")
    return name


def hook(destination: str, hosts: Sequence[str]) -> Hook:
    """Host and port of an `https://` destination; raises Refused."""
    try:
        parts = urlsplit(destination)
        host, port = parts.hostname or "", parts.port or HTTPS_PORT
    except ValueError:
        raise Refused("The destination is not a URL.") from None
    if not host or "@" in parts.netloc or parts.fragment or _URL.fullmatch(destination) is None:
        raise Refused("The URL of a web hook has a host, and neither a user nor a fragment.")
    named = host in (allowed.lower() for allowed in hosts)
    if not named and (_is_address(host) or not any(_below(host, allowed.lower()) for allowed in hosts)):
        raise Refused(f"Web hooks may not go to {host[:200]}.",
                      hint="The administrators of this server list the hosts in lb.webhook_hosts.")
    return Hook(host, port, named)


def may_connect(address: str, named: bool) -> bool:
    """May a web hook go to this numeric address? Elsewhere than on the public network only if its host is named."""
    return named or ip_address(address.partition("%")[0]).is_global


def _below(host: str, pattern: str) -> bool:
    return pattern.startswith("*.") and host.endswith(pattern[1:])


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
