"""Who may log what: every event type and source for every relation to a job, and the checks in their order."""

from __future__ import annotations

from typing import Any

import pytest
from lb_jobs import required

from lb.access.rights import Action, Rule, policy_of, to_log
from lb.access.senders import (
    ABOUT_RIGHTS,
    EXCLUSIVE,
    NOBODY,
    OF_ATTEMPTS,
    OF_OWNERS,
    Here,
    Objection,
    Sender,
    Standing,
    after,
    is_plain,
    judged,
)
from wms.event import EVENT_TYPES, Event, Source, event
from wms.identity import Identity
from wms.seqcode import START

JOB = "https://lb.example:9000/job"
JANE, PILOT, TAGGER, JOHN, SERVER = (f"/DC=org/CN={name}" for name in ("Jane", "Pilot", "Tagger", "John", "Server"))
KNOWN = Standing("SIMPLE", JANE, PILOT, access_rights=[f"TAG ALLOW DN {TAGGER}", "READ ALLOW DN /DC=org/CN=Reader"])
EVERYTHING = policy_of()


def who(dn: str) -> Identity:
    return Identity(dn, not_after=9e9)


def here(policy: Any = EVERYTHING, **more: Any) -> Here:
    return Here("lb.example:9000", policy, **more)


def granting(*actions: Action) -> Any:
    return policy_of(dict.fromkeys(actions, (Rule((".*",)),)))


def said(type: str, source: Source, user: str = "", job: str = JOB, priority: int = 0, **fields: Any) -> Event:
    return event(type, job, source, START, 1.0, "host", user, priority=priority, **{**required(type), **fields})


def code(found: Event | Objection) -> str:
    return found.code if isinstance(found, Objection) else ""


def outcome(one: Event, sender: Sender, job: Standing = KNOWN, at: Here | None = None) -> str:
    return code(judged(one, sender, job, at or here()))


# -- the whole matrix ------------------------------------------------------------------------------------

RELATIONS = {
    "owner": Sender(who(JANE)), "owner, spelt differently": Sender(who("/dc=org/CN=Jane")),
    "payload owner": Sender(who(PILOT)), "tagger": Sender(who(TAGGER)), "reader": Sender(who("/DC=org/CN=Reader")),
    "stranger": Sender(who(JOHN)), "server": Sender(who(SERVER), forwards=True), "token": Sender(None, job=JOB),
    "token of another job": Sender(None, job=JOB + "2")}
OWNERS = ("owner", "owner, spelt differently")
DENIED, FORBIDDEN = "NS_NOT_OWNER", "LB_NOT_PERMITTED"


def expected(type: str, source: Source, relation: str) -> str:
    """The rules in words, once more."""
    if relation == "token of another job":
        return DENIED
    if relation == "token":
        return FORBIDDEN if source not in OF_ATTEMPTS or type in ABOUT_RIGHTS else ""
    if source is Source.LB_SERVER and relation != "server":
        return FORBIDDEN
    if relation in OWNERS or (relation == "server" and type != "RegJob"):
        return ""
    if type in ("RegJob", "ChangeACL", "GrantPayloadOwnership"):
        return DENIED
    if source not in OF_OWNERS or type == "TakePayloadOwnership":
        return ""
    return "" if type == "UserTag" and relation in ("payload owner", "tagger") else DENIED


@pytest.mark.parametrize("relation", RELATIONS)
def test_every_event_of_every_source_for_every_relation(relation):
    events = [(type, source, said(type, source)) for type in EVENT_TYPES for source in Source]
    wrong = [(type, source.value, found) for type, source, one in events
             if (found := outcome(one, RELATIONS[relation])) != expected(type, source, relation)]
    assert wrong == []


@pytest.mark.parametrize("granted", list(Action))
@pytest.mark.parametrize("type", ["RegJob", "Done", "UserTag", "GrantPayloadOwnership", "Match"])
def test_every_event_needs_the_action_of_its_type(type, granted):
    found = judged(said(type, Source.NETWORK_SERVER), Sender(who(JANE)), KNOWN, here(granting(granted)))
    if granted in (to_log(type), Action.ADMIN_ACCESS):
        assert isinstance(found, Event)
    else:
        assert (code(found), found.action) == (FORBIDDEN, to_log(type))


