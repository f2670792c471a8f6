"""The text of a policy: what it may say, all its problems at once, and the file that is shipped."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from policy_builders import ISSUER, JANE, bearer, person, policy

from tests.examples import examples
from wms.authz.actions import ACTIONS
from wms.authz.policy import BUILT_IN, CONDITIONS, Policy, ban
from wms.authz.policy_text import parse_policy
from wms.authz.relations import Reach
from wms.authz.who_text import parse_bans
from wms.errors import ConfigError

SHIPPED = Path(__file__).parents[4] / "etc" / "policy.yaml"


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigError) as refused:
        parse_policy(text, "p")
    return str(refused.value).splitlines()


# -- what it may say ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "# nothing", "{}", "---\n", "rules:", "ban:\nsuperusers:\nowners:\nban_files:\n"])
def test_a_policy_that_says_nothing_is_the_built_in_one(text: str) -> None:
    found = policy(text)
    assert (found.rules, found.bans, found.superusers, dict(found.owners), found.drain) == (BUILT_IN, (), (), {}, False)


def test_a_policy_with_an_empty_list_of_rules_allows_nothing() -> None:
    assert policy("rules: []").rules == ()


def test_a_rule_has_all_that_its_text_says() -> None:
    (rule,) = policy("""
rules:
  - name: operators
    allow: [read, cancel]
    who: {vo: [a, b]}
    from: [192.0.2.0/24]
    jobs: vo
