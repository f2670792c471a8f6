"""A freed slot of a local CE reaches the market of another process by events, and what the CE says of itself holds."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from reactor_thread import run, started, until
from twisted.logger import Logger

from wm.supply.market import Market
from wms.ce import Backend, CeJob, Phase, load
from wms.config import parse
from wms.database import Database
from wms.service import Kit

CE = "ce.example.org:2119/jobmanager-local-default"


def backend(place: Path) -> Backend:
    settings = {"spool": str(place / "spool"), "slots": 1, "host": "ce.example.org", "poll_s": 3600, "grace_s": 0.3,
                "tags": ["MPICH"], "queues": {"default": {"max_wall_s": 7200, "max_cpu_s": 3600}}}
    return load("local")(settings, started())


class Observer:
    """The market of a process that runs no payloads, on the same spool. It never asks but for news."""

    def __init__(self, place: Path) -> None:
        self.backend = backend(place)
        self.database = Database("sqlite://", started())
        kit = Kit(parse("information: {refresh_s: 3600}"), self.database, started(), random.Random(1),
                  {"farm": self.backend}, Logger(), "wms.example.org", ("lb.example.org", 9000), b"")
        self.market = Market(kit)
        self.news: list[frozenset[str]] = []
        self.market.listen(self.news.append)

    async def start(self) -> None:
        await self.backend.start()
        await self.market.start()
        await self.market.current()

    async def stop(self) -> None:
        await self.market.stop()
        await self.backend.stop()
        self.database.close()

    def says(self, name: str) -> Any:
        return self.market.snapshot.ces[CE].attributes[name]

    def state(self) -> tuple[int, int, int, int]:
        return (self.says("GlueCEStateFreeJobSlots"), self.says("GlueCEStateRunningJobs"),
                self.says("GlueCEStateWaitingJobs"), self.says("GlueCEStateTotalJobs"))


@pytest.fixture
def runner(tmp_path: Path) -> Iterator[Backend]:
    """The CE in the process that runs payloads."""
    made = backend(tmp_path)
    run(made.start())
    yield made
    run(made.clean(run(made.known())))
    run(made.stop())


@pytest.fixture
def observer(runner: Backend, tmp_path: Path) -> Iterator[Observer]:
    made = Observer(tmp_path)
    run(made.start())
    yield made
    run(made.stop())


def test_slots_that_fill_and_free_are_news_in_another_process(
        runner: Backend, observer: Observer, tmp_path: Path) -> None:
    assert observer.state() == (1, 0, 0, 0)
    fifo = tmp_path / "fifo"
    fifo.touch()
    wait = f"#!/bin/sh\nuntil [ -s {fifo} ]; do sleep 0.05; done\n"
    run(runner.submit([CeJob("one", "https://h:1/one", wait, "default"),
                       CeJob("two", "https://h:1/two", wait, "default")]))
    until(lambda: observer.state() == (0, 1, 1, 2))
    assert observer.says("GlueCEStateEstimatedResponseTime") > 0
    fifo.write_text("go")
    until(lambda: observer.state() == (1, 0, 0, 0))
    assert observer.says("GlueCEStateEstimatedResponseTime") == 0
    assert set(observer.news) == {frozenset({CE})}
    assert {state.phase for state in run(runner.status(["one", "two"])).values()} == {Phase.ENDED}


def test_a_local_ce_says_what_requirements_ask(observer: Observer) -> None:
    told = observer.market.snapshot.ces[CE].attributes
    assert told | {
        "GlueHostApplicationSoftwareRunTimeEnvironment": ["MPICH"], "GlueHostNetworkAdapterOutboundIP": True,
        "GlueCEInfoTotalCPUs": 1, "GlueCEPolicyMaxWallClockTime": 120, "GlueCEPolicyMaxCPUTime": 60,
        "GlueCEPolicyMaxObtainableCPUTime": 60, "GlueCEStateStatus": "Production", "QueueName": "default",
        "CEid": CE, "LRMSType": "fork", "GlobusResourceContactString": "ce.example.org:2119/jobmanager-local"} == told
    for name in ("GlueHostArchitectureSMPSize", "GlueHostMainMemoryRAMSize", "GlueHostMainMemoryVirtualSize",
                 "GlueSubClusterLogicalCPUs", "GlueHostProcessorClockSpeed"):
        assert isinstance(told[name], int)


def test_a_ce_that_was_not_started_can_be_asked(runner: Backend, tmp_path: Path) -> None:
    (told,) = run(backend(tmp_path).describe())
    assert told["GlueHostArchitectureSMPSize"] > 0
