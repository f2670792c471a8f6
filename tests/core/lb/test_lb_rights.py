"""The policy: its two texts, what it grants; and what each caller sees of a job."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lb.access.policy import parse_policy
from lb.access.rights import BUILT_IN, EVERYBODYS, Action, Rule, View, policy_of, shown, to_log, view
from lb.access.views import LONGEST_CUT, pseudonym, shown_events
from tests.examples import examples
from wms.errors import ConfigError
from wms.event import EVENT_TYPES, Source, event
from wms.identity import Identity
from wms.jobstatus import JobState, JobStatus, JobType
from wms.seqcode import START

JANE, JOHN, SERVER, ADMIN = "/DC=org/CN=Jane", "/DC=org/CN=John", "/DC=org/CN=lb.example", "/DC=org/CN=Root"
SALT = b"salt"


def who(dn: str = JOHN, *fqans: str) -> Identity:
    return Identity(dn, fqans=fqans, not_after=9e9)


def granting(*actions: Action, rule: Rule = Rule((".*",))):
    return policy_of(dict.fromkeys(actions, (rule,)), SERVER, (ADMIN,))


# -- what a policy grants --------------------------------------------------------------------------------

RULES = [
    (Rule(), who(), False),
    (Rule((".*",)), who(), True),
    (Rule((), (".*",)), who(), True),
    (Rule((JOHN,)), who(), True),
    (Rule(("/DC=org/CN=Jo",)), who(), False),
    (Rule(("/dc=org/CN=John",)), who(), True),
    (Rule(("/emailAddress=a@b",)), who("/Email=a@b"), True),
    (Rule((), ("/cms/Role=production",)), who(JOHN, "/cms/Role=production/Capability=NULL"), True),
    (Rule((), ("/cms/Role=production",)), who(JOHN, "/cms"), False),
    (Rule((JOHN,), ("/cms",)), who(JOHN, "/cms"), True),
    (Rule((JOHN,), ("/cms",)), who(JOHN), False),
    (Rule((JANE,), ("/cms",)), who(JOHN, "/cms"), False),
    (Rule((), ("/cms", "/atlas")), who(JOHN, "/cms", "/atlas"), True),
    (Rule((), ("/cms", "/atlas")), who(JOHN, "/cms"), False),
]


@pytest.mark.parametrize(("rule", "caller", "matches"), RULES)
def test_all_lines_of_a_rule_must_hold(rule, caller, matches):
    assert granting(Action.PURGE, rule=rule).permits(Action.PURGE, caller) is matches


def test_one_rule_of_several_is_enough():
    policy = policy_of({Action.PURGE: (Rule((JANE,)), Rule(), Rule((JOHN,)))})
    assert [policy.permits(Action.PURGE, who(dn)) for dn in (JANE, JOHN, SERVER)] == [True, True, False]


@pytest.mark.parametrize("action", list(Action))
def test_an_action_is_granted_by_its_own_rules_and_by_those_of_administrators(action):
    policy = granting(action, rule=Rule((JOHN,)))
    assert policy.permits(action, who())
    others = [other for other in Action if other is not action]
    assert [other for other in others if policy.permits(other, who())] == (
        others if action is Action.ADMIN_ACCESS else [])
    assert all(policy.permits(one, who(ADMIN)) for one in Action)


def test_without_a_file_everybody_registers_and_logs():
    policy = policy_of(BUILT_IN, SERVER, (ADMIN,))
    assert {action for action in Action if policy.permits(action, who())} == set(EVERYBODYS)
    assert {action for action in Action if policy.permits(action, who(SERVER))} == {
        *EVERYBODYS, Action.READ_ALL, Action.PURGE}


@pytest.mark.parametrize("type", sorted(EVENT_TYPES))
def test_every_event_needs_one_action(type):
    special = {"RegJob": Action.REGISTER_JOBS, "GrantPayloadOwnership": Action.GRANT_OWNERSHIP,
               "Running": Action.LOG_CE_EVENTS, "ReallyRunning": Action.LOG_CE_EVENTS, "Done": Action.LOG_CE_EVENTS,
               "CurDescr": Action.LOG_GENERAL_EVENTS, "UserTag": Action.LOG_GENERAL_EVENTS,
               "ChangeACL": Action.LOG_GENERAL_EVENTS}
    assert to_log(type) is special.get(type, Action.LOG_WMS_EVENTS)


# -- its texts -------------------------------------------------------------------------------------------

BLOCKS = """
# who may do what
resource "LB" {
    action "READ_ALL" {
        rule permit { subject = "/CN=a#b" fqan = "/cms" }   # both
        rule permit { subject = ".*" }
        rule permit { }
    }
    action "PURGE" { }
}
"""
YAML = """
# who may do what
READ_ALL:
  - {subject: "/CN=a#b", fqan: [/cms]}
  - subject: .*
  - {}
