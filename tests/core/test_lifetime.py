"""Whether a credential outlives its job, read from the job's own Requirements."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ns.lifetime import DEFAULT_NEED_S, how_to_last, needed_s, shortfall
from wms.jdl.description import describe
from wms.jdl.parser import parse


def needs(requirements: str) -> float:
    return needed_s(describe(parse(f'[ Executable = "/bin/true"; Requirements = {requirements}; ]')))


@pytest.mark.parametrize(("requirements", "seconds"), [
    ("true", DEFAULT_NEED_S), ("other.GlueCEPolicyMaxWallClockTime > 720", 720 * 60),
    ("other.gluecepolicymaxcputime >= 60.5", 60.5 * 60),
    ("other.GlueCEPolicyMaxCPUTime > 10 && (other.GlueCEPolicyMaxObtainableWallClockTime >= 90)", 90 * 60),
    ("other.GlueCEPolicyMaxCPUTime < 10", DEFAULT_NEED_S), ("other.GlueCEStateFreeCPUs > 9000", DEFAULT_NEED_S),
    ("other.GlueCEPolicyMaxCPUTime > true", DEFAULT_NEED_S),
    ('other.GlueCEPolicyMaxCPUTime > 10 || other.GlueCEUniqueID == "x"', 600)])
def test_the_longest_demanded_time_limit_counts(requirements: str, seconds: float) -> None:
    assert needs(requirements) == seconds


@given(needed=st.floats(0, 1e7), remaining=st.floats(-1e6, 1e7), renewable=st.booleans())
def test_a_warning_is_given_exactly_when_the_proxy_ends_first_and_nobody_renews_it(
        needed: float, remaining: float, renewable: bool) -> None:
    assert bool(shortfall(needed, remaining, renewable=renewable)) == (remaining < needed and not renewable)


@pytest.mark.parametrize(("kind", "says", "helps"), [
    ("certificate", "The proxy ends in 1.0 h, but the job may need 2.0 h and names no MyProxyServer", "MyProxy"),
    ("token", "The token ends in 1.0 h, but the job may need 2.0 h and no refresh token", "refresh token")])
def test_each_kind_of_credential_has_its_own_words(kind: str, says: str, helps: str) -> None:
    assert shortfall(7200, 3600, renewable=False, kind=kind).startswith(says)
    assert helps in how_to_last(kind)


def test_the_warning_says_how_long() -> None:
    assert "ends in 1.0 h, but the job may need 12.0 h" in shortfall(43_200, 3600, renewable=False)
