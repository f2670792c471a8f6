"""Payloads that do not obey: killed again at its period, a few times, then given up."""

from __future__ import annotations

import pytest

from logmonitor.removals import Removals, Step


@pytest.mark.parametrize("most", [0, 1, 3])
def test_it_is_killed_again_so_often_and_then_given_up(most: int) -> None:
    removals = Removals(300.0, most)
    steps = [(now, step) for now in range(0, 3000, 100) for step in removals.steps(["t"], now).values()]
    assert steps[: most + 1] == [*((300 * (n + 1), Step.AGAIN) for n in range(most)), (300 * (most + 1), Step.GIVE_UP)]


def test_what_obeys_is_forgotten() -> None:
    removals = Removals(300.0, 3)
    assert removals.steps(["a", "b"], 0.0) == {}
    assert removals.steps(["b"], 300.0) == {"b": Step.AGAIN}
    assert removals.steps(["a", "b"], 600.0) == {"b": Step.AGAIN}
