"""A bookkeeping daemon with a directory of dumps and an administrator, and jobs of every kind to keep in it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from book_builders import JOHN, START_TIME, STORY, Book, settled, story, url
from family_builders import ABORTED, CANCELLED, CLEARED, DONE, FAILED, RUNNING, Told, child, lives, registered, told
from twisted.internet.defer import Deferred

from lb.service import make
from lb.store import events, jobs
from lb.tables import histograms, tags, zombies
from lb.upkeep import archive
from wms.config import Lb, Settings
from wms.event import Event, Source
from wms.httpd import Call
from wms.identity import Identity
from wms.operations import OPERATIONS
from wms.operations.upkeep import Dump, Purge

ADMIN = "/DC=org/CN=Admin"
UI, NS, WM, JC = Source.USER_INTERFACE, Source.NETWORK_SERVER, Source.WORKLOAD_MANAGER, Source.JOB_CONTROLLER
LM, LRMS, APP = Source.LOG_MONITOR, Source.LRMS, Source.APPLICATION
CI, CE, PBS, MOM = Source.CREAM_INTERFACE, Source.CREAM_EXECUTOR, Source.PBS_SERVER, Source.PBS_MOM
CLOUD, VMS = Source.CLOUD_MANAGER, Source.VM_SYSTEM


class Shelf(Book):
    """A book whose dumps are kept below `folder`."""

    def __init__(self, folder: Path, **lb: Any) -> None:
        super().__init__()
        settings = Settings(state_dir=str(folder), lb=Lb(super_users=(ADMIN,), **lb))
        self.kit = dataclasses.replace(self.kit, settings=settings)
        self.daemon = make(self.kit)

    @contextmanager
    def running(self) -> Iterator[None]:
        """The daemon at work; then another one is there, as after a restart."""
        with super().running():
            yield
        self.daemon = make(self.kit)

    def do(self, name: str, body: Any = None, *, dn: str = ADMIN, **query: str) -> Any:
        """An operation called by the administrator."""
        return self.answer(name, dn=dn, body=body, query=query)

    def dump(self, **asked: str) -> Any:
        return self.do("lb.dump", Dump(**asked))

    def purge(self, **asked: Any) -> Any:
        return self.do("lb.purge", Purge(**asked))

    def load(self, content: bytes = b"", **query: str) -> Any:
        """A load of what is sent, or of a file of the server."""
        who = Identity(ADMIN, not_after=START_TIME * 2)
        body = BytesIO(content)
        call = Call(OPERATIONS["lb.load"], {}, query, who, (), None, None, "", body, len(content), "", "", "")
        return settled(Deferred.fromCoroutine(self.daemon.operations["lb.load"](call)))  # type: ignore[arg-type]

    def file(self, name: str) -> bytes:
        return archive.find(archive.directory(self.kit.settings), name).read_bytes()

    def everything(self) -> dict[str, Any]:
        """All that the tables of jobs hold, without the keys of rows and the numbers of arrival."""
        arrived = sa.select(jobs.c.job.label("unique"), events.c.timestamp, events.c.arrived, events.c.type).join(
            events, events.c.job == jobs.c.id)
        tagged = sa.select(jobs.c.job.label("unique"), tags.c.name, tags.c.value).join(tags, tags.c.job == jobs.c.id)
        return {
            "jobs": self.contents(), "events": self.event_rows(),
            "arrived": sorted(tuple(row.values()) for row in self.rows(arrived)),
            "tags": sorted(tuple(row.values()) for row in self.rows(tagged)),
            "histograms": sorted(tuple(row.values()) for row in self.rows(sa.select(histograms)))}

    def zombies(self) -> list[str]:
        return [row["job"] for row in self.rows(sa.select(zombies).order_by(zombies.c.job))]

    def uniques(self) -> list[str]:
        return [row["job"] for row in self.rows(sa.select(jobs.c.job).order_by(jobs.c.job))]


def _job(unique: str, jobtype: str, *news: Told, source: Source = NS, **fields: Any) -> list[Event]:
    """A registration and what happens then."""
    return told(unique, 0.0, (source, "RegJob", {"jobtype": jobtype, "ns": "ns.example", "jdl": "[]", **fields}), *news)


def _acl(user: str, operation: str = "ADD") -> Told:
    return (UI, "ChangeACL", {"user_id": user, "user_id_type": "DN", "permission": "READ", "permission_type": "ALLOW",
                              "operation": operation})


MATCH: Told = (WM, "Match", {"dest_id": "ce.example/long"})
SHALLOW: Told = (WM, "Resubmission", {"result": "SHALLOW"})
DEEP: Told = (WM, "Resubmission", {"result": "WILLRESUB", "reason": "again"})
PAYLOAD: Told = (LRMS, "ReallyRunning", {})
RANG: Told = (CE, "CREAMStatus", {"new_state": "REALLY-RUNNING", "result": "DONE", "worker_node": "wn"})


def kinds() -> dict[str, list[Event]]:
    """Stories of jobs by what they are an example of."""
    made: dict[str, list[Event]] = {f"story-{n}": story(f"story-{n}", length=n) for n in range(1, len(STORY) + 1)}
    made |= {
        "unregistered": story("unregistered")[1:],
        "cleared": _job("cleared", "SIMPLE", DONE, CLEARED), "aborted": _job("aborted", "SIMPLE", ABORTED),
        "cancelled": _job("cancelled", "SIMPLE", (NS, "Cancel", {"status_code": "REQ"}), CANCELLED),
        "failed": _job("failed", "SIMPLE", MATCH, FAILED),
        "deep": _job("deep", "SIMPLE", MATCH, RUNNING, PAYLOAD, FAILED, DEEP, MATCH, RUNNING, PAYLOAD),
        "shallow": _job("shallow", "SIMPLE", MATCH, RUNNING, FAILED, SHALLOW, MATCH, RUNNING),
        "suspended": _job("suspended", "SIMPLE", RUNNING, (LM, "Suspend", {"reason": "late\nnight"})),
        "acl": _job("acl", "SIMPLE", _acl("/CN=A"), _acl("/CN=B"), _acl("/CN=A", "REMOVE")),
        "tags": _job("tags", "SIMPLE", (APP, "UserTag", {"name": "Step", "value": 'a "b"\\\n\té'}),
                     (UI, "UserTag", {"name": "step", "value": "2"})),
        "payload": [*_job("payload", "SIMPLE", (UI, "GrantPayloadOwnership", {"payload_owner": JOHN})),
                    *told("payload", 50.0, (APP, "TakePayloadOwnership", {}), owner=JOHN)],
        "cream": _job("cream", "CREAM", (CI, "CREAMAccepted", {"local_jobid": "CREAM1"}), RANG, source=CI),
        "pbs": _job("1.server.domain", "PBS", (PBS, "PBSQueued", {"queue": "q"}), (MOM, "PBSRun", {"pid": 3})),
        "condor": _job("condor", "CONDOR", (LM, "CondorMatch", {"owner": "o", "dest_host": "h"})),
        "vm": _job("vm", "VIRTUAL_MACHINE", (VMS, "VMRunning", {}), (CLOUD, "VMShutdown", {"usage": "u"})),
        "transfer": _job("transfer", "FILE_TRANSFER", (LM, "FileTransferRegister", {"src": "a", "dest": "b"}),
                         (LM, "FileTransfer", {"result": "START"})),
        "sandbox": _job("sandbox", "SIMPLE",
                        (NS, "Sandbox", {"sandbox_type": "INPUT", "transfer_job": url("transfer")})),
        "connected": _job("connected", "SIMPLE", (NS, "ConnectJob", {"dest_jobid": url("cleared")})),
        "untouched": registered(3, "untouched"),
        "dag": [*registered(2, "dag", jobtype="DAG"), *lives(0, RUNNING, unique="dag")],
        "transfers": registered(2, "transfers", jobtype="FILE_TRANSFER_COLLECTION"),
        "collection": [*registered(4, "collection"), *lives(0, RUNNING, unique="collection"),
                       *lives(1, RUNNING, DONE, unique="collection"), *lives(2, RUNNING, FAILED, unique="collection")],
        "presumed": [*registered(2, "presumed"), *told(child(1, "presumed"), 9.0, RUNNING)],
        "all-cancelled": [*registered(2, "all-cancelled"), *lives(0, CANCELLED, unique="all-cancelled"),
                          *lives(1, CANCELLED, unique="all-cancelled")],
    }
    return made


def filled(shelf: Shelf) -> Shelf:
    """All kinds, told to the running daemon event by event, a minute apart."""
    with shelf.running():
        for told_of in kinds().values():
            for one in told_of:
                shelf.log([one])
            shelf.clock.advance(60)
    return shelf

