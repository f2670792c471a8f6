"""Every case of the gallery at the door of one service, and that the gallery is whole."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.gallery.case import Ask, Case
from tests.gallery.engine import refuse
from tests.gallery.house import HELLO, House, key
from tests.gallery.requests import TRUE
from tests.gallery.rooms import CASES
from wms.errors import (
    AttributesRefused,
    BadCredential,
    BadRequest,
    DelegationNeeded,
    DelegationReplayed,
    Draining,
    NotAuthorized,
    SealBroken,
    Unauthenticated,
    every_error,
)

ABOUT_CREDENTIALS = (BadCredential, AttributesRefused, NotAuthorized, Unauthenticated, DelegationReplayed,
                     DelegationNeeded, Draining, SealBroken, BadRequest)
ELSEWHERE = {
    "UI_NO_VOMS": "what a VOMS server says to who asks it for attributes: a command, or a renewal",
    "WMS_TOKEN_NOT_FOUND": "a command that finds no token on its user's machine",
    "WMS_TOKEN_DURATION": "a command that would not send a token that ends at once",
    "WMS_TOKEN_WITHHELD": "a command that does not send a token to just any service",
    "WMS_SEAL_BROKEN": "the service cannot open what it keeps: nobody's request is to blame",
}
"""Codes about credentials that nobody is answered at the door."""


@pytest.mark.parametrize("case", CASES, ids=str)
def test_it_is_refused_by_its_code_told_in_the_log_and_leaves_no_trace(house: House, case: Case):
    refuse(house, case)


def test_a_request_that_is_good_is_found_out(house: House):
    good = Case("none", 200, "", lambda h: Ask("POST", "/ns/v1/jobs", TRUE, key(), h.alice))
    before, mark = house.settle(), house.log_size()
    assert house.answer(good.asks(house)).status == 200
    assert house.settle() != before
    assert house.log_since(mark)
    with pytest.raises(AssertionError):
        refuse(house, good)


def test_a_file_and_a_row_are_seen(house: House):
    before, file = house.everything(), house.service.site.state / "stray"
    file.touch()
    assert house.everything() != before
    file.unlink()
    assert house.everything() == before
    house.register(HELLO)
    assert house.everything() != before


def test_the_gallery_is_large_and_no_case_has_the_name_of_another():
    assert len(CASES) >= 60
    assert [name for name, times in Counter(str(case) for case in CASES).items() if times > 1] == []


def test_every_code_about_credentials_has_a_case():
    codes = {one.code for one in every_error() if issubclass(one, ABOUT_CREDENTIALS) and one.__module__ == "wms.errors"}
    assert codes - {case.code for case in CASES} == ELSEWHERE.keys()
