"""Interactive jobs: the user's terminal and the payload meet here, each over connections that it opened itself.

Both streams are files with offsets, so that a lost connection loses nothing. Not the files: `ns.session_files`.
"""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncGenerator
from typing import NamedTuple

import sqlalchemy as sa

from ns import store
from ns.application import application_event
from ns.listening import Listening
from ns.running import attempt_of, check_live, place
from ns.session_files import INPUT, OUTPUT, SessionFiles
from wms.authz.relations import require
from wms.config import split_address
from wms.errors import NotAllowedNow, Refused, SandboxTooLarge
from wms.httpd import Call, Handler, Page, Reply
from wms.jdl.described import described
from wms.operations import Empty
from wms.operations.sessions import InputEnd, Position
from wms.outbox import Outbox
from wms.service import Kit
from wms.streaming import StreamReply

PORTION = 65_536
BEAT_S = 2.0
"""A terminal that nothing happens at is told so often that it is alive, and looks for the end of the job."""
WAIT_S = 50.0
"""Longest wait of a wrapper for input, less than the idle time of connections."""
OCTETS = "application/octet-stream"


class Scene(NamedTuple):
    """The latest attempt that was started (0: none), and the outcome of a job that is over."""

    attempt: int
    over: str


class Sessions:
    """The operations; `listening` wakes those that wait: terminals at `out ID`, wrappers at `in ID`."""

    def __init__(self, kit: Kit, listening: Listening) -> None:
        self._kit = kit
        self._listening = listening
        self._files = SessionFiles(kit.settings.state_dir, kit.settings.ns.max_session_bytes)

    # -- the user ----------------------------------------------------------------------------------------

    async def output(self, call: Call) -> StreamReply:
        """What is printed, from the place that is asked for."""
        id = call.params["unique"]
        await self._kit.database.read(_owned, call)
        attempt, at = place(call.query.get("attempt") or "0", "attempt"), call.query.get("at") or "0"
        here = -1 if at == "end" else place(at, "at")
        return StreamReply(self._pieces(id, attempt, here))

    async def _pieces(self, id: str, attempt: int, at: int) -> AsyncGenerator[bytes, None]:
        """Lines of JSON until the job is over or another terminal comes; `at` -1: from what is there now."""
        with self._listening.at(f"out {id}") as nap:
            self._listening.tell(f"out {id}")
            if attempt:
                at = await self._from(id, attempt, at)
                yield await self._announced(id, attempt, at)
            while not nap.ended:
                if not self._listening.is_last(f"out {id}", nap):
                    yield _line(taken=True)
                    return
                scene = await self._kit.database.read(_scene, id)
                data = await self._kit.thread(self._files.read, id, attempt, OUTPUT, at, PORTION)
                if data:
                    yield _line(at=at, data=base64.b64encode(data).decode())
                    at += len(data)
                elif scene.attempt > attempt:
                    at = await self._from(id, scene.attempt, at if attempt == 0 else 0)
                    attempt = scene.attempt
                    yield await self._announced(id, attempt, at)
                elif scene.over:
                    yield _line(over=scene.over)
                    return
                else:
                    yield b"\n"
                    await nap.sleep(BEAT_S)

    async def _from(self, id: str, attempt: int, at: int) -> int:
        return at if at >= 0 else await self._kit.thread(self._files.size, id, attempt, OUTPUT)

    async def _announced(self, id: str, attempt: int, at: int) -> bytes:
        typed = await self._kit.thread(self._files.size, id, attempt, INPUT)
        return _line(attempt=attempt, at=at, typed=typed, ended=self._files.ended(id, attempt))

    async def input(self, call: Call) -> Position:
        """Bytes that were typed."""
        id, attempt, at = call.params["unique"], place(call.params["number"], "attempt"), place(call.params["offset"])
        await self._kit.database.read(_owned_and_live, call, attempt)
        if self._files.ended(id, attempt):
            raise Refused("The input of this attempt has ended.")
        found = await self._kit.thread(self._files.add, id, attempt, INPUT, at, call.content.read())
        limit = self._kit.settings.ns.max_session_bytes
        if found.cut:
            raise SandboxTooLarge(f"The input of a job has at most {limit} bytes.", limit=limit)
        self._listening.tell(f"in {id}")
        return Position(found.have)

    async def close(self, call: Call) -> Empty:
        """The user has no more to say."""
        body, id, attempt = call.body, call.params["unique"], place(call.params["number"], "attempt")
        assert isinstance(body, InputEnd)
        await self._kit.database.read(_owned_and_live, call, attempt)
        here = await self._kit.thread(self._files.size, id, attempt, INPUT)
        if here != body.at:
            raise Refused(f"The input has {here} bytes here, not {body.at}.", value=body.at, have=here)
        await self._kit.thread(self._files.end, id, attempt)
        self._listening.tell(f"in {id}")
        return Empty()

    # -- the wrapper -------------------------------------------------------------------------------------

    async def typed(self, call: Call) -> Page:
        """Input from an offset; 200 without a byte: ask again; 204: the input has ended."""
        id, attempt, at = *attempt_of(call), place(call.params["offset"])
        await self._opened(id, attempt)
        with self._listening.at(f"in {id}") as nap:
            page = await self._input_from(id, attempt, at)
            if page is None:
                await nap.sleep(WAIT_S)
                page = await self._input_from(id, attempt, at)
        return page or Page(b"", OCTETS)

    async def _input_from(self, id: str, attempt: int, at: int) -> Page | None:
        ended = self._files.ended(id, attempt)
        data = await self._kit.thread(self._files.read, id, attempt, INPUT, at, PORTION)
        if data:
            return Page(data, OCTETS)
        return Page(b"", OCTETS, 204) if ended else None

    async def printed(self, call: Call) -> Position:
        """Output, each byte once."""
        id, attempt, at = *attempt_of(call), place(call.params["offset"])
        await self._opened(id, attempt)
        found = await self._kit.thread(self._files.add, id, attempt, OUTPUT, at, call.content.read())
        self._listening.tell(f"out {id}")
        return Position(found.have)

    async def _opened(self, id: str, attempt: int) -> None:
        """The attempt must be running; the first call of its wrapper is on record."""
        if self._files.is_open(id, attempt):
            await self._kit.database.read(check_live, id, attempt)
            return
        await self._kit.database.transact(self._listens, id, attempt, self._kit.now())
        await self._kit.thread(self._files.open, id, attempt)
        self._listening.tell(f"out {id}")

    def _listens(self, conn: sa.Connection, id: str, attempt: int, now: float) -> None:
        job = store.job(conn, id, change=True)
        row = check_live(conn, id, attempt)
        _, port = split_address(self._kit.settings.ns.listen)
        made = application_event(job.job, job.owner, row.sequence_code or job.sequence_code, {
            ":event": "Listener", ":host": self._kit.host, "svc_name": f"attempt {attempt}",
            "svc_host": self._kit.host, "svc_port": str(port)}, now)
        store.put_attempt(conn, row._replace(sequence_code=made.seqcode))
        with Outbox(conn, now) as out:
            out.log([made])

    def ending(self, handler: Handler) -> Handler:
        """The handler of the last word of an attempt, after which nobody waits for its streams."""
        async def handle(call: Call) -> Reply:
            reply = await handler(call)
            self._listening.tell(f"in {call.params['unique']}")
            self._listening.tell(f"out {call.params['unique']}")
            return reply

        return handle


def _owned(conn: sa.Connection, call: Call) -> None:
    job = store.job(conn, call.params["unique"])
    require(call, job)
    if job.kind != "job" or "Interactive" not in described(job.jdl).job_types:
        raise NotAllowedNow("This is not an interactive job.", job=job.job,
                            hint='Only jobs of JobType "Interactive" have a terminal.')


def _owned_and_live(conn: sa.Connection, call: Call, attempt: int) -> None:
    _owned(conn, call)
    check_live(conn, call.params["unique"], attempt)


def _scene(conn: sa.Connection, id: str) -> Scene:
    job = store.job(conn, id)
    over = job.outcome or "over" if job.phase in (store.ENDED, store.CLEARED) else ""
    return Scene(store.latest_attempt(conn, id), over)


def _line(**values: object) -> bytes:
    return json.dumps(values).encode() + b"\n"
