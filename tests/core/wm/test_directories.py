"""Entries from records of GLUE 1.3 and GLUE 2, and from LDIF."""

from __future__ import annotations

import base64
from contextlib import suppress
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.testbed.glue import GLUE, GRID, Queue, entry, glue2, glue13, storage, view
from wm.supply.purchasers import Described, Purchase, files, ldif
from wms.errors import ConfigError

SHORT = Queue()
LONG = Queue(name="long", rules=("VO:atlas",), free=0)
PLACE = "x.ldif"


def told(*texts: str) -> Described:
    return files.parse("".join(texts), (), PLACE)


def ces(*texts: str) -> dict[str, dict[str, Any]]:
    """Attributes by id; nothing is refused."""
    found = told(*texts)
    assert found.refused == ()
    return {one.id: dict(one.attributes) for one in found.purchase.ces}


def ses(*texts: str) -> dict[str, dict[str, Any]]:
    return {one.id: dict(one.attributes) for one in told(*texts).purchase.ses}


# -- GLUE 1.3 --------------------------------------------------------------------------------------------


def test_a_ce_has_what_its_cluster_and_bindings_say() -> None:
    found = ces(glue13(SHORT))[SHORT.id]
    assert found | {
        "GlueCEStateFreeJobSlots": 3, "GlueHostMainMemoryRAMSize": 4096, "GlueClusterUniqueID": "ce.example.org",
        "GlueHostNetworkAdapterOutboundIP": True, "GlueCEImplementationVersion": "1.16.1",
        "GlueHostApplicationSoftwareRunTimeEnvironment": ["MPICH", "VO-atlas-1"],
        "GlueCEAccessControlBaseRule": ["VO:atlas", "VO:cms"], "GlueSiteUniqueID": "SITE-A",
        "GlueCESEBindGroupSEUniqueID": ["se.example.org"],
        "CloseStorageElements": [{"name": "se.example.org", "mount": "/data"}],
        "GlobusResourceContactString": "ce.example.org:8443/cream-slurm", "LRMSType": "slurm", "QueueName": "short",
        "CEid": SHORT.id, "PurchasedBy": "II_G13_purchaser"} == found
    assert not {"objectClass", "GlueForeignKey", "GlueChunkKey"} & found.keys()


def test_a_ce_without_cluster_or_subcluster_is_refused_and_the_others_go_on() -> None:
    text = glue13(SHORT, Queue(host="b.example.org"))
    parts = [part for part in text.split("\n\n") if part and "dn: GlueClusterUniqueID=b" not in part]
    found = told("\n\n".join(parts) + "\n")
    assert [one.id for one in found.purchase.ces] == [SHORT.id]
    assert found.refused == (
        "x.ldif: CE 'b.example.org:8443/cream-slurm-short': its cluster 'b.example.org' is not published",)
    parts = [part for part in text.split("\n\n") if part and "dn: GlueSubClusterUniqueID=b" not in part]
    assert told("\n\n".join(parts) + "\n").refused == (
        "x.ldif: CE 'b.example.org:8443/cream-slurm-short': its subcluster 'b.example.org' is not published",)


def test_whom_a_view_names_may_use_only_the_view() -> None:
    found = told(glue13(SHORT), view(SHORT, "VO:cms", "cms", GlueCEStateFreeJobSlots=9)).purchase.ces
    base, special = found
    assert (base.id, base.base, base.attributes["GlueCEAccessControlBaseRule"]) == (SHORT.id, "", ["VO:atlas"])
    assert (special.id, special.base) == (f"{SHORT.id}/cms", SHORT.id)
    assert special.attributes | {"GlueCEAccessControlBaseRule": ["VO:cms"], "GlueCEStateFreeJobSlots": 9,
                                 "GlueCEStateRunningJobs": 5, "CEid": SHORT.id} == special.attributes


def test_a_ce_without_rules_and_ses_has_none() -> None:
    found = ces(glue13(replace(SHORT, rules=(), ses={})))[SHORT.id]
    assert not {"GlueCEAccessControlBaseRule", "CloseStorageElements", "GlueCESEBindGroupSEUniqueID"} & found.keys()


def test_a_mount_that_is_not_applicable_is_none() -> None:
    found = ces(glue13(replace(SHORT, ses={"a": "n/a", "b": "/b"})))[SHORT.id]
    assert found["CloseStorageElements"] == [{"name": "a", "mount": ""}, {"name": "b", "mount": "/b"}]