def test_a_token_needs_no_policy():
    assert outcome(said("Running", Source.LRMS), Sender(None, job=JOB), at=here(granting())) == ""


# -- who is written down ---------------------------------------------------------------------------------


def user(one: Event, sender: Sender, job: Standing = KNOWN, at: Here | None = None) -> str:
    found = judged(one, sender, job, at or here())
    assert isinstance(found, Event)
    return found.user


def test_what_a_client_says_of_itself_is_not_believed():
    assert user(said("Match", Source.WORKLOAD_MANAGER, JANE), Sender(who(JOHN))) == JOHN


def test_a_forwarder_tells_who_logged_it():
    server = Sender(who(SERVER), forwards=True)
    assert user(said("UserTag", Source.APPLICATION, JANE), server) == JANE
    assert user(said("UserTag", Source.APPLICATION), server) == SERVER
    assert outcome(said("UserTag", Source.APPLICATION, JOHN), server) == DENIED
    assert outcome(said("UserTag", Source.APPLICATION, TAGGER), server) == ""
    assert outcome(said("ChangeACL", Source.APPLICATION, JOHN), server) == DENIED


def test_a_token_speaks_for_the_owner():
    assert user(said("Running", Source.LRMS, JOHN), Sender(None, job=JOB)) == JANE


# -- registrations ---------------------------------------------------------------------------------------


def registration(user: str = "", **more: Any) -> Event:
    return said("RegJob", Source.USER_INTERFACE, user, **more)


def test_whoever_registers_owns():
    assert user(registration(), Sender(who(JANE)), NOBODY) == JANE
    assert user(registration("/dc=org/CN=Jane"), Sender(who(JANE)), NOBODY) == JANE


def test_for_another_only_with_the_right_to():
    foreign = here(granting(Action.REGISTER_JOBS, Action.REGISTER_FOREIGN))
    assert outcome(registration(JANE), Sender(who(JOHN)), NOBODY) == DENIED
    assert user(registration(JANE), Sender(who(JOHN)), NOBODY, foreign) == JANE
    assert user(registration(), Sender(who(JOHN)), NOBODY, foreign) == JOHN
    assert user(registration(JANE), Sender(who(SERVER), forwards=True), NOBODY) == JANE
    assert outcome(registration(JOHN), Sender(who(SERVER), forwards=True), KNOWN) == DENIED


@pytest.mark.parametrize(("job", "more", "refused"), [
    (NOBODY, {}, ""), (KNOWN, {}, "LB_JOB_EXISTS"), (Standing(purged=True), {}, "LB_JOB_EXISTS"),
    (Standing(purged=True), {"exclusive_zombies": False}, ""),
    (Standing("SIMPLE", JANE, presumed=True), {}, "")])
def test_an_exclusive_registration_is_the_first(job, more, refused):
    found = judged(registration(priority=EXCLUSIVE | 2), Sender(who(JANE)), job, here(**more))
    assert code(found) == refused
    if isinstance(found, Objection):
        assert (found.permanent, found.action) == (True, "")
        assert found.stored_as == registration(JANE, priority=EXCLUSIVE | 2)
    for priority in (0, 2, -1):
        assert outcome(registration(priority=priority), Sender(who(JANE)), job, here(**more)) == ""


# -- jobs that are not here ------------------------------------------------------------------------------


@pytest.mark.parametrize(("job", "more", "refused", "permanent"), [
    (NOBODY, {}, "NS_NO_SUCH_JOB", True), (NOBODY, {"coming": True}, "NS_NO_SUCH_JOB", False),
    (NOBODY, {"grey": True}, "", True), (Standing(purged=True), {"coming": True}, "LB_JOB_PURGED", True)])
