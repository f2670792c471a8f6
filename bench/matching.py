"""One job against many CEs: our matchmaker beside `classad2` of the PyPI package htcondor, same job, same CEs;
and a whole cycle over many classes of waiting jobs, in processor time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from random import Random
from typing import Any

from bench.rows import Row, row
from wm.matching.board import Board
from wm.matching.inputs import Inputs, Rules, decide
from wm.matching.matchmaker import match
from wm.matching.request import SITE, Request
from wm.ordering.order import Lane
from wm.supply.purchasers import Entry, Purchase
from wm.supply.supermarket import Kind, Snapshot, Source, Supermarket
from wms.jdl.description import describe
from wms.jdl.parser import parse

SIZES = (1, 10, 100, 1_000, 10_000)
TAGS = [f"VO-example-software-{n}.{m}" for n in range(16) for m in range(4)]
REQUIREMENTS = ('other.GlueCEStateStatus == "Production" && '
                'Member("VO-example-software-3.2", other.GlueHostApplicationSoftwareRunTimeEnvironment) && '
                "other.GlueCEPolicyMaxCPUTime > 720")
WAITING = ((10_000, 100, 1_000), (100_000, 100, 1_000), (100_000, 1_000, 1_000), (100_000, 100, 10_000),
           (1_000_000, 1_000, 10_000))
"""Jobs, classes and CEs of a cycle."""
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


def wanted(number: int) -> str:
    """Requirements and Rank of one of many kinds of jobs, as JDL: thresholds and software differ."""
    rank = (RANK, "other.GlueCEStateFreeCPUs", f"other.GlueCEStateFreeCPUs - {number} * other.GlueCEInfoTotalCPUs")
    return (f'Requirements = other.GlueCEStateStatus == "Production" && other.GlueCEPolicyMaxCPUTime > {number} && '
            f'Member("{TAGS[number % len(TAGS)]}", other.GlueHostApplicationSoftwareRunTimeEnvironment); '
            f"Rank = {rank[number % 3]};")


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


def waiting(jobs: int, classes: int, market: Snapshot) -> tuple[float, float]:
    """Processor seconds to match and rank all classes and to give every job a CE; the p99 of one new class."""
    requests = {f"c{n}": Request(f"https://lb:9000/{n}", describe(parse(f'Executable = "/bin/true"; {wanted(n)}')),
                                 f"/CN={n % 100}", (), "example", submitted=NOW) for n in range(classes)}
    lanes = tuple(Lane(cls, cls, "example", request.owner, waiting=jobs // classes, head=NOW)
                  for cls, request in requests.items())
    board, times = Board(SITE), []
    began = time.process_time()
    board.show(market)
    for cls, request in requests.items():
        start = time.process_time()
        fit = board.fit(cls, request)
        fit.order(fit.mask(NOW), NOW)
        times.append(time.process_time() - start)
    outcome = decide(Inputs(lanes, NOW, seed=1, most=jobs), Rules(), board,
                     lambda lane: board.fit(lane.cls, requests[lane.cls]))
    spent = time.process_time() - began
    assert sum(one.jobs for one in outcome.placements) + sum(
        lane.waiting for lane in lanes if lane.id in outcome.waits) == jobs
    return spent, sorted(times)[int(len(times) * 0.99)]


def cycles(market: Snapshot, records: list[dict[str, Any]]) -> Iterator[Row]:
    """Curves over jobs, classes and CEs, beside the target for the largest."""
    largest = WAITING[-1]
    for jobs, classes, ces in WAITING:
        part = market if ces == len(records) else snapshot(records[:ces])
        spent, slowest = waiting(jobs, classes, part)
        goal, single = (15.0, 0.1) if (jobs, classes, ces) == largest else (0.0, 0.0)
        yield row(f"cycle, {classes} classes, {ces} CEs", jobs, spent, "s", goal)
        yield row(f"one new class of {classes}, p99", ces, slowest, "s", single)


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
    return [*rows, *cycles(market, records)]
