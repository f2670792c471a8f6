"""An end that the Network Server could not take for a while: it is told again, no job is left started for ever."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from ns import store
from tests.suite.world import World
from wms import queue
from wms.messages.topics import NS


def rename(world: World, old: str, new: str) -> None:
    world.result_of(world.database.transact(
        lambda conn: conn.execute(store.jobs.update().where(store.jobs.c.id == old).values(id=new))))


def phase(world: World, id: str) -> str:
    return str(world.result_of(world.database.read(
        lambda conn: conn.scalar(sa.select(store.jobs.c.phase).where(store.jobs.c.id == id)))))


def buried(world: World) -> int:
    depths = world.result_of(world.database.read(queue.depths))
    return sum(depth.buried for depth in depths if depth.topic == NS)


@pytest.mark.parametrize("lives", [1, 2])
def test_an_end_that_could_not_be_taken_is_told_again(world: World, lives: int) -> None:
    job = world.submit()
    unique, token = job.rsplit("/", 1)[-1], world.token(job)
    world.start_payload(token)
    rename(world, unique, "elsewhere")
    world.finish_payload(token, report=False)
    while buried(world) < lives:
        world.advance(600, step=100)
    rename(world, "elsewhere", unique)
    assert phase(world, unique) == store.STARTED
    world.advance(3_700 * 2 ** lives, step=300)
    assert phase(world, unique) in (store.ENDED, store.CLEARED)
    assert buried(world) == lives
    assert world.state(job) == "Cleared"
