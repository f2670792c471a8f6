"""Jobs of CREAM: their states in the order in which they were entered, however late CREAM tells them."""

from __future__ import annotations

from itertools import permutations

from lb_jobs import stored, told

from lb.state.machine import fold
from wms.event import Source

CE = Source.CREAM_EXECUTOR


def entered(state, at, told_at, **fields):
    return told("CREAMStatus", CE, "foreign", told_at, new_state=state, orig_timestamp=at, result="DONE", **fields)


def test_a_state_told_late_does_not_come_after_the_later_ones():
    events = [told("RegJob", CE, "foreign", 1.0, jobtype="CREAM"), entered("IDLE", 10.0, 110.0),
              entered("REALLY-RUNNING", 20.0, 100.0), entered("DONE-OK", 30.0, 105.0, exit_code="3")]
    for arriving in permutations(events):
        record = stored(arriving)
        assert record == fold(events)
        assert (record.state, record.exit_code, record.extra["cream_state"]) == ("Done", 3, "DONE-OK")


def test_without_the_time_of_entry_the_time_of_the_event_counts():
    events = [told("RegJob", CE, "foreign", 1.0, jobtype="CREAM"),
              told("CREAMStatus", CE, "foreign", 5.0, new_state="DONE-OK", result="DONE"),
              told("CREAMStatus", CE, "foreign", 4.0, new_state="IDLE", result="DONE")]
    assert {stored(arriving).state for arriving in permutations(events)} == {"Done"}


def test_one_state_told_twice_is_two_events():
    events = [told("RegJob", CE, "foreign", 1.0, jobtype="CREAM"), entered("IDLE", 10.0, 50.0),
              entered("IDLE", 10.0, 60.0, descr="again")]
    assert fold(events).last_update_time == 60.0


def test_a_time_that_cannot_be_is_no_time():
    events = [told("RegJob", CE, "foreign", 1.0, jobtype="CREAM"), entered("DONE-OK", -5.0, 20.0),
              entered("IDLE", 1e300, 10.0)]
    assert fold(events).state == "Done"
