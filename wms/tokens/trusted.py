"""The issuers that the configuration trusts: what stands under `tokens.issuers`, checked; all problems at once.

Files with secrets are read by `wms.issuers`.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from wms.identity import canonical_dn
from wms.tokens.discovery import is_https

KEYS = ("vo", "client_id", "client_secret_file")
_VO = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*")


class Trusted(NamedTuple):
    """`url` is the issuer's name; without a client the service can neither exchange nor refresh for itself."""

    url: str
    vo: str
    client_id: str = ""
    client_secret_file: str = ""


def parse(given: Mapping[str, Mapping[str, Any]]) -> tuple[list[Trusted], list[str]]:
    """(issuers, problems): those that are sound, and sentences about the others."""
    found, problems = [], []
    for url, values in given.items():
        wrong = list(_wrong(url, values))
        problems += [f"tokens.issuers.{url}: {problem}" for problem in wrong]
        if not wrong:
            found.append(Trusted(url, **values))
    return found, problems


def _wrong(url: str, values: Mapping[str, Any]) -> list[str]:
    wrong = [f"{key}: unknown" + _near(key) for key in values if key not in KEYS]
    wrong += [f"{key}: expected text, not {type(values[key]).__name__}" for key in KEYS
              if key in values and not isinstance(values[key], str)]
    if wrong:
        return wrong
    if not is_https(url) or "#" in url or "?" in url or canonical_dn(url) != url:
        wrong.append("an issuer is an https URL without ? and #")
    if _VO.fullmatch(values.get("vo", "")) is None:
        wrong.append("vo: the name of the issuer's VO is needed")
    if bool(values.get("client_id")) != bool(values.get("client_secret_file")):
        wrong.append("client_id and client_secret_file go together")
    return wrong


def _near(key: str) -> str:
    near = difflib.get_close_matches(str(key), KEYS, 1)
    return f"; did you mean {near[0]}?" if near else ""
