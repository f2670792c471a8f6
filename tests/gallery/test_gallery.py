"""Every case of the gallery at the door of one service, and that the gallery is whole."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.gallery import (
    attempts,
    certificates,
    delegations,
    jobs,
    memberships,
    policies,
    proxies,
    requests,
    sandboxes,
    tokens,
)
from tests.gallery.case import Case
from tests.gallery.engine import refuse
from tests.gallery.house import House

TABLES = (certificates, proxies, memberships, tokens, delegations, jobs, attempts, sandboxes, requests, policies)
CASES: tuple[Case, ...] = tuple(case for table in TABLES for case in table.CASES)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_it_is_refused_by_its_code_told_in_the_log_and_leaves_no_trace(house: House, case: Case):
    refuse(house, case)


def test_no_case_has_the_name_of_another():
    assert [name for name, times in Counter(str(case) for case in CASES).items() if times > 1] == []
