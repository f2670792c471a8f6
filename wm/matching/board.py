"""All CEs on one board: which of them each class of jobs fits, kept up to date as single CEs change. Pure.

Agrees with `match`, which asks one job at a time: here what an expression says of a CE is remembered for all
classes that contain it. A set of CEs is an int, a bit for each place on the board.
"""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter

from wm.matching.answers import Answers
from wm.matching.classes import profile
from wm.matching.fits import DataFit, Fit, PartsFit
from wm.matching.places import mask_of
from wm.matching.request import Request, Site
from wm.supply.supermarket import EMPTY, Snapshot
from wms.glue import DRAINED
from wms.jdl.values import Prepared
from wms.resource import ComputingElement

MOST_FITS = 20_000
"""Classes that are remembered at once."""
STATUS, FREE, _DRAINED = "gluecestatestatus", "gluecestatefreejobslots", DRAINED.lower()


class Board:
    """`show` it a snapshot, then ask `fit`s. `serial` counts changes, `changed` are the places of the last one.

    `present` are the places of CEs that may be used at all; `open` those that say they have a free slot, and
    `slots` how many each says (1 when it does not tell).
    """

    def __init__(self, site: Site) -> None:
        self.site = site
        self.snapshot: Snapshot = EMPTY
        self.serial = 0
        self.present = self.open = self.changed = 0
        self.ces: list[ComputingElement] = []
        self.records: list[Prepared] = []
        self.by_id: list[int] = []
        self.slots: list[int] = []
        self.places: dict[str, int] = {}
        self.hosts: dict[str, int] = {}
        self.answers = Answers(self)
        self._spare: list[int] = []
        self._fits: dict[str, Fit] = {}

    def show(self, snapshot: Snapshot) -> None:
        """Replace the snapshot; only what differs is looked at again."""
        if snapshot is self.snapshot:
            return
        gone = [id for id in self.places if id not in snapshot.ces]
        known = len(self.places) - len(gone)
        changed = [self._drop(id) for id in gone]
        ces = snapshot.ces.values() if self.places else sorted(snapshot.ces.values(), key=attrgetter("id"))
        changed += [place for ce in ces if (place := self._put(ce)) is not None]
        self.serial += bool(changed) or snapshot.version != self.snapshot.version
        if gone or len(self.places) > known:
            self._number()
        self.snapshot, self.changed = snapshot, mask_of(changed)
        self.answers.moved(changed)

    def _number(self) -> None:
        """`by_id` gives the number of each place in the order of ids."""
        self.by_id = [0] * len(self.ces)
        for number, id in enumerate(sorted(self.places)):
            self.by_id[self.places[id]] = number

    def _drop(self, id: str) -> int:
        place = self.places.pop(id)
        self._mark(place, False, 0)
        self.hosts[self.ces[place].host.casefold()] &= ~(1 << place)
        self._spare.append(place)
        return place

    def _put(self, ce: ComputingElement) -> int | None:
        """The place of the CE if it says something new."""
        place = self.places.get(ce.id)
        if place is None:
            place = self._place(ce)
        else:
            before, self.ces[place], self.records[place] = self.ces[place], ce, ce.prepared
            if before.prepared is ce.prepared or before.attributes == ce.attributes:
                return None
            self.hosts[before.host.casefold()] &= ~(1 << place)
        host = ce.host.casefold()
        self.hosts[host] = self.hosts.get(host, 0) | 1 << place
        self._mark(place, STATUS in ce.prepared and _DRAINED not in ce.prepared, free_slots(ce))
        return place

    def _place(self, ce: ComputingElement) -> int:
        if self._spare:
            place = self._spare.pop()
            self.ces[place], self.records[place] = ce, ce.prepared
        else:
            place = len(self.ces)
            self.ces.append(ce)
            self.records.append(ce.prepared)
            self.slots.append(0)
        self.places[ce.id] = place
        return place

    def _mark(self, place: int, present: bool, slots: int) -> None:
        bit = 1 << place
        self.present = self.present | bit if present else self.present & ~bit
        self.open = self.open | bit if present and slots > 0 else self.open & ~bit
        self.slots[place] = slots

    def alive(self, now: float) -> int:
        """The places whose CE's word still holds."""
        if now < self.snapshot.expires:
            return self.present
        return self.present & mask_of(place for place in self.places.values() if self.ces[place].expires > now)

    def mask(self, ids: Iterable[str]) -> int:
        """The places of these CEs."""
        return mask_of(self.places[id] for id in ids if id in self.places)

    def knows(self, cls: str) -> bool:
        """Whether the class was asked about before."""
        return cls in self._fits

    def fit(self, cls: str, request: Request) -> Fit:
        """Where jobs of the class may go; `request` is one of them."""
        found = self._fits.get(cls)
        if found is None or found.request.replicas != request.replicas:
            if len(self._fits) >= MOST_FITS:
                self._fits.clear()
            view = profile(request, self.site)
            found = self._fits[cls] = (DataFit if view.data else PartsFit)(self, cls, request, view)
        return found


def free_slots(ce: ComputingElement) -> int:
    """What the CE says of its free slots; one that says nothing is thought to have one."""
    told = ce.prepared.get(FREE)
    return told if isinstance(told, int) and not isinstance(told, bool) and told >= 0 else 1
