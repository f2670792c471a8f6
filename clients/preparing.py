"""From the text of a job description to what is sent: defaults and options merged, files found, all checked.

Nothing is contacted here; a description that passes may still be refused by the service.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from clients.files import LocalFile, expand, local_files
from clients.settings import Settings, text, texts
from wms.jdl.ast import Ad, Node, conjunction, node
from wms.jdl.description import describe
from wms.jdl.parser import parse
from wms.jdl.unparse import pretty

_COMPOUND = frozenset({"dag", "collection"})
_OF_NODES = {"retrycount": "DefaultNodeRetryCount", "shallowretrycount": "DefaultNodeShallowRetryCount"}


@dataclass(frozen=True, slots=True)
class Prepared:
    """A description ready to be sent, the local files it needs, and sentences for the user.

    `interactive`: the job talks with a terminal.
    """

    jdl: str
    vo: str = ""
    files: tuple[LocalFile, ...] = ()
    warnings: tuple[str, ...] = ()
    interactive: bool = False


def prepare(jdl: str, directory: str, environment: Mapping[str, str], settings: Settings, *,
            file: str = "<jdl>", attributes: Mapping[str, Node] | None = None,
            sandbox: bool = True) -> Prepared:
    """Read and complete a description; `attributes` come from options and win, `directory` is where its
    relative files are. Raises JdlError, JdlInvalid or what `clients.files` raises.
    """
    written = parse(jdl, file)
    ad = with_defaults(written, settings.jdl_defaults).changed(dict(attributes or {}))
    if settings.vo:
        ad = ad.changed({"VirtualOrganisation": node(settings.vo)})
    base = text(ad.get("InputSandboxBaseURI"))
    if sandbox and "InputSandbox" in ad:
        entries = texts(ad.get("InputSandbox"))
        found = expand(entries, directory, environment, base)
        ad = ad if found == entries else ad.changed({"InputSandbox": node(found)})
    description = describe(ad)
    files = local_files(texts(ad.get("InputSandbox")), directory, base) if sandbox else ()
    warned = dict.fromkeys((*written.warnings, *description.warnings))
    warnings = tuple(f"{file}:{one.row}:{one.column}: {one.message}" for one in warned)
    return Prepared(pretty(ad), settings.vo, files, warnings, "Interactive" in description.job_types)


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
