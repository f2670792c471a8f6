"""Why jobs are not running: what the Network Server knows itself, and what the Workload Manager answers.

Nothing is kept: each reason is found when it is asked for. The words are in `wms.reasons`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from uuid import uuid4

from ns import store
from ns.questions import Questions
from ns.standing import Standing, standing
from wms.authz.relations import Asking, may, require
from wms.errors import NoSuchJob, Refused, TimedOut
from wms.httpd import Call
from wms.jdl.compounds.expansion import expansion
from wms.jobid import JobId
from wms.messages.questions import Explain, ExplainAnswer, NodeOf
from wms.operations.explain import MOST_ASKED, Asked, Reason, ReasonList, ReasonsRequest
from wms.reasons import listed, reason
from wms.service import Kit

PATIENCE_S = 2.0
"""So long the Workload Manager has to answer."""
MOST_TRIED = 100_000
"""Nodes of a compound that are tried to find one by its identifier."""


class Reasons:
    """The operations."""

    def __init__(self, kit: Kit, questions: Questions) -> None:
        self._kit = kit
        self._questions = questions

    async def one(self, call: Call) -> Reason:
        asked = Asked(call.params["unique"], _unique(call.query.get("parent", "")))
        known: Standing = await self._kit.database.read(standing, [asked.job, asked.parent])
        job = known.jobs.get(asked.job) or known.jobs.get(asked.parent)
        if job is None:
            raise NoSuchJob("No such job is known here.", value=asked.job[:64])
        require(call, job)
        found = await self._reasons(call, [asked], known)
        if not found:
            raise NoSuchJob("The compound has no such node.", value=asked.job[:64])
        return found[0]

    async def many(self, call: Call) -> ReasonList:
        body = call.body
        assert isinstance(body, ReasonsRequest)
        if len(body.jobs) > MOST_ASKED:
            raise Refused(f"At most {MOST_ASKED} jobs can be asked about at once.", value=len(body.jobs),
                          limit=MOST_ASKED)
        asked = [Asked(_unique(one.job), _unique(one.parent)) for one in body.jobs]
        known: Standing = await self._kit.database.read(
            standing, {id for one in asked for id in (one.job, one.parent) if id})
        return ReasonList(tuple(await self._reasons(call, asked, known)))

    async def _reasons(self, call: Asking, asked: Sequence[Asked], known: Standing) -> list[Reason]:
        """In the order they are asked for, without those that are unknown or somebody else's."""
        now, here = self._kit.now(), {id: job for id, job in known.jobs.items() if may(call, job)}
        found = {id: told for id, job in here.items() if (told := _known(job, known, now)) is not None}
        jobs = [here[one.job] for one in asked if one.job in here and one.job not in found]
        nodes = await self._nodes([one for one in asked if one.job not in known.jobs], here)
        found |= {_unique(node.job): _of(found[node.parent], node.job) for node in nodes if node.parent in found}
        found |= await self._answers([job.job for job in jobs], [node for node in nodes if node.parent not in found],
                                     here)
        return [found[one.job] for one in asked if one.job in found]

    # -- nodes that are no jobs yet ----------------------------------------------------------------------

    async def _nodes(self, asked: Sequence[Asked], here: Mapping[str, store.Job]) -> list[NodeOf]:
        """Which nodes of which compounds these are."""
        nodes: list[NodeOf] = []
        for parent in sorted({one.parent for one in asked} & here.keys()):
            wanted = {one.job for one in asked if one.parent == parent}
            job = here[parent]
            places = await self._kit.thread(_places, JobId.parse(job.job), job, wanted)
            home = job.job.rpartition("/")[0]
            nodes += [NodeOf(f"{home}/{unique}", parent, index) for unique, index in places.items()]
        return nodes

    # -- the Workload Manager ----------------------------------------------------------------------------

    async def _answers(self, jobs: Sequence[str], nodes: Sequence[NodeOf],
                       here: Mapping[str, store.Job]) -> dict[str, Reason]:
        """What it says, or that it says nothing."""
        if not jobs and not nodes:
            return {}
        question = Explain(uuid4().hex, tuple(jobs), tuple(nodes), self._questions.topic)
        try:
            answer = await self._questions.ask(question, PATIENCE_S)
        except TimedOut:
            now = self._kit.now()
            return {_unique(job): reason(job, "wm_away", now) for job in (*jobs, *(node.job for node in nodes))}
        assert isinstance(answer, ExplainAnswer)
        homes = {node.job: here[node.parent] for node in nodes}
        return {_unique(told.job): await self._named(told, homes.get(told.job)) for told in answer.reasons}

    async def _named(self, told: Reason, home: store.Job | None) -> Reason:
        """Its parents have names here."""
        if told.code != "waiting_for_parents" or home is None:
            return told
        whole = await self._kit.thread(expansion, home.jdl, home.number)
        names = [whole.name(index) for index in told.details["parents"]]
        return reason(told.job, told.code, told.at, next_try=told.next_try, details={**told.details, "parents": names},
                      parents=listed(names), be="is" if len(names) == 1 else "are")


def _places(id: JobId, job: store.Job, wanted: set[str]) -> dict[str, int]:
    """Their indices. Among very many nodes without order none is looked for: the last one waits for the same."""
    if job.kind == store.COLLECTION and job.number > MOST_TRIED:
        return dict.fromkeys(wanted, job.number - 1)
    return id.indices(None, job.number, wanted)


def _unique(job: str) -> str:
    return job.rsplit("/", 1)[-1]


def _of(told: Reason, job: str) -> Reason:
    """The reason of the compound is that of its node."""
    return Reason(job, told.state, told.code, told.sentence, told.at, told.next_try, told.clauses, told.details)


class _Waits(NamedTuple):
    code: str
    words: Mapping[str, Any] = {}


def _known(job: store.Job, known: Standing, now: float) -> Reason | None:
    """The reason, if it is not the Workload Manager's to say."""
    if job.phase == store.REGISTERED:
        waits = _unstarted(job, known, now)
        return reason(job.job, waits.code, now, details={"until": job.deadline}, **waits.words)
    if job.phase != store.STARTED:
        return reason(job.job, "over", now, details={"outcome": job.outcome}, outcome=job.outcome)
    code = "cancelling" if job.cancelled else "running" if job.id in known.begun else ""
    return reason(job.job, code, now) if code else None


def _unstarted(job: store.Job, known: Standing, now: float) -> _Waits:
    if lacking := known.lacking.get(job.id):
        return _Waits("not_started", {"files": listed(lacking), "have": "has" if len(lacking) == 1 else "have"})
    ends = known.ends.get(job.credential, job.credential_ends)
    return _Waits("credential" if ends <= now else "registered")
