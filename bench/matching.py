"""One job against many CEs: our matchmaker beside `classad2` of the PyPI package htcondor, same job, same CEs."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any

from bench.rows import Row, row
from wm.matching.matchmaker import match
from wm.matching.request import Request
from wm.supply.purchasers import Entry, Purchase
from wm.supply.supermarket import Kind, Snapshot, Source, Supermarket
from wms.jdl.description import describe
from wms.jdl.parser import parse

SIZES = (1, 10, 100, 1_000, 10_000)
TAGS = [f"VO-example-software-{n}.{m}" for n in range(16) for m in range(4)]
REQUIREMENTS = ('other.GlueCEStateStatus == "Production" && '
                'Member("VO-example-software-3.2", other.GlueHostApplicationSoftwareRunTimeEnvironment) && '
                "other.GlueCEPolicyMaxCPUTime > 720")
RANK = "-other.GlueCEStateEstimatedResponseTime"
NOW = 1.7e9


def attributes(number: int, rng: Random) -> dict[str, Any]:
    """A CE record of the usual size."""
    host = f"ce{number}.example.org"
    return {
        "GlueCEUniqueID": f"{host}:8443/slurm-long", "GlueCEInfoHostName": host,
        "GlueCEStateStatus": rng.choice(["Production", "Production", "Production", "Draining"]),
        "GlueCEPolicyMaxCPUTime": rng.choice([360, 720, 1440, 2880]), "GlueCEInfoTotalCPUs": rng.randrange(8, 4096),
        "GlueCEStateEstimatedResponseTime": rng.randrange(0, 100_000), "GlueCEStateFreeCPUs": rng.randrange(0, 512),
        "GlueHostApplicationSoftwareRunTimeEnvironment": rng.sample(TAGS, 40),
        "GlueCEAccessControlBaseRule": ["VO:example", "VOMS:/example/prod"],
        **{f"GlueHostBenchmark{k}": rng.randrange(1000) for k in range(50)},
    }


def snapshot(records: list[dict[str, Any]]) -> Snapshot:
    entries = tuple(Entry(record["GlueCEUniqueID"], record, "ce", "long") for record in records)
    return Supermarket().updated(Source("bench", Kind.STATIC), Purchase(entries), NOW).snapshot(NOW)


def seconds(work: Callable[[], object]) -> float:
    """The best of several runs, at least 0.2 s in all."""
    best, began = float("inf"), time.perf_counter()
    while time.perf_counter() - began < 0.3 or best == float("inf"):
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return best


def run(sizes: tuple[int, ...] = SIZES) -> list[Row]:
    import classad2

    rng = Random(1)
    records = [attributes(number, rng) for number in range(max(sizes))]
    description = describe(parse(f'Executable = "/bin/true"; Requirements = {REQUIREMENTS}; Rank = {RANK};'))
    request = Request("https://lb:9000/x", description, "/CN=x", (), "example", submitted=NOW)
    theirs = [classad2.ClassAd(record) for record in records]
    wanted = classad2.ExprTree(REQUIREMENTS.replace("other.", "TARGET."))
    rank = classad2.ExprTree(RANK.replace("other.", "TARGET."))
    mine = classad2.ClassAd()
    rows = []
    for size in sizes:
        market, ads = snapshot(records[:size]), theirs[:size]

        def beside(ads: list[Any] = ads) -> list[Any]:
            found = [ad for ad in ads if wanted.eval(mine, ad) is True]
            return sorted(((rank.eval(mine, ad), ad) for ad in found), key=lambda one: -one[0])

        ours = seconds(partial(match, request, market, NOW))
        rows.append(row("match one job", size, size / ours, "CEs/s", size / seconds(beside)))
        assert len(match(request, market, NOW).ranked) == len(beside())
    return rows
