"""What the OpenAPI documents promise, asked of a real service over HTTPS with generated requests.

Right and wrong ones: no failure of the service, only statuses, types and records that the document names.
"""

from __future__ import annotations

import shutil
import ssl
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from deployment import Deployment
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from requests.adapters import HTTPAdapter
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS, load_all_checks

from wms.capability import issue
from wms.clienttls import client_context
from wms.openapi import document
from wms.operations import OPERATIONS, Operation
from wms.secret import NAME
from wms.x509.proxy import identify, load

EXAMPLES = 8
SEED = 20_260_101
PATIENCE_S = 20.0
load_all_checks()
CHECKED = CHECKS.get_by_names((
    "not_a_server_error", "status_code_conformance", "content_type_conformance", "response_headers_conformance",
    "response_schema_conformance"))
ENDLESS = frozenset({"lb.live", "lb.notify_stream"})
"""Those that go on for as long as what they name exists."""
QUERY = {"kind": "duration", "state": "Running", "from_state": "Submitted", "to_state": "Running", "destination": "",
         "since": "1", "until": "99999999999", "resolution": "900", "limit": "5", "cursor": "", "query": "owner=",
         "source": "Application", "newer_than": "0", "wait_s": "0", "file": ""}
"""Parameters that make sense together."""
LINES = {"lines": "last_update_time > 0"}
BODIES: dict[str, Any] = {"lb.query_jobs": LINES, "lb.query_events": LINES, "lb.notify_change": {
    "conditions": [[{"attribute": "owner"}]]}, "lb.notify_bind": {}, "ns.list_match": {"jdl": "[Executable=\"a\"]"}}
SCHEMAS = {daemon: schemathesis.openapi.from_dict(document(daemon)) for daemon in ("ns", "lb")}


class _Certified(HTTPAdapter):
    """HTTPS with a proxy certificate, as our clients do it."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self._context, **kwargs)


@dataclass(frozen=True, slots=True)
class Served:
    """A service that runs, somebody who may do everything there, what exists, and the token of an attempt of it."""

    session: requests.Session
    address: str
    known: dict[str, str]
    token: str

    def point(self, case: schemathesis.Case, operation: Operation) -> None:
        """Have a request be about what exists, by somebody who may ask for it."""
        case.path_parameters.update({name: self.known[name] for name in case.path_parameters if name in self.known})
        case.query.update({name: QUERY[name] for name in operation.query if name in QUERY})
        if operation.name in BODIES:
            case.body = BODIES[operation.name]
        if operation.right in ("attempt", "logger"):
            case.headers["Authorization"] = f"Bearer {self.token}"


@pytest.fixture(scope="module")
def served(pattern: Deployment) -> Iterator[Served]:
    folder = Path(tempfile.mkdtemp(prefix="wms-"))
    with pattern.copy(folder / "wms") as made:
        owner = identify(load(made.site.proxy.read_bytes()).chain, time.time())
        made.configure(lb={"max_wait_s": 0.2, "super_users": [owner.dn]})
        running = made.start("lb", "ns", "wm", "jobadapter")
        yield _served(made)
        assert running.process.poll() is None
        assert not [line for line in made.running[0].lines() if "incident" in str(line)]
    shutil.rmtree(folder)


def _served(made: Deployment) -> Served:
    session = requests.Session()
    session.mount("https://", _Certified(client_context(str(made.site.proxy), str(made.site.certificates))))
    address = made.addresses()["WMS_LB"]
    job = made.submit(made.jdl("true"))
    answer = session.post(f"{address}/lb/v1/notifications", headers={"Idempotency-Key": "12345678"}, json={
        "conditions": [[{"attribute": "owner"}]]}, timeout=PATIENCE_S).json()
    known = {"unique": job.rpartition("/")[2], "id": answer["id"].rpartition("NOTIF:")[2], "attempt": "1",
             "feed": "finished"}
    token = issue((made.site.state / NAME).read_bytes(), job, 1, time.time() + 3600)
    return Served(session, address, known, token)


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=list(OPERATIONS))
def test_the_service_keeps_to_its_document(operation: Operation, served: Served) -> None:
    described = SCHEMAS[operation.daemon][operation.path][operation.method]
    modes = [GenerationMode.POSITIVE, GenerationMode.NEGATIVE]
    cases = st.one_of(*(described.as_strategy(generation_mode=mode) for mode in modes))

    @seed(SEED)
    @settings(max_examples=EXAMPLES, database=None, phases=[Phase.generate], deadline=None,
              suppress_health_check=list(HealthCheck))
    @given(cases, st.booleans())
    def fuzz(case: schemathesis.Case, exists: bool) -> None:
        if exists and operation.name not in ENDLESS:
            served.point(case, operation)
        answer = case.call(base_url=served.address, session=served.session, timeout=PATIENCE_S)
        case.validate_response(answer, checks=CHECKED)

    fuzz()
