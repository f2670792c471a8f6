"""What a handler is given and what it may answer, and the table of handlers that a service searches.

Not the service itself (wms.httpd): nothing here touches a connection.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import IO, Any
from urllib.parse import unquote

import msgspec
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from wms.authz.gate import Gate
from wms.authz.relations import Reach
from wms.callers import Callers, Chains, NoChains, NoTokens, Tokens
from wms.capability import Capability
from wms.errors import NotFound, Unauthenticated, WrongMethod
from wms.identity import Identity
from wms.operations import OPERATIONS, Operation
from wms.streaming import StreamReply

_PLACES = {name: number for number, name in enumerate(OPERATIONS)}


@dataclass(frozen=True, slots=True)
class Page:
    """A reply that is not JSON; `headers` (name, value) besides those that every reply has.

    `error` is the code of the refusal that it tells, for the log.
    """

    body: bytes
    content_type: str = "text/html; charset=utf-8"
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    error: str = ""


@dataclass(frozen=True, slots=True)
class FileReply:
    """A reply that is the content of a file; `sha256` (hex) goes into the Digest header when known."""

    path: str
    size: int
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """One request: who calls, with which path parameters, query, decoded body, key, or open upload.

    `question` is what stands after the `?` as it was written, for queries whose form is not that of parameters;
    `last_event` the id of the last event of a stream that was lost. `jobs`: whose the policy lets the caller do this
    with; `drained`: nothing new is taken from him. `bearer` is the token he called with, empty without one.
    """

    operation: Operation
    params: Mapping[str, str]
    query: Mapping[str, str]
    identity: Identity | None
    chain: tuple[Any, ...]
    capability: Capability | None
    body: Any
    key: str
    content: IO[bytes]
    length: int
    digest: str
    accept: str
    peer: str
    question: str = ""
    last_event: str = ""
    jobs: Reach = Reach.OWN
    drained: bool = False
    bearer: str = field(default="", repr=False)

    @property
    def user(self) -> Identity:
        """The caller; Unauthenticated when there is none."""
        if self.identity is None:
            raise Unauthenticated("This operation needs a client certificate, a proxy or a token.",
                                  hint="Make a proxy (wms proxy init) or get a token (wms login).")
        return self.identity


Reply = msgspec.Struct | dict[str, Any] | Page | FileReply | StreamReply
Handler = Callable[[Call], Awaitable[Reply]]


@dataclass(frozen=True, slots=True)
class Route:
    operation: Operation
    pattern: re.Pattern[str]
    handler: Handler


@dataclass(slots=True)
class Router:
    """All operations served at one address; `secret` verifies capability tokens.

    `most_bytes` is the longest JSON body of those that have a limit of their own.
    """

    clock: IReactorTime
    log: Logger
    secret: bytes
    max_upload: int
    routes: list[Route] = field(default_factory=list)
    gate: Gate = field(default_factory=Gate)
    served: int = 0
    most_bytes: int = 0
    chains: Chains = field(default_factory=NoChains)
    tokens: Tokens = field(default_factory=NoTokens)
    callers: Callers = field(init=False)

    def __post_init__(self) -> None:
        self.callers = Callers(self.clock, self.gate, self.chains, self.tokens)

    def mount(self, handlers: Mapping[str, Handler]) -> None:
        """Serve these operations too. Of several paths that fit a request the first in the table counts."""
        self.routes += [Route(OPERATIONS[name], _pattern(OPERATIONS[name].path), handler)
                        for name, handler in handlers.items()]
        self.most_bytes = max([self.most_bytes, *(OPERATIONS[name].most_bytes for name in handlers)])
        self.routes.sort(key=lambda route: _PLACES[route.operation.name])

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]]:
        """The route of a request and its decoded path parameters; NotFound or WrongMethod otherwise."""
        methods: list[str] = []
        for route in self.routes:
            found = route.pattern.fullmatch(path)
            if found is not None:
                params = {name: unquote(value) for name, value in found.groupdict().items()}
                if any("\0" in value for value in params.values()):
                    break
                if method == route.operation.method or (method == "HEAD" and route.operation.method == "GET"):
                    return route, params
                methods.append(route.operation.method)
        if methods:
            allowed = sorted(set(methods))
            raise WrongMethod(f"{method[:20]} is not possible here.", hint=f"Use {' or '.join(allowed)}.",
                              allow=allowed)
        raise NotFound(f"There is nothing at {path[:200]}.")


def _pattern(path: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w+)\}", path)
    return re.compile("".join(
        f"(?P<{part}>[^/]+)" if index % 2 else re.escape(part) for index, part in enumerate(parts)))