@pytest.mark.parametrize(("line", "expected"), [
    ("GlueCEStateFreeJobSlots: many", "none"), ("GlueCEStateFreeJobSlots: 007", 7), ("GlueCEX: TRUE", True),
    ("GlueCEX: undefined", "none"), ("GlueCEX: -12", -12), ("GlueCEX: 1.5", "1.5"), ("GlueCEName: 12", "12"),
    ("GlueXUniqueID: 12", "12"), ("GlueCECapability: CPUScalingReferenceSI00=1", ["CPUScalingReferenceSI00=1"]),
    ("GlueCEX: 1\nGlueCEX: 2", ["1", "2"]), ("GlueCEX;lang-en: 3", 3),
    ("GlueCEStateFreeJobSlots: 1\nGlueCEStateFreeJobSlots: 2", "none")])
def test_values_have_the_type_of_the_schema(line: str, expected: object) -> None:
    name = line.partition(":")[0].partition(";")[0]
    text = "\n".join(one for one in glue13(SHORT).splitlines() if not one.startswith(f"{name}:"))
    text = text.replace(f"GlueCEUniqueID: {SHORT.id}\n", f"GlueCEUniqueID: {SHORT.id}\n{line}\n")
    assert ces(text)[SHORT.id].get(name, "none") == expected


def test_a_storage_element_has_areas_protocols_and_close_ces() -> None:
    text = storage("se.example.org", atlas=500, cms=2000)
    found = ses(text, glue13(SHORT))["se.example.org"]
    assert [area["StateAvailableSpace"] for area in found["GlueSA"]] == [500, 2000]
    assert [(one["Type"], one["Port"]) for one in found["GlueSEAccessProtocol"]] == [("gsiftp", 2811), ("https", 443)]
    assert found["GlueSEControlProtocol"][0]["Endpoint"] == "httpg://se.example.org:8446/srm"
    assert found["CloseComputingElements"] == [SHORT.id]
    assert (found["GlueSAStateAvailableSpace"], found["GlueSAAccessControlBaseRule"]) == (
        2000, ["VO:atlas", "VO:cms"])


def test_a_storage_element_without_areas_is_one_too() -> None:
    found = ses(storage("se.example.org"))["se.example.org"]
    assert not {"GlueSA", "CloseComputingElements", "GlueSAAccessControlBaseRule"} & found.keys()
    bare = storage("se.example.org", atlas=5).replace("GlueSAAccessControlBaseRule: VO:atlas\n", "")
    assert "GlueSAAccessControlBaseRule" not in ses(bare)["se.example.org"]


# -- GLUE 2 ----------------------------------------------------------------------------------------------

ONLY_2 = {"GLUE2", "PurchasedBy"}


def test_glue_2_gives_the_same_by_the_names_of_glue_13() -> None:
    one, two = ces(glue13(SHORT, LONG)), ces(glue2(SHORT, LONG))
    assert one.keys() == two.keys()
    for id, attributes in one.items():
        assert {name: value for name, value in two[id].items() if name not in ONLY_2} == {
            name: value for name, value in attributes.items() if name not in ONLY_2}


def test_glue_2_is_there_by_its_own_names_too() -> None:
    found = ces(glue2(SHORT))[SHORT.id]["GLUE2"]
    assert found["Computing"]["Share"]["MaxCPUTime"] == 172_800
    assert found["Computing"]["Endpoint"]["InterfaceName"] == "org.glite.ce.CREAM"
    assert found["Computing"]["Manager"]["ProductName"] == "Slurm"
    assert found["Computing"]["Service"]["ID"] == "urn:ce.example.org"
    assert found["ExecutionEnvironment"]["ConnectivityOut"] is True
    assert found["ApplicationEnvironment"]["AppName"] == ["MPICH", "VO-atlas-1"]
    assert found["Benchmark"][0]["Type"] == "specint2000"


@pytest.mark.parametrize(("before", "after", "name", "value"), [
    ("MaxCPUTime: 172800", "MaxCPUTime: 999999999", "GlueCEPolicyMaxCPUTime", 999_999_999),
    ("MaxCPUTime: 172800", "MaxCPUTime: long", "GlueCEPolicyMaxCPUTime", None),
    ("ServingState: production", "ServingState: odd", "GlueCEStateStatus", None),
    ("GLUE2ComputingShareFreeSlots: 3", "GLUE2ComputingSharePreemption: true", "GlueCEPolicyPreemption", 1),
    ("GLUE2ComputingShareFreeSlots: 3", "GLUE2ComputingShareTag: x", "GlueCEStateFreeJobSlots", None),
    ("GLUE2EndpointQualityLevel: production", "GLUE2EndpointCapability: executionmanagement.jobexecution",
     "GlueCECapability", ["executionmanagement.jobexecution"]),
    ("specint2000", "HEPSCORE", "GlueHostBenchmarkSI00", None),
    ("BenchmarkValue: 2000", "BenchmarkValue: fast", "GlueHostBenchmarkSI00", None),
    ("BenchmarkValue: 2000", "BenchmarkValue: 1999.7", "GlueHostBenchmarkSI00", 2000),
    ("GLUE2EndpointURL: https://ce.example.org:8443/ce-cream/services", "GLUE2EndpointURL: gsiftp://ce.example.org/",
     "GlueCEInfoGatekeeperPort", 2811),
    ("GLUE2PolicyRule: VO:atlas\nGLUE2PolicyRule: VO:cms\n", "", "GlueCEAccessControlBaseRule", None),
    ("ShareResourceForeignKey", "ShareTag", "GlueHostMainMemoryRAMSize", 4096),
    ("GLUE2ResourceID: urn:ce", "GLUE2ResourceID: other", "GlueHostMainMemoryRAMSize", None),
    ("GLUE2ManagerProductName: Slurm\n", "", "GlueCEInfoLRMSType", None),
    ("MappingPolicyShareForeignKey: urn", "MappingPolicyShareForeignKey: other", "GlueCEAccessControlBaseRule", None),
    ("OSVersion: 12", "OSVersion: undefined", "GlueHostOperatingSystemRelease", None),
    ("GLUE2ComputingShareComputingServiceForeignKey", "GLUE2ComputingShareTag", "GlueSiteUniqueID", "SITE-A"),
    ("GLUE2ManagerServiceForeignKey", "GLUE2EntityOtherInfo", "GlueCEInfoTotalCPUs", 64),
    ("MappingQueue: short", "Tag: x", "QueueName", "short")])
