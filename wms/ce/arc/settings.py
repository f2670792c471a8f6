"""Settings of an ARC CE, as they stand in the configuration under its name.

Not here: what they mean to it (backend).
"""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import SplitResult, urlsplit

import msgspec
from msgspec import Meta

from wms.errors import ConfigError

__all__ = ["ArcSettings"]

Seconds = Annotated[float, Meta(gt=0)]
Number = Annotated[int, Meta(gt=0)]


class ArcSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of one ARC CE. `url` is that of its A-REX: https://ce.example.org:443/arex.

    `credential`: whose name the CE gets. `user`: each job comes under the proxy, or else the token, of its owner, and
    a proxy is delegated. `service`: all come under the service's own, which is `certificate` (with `key`, or a proxy
    file) or the token in `token_file`; nothing of it is delegated. In both ways the payload gets its owner's.
    `queues`: those of the CE to be used, [] for all. `environments`: runtime environments that every job asks for.
    `bulk`: jobs in one request; `connections` at a time for each credential, `credentials` with open connections.
    """

    spool: str
    url: str
    host: str = ""
    credential: Literal["user", "service"] = "user"
    ca_dir: str = "/etc/grid-security/certificates"
    certificate: str = ""
    key: str = ""
    token_file: str = ""
    queues: list[str] = []
    environments: list[str] = []
    tags: list[str] = []
    access_rules: list[str] = []
    answer_s: Seconds = 60.0
    connect_s: Seconds = 10.0
    upload_s: Seconds = 120.0
    part_s: Seconds = 5.0
    fresh_s: float = 0.5
    bulk: Number = 100
    connections: Number = 4
    credentials: Number = 50
    backend: str = "arc"

    @property
    def place(self) -> SplitResult:
        return urlsplit(self.url)

    def check(self) -> None:
        """Raises ConfigError for what cannot be used."""
        if self.place.scheme != "https" or not self.place.hostname:
            raise ConfigError(f"arc CE: url is {self.url!r}, not https://HOST:PORT/arex")
        if self.credential == "service" and not (self.certificate or self.token_file):
            raise ConfigError("arc CE: credential is 'service', which needs certificate or token_file")
