"""Work at several CEs at the same time: one that is slow does not keep the others waiting for their turn."""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, DeferredList
from twisted.python.failure import Failure

__all__ = ["together"]

T = TypeVar("T")


async def together(works: Sequence[Coroutine[Deferred[Any], Any, T]]) -> list[T]:
    """The results in order, when all have ended; then the first failure is raised, if there was one."""
    outcomes: Any = await DeferredList([Deferred.fromCoroutine(work) for work in works], consumeErrors=True)
    for done, outcome in outcomes:
        if not done:
            assert isinstance(outcome, Failure)
            outcome.raiseException()
    return [outcome for _, outcome in outcomes]