def test_what_glue_2_says_otherwise(before: str, after: str, name: str, value: object) -> None:
    assert before in glue2(SHORT)
    [(_, found)] = ces(glue2(SHORT).replace(before, after)).items()
    assert found.get(name) == value


def test_who_may_use_an_endpoint_counts_when_nothing_is_said_of_the_share() -> None:
    service = "urn:ce.example.org"
    policy = entry(f"GLUE2PolicyID=p,{GLUE}", ["GLUE2Policy", "GLUE2AccessPolicy"], GLUE2PolicyRule="VO:lhcb",
                   GLUE2AccessPolicyEndpointForeignKey=f"{service}:cream")
    text = glue2(SHORT).replace("GLUE2MappingPolicyShareForeignKey: urn", "GLUE2MappingPolicyShareForeignKey: x")
    assert ces(text, policy)[SHORT.id]["GlueCEAccessControlBaseRule"] == ["VO:lhcb"]


def test_a_benchmark_may_belong_to_the_hosts() -> None:
    text = glue2(SHORT).replace("GLUE2BenchmarkComputingManagerForeignKey: urn:ce.example.org:manager",
                                "GLUE2BenchmarkExecutionEnvironmentForeignKey: urn:ce.example.org:hosts")
    assert ces(text)[SHORT.id]["GlueHostBenchmarkSI00"] == 2000


def test_shares_of_one_queue_are_views_of_one_ce() -> None:
    again = glue2(replace(SHORT, name="other", rules=("VO:lhcb",)))
    found = told(glue2(SHORT), again.replace("MappingQueue: other", "MappingQueue: short")).purchase.ces
    assert [(one.id, one.base, one.attributes["GlueCEAccessControlBaseRule"]) for one in found] == [
        (f"{SHORT.id}/urn:ce.example.org:other", SHORT.id, ["VO:lhcb"]),
        (f"{SHORT.id}/urn:ce.example.org:short", SHORT.id, ["VO:atlas", "VO:cms"])]


@pytest.mark.parametrize(("before", "after", "problem"), [
    ("GLUE2ServiceID: urn", "GLUE2ServiceID: other", "no service is published of 'urn:ce.example.org'"),
    ("objectClass: GLUE2ComputingManager", "objectClass: x", "no manager is published of 'urn:ce.example.org'"),
    ("GLUE2EndpointInterfaceName: org.glite.ce.CREAM", "GLUE2EndpointInterfaceName: org.glite.ce.Monitor",
     "no endpoint that takes jobs is published of 'urn:ce.example.org'"),
    ("GLUE2EndpointURL: https://ce.example.org:8443", "GLUE2EndpointURL: https://ce.example.org:0",
     "an endpoint has no URL with a host"),
    ("GLUE2EndpointURL: https://ce.example.org:8443", "GLUE2EndpointURL: https://ce.example.org:x",
     "an endpoint has no URL with a host"),
    ("GLUE2EndpointURL: https://ce.example.org:8443", "GLUE2EndpointURL: nothing",
     "an endpoint has no URL with a host")])
def test_a_share_that_cannot_be_used_is_refused(before: str, after: str, problem: str) -> None:
    text = glue2(SHORT)
    assert before in text
    found = told(text.replace(before, after))
    assert (found.purchase, found.refused) == (
        Purchase(), (f"x.ldif: share 'urn:ce.example.org:short': {problem}",))


