"""What is said at submission of requirements that no computing element can fulfil."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wm.supply.purchasers.glue2_names import NAMES as FROM_GLUE2
from wm.supply.purchasers.records import NUMBERS
from wms import glue
from wms.jdl.description import JobDescription, describe
from wms.jdl.evaluate import bind
from wms.jdl.parser import parse
from wms.jdl.plausible import NOWHERE, doubts
from wms.jdl.values import prepare
from wms.resource import LISTS

A, B = "other.GlueCEStateFreeCPUs", "other.GlueCEStateStatus"


def job(requirements: str = "true", rank: str = "0", more: str = "") -> JobDescription:
    text = f'Executable = "/bin/true"; Requirements = {requirements}; Rank = {rank}; {more}'
    return describe(parse(text), add_default_requirements=False)


def said(requirements: str = "true", rank: str = "0", more: str = "") -> list[str]:
    return [one.message for one in doubts(job(requirements, rank, more))]


@pytest.mark.parametrize(("requirements", "sentence"), [
    ("other.GlueCEStateFreeCPU > 3",
     "Requirements: other.GlueCEStateFreeCPU is no attribute of computing elements in GLUE 1.3; did you mean "
     "GlueCEStateFreeCPUs?"),
    ("other.Zzz > 3", "Requirements: other.Zzz is no attribute of computing elements in GLUE 1.3"),
    ("false", f"Requirements: `false` is false everywhere: {NOWHERE}"),
    (f"{A} > 3 && 1 > 2", f"Requirements: `1 > 2` is false everywhere: {NOWHERE}"),
    ("undefined", f"Requirements: `undefined` is undefined everywhere: {NOWHERE}"),
    ('"a" > 2', f"""Requirements: `"a" > 2` is an error everywhere: {NOWHERE}"""),
    ("NodeNumber", f"Requirements: `NodeNumber` is undefined everywhere: {NOWHERE}"),
    (f"{A} > 3 && 1 + 1", f"Requirements: `1 + 1` is no truth value everywhere: {NOWHERE}"),
    (f"{A} > 5 && {A} < 3", f"Requirements: `{A} > 5` and `{A} < 3` are never true together: {NOWHERE}"),
    (f"5 < {A} && {A} <= 5", f"Requirements: `5 < {A}` and `{A} <= 5` are never true together: {NOWHERE}"),
    (f"{A} == 4 && {A} >= -2 && {A} < 4",
     f"Requirements: `{A} == 4` and `{A} < 4` are never true together: {NOWHERE}"),
    (f"{A} < 9 && {A} < 4 && {A} > 1 && {A} == 7",
     f"Requirements: `{A} < 4` and `{A} == 7` are never true together: {NOWHERE}"),
    (f'{B} == "a" && {B} == "b"',
     f"""Requirements: `{B} == "a"` and `{B} == "b"` are never true together: {NOWHERE}"""),
    (f"{B} == true && {B} == false",
     f"Requirements: `{B} == true` and `{B} == false` are never true together: {NOWHERE}"),
])
def test_requirements(requirements: str, sentence: str) -> None:
    assert said(requirements) == [sentence]


@pytest.mark.parametrize("requirements", [
    "true", "1 < 2", f"{A} > 3 && {A} < 5", f"{A} >= 5 && {A} <= 5", f"{A} == 5 && {A} == 5.0",
    f'{B} == "a" && {B} == "A"',
    f'{B} == "a" || {B} == "b"', f'{B} != "a" && {B} != "b"', f"{A} > {A}", f"{A} > time() && {A} < 3", "time() > 5",
    "random() > 2", 'VirtualOrganisation == "x"', "VORule", f"{A} > 5 && {B} < 3", f"{A} > {{1}} && {A} < 2",
    "GlueCEStateFreeCPUs =?= undefined", f'{B} > "b" && {B} < "a"',
    'anyMatch(other.storage.CloseSEs, target.GlueSAStateAvailableSpace > 1)',
])
def test_silence_where_something_may_match(requirements: str) -> None:
    assert said(requirements) == []


def test_a_rank_is_a_number() -> None:
    assert said(rank="undefined") == [f"Rank: `undefined` is never a number: {NOWHERE}"]
    assert said(rank="true") == said(rank=f"-{A}") == said(rank="3.5") == []
    assert said(rank="other.GlueCEStateFreeCPU") == [
        "Rank: other.GlueCEStateFreeCPU is no attribute of computing elements in GLUE 1.3; did you mean "
        "GlueCEStateFreeCPUs?"]


def test_each_is_said_once_and_not_of_a_job_that_names_its_ce() -> None:
    assert len(said("other.Zzz > 3 && other.Zzz < 3")) == 2
    assert said("false", more='SubmitTo = "a.org:1/jobmanager-x-q";') == []


def test_a_long_part_is_cut() -> None:
    assert len(said(f'"{"x" * 500}" == "y"')[0]) < 200


def test_every_name_that_sources_publish_is_known() -> None:
    published = {name for name, _, _ in FROM_GLUE2} | set(LISTS.values())
    of_ces = [name for name in (*published, *NUMBERS) if not name.casefold().startswith(("gluese", "gluesa"))]
    assert [name for name in of_ces if not glue.known(name)] == []
    assert all(glue.NAMES[name.casefold()] == name for name in published if glue.known(name))


ATTRIBUTES = ("GlueCEStateFreeCPUs", "GlueCEStateStatus")
VALUES = st.one_of(st.integers(-2, 2), st.sampled_from(["a", "A", "b"]), st.booleans(), st.floats(-2, 2))


def literal(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value).lower()


PARTS = st.builds(lambda name, operator, value, turned: f"{literal(value)} {operator} other.{name}" if turned
                  else f"other.{name} {operator} {literal(value)}", st.sampled_from(ATTRIBUTES),
                  st.sampled_from(["<", "<=", ">", ">=", "==", "=?=", "!="]), VALUES, st.booleans())


@settings(max_examples=examples(400), deadline=None)
@given(st.lists(PARTS, min_size=1, max_size=4), st.fixed_dictionaries({}, optional=dict.fromkeys(ATTRIBUTES, VALUES)))
def test_nothing_matches_what_is_said_to_be_impossible(parts: list[str], published: dict[str, object]) -> None:
    described = job(" && ".join(parts))
    if doubts(described):
        assert bind(described.requirements, described.ad)(prepare(published)) is not True
