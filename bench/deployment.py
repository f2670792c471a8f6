"""A real suite for a benchmark: its own process, TLS, SQLite, the local CE, in a directory that goes away."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec

from clients import site
from clients.api import Client
from clients.site import Site

T = TypeVar("T")
U = TypeVar("U")
CLIENTS = 4
LOOKED_AT, LOOK_S = 50, 0.1


@contextmanager
def suite(slots: int, ces: Mapping[str, object] | None = None,
          fill: Callable[[str], object] | None = None) -> Iterator[Site]:
    """A running suite, reachable through the environment variables it sets; `ces` in the place of the local CE.

    `fill` is called with the URL of the database before the start.
    """
    with tempfile.TemporaryDirectory(prefix="wms-bench-") as directory:
        here, before = Site(Path(directory)), dict(os.environ)
        here.root.mkdir(exist_ok=True)
        site.prepare(here, slots)
        if ces is not None:
            settings = msgspec.yaml.decode(here.config.read_bytes())
            here.config.write_bytes(msgspec.yaml.encode({**settings, "ce": dict(ces)}))
        if fill is not None and site.wmsd(here, "migrate") == 0:
            fill(f"sqlite:///{here.state}/wms.sqlite")
        site.up(here, slots)
        os.environ.update(site.environment(here))
        try:
            yield here
        finally:
            site.down(here)
            os.environ.clear()
            os.environ.update(before)


def spread(work: Callable[[Client, T], U], items: Sequence[T], clients: int = CLIENTS) -> list[U]:
    """`work(client, item)` for all items, by some clients at once, each with one connection."""
    def mine(part: Sequence[T]) -> list[U]:
        with Client.from_environment() as client:
            return [work(client, item) for item in part]

    with ThreadPoolExecutor(clients) as pool:
        parts = list(pool.map(mine, [items[k::clients] for k in range(clients)]))
    return [one for part in parts for one in part]


def wait_done(jobs: Sequence[str], patience_s: float = 300.0) -> None:
    """Until every job is Done; anything else final is an error. It looks at the first few, so that looking is cheap."""
    end = time.monotonic() + patience_s
    with Client.from_environment() as client:
        left = list(jobs)
        while left:
            found = client.status(left[:LOOKED_AT])
            states = {job: str(status["state"]) for job, status in found.items() if isinstance(status, dict)}
            if bad := set(states.values()) & {"Aborted", "Cancelled"}:
                raise AssertionError(f"jobs ended as {bad}")
            left = [job for job in left if states.get(job) != "Done"]
            if time.monotonic() > end:
                raise AssertionError(f"{len(left)} jobs are not done")
            if left and left[0] in found:
                time.sleep(LOOK_S)
