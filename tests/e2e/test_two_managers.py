"""A second Workload Manager on one database waits for the first to be gone, and gives up saying why."""

from __future__ import annotations

from deployment import Deployment

REFUSED = "Another process is wm on this database."


def assert_one_at_a_time(deployment: Deployment) -> None:
    first = deployment.start("wm")
    second = deployment.run("wmsd", "run", "wm")
    assert second.returncode != 0
    assert REFUSED in second.stdout + second.stderr
    third = deployment.spawn("wm")
    assert not third.is_ready
    first.kill()
    third.wait_ready()


def test_on_sqlite(deployment: Deployment) -> None:
    assert_one_at_a_time(deployment)


def test_on_postgresql(postgresql: str, deployment: Deployment) -> None:
    deployment.configure(database=postgresql)
    deployment.migrate()
    assert_one_at_a_time(deployment)

