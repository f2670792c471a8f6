"""Access lists of jobs: the fold of ChangeACL, who is meant by an entry, and its text as GACL."""

from __future__ import annotations

from itertools import permutations
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lb_jobs import LM, NS, UI, USER, Story, happy, shuffled, stored, told

from lb.state import acl
from lb.state.acl import READ, TAG, Entry
from lb.state.machine import fold
from lb.state.record import public
from tests.examples import examples
from wms.event import Event
from wms.identity import Identity
from wms.seqcode import START

JOHN = "/DC=org/CN=John"
IDS = ("/DC=org/CN=John", "/dc=org/cn=John", "/CN=Eve/emailAddress=e@x", "/CN=Eve/Email=e@x", "sub:https://iam#7")


def who(dn: str = JOHN, *fqans: str) -> Identity:
    return Identity(dn, fqans=fqans, not_after=9e9)


def change(operation: str = "ADD", id: str = JOHN, permission: str = READ, sort: str = "ALLOW",
           kind: str = "DN") -> dict[str, Any]:
    return {"user_id": id, "user_id_type": kind, "permission": permission, "permission_type": sort,
            "operation": operation}


CHANGES = st.builds(change, st.sampled_from(["ADD", "REMOVE"]), st.sampled_from(IDS), st.sampled_from([READ, TAG]),
                    st.sampled_from(["ALLOW", "DENY"]))


# -- one list --------------------------------------------------------------------------------------------


@given(st.lists(CHANGES, max_size=12))
@settings(max_examples=examples(200), deadline=None)
def test_the_last_word_on_an_entry_counts(changes):
    entries: list[str] = []
    for one in changes:
        entries = acl.changed(entries, one)
    last = {acl.asked(one).key: one["operation"] for one in changes}
    assert {Entry.parse(text).key for text in entries} == {key for key, said in last.items() if said == "ADD"}
    assert len(entries) == len({Entry.parse(text).key for text in entries})


def test_adding_twice_and_removing_what_is_not_there_change_nothing():
    entries = acl.changed([], change())
    assert acl.changed(entries, change(id="/dc=org/cn=John")) == entries
    assert acl.changed(entries, change("REMOVE", "/CN=nobody")) == entries
    assert acl.changed(entries, change("REMOVE")) == []


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs", "Cc")), min_size=1))
def test_any_id_survives_the_text_of_its_entry(id):
    entry = Entry(READ, "DENY", "DN", id)
    assert Entry.parse(entry.text) == entry


# -- who is meant ----------------------------------------------------------------------------------------

MEANT = [
    ("DN", "/DC=org/CN=John", who(), True),
    ("DN", "/CN=Eve/Email=e@x", who("/CN=Eve/emailAddress=e@x"), True),
    ("DN", "/USERID=u/CN=Eve", who("/UID=u/CN=Eve"), True),
    ("DN", "/DC=org/CN=John", who("/DC=org/CN=Johnny"), False),
    ("DN", "sub:https://iam/#7", who("sub:https://iam/#7"), True),
    ("DN", "sub:https://iam/#7", who("sub:https://iam/#8"), False),
    ("FQAN", "/cms/Role=production", who(JOHN, "/cms/Role=production/Capability=NULL"), True),
    ("FQAN", "/cms", who(JOHN, "/cms/Role=NULL/Capability=NULL"), True),
    ("FQAN", "/cms", who(JOHN, "/cms/Role=production"), False),
    ("FQAN", "/cms", who(), False),
    ("GROUP", "/cms", who(JOHN, "/cms/Role=production"), True),
    ("GROUP", "cms:/cms", who(JOHN, "/cms"), True),
    ("GROUP", "cms:higgs", who(JOHN, "/cms/higgs/Role=NULL"), True),
    ("GROUP", "cms", who(JOHN, "/cms"), True),
    ("GROUP", "/cms", who(JOHN, "/cms/higgs"), False),
    ("GROUP", "/wlcg/pilots", who("sub:https://iam#7", "/wlcg/pilots"), True),
]


@pytest.mark.parametrize(("kind", "id", "caller", "meant"), MEANT)
def test_who_is_meant(kind, id, caller, meant):
    entries = acl.changed([], change(id=id, kind=kind))
    assert acl.grants(entries, READ, caller) is meant
    assert not acl.grants(entries, TAG, caller)


