"""What a job asks of data catalogues, and what these say. Pure.

Not the asking (wm.catalogues), nor which CEs are close to the files (data).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from wms.jdl.ast import Node
from wms.jdl.description import JobDescription
from wms.jdl.evaluate import evaluate
from wms.jdl.values import prepare

_INDEXED = ("si-lfn:", "si-guid:")


class Question(NamedTuple):
    """Files whose replicas are asked for, at the endpoint (URL) that the job names, if it names one."""

    names: tuple[str, ...]
    endpoint: str = ""


class Replicas(msgspec.Struct, frozen=True):
    """What catalogues say of the files of a job, in the order of the job; equal answers match alike.

    `files`: each with the storage URLs or SE names of its replicas. `sizes`: bytes, of files whose size is
    known. `unanswered`: files that a catalogue owes an answer for. `warnings` are for the user.
    """

    files: tuple[tuple[str, tuple[str, ...]], ...] = ()
    sizes: tuple[tuple[str, int], ...] = ()
    unanswered: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """All catalogues answered, and know of all files."""
        return not self.unanswered and all(places for _, places in self.files)


NOTHING = Replicas()


def questions(description: JobDescription) -> tuple[Question, ...]:
    """What the job's InputData or DataRequirements ask of catalogues; empty for a job without data."""
    ad = description.ad
    if description.input_data:
        index, catalogue = _text(ad.get("StorageIndex"), description), _text(ad.get("DataCatalog"), description)
        indexed = tuple(name for name in description.input_data if name.startswith(_INDEXED))
        plain = tuple(name for name in description.input_data if name not in indexed)
        asked: tuple[Question, ...] = (Question(plain, catalogue), Question(indexed, index))
    else:
        asked = tuple(Question(_names(record), str(record.get("datacatalog", ""))) for record in _records(description))
    return tuple(question for question in asked if question.names)


def files_of(description: JobDescription) -> tuple[str, ...]:
    """The names of all input files, each once, in the order of the job."""
    return tuple(dict.fromkeys(name for question in questions(description) for name in question.names))


def _text(expression: Node | None, description: JobDescription) -> str:
    value = None if expression is None else evaluate(expression, description.ad)
    return value if isinstance(value, str) else ""


def _records(description: JobDescription) -> Iterator[Mapping[str, Any]]:
    expression = description.ad.get("DataRequirements")
    value = None if expression is None else evaluate(expression, description.ad)
    for record in value if isinstance(value, list) else [value]:
        if isinstance(record, Mapping):
            yield prepare(record)


def _names(record: Mapping[str, Any]) -> tuple[str, ...]:
    data = record.get("inputdata")
    return tuple(name for name in (data if isinstance(data, list) else [data]) if isinstance(name, str))
