"""The table of remote operations is consistent with itself, and its records cross the network."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator
from typing import Any, get_args, get_origin
from urllib.parse import unquote

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wms import operations
from wms.operations import OPERATIONS, Check, Match, MatchList, Operation, Record
from wms.operations.bookkeeping import Limit
from wms.operations.row import ns

ALL = list(OPERATIONS.values())


def records() -> Iterator[type[Record]]:
    """Every record of the module."""
    for module in pkgutil.iter_modules(operations.__path__, "wms.operations."):
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, type) and issubclass(value, Record) and value is not Record:
                yield value


def params(operation: Operation) -> list[str]:
    return re.findall(r"\{(\w+)\}", operation.path)


def test_each_row_has_its_own_name_and_address() -> None:
    assert list(OPERATIONS) == [operation.name for operation in ALL]
    addresses = [(operation.method, re.sub(r"\{\w+\}", "{}", operation.path)) for operation in ALL]
    assert len(set(addresses)) == len(addresses)


@pytest.mark.parametrize("operation", ALL, ids=list(OPERATIONS))
def test_a_row_makes_sense(operation: Operation) -> None:
    assert operation.name.startswith(operation.daemon + ".")
    assert operation.method in ("GET", "POST", "PUT", "DELETE")
    assert operation.about.endswith(".")
    assert not (operation.method == "GET" and (operation.request or operation.idempotency_key))
    assert operation.stream == "up" or not (operation.method == "PUT" and operation.request is None)
    assert not (operation.stream == "up" and (operation.method == "GET" or operation.request))
    assert operation.reply is not None or operation.stream in ("down", "page")
    if operation.right in ("owner", "reader"):
        assert "unique" in params(operation)
    if operation.right == "attempt":
        assert params(operation)[:2] == ["unique", "attempt"]


def test_a_row_that_changes_something_says_what() -> None:
    with pytest.raises(ValueError, match="needs an action"):
        ns("x", "POST", "/x", "user", "Do it.")


@given(operation=st.sampled_from(ALL), data=st.data())
def test_a_url_is_split_back_into_its_parameters(operation: Operation, data: st.DataObject) -> None:
    names = params(operation)
    values = {name: data.draw(st.text(min_size=1, alphabet=st.characters(exclude_categories=["Cs"]))) for name in names}
    parts = re.split(r"\{\w+\}", operation.path)
    found = re.fullmatch("([^/]+)".join(map(re.escape, parts)), operation.url(**values))
    assert found is not None
    assert [unquote(part) for part in found.groups()] == [values[name] for name in names]


def with_every_field(kind: type[Any]) -> st.SearchStrategy[Any]:
    kinds = {f.name: f.type for f in msgspec.structs.fields(kind)}
    return st.fixed_dictionaries({name: texts(of) for name, of in kinds.items()}).map(lambda given: kind(**given))


def texts(kind: object) -> st.SearchStrategy[object]:
    """Any value of a field's type; open objects hold text."""
    if kind is Any:
        return st.text()
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return with_every_field(kind)
    if get_origin(kind) is tuple and get_args(kind)[1:] == (...,):
        return st.lists(texts(get_args(kind)[0]), max_size=2).map(tuple)
    if get_origin(kind) is dict:
        return st.dictionaries(st.text(), texts(get_args(kind)[1]), max_size=2)
    if kind == Limit:
        return st.integers(0, 1_000_000_000)
    return st.from_type(kind)  # type: ignore[arg-type]


st.register_type_strategy(float, st.floats(allow_nan=False, allow_infinity=False))
st.register_type_strategy(int, st.integers(-2**63, 2**63 - 1))


@given(st.sampled_from(list(records())).flatmap(with_every_field))
def test_records_cross_the_network(record: Record) -> None:
    assert msgspec.json.decode(msgspec.json.encode(record), type=type(record)) == record


def test_a_list_of_matches_crosses_the_network() -> None:
    found = MatchList((Match("ce", 1.5),), "", (Check("vo", 2, 1),))
    assert msgspec.json.decode(msgspec.json.encode(found), type=MatchList) == found
