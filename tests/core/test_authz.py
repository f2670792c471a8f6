"""What a caller is to a job, and how far a right must reach to it."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from wms.authz.relations import Reach, Relation, is_named, may, memberships, names, relation, require
from wms.errors import NotAuthorized
from wms.identity import TOKEN, Identity

JANE = "/DC=org/DC=example/CN=Jane/emailAddress=jane@example.org"


class Job(NamedTuple):
    owner: str = JANE
    vo: str = "vo"


class Asks(NamedTuple):
    user: Identity
    jobs: Reach = Reach.OWN


def who(dn: str = JANE, **more: Any) -> Identity:
    return Identity(dn, not_after=2e9, **more)


CASES = [
    (who(), Job(), Relation.OWNER), (who(vo="vo"), Job(), Relation.OWNER),
    (who("/DC=org/DC=example/CN=Jane/Email=jane@example.org"), Job(), Relation.OWNER),
    (who("/CN=owner", shown=JANE), Job(), Relation.OWNER), (who("/CN=x"), Job(), Relation.OTHER),
    (who("/CN=x", vo="vo"), Job(), Relation.SAME_VO), (who("/CN=x", vo="VO"), Job(), Relation.OTHER),
    (who("/CN=x"), Job(vo=""), Relation.OTHER), (who(""), Job(owner="", vo=""), Relation.OTHER),
    (who("/CN=x", shown=""), Job(owner=""), Relation.OTHER)]


@pytest.mark.parametrize(("caller", "job", "expected"), CASES)
def test_what_a_caller_is_to_a_job(caller: Identity, job: Job, expected: Relation) -> None:
    assert relation(caller, job) is expected


@pytest.mark.parametrize("reach", list(Reach))
@pytest.mark.parametrize(("caller", "job", "found"), CASES)
def test_a_right_reaches_the_own_jobs_those_of_the_vo_or_all(
        caller: Identity, job: Job, found: Relation, reach: Reach) -> None:
    reached = {Reach.OWN: {Relation.OWNER}, Reach.VO: {Relation.OWNER, Relation.SAME_VO}, Reach.ALL: set(Relation)}
    assert may(Asks(caller, reach), job) is (found in reached[reach])


def test_the_owner_passes() -> None:
    require(Asks(who()), Job())


def test_somebody_else_is_told_so_and_not_whose_it_is() -> None:
    with pytest.raises(NotAuthorized) as refused:
        require(Asks(who()), Job("/CN=the secret owner"))
    assert refused.value.code == "NS_NOT_OWNER"
    assert "secret" not in str(refused.value.record())


def test_a_caller_has_the_name_of_the_owner_and_that_of_the_credential() -> None:
    both = who("/CN=owner", shown="sub:https://i#s")
    assert names(both) == ("/CN=owner", "sub:https://i#s")
    assert names(who()) == (JANE,)
    found = [is_named(both, name) for name in ("/cn=owner", "sub:https://i#s", "/CN=x", "")]
    assert found == [True, True, False, False]


@pytest.mark.parametrize(("groups", "vo", "expected"), [
    (("/vo", "/vo/a", "/vo2", "/other", "vo"), "vo", ("/vo", "/vo/a")), (("/vo",), "", ()), ((), "vo", ())])
def test_groups_of_a_token_count_as_fqans_within_its_vo(
        groups: tuple[str, ...], vo: str, expected: tuple[str, ...]) -> None:
    assert memberships(who(kind=TOKEN, groups=groups, vo=vo)) == expected


def test_groups_of_a_certificate_are_those_of_its_fqans() -> None:
    assert memberships(who(fqans=("/vo/Role=x",), groups=("/vo", "/forged"), vo="vo")) == ("/vo/Role=x",)
