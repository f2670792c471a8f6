"""Nodes of compounds become jobs: their texts in a thread, then rows, events and the answer in one transaction.

Which nodes may go is decided by the Workload Manager. Also the list of nodes, and files wrappers of nodes fetch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import NamedTuple
from urllib.parse import quote

import sqlalchemy as sa
from msgspec.structs import replace

from ns import delegation_rows, files, store
from ns.running import attempt_of, check_open
from ns.tags import Tags, tags_of_node
from wms.authz.relations import require
from wms.consumer import Record
from wms.errors import NotFound, Refused, Unavailable
from wms.event import Event
from wms.eventlog import Journal
from wms.httpd import Call, FileReply
from wms.identity import same_dn
from wms.jdl.ast import node as literal
from wms.jdl.compounds.expansion import Expansion, Source, expansion
from wms.jdl.parser import parse
from wms.jdl.unparse import unparse
from wms.jobid import JobId
from wms.messages import decode
from wms.messages.attempts import Release
from wms.messages.submission import Input, NodeJob, SubmitCompound, SubmitNodes
from wms.messages.topics import WM
from wms.operations import File
from wms.operations.compounds import NodeInfo, NodePage
from wms.outbox import Outbox
from wms.queue import Message
from wms.seqcode import START
from wms.seqcode import Source as Component
from wms.service import Kit

MOST_LISTED = 1000


class Node(NamedTuple):
    """A node as its compound describes it."""

    node: int
    id: JobId
    name: str
    jdl: str
    inputs: Sequence[Source]
    tags: Tags

    @property
    def code(self) -> str:
        """Its sequence code once it is registered."""
        return str(START._replace(ns=1 + len(self.tags)))


class Here(NamedTuple):
    """What inputs can be made of: shared files by name, outputs by job and name."""

    shared: Mapping[str, File]
    outputs: Mapping[tuple[str, str], File]


class Nodes:
    """`act` handles the topic of nodes; the rest are operations."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit

    # -- release -----------------------------------------------------------------------------------------

    async def act(self, messages: Sequence[Message]) -> Record:
        made = [await self._made(decode(message.body)) for message in messages]
        return partial(self._record, made, self._kit.now())

    async def _made(self, release: object) -> tuple[str, bool, list[Node]]:
        assert isinstance(release, Release)
        parent = JobId.parse(release.job)
        job = await self._kit.database.read(store.job, parent.unique)
        whole, nodes = await self._kit.thread(_described, job, parent, release.nodes, release.ce)
        ahead = whole.collocated and not release.ce  # matched where it likes, unlike its siblings
        return job.id, whole.alike and not ahead, nodes

    def _record(self, made: Sequence[tuple[str, bool, Sequence[Node]]], now: float, conn: sa.Connection) -> None:
        with Outbox(conn, now) as out:
            for parent, alike, nodes in made:
                self._release(out, store.job(conn, parent, change=True), alike, nodes)

    def _release(self, out: Outbox, parent: store.Job, alike: bool, nodes: Sequence[Node]) -> None:
        """Rows and registrations of those that are new; the answer tells of all."""
        answers = _answers(_here(out.conn, parent, nodes), parent, nodes)
        known = store.known(out.conn, [node.id.unique for node in nodes])
        new = [node for node, answer in zip(nodes, answers, strict=True)
               if not answer.refused and node.id.unique not in known]
        store.add_jobs(out.conn, self._rows(out, parent, new))
        delegated = delegation_rows.find(out.conn, parent.credential)
        ends, fqans = (parent.credential_ends, ()) if delegated is None else (delegated.not_after, delegated.fqans)
        out.send(WM, SubmitNodes(parent.job, parent.owner, parent.vo, fqans, parent.credential, ends, out.now,
                                 tuple(answers), alike, bool(parent.my_proxy)), parent.job)

    def _rows(self, out: Outbox, parent: store.Job, nodes: Sequence[Node]) -> list[store.Job]:
        """Their rows; each is registered as the first is but for its name and text."""
        if not nodes:
            return []
        journal = Journal(Component.NETWORK_SERVER, str(nodes[0].id), str(START), out.now, self._kit.host, parent.owner)
        journal.add("RegJob", jdl=nodes[0].jdl, ns=self._kit.settings.ns_url(), parent=parent.job, jobtype="SIMPLE")
        form = journal.events[0]
        out.log([replace(form, job=str(node.id), fields={**form.fields, "jdl": node.jdl}) for node in nodes])
        for node in nodes:
            out.log(self._tags(node, journal.code, out.now, parent.owner))
        like = store.Job("", "", parent.owner, parent.vo, store.STARTED, False, parent.credential,
                         parent.credential_ends, parent.my_proxy, journal.code, "", out.now, out.now, 0, "", False,
                         parent=parent.id)
        return [like._replace(id=node.id.unique, job=str(node.id), jdl=node.jdl, node=node.node,
                              node_name=node.name[:store.MOST_NAME], sequence_code=node.code) for node in nodes]

    def _tags(self, node: Node, code: str, now: float, owner: str) -> Sequence[Event]:
        if not node.tags:
            return ()
        journal = Journal(Component.NETWORK_SERVER, str(node.id), code, now, self._kit.host, owner)
        for name, value in node.tags:
            journal.add("UserTag", name=name, value=value)
        return journal.events

    # -- operations --------------------------------------------------------------------------------------

    async def listing(self, call: Call) -> NodePage:
        try:
            after, limit = int(call.query.get("cursor") or -1), int(call.query.get("limit") or MOST_LISTED)
        except ValueError:
            raise Refused("cursor and limit are numbers.") from None
        return await self._kit.database.read(self._page, call, after, max(1, min(limit, MOST_LISTED)))

    @staticmethod
    def _page(conn: sa.Connection, call: Call, after: int, limit: int) -> NodePage:
        parent = store.job(conn, call.params["unique"])
        require(call, parent)
        found = store.nodes(conn, parent.id, after, limit)
        cursor = str(found[-1].node) if len(found) == limit else ""
        return NodePage(parent.number, tuple(
            NodeInfo(row.node, row.node_name, row.job, row.outcome, row.attempt) for row in found), cursor)

    async def shared(self, call: Call) -> FileReply:
        parent, here = await self._kit.database.read(_shared, *attempt_of(call))
        for file, received in here:
            if file.name == call.params["name"] and received:
                return self._file(parent, store.INPUT, 0, file)
        raise NotFound(f"The compound has no input file {call.params['name'][:200]}.")

    async def related(self, call: Call) -> FileReply:
        other, file = await self._kit.database.read(self._related, *attempt_of(call), call.params["node"],
                                                    call.params["name"])
        return self._file(other.id, store.OUTPUT, other.attempt, file)

    @staticmethod
    def _related(conn: sa.Connection, id: str, number: int, node: str, name: str) -> tuple[store.Job, File]:
        """Only nodes of the same compound, or of one it rescues, all of one owner."""
        check_open(conn, id, number)
        job, other = store.job(conn, id), store.job(conn, node)
        file = store.outputs(conn, [node], [name]).get((node, name))
        if file is None or not job.parent or not _may_read(store.job(conn, job.parent), other):
            raise NotFound(f"There is no output file {name[:200]} of this node.")
        return other, file

    def _file(self, id: str, kind: str, attempt: int, file: File) -> FileReply:
        path = files.place(self._kit.settings.state_dir, id, kind, attempt, file.name)
        return FileReply(str(path), file.size, file.sha256)


