"""Jobs, CEs and markets with defaults, so that a test says only what matters to it."""

from __future__ import annotations

from typing import Any

from wm.matching.request import Request
from wm.supply.purchasers import Entry, Purchase
from wm.supply.supermarket import EMPTY, Kind, Snapshot, Source, Supermarket
from wms.jdl.description import describe
from wms.jdl.parser import parse

DN = "/DC=org/CN=Ada"


def job(requirements: str = "true", rank: str = "0", *, more: str = "", owner: str = DN,
        fqans: tuple[str, ...] = ("/atlas/Role=NULL/Capability=NULL",), vo: str = "atlas",
        previous: tuple[str, ...] = (), submitted: float = 0.0) -> Request:
    """A request of a description with these expressions and `more` attributes (JDL text)."""
    text = f'Executable = "/bin/true"; Requirements = {requirements}; Rank = {rank}; {more}'
    description = describe(parse(text), add_default_requirements=False)
    return Request("https://lb:9000/x", description, owner, fqans, vo, previous, 0, submitted, jdl=text)


def ce(id: str = "a", **glue: Any) -> Entry:
    """A CE called `id` on the host `id`.org, in production unless said otherwise; None is no attribute."""
    said = {"GlueCEStateStatus": "Production", **glue}
    return Entry(name(id), {key: value for key, value in said.items() if value is not None}, "local", "q")


def name(id: str) -> str:
    return f"{id}.org:8443/jobmanager-local-q"


def market(*ces: Entry, ses: tuple[Entry, ...] = (), lifetime_s: float = float("inf")) -> Snapshot:
    source = Source("ces.yaml", Kind.STATIC, lifetime_s)
    return Supermarket().updated(source, Purchase(ces, ses), 0).snapshot(0, EMPTY)
