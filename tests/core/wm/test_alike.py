"""Jobs that are alike are matched once a snapshot, and get the answer they would have got alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from wm.matching.alike import Alike
from wm.matching.matchmaker import match
from wm.matching.request import SITE, Request
from wm.supply.purchasers import Entry, Purchase
from wm.supply.supermarket import Kind, Snapshot, Source, Supermarket
from wms.jdl.description import describe
from wms.jdl.parser import parse

JOB = describe(parse('Executable = "/bin/true"; Requirements = other.GlueCEInfoTotalCPUs > 3;'))
ONE = Request("1", JOB, "/CN=a", (), "vo")


def market(cpus: int) -> Snapshot:
    ce = Entry("ce:2119/jobmanager-x-y", {"GlueCEStateStatus": "Production", "GlueCEInfoTotalCPUs": cpus,
                                          "GlueCEStateEstimatedResponseTime": 0}, "x", "y")
    return Supermarket().updated(Source("s", Kind.STATIC), Purchase((ce,)), 0.0).snapshot(0.0)


def test_the_same_job_again_gets_the_very_same_answer() -> None:
    alike, snapshot = Alike(), market(4)
    first = alike.match(ONE, snapshot, 0.0, SITE)
    assert alike.match(replace(ONE, id="2", attempt=7), snapshot, 1.0, SITE) is first
    assert first.ranked == match(ONE, snapshot, 0.0, SITE).ranked


@pytest.mark.parametrize("other", [
    replace(ONE, owner="/CN=b"), replace(ONE, vo="other"), replace(ONE, fqans=("/vo",)),
    replace(ONE, previous=("ce",)), replace(ONE, description=describe(parse('Executable = "/bin/false";')))])
def test_whatever_matching_sees_makes_a_difference(other: Request) -> None:
    alike, snapshot = Alike(), market(4)
    first = alike.match(ONE, snapshot, 0.0, SITE)
    assert alike.match(other, snapshot, 0.0, SITE) is not first


def test_a_new_snapshot_is_matched_anew() -> None:
    alike = Alike()
    assert alike.match(ONE, market(4), 0.0, SITE).ranked
    assert not alike.match(ONE, market(3), 0.0, SITE).ranked


def test_a_snapshot_with_an_entry_that_ended_is_not_remembered() -> None:
    alike, snapshot = Alike(), replace(market(4), expires=10.0)
    first = alike.match(ONE, snapshot, 0.0, SITE)
    assert alike.match(ONE, snapshot, 11.0, SITE) is not first


def test_the_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wm.matching.alike.MOST", 2)
    alike, snapshot = Alike(), market(4)
    first = alike.match(ONE, snapshot, 0.0, SITE)
    alike.match(replace(ONE, owner="/CN=b"), snapshot, 0.0, SITE)
    assert alike.match(ONE, snapshot, 0.0, SITE) is not first