""").rules
    assert (rule.allow, rule.actions, rule.jobs, rule.name, rule.number) == (
        True, {"read", "cancel"}, Reach.VO, "operators", 1)
    assert [str(host) for host in rule.hosts] == ["192.0.2.0/24"]
    assert rule.who.conditions == (("vo", (("a",), ("b",))),)


def test_all_is_every_action() -> None:
    (rule,) = policy("rules: [{deny: all, who: everybody}]").rules
    assert rule.actions == ACTIONS.keys()


@pytest.mark.parametrize(("text", "drained"), [
    ("true", True), ("yes", True), ("on", True), ("false", False), ("no", False)])
def test_drain_is_a_truth(text: str, drained: bool) -> None:
    assert policy(f"drain: {text}").drain is drained


def test_files_of_the_banned_are_named() -> None:
    assert policy("ban_files: [a, /b]").ban_files == ("a", "/b")


# -- what is wrong with it ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "expected"), [
    ("rule: []", "p:1: there is no key rule; did you mean rules?"),
    ("- a", "p:1: expected the keys rules, ban, ban_files, superusers, owners, drain"),
    ("drain: maybe", "p:1: drain is true or false"),
    ("drain: [true]", "p:1: drain is true or false"),
    ("drain: true\ndrain: false", "p:2: expected the keys rules, ban, ban_files, superusers, owners, drain, each once"),
    ("rules: {}", "p:1: expected a list of rules"),
    ("rules: [a]", "p:1: expected a rule: name, allow, deny, who, from, jobs"),
    ("rules:\n- allow: raed\n  who: everybody", "p:2: there is no action raed; did you mean read?"),
    ("rules: [{allow: xyz, who: everybody}]", "p:1: there is no action xyz"),
    ("rules: [{allow: [[]], who: everybody}]", "p:1: an action must be a text"),
    ("rules: [{allow: read, who: everyone}]",
     "p:1: expected conditions (dn, ca, fqan, issuer, subject, group, vo, kind)"),
    ("rules: [{allow: read}]", "p:1: a rule says who; everybody is written everybody"),
    ("rules: [{who: everybody}]", "p:1: a rule has allow or deny"),
    ("rules: [{who: everybody, allow: read, deny: read}]", "p:1: a rule has allow or deny"),
    ("rules: [{allow: read, who: {}}]", "p:1: who is meant? Everybody is written everybody"),
    ("rules: [{allow: read, who: {fqans: /a}}]", "p:1: there is no condition fqans; did you mean fqan?"),
    ("rules: [{allow: read, who: {vo: []}}]", "p:1: vo names nobody"),
    ("rules: [{allow: read, who: {dn: jane}}]",
     "p:1: jane is no DN: it begins with / (or sub:, for the name of a token)"),
    ("rules: [{allow: read, who: {ca: jane}}]",
     "p:1: jane is no DN: it begins with / (or sub:, for the name of a token)"),
    ("rules: [{allow: read, who: {fqan: atlas}}]", "p:1: atlas is no FQAN: /vo, /vo/group, /vo/Role=x"),
    ("rules: [{allow: read, who: {fqan: /DC=org/CN=x}}]",
     "p:1: /DC=org/CN=x is no FQAN: /vo, /vo/group, /vo/Role=x"),
    ("rules: [{allow: read, who: {fqan: /vo/ROLE=x}}]", "p:1: /vo/ROLE=x: it is spelt Role="),
    ("rules: [{allow: read, who: {group: vo, vo: vo}}]", "p:1: vo is no group: it begins with /"),
    ("rules: [{allow: read, who: {group: /vo}}]",
     "p:1: group needs issuer or vo beside it: any issuer can claim any group"),
    ("rules: [{allow: read, who: {issuer: x}}]", "p:1: x is no issuer: it begins with https://"),
    ("rules: [{allow: read, who: {kind: proxy}}]", "p:1: kind is certificate or token, not proxy"),
    ("rules: [{allow: read, who: everybody, jobs: some}]", "p:1: jobs is one of own, vo, all, not some"),
    ("rules: [{deny: read, who: everybody, jobs: all}]",
     "p:1: jobs is for rules that allow: who is denied an action is denied it for all jobs"),
    ("rules: [{allow: read, who: everybody, from: wn1}]",
     "p:1: no address or network: 'wn1' does not appear to be an IPv4 or IPv6 network"),
    ("rules: [{allow: read, who: everybody, from: 10.0.0.1/8}]",
     "p:1: no address or network: 10.0.0.1/8 has host bits set"),
    ("rules: [{allow: read, who: everybody, from: []}]", "p:1: from names no host"),
    ("rules: [{allow: read, who: everybody, host: x}]", "p:1: there is no part of a rule called host"),
    ("ban: [{}]", "p:1: who is meant? Everybody is written everybody"),
    ("ban: [everybody]", "p:1: expected conditions (dn, ca, fqan, issuer, subject, group, vo, kind)"),
    ("superusers: everybody", "p:1: expected a list of who is a superuser"),
    ("owners: [{owner: /CN=a}]", "p:1: an entry says owner and is"),
    ("owners: [a]", "p:1: expected owner and is"),
    ("owners: [{owner: /CN=a, is: [], iss: []}]", "p:1: there is no part of an owner called iss; did you mean is?"),
    ("owners: [{owner: a, is: []}]", "p:1: a is no DN: it begins with / (or sub:, for the name of a token)"),
    ("owners: [{owner: /CN=a, is: [{issuer: x}]}]", "p:1: a credential has dn, or issuer and subject"),
    ("owners: [{owner: /CN=a, is: [{dn: 'sub:https://x#y'}]}]",
     "p:1: sub:https://x#y is no DN; a token is named by issuer and subject"),
    ("owners:\n- {owner: /CN=a, is: [{dn: /CN=x}]}\n- {owner: /CN=b, is: [{dn: /cn=x}]}",
     "p:3: this credential belongs to /CN=a already"),
    ("owners:\n- {owner: /CN=a, is: [{dn: /CN=b}]}\n- {owner: /CN=b, is: [{dn: /CN=c}]}",
     "p:3: /cn=b is an owner and somebody else's credential"),
    ("owners:\n- {owner: /CN=a, is: [{issuer: x, subject: y}]}\n- {owner: 'sub:x#y', is: []}",
     "p:3: sub:x#y is an owner and somebody else's credential"),
    ("a: [", "p:1: not YAML: expected the node content, but found '<stream end>'"),
    ("\x00", "p:1: not YAML: unacceptable character #x0000: special characters are not allowed"),
    ("[" * 1500, "p:1: not YAML: nested too deeply")])
def test_a_problem_is_told_with_its_line(text: str, expected: str) -> None:
    assert problems(text)[0] == expected


def test_all_problems_are_told_at_once_in_their_order() -> None:
    found = problems("drain: 1\nrules:\n- {allow: xyz, who: {do: 1}}\n- {deny: read, from: x, jobs: y}\nbann: []")
    assert [line.split(":")[1] for line in found] == ["1", "3", "3", "4", "4", "4", "4", "5"]


def test_the_same_credential_twice_for_one_owner_is_no_problem() -> None:
    found = policy(f"owners: [{{owner: {JANE}, is: [{{dn: /CN=a}}, {{dn: /cn=a}}, {{dn: {JANE}}}]}}]")
    assert set(found.owners.values()) == {JANE}


def test_an_empty_name_of_a_credential_claims_nothing() -> None:
    assert problems("owners: [{owner: /CN=a, is: [{dn: ''}]}]") == ["p:1: dn must be a text"]


def told(reading: Callable[[], object]) -> list[str]:
    """The problems, if there are any."""
    try:
        reading()
    except ConfigError as error:
        return list(error.details["problems"])
    return []


LINES = st.lists(st.sampled_from([
    "rules:", "- allow: read", "  who: everybody", "  who: {dn: /CN=*}", "  from: 10.0.0.0/8", "  jobs: all",
    "- deny: all", "ban:", "- fqan: /vo/*", "owners:", "- owner: /CN=a", "  is:", "  - dn: /CN=b", "drain: true",
    "  x: y", "&a [*a]",
    "- *a", "!!python/object:x y", "? {a: b}", ": 1", "superusers: [{vo: a}]"]), max_size=12)


@given(st.one_of(st.text(max_size=100), LINES.map("\n".join)))
@settings(max_examples=examples(400), deadline=None)
def test_any_text_is_a_policy_or_has_problems_that_are_told(text: str) -> None:
    found = told(lambda: parse_policy(text, "p"))
    assert all(re.match(r"p:\d+: ", line) for line in found)


# -- lists of the banned -----------------------------------------------------------------------------------


def test_a_list_of_the_banned_has_comments_and_three_kinds_of_entries() -> None:
    found = parse_bans(f"""# since May
