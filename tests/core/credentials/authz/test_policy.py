"""Decisions of the policy: their order, who is meant, from where, and whose jobs."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from policy_builders import COMPUTE, ISSUER, JANE, bearer, person, policy

from tests.examples import examples
from wms.authz.actions import ACTIONS
from wms.authz.policy import Decision, Policy, Verdict, ban, decide, named, of_dn, reach, superuser
from wms.authz.relations import Reach
from wms.identity import Identity

V = Verdict
ADMIN = "{superusers: [{dn: /CN=admin}]}"


def verdict(text: str, who: Identity | None, action: str = "read", peer: str = "") -> Verdict:
    return decide(policy(text), who, action, peer).verdict


# -- without rules -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", sorted(ACTIONS))
def test_without_rules_everybody_may_do_everything_but_administer(action: str) -> None:
    assert decide(Policy(), person(), action).verdict is (V.NO_RULE if action == "administer" else V.ALLOWED)


@pytest.mark.parametrize("action", sorted(ACTIONS))
def test_a_superuser_may_do_everything_and_reach_all_jobs_where_no_credential_is_needed(action: str) -> None:
    found = decide(policy(ADMIN), person("/CN=admin"), action)
    assert found == Decision(V.ALLOWED, "superuser 1", 0, Reach.ALL if ACTIONS[action].others else Reach.OWN)


def test_who_shows_nothing_is_kept_out_by_hosts_only() -> None:
    text = "{rules: [{deny: all, who: everybody, from: 10.0.0.0/8}, {deny: all, who: {dn: '*'}}]}"
    assert verdict(text, None, "look", "10.1.2.3") is V.DENIED
    assert verdict(text, None, "look", "192.0.2.1") is V.ALLOWED
    assert verdict("{}", None, "administer") is V.ALLOWED


# -- the order ---------------------------------------------------------------------------------------------

BAN = "ban: [{dn: /CN=x}]"
DRAIN = "drain: true"
DENY = "rules: [{deny: all, who: everybody}, {allow: all, who: everybody}]"
SUPER = "superusers: [{dn: /CN=x}]"


@pytest.mark.parametrize(("parts", "expected"), [
    ((BAN, DRAIN, DENY, SUPER), V.BANNED), ((BAN, SUPER), V.BANNED), ((DRAIN, DENY), V.DRAINING),
    ((DRAIN, SUPER), V.ALLOWED), ((DRAIN, DENY, SUPER), V.DENIED), ((DENY, SUPER), V.DENIED), ((DENY,), V.DENIED),
    ((SUPER,), V.ALLOWED), ((), V.ALLOWED)])
def test_what_comes_first_decides(parts: tuple[str, ...], expected: Verdict) -> None:
    assert verdict("\n".join(parts), person("/CN=x"), "submit") is expected


@pytest.mark.parametrize("action", sorted(ACTIONS))
def test_a_drained_service_refuses_new_jobs_and_nothing_else(action: str) -> None:
    usual = verdict("{}", person(), action)
    assert verdict(DRAIN, person(), action) is (V.DRAINING if action == "submit" else usual)


def test_deny_comes_before_allow_wherever_it_stands() -> None:
    text = "rules: [{allow: all, who: everybody}, {name: not she, deny: cancel, who: {dn: '*/CN=Jane'}}]"
    assert decide(policy(text), person(), "cancel") == Decision(V.DENIED, "rule 2 (not she)", 2)
    assert decide(policy(text), person("/CN=x"), "cancel") == Decision(V.ALLOWED, "rule 1", 1)


def test_of_rules_that_allow_the_one_that_reaches_farthest_decides() -> None:
    text = ("rules: [{allow: all, who: everybody}, {allow: read, who: everybody, jobs: all},"
            " {allow: read, who: everybody, jobs: vo}]")
    assert decide(policy(text), person(), "read") == Decision(V.ALLOWED, "rule 2", 2, Reach.ALL)
    assert decide(policy(text), person(), "cancel") == Decision(V.ALLOWED, "rule 1", 1, Reach.OWN)


@pytest.mark.parametrize("action", sorted(ACTIONS))
def test_what_needs_the_owners_credentials_reaches_no_other_jobs(action: str) -> None:
    found = decide(policy("rules: [{allow: all, who: everybody, jobs: all}]"), person(), action)
    assert found.jobs is (Reach.ALL if ACTIONS[action].others else Reach.OWN)
    assert {name for name, one in ACTIONS.items() if one.others} == {"read", "fetch", "clear", "modify", "cancel"}


# -- credentials -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", sorted(ACTIONS))
def test_a_limited_proxy_neither_submits_nor_delegates_nor_administers(action: str) -> None:
    found = verdict("rules: [{allow: all, who: everybody}]", person(limited=True), action)
    assert found is (V.LIMITED if action in ("submit", "delegate", "administer") else V.ALLOWED)


@pytest.mark.parametrize("action", sorted(ACTIONS))
@pytest.mark.parametrize("scopes", [set(), {"compute.read"}, {"compute.create", "openid"}, COMPUTE, {"compute.reads"}])
def test_a_token_has_the_scope_of_the_action(action: str, scopes: set[str]) -> None:
    needed = ACTIONS[action].scope
    found = decide(policy("rules: [{allow: all, who: everybody}]"), bearer(scopes=frozenset(scopes)), action)
    assert found.verdict is (V.SCOPE if needed and needed not in scopes else V.ALLOWED)
    if found.verdict is V.SCOPE:
        assert found.by == needed


@pytest.mark.parametrize(("scopes", "groups", "expected"), [
    ({"openid"}, ("/vo",), V.ALLOWED), ({"openid"}, (), V.SCOPE), (set(), ("/vo",), V.ALLOWED),
    ({"compute.read"}, ("/vo",), V.SCOPE), ({"compute.cancel"}, (), V.ALLOWED)])
def test_a_token_without_scopes_of_ours_counts_by_its_groups(
        scopes: set[str], groups: tuple[str, ...], expected: Verdict) -> None:
    assert verdict("{}", bearer(scopes=frozenset(scopes), groups=groups), "cancel") is expected


def test_a_superuser_by_token_needs_the_scope_too() -> None:
    text = f"superusers: [{{issuer: {ISSUER}, subject: jane}}]"
    assert verdict(text, bearer(scopes=frozenset({"compute.read"})), "cancel") is V.SCOPE
    assert verdict(text, bearer(), "administer") is V.ALLOWED


# -- who ---------------------------------------------------------------------------------------------------

MEMBER = person(fqans=("/vo/g/Role=x", "/vo"), groups=("/vo/g", "/vo"), vo="vo")
HOLDER = bearer(groups=("/vo", "/vo/ops", "/foreign"), vo="vo")


@pytest.mark.parametrize(("who", "caller", "does"), [
    ("dn: /DC=org/DC=example/CN=Jane", person(), True), ("dn: /dc=org/dc=example/CN=Jane", person(), True),
    ("dn: /DC=org/*", person(), True), ("dn: /DC=org", person(), False), ("dn: '*jane'", person(), False),
    ("dn: '/CN=j/Email=a@b'", person("/CN=j/emailAddress=a@b"), True),
    ("dn: ['/CN=a', '/CN=b']", person("/CN=b"), True),
    (f"dn: 'sub:{ISSUER}#jane'", bearer(), True), ("dn: 'sub:*'", bearer(), True), ("dn: /CN=owner", bearer(), False),
    ("dn: /CN=owner", bearer(shown="sub:x"), False),
    ("ca: /DC=org/DC=example/CN=CA", person(), True), ("ca: '*'", bearer(), False), ("ca: /CN=CA", person(), False),
    ("fqan: /vo", MEMBER, True), ("fqan: /vo/g", MEMBER, False), ("fqan: /vo/g/Role=x", MEMBER, True),
    ("fqan: /vo/*", MEMBER, True), ("fqan: /vo", person(), False), ("fqan: /vo/ops", HOLDER, True),
    ("fqan: /foreign", HOLDER, False), ("fqan: /vo", bearer(groups=("/vo",)), False),
    ("fqan: /vo", bearer(groups=("/vo2",), vo="vo"), False),
    (f"issuer: {ISSUER}", bearer(), True), ("issuer: '*'", person(), False), ("subject: jane", bearer(), True),
    ("subject: 'j*'", bearer(), True), ("subject: jan", bearer(), False),
    ("{group: /vo/ops, vo: vo}", HOLDER, True), ("{group: /foreign, vo: vo}", HOLDER, True),
    ("{group: /vo/*, vo: vo}", HOLDER, True), ("{group: /vo/g, vo: vo}", MEMBER, True),
    ("{group: /vo, vo: other}", HOLDER, False),
    ("vo: vo", MEMBER, True), ("vo: '*'", person(), False), ("kind: token", HOLDER, True),
    ("kind: token", MEMBER, False), ("kind: [token, certificate]", MEMBER, True),
    ("{dn: /DC=org/*, fqan: /vo}", MEMBER, True), ("{dn: /CN=*, fqan: /vo}", MEMBER, False)])
def test_who_is_meant(who: str, caller: Identity, does: bool) -> None:
    text = who if who.startswith("{") else f"{{{who}}}"
    assert (verdict(f"rules: [{{allow: read, who: {text}}}]", caller) is V.ALLOWED) is does
    assert (verdict(f"ban: [{text}]", caller) is V.BANNED) is does
    assert (superuser(policy(f"superusers: [{text}]"), caller) == "superuser 1") is does


def test_a_name_of_the_settings_is_no_pattern() -> None:
    assert superuser(Policy(superusers=(of_dn("/CN=*", "lb"),)), person("/CN=x")) == ""
    assert superuser(Policy(superusers=(of_dn("/CN=*", "lb"),)), person("/CN=*")) == "lb"
    assert superuser(Policy(superusers=(of_dn("/CN=x/Email=a", "lb"),)), person("/CN=x/emailAddress=a")) == "lb"


# -- where -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("peer", "does"), [
    ("192.0.2.7", True), ("192.0.3.7", False), ("::ffff:192.0.2.7", True), ("2001:db8::1", True),
    ("2001:db9::1", False), ("198.51.100.9", True), ("198.51.100.8", False), ("", False), ("localhost", False)])
def test_from_where(peer: str, does: bool) -> None:
    text = "rules: [{allow: read, who: everybody, from: [192.0.2.0/24, '2001:db8::/32', 198.51.100.9]}]"
    assert (verdict(text, person(), "read", peer) is V.ALLOWED) is does


# -- owners ------------------------------------------------------------------------------------------------

OWNERS = f"owners: [{{owner: {JANE}, is: [{{issuer: '{ISSUER}', subject: jane}}, {{dn: /CN=Jane Doe}}]}}]"


@pytest.mark.parametrize(("who", "name", "shown"), [
    (bearer(), JANE, f"sub:{ISSUER}#jane"), (person("/CN=Jane Doe"), JANE, "/CN=Jane Doe"), (person(), JANE, ""),
    (bearer("john"), f"sub:{ISSUER}#john", ""), (person("/CN=Jane"), "/CN=Jane", ""),
    (bearer(issuer="https://other/"), "sub:https://other/#jane", ""),
    (person(f"sub:{ISSUER}#jane"), f"sub:{ISSUER}#jane", "")])
def test_credentials_of_a_person_have_the_name_of_their_owner(who: Identity, name: str, shown: str) -> None:
    found = named(policy(OWNERS), who)
    assert (found.dn, found.shown) == (name, shown)
    assert named(policy(OWNERS), found) == found
    assert (found.kind, found.scopes, found.not_after) == (who.kind, who.scopes, who.not_after)


def test_without_owners_nobody_is_named_anew() -> None:
    who = person()
    assert named(Policy(), who) is who


def test_who_is_banned_by_one_name_is_banned_by_that_credential_and_by_the_owners_by_all() -> None:
    both = policy(f"{OWNERS}\nban: [{{dn: /CN=Jane Doe}}]")
    assert ban(both, named(both, person("/CN=Jane Doe"))) == "ban 1"
    assert ban(both, named(both, bearer())) == ""
    owner = policy(f"{OWNERS}\nban: [{{dn: {JANE}}}]")
    assert ban(owner, named(owner, bearer())) == "ban 1"


def test_how_far_rights_reach_whence_ever() -> None:
    found = policy("rules: [{allow: read, who: everybody, jobs: all}, {allow: cancel, who: everybody, jobs: all,"
                   " from: 10.0.0.1}]")
    assert reach(found, person(), "read") is Reach.ALL
    assert reach(found, person(), "cancel") is Reach.OWN


# -- whatever the policy -----------------------------------------------------------------------------------

WHOS = st.sampled_from(["everybody", "{dn: /CN=a}", "{dn: /CN=*}", "{fqan: /vo/*}", "{vo: vo}", "{kind: token}"])
RULES = st.lists(st.builds(
    lambda effect, action, who, jobs: f"{{{effect}: {action}, who: {who}{jobs if effect == 'allow' else ''}}}",
    st.sampled_from(["allow", "deny"]), st.sampled_from([*ACTIONS, "all"]), WHOS,
    st.sampled_from(["", ", jobs: vo", ", jobs: all"])), max_size=5)
CALLERS = st.sampled_from([person("/CN=a"), person("/CN=b"), MEMBER, HOLDER, bearer(scopes=frozenset())])


def _policy(rules: list[str]) -> Policy:
    return policy(f"rules: [{', '.join(rules)}]")


@given(RULES, CALLERS, st.sampled_from(sorted(ACTIONS)))
@settings(max_examples=examples(150), deadline=None)
def test_a_denial_more_never_lets_anybody_in(rules: list[str], who: Identity, action: str) -> None:
    before, after = (decide(_policy(some), who, action)
                     for some in (rules, [*rules, "{deny: all, who: {kind: certificate}}"]))
    assert after.verdict is not V.ALLOWED or after == before


@given(RULES, CALLERS, st.sampled_from(sorted(ACTIONS)), st.randoms())
@settings(max_examples=examples(150), deadline=None)
def test_the_order_of_rules_does_not_matter(rules: list[str], who: Identity, action: str, order: Any) -> None:
    mixed = order.sample(rules, len(rules))
    one, other = (decide(_policy(some), who, action) for some in (rules, mixed))
    assert (one.verdict, one.jobs) == (other.verdict, other.jobs)
