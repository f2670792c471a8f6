"""Entries from the JSON of a CRIC-like catalogue."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wm.supply.purchasers import Described, Purchase, cric
from wms.errors import ConfigError

CE = {"ce_endpoint": "ce.example.org:9619", "ce_flavour": "HTCONDOR-CE", "ce_jobmanager": "Condor",
      "ce_queue_name": "long", "ce_state": "ACTIVE", "ce_version": "23.0", "ce_queue_maxwctime": 4320,
      "ce_queue_maxcputime": 2880, "ce_site": "unused"}
ID = "ce.example.org:9619/htcondorce-condor-long"


def queue(ce: dict[str, Any] | None = None, **said: Any) -> dict[str, Any]:
    return {"queues": [{**CE, **(ce or {})}], "vo_name": "atlas", "rc_site": "SITE-A", "state": "ACTIVE",
            "status": "online", "maxrss": 4096, "corecount": 8, "maxtime": 7200, **said}


def told(tree: object) -> Described:
    return cric.parse(json.dumps(tree), "cric.json")


def only(tree: object) -> dict[str, Any]:
    [one] = told(tree).purchase.ces
    return dict(one.attributes)


def test_a_queue_is_a_ce_by_the_names_of_glue_13() -> None:
    [one] = told({"SITE-A_LONG": queue()}).purchase.ces
    assert (one.id, dict(one.attributes)) == (ID, {
        "GlueCEName": "long", "GlueCEInfoHostName": "ce.example.org", "GlueCEInfoGatekeeperPort": 9619,
        "GlueCEInfoLRMSType": "condor", "GlueCEInfoJobManager": "condor",
        "GlueCEInfoContactString": "ce.example.org:9619", "GlueCEImplementationName": "HTCONDOR-CE",
        "GlueCEImplementationVersion": "23.0", "GlueCEStateStatus": "Production",
        "GlueCEPolicyMaxWallClockTime": 4320, "GlueCEPolicyMaxCPUTime": 2880, "GlueHostMainMemoryRAMSize": 4096,
        "GlueHostArchitectureSMPSize": 8, "GlueCEAccessControlBaseRule": ["VO:atlas"], "GlueSiteUniqueID": "SITE-A",
        "LRMSType": "condor", "GlobusResourceContactString": "ce.example.org:9619/htcondorce-condor",
        "QueueName": "long", "CEid": ID, "PurchasedBy": "cric"})


@pytest.mark.parametrize(("said", "state"), [
    ({"status": "brokeroff"}, "Draining"), ({"status": "offline"}, "Closed"), ({"state": "DISABLED"}, "Closed"),
    ({"ce": {"ce_state": "DISABLED"}}, "Closed"), ({"ce": {"ce_state": None}, "state": None, "status": None},
                                                   "Production")])
def test_only_an_active_queue_that_is_online_is_in_production(said: dict[str, Any], state: str) -> None:
    assert only({"q": queue(**said)})["GlueCEStateStatus"] == state


def test_times_fall_back_on_the_queue_and_on_no_limit() -> None:
    bare = {"ce_queue_maxwctime": None, "ce_queue_maxcputime": 0}
    found = only({"q": queue(bare)})
    assert (found["GlueCEPolicyMaxWallClockTime"], found["GlueCEPolicyMaxCPUTime"]) == (120, 999_999_999)
    assert only({"q": queue(bare, maxtime=None)})["GlueCEPolicyMaxWallClockTime"] == 999_999_999


def test_one_ce_queue_of_several_queues_is_open_to_the_vos_of_all() -> None:
    found = only({"b": queue(vo_name="cms", corecount=1), "a": queue(), "c": queue(vo_name=None)})
    assert (found["GlueCEAccessControlBaseRule"], found["GlueHostArchitectureSMPSize"]) == (["VO:atlas", "VO:cms"], 8)


@pytest.mark.parametrize(("endpoint", "id"), [
    ("https://arc.example.org/arex", "arc.example.org:443/nordugrid-slurm-q"),
    ("arc.example.org:8443", "arc.example.org:8443/nordugrid-slurm-q")])
def test_an_endpoint_is_a_url_or_host_and_port(endpoint: str, id: str) -> None:
    ce = {"ce_endpoint": endpoint, "ce_flavour": "AREX", "ce_jobmanager": "SLURM", "ce_queue_name": "q"}
    assert [one.id for one in told({"q": queue(ce)}).purchase.ces] == [id]


@pytest.mark.parametrize(("bad", "problem"), [
    (queue({"ce_endpoint": ""}), "a CE without host or queue name"),
    (queue({"ce_queue_name": None}), "a CE without host or queue name"),
    (queue({"ce_endpoint": "h:x"}), "Port could not be cast to integer value as 'x'"),
    (queue({"ce_queue_maxwctime": "long"}), "Expected `int | null`, got `str` - at `$.queues[0].ce_queue_maxwctime`"),
    ("nothing", "Expected `object`, got `str`")])
def test_a_queue_that_cannot_be_used_is_refused_and_the_others_go_on(bad: object, problem: str) -> None:
    found = told({"bad": bad, "good": queue()})
    assert [one.id for one in found.purchase.ces] == [ID]
    assert found.refused == (f"cric.json: queue 'bad': {problem}",)


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 100_000, '{"a": ' * 100_000])
def test_what_is_no_mapping_is_refused_whole(text: str) -> None:
    with pytest.raises(ConfigError, match="not a JSON mapping of queues"):
        cric.parse(text, "cric.json")


def test_a_text_that_is_too_long_is_refused_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cric, "MAX_FILE", 1)
    with pytest.raises(ConfigError, match="2 characters, more than 1"):
        cric.parse("{}")


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=9),
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
                        st.sampled_from([*CE, "queues", "vo_name", "status"]), inner, max_size=4), max_leaves=12)


@given(st.dictionaries(st.text(max_size=5), JSON, max_size=3))
@settings(max_examples=examples(100), deadline=None)
def test_any_json_is_entries_and_sentences(tree: dict[str, Any]) -> None:
    found = told(tree)
    assert found.purchase == Purchase() or found.purchase.ces