def _shared(conn: sa.Connection, id: str, number: int) -> tuple[str, list[tuple[File, bool]]]:
    """The compound of a node, and its input files."""
    check_open(conn, id, number)
    parent = store.job(conn, id).parent
    return parent, store.sandbox(conn, parent, store.INPUT)


def unstarted(job: store.Job, code: str, now: float) -> SubmitCompound:
    """A compound that is over before it began: its nodes, which are known by its registration, are to end too."""
    return SubmitCompound(job.job, store.COLLECTION, job.number, job.owner, job.vo, code, now, expires=now)


def _described(job: store.Job, parent: JobId, indices: Sequence[int], ce: str) -> tuple[Expansion, list[Node]]:
    whole = expansion(job.jdl, job.number)
    nodes = list[Node]()
    for index in indices:
        jdl = _pinned(whole.jdl(index), ce) if ce else whole.jdl(index)
        nodes.append(Node(index, parent.subjob(None, index), whole.name(index), jdl, whole.inputs(index),
                          tags_of_node(jdl)))
    return whole, nodes


def _pinned(jdl: str, ce: str) -> str:
    """The text of a node that goes where its siblings are; one that names its place keeps it."""
    ad = parse(jdl)
    return jdl if "SubmitTo" in ad else unparse(ad.changed({"SubmitTo": literal(ce)}))


def _may_read(parent: store.Job, other: store.Job) -> bool:
    return same_dn(parent.owner, other.owner) and (
        other.parent == parent.id or other.parent in expansion(parent.jdl, parent.number).homes())


def _home(parent: JobId, source: Source) -> str:
    """Unique part of the job whose output this is."""
    home = JobId(parent.host, parent.port, source.home or parent.unique)
    return home.subjob(None, source.node).unique


def _here(conn: sa.Connection, parent: store.Job, nodes: Sequence[Node]) -> Here:
    """Raises Unavailable while the end of a node is on its way to us."""
    wanted = [one for node in nodes for one in node.inputs if not one.shared]
    shared = {file.name: file for file, received in store.sandbox(conn, parent.id, store.INPUT) if received}
    if not wanted:
        return Here(shared, {})
    job = JobId.parse(parent.job)
    owners = store.owners(conn, list({_home(job, one) for one in wanted}))
    if any(phase == store.STARTED for _owner, phase in owners.values()):
        raise Unavailable("A node that is done has not ended here yet.", job=parent.job)
    ours = [id for id, (owner, _phase) in owners.items() if same_dn(owner, parent.owner)]
    return Here(shared, store.outputs(conn, ours, {one.file for one in wanted}))


def _answers(here: Here, parent: store.Job, nodes: Sequence[Node]) -> list[NodeJob]:
    job = JobId.parse(parent.job)
    return [_answer(here, job, node) for node in nodes]


def _answer(here: Here, parent: JobId, node: Node) -> NodeJob:
    inputs = list[Input]()
    for one in node.inputs:
        id = "" if one.shared else _home(parent, one)
        file = here.shared.get(one.shared) if one.shared else here.outputs.get((id, one.file))
        if file is None:
            return NodeJob(str(node.id), node.node, "", refused=_missing(one))
        source = f"shared/{quote(one.shared, safe='')}" if one.shared else f"nodes/{id}/{quote(one.file, safe='')}"
        inputs.append(Input(one.name, file.size, file.sha256, source))
    return NodeJob(str(node.id), node.node, node.jdl, tuple(inputs), sequence_code=node.code if node.tags else "")


def _missing(source: Source) -> str:
    if source.shared:
        return f"InputSandbox: the compound was submitted without a file {source.shared}"
    return f"InputSandbox: node {source.node} has no output file {source.file}"
