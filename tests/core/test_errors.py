"""The error tree: every error can be told to a person and carried over the network."""

from __future__ import annotations

import json
import re

import pytest

from wms.errors import ConfigError, Refused, RemoteError, Unavailable, WmsError, every_error

MADE_OF_A_RECORD = (RemoteError,)
TREE = [cls for cls in every_error() if cls.__module__ == "wms.errors" and cls not in MADE_OF_A_RECORD]


@pytest.mark.parametrize("cls", TREE)
def test_each_error_has_a_code_a_status_and_an_exit(cls: type[WmsError]) -> None:
    error = cls("It is so.", hint="Do that.", value=[1])
    assert re.fullmatch(r"[A-Z]+(_[A-Z]+)+", cls.code)
    assert 400 <= cls.status < 600
    assert cls.exit > 0
    assert str(error) == "It is so."
    assert json.loads(json.dumps(error.record())) == {
        "code": cls.code, "message": "It is so.", "hint": "Do that.", "details": {"value": [1]}}


@pytest.mark.parametrize("cls", TREE)
def test_the_status_says_whose_fault_it_is(cls: type[WmsError]) -> None:
    if issubclass(cls, Refused):
        assert cls.status < 500
    if issubclass(cls, Unavailable):
        assert cls.status >= 503


def test_the_tree_is_listed_whole_and_in_order() -> None:
    found = every_error()
    assert {WmsError, Refused, Unavailable, ConfigError, RemoteError} <= set(found)
    assert [cls.code for cls in found] == sorted(cls.code for cls in found)
    assert len(found) == len(set(found))


def test_an_error_reported_by_another_party_keeps_its_record() -> None:
    record = Refused("No.", hint="Ask.", value=1).record()
    error = RemoteError(record, 409)
    assert (error.record(), error.status) == (record, 409)
    assert RemoteError({}, 500).record() == {"code": "WMS_ERROR", "message": "no message", "hint": "", "details": {}}
    assert RemoteError({"details": None}, 500).details == {}
    assert (WmsError.code, WmsError.status) == ("WMS_ERROR", 500), "the class is untouched"
