"""A decision with its resources as one record, for another machine: as bytes and back. Pure."""

from __future__ import annotations

import zlib
from typing import NoReturn

import msgspec

from wm.matching.cycle import Outcome
from wm.replay.records import Record, read_outcome, read_record
from wm.replay.shelves import is_named, restored
from wm.supply.supermarket import Snapshot
from wms.errors import Refused
from wms.version import VERSION

FORM = "wms decision 1"


class Whole(msgspec.Struct, frozen=True):
    """`pieces` of the snapshot by name, the first of which is in full; nothing in it is compressed."""

    id: str
    record: bytes
    outcome: bytes
    pieces: tuple[tuple[str, bytes], ...]
    form: str = FORM

    def read(self) -> tuple[Record, Snapshot, Outcome]:
        """What was kept; raises Refused where it is damaged or of a version that kept it otherwise."""
        for name, content in self.pieces:
            if not is_named(name, content):
                _refuse(f"Piece {name} of its resources is damaged.")
        try:
            record = read_record(self.record)
            return record, restored((content for _, content in self.pieces), record.silent), read_outcome(self.outcome)
        except msgspec.DecodeError as error:
            _refuse(f"Decision {self.id} is not in the form that version {VERSION} keeps: {error}.")


def exported(whole: Whole) -> bytes:
    return zlib.compress(msgspec.msgpack.encode(whole))


def imported(content: bytes) -> Whole:
    """Raises Refused for anything else than what `exported` made."""
    try:
        whole = msgspec.msgpack.decode(zlib.decompress(content), type=Whole)
    except (zlib.error, msgspec.DecodeError):
        _refuse("The file is no decision that was exported.")
    if whole.form != FORM:
        _refuse(f"The file is of another form: {whole.form[:40]!r}, not {FORM!r}.")
    return whole


def _refuse(message: str) -> NoReturn:
    raise Refused(message)
