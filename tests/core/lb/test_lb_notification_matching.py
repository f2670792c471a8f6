"""Notifications: the index finds whoever the conditions concern, messages have one form, identifiers one meaning."""

from __future__ import annotations

from itertools import count

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lb.notices.notification_index import EVERY, Index, Key, keys
from lb.notices.notifications import (
    Flag,
    Registration,
    flags_of,
    granted,
    id_of,
    lost,
    message,
    moment,
    name_of,
    names_of,
    others_by_owner,
)
from lb.queries.conditions import Condition, Conditions, Operator, matches
from tests.examples import examples
from wms.errors import NoSuchNotification, Refused
from wms.event import Source, event
from wms.identity import Identity
from wms.jobstatus import JobState, JobStatus
from wms.seqcode import START

PEOPLE = ["/CN=jane/Email=j@x", "/CN=jane/emailAddress=j@x", "/CN=john"]
URLS = [f"https://lb:9000/{name}" for name in "ab"]
VOS = ["cms", "atlas"]
WHO = Identity("/CN=jane", not_after=4e9)


def registration(conditions: Conditions, id: str = "n", flags: Flag = Flag(0), ends: float = 100.0) -> Registration:
    return Registration(id, WHO.dn, WHO, "", conditions, flags, 0.0, ends)


def equal(attribute: str, *values: str, name: str = "") -> tuple[Condition, ...]:
    return tuple(Condition(attribute, Operator.EQUAL, value, name=name) for value in values)


def some(values: list[str]) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(values), min_size=1, max_size=2)


operators = st.sampled_from([Operator.EQUAL, Operator.EQUAL, Operator.UNEQUAL])


@st.composite
def groups(draw: st.DrawFn) -> tuple[Condition, ...]:
    attribute, name, values = draw(st.sampled_from([
        ("jobid", "", URLS), ("parent_job", "", [*URLS, ""]), ("owner", "", PEOPLE),
        ("network_server", "", ["ns", "other"]), ("jdl_attr", "VirtualOrganisation", VOS),
        ("jdl_attr", "owner", VOS), ("usertag", "owner", VOS), ("status", "", ["Done", "Running"])]))
    return tuple(Condition(attribute, draw(operators), value, name=name) for value in draw(some(values)))


conditions = st.lists(groups(), max_size=3).map(tuple)
statuses = st.builds(
    JobStatus, job_id=st.sampled_from(URLS), parent_job=st.sampled_from([*URLS, ""]), owner=st.sampled_from(PEOPLE),
    network_server=st.sampled_from(["ns", "other ", ""]), state=st.sampled_from([JobState.DONE, JobState.RUNNING]),
    jdl=st.sampled_from(["", '[ VirtualOrganisation = "cms" ]', '[ virtualorganisation = "atlas"; owner = "cms" ]']))


@settings(max_examples=examples(150), deadline=None)
@given(st.lists(conditions, max_size=6), st.lists(statuses, max_size=6), st.sets(st.integers(0, 5)))
def test_the_index_leaves_nobody_out(registered: list[Conditions], jobs: list[JobStatus], dropped: set[int]) -> None:
    index, ids = Index(), count()
    made = [registration(conditions, f"n{next(ids)}") for conditions in registered]
    for one in [*made, *made]:
        index.put(one)
    for number in dropped:
        index.drop(f"n{number}")
    kept = [one for one in made if int(one.id[1:]) not in dropped]
    assert len(index) == len(kept)
    for job in jobs:
        found = [watch.registration.id for watch in index.candidates(job) if watch.concerned(None, job, 0.0)]
        assert sorted(found) == [one.id for one in kept if matches(one.conditions, job)]


@pytest.mark.parametrize(("conditions", "expected"), [
    ((), (EVERY,)),
    ((equal("status", "Done"),), (EVERY,)),
    ((equal("owner", "/CN=a/Email=x", "/CN=a/emailAddress=x"),), (Key("owner", "/cn=a/emailaddress=x"),)),
    ((equal("owner", "/CN=a"), equal("jobid", *URLS)), (Key("jobid", URLS[0]), Key("jobid", URLS[1]))),
    ((equal("jdl_attr", "cms", name="VirtualOrganisation"),), (Key("jdl:virtualorganisation", "cms"),)),
    ((equal("jdl_attr", "x", name="owner"),), (EVERY,)),
    ((equal("usertag", "x", name="owner"),), (EVERY,)),
    (((Condition("owner", Operator.UNEQUAL, "/CN=a"),),), (EVERY,)),
])
def test_the_place_of_a_registration(conditions: Conditions, expected: tuple[Key, ...]) -> None:
    assert keys(conditions) == expected


def test_ten_thousand_registrations_of_others_are_not_asked() -> None:
    index = Index()
    for number in range(10_000):
        index.put(registration((equal("owner", f"/CN=user {number}"),), f"n{number}"))
    found = index.candidates(JobStatus(job_id=URLS[0], owner="/CN=user 77"))
    assert [watch.registration.id for watch in found] == ["n77"]
    for number in range(10_000):
        index.drop(f"n{number}")
    assert (len(index), index.candidates(JobStatus(owner="/CN=user 77"))) == (0, [])