/DC=org/DC=example/CN=Mallory   # asked to leave
"/CN=odd # name"
/bad/vo/Role=*
{ISSUER}#eve
  sub:{ISSUER}#oscar

""", "b")
    assert [one.label for one in found] == ["b:2", "b:3", "b:4", "b:5", "b:6"]
    banned = Policy(bans=found)
    for who, by in ((person("/DC=org/DC=example/CN=Mallory"), "b:2"), (person("/CN=odd # name"), "b:3"),
                    (person(fqans=("/bad/vo/Role=x",)), "b:4"), (bearer("eve"), "b:5"), (bearer("oscar"), "b:6"),
                    (person(), ""), (bearer(), ""), (bearer("eve", issuer="https://other"), "")):
        assert ban(banned, who) == by


def test_all_problems_of_a_list_of_the_banned_are_told() -> None:
    with pytest.raises(ConfigError) as refused:
        parse_bans('Mallory\n/CN=x\nhttp://issuer#a\nhttps://issuer#\n/vo/role=x\n""', "b")
    assert str(refused.value).splitlines() == [
        "b:1: Mallory is no DN, FQAN or ISSUER#SUBJECT", "b:3: http://issuer#a is no DN, FQAN or ISSUER#SUBJECT",
        "b:4: https://issuer# is no DN, FQAN or ISSUER#SUBJECT", "b:5: /vo/role=x is no DN, FQAN or ISSUER#SUBJECT",
        "b:6:  is no DN, FQAN or ISSUER#SUBJECT"]


@given(st.text(max_size=60))
@settings(max_examples=examples(200), deadline=None)
def test_any_text_is_a_list_of_the_banned_or_has_problems(text: str) -> None:
    assert all(re.match(r"b:\d+: ", line) for line in told(lambda: parse_bans(text, "b")))


# -- the file that is shipped ------------------------------------------------------------------------------


def test_the_policy_as_it_is_shipped_is_the_built_in_one() -> None:
    found = parse_policy(SHIPPED.read_text(), "etc/policy.yaml")
    assert (found.rules, found.bans, found.superusers, found.drain) == (BUILT_IN, (), (), False)


def test_every_example_of_the_policy_that_is_shipped_can_be_used() -> None:
    text = re.sub(r"^#(?! \S|$)", "", SHIPPED.read_text(), flags=re.MULTILINE)
    found = parse_policy(text, "etc/policy.yaml")
    assert (len(found.rules), len(found.bans), len(found.superusers), len(found.owners)) == (4, 3, 2, 2)
    assert found.rules[0].actions == BUILT_IN[0].actions - {"attempt"}
    assert found.ban_files == ("/etc/wms/banned",)


def test_the_policy_that_is_shipped_tells_of_all_actions_and_conditions() -> None:
    lines = SHIPPED.read_text().splitlines()
    for name, action in ACTIONS.items():
        assert f"# {name}: {action.about}" + (f" ({action.scope})" if action.scope else "") in lines
    for name, condition in CONDITIONS.items():
        assert f"# {name}: {condition.about}" in lines
