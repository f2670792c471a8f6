"""The OpenAPI documents say what the tables say: every row, every record, every status, nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wms.errors import every_error
from wms.openapi import PAGES, SECURITY, document
from wms.operations import OPERATIONS, Operation
from wms.operations.figures import Statistics
from wms.operations.row import Right

ROWS = list(OPERATIONS.values())
WHOLE = document()


def shown(row: Operation) -> dict[str, Any]:
    found = document(row.daemon)["paths"][row.path][row.method.lower()]
    assert isinstance(found, dict)
    return found


def references(tree: Any) -> Iterator[str]:
    """Every $ref in a document."""
    if isinstance(tree, dict):
        yield from (value for key, value in tree.items() if key == "$ref")
        for value in tree.values():
            yield from references(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from references(value)


@pytest.mark.parametrize("daemon", ["ns", "lb", ""])
def test_each_document_has_its_own_rows_and_nothing_dangles(daemon: str) -> None:
    found = document(daemon)
    names = {one["operationId"] for path in found["paths"].values() for one in path.values()}
    assert names == {row.name for row in ROWS if daemon in ("", row.daemon)}
    for reference in set(references(found)):
        target: Any = found
        for part in reference.removeprefix("#/").split("/"):
            target = target[part]
    assert found["openapi"] == "3.1.0"
    for schema in found["components"]["schemas"]:
        jsonschema_rs.validator_for({"$ref": f"#/components/schemas/{schema}", "components": found["components"]})


@pytest.mark.parametrize("row", ROWS, ids=list(OPERATIONS))
def test_a_row_is_told_whole(row: Operation) -> None:
    found = shown(row)
    parameters = [(one["in"], one["name"]) for one in found["parameters"]]
    assert [name for kind, name in parameters if kind == "path"] == re.findall(r"\{(\w+)\}", row.path)
    assert tuple(name for kind, name in parameters if kind == "query") == row.query
    assert (("header", "Idempotency-Key") in parameters) == row.idempotency_key
    assert ("requestBody" in found) == (row.request is not None or row.stream == "up")
    assert found["summary"] == row.about
    assert bool(found["security"]) == (row.right != "anyone")
    assert found["responses"].keys() >= {"401", "403"}, "a bad credential and the policy stop any call"
    content = found["responses"]["200"]["content"]
    match row.stream:
        case "page":
            assert set(content) == set(PAGES)
        case "down":
            assert set(content) == {"application/octet-stream"}
        case _:
            assert set(content) == {"application/json", *(["application/x-ndjson"] if "stream" in row.query else [])}
            assert content["application/json"]["schema"]


def test_rights_and_errors_are_all_told() -> None:
    assert set(SECURITY) == set(Right.__args__)  # type: ignore[attr-defined]
    told = " ".join(one["description"] for one in WHOLE["components"]["responses"].values()).replace(",", "").split()
    missing = {error.code for error in every_error() if error.status in (400, 401, 403, 404, 409, 410)} - set(told)
    assert not missing
    assert not any("500" in one["responses"] for path in WHOLE["paths"].values() for one in path.values())


@given(st.builds(Statistics, kind=st.just("rate"), destination=st.text(), since=st.floats(0, 1e10),
                 until=st.floats(0, 1e10), resolution_s=st.sampled_from([10, 60]), samples=st.integers(0, 9),
                 value=st.floats(0, 1e9)))
def test_a_record_satisfies_its_schema(record: Statistics) -> None:
    schema = {"$ref": "#/components/schemas/Statistics", "components": document("lb")["components"]}
    jsonschema_rs.validate(schema, msgspec.json.decode(msgspec.json.encode(record)))