@pytest.mark.parametrize("type", ["UserTag", "Match", "ChangeACL", "Done"])
def test_events_of_jobs_that_nobody_registered(type, job, more, refused, permanent):
    found = judged(said(type, Source.APPLICATION), Sender(who(JANE)), job, here(**more))
    assert code(found) == refused
    assert not isinstance(found, Objection) or found.permanent is permanent


def test_a_token_of_a_job_whose_registration_is_under_way():
    found = judged(said("Running", Source.LRMS), Sender(None, job=JOB), NOBODY, here(coming=True))
    assert (code(found), isinstance(found, Objection) and found.permanent) == ("NS_NO_SUCH_JOB", False)


@pytest.mark.parametrize("job", ["https://lb.example:9001/job", "https://other.example:9000/job"])
def test_jobs_of_another_server(job):
    found = judged(said("Match", Source.WORKLOAD_MANAGER, job=job), Sender(who(JANE)), NOBODY, here())
    assert isinstance(found, Objection)
    assert "does not match server address" in found.reason


# -- rights that change within a batch -------------------------------------------------------------------


def changing(operation: str, id: str, permission: str = "TAG") -> Event:
    return said("ChangeACL", Source.USER_INTERFACE, JANE, user_id=id, user_id_type="DN", permission=permission,
                permission_type="ALLOW", operation=operation)


def test_an_entry_that_is_not_there_cannot_be_removed():
    found = judged(changing("REMOVE", JOHN), Sender(who(JANE)), KNOWN, here())
    assert (code(found), isinstance(found, Objection) and found.stored_as) == (
        "UI_ARG_MISMATCH", changing("REMOVE", JOHN))
    assert outcome(changing("REMOVE", TAGGER), Sender(who(JANE))) == ""
    assert outcome(changing("ADD", TAGGER), Sender(who(JANE))) == ""


def test_what_was_said_before_counts_for_what_follows():
    job = after(Standing(purged=True), registration(JANE))
    assert job == Standing("SIMPLE", JANE)
    assert after(job, registration(JOHN)).owner == JANE
    job = after(job, changing("ADD", TAGGER))
    tag = said("UserTag", Source.APPLICATION)
    assert outcome(tag, RELATIONS["tagger"], job) == ""
    assert outcome(tag, RELATIONS["tagger"], after(job, changing("REMOVE", TAGGER))) == DENIED
    assert outcome(tag, RELATIONS["payload owner"], job) == DENIED


@pytest.mark.parametrize("swapped", [False, True])
def test_a_payload_is_handed_over_by_two(swapped):
    told = [said("GrantPayloadOwnership", Source.USER_INTERFACE, JANE, payload_owner=PILOT),
            said("TakePayloadOwnership", Source.APPLICATION, PILOT)]
    job = Standing("SIMPLE", JANE)
    for one in reversed(told) if swapped else told:
        assert job.payload_owner == ""
        job = after(job, one)
    assert job == Standing("SIMPLE", JANE, PILOT)
    assert after(job, said("Done", Source.LRMS)) is job


@pytest.mark.parametrize(("sender", "parent", "says"), [
    (JANE, KNOWN, ""), (JOHN, KNOWN, DENIED), (JOHN, NOBODY, ""), (JOHN, Standing("COLLECTION", JOHN), "")])
def test_a_registration_joins_the_family_of_its_own_owner(sender: str, parent: Standing, says: str) -> None:
    joining = said("RegJob", Source.USER_INTERFACE, parent=JOB + "-family")
    assert code(judged(joining, Sender(who(sender)), NOBODY, here(), parent)) == says
    assert code(judged(joining, Sender(who(SERVER), forwards=True), NOBODY, here(), parent)) == ""


def test_a_plain_registration_may_come_again() -> None:
    assert is_plain(said("RegJob", Source.USER_INTERFACE))
    assert not is_plain(said("RegJob", Source.USER_INTERFACE, priority=EXCLUSIVE))
    assert not is_plain(said("Clear", Source.NETWORK_SERVER))