def test_only_terminal_states_and_only_in_its_time() -> None:
    index = Index()
    index.put(registration((), flags=Flag.TERMINAL))
    (watch,) = index.candidates(JobStatus())
    aborted, done = JobStatus(state=JobState.ABORTED), JobStatus(state=JobState.DONE)
    assert [watch.concerned(None, aborted, 99.9), watch.concerned(None, aborted, 100.0),
            watch.concerned(None, done, 0.0)] == [True, False, False]


def test_a_change_is_between_before_and_after() -> None:
    index = Index()
    index.put(registration(((Condition("status", Operator.CHANGED),),)))
    (watch,) = index.candidates(JobStatus())
    done, running = JobStatus(state=JobState.DONE), JobStatus(state=JobState.RUNNING)
    assert [watch.concerned(before, done, 0.0) for before in (None, running, done)] == [True, True, False]


# -- messages --------------------------------------------------------------------------------------------

STATUS = JobStatus(
    state=JobState.DONE, job_id="https://lb.example:9000/abc", owner="/CN=jane", jdl='[ VirtualOrganisation = "cms" ]',
    matched_jdl="[ m ]", condor_jdl="c", rsl="r", network_server="ns", condor_id="7", destination="ce/q", exit_code=3,
    reason="it ended", state_enter_time=1.5, last_update_time=1_700_000_000.9)
KEYS = ["jobid", "ownerDn", "VirtualOrganisation", "bkHost", "networkHost", "lastUpdateTime", "stateName",
        "stateStartTime", "condorId", "destSite", "exitCode", "doneCode", "statusReason", "history"]


def test_the_message_has_the_known_keys() -> None:
    told = message(STATUS, Flag(0))
    assert list(told) == KEYS
    assert (told["bkHost"], told["VirtualOrganisation"], told["stateStartTime"], told["lastUpdateTime"]) == (
        "lb.example", "cms", "1970-01-01T00:00:01Z", "2023-11-14T22:13:20Z")
    assert message(msgspec.structs.replace(STATUS, jdl=""), Flag(0))["VirtualOrganisation"] == ""


def test_descriptions_are_told_to_who_asks_for_them() -> None:
    told = message(STATUS, Flag.CLASSADS)
    assert {name: told[name] for name in told if name not in KEYS} == {
        "jdl": STATUS.jdl, "matchedJdl": "[ m ]", "condorJdl": "c", "rsl": "r"}


def test_the_history_is_without_descriptions_unless_asked() -> None:
    registered = event("RegJob", STATUS.job_id, Source.NETWORK_SERVER, START, 1.0, "h", jdl="[ x ]", ns="ns",
                       jobtype="SIMPLE")
    match = event("Match", STATUS.job_id, Source.WORKLOAD_MANAGER, START, 2.0, "h", dest_id="ce")
    plain, full = (message(STATUS, flags, [registered, match])["history"] for flags in (Flag(0), Flag.CLASSADS))
    assert [one["type"] for one in plain] == ["RegJob", "Match"]
    assert ("jdl" in plain[0]["fields"], full[0]["fields"]["jdl"]) == (False, "[ x ]")


def test_other_forms() -> None:
    assert (moment(0.0), moment(60.0), lost(3)) == ("", "1970-01-01T00:01:00Z", {"lost": 3})


@given(st.sets(st.sampled_from(list(Flag))))
def test_flags_have_names(flags: set[Flag]) -> None:
    given = Flag(sum(flags))
    assert flags_of(names_of(given)) == flags_of(name.upper() for name in names_of(given)) == given


def test_an_unknown_flag() -> None:
    with pytest.raises(Refused):
        flags_of(["volatile"])


@pytest.mark.parametrize(("asked", "expected"), [(0.0, 107.0), (5.0, 105.0), (1e9, 120.0), (15.0, 115.0)])
def test_validity(asked: float, expected: float) -> None:
    assert granted(asked, 7.0, 20.0, 1e9, 100.0) == expected
    assert granted(asked, 7.0, 20.0, 103.0, 100.0) == 103.0


def test_who_asks_for_jobs_of_others() -> None:
    assert not others_by_owner((equal("owner", "/CN=Jane/Email=x"), equal("jobid", "a")), "/cn=Jane/emailAddress=x")
    assert others_by_owner((equal("owner", "/CN=john"),), "/CN=Jane")
    assert others_by_owner(((Condition("owner", Operator.UNEQUAL, "/CN=Jane"),),), "/CN=Jane")


@given(st.text("abcXYZ019-_", min_size=1, max_size=100))
def test_identifiers(id: str) -> None:
    name = name_of(id, ("lb.example", 9000))
    assert name == f"https://lb.example:9000/NOTIF:{id}"
    assert id_of(name) == id_of(f"NOTIF:{id}") == id_of(id) == id


@pytest.mark.parametrize("text", ["", "NOTIF:", "a b", "a/b", "x" * 101, "é", "%61"])
def test_what_is_no_identifier(text: str) -> None:
    with pytest.raises(NoSuchNotification):
        id_of(text)
