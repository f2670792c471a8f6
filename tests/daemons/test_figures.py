"""Figures of the broker in the heartbeat, and what the log says of computing elements that are set aside."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from shell import Shell, result
from test_broker import Desk
from twisted.logger import formatEvent

from wm.figures import Planning
from wm.recovery.black_holes import Rules
from wm.recovery.memories import Attempt, Memories


@pytest.fixture
def shell() -> Iterator[Shell]:
    shell = Shell()
    yield shell
    shell.close()


def test_what_was_placed_and_what_waits_for_what(shell: Shell) -> None:
    desk = Desk(shell, "{wm: {quotas: {'user:/CN=b': 1}}}")
    planning = Planning(desk.kit, 5.0, desk.broker, Memories())
    desk.shelf.say(0.0, a={})
    desk.submit("1")
    desk.submit("2", "3", "4", owner="/CN=b")
    desk.submit("5", jdl="LazyMatching = true; SubmitTo = \"b.org:2119/jobmanager-local-q\";", owner="/CN=c")
    desk.work()
    shell.clock.advance(60.0)
    told = planning.progress()
    assert (told["placed"], told["waiting"], told["waiting_for"]) == (2, 2, {"quota": 2})
    assert told["oldest_s"] == pytest.approx(60.0, abs=0.1)
    assert (told["cycles"] > 0, told["set_aside"], told["lanes"]) == (True, 0, 1)


def test_nothing_waits(shell: Shell) -> None:
    desk = Desk(shell, "")
    told = Planning(desk.kit, 5.0, desk.broker, Memories()).progress()
    assert (told["waiting"], told["waiting_for"], told["oldest_s"]) == (0, {}, 0.0)


def test_the_log_says_who_is_set_aside_and_who_is_back(shell: Shell) -> None:
    desk, memories = Desk(shell, ""), Memories(Rules(failures=1))
    planning = Planning(desk.kit, 5.0, desk.broker, memories)
    at = Attempt("ce1", "c", "j")
    result(planning.start())
    result(desk.kit.database.transact(memories.failed, at, 1.0, 0.0))
    planning.poke()
    planning.poke()
    assert planning.progress()["set_aside"] == 1
    result(desk.kit.database.transact(memories.succeeded, [at]))
    planning.poke()
    result(planning.stop())
    assert [formatEvent(event) for event in shell.logged] == [
        "ce1 is set aside for jobs of class c: it fails them", "ce1 is back for jobs of class c"]
