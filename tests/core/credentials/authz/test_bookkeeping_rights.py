"""Bookkeeping under the policy of the service: superusers, who reads all, who is banned; names and groups of tokens."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from policy_builders import ISSUER, JANE, bearer, person, policy

from lb.access.rights import Action, Rule, View, is_owner, may_tag, policy_of, view
from lb.access.senders import Here, Objection, Sender, Standing, judged
from lb.state.acl import READ, Entry, grants
from wms.authz.policy import Policy, ban, named, reach, superuser
from wms.authz.relations import Reach
from wms.event import Event, Source, event
from wms.identity import Identity, token_name
from wms.seqcode import START

TOKEN_NAME = token_name(ISSUER, "jane")
OWNED_BY_BOTH = f"owners: [{{owner: {JANE}, is: [{{issuer: '{ISSUER}', subject: jane}}]}}]"


class Above:
    """The policy of the service, without its files."""

    def __init__(self, found: Policy) -> None:
        self.found = found

    def superuser(self, identity: Identity) -> bool:
        return bool(superuser(self.found, identity))

    def banned(self, identity: Identity) -> bool:
        return bool(ban(self.found, identity))

    def reach(self, identity: Identity, action: str) -> Reach:
        return reach(self.found, identity, action)


def job(**more: Any) -> Any:
    return SimpleNamespace(**{"owner": JANE, "payload_owner": "", "access_rights": [], **more})


def by_both() -> Identity:
    """Jane by her token."""
    return named(policy(OWNED_BY_BOTH), bearer())


def test_a_superuser_of_the_service_is_an_administrator() -> None:
    found = policy_of(above=Above(policy("superusers: [{vo: ops}]")))
    assert all(found.permits(action, person("/CN=x", vo="ops")) for action in Action)
    assert view(found, person("/CN=x", vo="ops"), job()) is View.FULL
    assert not found.permits(Action.ADMIN_ACCESS, person("/CN=x"))


def test_who_may_read_all_jobs_reads_all_and_nothing_more() -> None:
    found = policy_of(above=Above(policy("rules: [{allow: read, who: {dn: /CN=x}, jobs: all}]")))
    assert view(found, person("/CN=x"), job()) is View.FULL
    assert not found.permits(Action.PURGE, person("/CN=x"))
    assert view(found, person("/CN=y"), job()) is View.NONE


def test_right_to_jobs_of_a_vo_is_none_to_read_all() -> None:
    found = policy_of(above=Above(policy("rules: [{allow: read, who: everybody, jobs: vo}]")))
    assert view(found, person("/CN=x", vo="vo"), job()) is View.NONE


def test_who_is_banned_sees_and_may_nothing_not_even_what_is_his() -> None:
    rules = {action: (Rule((".*",)),) for action in Action}
    found = policy_of(rules, above=Above(policy(f"ban: [{{dn: {JANE}}}]")))
    assert view(found, person(), job()) is View.NONE
    assert not any(found.permits(action, person()) for action in Action)
    assert view(found, person("/CN=x"), job()) is View.FULL


@pytest.mark.parametrize("name", [JANE, TOKEN_NAME])
def test_owner_is_who_has_the_name_or_the_credential(name: str) -> None:
    assert is_owner(by_both(), job(owner=name))
    assert may_tag(by_both(), job(owner="/CN=x", payload_owner=name))
    assert not is_owner(person("/CN=x"), job(owner=name))
    assert not is_owner(by_both(), job(owner=""))


@pytest.mark.parametrize("name", [JANE, TOKEN_NAME])
def test_rules_and_access_lists_name_the_owner_or_the_credential(name: str) -> None:
    assert Rule((name,)).matches(by_both())
    assert grants([f"READ ALLOW DN {name}"], READ, by_both())
    assert not grants([f"READ ALLOW DN {name}", f"READ DENY DN {TOKEN_NAME}"], READ, by_both())


@pytest.mark.parametrize(("fqan", "does"), [("/vo/ops", True), ("/vo", False), ("/other", False)])
def test_groups_of_a_token_are_fqans_of_its_vo(fqan: str, does: bool) -> None:
    who = bearer(groups=("/vo/ops", "/other"), vo="vo")
    assert Rule(fqans=(fqan,)).matches(who) is does
    assert Entry(READ, "ALLOW", "FQAN", fqan).means(who) is does
    assert Entry(READ, "ALLOW", "GROUP", fqan).means(who) is does


@pytest.mark.parametrize(("given", "stored"), [
    (TOKEN_NAME, True), (JANE, True), ("", True), ("/CN=somebody else", False)])
def test_a_job_that_is_registered_in_the_name_of_the_credential_is_the_owners(given: str, stored: bool) -> None:
    registered = event("RegJob", "https://lb:9000/j", Source.NETWORK_SERVER, str(START), 1.0, "h", given,
                       jobtype="SIMPLE", ns="https://ns:7772")
    found = judged(registered, Sender(by_both()), Standing(), Here("lb:9000", policy_of()))
    if stored:
        assert isinstance(found, Event)
        assert found.user == JANE
    else:
        assert isinstance(found, Objection)