@pytest.mark.parametrize("entries", list(permutations([
    "READ ALLOW GROUP /cms", "READ DENY DN /DC=org/CN=John", "READ ALLOW DN /DC=org/CN=John"])))
def test_deny_wins_whatever_the_order(entries):
    assert not acl.grants(entries, READ, who(JOHN, "/cms"))
    assert acl.grants(entries, READ, who("/CN=Eve", "/cms"))
    assert not acl.grants(entries, READ, who("/CN=Eve"))


# -- GACL ------------------------------------------------------------------------------------------------


def test_the_text_is_that_of_the_original():
    entries = acl.changed(acl.changed([], change(id="Somebody")), change(id="Somebody", permission=TAG))
    assert acl.gacl(entries) == (
        '<?xml version="1.0"?><gacl version="0.9.0">'
        "<entry><cred><auri>dn:Somebody</auri></cred><allow><read/></allow></entry>"
        "<entry><cred><auri>dn:Somebody</auri></cred><allow><write/></allow></entry></gacl>")
    assert acl.gacl([]) == ""


@pytest.mark.parametrize(("kind", "id", "auri"), [
    ("DN", "/CN=a & <b> \"c\" 'd'", "dn:/CN=a & <b> \"c\" 'd'"), ("DN", "sub:https://iam#7", "sub:https://iam#7"),
    ("FQAN", "/cms/Role=x", "fqan:/cms/Role=x"), ("GROUP", "cms:higgs", "fqan:/cms/higgs")])
def test_every_entry_can_be_read_as_xml(kind, id, auri):
    root = ElementTree.fromstring(acl.gacl(acl.changed([], change(id=id, kind=kind, sort="DENY"))))
    assert [(entry.findtext("cred/auri"), entry.find("deny/read") is not None) for entry in root] == [(auri, True)]


# -- in the history of a job -----------------------------------------------------------------------------


def said(at: float, code: object = START, user: str = USER, **fields: Any) -> Event:
    return told("ChangeACL", UI, code, at, user, **change(**fields))  # type: ignore[arg-type]


@given(st.lists(CHANGES, min_size=1, max_size=6), st.integers(0, 10**6))
@settings(max_examples=examples(150), deadline=None)
def test_any_order_of_arrival_gives_the_same_list(changes, seed):
    events = [*happy().events, *(told("ChangeACL", UI, START, 2e9 + n, **one) for n, one in enumerate(changes))]
    record = fold(events)
    assert stored(shuffled(events, seed)) == record
    expected: list[str] = []
    for one in changes:
        expected = acl.changed(expected, one)
    assert record.access_rights == expected


def test_a_list_moves_neither_the_state_nor_the_clock():
    plain, with_acl = fold(happy().events), fold([*happy().events, said(2e9, happy().code.advanced(UI))])
    for name in ("state", "last_seqcode", "last_branch_seqcode", "branch_tag_seqcode", "done_code", "destination"):
        assert getattr(plain, name) == getattr(with_acl, name)
    assert with_acl.access_rights == [f"READ ALLOW DN {JOHN}"]


def test_a_job_that_is_over_can_still_be_shared():
    story = happy().tell("Clear", NS, reason="USER")
    assert fold([*story.events, said(2e9)]).access_rights == [f"READ ALLOW DN {JOHN}"]


@pytest.mark.parametrize("jobtype", ["CREAM", "PBS", "CONDOR", "FILE_TRANSFER", "VIRTUAL_MACHINE", "DAG"])
def test_jobs_of_every_type_have_lists_and_payload_owners(jobtype):
    events = [told("RegJob", NS, jobtype=jobtype), said(2.0),
              told("GrantPayloadOwnership", UI, at=3.0, payload_owner="/CN=Eve"),
              told("TakePayloadOwnership", UI, at=4.0, user="/CN=Eve")]
    record = fold(events)
    assert (record.access_rights, record.payload_owner) == ([f"READ ALLOW DN {JOHN}"], "/CN=Eve")


def test_who_is_named_at_registration_may_read():
    story = Story(wms_dn="/CN=wms")
    record = fold(story.tell("Accepted", LM, from_=NS, from_host="x").events)
    assert record.access_rights == ["READ ALLOW DN /CN=wms"]
    assert public(record).acl == acl.gacl(record.access_rights)
    assert fold([*story.events, said(3e9, operation="REMOVE", id="/CN=wms")]).access_rights == []


def test_without_entries_there_is_no_text():
    assert public(fold(happy().events)).acl == ""