PURGE:
"""
MEANING = {Action.READ_ALL: (Rule(("/CN=a#b",), ("/cms",)), Rule((".*",)), Rule()), Action.PURGE: ()}


@pytest.mark.parametrize("text", [BLOCKS, YAML])
def test_the_same_policy_in_two_forms(text):
    assert parse_policy(text) == MEANING


@pytest.mark.parametrize("text", ["", "# nothing\n", "{}", "---\n"])
def test_an_empty_policy_grants_nothing(text):
    assert parse_policy(text) == {}


BROKEN = [
    ('resource "LB" {\n action "X" { rule permit { subject "a" } }\n action "PURGE" { rule deny { } }\n'
     ' action "PURGE" { rule permit { foo = "x"\n subject = ""\n fqan = "/cms/.*" } }\n}',
     ["2: expected =, found a", "2: there is no action X", "3: expected permit, found deny",
      "4: a rule has subject and fqan, not foo", "5: subject is empty",
      "6: fqan /cms/.*: patterns are not understood, only .* for anybody"]),
    ('resource "LB" {', ["1: the file ends inside a block"]),
    ('resource "LB" { action "PURGE" {', ["1: the file ends inside a block"]),
    ('resource "LB" { } }', ["1: expected resource, found }"]),
    ('resource "XX" {\n}', ['1: expected resource "LB", not "XX"']),
    ('resource "LB" { other }', ["1: expected action, found other"]),
    ("resource 'LB'", ["1: expected a text, found '"]),
    ("READ_ALL: [{subject: x, subject: y}, {z: 1}, 3]\nFOO: []\nPURGE: {a: b}\nREAD_ALL:\n", [
        "1: a rule has subject and fqan, not z", "1: expected subject and fqan",
        "1: expected subject and fqan, each once", "2: there is no action FOO", "3: expected a list of rules",
        "4: expected actions and their rules, each once"]),
    ("a: [", ["1: not YAML: expected the node content, but found '<stream end>'"]),
    ("- 1", ["1: expected actions and their rules"]),
    ("PURGE: [{subject: {a: 1}}]", ["1: subject must be a text"]),
]


@pytest.mark.parametrize(("text", "problems"), BROKEN)
def test_all_problems_are_told_with_their_lines(text, problems):
    with pytest.raises(ConfigError) as raised:
        parse_policy(text, "file")
    assert raised.value.message.split("\n") == [f"file:{problem}" for problem in problems]


def test_a_control_character_is_no_yaml():
    with pytest.raises(ConfigError, match="policy:1: not YAML"):
        parse_policy("\x00")


@given(st.text(alphabet='resoucLBactinrulpmd{}="# \n.*/CN', max_size=60))
@settings(max_examples=examples(300), deadline=None)
def test_any_text_is_a_policy_or_refused(text):
    for form in (text, f'resource "LB" {{ {text}', f'resource "LB" {{ action "PURGE" {{ {text} }} }}'):
        with contextlib.suppress(ConfigError):
            assert parse_policy(form).keys() <= set(Action)


# -- who sees what ---------------------------------------------------------------------------------------

JDL = '[ Type = "Job"; VirtualOrganisation = "cms"; Executable = "/bin/secret"; Owner = "/DC=org/CN=Jane" ]'
STATUS = JobStatus(
    state=JobState.RUNNING, job_id="https://lb.example:9000/a", owner=JANE, jobtype=JobType.SIMPLE, jdl=JDL,
    destination="ce", network_server="ns", ui_host="ui", reason="secret", ce_node="wn", user_tags={"a": "b"},
    payload_owner="/CN=Pilot", access_rights=["READ ALLOW DN /CN=Reader", "READ DENY DN /CN=Out",
                                              "READ ALLOW FQAN /cms", "TAG ALLOW DN /CN=Tagger"],
    state_enter_time=2.0, last_update_time=3.0, state_enter_times={"Running": 2.0}, user_fqans=["/cms"],
    children_states=[JobStatus(owner=JANE, reason="secret")])
NOBODYS = granting()
VIEWS = [
    (NOBODYS, who(JANE), View.FULL), (NOBODYS, who("/dc=org/CN=Jane"), View.FULL),
    (NOBODYS, who("/CN=Pilot"), View.FULL), (NOBODYS, who("/CN=Reader"), View.FULL),
    (NOBODYS, who("/CN=Out", "/cms"), View.NONE), (NOBODYS, who("/CN=In", "/cms"), View.FULL),
    (NOBODYS, who("/CN=Tagger"), View.NONE), (NOBODYS, who(), View.NONE),
    (NOBODYS, who(ADMIN), View.FULL), (NOBODYS, who(SERVER), View.FULL),
    (granting(Action.READ_ALL), who(), View.FULL), (granting(Action.READ_ALL), who("/CN=Out"), View.FULL),
    (granting(Action.READ_ANONYMIZED), who(), View.ANONYMOUS),
    (granting(Action.READ_ANONYMIZED, Action.STATUS_FOR_MONITORING), who(), View.ANONYMOUS),
    (granting(Action.READ_ANONYMIZED), who(JANE), View.FULL),
    (granting(Action.STATUS_FOR_MONITORING), who(), View.MONITORING),
    (granting(Action.STATUS_FOR_MONITORING, Action.READ_ALL), who(), View.FULL),
    *[(granting(action), who(), View.NONE) for action in Action
      if action not in (Action.ADMIN_ACCESS, Action.READ_ALL, Action.READ_ANONYMIZED, Action.STATUS_FOR_MONITORING)],
]


@pytest.mark.parametrize(("policy", "caller", "seen"), VIEWS)
def test_the_first_that_holds_decides(policy, caller, seen):
    assert view(policy, caller, STATUS) is seen


def test_nobody_owns_a_job_that_nobody_registered():
    assert view(NOBODYS, who(""), JobStatus()) is View.NONE


def test_the_owner_sees_everything_and_the_access_list_as_gacl():
    seen = shown(STATUS, View.FULL, SALT)
    assert (seen.jdl, seen.reason, seen.acl.startswith("<?xml")) == (JDL, "secret", True)
    bare = JobStatus(owner=JANE)
    assert shown(bare, View.FULL, SALT) is bare


def test_without_names_everything_else_is_there():
    seen = shown(STATUS, View.ANONYMOUS, SALT)
    assert (seen.owner, seen.payload_owner) == (pseudonym(JANE, SALT), pseudonym("/CN=Pilot", SALT))
    assert (seen.reason, seen.destination, seen.user_tags) == ("secret", "ce", {"a": "b"})
    assert (seen.acl, seen.access_rights, seen.user_fqans) == ("", [], [])
    assert seen.children_states == [JobStatus(owner=pseudonym(JANE, SALT), reason="secret")]
    assert JANE not in repr(seen)
    assert "CN=Pilot" not in repr(seen)


def test_a_pseudonym_is_the_same_for_every_spelling_and_different_elsewhere():
    assert pseudonym(JANE, SALT) == pseudonym("/dc=org/CN=Jane", SALT) != pseudonym(JANE, b"other")
    assert len(pseudonym(JANE, SALT)) == 64


def test_for_monitoring_only_what_is_nobodys_secret():
    assert shown(STATUS, View.MONITORING, SALT) == JobStatus(
        state=JobState.RUNNING, job_id=STATUS.job_id, jobtype=JobType.SIMPLE, destination="ce",
        network_server="ns", ui_host="ui", state_enter_time=2.0, last_update_time=3.0,
        state_enter_times={"Running": 2.0}, jdl='[ Type = "Job"; VirtualOrganisation = "cms" ]')


@pytest.mark.parametrize("jdl", ["", "no [ jdl", '[ Executable = "/bin/ls" ]', "[" + " " * LONGEST_CUT + "]"])
def test_a_description_that_gives_nothing_is_not_shown(jdl):
    assert shown(JobStatus(jdl=jdl), View.MONITORING, SALT).jdl == ""


def test_who_sees_nothing_sees_nothing():
    assert shown(STATUS, View.NONE, SALT) == JobStatus()


def test_events_with_and_without_names():
    tag = event("UserTag", STATUS.job_id, Source.APPLICATION, START, 1.0, "host", JANE, name="by", value=f"me, {JANE}")
    grant = event("GrantPayloadOwnership", STATUS.job_id, Source.APPLICATION, START, 2.0, "host",
                  payload_owner="/CN=Pilot")
    acl = event("ChangeACL", STATUS.job_id, Source.APPLICATION, START, 3.0, "host", JANE, user_id=JOHN,
                user_id_type="DN", permission="READ", permission_type="ALLOW", operation="ADD")
    match = event("Resubmission", STATUS.job_id, Source.WORKLOAD_MANAGER, START, 4.0, "host", SERVER,
                  result="SHALLOW")
    history = [tag, grant, acl, match]
    assert shown_events(history, View.FULL, SALT) == history
    told = shown_events(history, View.ANONYMOUS, SALT)
    assert [one.type for one in told] == ["UserTag", "GrantPayloadOwnership", "Resubmission"]
    assert told[0].user in told[0].fields["value"]
    assert told[1].fields["payload_owner"] == pseudonym("/CN=Pilot", SALT)
    assert JANE not in repr(told)
    assert shown_events(history, View.MONITORING, SALT) == shown_events(history, View.NONE, SALT) == []
