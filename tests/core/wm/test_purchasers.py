"""Entries from the site's file and from the backends."""

from __future__ import annotations

import json
import math
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wm.supply.purchasers import (
    MAX_ITEMS,
    MAX_TEXT,
    Described,
    Entry,
    Purchase,
    admitted,
    attribute_problems,
    described,
    files,
    queue_of,
    static,
)
from wm.supply.purchasers.backends import purchase
from wms.errors import ConfigError

CE = "ce.example.org:8443/jobmanager-local-short"
FILE = f"""
ces:
  - id: {CE}
    backend: local-1
    attributes:
      GlueCEPolicyMaxCPUTime: 720
      GlueCEAccessControlBaseRule: ["VO:atlas"]
  - id: ce.example.org:8443/jobmanager-local-long-jobs
    backend: local-1
    queue: long-jobs
  - id: other.example.org:8443/jobmanager-slurm-main
ses:
  - id: se.example.org
    attributes: {{GlueSEName: disk}}
"""


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        static.parse(text, {"local-1", "local-2"}, "ces.yaml")
    return str(caught.value).splitlines()


def one_ce(rest: str) -> str:
    return f"ces:\n  - id: {CE}\n    {rest}\n"


def test_a_file_gives_its_entries_in_order() -> None:
    assert static.parse(FILE, {"local-1"}) == Purchase(
        (Entry(CE, {"GlueCEPolicyMaxCPUTime": 720, "GlueCEAccessControlBaseRule": ["VO:atlas"]},
               "local-1", "short"),
         Entry("ce.example.org:8443/jobmanager-local-long-jobs", {}, "local-1", "long-jobs"),
         Entry("other.example.org:8443/jobmanager-slurm-main", {})),
        (Entry("se.example.org", {"GlueSEName": "disk"}),))


@pytest.mark.parametrize("text", ["", "ces:\n", "ses: []\n", "{}"])
def test_an_empty_file_gives_nothing(text: str) -> None:
    assert static.parse(text, ()) == Purchase()


def test_all_problems_come_in_one_error() -> None:
    assert problems(f"""
computers: []
ces:
  - id: {CE}
    backend: local-3
    attributes: {{GlueCEStateStatus: .inf, gluecestatestatus: 1}}
  - id: {CE}
    queue: short
    colour: red
  - nothing
  - id: 7
""") == [
        "ces.yaml: unknown key 'computers' (known: ces, ses)",
        f"ces.yaml: ces entry 1 ('{CE}'): no backend is called 'local-3' (known: local-1, local-2)",
        f"ces.yaml: ces entry 1 ('{CE}'): gluecestatestatus: given twice (case does not count)",
        f"ces.yaml: ces entry 1 ('{CE}'): GlueCEStateStatus: not a finite number",
        f"ces.yaml: ces entry 2 ('{CE}'): unknown key 'colour' (known: id, backend, queue, attributes)",
        f"ces.yaml: ces entry 2 ('{CE}'): a queue needs a backend",
        "ces.yaml: ces entry 3: must be a mapping",
        "ces.yaml: ces entry 4 (a int): id must be text",
        "ces.yaml: ces entry 4 (a int): id is not host:port/name",
        f"ces.yaml: ces: {CE} is listed more than once",
    ]


@pytest.mark.parametrize(("text", "problem"), [
    ("- a", "must be a mapping with the keys ces and ses"),
    ("ces: 3", f"ces: must be a list of at most {static.MAX_ENTRIES} entries"),
    ("ses: [{id: a b}]", "ses entry 1 ('a b'): id is not a host name"),
    ("a: &x 1\nb: *x", "aliases (*name) are not accepted"),
    ("[" * 20 + "]" * 20, "nested deeper than 16"),
    ("#" * (static.MAX_FILE + 1), f"{static.MAX_FILE + 1} characters, more than {static.MAX_FILE}"),
    (one_ce("attributes: 3"), f"ces entry 1 ('{CE}'): attributes must be a mapping of GLUE names to values"),
    (one_ce("attributes: {when: 2020-01-01}"),
     f"ces entry 1 ('{CE}'): when: a date is not text, number, truth value, list or mapping"),
])
def test_a_problem_says_where_and_what(text: str, problem: str) -> None:
    assert problems(text) == [f"ces.yaml: {problem}"]


@pytest.mark.parametrize("text", ["ces: [", "\0", "a: 2020-99-99", "? {a: 1}\n: 2"])
def test_what_is_not_yaml_is_a_problem(text: str) -> None:
    assert problems(text)[0].startswith("ces.yaml: not YAML: ")


def test_a_flood_of_problems_is_cut() -> None:
    found = problems("ces: [" + "x, " * 150 + "]")
    assert len(found) == static.MAX_SHOWN + 1
    assert found[-1] == "ces.yaml: and 50 more"


def test_an_unknown_backend_of_a_site_without_any() -> None:
    with pytest.raises(ConfigError, match=r"no backend is called 'b' \(known: none\)"):
        static.parse(one_ce("backend: b"), ())


