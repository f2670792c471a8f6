"""Events a second over HTTPS into a Logging & Bookkeeping daemon of its own process, by the size of requests.

Eight producers, processes with one TLS connection each, one request at a time. The baseline are bare inserts of the
same rows; the processor time is that of the daemon.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from http.client import HTTPSConnection
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from pathlib import Path

import msgspec

from bench.lb_events import peak_mb
from bench.lb_places import Place, bare, fresh, servers
from bench.lb_story import PRODUCERS, STORY, Shape, bodies, prepared
from bench.rows import Row, row
from clients.site import Site, prepare
from wms import beat
from wms.clienttls import client_context
from wms.config import Settings
from wms.operations import OPERATIONS
from wms.operations.logging import Logged

SHAPES = {1: Shape(1, 1), 10: Shape(5, 2), 100: Shape(50, 2), 500: Shape(250, 2)}
"""By events a request; the last is what the interlogger sends at most."""
READY_S = 60.0
TIMEOUT_S = 120.0
_decode = msgspec.json.Decoder(Logged).decode
_together: list[Barrier] = []


@contextmanager
def daemon(site: Site, place: Place) -> Iterator[int]:
    """The pid of `wmsd run lb` on this database."""
    settings = msgspec.yaml.decode(site.config.read_bytes())
    site.config.write_bytes(msgspec.yaml.encode({**settings, "database": place.url}))
    command = [sys.executable, "-m", "wms.daemon", "--config", str(site.config)]
    subprocess.run([*command, "migrate"], check=True, capture_output=True, timeout=READY_S)
    with open(site.root / "lb.log", "ab") as log:
        process = subprocess.Popen([*command, "run", "lb"], stdout=log, stderr=log, cwd=site.root)
    try:
        _wait(process, beat.beat_path(str(site.state), "lb"))
        yield process.pid
    finally:
        process.terminate()
        process.wait(READY_S)


def _wait(process: subprocess.Popen[bytes], path: Path) -> None:
    end = time.monotonic() + READY_S
    while not ((found := beat.read(path)) and found.pid == process.pid and found.ready):
        if process.poll() is not None or time.monotonic() > end:
            raise AssertionError("the daemon did not start")
        time.sleep(0.02)


def _begin(together: Barrier) -> None:
    _together.append(together)


def _produce(site: Site, address: tuple[str, int], file: Path) -> tuple[float, float, int]:
    """Begin and end (epoch s), and how many events were stored."""
    context = client_context(str(site.proxy), str(site.certificates))
    connection, path, stored = HTTPSConnection(*address, context=context, timeout=TIMEOUT_S), OPERATIONS["lb.log"], 0
    connection.connect()
    _together[0].wait(TIMEOUT_S)
    began = time.time()
    for body in bodies(file):
        connection.request(path.method, path.url(), body)
        stored += _decode(connection.getresponse().read()).stored
    ended = time.time()
    connection.close()
    return began, ended, stored


def produced(site: Site, address: tuple[str, int], files: list[Path]) -> tuple[float, int]:
    """Seconds until everything was acknowledged, and how many events that are."""
    context = get_context("spawn")
    with ProcessPoolExecutor(len(files), context, _begin, (context.Barrier(len(files)),)) as pool:
        done = list(pool.map(_produce, [site] * len(files), [address] * len(files), files))
    return max(end for _, end, _ in done) - min(begin for begin, _, _ in done), sum(stored for *_, stored in done)


def cpu_s(pid: int) -> float:
    """Processor time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _rows(kind: str, server: str, folder: Path, sizes: Mapping[int, int]) -> Iterator[Row]:
    site, place = Site(folder / kind), fresh(kind, server, empty=True)
    site.root.mkdir()
    prepare(site, 1)
    address = msgspec.yaml.decode(site.config.read_bytes(), type=Settings).lb_address()
    jobs, found = 0, []
    with daemon(site, place) as pid:
        for batch, n in sizes.items():
            files = prepared(folder, n, time.time(), SHAPES[batch], address)
            before = cpu_s(pid)
            seconds, stored = produced(site, address, files)
            jobs += stored // len(STORY)
            found.append((batch, stored, seconds, cpu_s(pid) - before))
        memory = peak_mb(pid)
    place.check(jobs)
    for batch, stored, seconds, cpu in found:
        plain, _size = bare(place, PRODUCERS * batch, most=stored)
        yield row(f"LB intake by {batch}, {kind}", stored, stored / seconds, "events/s", stored / plain)
        yield row(f"LB intake by {batch}, {kind}: cpu", stored, cpu / stored * 1e6, "us/event", 0.0)
    yield row(f"LB intake, {kind}: memory", jobs * len(STORY), memory, "MB", 0.0)
    shutil.rmtree(site.root)


def run(n: int = 40_000) -> list[Row]:
    """`n` events in the largest requests, fewer in smaller ones."""
    sizes = {1: n // 20, 10: n // 4, 100: n, 500: n}
    found: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="lb-bench-") as folder, servers(folder) as places:
        for kind, server in places.items():
            found += _rows(kind, server, Path(folder), sizes)
    return found
