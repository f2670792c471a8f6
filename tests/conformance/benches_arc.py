"""The bench of ARC CEs: a real A-REX in front of the bench's Slurm, started once for the session."""

from __future__ import annotations

import secrets
import subprocess
import tempfile
import time
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from benches_slurm import Cluster, bench_cluster
from ce_bench import Bench, Can, Kind

from tests.components import SCRIPTS, Start
from tests.ports import free_port
from wms.x509.proxy import dump, load, new_key, new_proxy


class Arex(NamedTuple):
    """An A-REX that was started: what its script printed, and the environment to do so again."""

    printed: dict[str, str]
    start: dict[str, str]
    cluster: Cluster

    def settings(self, place: Path, **more: Any) -> dict[str, Any]:
        return {"url": self.printed["ARC_URL"], "spool": str(place / "spool"), "host": "wms.example.org",
                "ca_dir": self.printed["X509_CERT_DIR"], "tags": ["VO-test-1"], "part_s": 0.5, **more}

    def proxy(self, user: str, lifetime_s: float = 43_200, ago_s: float = 0) -> bytes:
        """A proxy of one of the users of its CA, made `ago_s` ago."""
        home = Path(self.printed["CA_DIR"], f"user-{user}")
        issuer = load((home / "usercert.pem").read_bytes() + (home / "userkey.pem").read_bytes())
        key = new_key()
        cert = new_proxy(issuer.chain, issuer.key, key.public_key(), time.time() - ago_s, lifetime_s,
                         serial=secrets.randbits(62) + 1)
        return dump(cert, key, issuer.chain)


RUNNING: list[Path] = []


def all_down() -> None:
    for directory in RUNNING:
        subprocess.run([SCRIPTS / "arc.sh", "down", directory], check=True, stdout=subprocess.DEVNULL)


@cache
def arex(start: Start) -> Arex:
    cluster = bench_cluster(start)
    queue = cluster.start["SLURM_PARTITIONS"].partition(":")[0]
    given = {"ARC_PORT": str(free_port()), "ARC_LRMS": "slurm", "ARC_QUEUES": queue, "ARC_INFO_PERIOD": "4",
             "SLURM_CONF": cluster.conf}
    made = Arex(start("arc", **given), given, cluster)
    RUNNING.append(Path(made.printed["CA_DIR"]).parent)
    return made


def open_place(workplace: Path) -> Path:
    """A directory that the CE's account may write to."""
    place = Path(tempfile.mkdtemp(prefix="arc", dir=workplace))
    place.chmod(0o777)
    return place


def _open(request: pytest.FixtureRequest, _place: Path) -> Bench:
    """Under one credential for all, as its jobs come without owners."""
    there = arex(request.getfixturevalue("start"))
    place = open_place(request.getfixturevalue("workplace"))
    robot = place / "robot.pem"
    robot.write_bytes(there.proxy("alice"))
    settings = there.settings(place, credential="service", certificate=str(robot))
    port, queue = there.start["ARC_PORT"], there.start["ARC_QUEUES"]
    return Bench("arc", settings, place, queue, f"localhost:{port}/jobmanager-arc-{queue}")


ARC = Kind(_open, frozenset({Can.EXIT_STATUS, Can.RENEWS}))
