"""What holds for a request by itself."""

from __future__ import annotations

from market_builders import ce, job, market, name

from wm.matching.planner import Policy, deadline, refusal
from wm.matching.request import Request
from wm.supply.purchasers import Purchase
from wm.supply.supermarket import EMPTY, Kind, Source, Supermarket


def pinned(to: str) -> Request:
    return job(more=f'SubmitTo = "{name(to)}";')


def test_a_request_expires_by_its_age_or_when_it_says() -> None:
    assert deadline(job(submitted=5), Policy(expiry_s=1000)) == 1005
    assert deadline(job(more="ExpiryTime = 5000;", submitted=5), Policy(expiry_s=1000)) == 5000


def test_submit_to_a_ce_that_nobody_knows_is_refused() -> None:
    assert refusal(pinned("z"), market(ce("a"))) == (
        f"unknown resource: SubmitTo names {name('z')}, which is not in the information system")


def test_submit_to_waits_for_the_first_purchase_and_for_a_ce_that_fell_silent() -> None:
    silent = Supermarket().updated(Source("local", Kind.BACKEND, 60), Purchase((ce("a"),)), 0).snapshot(61)
    assert [refusal(pinned("a"), here) for here in (EMPTY, silent, market(ce("a")))] == ["", "", ""]


def test_who_names_no_ce_is_never_refused() -> None:
    assert refusal(job(), market()) == ""
