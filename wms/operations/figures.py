"""Figures of Logging & Bookkeeping: statistics, counters, the service about itself."""

from __future__ import annotations

from wms.operations.jobs import Version
from wms.operations.row import Operation, Record, lb


class Statistics(Record, frozen=True):
    """`value` is jobs a second of a rate, the mean in seconds of a duration or a dwell time, and `deviation` its
    standard deviation; of `samples` jobs. `since` and `until` (epoch s) are the interval that was really used:
    whole slots of `resolution_s` seconds, the last of them until now.
    """

    kind: str
    destination: str
    since: float
    until: float
    resolution_s: int
    samples: int
    value: float
    deviation: float = 0.0
    state: str = ""
    from_state: str = ""
    to_state: str = ""


class Slot(Record, frozen=True):
    """A slot that begins at `at` (epoch s); values as in Statistics."""

    at: float
    samples: int
    value: float
    deviation: float = 0.0


class Series(Record, frozen=True):
    """Slots of `resolution_s` seconds, oldest first, the last of them not over yet."""

    kind: str
    destination: str
    resolution_s: int
    slots: tuple[Slot, ...]


class Destinations(Record, frozen=True):
    """Names with statistics, besides ALL."""

    destinations: tuple[str, ...]


class Counted(Record, frozen=True):
    """How often, since when (epoch s)."""

    value: int
    since: float


class Counts(Record, frozen=True):
    """Jobs registered by type, events, queries by form, registrations and notices of notifications, and
    `denied_*`: refusals by action.
    """

    counters: dict[str, Counted]


class Configuration(Record, frozen=True):
    """What the server says of itself; the fields after `msg_prefixes` to administrators only."""

    server_version: str
    server_identity: str
    client_identity: str
    server_indices: tuple[str, ...]
    msg_brokers: tuple[str, ...]
    msg_prefixes: tuple[str, ...]
    database_name: str | None = None
    database_host: str | None = None
    authz_policy_file: str | None = None
    admins: tuple[str, ...] | None = None
    dump_start: float | None = None
    dump_end: float | None = None
    dump_prefix: str | None = None
    purge_prefix: str | None = None


_WHAT = ("kind", "state", "from_state", "to_state", "destination")

ROWS: tuple[Operation, ...] = (
    lb("statistics", "GET", "/lb/v1/statistics", "user",
        "kind=rate&state=Running: jobs that entered a state, a second; kind=dwell&state=Running: seconds they were in "
        "it; kind=duration&from_state=Submitted&to_state=Running: seconds between. Done is `Done OK` or `Done FAILED`, "
        "or both; of a destination or ALL; since and until in epoch seconds, without them the last ten minutes.",
        reply=Statistics, query=(*_WHAT, "since", "until"), action="statistics"),
    lb("statistics_series", "GET", "/lb/v1/statistics/series", "user",
        "The same for each slot of a resolution (10, 60, 900 or 3600 s), as far back as it is kept.",
        reply=Series, query=(*_WHAT, "resolution", "until"), action="statistics"),
    lb("statistics_destinations", "GET", "/lb/v1/statistics/destinations", "user",
        "Destinations with statistics.", reply=Destinations, action="statistics"),
    lb("counters", "GET", "/lb/v1/counters", "user", "What the server has counted, over restarts.", reply=Counts,
        action="statistics"),
    lb("configuration", "GET", "/lb/v1/configuration", "user", "What the server says of itself.",
        reply=Configuration, action="look"),
    lb("version", "GET", "/lb/v1/version", "anyone", "Version of the service.", reply=Version),
    lb("openapi", "GET", "/lb/v1/openapi.json", "anyone", "These operations as an OpenAPI document.", reply=dict),
)
