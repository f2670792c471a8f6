"""What a job is told of its match."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from market_builders import ce, job, market, name

from wm.matching.broker_info import LONGEST, render
from wm.matching.replicas import Replicas
from wm.supply.purchasers import Entry
from wm.supply.supermarket import Snapshot
from wms.jdl.evaluate import evaluate
from wms.jdl.parser import parse

READS = 'InputData = {"lfn:/x", "lfn:/y"}; DataAccessProtocol = {"file", "gsiftp"};'
X = Replicas((("lfn:/x", ("srm://Se.org/data/x", "sfn://far.org/x")), ("lfn:/y", ())))
SE = Entry("se.org", {"GlueSEAccessProtocolType": ["gsiftp"], "GlueSEAccessProtocolPort": [2811], "Name": "hidden",
                      "GlueSAStateAvailableSpace": 500, "Mark": 'a "b" \\ c'})
FAR = Entry("far.org", {"GlueSEAccessProtocol": [{"Type": "https", "Port": 443}],
                        "Areas": [{"GlueSAStateAvailableSpace": 7}, {"GlueSAStateAvailableSpace": [9]}]})


def told(replicas: Replicas, snapshot: Snapshot) -> dict[str, Any]:
    text = render(replace(job(more=READS), replicas=replicas), snapshot.ces[name("a")], snapshot)
    assert len(text) <= LONGEST
    ad = parse(text)
    return {key: evaluate(node, ad) for key, node in ad.attributes}


def test_the_whole_record() -> None:
    near = ce("a", GlueCESEBindGroupSEUniqueID=["SE.org", "gone.org"],
              CloseStorageElements=[{"name": "se.org", "mount": "/data"}])
    assert told(X, market(near, ce("b"), ses=(SE, FAR))) == {
        "ComputingElement": {"name": name("a"), "CloseStorageElements": [
            {"name": "se.org", "mount": "/data", "freespace": 500, "GlueSEAccessProtocolType": ["gsiftp"],
             "GlueSEAccessProtocolPort": [2811], "GlueSAStateAvailableSpace": 500, "Mark": 'a "b" \\ c'},
            {"name": "gone.org"}]},
        "StorageElements": [{"name": "se.org", "protocols": [{"name": "gsiftp", "port": 2811}]},
                            {"name": "far.org", "protocols": [{"name": "https", "port": 443}]}],
        "InputFNs": [{"name": "lfn:/x", "SFNs": ["srm://Se.org/data/x", "sfn://far.org/x"]},
                     {"name": "lfn:/y", "SFNs": []}],
        "DataAccessProtocol": ["file", "gsiftp"], "VirtualOrganisation": "atlas"}


def test_a_job_that_names_its_ce_is_told_nothing() -> None:
    here = market(ce("a"))
    assert render(job(more=f'SubmitTo = "{name("a")}";'), here.ces[name("a")], here) == ""


def test_free_space_is_that_of_the_largest_area() -> None:
    record = told(X, market(ce("a", GlueCESEBindGroupSEUniqueID=["far.org"]), ses=(FAR,)))
    assert record["ComputingElement"]["CloseStorageElements"][0]["freespace"] == 9


def test_a_job_without_data_on_a_lonely_ce() -> None:
    record = told(Replicas(), market(ce("a")))
    assert record["ComputingElement"] == {"name": name("a"), "CloseStorageElements": []}
    assert (record["InputFNs"], record["StorageElements"]) == ([], [])


def test_what_is_too_long_goes_without_attributes_then_without_replicas() -> None:
    big = Entry("se.org", {f"A{n}": "x" * 4000 for n in range(50)})
    here = market(ce("a", GlueCESEBindGroupSEUniqueID=["se.org"]), ses=(big,))
    record = told(X, here)
    assert record["ComputingElement"]["CloseStorageElements"] == [{"name": "se.org"}]
    assert len(record["InputFNs"][0]["SFNs"]) == 2
    many = Replicas((("lfn:/x", tuple(f"srm://se.org/{n}/{'y' * 500}" for n in range(1000))),))
    assert told(many, here)["InputFNs"] == [{"name": "lfn:/x", "SFNs": []}]
    names = Replicas(tuple((f"lfn:/{n}/{'y' * 500}", ()) for n in range(1000)))
    assert told(names, here) == {"ComputingElement": {"name": name("a"), "CloseStorageElements": []},
                                 "VirtualOrganisation": "atlas"}