def test_a_share_that_names_no_endpoint_has_all_of_its_service() -> None:
    text = glue2(SHORT).replace("ShareEndpointForeignKey", "ShareDescription").replace(
        "ShareComputingEndpointForeignKey", "ShareTag")
    assert list(ces(text)) == [SHORT.id]
    plain = text.replace("EndpointComputingServiceForeignKey", "EndpointStaging")
    assert list(ces(plain)) == [SHORT.id]


def test_of_a_ce_in_both_the_words_in_glue_13_count() -> None:
    found = ces(glue13(SHORT), glue2(replace(SHORT, free=99), LONG))
    assert (found[SHORT.id]["GlueCEStateFreeJobSlots"], sorted(found)) == (3, [LONG.id, SHORT.id])


# -- any order, any text ---------------------------------------------------------------------------------

WHOLE = (glue13(SHORT, LONG) + glue2(SHORT, LONG, Queue(host="b.example.org")) + view(SHORT, "VO:cms", "cms")
         + storage("se.example.org", atlas=5)).split("\n\n")


@given(st.integers(0, 2**32), st.integers(0, 10))
@settings(max_examples=examples(15), deadline=None)
def test_the_order_of_records_does_not_matter(seed: int, lost: int) -> None:
    kept = [part for part in WHOLE if part][lost:]
    shuffled = list(kept)
    Random(seed).shuffle(shuffled)
    assert told("\n\n".join(shuffled) + "\n") == told("\n\n".join(kept) + "\n")


@given(st.integers(0, 2**32))
@settings(max_examples=examples(30), deadline=None)
def test_hostile_directories_give_entries_or_sentences(seed: int) -> None:
    rng = Random(seed)
    lines = "\n\n".join(WHOLE).split("\n")
    for _ in range(rng.randrange(1, 20)):
        here = rng.randrange(len(lines))
        lines[here] = rng.choice(["", " x", "#", "dn: x", "a:: !", lines[here] + "\0", lines[here].upper(),
                                  lines[here].partition(":")[0] + ":", lines[rng.randrange(len(lines))]])
    found = told("\n".join(lines))
    assert all(len(sentence) < 3_000 for sentence in found.refused)
    assert len({one.id for one in found.purchase.ces}) == len(found.purchase.ces)


# -- LDIF ------------------------------------------------------------------------------------------------


def read(text: str) -> tuple[list[tuple[str, dict[str, tuple[str, ...]]]], list[str]]:
    records, refused = ldif.parse(text, PLACE)
    return [(one.dn, dict(one.values)) for one in records], refused


def test_ldif_has_folded_lines_comments_and_base64() -> None:
    text = ("version: 1\r\n# who\r\n  reads this\r\ndn: o=a,\r\n o=b\r\nName: first\r\n line\r\nname:second\r\n"
            f"other:: {base64.b64encode('Grüße'.encode()).decode()}\r\n\r\n\r\n# between\n\ndn: o=c\n")
    assert read(text) == ([("o=a,o=b", {"name": ("firstline", "second"), "other": ("Grüße",)}), ("o=c", {})], [])


@pytest.mark.parametrize(("lines", "problem"), [
    ("name: x", "line 1: an entry begins with dn:"),
    ("dn: a\nchangetype: add", "line 2: entries are wanted, not changes"),
    ("dn: a\nnothing", "line 2: not NAME: VALUE"),
    ("dn: a\nb:< file:///etc/passwd", "line 2: values are not fetched from URLs"),
    ("dn: a\nb:: ?", "line 2: not UTF-8 text in base64"), ("dn: a\nb:: é", "line 2: not UTF-8 text in base64"),
    ("dn: a\nb:: /w==", "line 2: not UTF-8 text in base64"),
    ("dn: a\n" + "b: c\n" * 2000, "line 1: an entry of 2001 lines, more than 2000")])
def test_an_entry_that_cannot_be_read_is_refused_with_its_line(lines: str, problem: str) -> None:
    assert read(f"{lines}\n\ndn: good\n") == ([("good", {})], [f"x.ldif: {problem}"])


def test_an_empty_text_has_no_entries() -> None:
    assert read("") == read("version: 1\n") == read("\n\n#\n") == ([], [])


def test_a_text_that_is_too_long_is_no_ldif(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ldif, "MAX_FILE", 10)
    with pytest.raises(ConfigError, match="11 characters, more than 10"):
        read("x" * 11)


@given(st.text(alphabet="dn: ceo=\n#:;<,\r\0é-", max_size=80))
@settings(max_examples=examples(200), deadline=None)
def test_any_text_is_records_or_sentences(text: str) -> None:
    with suppress(ConfigError):
        files.parse(text, (), PLACE)


def test_the_site_is_of_its_cluster() -> None:
    assert GRID in glue13(SHORT)
    assert ces(glue13(replace(SHORT, site="SITE-Z")))[SHORT.id]["GlueSiteUniqueID"] == "SITE-Z"
