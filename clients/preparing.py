"""From the text of a job description to what is sent: defaults and options merged, files found, all checked.

Nothing is contacted here; a description that passes may still be refused by the service.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from clients.errors import ArgumentWrong
from clients.files import LocalFile, expand, local_files
from clients.gathering import gathered
from clients.settings import Settings, text, texts
from wms.errors import Refused
from wms.jdl.ast import Ad, Node, Warned, conjunction, node
from wms.jdl.compounds import Compound, expanded, is_compound
from wms.jdl.compounds.inheritance import letters_of
from wms.jdl.described import described
from wms.jdl.description import describe
from wms.jdl.limits import MAX_COMPOUND_TEXT
from wms.jdl.parser import parse
from wms.jdl.unparse import pretty

MOST_LOOKED_AT = 50
_COMPOUND = frozenset({"dag", "collection"})
_OF_NODES = {"retrycount": "DefaultNodeRetryCount", "shallowretrycount": "DefaultNodeShallowRetryCount"}


@dataclass(frozen=True, slots=True)
class Prepared:
    """A description ready to be sent, the local files it needs, and sentences for the user.

    `interactive`: the job talks with a terminal. `compound`: it is more than one job; not `counted`: the service
    decides of how many.
    """

    jdl: str
    vo: str = ""
    files: tuple[LocalFile, ...] = ()
    warnings: tuple[str, ...] = ()
    interactive: bool = False
    compound: Compound | None = None
    counted: bool = True


def prepare(jdl: str | Ad, directory: str, environment: Mapping[str, str], settings: Settings, *,
            file: str = "<jdl>", attributes: Mapping[str, Node] | None = None,
            sandbox: bool = True, of_nodes: Mapping[str, Node] | None = None) -> Prepared:
    """Read and complete a description; `attributes` come from options and win, `directory` is where its
    relative files are. `of_nodes` are attributes for the nodes of a compound. Raises JdlError, JdlInvalid or what
    `clients.files` raises.
    """
    written = parse(jdl, file, max_chars=MAX_COMPOUND_TEXT) if isinstance(jdl, str) else jdl
    ad = with_defaults(written, settings.jdl_defaults).changed(dict(attributes or {}))
    if settings.vo:
        ad = ad.changed({"VirtualOrganisation": node(settings.vo)})
    whole = is_compound(ad)
    _refuse_misplaced(whole, attributes or {}, of_nodes or {})
    if whole and not sandbox:
        raise Refused(f"{_kind(ad)} type is not supported for list match",
                      hint="A compound has no destination of its own: ask for one of its nodes.")
    if whole:
        return _compound(ad.changed(dict(of_nodes or {})), directory, environment, settings.vo, file)
    base = text(ad.get("InputSandboxBaseURI"))
    if sandbox and "InputSandbox" in ad:
        entries = texts(ad.get("InputSandbox"))
        found = expand(entries, directory, environment, base)
        ad = ad if found == entries else ad.changed({"InputSandbox": node(found)})
    description = describe(ad)
    if "JobState" in (attributes or {}) and "Checkpointable" not in description.job_types:
        raise ArgumentWrong("--chkpt is for checkpointable jobs.", hint='JobType = "Checkpointable";')
    files = local_files(texts(ad.get("InputSandbox")), directory, base) if sandbox else ()
    warnings = _warnings(file, (*written.warnings, *description.warnings))
    return Prepared(pretty(ad), settings.vo, files, warnings, "Interactive" in description.job_types)


def _compound(ad: Ad, directory: str, environment: Mapping[str, str], vo: str, file: str) -> Prepared:
    complete, files = gathered(ad, directory, environment)
    found = expanded(complete, 1)
    counted = "P" not in letters_of(complete) or "PartitionNumber" in complete
    warnings = (*_warnings(file, found.warnings), *_of_nodes(found))
    return Prepared(pretty(complete), vo, files, warnings, compound=found, counted=counted)


def _of_nodes(whole: Compound) -> tuple[str, ...]:
    """What the first nodes are warned of and their compound is not, each once."""
    said = {warned.message for warned in whole.warnings}
    told: dict[str, str] = {}
    for index in range(min(whole.number, MOST_LOOKED_AT)):
        for warned in described(whole.jdl(index)).warnings:
            if warned.message not in said:
                told.setdefault(warned.message, f"{whole.name(index)}: {warned.message}")
    return tuple(told.values())


def _refuse_misplaced(whole: bool, attributes: Mapping[str, Node], of_nodes: Mapping[str, Node]) -> None:
    if whole and "SubmitTo" in attributes:
        raise ArgumentWrong("--resource and --input are for single jobs.", hint="Use --nodes-resource.")
    if whole and "JobState" in attributes:
        raise ArgumentWrong("--chkpt is for a single checkpointable job.")
    if of_nodes and not whole:
        raise ArgumentWrong("--nodes-resource is for collections, DAGs and parametric jobs.", hint="Use --resource.")


def _kind(ad: Ad) -> str:
    """The kind of a compound in one word."""
    return {"D": "DAG", "K": "Collection", "R": "Parametric", "P": "Partitionable"}[
        next(letter for letter in "DKRP" if letter in letters_of(ad))]


def _warnings(file: str, warned: Iterable[Warned]) -> tuple[str, ...]:
    return tuple(f"{file}:{one.row}:{one.column}: {one.message}" for one in dict.fromkeys(warned))


def with_defaults(ad: Ad, defaults: Ad) -> Ad:
    """The description with the configured defaults for what it does not say.

    Requirements are joined: `of the job && configured`. Retry counts of a compound are its nodes'. What
    holds without any configuration is added where the description is used (`wms.jdl.description`).
    """
    changes = {wanted: value for name, value in defaults.attributes
               if (wanted := _name_for(name, ad)) not in ad}
    own, configured = ad.get("Requirements"), defaults.get("Requirements")
    if own is not None and configured is not None:
        changes["Requirements"] = conjunction(own, configured)
    return ad.changed(changes)


def _name_for(name: str, ad: Ad) -> str:
    compound = text(ad.get("Type")).lower() in _COMPOUND
    return _OF_NODES.get(name.lower(), name) if compound else name
