"""The way to the issuer of the tests, without a network: answers come at once, or when a test wants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit

import msgspec
from shell import Shell
from twisted.internet.defer import Deferred

from tests.issuer import Denied, Issuer
from wms.fetch import Answer
from wms.service import within
from wms.tokens.endpoint import basic


@dataclass
class Line:
    """The way to an issuer. `silent`: questions get no answer; `waiting` are those that `answer` answers."""

    issuer: Issuer
    shell: Shell
    silent: bool = False
    waiting: list[tuple[Deferred[Answer], str, dict[str, str]]] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)
    forms: list[dict[str, str]] = field(default_factory=list)

    async def __call__(self, method: str, url: str, body: bytes, headers: Mapping[str, str],
                       seconds: float) -> Answer:
        assert (method == "POST") == bool(body)
        path, form = urlsplit(url).path, dict(parse_qsl(body.decode()))
        self.issuer.requests[path] += 1
        self.headers.append(headers)
        self.forms.append(form)
        if not self.silent:
            return self._answer(path, form)
        answer: Deferred[Answer] = Deferred()
        self.waiting.append((answer, path, form))
        return await within(self.shell.clock, seconds, answer)

    def answer(self) -> None:
        """Those who wait get their answers."""
        waiting, self.waiting = self.waiting, []
        for answer, path, form in waiting:
            answer.callback(self._answer(path, form))

    def _answer(self, path: str, form: dict[str, str]) -> Answer:
        issuer = self.issuer
        if issuer.status:
            return Answer(issuer.status, b"broken")
        if path in issuer.instead:
            return Answer(200, issuer.instead[path])
        client = {"client_id": "wms", "client_secret": "s3cret"}
        ours = self.headers[-1].get("Authorization") == basic("wms", "s3cret")
        try:
            return Answer(200, msgspec.json.encode(issuer.answer(path, form | client if ours else form)))
        except Denied as denied:
            return Answer(denied.status, msgspec.json.encode({"error": denied.code}))