@given(st.text(alphabet="ceids: -[]{}&*!|>'\"\n\t01.xé#,?%@~", max_size=60))
@settings(max_examples=examples(300), deadline=None)
def test_any_text_is_a_purchase_or_a_configuration_error(text: str) -> None:
    with suppress(ConfigError):
        assert isinstance(static.parse(text, ()), Purchase)


def test_a_file_in_json_says_the_same() -> None:
    text = json.dumps({"ces": [{"id": CE, "backend": "local-1", "attributes": {"GlueCEPolicyMaxCPUTime": 720}}]})
    assert files.parse(text, {"local-1"}, "ces.json") == Described(Purchase(
        (Entry(CE, {"GlueCEPolicyMaxCPUTime": 720}, "local-1", "short"),)))
    assert files.parse("null", (), "ces.json") == files.parse("", (), "ces.yaml") == Described()


@pytest.mark.parametrize("text", ["ces: []", "[" * 100_000, "{"])
def test_what_is_not_json_is_a_problem(text: str) -> None:
    with pytest.raises(ConfigError, match="not JSON"):
        files.parse(text, (), "ces.json")


# -- attributes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("attributes", "problem"), [
    ({"a b": 1}, "'a b': not an attribute name"),
    ({3: 1}, "a int: not an attribute name"),
    ({"a": "x" * (MAX_TEXT + 1)}, f"a: {MAX_TEXT + 1} characters, more than {MAX_TEXT}"),
    ({"a": 2**63}, "a: not an integer of 64 bits"),
    ({"a": math.nan}, "a: not a finite number"),
    ({"a": None}, "a: a NoneType is not text, number, truth value, list or mapping"),
    ({"a": [1, None]}, "a[1]: a NoneType is not text, number, truth value, list or mapping"),
    ({"a": [{"b": None}]}, "a[0].b: a NoneType is not text, number, truth value, list or mapping"),
    ({"a": [[[[[1]]]]]}, "a[0][0][0][0]: nested deeper than 4 or longer than 10000"),
    ({"a": [1] * (MAX_ITEMS + 1)}, "a: nested deeper than 4 or longer than 10000"),
    ({f"a{n}": 1 for n in range(1001)}, "has 1001 attributes, more than 1000"),
])
def test_values_are_bounded(attributes: object, problem: str) -> None:
    assert list(attribute_problems(attributes)) == [problem]


@given(st.dictionaries(st.from_regex(r"\A[A-Z][a-z]{0,9}\Z"), st.one_of(
    st.booleans(), st.integers(-2**63, 2**63 - 1), st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20), st.lists(st.integers(0, 9), max_size=3)), max_size=5))
@settings(max_examples=examples(100), deadline=None)
def test_ordinary_values_are_no_problem(attributes: dict[str, object]) -> None:
    twice = len({name.casefold() for name in attributes}) < len(attributes)
    assert bool(list(attribute_problems(attributes))) == twice


def test_the_queue_is_the_end_of_the_id() -> None:
    assert [queue_of(CE), queue_of("host:1/name")] == ["short", "name"]


# -- backends --------------------------------------------------------------------------------------------


def test_a_backend_tells_its_queues() -> None:
    short = {"GlueCEUniqueID": CE, "GlueCEStateStatus": "Production"}
    named = {"GlueCEUniqueID": "h:1/x-y-z", "GlueCEName": "y-z"}
    assert purchase("local-1", [short, named]) == Described(Purchase(
        (Entry(CE, short, "local-1", "short"), Entry("h:1/x-y-z", named, "local-1", "y-z"))))


def test_one_unusable_record_does_not_stop_the_others() -> None:
    good = {"GlueCEUniqueID": CE}
    found = purchase("local-1", [{"GlueCEName": "x"}, good, good, {"GlueCEUniqueID": "h:1/q", "a": None}])
    assert found.purchase == Purchase((Entry(CE, good, "local-1", "short"),))
    assert found.refused == (
        "local-1: CE '': the id is not host:port/name",
        "local-1: CE 'ce.example.org:8443/jobmanager-local-short': described twice",
        "local-1: CE 'h:1/q': a: a NoneType is not text, number, truth value, list or mapping",
    )


# -- what is kept ----------------------------------------------------------------------------------------


def test_the_black_list_bars_ces_and_their_views() -> None:
    view, other = Entry(f"{CE}/cms", {}, base=CE), Entry("other.org:1/q", {})
    whole = Purchase((Entry(CE, {}), view, other), (Entry("ce.example.org", {}),))
    assert admitted(whole, [CE]) == admitted(whole, ["ce.example.org*"]) == Purchase((other,), whole.ses)
    assert admitted(whole, [f"{CE}/*"]).ces == (whole.ces[0], other)
    assert admitted(whole, []) is whole


def test_entries_and_sentences_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wm.supply.purchasers.MAX_ENTRIES", 2)
    assert described("x", [Entry(f"h:1/{n}", {}) for n in range(5)]).refused == ("x: more than 2 entries",)
    many = described("x", (), [Entry(f"a {n}", {}) for n in range(150)]).refused
    assert (len(many), many[-1]) == (101, "x: and 50 more")
