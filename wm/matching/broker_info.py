"""The .BrokerInfo record: what the match knew of the CE, its close SEs and the input files, for the job to read.

Pure: a request and its CE in, JDL text out. How it reaches the job: Run.broker_info.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from wm.matching.request import Request
from wm.matching.storage import close, host_of, protocols
from wm.supply.supermarket import Snapshot
from wms.jdl.ast import Ad, Attribute
from wms.jdl.unparse import pretty
from wms.jdl.values import Prepared, Value, prepare, tree
from wms.resource import ComputingElement

LONGEST = 100_000
"""Characters; what is longer goes without the attributes of SEs, then the URLs of replicas, then all but the CE."""
SPACE = "GlueSAStateAvailableSpace"


def render(request: Request, ce: ComputingElement, snapshot: Snapshot) -> str:
    """The text of the record; "" for a job that names its CE, as there was no match to tell of.

    Free space and whatever else is said of an SE are as the snapshot has them.
    """
    if request.description.submit_to:
        return ""
    bare = _ad(ComputingElement={"name": ce.destination, "CloseStorageElements": []}, VirtualOrganisation=request.vo)
    tries = (_record(request, ce, snapshot, *more) for more in ((True, True), (False, True), (False, False)))
    texts = (pretty(record) + "\n" for record in tries)
    return next((text for text in texts if len(text) <= LONGEST), pretty(bare) + "\n")


def _record(request: Request, ce: ComputingElement, snapshot: Snapshot, attributes: bool, replicas: bool) -> Ad:
    ses, near = {id.casefold(): se for id, se in snapshot.ses.items()}, close(ce)
    said = {name: ses[name].prepared if name in ses else Prepared({}) for name in near}
    files = request.replicas.files
    holding = dict.fromkeys(host_of(url) for _, urls in files for url in urls)
    known = {name: ses[name].prepared for name in (*near, *holding) if name in ses}
    return _ad(
        ComputingElement={"name": ce.destination, "CloseStorageElements": [
            _close(_spelled(name, ses), mount, said[name], attributes) for name, mount in near.items()]},
        StorageElements=[_storage(ses[name].id, se) for name, se in known.items()],
        InputFNs=[{"name": name, "SFNs": list(urls) if replicas else []} for name, urls in files],
        DataAccessProtocol=list(request.description.data_access_protocols),
        VirtualOrganisation=request.vo)


def _ad(**attributes: Any) -> Ad:
    return Ad(tuple(Attribute(name, tree(_prepared(value))) for name, value in attributes.items()))


def _prepared(value: Any) -> Value:
    return prepare({"it": value})["it"]


def _spelled(name: str, ses: Mapping[str, Any]) -> str:
    return str(ses[name].id) if name in ses else name


def _close(name: str, mount: str, said: Prepared, attributes: bool) -> dict[str, Any]:
    space = max(_spaces(said), default=None)
    more = {said.spelling[key]: value for key, value in said.items()} if attributes else {}
    own = {"name": name, **({"mount": mount} if mount else {}), **({} if space is None else {"freespace": space})}
    return {**own, **{key: value for key, value in more.items() if key.lower() not in own}}


def _spaces(said: Prepared) -> Iterator[int]:
    """The free space of each storage area: of the SE itself, or of the areas listed in it."""
    yield from _numbers([said.get(SPACE.lower())])
    for value in said.values():
        for area in value if isinstance(value, list) else ():
            if isinstance(area, Prepared):
                yield from _numbers([area.get(SPACE.lower())])


def _numbers(values: Iterable[Any]) -> Iterator[int]:
    for value in values:
        for one in value if isinstance(value, list) else [value]:
            if type(one) is int:
                yield one


def _storage(id: str, se: Prepared) -> dict[str, Any]:
    return {"name": id, "protocols": [{"name": item.name, "port": item.port} for item in protocols(se)]}
