"""Where job-submit finds what it submits: a JDL file, a directory of them, or a DAGMan file; and default attributes."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

from clients.errors import ArgumentMissing, ArgumentsExclusive, JdlFileMissing
from clients.gathering import of_directory
from clients.options import read_jdl
from clients.settings import Settings
from wms.jdl.ast import Ad
from wms.jdl.compounds.dagman import imported, submit_files
from wms.jdl.parser import parse


@dataclass(frozen=True, slots=True)
class Source:
    """A description, its name for messages, the directory of its relative files, and sentences for the user."""

    jdl: str | Ad
    name: str
    directory: str
    warnings: tuple[str, ...] = ()


def source(jdl_file: str, collection: str, dagman: str) -> Source:
    """The one thing that is asked for; raises JdlFileMissing, JdlInvalid and what arguments are refused with."""
    given = [one for one in (jdl_file, collection, dagman) if one]
    if not given:
        raise ArgumentMissing("The last argument must be a JDL file")
    if len(given) > 1:
        raise ArgumentsExclusive("A JDL file, --collection and --dagman exclude each other.")
    if collection:
        return Source(of_directory("--collection", collection), collection, os.path.abspath(collection))
    return _dagman(dagman) if dagman else Source(*read_jdl(jdl_file))


def _dagman(path: str) -> Source:
    directory = os.path.dirname(os.path.abspath(path))
    dag = _read(path)
    files = {name: _read(os.path.join(directory, name)) for name in submit_files(dag, path)}
    ad, warnings = imported(dag, path, files)
    return Source(ad, path, directory, warnings)


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except UnicodeDecodeError:
        raise JdlFileMissing(f"{path} is not UTF-8 text.", path=path) from None
    except OSError as error:
        raise JdlFileMissing(f"{path} cannot be read: {error.strerror}", path=path) from None


def settings_with(settings: Settings, default_jdl: str) -> Settings:
    """The settings with the attributes of a file as defaults, over those that are configured."""
    if not default_jdl:
        return settings
    own = parse(_read(default_jdl), default_jdl)
    return replace(settings, jdl_defaults=settings.jdl_defaults.changed(dict(own.attributes)))
